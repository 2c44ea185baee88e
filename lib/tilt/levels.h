/* lib/tilt/levels.h: one constant per tile that makes neighbouring tiles agree where they overlap (spec section 6).  The mean
 * of a phase image is not measured, so tiles of one field differ by constants and a blended field shows seams. */
#ifndef TILT_LEVELS_H
#define TILT_LEVELS_H

#include "tilt/tiles.h"

/* offset[plan->count] = argmin of sum over pairs and their overlap of w_i w_j (v_i + o_i - v_j - o_j)^2 with the blend weights
 * w, the sum of o over each set of tiles that hang together being 0; a tile that touches no other has 0.  image[i]
 * [nz][h][w] float32 is tile i.  Conjugate gradients in double to 1e-10 of the right side.  The same numbers for every
 * number of threads. */
void tile_levels(const struct tile_plan *plan, enum blend kind, double frac, const float *const *image, size_t nz,
		 double *offset);

#endif
