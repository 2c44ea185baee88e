#include "features/granularity.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "features/opening.h"

/* Grids along z, y, x: N pixels, n coarse samples, m of the background; real[] as upstream keeps it, unrounded. */
struct shape {
	size_t full[3], n[3], m[3];
	double coarse[3], back[3];	/* n and m as real numbers */
	bool fine[3], use[3];		/* subsampled, subsampled for the background */
	bool any_fine, any_use, collapsed;
};

static size_t count_below(double x)
{
	return x > 0 ? (size_t)ceil(x) : 0;
}

static void shape_init(struct shape *s, const struct granularity_opts *o, size_t nz, size_t ny, size_t nx)
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
			s->back[a] = (o->like == LIKE_CP5 ? ceil(s->coarse[a]) : s->coarse[a]) * o->background[a];
		s->m[a] = count_below(s->back[a]);
		s->any_fine |= s->fine[a];
		s->any_use |= s->use[a];
	}
}

static size_t product(const size_t n[3])
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
	uint8_t *v = (uint8_t *)(row + p->nx) - p->nx;	/* the row's own end: entry x is read before it is overwritten */

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

static void clear_taps(struct taps t[3])
{
	for (int a = 0; a < 3; a++)
		taps_clear(&t[a]);
}

/* A mask resampled: valid where the interpolated mask exceeds 0.9, linear and clamped, or cubic and invalid outside.  row NULL: a mask
 * of ones.  NULL after reporting. */
static uint8_t *sample_mask(bool cubic, const struct taps t[3], grid_row *row, const void *source)
{
	size_t size[3] = { t[0].size, t[1].size, t[2].size }, n[3] = { t[0].n, t[1].n, t[2].n }, total = product(n);
	struct grid g = { size[0], size[1], size[2], NULL };
	uint8_t *valid = mem_try("mask", total, 1), *result = NULL;
	double *out = NULL;

	if (!valid)
		return NULL;
	if (!row) {
		for (size_t i = 0; i < total; i++)
			valid[i] = t[0].inside[i / (n[1] * n[2])] && t[1].inside[i / n[2] % n[1]] && t[2].inside[i % n[2]];
		return valid;
	}
	out = mem_try("mask", total, sizeof *out);
	if (!out)
		goto done;
	if (cubic) {
		g.data = mem_try("mask", product(size), sizeof *g.data);
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

struct coarse {
	struct grid a;		/* A, then F */
	uint8_t *valid;		/* NULL: all */
};

static int coordinates(struct taps t[3], const struct shape *s, const double *step, bool clamp)
{
	for (int a = 0; a < 3; a++)
		if (taps_init(&t[a], s->n[a], s->full[a], s->fine[a] ? step[a] : 1, true, clamp) != 0)
			return -1;
	return 0;
}

static int subsample(struct coarse *c, const struct granularity_opts *o, const struct shape *s, const struct pixels *p)
{
	bool cubic = o->like == LIKE_CP4 || o->like == LIKE_CP5, all = all_valid(p);
	struct taps t[3] = { { 0 } }, tm[3] = { { 0 } };
	int rc = -1;

	c->a = (struct grid){ s->n[0], s->n[1], s->n[2], mem_try("image", product(s->n), sizeof(double)) };
	if (!c->a.data || coordinates(t, s, o->subsample, o->like == LIKE_SCOPELINE) != 0 ||
	    coordinates(tm, s, o->subsample, !cubic) != 0 || grid_linear(t, pixel_row, p, c->a.data) != 0)
		goto done;
	if (!all || (cubic && s->any_fine)) {
		/* without subsampling the mask itself: the grid's coordinates are whole */
		c->valid = sample_mask(cubic && s->any_fine, tm, all ? NULL : valid_row, p);
		if (!c->valid)
			goto done;
		if (all && is_all(c->valid, product(s->n))) {
			free(c->valid);
			c->valid = NULL;
		}
	}
	rc = 0;
done:
	clear_taps(t);
	clear_taps(tm);
	return rc;
}

/* ---- stages to look at */

static bool wants(const struct granularity_opts *o, enum granularity_stage stage)
{
	return o->dump && o->dump->stage == stage;
}

/* The coarse image a of the stage, if that is the one that is wanted. */
static int show(const struct granularity_opts *o, const struct shape *s, enum granularity_stage stage, const double *a)
{
	if (!wants(o, stage))
		return 0;
	o->dump->image = (struct grid){ s->n[0], s->n[1], s->n[2], mem_try("stage", product(s->n), sizeof *a) };
	if (!o->dump->image.data)
		return -1;
	memcpy(o->dump->image.data, a, product(s->n) * sizeof *a);
	return 0;
}

static int show_eroded(const struct granularity_opts *o, const struct ranks *r, const uint8_t *valid, double *to)
{
	int32_t *e = mem_try("stage", r->n, sizeof *e), *next = mem_try("stage", r->n, sizeof *next), *swap;
	int rc = -1;

	if (!e || !next)
		goto done;
	ranks_start(r, valid, e);
	for (int k = 0; k < o->dump->k; k++) {
		ranks_erode(r, e, next);
		swap = e;
		e = next;
		next = swap;
	}
	for (size_t i = 0; i < r->n; i++)
		to[i] = r->value[e[i]];
	rc = 0;
done:
	free(e);
	free(next);
	return rc;
}

static int show_rebuilt(const struct granularity_opts *o, const struct ranks *r, const uint8_t *valid, double *to)
{
	struct maxtree t = { 0 };
	double all[MAXTREE_LENGTH];
	int rc = maxtree_init(&t, r, valid, o->dump->k);

	for (size_t i = 0; rc == 0 && i < r->n; i++) {
		memset(all, 0, sizeof all);
		maxtree_add(&t, ranks_position(r, i / (r->ny * r->nx), i / r->nx % r->ny, i % r->nx), 1, all);
		to[i] = all[o->dump->k - 1];
	}
	maxtree_clear(&t);
	return rc;
}

/* E_k or R_k */
static int show_ranks(const struct granularity_opts *o, const struct ranks *r, const uint8_t *valid)
{
	if (!wants(o, STAGE_ERODED) && !wants(o, STAGE_RECONSTRUCTED))
		return 0;
	o->dump->image = (struct grid){ r->nz, r->ny, r->nx, mem_try("stage", r->n, sizeof(double)) };
	if (!o->dump->image.data)
		return -1;
	return wants(o, STAGE_ERODED) ? show_eroded(o, r, valid, o->dump->image.data) : show_rebuilt(o, r, valid, o->dump->image.data);
}

/* ---- section 4.3: F */

/* Coordinates of the background's samples on the coarse grid; upstream's 3-D ones are those of the subsampling (section 8). */
static int background_taps(struct taps t[3], const struct granularity_opts *o, const struct shape *s, bool clamp)
{
	bool mistaken = o->volume && (o->like == LIKE_CP_MEASURE || o->like == LIKE_CP4);

	for (int a = 0; a < 3; a++)
		if (taps_init(&t[a], mistaken ? s->n[a] : s->m[a], s->n[a],
			      mistaken ? o->subsample[a] : s->use[a] ? o->background[a] : 1, true, clamp) != 0)
			return -1;
	return 0;
}

/* b = A on the background's grid, opened. */
static int opened(struct grid *b, const struct coarse *c, const struct granularity_opts *o, const struct shape *s)
{
	bool cubic = o->like == LIKE_CP4 || o->like == LIKE_CP5;
	struct mask_grid m = { s->n[1], s->n[2], c->valid };
	struct taps t[3] = { { 0 } }, tm[3] = { { 0 } };
	uint8_t *valid = NULL;
	int rc = -1;

	if (background_taps(t, o, s, o->like == LIKE_SCOPELINE) != 0 || background_taps(tm, o, s, !cubic) != 0)
		goto done;
	*b = (struct grid){ t[0].n, t[1].n, t[2].n, mem_try("background", t[0].n * t[1].n * t[2].n, sizeof(double)) };
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
	clear_taps(t);
	clear_taps(tm);
	return rc;
}

/* g = the background on the coarse grid. */
static int background(double *g, const struct coarse *c, const struct granularity_opts *o, const struct shape *s)
{
	struct grid b = { .data = NULL };
	struct taps t[3] = { { 0 } };
	int rc = -1;

	if (!s->any_use) {
		struct grid whole = { s->n[0], s->n[1], s->n[2], g };

		memcpy(g, c->a.data, product(s->n) * sizeof *g);
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
	clear_taps(t);
	return rc;
}

static int remove_background(struct coarse *c, const struct granularity_opts *o, const struct shape *s)
{
	size_t n = product(s->n);
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

/* ---- section 4.4: means */

/* Mean of P over an object's valid pixels, and their number. */
static void object_start(const struct pixels *p, const struct objects *os, size_t i, double *row, double *mean, double *pixels)
{
	const struct object *o = &os->object[i];
	uint8_t *valid = (uint8_t *)(row + p->nx);
	double sum = 0;
	size_t n = 0;

	for (size_t k = o->first; k < o->first + o->count; k++) {
		const struct run *r = &os->run[k];
		size_t at = (r->z * p->ny + r->y) * p->nx + r->x0, m = r->x1 - r->x0;

		pixels_raw(p, at, m, row);
		valid_run(p, at, m, valid);
		for (size_t x = 0; x < m; x++)
			if (valid[x]) {
				sum += row[x];
				n++;
			}
	}
	*mean = sum / (double)n;
	*pixels = (double)n;
}

static int object_starts(const struct pixels *p, const struct objects *o, double *mean, double *pixels)
{
	double *row = mem_try("objects", p->nx, sizeof *row + 1);

	if (!row)
		return -1;
	for (size_t i = 0; i < o->n; i++)
		object_start(p, o, i, row, &mean[i], &pixels[i]);
	free(row);
	return 0;
}

static int spread_objects(struct spread *sp, const struct granularity_opts *o, const struct shape *s, const struct pixels *p,
			  const struct objects *os)
{
	struct ranks r = { .nz = s->n[0], .ny = s->n[1], .nx = s->n[2] };
	struct taps t[3] = { { 0 } };
	int rc = -1;

	ranks_layout(&r);
	for (int a = 0; a < 3; a++) {
		double step = s->full[a] > 1 ? (s->coarse[a] - 1) / (double)(s->full[a] - 1) : 0;

		if (taps_init(&t[a], s->full[a], s->n[a], step, false, o->like == LIKE_SCOPELINE) != 0)
			goto done;
	}
	rc = spread_init(sp, os, p, t, &r);
done:
	clear_taps(t);
	return rc;
}

int granularity_tree(void *user, const struct granularity_sums *s)
{
	const struct ranks *r = s->ranks;
	const uint8_t *valid = s->valid;
	struct maxtree t = { 0 };
	int rc = -1;

	(void)user;
	if (maxtree_init(&t, r, s->valid, s->length) != 0)
		goto done;
	for (size_t i = 0; i < s->spread->n; i++)
		for (size_t k = s->spread->first[i]; k < s->spread->first[i + 1]; k++)
			maxtree_add(&t, s->spread->position[k], s->spread->weight[k], s->object + i * (size_t)s->length);
	for (size_t row = 0; s->image && row < r->nz * r->ny; row++) {
		size_t at = ranks_position(r, row / r->ny, row % r->ny, 0);

		for (size_t x = 0; x < r->nx; x++)
			if (!valid || *valid++)
				maxtree_add(&t, at + x, 1, s->image);
	}
	rc = 0;
done:
	maxtree_clear(&t);
	return rc;
}

void granularity_add(const struct granularity_sums *s, int k, const double *r_k)
{
	const struct ranks *r = s->ranks;
	const struct spread *sp = s->spread;
	const uint8_t *valid = s->valid;

	for (size_t i = 0; i < sp->n; i++)
		for (size_t j = sp->first[i]; j < sp->first[i + 1]; j++)
			s->object[i * (size_t)s->length + (size_t)k - 1] += sp->weight[j] * r_k[sp->position[j]];
	for (size_t row = 0; s->image && row < r->nz * r->ny; row++) {
		size_t at = ranks_position(r, row / r->ny, row % r->ny, 0);

		for (size_t x = 0; x < r->nx; x++)
			if (!valid || *valid++)
				s->image[k - 1] += r_k[at + x];
	}
}

/* Sums to percents, in place. */
static void percents(double *v, int length, double mean, double pixels, double smallest)
{
	double start = mean > smallest ? mean : smallest;

	for (int k = 0; k < length; k++) {
		double next = v[k] / pixels;

		v[k] = (mean - next) * 100 / start;
		mean = next;
	}
}

/* Mean of F over the valid samples. */
static double image_start(const struct coarse *c, size_t n, double *pixels)
{
	double sum = 0;
	size_t m = 0;

	for (size_t i = 0; i < n; i++)
		if (!c->valid || c->valid[i]) {
			sum += c->a.data[i];
			m++;
		}
	*pixels = (double)m;
	return sum / (double)m;
}

static void fill_nan(double *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		v[i] = NAN;
}

static void collapse(struct granularity *g, size_t objects, size_t length)
{
	fill_nan(g->spectrum, objects * length);
	for (size_t i = 0; i < objects; i++)
		g->reason[i] = GRANULARITY_COLLAPSED;
	if (g->image)
		fill_nan(g->image, length);
	g->image_reason = GRANULARITY_COLLAPSED;
}

int granularity(struct granularity *g, const struct granularity_opts *opts, const struct pixels *p, const struct objects *o,
		granularity_way *way, void *way_user, granularity_release *release, void *release_user)
{
	static const struct objects none;
	size_t length = (size_t)opts->length, n;
	double smallest = DBL_EPSILON * p->divisor, image_mean = 0, image_pixels = 0, *mean = NULL, *pixels = NULL;
	struct coarse c = { .valid = NULL };
	struct spread sp = { 0 };
	struct ranks r = { 0 };
	struct granularity_sums sums = { .ranks = &r, .length = opts->length, .spread = &sp };
	struct shape s;
	int rc = -1;

	o = o ? o : &none;
	shape_init(&s, opts, p->nz, p->ny, p->nx);
	*g = (struct granularity){ .spectrum = mem_new(mem_mul(o->n, length), sizeof *g->spectrum),
				   .reason = mem_new(o->n, sizeof *g->reason),
				   .image = opts->image ? mem_new(length, sizeof *g->image) : NULL };
	if (s.collapsed) {
		collapse(g, o->n, length);
		return 0;
	}
	mean = mem_new(o->n, sizeof *mean);
	pixels = mem_new(o->n, sizeof *pixels);
	if (object_starts(p, o, mean, pixels) != 0 || spread_objects(&sp, opts, &s, p, o) != 0 || subsample(&c, opts, &s, p) != 0)
		goto done;
	if (release)
		release(release_user);
	if (remove_background(&c, opts, &s) != 0)
		goto done;
	n = product(s.n);
	if (opts->image)
		image_mean = image_start(&c, n, &image_pixels);
	if (ranks_init(&r, &c.a) != 0 || show_ranks(opts, &r, c.valid) != 0)
		goto done;
	sums.valid = c.valid;
	sums.object = g->spectrum;
	sums.image = g->image;
	if (way(way_user, &sums) != 0)
		goto done;
	for (size_t i = 0; i < o->n; i++)
		if (pixels[i] > 0) {
			percents(g->spectrum + i * length, opts->length, mean[i], pixels[i], smallest);
		} else {
			fill_nan(g->spectrum + i * length, length);
			g->reason[i] = GRANULARITY_MASKED;
		}
	if (opts->image && image_pixels > 0) {
		percents(g->image, opts->length, image_mean, image_pixels, smallest);
	} else if (opts->image) {
		fill_nan(g->image, length);
		g->image_reason = GRANULARITY_MASKED;
	}
	rc = 0;
done:
	free(mean);
	free(pixels);
	free(c.a.data);
	free(c.valid);
	spread_clear(&sp);
	ranks_clear(&r);
	return rc;
}

void granularity_clear(struct granularity *g)
{
	free(g->spectrum);
	free(g->reason);
	free(g->image);
	*g = (struct granularity){ 0 };
}

size_t granularity_samples(const struct granularity_opts *opts, size_t nz, size_t ny, size_t nx)
{
	struct shape s;

	shape_init(&s, opts, nz, ny, nx);
	return s.collapsed ? 0 : product(s.n);
}

size_t granularity_bytes(const struct granularity_opts *opts, size_t nz, size_t ny, size_t nx)
{
	struct shape s;

	shape_init(&s, opts, nz, ny, nx);
	return s.collapsed ? 0 : 40 * product(s.n) + 2 * 8 * product(s.m);
}
