/* tests/ref-tv.h: total variation in double, plain C, and the kernels on the same volume. */
#ifndef TESTS_REF_TV_H
#define TESTS_REF_TV_H

#include <stddef.h>

#include "tv/loss.h"

struct volume {
	size_t nz, ny, nx;
	double *v;
};

/* Numbers of -1 to 1, times scale; the caller frees v. */
struct volume tv_volume(size_t nz, size_t ny, size_t nx, double scale);
double tv_noise(unsigned *seed);

/* The loss, factor f before each axis (iso: f[0] before all), and its gradient g by adding each
 * difference to its two ends. */
double tv_reference(const struct volume *a, const struct tv_opts *o, const double f[3], double *g);
/* The kernels' loss and gradient with the same factors. */
double tv_kernels(struct dev *d, const struct volume *a, const struct tv_opts *o, const double f[3],
		  float *g);

#endif
