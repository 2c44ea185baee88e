#include "features/spread.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"

void valid_run(const struct pixels *p, size_t at, size_t n, uint8_t *row)
{
	if (p->mask)
		for (size_t x = 0; x < n; x++)
			row[x] = p->mask[at + x] != 0;
	else
		memset(row, 1, n);
	if (p->type == DT_F32)
		for (size_t x = 0; x < n; x++)
			row[x] &= isfinite(((const float *)p->data)[at + x]) != 0;
	if (p->type == DT_F64)
		for (size_t x = 0; x < n; x++)
			row[x] &= isfinite(((const double *)p->data)[at + x]) != 0;
}

/* Coarse samples around an object, weights as they gather. */
struct box {
	size_t low[3], n[3];
	double *weight; /* [n[0]][n[1]][n[2]] */
	double *row;	/* [n[2]], of one run */
	size_t room;
};

/* Samples around the pixels low ... high - 1; returns their number. */
static size_t box_set(struct box *b, const uint32_t from[3], const uint32_t end[3],
		      const struct taps t[3])
{
	size_t n = 1;

	for (int a = 0; a < 3; a++) {
		size_t low = t[a].size, high = 0;

		for (size_t i = from[a]; i < end[a]; i++) {
			low = t[a].lo[i] < low ? t[a].lo[i] : low;
			high = t[a].lo[i] > high ? t[a].lo[i] : high;
		}
		high += high + 1 < t[a].size;
		b->low[a] = low;
		b->n[a] = high - low + 1;
		n *= b->n[a];
	}
	return n;
}

static void box_empty(struct box *b)
{
	size_t n = b->n[0] * b->n[1] * b->n[2];

	if (n + b->n[2] > b->room) {
		b->room = n + b->n[2];
		b->weight = mem_grow(b->weight, b->room, sizeof *b->weight);
	}
	b->row = b->weight + n;
	memset(b->weight, 0, n * sizeof *b->weight);
}

/* The pixels of one run, on the coarse samples of their row. */
static void row_of_run(struct box *b, const struct run *r, const struct taps *t,
		       const uint8_t *valid)
{
	memset(b->row, 0, b->n[2] * sizeof *b->row);
	for (size_t x = r->x0; x < r->x1; x++) {
		size_t at = t->lo[x] - b->low[2];

		if ((valid && !valid[x - r->x0]) || !t->inside[x])
			continue;
		b->row[at] += 1 - t->w[x];
		if (t->w[x] != 0)
			b->row[at + 1] += t->w[x];
	}
}

static void add_run(struct box *b, const struct run *r, const struct taps t[3])
{
	if (!t[0].inside[r->z] || !t[1].inside[r->y])
		return;
	for (int k = 0; k < 4; k++) {
		double wz = k & 2 ? t[0].w[r->z] : 1 - t[0].w[r->z],
		       wy = k & 1 ? t[1].w[r->y] : 1 - t[1].w[r->y], w = wz * wy;
		size_t z = t[0].lo[r->z] - b->low[0] + (k >> 1),
		       y = t[1].lo[r->y] - b->low[1] + (k & 1);

		if (w == 0)
			continue;
		for (size_t x = 0; x < b->n[2]; x++)
			b->weight[(z * b->n[1] + y) * b->n[2] + x] += w * b->row[x];
	}
}

/* Appends the samples of the box that have weight; *n counts. */
static int keep_box(struct spread *s, const struct box *b, const struct ranks *r, size_t *n,
		    size_t *room)
{
	size_t most = b->n[0] * b->n[1] * b->n[2];
	const double *w = b->weight;

	if (*n + most > *room) {
		size_t want = *n + most + *room / 2;
		uint32_t *position = realloc(s->position, want * sizeof *position);
		double *weight = realloc(s->weight, want * sizeof *weight);

		s->position = position ? position : s->position;
		s->weight = weight ? weight : s->weight;
		if (!position || !weight)
			return error("objects: cannot allocate %zu samples", want);
		*room = want;
	}
	for (size_t z = 0; z < b->n[0]; z++)
		for (size_t y = 0; y < b->n[1]; y++)
			for (size_t x = 0; x < b->n[2]; x++, w++)
				if (*w != 0) {
					s->position[*n] = (uint32_t)ranks_position(
						r, b->low[0] + z, b->low[1] + y, b->low[2] + x);
					s->weight[(*n)++] = *w;
				}
	return 0;
}

int spread_init(struct spread *s, const struct objects *o, const struct pixels *p,
		const struct taps t[3], const struct ranks *r)
{
	bool all = !p->mask && p->type != DT_F32 && p->type != DT_F64;
	uint8_t *valid = all ? NULL : mem_try("objects", p->nx, 1);
	struct box b = { .room = 0 };
	size_t n = 0, room = 0;
	int rc = -1;

	*s = (struct spread){ .first = mem_new(o->n + 1, sizeof *s->first) };
	if (!all && !valid)
		goto done;
	for (; s->n < o->n; s->first[++s->n] = n) {
		const struct object *ob = &o->object[s->n];
		bool apart = box_set(&b, ob->low, ob->high, t) >
			     16 * ob->pixels + 256; /* then a box for each run */

		if (!apart)
			box_empty(&b);
		for (size_t k = ob->first; k < ob->first + ob->count; k++) {
			const struct run *run = &o->run[k];

			if (apart) {
				box_set(&b, (uint32_t[]){ run->z, run->y, run->x0 },
					(uint32_t[]){ run->z + 1, run->y + 1, run->x1 }, t);
				box_empty(&b);
			}
			if (valid)
				valid_run(p, (run->z * p->ny + run->y) * p->nx + run->x0,
					  run->x1 - run->x0, valid);
			row_of_run(&b, run, &t[2], valid);
			add_run(&b, run, t);
			if (apart && keep_box(s, &b, r, &n, &room) != 0)
				goto done;
		}
		if (!apart && keep_box(s, &b, r, &n, &room) != 0)
			goto done;
	}
	rc = 0;
done:
	free(b.weight);
	free(valid);
	return rc;
}

void spread_clear(struct spread *s)
{
	free(s->first);
	free(s->position);
	free(s->weight);
	*s = (struct spread){ 0 };
}
