#include "ptycho/chores.h"

#include <complex.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "base/team.h"
#include "ptycho/geometry.h"
#include "ptycho/opr.h"
#include "ptycho/probe.h"

static int clamp_object(struct ptycho *p)
{
	const double *a = p->o.amplitude, *f = p->o.phase;
	float complex *o;

	if (a[0] >= a[1] && f[0] >= f[1])
		return 0;
	o = buf_map(p->object, MAP_READ | MAP_WRITE);
	if (!o)
		return -1;
	for (size_t i = 0; i < ptycho_canvas(p); i++) {
		double size = cabs((double complex)o[i]), phase = carg((double complex)o[i]);

		if (a[0] < a[1])
			size = fmin(fmax(size, a[0]), a[1]);
		if (f[0] < f[1])
			phase = fmin(fmax(phase, f[0]), f[1]);
		o[i] = (float complex)(size * cexp(I * phase));
	}
	return buf_unmap(p->object);
}

static int support(struct ptycho *p)
{
	double radius = p->o.support * (double)p->n;
	float complex *probe;

	if (p->o.support <= 0)
		return 0;
	probe = buf_map(p->probe, MAP_READ | MAP_WRITE);
	if (!probe)
		return -1;
	for (size_t i = 0; i < p->modes * p->n * p->n; i++) {
		double y = (double)(i / p->n % p->n) - (double)(p->n / 2), x = (double)(i % p->n) - (double)(p->n / 2);

		if (y * y + x * x > radius * radius)
			probe[i] = 0;
	}
	return buf_unmap(p->probe);
}

/* t = wrap(floor(n / 2 - c + 0.5)), c the centroid on the circle of sum_m |P_m|^2 along an axis */
static long off_centre(const struct ptycho *p, const float complex *probe, int axis)
{
	long n = (long)p->n, t;
	double complex sum = 0;

	for (size_t i = 0; i < p->modes * p->n * p->n; i++) {
		double re = (double)crealf(probe[i]), im = (double)cimagf(probe[i]);
		size_t at = axis ? i % p->n : i / p->n % p->n;

		sum += (re * re + im * im) * cexp(2 * M_PI * I * (double)at / (double)n);
	}
	t = (long)floor((double)(n / 2) - (double)n / (2 * M_PI) * carg(sum) + 0.5);
	t = (t + n / 2) % n;
	return (t < 0 ? t + n : t) - n / 2;
}

static bool fits(const struct ptycho *p, const long t[2])
{
	for (size_t k = 0; k < p->k; k++)
		for (int a = 0; a < 2; a++) {
			double f;
			long i;

			window_split(p->s[k][a] - (double)t[a], &i, &f);
			if (i < 0 || (size_t)i + p->n > (a ? p->w : p->h))
				return false;
		}
	return true;
}

static int recentre(struct ptycho *p)
{
	float complex *probe = buf_map(p->probe, MAP_READ | MAP_WRITE);
	long t[2];

	if (!probe)
		return -1;
	for (int a = 0; a < 2; a++)
		t[a] = off_centre(p, probe, a);
	if (!t[0] && !t[1])
		return buf_unmap(p->probe);
	if (!fits(p, t)) {
		info("iteration %ld: the probe is off centre by %ld, %ld px, and stays: a window would leave the canvas",
		     p->iteration, -t[0], -t[1]);
		return buf_unmap(p->probe);
	}
	probe_roll(p->n, p->modes, t, probe);
	for (int a = 0; a < 2; a++) {
		p->shift[a] += t[a];
		for (size_t k = 0; k < p->k; k++) {
			p->s[k][a] -= (double)t[a];
			p->s0[k][a] -= (double)t[a];
		}
	}
	return buf_unmap(p->probe) != 0 ? -1 : opr_roll(p, t);
}

int chores_orthogonalise(struct ptycho *p)
{
	float complex *probe;

	if (p->modes < 2)
		return 0;
	probe = buf_map(p->probe, MAP_READ | MAP_WRITE);
	if (!probe)
		return -1;
	probe_orthogonalise(p->n, p->modes, probe, NULL);
	return buf_unmap(p->probe);
}

struct scaled {
	float complex *v;
	float by;
};

static void scale_part(void *context, size_t from, size_t to)
{
	struct scaled *s = context;

	for (size_t i = from; i < to; i++)
		s->v[i] *= s->by;
}

static void scale_host(float complex *v, size_t n, double by)
{
	struct scaled s = { v, (float)by };

	team_pieces(n, scale_part, &s);
}

static int scale(struct buf *b, size_t n, double by)
{
	float complex *v = buf_map(b, MAP_READ | MAP_WRITE);

	if (!v)
		return -1;
	scale_host(v, n, by);
	return buf_unmap(b);
}

/* Root of the mean square of a slice in the light W, 0: not to be had. */
static double mean_size(const struct ptycho *p, const float complex *o, const float *w)
{
	double num = 0, den = 0, c;

	for (size_t i = 0; i < p->h * p->w; i++) {
		double re = (double)crealf(o[i]), im = (double)cimagf(o[i]);

		num += (double)w[i] * (re * re + im * im);
		den += (double)w[i];
	}
	c = sqrt(num / den);
	return c > 0 && !isinf(c) ? c : 0;
}

/* The same, of all slices, where one probe P at windows of whole pixels makes the light: sum W |O|^2 = sum |P|^2 V with V = sum_k w_k^2
 * |O|^2 of the windows, row by row of the probe. */
struct common_light {
	const struct ptycho *p;
	const float *o2;	/* [h][w] |O|^2 of a slice */
	const float *p2;	/* [n][n] sum over modes of |P|^2 */
	const size_t *at;	/* [k] first pixel of each window */
	double *row;		/* [n] sums */
};

static void light_row(void *context, size_t r, int member)
{
	const struct common_light *l = context;
	const struct ptycho *p = l->p;
	float *v = mem_new(p->n, sizeof *v);
	double sum = 0;

	(void)member;
	for (size_t k = 0; k < p->k; k++) {
		float w2 = (float)(p->intensity[k] * p->intensity[k]);
		const float *o2 = l->o2 + l->at[k] + r * p->w;

		for (size_t x = 0; x < p->n; x++)
			v[x] += w2 * o2[x];
	}
	for (size_t x = 0; x < p->n; x++)
		sum += (double)v[x] * (double)l->p2[r * p->n + x];
	l->row[r] = sum;
	free(v);
}

struct norms {
	const float complex *a;
	size_t planes, n;
	float *to;
};

static void norms_part(void *context, size_t from, size_t to)
{
	struct norms *c = context;

	for (size_t m = 0; m < c->planes; m++)
		for (size_t i = from; i < to; i++) {
			float re = crealf(c->a[m * c->n + i]), im = cimagf(c->a[m * c->n + i]);

			c->to[i] = (m ? c->to[i] : 0) + (re * re + im * im);
		}
}

/* to[i] = sum over planes of |a|^2 */
static void norms(const float complex *a, size_t planes, size_t n, float *to)
{
	struct norms c = { a, planes, n, to };

	team_pieces(n, norms_part, &c);
}

static size_t *first_pixels(const struct ptycho *p)
{
	size_t *at = mem_new(p->k, sizeof *at);

	for (size_t k = 0; k < p->k; k++) {
		double f;
		long i, j;

		window_split(p->s[k][0], &i, &f);
		window_split(p->s[k][1], &j, &f);
		at[k] = (size_t)i * p->w + (size_t)j;
	}
	return at;
}

static void common_sizes(const struct ptycho *p, const float complex *o, const float complex *probe, double *c)
{
	size_t area = p->h * p->w, n2 = p->n * p->n;
	float *o2 = mem_new(area, sizeof *o2), *p2 = mem_new(n2, sizeof *p2);
	size_t *at = first_pixels(p);
	struct common_light l = { p, o2, p2, at, mem_new(p->n, sizeof *l.row) };
	double power = 0, weight = 0;

	norms(probe, p->modes, n2, p2);
	for (size_t i = 0; i < n2; i++)
		power += (double)p2[i];
	for (size_t k = 0; k < p->k; k++)
		weight += p->intensity[k] * p->intensity[k];
	for (size_t s = 0; s < p->slices; s++) {
		double sum = 0;

		norms(o + s * area, 1, area, o2);
		team_run(0, p->n, light_row, &l);
		for (size_t r = 0; r < p->n; r++)
			sum += l.row[r];
		c[s] = sqrt(sum / (power * weight));
		if (!(c[s] > 0) || isinf(c[s]))
			c[s] = 0;
	}
	free(o2);
	free(p2);
	free(at);
	free(l.row);
}

/* c [slices]: each slice's mean size in the light of the first */
static int sizes(struct ptycho *p, double *c)
{
	bool common = !p->o.subpixel && !p->opr;
	const float complex *o, *probe = NULL;
	const float *w = NULL;
	int rc = -1;

	if (!common && model_illumination(p, p->W) != 0)
		return -1;
	o = buf_map(p->object, MAP_READ);
	if (o && common)
		probe = buf_map(p->probe, MAP_READ);
	if (o && !common)
		w = buf_map(p->W, MAP_READ);
	if (probe)
		common_sizes(p, o, probe, c);
	for (size_t l = 0; w && l < p->slices; l++)
		c[l] = mean_size(p, o + l * p->h * p->w, w);
	rc = probe || w ? 0 : -1;
	if ((probe && buf_unmap(p->probe) != 0) || (w && buf_unmap(p->W) != 0) || (o && buf_unmap(p->object) != 0))
		rc = -1;
	return rc;
}

int chores_gauge(struct ptycho *p)
{
	size_t n = p->h * p->w;
	double *c = mem_new(p->slices, sizeof *c), all = 1;
	float complex *o = sizes(p, c) == 0 ? buf_map(p->object, MAP_READ | MAP_WRITE) : NULL;

	for (size_t l = 0; o && l < p->slices; l++) {
		if (c[l] == 0)
			continue; /* the watchdog says it */
		scale_host(o + l * n, n, 1 / c[l]);
		all *= c[l];
	}
	free(c);
	if (!o || buf_unmap(p->object) != 0)
		return -1;
	p->gauge *= all;
	opr_scale(p, all);
	return scale(p->probe, p->modes * p->n * p->n, all);
}

int chores_run(struct ptycho *p, const struct stage *s, bool last)
{
	bool moves = may_change_probe(p, s), now = s->engine->keeps ? last : true;

	if (clamp_object(p) != 0)
		return -1;
	if (moves && support(p) != 0)
		return -1;
	if (p->o.freeze_probe)
		return 0;
	if (p->o.recentre && now && recentre(p) != 0)
		return -1;
	if (p->o.orthogonalise != ORTH_OFF && (p->o.orthogonalise == ORTH_END ? last : now) && chores_orthogonalise(p) != 0)
		return -1;
	return p->o.gauge && s->engine->gauge ? chores_gauge(p) : 0;
}
