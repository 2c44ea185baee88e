# tests/
EXTRA_DIST += tests/tap.h
check_PROGRAMS += tests/unit-optim
tests_unit_optim_SOURCES = tests/unit-optim.c
