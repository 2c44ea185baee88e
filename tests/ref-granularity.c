#include "tests/ref-granularity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EACH(z, y, x, n)                                                                           \
	for (size_t z = 0; z < (n)[0]; z++)                                                        \
		for (size_t y = 0; y < (n)[1]; y++)                                                \
			for (size_t x = 0; x < (n)[2]; x++)
#define AT(z, y, x, n) (((size_t)(z) * (n)[1] + (size_t)(y)) * (n)[2] + (size_t)(x))

static size_t total(const size_t n[3])
{
	return n[0] * n[1] * n[2];
}

/* The smallest (sign 1) or largest (sign -1) sample within the ball around one. */
static double extreme(const double *a, const size_t n[3], int radius, size_t z, size_t y, size_t x,
		      int sign)
{
	const long c[3] = { (long)z, (long)y, (long)x }, r = radius;
	double best = sign * INFINITY;
	long lo[3], hi[3];

	for (int k = 0; k < 3; k++) {
		lo[k] = c[k] > r ? c[k] - r : 0;
		hi[k] = c[k] + r < (long)n[k] ? c[k] + r : (long)n[k] - 1;
	}
	for (long qz = lo[0]; qz <= hi[0]; qz++)
		for (long qy = lo[1]; qy <= hi[1]; qy++)
			for (long qx = lo[2]; qx <= hi[2]; qx++) {
				long dz = qz - c[0], dy = qy - c[1], dx = qx - c[2];

				if (dz * dz + dy * dy + dx * dx <= r * r &&
				    sign * a[AT(qz, qy, qx, n)] < sign * best)
					best = a[AT(qz, qy, qx, n)];
			}
	return best;
}

void ref_opening(double *a, const size_t n[3], int radius, const uint8_t *valid)
{
	double *b = malloc(total(n) * sizeof *b);

	for (int sign = 1; sign >= -1; sign -= 2) {
		for (size_t i = 0; valid && i < total(n); i++)
			a[i] = valid[i] ? a[i] : 0;
		EACH(z, y, x, n)
		b[AT(z, y, x, n)] = extreme(a, n, radius, z, y, x, sign);
		memcpy(a, b, total(n) * sizeof *b);
	}
	free(b);
}

/* Smallest or largest over a sample and its face neighbours: a ball of radius 1. */
static void cross(const double *a, double *to, const size_t n[3], int sign)
{
	EACH(z, y, x, n)
	to[AT(z, y, x, n)] = extreme(a, n, 1, z, y, x, sign);
}

void ref_reconstructions(const double *f, const uint8_t *valid, const size_t n[3], int length,
			 double *r)
{
	size_t m = total(n);
	double *e = malloc(m * sizeof *e), *t = malloc(m * sizeof *t);

	for (size_t i = 0; i < m; i++)
		e[i] = !valid || valid[i] ? f[i] : 0;
	for (int k = 0; k < length; k++, r += m) {
		cross(e, t, n, 1);
		memcpy(e, t, m * sizeof *e);
		memcpy(r, e, m * sizeof *r);
		for (int changed = 1; changed;) {
			changed = 0;
			cross(r, t, n, -1);
			for (size_t i = 0; i < m; i++) {
				double v = t[i] < f[i] ? t[i] : f[i];

				changed |= v != r[i];
				r[i] = v;
			}
		}
	}
	free(e);
	free(t);
}

/* Linear, at the coordinates (c0, c1, c2), clamped. */
static double at(const double *a, const size_t n[3], const double c[3])
{
	size_t lo[3], hi[3];
	double w[3], sum = 0;

	for (int k = 0; k < 3; k++) {
		double v = fmin(fmax(c[k], 0), (double)n[k] - 1);

		lo[k] = (size_t)v;
		hi[k] = lo[k] + 1 < n[k] ? lo[k] + 1 : lo[k];
		w[k] = v - (double)lo[k];
	}
	for (int k = 0; k < 8; k++)
		sum += (k & 4 ? w[0] : 1 - w[0]) * (k & 2 ? w[1] : 1 - w[1]) *
		       (k & 1 ? w[2] : 1 - w[2]) *
		       a[AT(k & 4 ? hi[0] : lo[0], k & 2 ? hi[1] : lo[1], k & 1 ? hi[2] : lo[2],
			    n)];
	return sum;
}

/* Samples of a at i * step[0], j * step[1] ... */
static double *resampled(const double *a, const size_t n[3], const size_t m[3],
			 const double step[3])
{
	double *to = malloc(total(m) * sizeof *to);

	EACH(z, y, x, m)
	to[AT(z, y, x, m)] = at(
		a, n, (double[]){ (double)z * step[0], (double)y * step[1], (double)x * step[2] });
	return to;
}

static uint8_t *thresholded(double *a, size_t m)
{
	uint8_t *to = malloc(m);

	for (size_t i = 0; i < m; i++)
		to[i] = a[i] > 0.9;
	free(a);
	return to;
}

static double mean_of(const double *a, const uint8_t *valid, const uint32_t *labels, uint32_t label,
		      size_t m)
{
	double sum = 0, count = 0;

	for (size_t i = 0; i < m; i++)
		if ((!valid || valid[i]) && (!labels || labels[i] == label)) {
			sum += a[i];
			count++;
		}
	return sum / count;
}

/* Number k of the spectrum from two means; *last becomes the newer one. */
static double loss(double *last, double next, double start)
{
	double v = (*last - next) * 100 / fmax(start, 2.220446049250313e-16);

	*last = next;
	return v;
}

void ref_spectra(const double *p, const uint8_t *mask, const uint32_t *labels, size_t objects,
		 const size_t n[3], int volume, const double s[3], const double b[3], int radius,
		 int length, double *spectrum)
{
	size_t c[3], m[3];
	double real[3], down[3], downer[3], up[3], upper[3], *a, *bg, *g, *r,
		*valid = malloc(total(n) * sizeof *valid);
	uint8_t *cv, *bv;

	for (int k = 0; k < 3; k++) {
		int axis = k > 0 || volume;

		c[k] = axis && s[k] < 1 ? (size_t)((double)n[k] * s[k]) : n[k];
		real[k] = axis && b[k] < 1 ? (double)c[k] * b[k] : (double)c[k];
		m[k] = (size_t)ceil(real[k]);
		down[k] = axis && s[k] < 1 ? 1 / s[k] : 1;
		downer[k] = axis && b[k] < 1 ? 1 / b[k] : 1;
		upper[k] = c[k] > 1 ? (real[k] - 1) / ((double)c[k] - 1) : 0;
		up[k] = n[k] > 1 ? ((double)c[k] - 1) / ((double)n[k] - 1) : 0;
	}
	for (size_t i = 0; i < total(n); i++)
		valid[i] = !mask || mask[i];
	a = resampled(p, n, c, down);
	cv = thresholded(resampled(valid, n, c, down), total(c));
	free(valid);
	valid = malloc(total(c) * sizeof *valid);
	for (size_t i = 0; i < total(c); i++)
		valid[i] = cv[i];
	bg = resampled(a, c, m, downer);
	bv = thresholded(resampled(valid, c, m, downer), total(m));
	ref_opening(bg, m, radius, bv);
	g = resampled(bg, m, c, upper);
	for (size_t i = 0; i < total(c); i++)
		a[i] = fmax(a[i] - g[i], 0);
	r = malloc((size_t)length * total(c) * sizeof *r);
	ref_reconstructions(a, cv, c, length, r);
	for (size_t o = 0; o <= objects; o++) {
		double start = o == 0 ? mean_of(a, cv, NULL, 0, total(c))
				      : mean_of(p, mask, labels, (uint32_t)o, total(n)),
		       last = start;

		for (int k = 0; k < length; k++) {
			const double *rk = r + (size_t)k * total(c);
			double *full = o == 0 ? NULL : resampled(rk, c, n, up);

			spectrum[o * (size_t)length + (size_t)k] =
				loss(&last,
				     o == 0 ? mean_of(rk, cv, NULL, 0, total(c))
					    : mean_of(full, mask, labels, (uint32_t)o, total(n)),
				     start);
			free(full);
		}
	}
	free(a);
	free(bg);
	free(g);
	free(r);
	free(valid);
	free(cv);
	free(bv);
}
