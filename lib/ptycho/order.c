#include "ptycho/order.h"

#include <stdlib.h>

#include "base/mem.h"
#include "math/random.h"

struct keyed {
	uint64_t key;
	size_t frame;
};

static int by_key(const void *a, const void *b)
{
	const struct keyed *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return (x->frame > y->frame) - (x->frame < y->frame);
}

void order_frames(size_t k, bool random, uint64_t seed, uint64_t epoch, size_t *order)
{
	struct keyed *t;

	for (size_t i = 0; i < k; i++)
		order[i] = i;
	if (!random)
		return;
	t = mem_new(k + 1, sizeof *t);
	for (size_t i = 0; i < k; i++)
		t[i] = (struct keyed){ rng_key(seed, epoch, i), i };
	qsort(t, k, sizeof *t, by_key);
	for (size_t i = 0; i < k; i++)
		order[i] = t[i].frame;
	free(t);
}

struct placed {
	double at;
	size_t frame;
};

static int by_place(const void *a, const void *b)
{
	const struct placed *x = a, *y = b;

	if (x->at < y->at || x->at > y->at)
		return x->at < y->at ? -1 : 1;
	return (x->frame > y->frame) - (x->frame < y->frame);
}

void order_by_row(const double (*s)[2], size_t n, size_t *frame)
{
	struct placed *t = mem_new(n + 1, sizeof *t);

	for (size_t i = 0; i < n; i++)
		t[i] = (struct placed){ s[frame[i]][0], frame[i] };
	qsort(t, n, sizeof *t, by_place);
	for (size_t i = 0; i < n; i++)
		frame[i] = t[i].frame;
	free(t);
}

static int by_frame(const void *a, const void *b)
{
	size_t x = *(const size_t *)a, y = *(const size_t *)b;

	return (x > y) - (x < y);
}

static double extent(const double (*s)[2], const size_t *frame, size_t n, int axis)
{
	double lo = s[frame[0]][axis], hi = lo;

	for (size_t i = 1; i < n; i++) {
		double v = s[frame[i]][axis];

		lo = v < lo ? v : lo;
		hi = v > hi ? v : hi;
	}
	return hi - lo;
}

/* frame[n] into `groups` groups; each group's size goes to the next of size[]. */
static size_t *bisect(const double (*s)[2], size_t *frame, size_t n, size_t groups,
		      struct placed *scratch, size_t *size)
{
	int axis;
	size_t first;

	if (groups == 1) {
		qsort(frame, n, sizeof *frame, by_frame);
		*size = n;
		return size + 1;
	}
	axis = extent(s, frame, n, 0) >= extent(s, frame, n, 1) ? 0 : 1;
	for (size_t i = 0; i < n; i++)
		scratch[i] = (struct placed){ s[frame[i]][axis], frame[i] };
	qsort(scratch, n, sizeof *scratch, by_place);
	for (size_t i = 0; i < n; i++)
		frame[i] = scratch[i].frame;
	first = n * (groups / 2) / groups;
	size = bisect(s, frame, first, groups / 2, scratch, size);
	return bisect(s, frame + first, n - first, groups - groups / 2, scratch, size);
}

size_t order_compact(const double (*s)[2], size_t k, size_t size, size_t *member, size_t *start)
{
	size_t groups = k / size + (k % size != 0), at = 0;
	struct placed *scratch = mem_new(k + 1, sizeof *scratch);

	for (size_t i = 0; i < k; i++)
		member[i] = i;
	if (groups)
		bisect(s, member, k, groups, scratch, start);
	for (size_t g = 0; g < groups; g++) {
		size_t n = start[g];

		start[g] = at;
		at += n;
	}
	start[groups] = at;
	free(scratch);
	return groups;
}

/* ---- the middle of a scan */

struct distance {
	double square;
	size_t frame;
};

static int nearer(const void *a, const void *b)
{
	const struct distance *p = a, *q = b;

	if (p->square != q->square)
		return p->square < q->square ? -1 : 1;
	return p->frame < q->frame ? -1 : p->frame > q->frame;
}

void order_nearest(const double (*pos)[2], size_t k, size_t want, size_t *frame)
{
	struct distance *all = mem_new(k, sizeof *all);
	double mean[2] = { 0, 0 };

	for (size_t i = 0; i < k; i++)
		for (int a = 0; a < 2; a++)
			mean[a] += pos[i][a] / (double)k;
	for (size_t i = 0; i < k; i++) {
		double dy = pos[i][0] - mean[0], dx = pos[i][1] - mean[1];

		all[i] = (struct distance){ dy * dy + dx * dx, i };
	}
	qsort(all, k, sizeof *all, nearer);
	for (size_t i = 0; i < want; i++)
		frame[i] = all[i].frame;
	qsort(frame, want, sizeof *frame, by_frame);
	free(all);
}
