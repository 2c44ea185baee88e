# tests/: unit programs and tool tests, all under prove.  One line per file.
# `make check T='t01% unit-csv'` picks by name, TESTS_FAST=1 leaves the slow cases out, PROVE_FLAGS=-v shows each sentence.

# Goldens and data lie in a folder beside the sources; `make distcheck` unpacks the sources elsewhere and so is told where.
SCOPELINE_SHARED ?= $(abs_top_srcdir)/../shared
AM_MAKEFLAGS = SCOPELINE_SHARED="$(SCOPELINE_SHARED)"
PROVE_JOBS ?= 2
T ?= %
all_tests = $(filter tests/unit-%,$(check_PROGRAMS)) $(addprefix $(abs_top_srcdir)/,$(TOOL_TESTS))

check-local:
	srcdir='$(abs_top_srcdir)' builddir='$(abs_top_builddir)' SCOPELINE_SHARED='$(SCOPELINE_SHARED)' \
	$(PROVE) --exec 'bash $(abs_top_srcdir)/tests/one' -j$(PROVE_JOBS) $(PROVE_FLAGS) $(foreach t,$(all_tests),$(if $(filter $(T),$(basename $(notdir $(t)))),$(t)))
check-programs: $(check_PROGRAMS) $(check_DATA)
.PHONY: check-programs
clean-local:
	rm -rf tests/scratch

EXTRA_DIST += $(TOOL_TESTS) tests/lib.sh tests/cluster.sh tests/tap.h tests/run.sh tests/csvdiff tests/one .ci/run .shellcheckrc
TOOL_TESTS =
TOOL_TESTS += tests/t0000-layers.t
TOOL_TESTS += tests/t0001-man.t
TOOL_TESTS += tests/t0002-completion.t
TOOL_TESTS += tests/t0003-examples.t
TOOL_TESTS += tests/t0004-well.t
TOOL_TESTS += tests/t0100-usage.t
TOOL_TESTS += tests/t0101-bad-input.t
TOOL_TESTS += tests/t0102-batch.t
TOOL_TESTS += tests/t0103-devices.t
TOOL_TESTS += tests/t0104-check.t
TOOL_TESTS += tests/t0900-slurm.t
TOOL_TESTS += tests/t1000-tilt-golden.t
TOOL_TESTS += tests/t1001-tilt-same.t
TOOL_TESTS += tests/t1021-tilt-recovery.t
TOOL_TESTS += tests/t1030-tilt-compat.t
TOOL_TESTS += tests/t1100-tiltsim.t
TOOL_TESTS += tests/t1200-tilt-search.t
TOOL_TESTS += tests/t1201-tilt-well.t
TOOL_TESTS += tests/t1202-tilt-levels.t
TOOL_TESTS += tests/t2000-granularity.t
TOOL_TESTS += tests/t2010-granularity-devices.t

check_PROGRAMS += tests/unit-optim
tests_unit_optim_SOURCES = tests/unit-optim.c

check_PROGRAMS += tests/unit-opt
tests_unit_opt_SOURCES = tests/unit-opt.c
check_PROGRAMS += tests/unit-csv
tests_unit_csv_SOURCES = tests/unit-csv.c tests/capture.h
check_PROGRAMS += tests/unit-out
tests_unit_out_SOURCES = tests/unit-out.c tests/capture.h
check_PROGRAMS += tests/unit-fft
tests_unit_fft_SOURCES = tests/unit-fft.c
check_PROGRAMS += tests/unit-well
tests_unit_well_SOURCES = tests/unit-well.c

check_PROGRAMS += tests/unit-random
tests_unit_random_SOURCES = tests/unit-random.c
check_PROGRAMS += tests/unit-tilt-files
tests_unit_tilt_files_SOURCES = tests/unit-tilt-files.c bin/tilt_files.c bin/tilt_files.h
REF_TILT = tests/ref-tilt.c tests/ref-loss.c tests/ref-thick.c tests/ref-tilt.h tests/ref-inside.h
check_PROGRAMS += tests/unit-tilt-ref
tests_unit_tilt_ref_SOURCES = tests/unit-tilt-ref.c $(REF_TILT)
tests_unit_tilt_ref_LDADD = $(LDADD) -lfftw3
check_PROGRAMS += tests/tiffdiff
tests_tiffdiff_SOURCES = tests/tiffdiff.c

check_PROGRAMS += tests/unit-batch
tests_unit_batch_SOURCES = tests/unit-batch.c
check_PROGRAMS += tests/unit-sim
tests_unit_sim_SOURCES = tests/unit-sim.c $(REF_TILT)
tests_unit_sim_LDADD = $(LDADD) -lfftw3
check_PROGRAMS += tests/tiffmake
tests_tiffmake_SOURCES = tests/tiffmake.c tests/tiffgen.c tests/tiffgen.h
check_PROGRAMS += tests/unit-tiff
tests_unit_tiff_SOURCES = tests/unit-tiff.c tests/tiffgen.c tests/tiffgen.h tests/capture.h
check_PROGRAMS += tests/unit-tiffout
tests_unit_tiffout_SOURCES = tests/unit-tiffout.c tests/capture.h
check_PROGRAMS += tests/unit-png
tests_unit_png_SOURCES = tests/unit-png.c tests/capture.h
check_PROGRAMS += tests/tiffstat
tests_tiffstat_SOURCES = tests/tiffstat.c
check_PROGRAMS += tests/tiffseams
tests_tiffseams_SOURCES = tests/tiffseams.c
check_PROGRAMS += tests/unit-tilt
tests_unit_tilt_SOURCES = tests/unit-tilt.c $(REF_TILT)
tests_unit_tilt_LDADD = $(LDADD) -lfftw3
check_PROGRAMS += tests/unit-mutate
tests_unit_mutate_SOURCES = tests/unit-mutate.c tests/tiffgen.c tests/tiffgen.h
check_PROGRAMS += tests/unit-dev
tests_unit_dev_SOURCES = tests/unit-dev.c tests/capture.h
check_PROGRAMS += tests/unit-die
tests_unit_die_SOURCES = tests/unit-die.c
check_PROGRAMS += tests/unit-team
tests_unit_team_SOURCES = tests/unit-team.c
check_PROGRAMS += tests/unit-sum
tests_unit_sum_SOURCES = tests/unit-sum.c
EXTRA_DIST += tests/data/README tests/data/waveorder_thin.tif tests/data/waveorder_thin_odd.tif tests/data/waveorder_thick_odd.tif tests/data/waveorder_thick_invert.tif
check_PROGRAMS += tests/unit-digits
tests_unit_digits_SOURCES = tests/unit-digits.c
check_PROGRAMS += tests/unit-tilt-facts
tests_unit_tilt_facts_SOURCES = tests/unit-tilt-facts.c
check_PROGRAMS += tests/unit-granularity
tests_unit_granularity_SOURCES = tests/unit-granularity.c tests/ref-granularity.c tests/ref-granularity.h
check_PROGRAMS += tests/unit-objects
tests_unit_objects_SOURCES = tests/unit-objects.c tests/capture.h
TOOL_TESTS += tests/t3000-tvloss.t
check_PROGRAMS += tests/unit-tv
tests_unit_tv_SOURCES = tests/unit-tv.c tests/ref-tv.c tests/ref-tv.h
check_PROGRAMS += tests/unit-circle
tests_unit_circle_SOURCES = tests/unit-circle.c
check_PROGRAMS += tests/unit-intensity
tests_unit_intensity_SOURCES = tests/unit-intensity.c
check_PROGRAMS += tests/unit-zernike
tests_unit_zernike_SOURCES = tests/unit-zernike.c
TOOL_TESTS += tests/t2100-zernike.t
TOOL_TESTS += tests/t2200-intensity.t
TOOL_TESTS += tests/t2300-features-facts.t
TOOL_TESTS += tests/t2310-features-large.t
check_PROGRAMS += tests/peakmem
tests_peakmem_SOURCES = tests/peakmem.c
EXTRA_DIST += tests/featdiff
check_PROGRAMS += tests/tifftext
tests_tifftext_SOURCES = tests/tifftext.c
TOOL_TESTS += tests/t3001-tvloss-files.t
TOOL_TESTS += tests/t3010-tv-devices.t
TOOL_TESTS += tests/t3100-tvdenoise.t
check_PROGRAMS += tests/tiffrms
tests_tiffrms_SOURCES = tests/tiffrms.c
check_PROGRAMS += tests/npztif
tests_npztif_SOURCES = tests/npztif.c
check_PROGRAMS += tests/unit-kplanes
tests_unit_kplanes_SOURCES = tests/unit-kplanes.c tests/ref-kplanes.c tests/ref-kplanes.h
check_PROGRAMS += tests/unit-kplanes-fit
tests_unit_kplanes_fit_SOURCES = tests/unit-kplanes-fit.c tests/ref-kplanes.c tests/ref-kplanes.h
TOOL_TESTS += tests/t3200-kplanes.t
TOOL_TESTS += tests/t3300-tv-examples.t
TOOL_TESTS += tests/t2400-profile.t
check_PROGRAMS += tests/unit-ptycho-order
tests_unit_ptycho_order_SOURCES = tests/unit-ptycho-order.c
check_PROGRAMS += tests/unit-ptycho-geometry
tests_unit_ptycho_geometry_SOURCES = tests/unit-ptycho-geometry.c
check_PROGRAMS += tests/unit-ptycho-probe
tests_unit_ptycho_probe_SOURCES = tests/unit-ptycho-probe.c
check_PROGRAMS += tests/unit-ptycho-frames
tests_unit_ptycho_frames_SOURCES = tests/unit-ptycho-frames.c tests/capture.h
check_PROGRAMS += tests/ptychocompare
tests_ptychocompare_SOURCES = tests/ptychocompare.c
TOOL_TESTS += tests/t4300-ptychofrc.t
check_PROGRAMS += tests/unit-ptycho-engines
tests_unit_ptycho_engines_SOURCES = tests/unit-ptycho-engines.c tests/ptycho_fixture.c tests/ptycho_fixture.h
check_PROGRAMS += tests/unit-ptycho-ml
tests_unit_ptycho_ml_SOURCES = tests/unit-ptycho-ml.c tests/ptycho_fixture.c tests/ptycho_fixture.h
check_PROGRAMS += tests/unit-ptycho-positions
tests_unit_ptycho_positions_SOURCES = tests/unit-ptycho-positions.c tests/ptycho_fixture.c tests/ptycho_fixture.h
check_PROGRAMS += tests/unit-ptycho-opr
tests_unit_ptycho_opr_SOURCES = tests/unit-ptycho-opr.c tests/ptycho_fixture.c tests/ptycho_fixture.h
check_PROGRAMS += tests/unit-ptycho-model
tests_unit_ptycho_model_SOURCES = tests/unit-ptycho-model.c tests/ptycho_fixture.c tests/ptycho_fixture.h
check_PROGRAMS += tests/ptychodiff
tests_ptychodiff_SOURCES = tests/ptychodiff.c
TOOL_TESTS += tests/t4100-ptycho-goldens.t
TOOL_TESTS += tests/t4200-ptycho-quality.t
EXTRA_DIST += tests/ptychobar
check_PROGRAMS += tests/unit-ptycho-orientation
tests_unit_ptycho_orientation_SOURCES = tests/unit-ptycho-orientation.c
check_PROGRAMS += tests/unit-ptycho-ramp
tests_unit_ptycho_ramp_SOURCES = tests/unit-ptycho-ramp.c
TOOL_TESTS += tests/t4400-ptycho-orientation.t
check_PROGRAMS += tests/unit-ptycho-simulate
tests_unit_ptycho_simulate_SOURCES = tests/unit-ptycho-simulate.c
TOOL_TESTS += tests/t4000-ptychosim.t
check_PROGRAMS += tests/tiffframes
tests_tiffframes_SOURCES = tests/tiffframes.c
check_PROGRAMS += tests/ptychotif
tests_ptychotif_SOURCES = tests/ptychotif.c
TOOL_TESTS += tests/t4110-ptycho-input.t
check_PROGRAMS += tests/pngclear
tests_pngclear_SOURCES = tests/pngclear.c
TOOL_TESTS += tests/t4120-ptycho-defects.t
TOOL_TESTS += tests/t4010-ptychosim-recon.t
TOOL_TESTS += tests/t4410-ptycho-coldstart.t
TOOL_TESTS += tests/t4420-ptycho-xy.t
TOOL_TESTS += tests/t4500-ptycho-checkpoint.t
TOOL_TESTS += tests/t4600-ptycho-physics.t
TOOL_TESTS += tests/t4500-ptycho-example.t
TOOL_TESTS += tests/t4130-ptycho-fuzz.t
TOOL_TESTS += tests/t4610-ptycho-background.t
check_PROGRAMS += tests/unit-ptycho-plan
tests_unit_ptycho_plan_SOURCES = tests/unit-ptycho-plan.c
TOOL_TESTS += tests/t0910-faults.t
TOOL_TESTS += tests/t0911-fuzz.t
TOOL_TESTS += tests/t0913-fault-lists.t
TOOL_TESTS += tests/t0914-fault-kill.t
TOOL_TESTS += tests/t0915-fault-leaks.t
TOOL_TESTS += tests/t0916-cold-cache.t
TOOL_TESTS += tests/t0917-size-bombs.t
EXTRA_DIST += tests/fault.c tests/faults.sh tests/faultlists.sh
check_DATA += tests/fault.so
CLEANFILES += tests/fault.so
tests/fault.so: tests/fault.c tests/$(am__dirstamp)
	$(AM_V_CC)$(CC) $(DEFS) -D_GNU_SOURCE $(OPENCL_CFLAGS) -DCL_TARGET_OPENCL_VERSION=200 -std=c11 -Wall -Wextra -Wshadow $(CFLAGS) -fPIC -shared -o $@ $(srcdir)/tests/fault.c -ldl
TOOL_TESTS += tests/t4620-ptycho-regular.t
TOOL_TESTS += tests/t4630-ptycho-list.t
TOOL_TESTS += tests/t4640-ptycho-modes.t
TOOL_TESTS += tests/t4650-ptycho-positions.t
check_PROGRAMS += tests/unit-ptycho-regular
tests_unit_ptycho_regular_SOURCES = tests/unit-ptycho-regular.c tests/ptycho_fixture.c tests/ptycho_fixture.h
# Fuzz targets, for `.ci/run fuzz` (tests/fuzz/run); driver.c makes a program of each without clang.
FUZZ_DRIVER = tests/fuzz/driver.c tests/fuzz/fuzz.h
EXTRA_DIST += tests/fuzz/seeds tests/fuzz/run tests/fuzz/words tests/fuzz/found/config/two-messages
check_PROGRAMS += tests/fuzz/fuzz_tiff
tests_fuzz_fuzz_tiff_SOURCES = tests/fuzz/fuzz_tiff.c $(FUZZ_DRIVER)
check_PROGRAMS += tests/fuzz/fuzz_csv
tests_fuzz_fuzz_csv_SOURCES = tests/fuzz/fuzz_csv.c $(FUZZ_DRIVER)
check_PROGRAMS += tests/fuzz/fuzz_ome
tests_fuzz_fuzz_ome_SOURCES = tests/fuzz/fuzz_ome.c $(FUZZ_DRIVER)
check_PROGRAMS += tests/fuzz/fuzz_config
tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz_config.c $(FUZZ_DRIVER)
check_PROGRAMS += tests/fuzz/fuzz_kplanes
tests_fuzz_fuzz_kplanes_SOURCES = tests/fuzz/fuzz_kplanes.c $(FUZZ_DRIVER) bin/kplanes_files.c bin/kplanes.h
# The same with libFuzzer, on request (tests/fuzz/run): with CC=clang, and only what readers consist of.
LIBFUZZER = tests/fuzz/libfuzzer.c tests/fuzz/fuzz.h \
	lib/base/array.c lib/base/die.c lib/base/mem.c lib/base/opt.c lib/base/optconfig.c lib/base/opthelp.c lib/base/optvalue.c lib/base/team.c \
	lib/io/csvio.c lib/io/digits.c lib/io/features.c lib/io/omeio.c lib/io/out.c lib/io/pngfont.c lib/io/pngio.c lib/io/provenance.c \
	lib/io/source.c lib/io/tifffile.c lib/io/tiffin.c lib/io/tiffmeta.c lib/io/tiffout.c lib/io/tiffpage.c \
	lib/math/random.c lib/batch/common.c
LIBFUZZER_LIBS = $(TIFF_LIBS) $(ZLIB_LIBS) $(ZSTD_LIBS) $(EXPAT_LIBS) $(PNG_LIBS) $(INIH_LIBS) $(CSV_LIBS) -lm -lpthread
EXTRA_PROGRAMS += tests/fuzz/libfuzzer_tiff
tests_fuzz_libfuzzer_tiff_SOURCES = tests/fuzz/fuzz_tiff.c $(LIBFUZZER)
tests_fuzz_libfuzzer_tiff_LDFLAGS = -fsanitize=fuzzer
tests_fuzz_libfuzzer_tiff_LDADD = $(LIBFUZZER_LIBS)
EXTRA_PROGRAMS += tests/fuzz/libfuzzer_csv
tests_fuzz_libfuzzer_csv_SOURCES = tests/fuzz/fuzz_csv.c $(LIBFUZZER)
tests_fuzz_libfuzzer_csv_LDFLAGS = -fsanitize=fuzzer
tests_fuzz_libfuzzer_csv_LDADD = $(LIBFUZZER_LIBS)
EXTRA_PROGRAMS += tests/fuzz/libfuzzer_ome
tests_fuzz_libfuzzer_ome_SOURCES = tests/fuzz/fuzz_ome.c $(LIBFUZZER)
tests_fuzz_libfuzzer_ome_LDFLAGS = -fsanitize=fuzzer
tests_fuzz_libfuzzer_ome_LDADD = $(LIBFUZZER_LIBS)
EXTRA_PROGRAMS += tests/fuzz/libfuzzer_config
tests_fuzz_libfuzzer_config_SOURCES = tests/fuzz/fuzz_config.c $(LIBFUZZER)
tests_fuzz_libfuzzer_config_LDFLAGS = -fsanitize=fuzzer
tests_fuzz_libfuzzer_config_LDADD = $(LIBFUZZER_LIBS)
EXTRA_PROGRAMS += tests/fuzz/libfuzzer_kplanes
tests_fuzz_libfuzzer_kplanes_SOURCES = tests/fuzz/fuzz_kplanes.c $(LIBFUZZER) bin/kplanes_files.c lib/kplanes/model.c lib/kplanes/modeltext.c
tests_fuzz_libfuzzer_kplanes_LDFLAGS = -fsanitize=fuzzer
tests_fuzz_libfuzzer_kplanes_LDADD = $(LIBFUZZER_LIBS)
TOOL_TESTS += tests/t0912-packaging.t
# what other programs read and write: `.ci/run concordance`
EXTRA_DIST += tests/concordance/run tests/concordance/tiff.py tests/concordance/tables.py tests/concordance/tables.R tests/concordance/columns
