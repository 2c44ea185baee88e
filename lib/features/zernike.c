#include "features/zernike.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/team.h"
#include "math/circle.h"

enum { POWERS = ZERNIKE_POWER_DEGREE + 1, QUADS = POWERS / 4 };
enum { TERMS = 256, HALF = ZERNIKE_MAX_DEGREE / 2 + 1 };	/* (n, m) up to degree 30 */

/* Four neighbouring powers of x, in vector registers where there are any: the sums of each are in pixel order either way. */
typedef double quad __attribute__((vector_size(32)));

/* Sums of x^a y^b, [b][a]. */
struct power_sums {
	quad s[POWERS][QUADS];
};

/* What all objects share. */
struct tables {
	int n[TERMS], m[TERMS];				/* of each term */
	double c[TERMS][HALF];				/* c_k of each term */
	double w[POWERS][POWERS / 2 + 1][POWERS];	/* (y+ix)^m (x^2+y^2)^p = sum_a w[m][p][a] i^(a odd) x^a y^(m+2p-a) */
};

/* One thread's memory. */
struct scratch {
	struct grid_point *point, *hull;
	quad *power, *prefix;	/* x^a of columns; their sums over the columns before */
	double *raw;
};

struct measure {
	const struct zernike_opts *z;
	const struct pixels *p;
	const struct objects *o;
	const struct tables *t;
	struct scratch *scratch;
	size_t first, terms, columns, quads;
	double *value;
	const char **reason;
};

/* An object in its circle. */
struct disc {
	const struct object *o;
	const struct run *run;
	double oy, ox;		/* origin of the centre */
	struct circle c;
};

/* Sums of V, and of P V, per term. */
struct moments {
	double re[TERMS], im[TERMS];
};

size_t zernike_terms(int degree)
{
	size_t h = (size_t)degree / 2;

	/* degrees 2h and 2h + 1 have h + 1 terms each */
	return degree % 2 ? (h + 1) * (h + 2) : (h + 1) * (h + 1);
}

void zernike_term(size_t i, int *n, int *m)
{
	int d = 0;

	while (i >= (size_t)d / 2 + 1)
		i -= (size_t)d++ / 2 + 1;
	*n = d;
	*m = d % 2 + 2 * (int)i;
}

size_t zernike_columns(const struct zernike_opts *o)
{
	size_t terms = zernike_terms(o->degree);

	return (o->shape ? terms : 0) + (o->radial ? 2 * terms : 0) + (o->circle ? 3 : 0);
}

/* ---- tables */

static double binomial(int n, int k)
{
	double b = 1;

	for (int i = 1; i <= k; i++)
		b = b * (n - k + i) / i;
	return b;
}

/* c_k as products of binomials, which are whole numbers all the way */
static void radial_coefficients(int n, int m, double *c)
{
	int half = (n - m) / 2;

	for (int k = 0; k <= half; k++)
		c[k] = (k % 2 ? -1 : 1) * binomial(n - k, k) * binomial(n - 2 * k, half - k);
}

static void make_tables(struct tables *t, const struct zernike_opts *z)
{
	memset(t, 0, sizeof *t);
	for (size_t i = 0; i < zernike_terms(z->degree); i++) {
		int n, m;

		zernike_term(i, &n, &m);
		t->n[i] = n;
		t->m[i] = m;
		radial_coefficients(n, m, t->c[i]);
	}
	for (int m = 0; m <= z->degree && m < POWERS; m++)
		for (int p = 0; m + 2 * p <= z->degree && m + 2 * p < POWERS; p++)
			for (int l = 0; l <= p; l++)
				for (int j = 0; j <= m; j++)
					t->w[m][p][j + 2 * l] += (j / 2 % 2 ? -1 : 1) * binomial(m, j) * binomial(p, l);
}

/* ---- the circle */

static void find_circle(struct disc *d, const struct zernike_opts *z, struct scratch *s)
{
	const struct object *o = d->o;
	int64_t oy = z->drop ? 0 : o->low[1], ox = z->drop ? 0 : o->low[2];
	size_t n = 0, corners;

	/* corners of the hull are ends of rows */
	for (size_t i = 0; i < o->count; i++) {
		const struct run *r = &d->run[i];

		if (i == 0 || r->y != r[-1].y)
			s->point[n++] = (struct grid_point){ r->y - oy, r->x0 - ox };
		if (i + 1 == o->count || r->y != r[1].y)
			s->point[n++] = (struct grid_point){ r->y - oy, r->x1 - 1 - ox };
	}
	corners = hull_of(s->point, n, s->hull);
	d->c = z->drop ? circle_double(s->hull, corners) : circle_exact(s->hull, corners);
	d->oy = (double)oy;
	d->ox = (double)ox;
}

static double disc_y(const struct disc *d, uint32_t row)
{
	return (row - d->oy - d->c.y) / d->c.r;
}

static double disc_x(const struct disc *d, uint32_t column)
{
	return (column - d->ox - d->c.x) / d->c.r;
}

static bool outside(const struct disc *d, double y, uint32_t column)
{
	double x = disc_x(d, column);

	return x * x + y * y > 1;
}

/* The part of a run within the circle; x^2 does not fall towards either end, so only ends can lie outside. */
static struct run within(const struct disc *d, double y, struct run r)
{
	while (r.x0 < r.x1 && outside(d, y, r.x0))
		r.x0++;
	while (r.x0 < r.x1 && outside(d, y, r.x1 - 1))
		r.x1--;
	return r;
}

/* ---- power sums */

/* Powers of the columns x0 ... x1 - 1 from power[0] on, sums before them from prefix[0] on. */
static void fill_powers(const struct disc *d, struct scratch *s, uint32_t x0, uint32_t x1, size_t quads)
{
	quad sum[QUADS] = { { 0 } };

	for (uint32_t x = x0; x < x1; x++) {
		size_t at = (x - x0) * quads;
		double v = disc_x(d, x), v2 = v * v, v4 = v2 * v2;
		quad p = { 1, v, v2, v2 * v }, by = { v4, v4, v4, v4 };

		for (size_t q = 0; q < quads; q++, p *= by) {
			s->power[at + q] = p;
			s->prefix[at + q] = sum[q];
			sum[q] += p;
		}
	}
	for (size_t q = 0; q < quads; q++)
		s->prefix[(x1 - x0) * quads + q] = sum[q];
}

static inline __attribute__((always_inline)) void weigh_as(quad *sum, const quad *power, const double *p, size_t n,
							   size_t quads)
{
	quad s[QUADS];

	for (size_t q = 0; q < quads; q++)
		s[q] = sum[q];
	for (size_t i = 0; i < n; i++) {
		quad v = { p[i], p[i], p[i], p[i] };

		for (size_t q = 0; q < quads; q++)
			s[q] += v * power[i * quads + q];
	}
	for (size_t q = 0; q < quads; q++)
		sum[q] = s[q];
}

/* sum += p[i] x_i^a; the counts are constants, so that the sums stay in registers */
static void weigh(quad *sum, const quad *power, const double *p, size_t n, size_t quads)
{
	switch (quads) {
	case 1:
		weigh_as(sum, power, p, n, 1);
		break;
	case 2:
		weigh_as(sum, power, p, n, 2);
		break;
	case 3:
		weigh_as(sum, power, p, n, 3);
		break;
	default:
		weigh_as(sum, power, p, n, 4);
	}
}

/* The sums of a row enter those of the object: times y^b; and start again. */
static void add_row(struct power_sums *to, quad *row, double y, int degree, size_t quads)
{
	double yb = 1;

	for (int b = 0; b <= degree; b++, yb *= y) {
		quad v = { yb, yb, yb, yb };

		for (size_t q = 0; 4 * (int)q <= degree - b; q++)
			to->s[b][q] += v * row[q];
	}
	memset(row, 0, quads * sizeof *row);
}

static void power_sums(const struct measure *m, const struct disc *d, struct scratch *s, struct power_sums *shape,
		       struct power_sums *radial)
{
	const struct object *o = d->o;
	uint32_t base = o->low[2], width = o->high[2] - base;
	bool whole = width <= o->pixels;	/* else a table of all columns would cost more than the pixels */
	quad row[QUADS] = { { 0 } }, weighted[QUADS] = { { 0 } };
	size_t quads = m->quads;

	if (whole)
		fill_powers(d, s, base, base + width, quads);
	for (size_t i = 0; i < o->count; i++) {
		double y = disc_y(d, d->run[i].y);
		struct run r = m->z->drop ? within(d, y, d->run[i]) : d->run[i];

		if (!whole) {
			base = r.x0;
			fill_powers(d, s, r.x0, r.x1, quads);
		}
		for (size_t q = 0; q < quads; q++)
			row[q] += s->prefix[(r.x1 - base) * quads + q] - s->prefix[(r.x0 - base) * quads + q];
		if (radial && r.x1 > r.x0) {
			pixels_raw(m->p, r.y * m->p->nx + r.x0, r.x1 - r.x0, s->raw);
			weigh(weighted, s->power + (r.x0 - base) * quads, s->raw, r.x1 - r.x0, quads);
		}
		if (i + 1 < o->count && d->run[i + 1].y == r.y)
			continue;
		add_row(shape, row, y, m->z->degree, quads);
		if (radial)
			add_row(radial, weighted, y, m->z->degree, quads);
	}
}

/* Sums of V from the power sums. */
static void expand(const struct measure *m, const struct power_sums *s, struct moments *to)
{
	double re[POWERS][POWERS / 2 + 1], im[POWERS][POWERS / 2 + 1];
	int degree = m->z->degree;

	for (int k = 0; k <= degree; k++)
		for (int p = 0; k + 2 * p <= degree; p++) {
			const double *w = m->t->w[k][p];
			double part[2] = { 0, 0 };

			for (int a = 0; a <= k + 2 * p; a++)
				part[a % 2] += w[a] * s->s[k + 2 * p - a][a / 4][a % 4];
			re[k][p] = part[0];
			im[k][p] = part[1];
		}
	for (size_t i = 0; i < m->terms; i++) {
		int k = m->t->m[i], half = (m->t->n[i] - k) / 2;
		double r = 0, c = 0;

		for (int j = 0; j <= half; j++) {
			r += m->t->c[i][j] * re[k][half - j];
			c += m->t->c[i][j] * im[k][half - j];
		}
		to->re[i] = r;
		to->im[i] = c;
	}
}

/* ---- V of each pixel */

static void add_pixel(const struct measure *m, double y, double x, const double *p, struct moments *shape,
		      struct moments *radial)
{
	double zr[ZERNIKE_MAX_DEGREE + 1], zi[ZERNIKE_MAX_DEGREE + 1], q = x * x + y * y;
	size_t i = 0;

	if (!m->z->drop && q > 1)
		q = 1;
	zr[0] = 1;
	zi[0] = 0;
	for (int k = 1; k <= m->z->degree; k++) {
		zr[k] = zr[k - 1] * y - zi[k - 1] * x;
		zi[k] = zr[k - 1] * x + zi[k - 1] * y;
	}
	for (int n = 0; n <= m->z->degree; n++)
		for (int k = n % 2; k <= n; k += 2, i++) {
			double v = 0;

			for (int j = 0; j <= (n - k) / 2; j++)
				v = v * q + m->t->c[i][j];
			shape->re[i] += v * zr[k];
			shape->im[i] += v * zi[k];
			if (p) {
				radial->re[i] += v * zr[k] * *p;
				radial->im[i] += v * zi[k] * *p;
			}
		}
}

static void pixel_sums(const struct measure *m, const struct disc *d, struct scratch *s, struct moments *shape,
		       struct moments *radial)
{
	for (size_t i = 0; i < d->o->count; i++) {
		double y = disc_y(d, d->run[i].y);
		struct run r = m->z->drop ? within(d, y, d->run[i]) : d->run[i];

		if (radial && r.x1 > r.x0)
			pixels_raw(m->p, r.y * m->p->nx + r.x0, r.x1 - r.x0, s->raw);
		for (uint32_t x = r.x0; x < r.x1; x++)
			add_pixel(m, y, disc_x(d, x), radial ? &s->raw[x - r.x0] : NULL, shape, radial);
	}
}

/* ---- an object */

static bool all_finite(const struct measure *m, const struct disc *d, double *raw)
{
	if (m->p->type != DT_F32 && m->p->type != DT_F64)
		return true;
	for (size_t i = 0; i < d->o->count; i++) {
		const struct run *r = &d->run[i];

		pixels_raw(m->p, r->y * m->p->nx + r->x0, r->x1 - r->x0, raw);
		for (uint32_t x = 0; x < r->x1 - r->x0; x++)
			if (!isfinite(raw[x]))
				return false;
	}
	return true;
}

/* A = (-i)^m S: f conj(V) with z = x + iy, from the sum with z = y + ix.  Zero stays +0. */
static void turn(double *re, double *im, int m)
{
	double r = *re, i = *im;

	*re = (m % 4 == 0 ? r : m % 4 == 1 ? i : m % 4 == 2 ? -r : -i) + 0.0;
	*im = (m % 4 == 0 ? i : m % 4 == 1 ? -r : m % 4 == 2 ? -i : r) + 0.0;
}

/* hypot, in a tenth of its time where squares are far from the limits of a double */
static double modulus(double re, double im)
{
	double square = re * re + im * im;

	return square > 1e-280 && square < 1e280 ? sqrt(square) : hypot(re, im);
}

static void put_values(const struct measure *m, const struct disc *d, const struct moments *shape, const struct moments *radial,
		       double *to)
{
	double area = M_PI * d->c.r * d->c.r;

	if (m->z->shape)
		for (size_t i = 0; i < m->terms; i++)
			*to++ = modulus(shape->re[i], shape->im[i]) / area * (m->z->textbook ? m->t->n[i] + 1 : 1);
	for (size_t i = 0; radial && i < m->terms; i++) {
		double re = radial->re[i] / m->p->divisor, im = radial->im[i] / m->p->divisor, by = (double)d->o->pixels;

		if (m->z->textbook) {
			turn(&re, &im, m->t->m[i]);
			by = area / (m->t->n[i] + 1);
		}
		*to++ = modulus(re, im) / by;
		*to++ = m->z->textbook ? atan2(im, re) : atan2(re, im);
	}
}

static void put_circle(const struct disc *d, double *to)
{
	to[0] = d->oy + d->c.y;
	to[1] = d->ox + d->c.x;
	to[2] = d->c.r;
}

static void measure_object(void *context, size_t i, int member)
{
	const struct measure *m = context;
	struct scratch *s = &m->scratch[member];
	const struct object *o = &m->o->object[m->first + i];
	struct disc d = { .o = o, .run = m->o->run + o->first };
	double *value = m->value + i * m->columns;
	struct moments shape, radial;
	bool finite;

	for (size_t c = 0; c < m->columns; c++)
		value[c] = NAN;
	m->reason[i] = "";
	find_circle(&d, m->z, s);
	if (m->z->circle)
		put_circle(&d, value + m->columns - 3);
	if (d.c.r == 0) {
		m->reason[i] = "single-pixel";
		return;
	}
	finite = !m->z->radial || all_finite(m, &d, s->raw);
	if (!finite)
		m->reason[i] = "nonfinite";
	finite = finite && m->z->radial && !m->z->no_radial;
	if (m->z->degree <= ZERNIKE_POWER_DEGREE && !m->z->direct) {
		struct power_sums ps, pr;

		memset(&ps, 0, sizeof ps);
		memset(&pr, 0, sizeof pr);
		power_sums(m, &d, s, &ps, finite ? &pr : NULL);
		expand(m, &ps, &shape);
		if (finite)
			expand(m, &pr, &radial);
	} else {
		memset(&shape, 0, sizeof shape);
		memset(&radial, 0, sizeof radial);
		pixel_sums(m, &d, s, &shape, finite ? &radial : NULL);
	}
	put_values(m, &d, &shape, finite ? &radial : NULL, value);
}

/* ---- all of them */

static size_t quads_of(int degree)
{
	return degree > ZERNIKE_POWER_DEGREE ? QUADS : (size_t)degree / 4 + 1;
}

size_t zernike_bytes(const struct zernike_opts *z, size_t ny, size_t nx, int threads)
{
	size_t one = (4 * ny + 2 * nx + 2) * sizeof(struct grid_point) + nx * sizeof(double) +
		     (2 * nx + 1) * quads_of(z->degree) * sizeof(quad);

	return (size_t)threads * one + sizeof(struct tables);
}

static int make_scratch(struct scratch *s, const struct measure *m)
{
	size_t rows = m->o->ny, nx = m->o->nx;

	s->point = mem_try("hull", 2 * rows, sizeof *s->point);
	s->hull = mem_try("hull", 2 * rows + 1, sizeof *s->hull);
	s->power = mem_try("powers", nx * m->quads, sizeof *s->power);
	s->prefix = mem_try("powers", (nx + 1) * m->quads, sizeof *s->prefix);
	s->raw = mem_try("row", nx, sizeof *s->raw);
	return s->point && s->hull && s->power && s->prefix && s->raw ? 0 : -1;
}

int zernike_measure(const struct zernike_opts *z, const struct pixels *p, const struct objects *o, size_t first, size_t n,
		    int threads, double *value, const char **reason)
{
	struct tables *t = mem_new(1, sizeof *t);
	struct measure m = { .z = z, .p = p, .o = o, .t = t, .first = first, .value = value, .reason = reason };
	int rc = -1;

	m.terms = zernike_terms(z->degree);
	m.columns = zernike_columns(z);
	m.quads = quads_of(z->degree);
	m.scratch = mem_new((size_t)threads, sizeof *m.scratch);
	make_tables(t, z);
	for (int i = 0; i < threads; i++)
		if (make_scratch(&m.scratch[i], &m) != 0)
			goto done;
	team_run(threads, n, measure_object, &m);
	rc = 0;
done:
	for (int i = 0; i < threads; i++) {
		free(m.scratch[i].point);
		free(m.scratch[i].hull);
		free(m.scratch[i].power);
		free(m.scratch[i].prefix);
		free(m.scratch[i].raw);
	}
	free(m.scratch);
	free(t);
	return rc;
}
