# share/: presets for --config, installed as $(pkgdatadir)/presets
presetsdir = $(pkgdatadir)/presets
dist_presets_DATA = \
	share/presets/pheno \
	share/presets/track
# known answers of scopeline-check, and the images of its features
answersdir = $(pkgdatadir)/check
dist_answers_DATA = share/check/answers share/check/image.tif share/check/labels.tif
