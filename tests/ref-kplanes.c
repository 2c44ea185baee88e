#include "tests/ref-kplanes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

bool near(double got, double want, double tol)
{
	return fabs(got - want) <= tol * fmax(1, fabs(want));
}

double off(const float *got, const double *want, size_t n)
{
	double worst = 0, top = 0;

	for (size_t i = 0; i < n; i++) {
		worst = fmax(worst, isfinite(got[i]) ? fabs((double)got[i] - want[i]) : INFINITY);
		top = fmax(top, fabs(want[i]));
	}
	return top > 0 ? worst / top : worst;
}

static double bilinear(const double *v, size_t h, size_t w, double gw, double gh)
{
	double x = fmin(fmax((gw + 1) / 2 * (double)(w - 1), 0), (double)(w - 1));
	double y = fmin(fmax((gh + 1) / 2 * (double)(h - 1), 0), (double)(h - 1));
	size_t x0 = w > 1 ? (size_t)fmin(floor(x), (double)(w - 2)) : 0, x1 = w > 1 ? x0 + 1 : 0;
	size_t y0 = h > 1 ? (size_t)fmin(floor(y), (double)(h - 2)) : 0, y1 = h > 1 ? y0 + 1 : 0;

	x -= (double)x0;
	y -= (double)y0;
	return (1 - y) * ((1 - x) * v[y0 * w + x0] + x * v[y0 * w + x1]) +
	       y * ((1 - x) * v[y1 * w + x0] + x * v[y1 * w + x1]);
}

void ref_features(const struct ref *r, const double p[3], double *out)
{
	for (size_t l = 0; l < r->levels; l++)
		for (size_t t = 0; t < r->t; t++) {
			size_t h = r->size[l][0], w = r->size[l][1];
			double q[3];

			for (int i = 0; i < 3; i++)
				q[i] = r->rot[t][3 * i] * p[0] + r->rot[t][3 * i + 1] * p[1] +
				       r->rot[t][3 * i + 2] * p[2];
			for (size_t c = 0; c < r->c; c++) {
				const double *v = r->planes[l] + (3 * t * r->c + c) * h * w;

				*out++ = bilinear(v, h, w, q[0], q[1]) *
					 bilinear(v + r->c * h * w, h, w, q[2], q[0]) *
					 bilinear(v + 2 * r->c * h * w, h, w, q[1], q[2]);
			}
		}
}

double ref_sum(const struct ref *r, const double *pts, size_t n, const float *up)
{
	size_t f = r->levels * r->t * r->c;
	double *v = mem_new(f, sizeof *v), sum = 0;

	for (size_t b = 0; b < n; b++) {
		ref_features(r, pts + 3 * b, v);
		for (size_t i = 0; i < f; i++)
			sum += v[i] * (double)up[b * f + i];
	}
	free(v);
	return sum;
}

struct ref ref_of(const struct kplanes_model *m)
{
	struct ref r = { .t = m->rotations, .c = m->channels, .levels = m->levels };

	for (size_t t = 0; t < r.t; t++)
		for (int i = 0; i < 9; i++)
			r.rot[t][i] = (double)m->rot[t][i];
	for (size_t l = 0; l < r.levels; l++) {
		memcpy(r.size[l], m->size[l], sizeof r.size[l]);
		r.planes[l] = mem_new(kplanes_texels(m, l), sizeof(double));
		for (size_t i = 0; i < kplanes_texels(m, l); i++)
			r.planes[l][i] = (double)m->planes[l][i];
	}
	return r;
}

void ref_clear(struct ref *r)
{
	for (size_t l = 0; l < r->levels; l++)
		free(r->planes[l]);
}

double ref_to_line(const struct ref *r, const double p[3])
{
	double least = 1;

	for (size_t l = 0; l < r->levels; l++)
		for (size_t t = 0; t < r->t; t++)
			for (int i = 0; i < 3; i++)
				for (int k = 0; k < 2; k++) {
					const double *a = r->rot[t] + 3 * i;
					double x = (a[0] * p[0] + a[1] * p[1] + a[2] * p[2] + 1) /
						   2 * (double)(r->size[l][k] - 1);

					least = fmin(least,
						     r->size[l][k] > 1 ? fabs(x - rint(x)) : 1);
				}
	return least;
}

struct kplanes_model model_random(size_t t, size_t c, size_t levels, const size_t size[][2])
{
	struct kplanes_model m = { .rotations = t,
				   .channels = c,
				   .levels = levels,
				   .shape = { 3, 4, 5 },
				   .scale = 1,
				   .has_quat = true };

	for (size_t l = 0; l < levels; l++)
		memcpy(m.size[l], size[l], sizeof m.size[l]);
	kplanes_random(&m, 5);
	for (size_t k = 0; k < t; k++) {
		kplanes_shoemake(7, k, m.quat[k]);
		kplanes_rotation(m.quat[k], m.rot[k]);
	}
	return m;
}

struct kplanes_model model_small(const float quat[4])
{
	static const float planes[18] = { 1, 2, 3, 4, 5, 6, 2, 0, 1, 1, 3, 5, 1, 1, 2, 0, 2, 4 };
	struct kplanes_model m = model_random(1, 1, 1, (const size_t[][2]){ { 2, 3 } });

	memcpy(m.planes[0], planes, sizeof planes);
	memcpy(m.quat[0], quat, sizeof m.quat[0]);
	kplanes_rotation(quat, m.rot[0]);
	return m;
}
