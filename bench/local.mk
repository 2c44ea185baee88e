# bench/
EXTRA_PROGRAMS += bench/fft
bench_fft_SOURCES = bench/fft.c
bench_fft_LDADD = -lfftw3f_threads $(LDADD)
EXTRA_DIST += bench/tilt bench/tilt-peer.py
EXTRA_DIST += bench/tilt-recovery bench/RESULTS.md
EXTRA_PROGRAMS += bench/kplanes_time
bench_kplanes_time_SOURCES = bench/kplanes_time.c
EXTRA_DIST += bench/kplanes bench/kplanes-peer.py bench/tv-peers
EXTRA_PROGRAMS += bench/tv
bench_tv_SOURCES = bench/tv.c
EXTRA_DIST += bench/features
EXTRA_DIST += bench/ptycho
EXTRA_DIST += bench/scaling bench/SCALING.md bench/scaling.csv bench/scaling.svg
EXTRA_DIST += bench/profiles
