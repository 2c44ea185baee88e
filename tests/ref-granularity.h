/* tests/ref-granularity.h: granular spectra by the plain definition (spec sections 4.1 to 4.4), in
 * double, without any of the tool's code. Images are [nz][ny][nx]; n = { nz, ny, nx }. */
#ifndef TESTS_REF_GRANULARITY_H
#define TESTS_REF_GRANULARITY_H

#include <stddef.h>
#include <stdint.h>

/* Opening by {z^2 + y^2 + x^2 <= radius^2}, clipped; samples where valid (NULL: everywhere) is 0
 * count as 0 in both steps.  In place. */
void ref_opening(double *a, const size_t n[3], int radius, const uint8_t *valid);

/* r[k - 1] [length][n]: the reconstructions R_k of f; e_0 = f with invalid samples 0. */
void ref_reconstructions(const double *f, const uint8_t *valid, const size_t n[3], int length,
			 double *r);

/* Spectra [objects][length] of labels 1 ... objects and, first of all, of the image as a whole:
 * spectrum[0] is the image's.  factors s, b for z y x; volume: z is an axis. */
void ref_spectra(const double *p, const uint8_t *mask, const uint32_t *labels, size_t objects,
		 const size_t n[3], int volume, const double s[3], const double b[3], int radius,
		 int length, double *spectrum);

#endif
