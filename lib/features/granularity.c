#include "features/granularity.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "features/coarse.h"

/* ---- stages to look at */

static int show_eroded(const struct granularity_opts *o, const struct ranks *r,
		       const uint8_t *valid, double *to)
{
	int32_t *e = mem_try("stage", r->n, sizeof *e),
		*next = mem_try("stage", r->n, sizeof *next), *swap;
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

static int show_rebuilt(const struct granularity_opts *o, const struct ranks *r,
			const uint8_t *valid, double *to)
{
	struct maxtree t = { 0 };
	double all[MAXTREE_LENGTH];
	int rc = maxtree_init(&t, r, valid, o->dump->k);

	for (size_t i = 0; rc == 0 && i < r->n; i++) {
		memset(all, 0, sizeof all);
		maxtree_add(&t,
			    ranks_position(r, i / (r->ny * r->nx), i / r->nx % r->ny, i % r->nx), 1,
			    all);
		to[i] = all[o->dump->k - 1];
	}
	maxtree_clear(&t);
	return rc;
}

/* E_k or R_k */
static int show_ranks(const struct granularity_opts *o, const struct ranks *r, const uint8_t *valid)
{
	if (!stage_wanted(o, STAGE_ERODED) && !stage_wanted(o, STAGE_RECONSTRUCTED))
		return 0;
	o->dump->image =
		(struct grid){ r->nz, r->ny, r->nx, mem_try("stage", r->n, sizeof(double)) };
	if (!o->dump->image.data)
		return -1;
	return stage_wanted(o, STAGE_ERODED) ? show_eroded(o, r, valid, o->dump->image.data)
					     : show_rebuilt(o, r, valid, o->dump->image.data);
}

/* ---- section 4.4: means */

/* Mean of P over an object's valid pixels, and their number. */
static void object_start(const struct pixels *p, const struct objects *os, size_t i, double *row,
			 double *mean, double *pixels)
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

static int object_starts(const struct pixels *p, const struct objects *o, double *mean,
			 double *pixels)
{
	double *row = mem_try("objects", p->nx, sizeof *row + 1);

	if (!row)
		return -1;
	for (size_t i = 0; i < o->n; i++)
		object_start(p, o, i, row, &mean[i], &pixels[i]);
	free(row);
	return 0;
}

static int spread_objects(struct spread *sp, const struct granularity_opts *o,
			  const struct shape *s, const struct pixels *p, const struct objects *os)
{
	struct ranks r = { .nz = s->n[0], .ny = s->n[1], .nx = s->n[2] };
	struct taps t[3] = { { 0 } };
	int rc = -1;

	ranks_layout(&r);
	for (int a = 0; a < 3; a++) {
		double step = s->full[a] > 1 ? (s->coarse[a] - 1) / (double)(s->full[a] - 1) : 0;

		if (taps_init(&t[a], s->full[a], s->n[a], step, false, o->like == LIKE_SCOPELINE) !=
		    0)
			goto done;
	}
	rc = spread_init(sp, os, p, t, &r);
done:
	taps_clear_all(t);
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
			maxtree_add(&t, s->spread->position[k], s->spread->weight[k],
				    s->object + i * (size_t)s->length);
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
			s->object[i * (size_t)s->length + (size_t)k - 1] +=
				sp->weight[j] * r_k[sp->position[j]];
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

int granularity(struct granularity *g, const struct granularity_opts *opts, const struct pixels *p,
		const struct objects *o, granularity_way *way, void *way_user,
		granularity_release *release, void *release_user)
{
	static const struct objects none;
	size_t length = (size_t)opts->length, n;
	double smallest = DBL_EPSILON * p->divisor, image_mean = 0, image_pixels = 0, *mean = NULL,
	       *pixels = NULL;
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
				   .image =
					   opts->image ? mem_new(length, sizeof *g->image) : NULL };
	if (s.collapsed) {
		collapse(g, o->n, length);
		return 0;
	}
	mean = mem_new(o->n, sizeof *mean);
	pixels = mem_new(o->n, sizeof *pixels);
	if (object_starts(p, o, mean, pixels) != 0 || spread_objects(&sp, opts, &s, p, o) != 0 ||
	    coarse_init(&c, opts, &s, p) != 0)
		goto done;
	if (release)
		release(release_user);
	if (coarse_background(&c, opts, &s) != 0)
		goto done;
	n = shape_product(s.n);
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
			percents(g->spectrum + i * length, opts->length, mean[i], pixels[i],
				 smallest);
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
	return s.collapsed ? 0 : shape_product(s.n);
}

size_t granularity_bytes(const struct granularity_opts *opts, size_t nz, size_t ny, size_t nx)
{
	struct shape s;

	shape_init(&s, opts, nz, ny, nx);
	return s.collapsed ? 0 : 40 * shape_product(s.n) + 2 * 8 * shape_product(s.m);
}
