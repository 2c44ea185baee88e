/* lib/ptycho/ramp.h: the phase that a reconstruction leaves open: the plane k_y y + k_x x that
 * maximises |sum W O exp(-i(k_y y + k_x x))|, and then the constant that makes the sum real and
 * positive.  The peak of the transform of W O, refined by parabolas through the sum itself. */
#ifndef PTYCHO_RAMP_H
#define PTYCHO_RAMP_H

#include <complex.h>
#include <stddef.h>

#include "dev/dev.h"

/* object [h][w], finite, is freed of it in place; weight [h][w] >= 0; k (may be NULL) gets k_y, k_x
 * in radians per pixel.  Transforms on the device, sums in double, rows in order.  Blocks.  0, or
 * -1 after reporting. */
int ramp_remove(struct dev *d, size_t h, size_t w, float complex *object, const float *weight,
		double k[2]);

#endif
