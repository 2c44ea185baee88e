/* lib/math/sum.h: sums of arrays on the device, with the same bytes for any work-group size and number of threads.
 *
 * Each lane carries two floats, value and rounding error (Dekker 1971, Knuth 4.2.2), and the lanes are added in double: the error is
 * some n^2 / 64^2 2^-48 of the sum of the magnitudes in the worst case, 1e-12 of it in practice. */
#ifndef MATH_SUM_H
#define MATH_SUM_H

#include <stddef.h>

#include "dev/dev.h"

enum sum_of { SUM_VALUES, SUM_SQUARES };

/* out[t] = the sum over i < n of x[offset + t dist + i] (or of its square), t < items; x float32.  n = 0 gives 0; a NaN or Inf makes
 * that sum NaN.  Blocks.  0, or -1 after reporting. */
int sum_f32(struct dev *d, struct buf *x, size_t offset, size_t n, size_t dist, size_t items, enum sum_of what, double *out);

#endif
