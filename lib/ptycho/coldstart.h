/* lib/ptycho/coldstart.h: a start probe from the frames alone, with the phase of its far field searched (spec: cold start).
 *
 * The far field is the mean measured amplitude times exp(i (c (y^2 + x^2) + a (y^2 - x^2) + 2 b y x)), y and x in detector pixels from the
 * beam.  A wrong curvature is a wrong size of the probe, and few neighbouring frames tell it: each candidate is reconstructed by a short
 * `wasp` from frames in the middle of the scan, and R ranks them.
 *
 * With Q the radius that holds 95 % of the light, a curvature of pi / (2 Q) spreads the probe over the whole window, and one of
 * pi / Q^2 turns the rim by half a wave: that is the range, and the step, of the first round.  The best three go on with more frames between
 * and beside the steps; astigmatism a, b is tried last, and kept where R falls by 0.5 %. */
#ifndef PTYCHO_COLDSTART_H
#define PTYCHO_COLDSTART_H

#include <complex.h>

#include "ptycho/state.h"

struct coldstart_trial {
	int round;		/* 1 coarse, 2 fine, 3 astigmatism */
	double phase[3];	/* c, a, b, rad / px^2 */
	size_t frames;
	long iterations;
	double R;		/* NAN: not finite */
};
enum { COLDSTART_TRIALS = 160 };

/* f: prepared frames; pos [k](row, column) their positions, px; margin: free border of the canvas.  phase: the best; trial [n]: all that
 * was tried, in order.  o: subpixel, order and seed hold for the trials.  Blocks.  0, or -1 after reporting. */
int coldstart_search(struct dev *d, const struct ptycho_opts *o, const struct frames *f, const double (*pos)[2], double margin,
		     double phase[3], struct coldstart_trial *trial, size_t *n);

/* The probe of a phase, from the mean amplitude of all frames. */
int coldstart_probe(struct dev *d, const struct frames *f, const double phase[3], float complex *probe);

/* In the near field: the mean amplitude, back from the detector. */
int coldstart_near(struct dev *d, const struct frames *f, const struct optics *o, float complex *probe);

/* Mean over frames of sqrt(photons), [n][n] with the beam at (0,0); of a pixel over the frames where it is valid, 0 if there is none. */
void coldstart_mean_amplitude(const struct frames *f, float *mean_d);

#endif
