/* lib/features/pixels.h: an image in its file's type, met as double. */
#ifndef FEATURES_PIXELS_H
#define FEATURES_PIXELS_H

#include <stdint.h>

#include "base/array.h"

/* One image (or volume): data [nz][ny][nx] of type, not owned.  mask: [nz][ny][nx] bytes, 0 is
 * invalid; NULL: all are valid. */
struct pixels {
	enum dtype type;
	const void *data;
	const uint8_t *mask;
	size_t nz, ny, nx;
	double divisor; /* samples are divided by it: 1, 255, 65535 ... */
};

/* n samples from position `at` on (raster order), as they are: not divided. */
void pixels_raw(const struct pixels *p, size_t at, size_t n, double *to);

/* The same, each divided by the divisor. */
void pixels_scaled(const struct pixels *p, size_t at, size_t n, double *to);

/* Largest value of an integer type, by which --scale dtype divides; 1 for floating point. */
double pixels_largest(enum dtype type);

#endif
