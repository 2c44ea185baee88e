/* tests/ref-inside.h: what the files of ref-tilt share among themselves. */
#ifndef TESTS_REF_INSIDE_H
#define TESTS_REF_INSIDE_H

#include <complex.h>
#include <stdbool.h>
#include <stddef.h>

#include "tilt/optics.h"

typedef double complex cplx;

static inline double square(cplx v)
{
	return creal(v) * creal(v) + cimag(v) * cimag(v);
}

/* The 2 x 2 system of one bin. */
struct normal {
	double a, d, det;
	cplx c;
};
struct normal ref_normal(size_t nz, size_t n, size_t i, const cplx *ha, const cplx *hp, double reg);

void ref_fft_slow(cplx *a, size_t nz, size_t n, int sign);		/* along z of [nz][n] */
double ref_freq(size_t k, size_t n);					/* the bin that k of n stands for */
size_t ref_lag(size_t k, size_t n, size_t m, bool peer);		/* where, on an axis of m, bin k of n lies */
void ref_z_list(const struct optics *o, size_t nz, double offset, double *z);
cplx *ref_spectra(const double *stack, size_t nz, size_t h, size_t w, size_t pad, double taper);	/* of the contrast */
void ref_crop(const cplx *x, size_t pad, size_t h, size_t w, double *out);

#endif
