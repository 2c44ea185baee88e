# share/: presets for --config, installed as $(pkgdatadir)/presets
presetsdir = $(pkgdatadir)/presets
dist_presets_DATA = \
	share/presets/pheno \
	share/presets/track
