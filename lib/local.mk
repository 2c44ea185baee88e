# lib/: the internal library, one list per layer (see HACKING)
libscopeline_a_SOURCES += \
	lib/base/die.c lib/base/die.h \
	lib/base/mem.c lib/base/mem.h \
	lib/base/array.c lib/base/array.h
libscopeline_a_SOURCES += lib/tilt/optics.c lib/tilt/optics.h
libscopeline_a_SOURCES += lib/tilt/tiles.c lib/tilt/tiles.h
libscopeline_a_SOURCES += lib/tilt/contrast.c lib/tilt/contrast.h
libscopeline_a_SOURCES += lib/tilt/pupil.c lib/tilt/pupil.h
libscopeline_a_SOURCES += lib/tilt/transfer.c lib/tilt/transfer.h
libscopeline_a_SOURCES += lib/tilt/thin.c lib/tilt/thin.h
libscopeline_a_SOURCES += lib/base/team.c lib/base/team.h
libscopeline_a_SOURCES += lib/dev/dev.c lib/dev/dev.h lib/dev/internal.h
libscopeline_a_SOURCES += lib/dev/buf.c
libscopeline_a_SOURCES += lib/dev/launch.c lib/dev/clsrc.h
libscopeline_a_SOURCES += lib/dev/clerror.c
libscopeline_a_SOURCES += lib/dev/profile.c
libscopeline_a_SOURCES += lib/math/optim.c lib/math/optim.h
libscopeline_a_SOURCES += lib/math/random.c lib/math/random.h
libscopeline_a_SOURCES += lib/tilt/imageloss.c lib/tilt/imageloss.h
libscopeline_a_SOURCES += lib/tilt/loss.c lib/tilt/loss.h
libscopeline_a_SOURCES += lib/tilt/thick.c lib/tilt/thick.h
libscopeline_a_SOURCES += lib/tilt/well.c lib/tilt/well.h
libscopeline_a_SOURCES += lib/tilt/levels.c lib/tilt/levels.h
libscopeline_a_SOURCES += lib/base/opt.c lib/base/opt.h lib/base/opttable.h
libscopeline_a_SOURCES += lib/base/optvalue.c lib/base/optvalue.h
libscopeline_a_SOURCES += lib/base/optconfig.c
libscopeline_a_SOURCES += lib/base/opthelp.c
libscopeline_a_SOURCES += lib/tilt/search.c lib/tilt/search.h
libscopeline_a_SOURCES += lib/tilt/recon.c lib/tilt/recon.h
libscopeline_a_SOURCES += lib/io/out.c lib/io/out.h
libscopeline_a_SOURCES += lib/io/provenance.c lib/io/provenance.h
libscopeline_a_SOURCES += lib/io/csvio.c lib/io/csvio.h
libscopeline_a_SOURCES += lib/io/source.c lib/io/source.h
libscopeline_a_SOURCES += lib/dev/fft.c lib/dev/fft.h
libscopeline_a_SOURCES += lib/dev/hostfft.c lib/dev/hostfft.h
libscopeline_a_SOURCES += lib/batch/common.c lib/batch/common.h
libscopeline_a_SOURCES += lib/batch/batch.c lib/batch/batch.h
libscopeline_a_SOURCES += lib/batch/run.c
libscopeline_a_SOURCES += lib/batch/journal.c lib/batch/journal.h
libscopeline_a_SOURCES += lib/batch/progress.c lib/batch/progress.h
libscopeline_a_SOURCES += lib/dev/features.c lib/dev/features.h
libscopeline_a_SOURCES += lib/io/features.c lib/io/features.h
libscopeline_a_SOURCES += lib/io/tiffin.c lib/io/tiffout.c lib/io/tiffio.h
libscopeline_a_SOURCES += lib/io/tifffile.c lib/io/tiffpage.c lib/io/tiffmeta.c lib/io/tifffile.h
libscopeline_a_SOURCES += lib/io/omeio.c lib/io/omeio.h
