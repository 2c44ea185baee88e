/* lib/tilt/contrast.h: from counts to contrast, b = I / mean - 1 per plane (spec section 3.3), on the host. */
#ifndef TILT_CONTRAST_H
#define TILT_CONTRAST_H

#include <stdbool.h>
#include <stddef.h>

#include "tilt/tiles.h"

struct contrast {
	size_t pad;		/* reflected border around the tile, edge sample not repeated; < tile */
	size_t flatten;		/* side of the running mean divided out first; 0: none */
	double taper;		/* Tukey fraction multiplied after normalising; 0: none */
	bool clamp_mean;	/* the peer's: a mean <= 0 counts as 1e-12 instead of being refused */
};

/* One plane of one tile: src is the field's plane [.][stride] float32; out [h + 2 pad][w + 2 pad] float32, the mean
 * in double.  Returns 0; -1 (silently) if the mean is <= 0 or not finite. */
int contrast_plane(const struct contrast *c, const struct tile_box *box, const float *src, size_t stride, float *out);

/* out [h + 2 pad][w + 2 pad] = the tile with its reflected border */
void contrast_pad(const struct tile_box *box, size_t pad, const float *src, size_t stride, float *out);

/* Tukey taper of length n: ramps of frac n / 2 samples, 1/2 - 1/2 cos(pi t / r) at t = min(i + 1/2, n - i - 1/2) < r,
 * else 1. */
void contrast_taper(size_t n, double frac, float *w);

#endif
