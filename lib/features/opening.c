#include "features/opening.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/team.h"

#pragma GCC optimize("O3") /* loops of minima, which -O2 does not vectorise */

/* The disk as rows (dz, dy), ordered by their half width w: row[first[w]] ... row[first[w + 1] -
 * 1]. */
struct disk {
	int radius, planes; /* planes: radius along z, 0 in 2-D */
	size_t *first;	    /* [radius + 2] */
	int (*row)[2];
};

/* Half width of row (dz, dy), -1 if it is outside. */
static int half_width(int radius, int z, int y)
{
	int rest = radius * radius - z * z - y * y, w = (int)sqrt(rest < 0 ? 0 : rest);

	if (rest < 0)
		return -1;
	while (w * w > rest)
		w--;
	while ((w + 1) * (w + 1) <= rest)
		w++;
	return w;
}

static void disk_init(struct disk *d, int radius, bool flat)
{
	int side = 2 * radius + 1;
	size_t n = 0;

	*d = (struct disk){ .radius = radius, .planes = flat ? 0 : radius };
	d->first = mem_new((size_t)radius + 2, sizeof *d->first);
	d->row = mem_new((size_t)side * (flat ? 1 : (size_t)side), sizeof *d->row);
	for (int z = -d->planes; z <= d->planes; z++)
		for (int y = -radius; y <= radius; y++)
			if (half_width(radius, z, y) >= 0)
				d->first[half_width(radius, z, y) + 1]++;
	for (int w = 0; w <= radius; w++)
		d->first[w + 1] += d->first[w];
	for (int w = 0; w <= radius; w++)
		for (int y = -radius; y <= radius; y++)
			for (int z = -d->planes; z <= d->planes && n < d->first[w + 1]; z++)
				if (half_width(radius, z, y) == w) {
					d->row[n][0] = z;
					d->row[n++][1] = y;
				}
}

/* One pass, of minima or of maxima, over bands of rows of the output. */
struct pass {
	const struct disk *d;
	const struct grid *in;
	double *out;
	bool maxima;
	size_t bands;
	int failed;
};

static void row_min(double *restrict to, const double *restrict from, size_t n)
{
	for (size_t x = 0; x < n; x++)
		to[x] = from[x] < to[x] ? from[x] : to[x];
}

static void row_max(double *restrict to, const double *restrict from, size_t n)
{
	for (size_t x = 0; x < n; x++)
		to[x] = from[x] > to[x] ? from[x] : to[x];
}

/* Widens the running extremum of a row by one on either side: to = extremum over half width w.  row
 * has `pad` samples of the neutral value before and after. */
static void widen(const struct pass *p, double *to, const double *row, int w, size_t n)
{
	void (*join)(double *restrict, const double *restrict, size_t) =
		p->maxima ? row_max : row_min;

	join(to, row - w, n);
	if (w > 0)
		join(to, row + w, n);
}

/* Row (z, y) of the input reaches output rows (z - dz, y - dy) of the band. */
static void spread(const struct pass *p, size_t z, size_t y, size_t from, size_t end,
		   const double *row, double *run)
{
	void (*join)(double *restrict, const double *restrict, size_t) =
		p->maxima ? row_max : row_min;
	const struct grid *g = p->in;
	const struct disk *d = p->d;

	for (size_t x = 0; x < g->nx; x++)
		run[x] = p->maxima ? -INFINITY : INFINITY;
	for (int w = 0; w <= d->radius; w++) {
		widen(p, run, row, w, g->nx);
		for (size_t k = d->first[w]; k < d->first[w + 1]; k++) {
			long oz = (long)z + d->row[k][0], oy = (long)y + d->row[k][1];
			size_t to = (size_t)(oz * (long)g->ny + oy);

			if (oz >= 0 && oz < (long)g->nz && oy >= 0 && oy < (long)g->ny &&
			    to >= from && to < end)
				join(p->out + to * g->nx, run, g->nx);
		}
	}
}

static void band(void *context, size_t i, int member)
{
	struct pass *p = context;
	const struct grid *g = p->in;
	size_t rows = g->nz * g->ny, from = rows * i / p->bands, end = rows * (i + 1) / p->bands,
	       r = (size_t)p->d->radius;
	size_t reach = r + (size_t)p->d->planes * g->ny, pad = (r + 7) / 8 * 8;
	double neutral = p->maxima ? -INFINITY : INFINITY;
	double *row = mem_try("opening", 2 * (g->nx + 2 * pad), sizeof *row);

	(void)member;
	if (!row) {
		__atomic_store_n(&p->failed, 1, __ATOMIC_RELAXED);
		return;
	}
	for (size_t x = 0; x < g->nx + 2 * pad; x++)
		row[x] = neutral;
	for (size_t k = from * g->nx; k < end * g->nx; k++)
		p->out[k] = neutral;
	for (size_t k = from > reach ? from - reach : 0; k < rows && k < end + reach; k++) {
		memcpy(row + pad, g->data + k * g->nx, g->nx * sizeof *row);
		spread(p, k / g->ny, k % g->ny, from, end, row + pad, row + g->nx + 2 * pad);
	}
	free(row);
}

static void clear_invalid(double *a, const uint8_t *valid, size_t n)
{
	for (size_t i = 0; valid && i < n; i++)
		a[i] = valid[i] ? a[i] : 0;
}

int opening(struct grid *g, int radius, const uint8_t *valid, int threads)
{
	size_t n = g->nz * g->ny * g->nx, largest = g->nx > g->ny ? g->nx : g->ny;
	double *out = mem_try("opening", n, sizeof *out);
	struct grid mid = { g->nz, g->ny, g->nx, out };
	struct pass p = { .bands = threads > 1 ? 4 * (size_t)threads : 1 };
	struct disk d = { 0 };
	int rc = -1;

	if (!out)
		return -1;
	if (g->nz > largest)
		largest = g->nz;
	/* a disk that covers the image from every sample is as large as it need be: twice the
	 * diagonal is beyond that */
	if ((size_t)radius > 2 * largest)
		radius = (int)(2 * largest);
	if (p.bands > g->nz * g->ny)
		p.bands = g->nz * g->ny;
	disk_init(&d, radius, g->nz == 1);
	clear_invalid(g->data, valid, n);
	p.d = &d;
	p.in = g;
	p.out = out;
	team_run(threads, p.bands, band, &p);
	clear_invalid(out, valid, n);
	p.in = &mid;
	p.out = g->data;
	p.maxima = true;
	if (!p.failed)
		team_run(threads, p.bands, band, &p);
	rc = p.failed ? -1 : 0;
	free(d.first);
	free(d.row);
	free(out);
	return rc;
}
