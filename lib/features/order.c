#include "features/order.h"

#include <math.h>
#include <string.h>

struct quantile quantile_at(size_t n, double q, bool legacy)
{
	double pos = legacy ? (double)n * q : (double)(n - 1) * q;
	size_t lo = (size_t)pos;

	if (lo > n - 1)
		lo = n - 1;
	return (struct quantile){ lo, lo + 1 < n ? lo + 1 : n - 1, pos - (double)lo };
}

static double between(struct quantile q, double lo, double hi)
{
	return lo * (1 - q.f) + hi * q.f;
}

static void swap(double *a, double *b)
{
	double t = *a;

	*a = *b;
	*b = t;
}

static double middle_of(double a, double b, double c)
{
	return a < b ? (b < c ? b : a < c ? c : a) : (a < c ? a : b < c ? c : b);
}

/* Puts the k-th smallest to v[k], none greater before it and none smaller behind (Hoare's selection).  The pivot is the middle of
 * nine values spread evenly: no common order of pixels is bad for it. */
static void select_kth(double *v, size_t n, size_t k)
{
	size_t a = 0, b = n - 1;

	while (b > a) {
		size_t s = (b - a) / 8, i = a, j = b;
		double p = middle_of(middle_of(v[a], v[a + s], v[a + 2 * s]), middle_of(v[a + 3 * s], v[a + 4 * s], v[a + 5 * s]),
				     middle_of(v[a + 6 * s], v[a + 7 * s], v[b]));

		for (;;) {
			while (v[i] < p)
				i++;
			while (v[j] > p)
				j--;
			if (i >= j)
				break;
			swap(&v[i++], &v[j--]);
		}
		/* v[a..j] <= p <= v[j+1..b], unless i == j where v[i] == p */
		if (i == j && k == i)
			return;
		if (k <= j)
			b = i == j ? j - 1 : j;
		else
			a = j + 1;
	}
}

double quantile_select(double *v, size_t n, struct quantile q)
{
	double next;

	select_kth(v, n, q.lo);
	next = v[q.lo];
	if (q.hi > q.lo && q.f != 0) {
		next = v[q.hi];
		for (size_t i = q.hi; i < n; i++)
			next = v[i] < next ? v[i] : next;
	}
	return between(q, v[q.lo], next);
}

enum { BLOCK = 64 };	/* counts that are passed at once */

static size_t block_sum(const uint32_t *count)
{
	typedef uint32_t four __attribute__((vector_size(16)));
	four sum = { 0 }, next;

	for (int i = 0; i < BLOCK; i += 4) {
		memcpy(&next, count + i, sizeof next);
		sum += next;
	}
	return (size_t)sum[0] + sum[1] + sum[2] + sum[3];
}

/* The first value with more than k of the others up to it, from i on, *seen being before i. */
static size_t pass(const struct tally *t, size_t k, size_t i, size_t *seen)
{
	size_t more;

	while (i + BLOCK <= t->size && *seen + (more = block_sum(t->count + i)) <= k) {
		*seen += more;
		i += BLOCK;
	}
	while (*seen + t->count[i] <= k)
		*seen += t->count[i++];
	return i;
}

double tally_quantile(const struct tally *t, struct quantile q)
{
	size_t seen = 0, lo = pass(t, q.lo, 0, &seen), hi = pass(t, q.hi, lo, &seen);

	return between(q, t->low + (double)lo, t->low + (double)hi);
}

double tally_deviation(const struct tally *t, double centre, struct quantile q)
{
	/* outwards from the centre, the nearer side first */
	size_t up = (size_t)ceil(fmax(centre - t->low, 0)), down = up, seen = 0, more;
	double lo = NAN, d = 0;

	/* while both sides go on, they take turns: a block of each */
	while (up + BLOCK <= t->size && down >= BLOCK &&
	       seen + (more = block_sum(t->count + up) + block_sum(t->count + down - BLOCK)) <= q.lo) {
		seen += more;
		up += BLOCK;
		down -= BLOCK;
	}
	while (down == 0 && up + BLOCK <= t->size && seen + (more = block_sum(t->count + up)) <= q.lo) {
		seen += more;
		up += BLOCK;
	}
	while (seen <= q.hi) {
		bool any_up = up < t->size, any_down = down > 0;
		double above = t->low + (double)up - centre, below = centre - (t->low + (double)down - 1);

		if (any_up && (!any_down || above <= below)) {
			d = above;
			seen += t->count[up++];
		} else {
			d = below;
			seen += t->count[--down];
		}
		if (seen > q.lo && isnan(lo))
			lo = d;
	}
	return between(q, lo, d);
}
