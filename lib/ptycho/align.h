/* lib/ptycho/align.h: one complex image moved onto another: what a reconstruction leaves open (lateral shift, linear phase ramp, one
 * complex factor) is found and taken away, so that two of them, or one and the truth, can be compared.
 *
 *	a'(y, x) = f r(y - shift[0], x - shift[1]), r(y, x) = a(y, x) exp(2 pi i (ramp[0] y + ramp[1] x))
 *
 * with the shift by the periodic Fourier theorem.  The peaks of padded correlations in turn give ramp and shift, a simplex (Nelder &
 * Mead 1965) refines the four numbers to 1e-3 px and 1e-3 cycles per image, f is the least squares factor.  Only the inner 3/4 of
 * each side counts, since the shift wraps around. */
#ifndef PTYCHO_ALIGN_H
#define PTYCHO_ALIGN_H

#include <complex.h>
#include <stddef.h>

#include "dev/dev.h"

struct align {
	double shift[2];	/* row, column; px that A is moved by */
	double ramp[2];		/* row, column; cycles per px that A is multiplied with */
	double factor[2];	/* re, im */
	double nrmse;		/* ||a' - b|| / ||b|| of the inner 3/4 */
};

/* a, b [h][w], finite, at least 8 pixels a side; moved [h][w] gets a' (may be a, or NULL).  Transforms by the device's FFT layer in
 * single precision, sums in double in fixed order: any number of threads gives the same bytes.  Blocks.  0, or -1 after reporting. */
int align(struct dev *d, size_t h, size_t w, const float complex *a, const float complex *b, float complex *moved,
	  struct align *result);

size_t align_bytes(size_t h, size_t w); /* on the device */

/* ||a - b|| / ||b|| of the inner 3/4, as they are. */
double align_distance(size_t h, size_t w, const float complex *a, const float complex *b);

/* NRMSE of an object [h][w] against the truth [truth_h][truth_w] after `align`, in the middle of the truth: n / 2 + margin pixels are
 * left out on every side, canvases are matched by their centres, NaN counts as 0.  0, or -1 after reporting. */
int align_compare(struct dev *d, size_t h, size_t w, const float complex *object, size_t truth_h, size_t truth_w,
		  const float complex *truth, size_t n, size_t margin, double *nrmse);

#endif
