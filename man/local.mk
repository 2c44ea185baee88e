# man/: one page per tool, and one for what they share
dist_man_MANS += man/scopeline.7
dist_man_MANS += man/tiltrecon.1
dist_man_MANS += man/tiltsim.1
dist_man_MANS += man/granularity.1
dist_man_MANS += man/tvloss.1
dist_man_MANS += man/zernike.1
dist_man_MANS += man/intensity.1
dist_man_MANS += man/tvdenoise.1
dist_man_MANS += man/kplanes.1
dist_man_MANS += man/ptychofrc.1
dist_man_MANS += man/ptychorecon.1
dist_man_MANS += man/ptychosim.1
dist_man_MANS += man/scopeline-check.1
