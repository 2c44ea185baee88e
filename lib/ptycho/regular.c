#include "ptycho/regular.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "base/team.h"
#include "ptycho/geometry.h"
#include "ptycho/model.h"
#include "ptycho/transform.h"

/* ---- smoothing */

enum { RE, IM, LIGHT, PARTS };

struct blur {
	size_t h, w;
	long radius;
	float *tap; /* [2 radius + 1] */
	float complex *object;
	const float *light;
	float most;
	float *part[PARTS]; /* [h][w], smoothed along rows */
};

/* to[x] += by * from[x + shift] where both exist */
static void add_shifted(float *restrict to, const float *restrict from, size_t n, long shift,
			float by)
{
	size_t first = shift < 0 ? (size_t)-shift : 0, last = shift > 0 ? n - (size_t)shift : n;

	for (size_t x = first; x < last; x++)
		to[x] += by * from[(size_t)((long)x + shift)];
}

static void along_row(void *context, size_t y, int member)
{
	struct blur *b = context;
	const float complex *o = b->object + y * b->w;
	float *row = mem_new(b->w, PARTS * sizeof *row);

	(void)member;
	for (size_t x = 0; x < b->w; x++) {
		float c = b->light[y * b->w + x] / b->most;

		row[RE * b->w + x] = c > 0 ? c * crealf(o[x]) : 0;
		row[IM * b->w + x] = c > 0 ? c * cimagf(o[x]) : 0;
		row[LIGHT * b->w + x] = c;
	}
	for (int i = 0; i < PARTS; i++) {
		memset(b->part[i] + y * b->w, 0, b->w * sizeof(float));
		for (long k = -b->radius; k <= b->radius; k++)
			if (labs(k) < (long)b->w)
				add_shifted(b->part[i] + y * b->w, row + (size_t)i * b->w, b->w, k,
					    b->tap[k + b->radius]);
	}
	free(row);
}

static void along_columns(void *context, size_t y, int member)
{
	struct blur *b = context;
	float complex *o = b->object + y * b->w;
	float *sum = mem_new(b->w, PARTS * sizeof *sum);

	(void)member;
	for (int i = 0; i < PARTS; i++)
		for (long k = -b->radius; k <= b->radius; k++) {
			long from = (long)y + k;

			if (from >= 0 && from < (long)b->h)
				add_shifted(sum + (size_t)i * b->w,
					    b->part[i] + (size_t)from * b->w, b->w, 0,
					    b->tap[k + b->radius]);
		}
	for (size_t x = 0; x < b->w; x++) {
		float c = sum[LIGHT * b->w + x];

		if (b->light[y * b->w + x] > 0 && c > 0)
			o[x] = CMPLXF(sum[RE * b->w + x] / c, sum[IM * b->w + x] / c);
	}
	free(sum);
}

int regular_smooth(struct ptycho *p, double sigma)
{
	struct blur b = { .h = p->h, .w = p->w, .radius = (long)ceil(4 * sigma) };
	double most;
	int rc = -1;

	b.tap = mem_new((size_t)(2 * b.radius + 1), sizeof *b.tap);
	for (long k = -b.radius; k <= b.radius; k++)
		b.tap[k + b.radius] = (float)exp(-(double)(k * k) / (2 * sigma * sigma));
	for (int i = 0; i < PARTS; i++) {
		b.part[i] = mem_try("object", p->h * p->w, sizeof(float));
		if (!b.part[i])
			goto done;
	}
	if (model_illumination(p, p->W) != 0 || model_max(p->W, p->h * p->w, &most) != 0)
		goto done;
	b.light = buf_map(p->W, MAP_READ);
	b.object = b.light ? buf_map(p->object, MAP_READ | MAP_WRITE) : NULL;
	if (!b.object)
		goto done;
	b.most = (float)most;
	if (most > 0) {
		team_run(dev_threads(p->d), p->h, along_row, &b);
		team_run(dev_threads(p->d), p->h, along_columns, &b);
	}
	rc = buf_unmap(p->object) != 0 || buf_unmap(p->W) != 0 ? -1 : 0;
done:
	for (int i = 0; i < PARTS; i++)
		free(b.part[i]);
	free(b.tap);
	return rc;
}

/* ---- the notch */

struct grid {
	double step[2];
	size_t first[2], n[2]; /* the box */
	long periods[2];
};

static bool find_grid(const double (*s)[2], const double (*now)[2], size_t k, size_t n,
		      struct grid *g)
{
	if (!windows_lattice(s, k, g->step))
		return false;
	for (int a = 0; a < 2; a++) {
		double lo = INFINITY, hi = -INFINITY, by = INFINITY;

		for (size_t i = 0; i < k; i++) {
			lo = fmin(lo, s[i][a]);
			hi = fmax(hi, s[i][a]);
			by = fmin(by, now[i][a]);
		}
		g->periods[a] = g->step[a] > 0 ? lround((hi - lo) / g->step[a]) : 0;
		g->n[a] = (size_t)lround(hi - lo);
		g->first[a] = (size_t)fmax(floor(by + 0.5), 0) + n / 2;
		if (g->periods[a] < NOTCH_PERIODS)
			return false;
	}
	return true;
}

int regular_notch_check(const char *path, const double (*s)[2], size_t k)
{
	struct grid g;

	if (k < 3 || !windows_lattice(s, k, g.step))
		return error("'%s': the positions are no exact raster, expected one for --notch",
			     path);
	return find_grid(s, s, k, 0, &g) ? 0
					 : error("'%s': a raster with fewer than %d steps along an "
						 "axis, expected more for --notch",
						 path, NOTCH_PERIODS);
}

static int ascending(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

static size_t wrap(long i, size_t n)
{
	long m = i % (long)n;

	return (size_t)(m < 0 ? m + (long)n : m);
}

/* Median amplitude around a bin. */
static float around(const struct grid *g, const float complex *spectrum, long v, long u)
{
	enum { FAR = 4, SIDE = 2 * FAR + 1 };
	long far[2];
	float near[SIDE * SIDE];
	size_t n = 0;

	for (int a = 0; a < 2; a++)
		far[a] = g->periods[a] / 2 < FAR ? g->periods[a] / 2 : FAR;
	for (long y = -far[0]; y <= far[0]; y++)
		for (long x = -far[1]; x <= far[1]; x++)
			if (labs(y) > 1 || labs(x) > 1)
				near[n++] = cabsf(spectrum[wrap(v + y, g->n[0]) * g->n[1] +
							   wrap(u + x, g->n[1])]);
	qsort(near, n, sizeof *near, ascending);
	return near[n / 2];
}

/* The object in the box, times a Hann window, whose sum is a quarter of the box. */
static void windowed(const struct ptycho *p, const struct grid *g, const float complex *object,
		     float complex *to)
{
	for (size_t y = 0; y < g->n[0]; y++)
		for (size_t x = 0; x < g->n[1]; x++) {
			double v = sin(M_PI * (double)y / (double)g->n[0]),
			       u = sin(M_PI * (double)x / (double)g->n[1]);

			to[y * g->n[1] + x] = (float)(v * v * u * u) *
					      object[(g->first[0] + y) * p->w + g->first[1] + x];
		}
}

/* Leaves in the spectrum only what is above the neighbourhood, at the raster's multiples, as
 * amplitudes of plane waves. */
static void excess(const struct grid *g, const float complex *spectrum, float complex *to)
{
	long most[2] = { (long)floor(g->step[0] / 2), (long)floor(g->step[1] / 2) };
	float per_wave = 4 / (float)(g->n[0] * g->n[1]);

	for (long j = -most[0]; j <= most[0]; j++)
		for (long i = -most[1]; i <= most[1]; i++) {
			long v = j * g->periods[0], u = i * g->periods[1];
			size_t at = wrap(v, g->n[0]) * g->n[1] + wrap(u, g->n[1]);
			float size = cabsf(spectrum[at]), limit = around(g, spectrum, v, u);

			if ((j || i) && size > limit)
				to[at] = spectrum[at] * (1 - limit / size) * per_wave;
		}
}

int regular_notch(struct ptycho *p)
{
	struct grid g;
	float complex *object, *spectrum = NULL, *over = NULL;
	size_t n;
	int rc = -1;

	if (!find_grid((const double(*)[2])p->s0, (const double(*)[2])p->s, p->k, p->n, &g))
		return error(
			"the positions are no exact raster any more, expected one for --notch");
	for (int a = 0; a < 2; a++) { /* refined positions may have walked */
		size_t room = (a ? p->w : p->h) - g.n[a];

		if (g.first[a] > room)
			g.first[a] = room;
	}
	n = g.n[0] * g.n[1];
	spectrum = mem_try("object", n, sizeof *spectrum);
	over = spectrum ? mem_try("object", n, sizeof *over) : NULL;
	object = over ? buf_map(p->object, MAP_READ | MAP_WRITE) : NULL;
	if (!object)
		goto done;
	memset(over, 0, n * sizeof *over);
	windowed(p, &g, object, spectrum);
	if (transform_host(p->d, FFT_FORWARD, g.n[0], g.n[1], spectrum) == 0) {
		excess(&g, spectrum, over);
		rc = transform_host(p->d, FFT_BACKWARD, g.n[0], g.n[1], over);
	}
	for (size_t i = 0; i < n && rc == 0; i++)
		object[(g.first[0] + i / g.n[1]) * p->w + g.first[1] + i % g.n[1]] -= over[i];
	if (buf_unmap(p->object) != 0)
		rc = -1;
done:
	free(spectrum);
	free(over);
	return rc;
}
