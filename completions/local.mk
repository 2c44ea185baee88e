# completions/: one script for all tools, found by bash-completion under each tool's name
completionsdir = $(datadir)/bash-completion/completions
dist_completions_DATA = completions/scopeline.bash
install-data-hook:
	cd '$(DESTDIR)$(completionsdir)' && for t in $(notdir $(bin_PROGRAMS) $(dist_bin_SCRIPTS)); do ln -sf scopeline.bash $$t; done
uninstall-hook:
	for t in $(notdir $(bin_PROGRAMS) $(dist_bin_SCRIPTS)); do rm -f '$(DESTDIR)$(completionsdir)'/$$t; done
