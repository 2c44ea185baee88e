#include "tilt/well.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct named {
	const char *name;
	size_t row;
};

static int by_name(const void *a, const void *b)
{
	const struct named *p = a, *q = b;
	int c = strcmp(p->name, q->name);

	return c != 0 ? c : (p->row > q->row) - (p->row < q->row);
}

void well_group(const char *const *name, size_t n, size_t *group)
{
	struct named *list = mem_new(n, sizeof *list);
	size_t first = 0;

	for (size_t i = 0; i < n; i++)
		list[i] = (struct named){ name[i], i };
	qsort(list, n, sizeof *list, by_name);
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || strcmp(list[i].name, list[i - 1].name) != 0)
			first = list[i].row;
		group[list[i].row] = first;
	}
	free(list);
}

struct range {
	double y0, y1, x0, x1, top;
};

/* Kept at the group's first row. */
static void widen(struct range *r, bool first, double y, double x)
{
	if (first)
		*r = (struct range){ y, y, x, x, 0 };
	r->y0 = fmin(r->y0, y);
	r->y1 = fmax(r->y1, y);
	r->x0 = fmin(r->x0, x);
	r->x1 = fmax(r->x1, x);
}

void well_radii(const double *y, const double *x, const size_t *group, size_t n, double *u,
		double *azimuth)
{
	struct range *range = mem_new(n, sizeof *range);

	for (size_t i = 0; i < n; i++) {
		size_t g = group ? group[i] : 0;

		widen(&range[g], i == g, y[i], x[i]);
	}
	for (size_t i = 0; i < n; i++) {
		struct range *r = &range[group ? group[i] : 0];
		double dy = y[i] - (r->y0 + r->y1) / 2, dx = x[i] - (r->x0 + r->x1) / 2;

		u[i] = hypot(dy, dx);
		azimuth[i] = atan2(dy, dx);
		r->top = fmax(r->top, u[i]);
	}
	for (size_t i = 0; i < n; i++) {
		double top = range[group ? group[i] : 0].top;

		u[i] = top > 0 ? u[i] / top : 0;
	}
	free(range);
}

struct well_rule well_rule(const struct well_recipe *r, double u, int iters, double zenith)
{
	struct well_rule rule = { r->meniscus && u > r->threshold, iters, zenith };

	if (rule.full) {
		rule.iters = r->scale_iters ? r->iters_hi : iters;
		return rule;
	}
	if (r->scale_iters)
		rule.iters = (int)floor(r->iters_lo + (r->iters_hi - r->iters_lo) * u + 0.5);
	if (r->zen_blend)
		rule.zenith *= fmin(fmax(u, 0), 1);
	return rule;
}

struct turn {
	size_t position, place, row;
	double time;
};

static int by_time(const void *a, const void *b)
{
	const struct turn *p = a, *q = b;

	if (p->position != q->position)
		return p->position < q->position ? -1 : 1;
	if (p->time != q->time)
		return p->time < q->time ? -1 : 1;
	return (p->place > q->place) - (p->place < q->place);
}

static int by_place(const void *a, const void *b)
{
	const struct turn *p = a, *q = b;

	if (p->position != q->position)
		return p->position < q->position ? -1 : 1;
	return (p->place > q->place) - (p->place < q->place);
}

void well_order(const size_t *position, const double *time, size_t *order, size_t n)
{
	struct turn *sorted = mem_new(n, sizeof *sorted), *places = mem_new(n, sizeof *places);

	for (size_t i = 0; i < n; i++)
		places[i] = sorted[i] =
			(struct turn){ position[order[i]], i, order[i], time[order[i]] };
	qsort(sorted, n, sizeof *sorted, by_time);
	qsort(places, n, sizeof *places, by_place); /* position by position, like sorted */
	for (size_t i = 0; i < n; i++)
		order[places[i].place] = sorted[i].row;
	free(places);
	free(sorted);
}

void well_cached(const size_t *position, const bool *full, size_t rows, const size_t *order,
		 size_t n, bool *cached)
{
	bool *there = mem_new(rows, sizeof *there);

	for (size_t i = 0; i < rows; i++)
		cached[i] = false;
	for (size_t i = 0; i < n; i++) {
		size_t row = order[i];

		if (full[row])
			continue;
		cached[row] = there[position[row]];
		there[position[row]] = true;
	}
	free(there);
}

uint64_t well_hash(const char *text)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return h;
}
