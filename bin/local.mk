# bin/: one file per tool; device.c is what their mains share, tilt_*.c what tiltrecon and tiltsim do
TILT_FILES = bin/tilt_options.c bin/tilt_options.h bin/tilt_files.c bin/tilt_files.h bin/device.c bin/device.h
bin_PROGRAMS += bin/tiltrecon
bin_tiltrecon_SOURCES = bin/tiltrecon.c bin/tiltrecon.h bin/tilt_job.c bin/tilt_well.c $(TILT_FILES)
bin_PROGRAMS += bin/tiltsim
bin_tiltsim_SOURCES = bin/tiltsim.c $(TILT_FILES)
FEATURE_FILES = bin/features.c bin/features.h bin/features_job.c bin/features_rows.h bin/device.c bin/device.h
bin_PROGRAMS += bin/granularity
bin_granularity_SOURCES = bin/granularity.c $(FEATURE_FILES)
bin_PROGRAMS += bin/tvloss
bin_tvloss_SOURCES = bin/tvloss.c bin/tvloss.h bin/tvloss_job.c bin/device.c bin/device.h
bin_PROGRAMS += bin/zernike
bin_zernike_SOURCES = bin/zernike.c $(FEATURE_FILES)
bin_PROGRAMS += bin/intensity
bin_intensity_SOURCES = bin/intensity.c $(FEATURE_FILES)
bin_PROGRAMS += bin/tvdenoise
bin_tvdenoise_SOURCES = bin/tvdenoise.c bin/device.c bin/device.h
