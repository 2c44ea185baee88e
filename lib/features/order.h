/* lib/features/order.h: order statistics of many values, without sorting them. */
#ifndef FEATURES_ORDER_H
#define FEATURES_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where quantile q of n sorted values lies: between elements lo and hi, at lo (1 - f) + hi f. */
struct quantile {
	size_t lo, hi;
	double f;
};

/* pos = (n - 1) q; legacy: pos = n q, lo at most n - 1.  n > 0, 0 < q < 1. */
struct quantile quantile_at(size_t n, double q, bool legacy);

/* The quantile of v [n], which is permuted.  Expected time proportional to n. */
double quantile_select(double *v, size_t n, struct quantile q);

/* Values that are whole numbers: count [size] says how often low + i is among them.  The quantile; and that of |value - centre|. */
struct tally {
	const uint32_t *count;
	size_t size;
	double low;
};
double tally_quantile(const struct tally *t, struct quantile q);
double tally_deviation(const struct tally *t, double centre, struct quantile q);

#endif
