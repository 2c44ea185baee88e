#include "features/coarse.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "features/opening.h"

static size_t count_below(double x)
{
	return x > 0 ? (size_t)ceil(x) : 0;
}

void shape_init(struct shape *s, const struct granularity_opts *o, size_t nz, size_t ny, size_t nx)
{
	bool cellprofiler = o->like == LIKE_CP4 || o->like == LIKE_CP5;

	*s = (struct shape){ .full = { nz, ny, nx } };
	for (int a = 0; a < 3; a++) {
		double n = (double)s->full[a];
		bool axis = a > 0 || o->volume;

		s->fine[a] = axis && o->subsample[a] < 1;
		s->coarse[a] = s->fine[a] ? n * o->subsample[a] : n;
		if (!cellprofiler)
			s->coarse[a] = trunc(s->coarse[a]);
		s->collapsed |= axis && s->coarse[a] < 2;
		s->n[a] = count_below(s->coarse[a]);
		s->use[a] = axis && o->background[a] < 1;
		s->back[a] = s->coarse[a];
		if (s->use[a])
			s->back[a] = (o->like == LIKE_CP5 ? ceil(s->coarse[a]) : s->coarse[a]) *
				     o->background[a];
		s->m[a] = count_below(s->back[a]);
		s->any_fine |= s->fine[a];
		s->any_use |= s->use[a];
	}
}

size_t shape_product(const size_t n[3])
{
	return n[0] * n[1] * n[2];
}

/* ---- samples */

/* grid_row of pixels: non-finite ones are 0 */
static void pixel_row(const void *pixels, size_t z, size_t y, double *row)
{
	const struct pixels *p = pixels;

	pixels_raw(p, (z * p->ny + y) * p->nx, p->nx, row);
	if (p->type == DT_F32 || p->type == DT_F64)
		for (size_t x = 0; x < p->nx; x++)
			row[x] = isfinite(row[x]) ? row[x] : 0;
}

/* grid_row of validity, as 0 and 1 */
static void valid_row(const void *pixels, size_t z, size_t y, double *row)
{
	const struct pixels *p = pixels;
	uint8_t *v = (uint8_t *)(row + p->nx) -
		     p->nx; /* the row's own end: entry x is read before it is overwritten */

	valid_run(p, (z * p->ny + y) * p->nx, p->nx, v);
	for (size_t x = 0; x < p->nx; x++)
		row[x] = v[x];
}

/* The same of a coarse mask. */
struct mask_grid {
	size_t ny, nx;
	const uint8_t *valid;
};

static void mask_row(const void *mask, size_t z, size_t y, double *row)
{
	const struct mask_grid *m = mask;

	for (size_t x = 0; x < m->nx; x++)
		row[x] = m->valid[(z * m->ny + y) * m->nx + x];
}

static bool all_valid(const struct pixels *p)
{
	size_t n = p->nz * p->ny * p->nx;

	if (p->mask)
		return false;
	for (size_t i = 0; p->type == DT_F32 && i < n; i++)
		if (!isfinite(((const float *)p->data)[i]))
			return false;
	for (size_t i = 0; p->type == DT_F64 && i < n; i++)
		if (!isfinite(((const double *)p->data)[i]))
			return false;
	return true;
}

/* A mask resampled: valid where the interpolated mask exceeds 0.9, linear and clamped, or cubic and
 * invalid outside.  row NULL: a mask of ones.  NULL after reporting. */
static uint8_t *sample_mask(bool cubic, const struct taps t[3], grid_row *row, const void *source)
{
	size_t size[3] = { t[0].size, t[1].size, t[2].size }, n[3] = { t[0].n, t[1].n, t[2].n },
	       total = shape_product(n);
	struct grid g = { size[0], size[1], size[2], NULL };
	uint8_t *valid = mem_try("mask", total, 1), *result = NULL;
	double *out = NULL;

	if (!valid)
		return NULL;
	if (!row) {
		for (size_t i = 0; i < total; i++)
			valid[i] = t[0].inside[i / (n[1] * n[2])] && t[1].inside[i / n[2] % n[1]] &&
				   t[2].inside[i % n[2]];
		return valid;
	}
	out = mem_try("mask", total, sizeof *out);
	if (!out)
		goto done;
	if (cubic) {
		g.data = mem_try("mask", shape_product(size), sizeof *g.data);
		if (!g.data)
			goto done;
		for (size_t k = 0; k < size[0] * size[1]; k++)
			row(source, k / size[1], k % size[1], g.data + k * size[2]);
		grid_cubic(t, &g, out);
	} else if (grid_linear(t, row, source, out) != 0) {
		goto done;
	}
	for (size_t i = 0; i < total; i++)
		valid[i] = out[i] > 0.9;
	result = valid;
done:
	if (!result)
		free(valid);
	free(out);
	free(g.data);
	return result;
}

static bool is_all(const uint8_t *valid, size_t n)
{
	return memchr(valid, 0, n) == NULL;
}

/* ---- section 4.2: A and its mask */

static int coordinates(struct taps t[3], const struct shape *s, const double *step, bool clamp)
{
	for (int a = 0; a < 3; a++)
		if (taps_init(&t[a], s->n[a], s->full[a], s->fine[a] ? step[a] : 1, true, clamp) !=
		    0)
			return -1;
	return 0;
}

int coarse_init(struct coarse *c, const struct granularity_opts *o, const struct shape *s,
		const struct pixels *p)
{
	bool cubic = o->like == LIKE_CP4 || o->like == LIKE_CP5, all = all_valid(p);
	struct taps t[3] = { { 0 } }, tm[3] = { { 0 } };
	int rc = -1;

	c->a = (struct grid){ s->n[0], s->n[1], s->n[2],
			      mem_try("image", shape_product(s->n), sizeof(double)) };
	if (!c->a.data || coordinates(t, s, o->subsample, o->like == LIKE_SCOPELINE) != 0 ||
	    coordinates(tm, s, o->subsample, !cubic) != 0 ||
	    grid_linear(t, pixel_row, p, c->a.data) != 0)
		goto done;
	if (!all || (cubic && s->any_fine)) {
		/* without subsampling the mask itself: the grid's coordinates are whole */
		c->valid = sample_mask(cubic && s->any_fine, tm, all ? NULL : valid_row, p);
		if (!c->valid)
			goto done;
		if (all && is_all(c->valid, shape_product(s->n))) {
			free(c->valid);
			c->valid = NULL;
		}
	}
	rc = 0;
done:
	taps_clear_all(t);
	taps_clear_all(tm);
	return rc;
}

bool stage_wanted(const struct granularity_opts *o, enum granularity_stage stage)
{
	return o->dump && o->dump->stage == stage;
}

/* The coarse image a of the stage, if that is the one that is wanted. */
static int show(const struct granularity_opts *o, const struct shape *s,
		enum granularity_stage stage, const double *a)
{
	if (!stage_wanted(o, stage))
		return 0;
	o->dump->image = (struct grid){ s->n[0], s->n[1], s->n[2],
					mem_try("stage", shape_product(s->n), sizeof *a) };
	if (!o->dump->image.data)
		return -1;
	memcpy(o->dump->image.data, a, shape_product(s->n) * sizeof *a);
	return 0;
}

/* ---- section 4.3: F */

/* Coordinates of the background's samples on the coarse grid; upstream's 3-D ones are those of the
 * subsampling (section 8). */
static int background_taps(struct taps t[3], const struct granularity_opts *o,
			   const struct shape *s, bool clamp)
{
	bool mistaken = o->volume && (o->like == LIKE_CP_MEASURE || o->like == LIKE_CP4);

	for (int a = 0; a < 3; a++)
		if (taps_init(&t[a], mistaken ? s->n[a] : s->m[a], s->n[a],
			      mistaken	  ? o->subsample[a]
			      : s->use[a] ? o->background[a]
					  : 1,
			      true, clamp) != 0)
			return -1;
	return 0;
}

/* b = A on the background's grid, opened. */
static int opened(struct grid *b, const struct coarse *c, const struct granularity_opts *o,
		  const struct shape *s)
{
	bool cubic = o->like == LIKE_CP4 || o->like == LIKE_CP5;
	struct mask_grid m = { s->n[1], s->n[2], c->valid };
	struct taps t[3] = { { 0 } }, tm[3] = { { 0 } };
	uint8_t *valid = NULL;
	int rc = -1;

	if (background_taps(t, o, s, o->like == LIKE_SCOPELINE) != 0 ||
	    background_taps(tm, o, s, !cubic) != 0)
		goto done;
	*b = (struct grid){ t[0].n, t[1].n, t[2].n,
			    mem_try("background", t[0].n * t[1].n * t[2].n, sizeof(double)) };
	if (!b->data || grid_linear(t, grid_row_of, &c->a, b->data) != 0)
		goto done;
	if (c->valid || cubic) {
		valid = sample_mask(cubic, tm, c->valid ? mask_row : NULL, &m);
		if (!valid)
			goto done;
	}
	rc = opening(b, o->radius, valid, o->threads);
done:
	free(valid);
	taps_clear_all(t);
	taps_clear_all(tm);
	return rc;
}

/* g = the background on the coarse grid. */
static int background(double *g, const struct coarse *c, const struct granularity_opts *o,
		      const struct shape *s)
{
	struct grid b = { .data = NULL };
	struct taps t[3] = { { 0 } };
	int rc = -1;

	if (!s->any_use) {
		struct grid whole = { s->n[0], s->n[1], s->n[2], g };

		memcpy(g, c->a.data, shape_product(s->n) * sizeof *g);
		return opening(&whole, o->radius, c->valid, o->threads);
	}
	if (opened(&b, c, o, s) != 0)
		goto done;
	for (int a = 0; a < 3; a++) {
		size_t size = a == 0 ? b.nz : a == 1 ? b.ny : b.nx;
		double step = s->n[a] > 1 ? (s->back[a] - 1) / (s->coarse[a] - 1) : 0;

		if (taps_init(&t[a], s->n[a], size, step, false, o->like == LIKE_SCOPELINE) != 0)
			goto done;
	}
	rc = grid_linear(t, grid_row_of, &b, g);
done:
	free(b.data);
	taps_clear_all(t);
	return rc;
}

int coarse_background(struct coarse *c, const struct granularity_opts *o, const struct shape *s)
{
	size_t n = shape_product(s->n);
	double *g = mem_try("background", n, sizeof *g), *a = c->a.data;
	int rc = -1;

	if (!g || background(g, c, o, s) != 0 || show(o, s, STAGE_BACKGROUND, g) != 0)
		goto done;
	for (size_t i = 0; i < n; i++) {
		double f = a[i] - g[i];

		a[i] = f > 0 ? f : 0;
	}
	rc = show(o, s, STAGE_PIXELS, a);
done:
	free(g);
	return rc;
}
