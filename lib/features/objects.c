#include "features/objects.h"

#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"

/* Runs as they are found, with their labels beside them. */
struct found {
	struct run *run;
	uint32_t *label;
	size_t n, room;
	uint32_t largest;
};

static void add_run(struct found *f, uint32_t label, size_t z, size_t y, size_t x0, size_t x1)
{
	if (f->n == f->room) {
		f->room = 2 * f->room + 1024;
		f->run = mem_grow(f->run, f->room, sizeof *f->run);
		f->label = mem_grow(f->label, f->room, sizeof *f->label);
	}
	f->run[f->n] = (struct run){ (uint32_t)z, (uint32_t)y, (uint32_t)x0, (uint32_t)x1 };
	f->label[f->n++] = label;
	if (label > f->largest)
		f->largest = label;
}

/* eight bytes of one value at a time */
#define SCAN(name, type)                                                                           \
	static void name(struct found *f, const type *p, size_t z, size_t y, size_t n)             \
	{                                                                                          \
		const size_t step = sizeof(uint64_t) / sizeof *p;                                  \
                                                                                                   \
		for (size_t x = 0; x < n;) {                                                       \
			size_t start = x;                                                          \
			type v = p[x++];                                                           \
			uint64_t word, same = v * (UINT64_MAX / (type)~(type)0);                   \
                                                                                                   \
			while (x + step <= n && (memcpy(&word, p + x, sizeof word), word == same)) \
				x += step;                                                         \
			while (x < n && p[x] == v)                                                 \
				x++;                                                               \
			if (v)                                                                     \
				add_run(f, (uint32_t)v, z, y, start, x);                           \
		}                                                                                  \
	}
SCAN(scan_u8, uint8_t)
SCAN(scan_u16, uint16_t)
SCAN(scan_u32, uint32_t)

static int scan(struct found *f, const char *what, const struct array *a, size_t first,
		size_t pages)
{
	size_t row = 0, bytes = dtype_size(a->type) * a->nx;

	for (size_t z = 0; z < pages; z++) {
		for (size_t y = 0; y < a->ny; y++) {
			const void *p = (const char *)a->data + ((first + z) * a->ny + y) * bytes;

			if (a->type == DT_U8)
				scan_u8(f, p, z, y, a->nx);
			else if (a->type == DT_U16)
				scan_u16(f, p, z, y, a->nx);
			else
				scan_u32(f, p, z, y, a->nx);
		}
		for (; row < f->n && f->largest > OBJECTS_MAX_LABEL; row++)
			if (f->label[row] > OBJECTS_MAX_LABEL && a->type == DT_I32)
				return error("'%s': page %zu: label %d, expected none below 0",
					     what, first + z + 1, (int)f->label[row]);
			else if (f->label[row] > OBJECTS_MAX_LABEL)
				return error("'%s': page %zu: label %u, expected at most %d", what,
					     first + z + 1, f->label[row], OBJECTS_MAX_LABEL);
		row = f->n;
	}
	return 0;
}

/* Order of the runs by label, raster order within one: least significant digit first. */
static uint32_t *order_by_label(const struct found *f)
{
	uint32_t *from = mem_new(f->n, sizeof *from), *to = mem_new(f->n, sizeof *to), *swap;

	for (size_t i = 0; i < f->n; i++)
		from[i] = (uint32_t)i;
	for (int shift = 0; shift < 32 && f->largest >> shift > 0; shift += 8) {
		size_t start[257] = { 0 };

		for (size_t i = 0; i < f->n; i++)
			start[(f->label[i] >> shift & 255) + 1]++;
		for (int d = 0; d < 256; d++)
			start[d + 1] += start[d];
		for (size_t i = 0; i < f->n; i++)
			to[start[f->label[from[i]] >> shift & 255]++] = from[i];
		swap = from;
		from = to;
		to = swap;
	}
	free(to);
	return from;
}

static void object_add(struct object *o, const struct run *r)
{
	const uint32_t low[3] = { r->z, r->y, r->x0 }, high[3] = { r->z + 1, r->y + 1, r->x1 };

	for (int a = 0; a < 3; a++) {
		if (o->count == 0 || low[a] < o->low[a])
			o->low[a] = low[a];
		if (o->count == 0 || high[a] > o->high[a])
			o->high[a] = high[a];
	}
	o->pixels += r->x1 - r->x0;
	o->count++;
}

int objects_find(struct objects *o, const char *what, const struct array *labels, size_t first,
		 size_t pages)
{
	struct found f = { 0 };
	uint32_t *order = NULL;
	int rc = -1;

	*o = (struct objects){ .nz = pages, .ny = labels->ny, .nx = labels->nx };
	if (labels->type != DT_U8 && labels->type != DT_U16 && labels->type != DT_U32 &&
	    labels->type != DT_I32)
		return error("'%s': page %zu: labels of type %s, expected u8, u16, u32 or i32",
			     what, first + 1, dtype_name(labels->type));
	if (scan(&f, what, labels, first, pages) != 0)
		goto done;
	if (f.n > UINT32_MAX) {
		error("'%s': %zu runs of labels, expected fewer than 2^32", what, f.n);
		goto done;
	}
	order = order_by_label(&f);
	o->runs = f.n;
	o->run = mem_new(f.n, sizeof *o->run);
	for (size_t i = 0; i < f.n; i++)
		o->n += i == 0 || f.label[order[i]] != f.label[order[i - 1]];
	o->object = mem_new(o->n, sizeof *o->object);
	for (size_t i = 0, k = 0; i < f.n; i++) {
		if (i > 0 && f.label[order[i]] != f.label[order[i - 1]])
			k++;
		if (o->object[k].count == 0) {
			o->object[k].label = f.label[order[i]];
			o->object[k].first = i;
		}
		o->run[i] = f.run[order[i]];
		object_add(&o->object[k], &o->run[i]);
	}
	rc = 0;
done:
	free(f.run);
	free(f.label);
	free(order);
	return rc;
}

void objects_clear(struct objects *o)
{
	free(o->object);
	free(o->run);
	*o = (struct objects){ 0 };
}

void objects_keep(struct objects *o, const struct label_range *range, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < o->n; i++) {
		bool keep = false;

		for (size_t r = 0; r < n && !keep; r++)
			keep = o->object[i].label >= range[r].lo &&
			       o->object[i].label <= range[r].hi;
		if (keep)
			o->object[kept++] = o->object[i];
	}
	o->n = kept;
}
