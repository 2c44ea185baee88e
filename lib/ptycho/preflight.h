/* lib/ptycho/preflight.h: what is worth knowing of a scan before hours are spent on it (spec:
 * inputs), and what looks wrong. */
#ifndef PTYCHO_PREFLIGHT_H
#define PTYCHO_PREFLIGHT_H

#include <complex.h>
#include <stdbool.h>

#include "ptycho/frames.h"

struct preflight {
	size_t frames, n, canvas[2];
	double pixel_m;	 /* of the object; 0: not known */
	double range[2]; /* of the positions, px, row and column */
	double step;	 /* median distance to the nearest neighbour, px; 0: one position */
	double diameter; /* of the probe's 90 % of power, px; NAN: not known */
	double overlap;	 /* 1 - step / diameter, or NAN */
	bool raster;
	bool near_field;
	enum dc_layout dc;
	double dc_ratio, masked_share;
	double photons[3]; /* per frame: least, mean, most */
};

/* s [f->k] windows; probe [modes][n][n], NULL: not known yet. */
struct preflight preflight_of(const struct frames *f, const double (*s)[2], const size_t canvas[2],
			      double pixel_m, size_t modes, const float complex *probe);

/* The figures with info, beginning with `path`; then, with warning, what looks wrong. */
void preflight_say(const char *path, const struct preflight *p);

#endif
