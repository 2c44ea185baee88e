/* bin/ptychosim.h: what ptychosim.c and ptychosim_job.c share. */
#ifndef BIN_PTYCHOSIM_H
#define BIN_PTYCHOSIM_H

#include <stdbool.h>

#include "dev/dev.h"
#include "ptycho/geometry.h"
#include "ptycho/propagate.h"

extern struct ptychosim_options {
	const char *stem, *positions, *object, *probe, *orientation;
	bool dry_run, subpixel, disc, near_field;
	size_t frames, n, modes, dead, slices;
	double step, jitter, error, photons, mode_power;
	double background[2]; /* photons, width in px */
	double disc_value[3]; /* radius, curvature, edge */
	double focus; /* before the object, metres; INFINITY: parallel beam */
	double spacing, energy, wavelength, distance, detector_pixel, pixel; /* metres, keV */
	struct optics optics; /* with near_field */
	enum { SCAN_RASTER, SCAN_SPIRAL } scan;
	double beam_stop; /* px; 0: none */
	enum { NOISE_POISSON, NOISE_NONE } noise;
	enum { BEAM_CENTRE, BEAM_CORNER } dc;
	enum { TYPE_AUTO, TYPE_U16, TYPE_F32 } type;
	enum d4 turn;
	long seed;
} opts;

/* Simulates and writes, or with --dry-run says what would be.  0, or -1 after reporting. */
int ptychosim_run(struct dev *d);

#endif
