#include "ptycho/ramp.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "ptycho/transform.h"

enum { ROUNDS = 8 };

struct light {
	size_t h, w;
	const float complex *object;
	const float *weight;
	double complex *column; /* [w] exp(-i k_x x) of the sum at hand */
};

static double complex turn(double angle)
{
	return cos(angle) - I * sin(angle);
}

static double complex sum_at(struct light *l, const double k[2])
{
	double complex sum = 0;

	for (size_t x = 0; x < l->w; x++)
		l->column[x] = turn(k[1] * (double)x);
	for (size_t y = 0; y < l->h; y++) {
		double complex row = 0;

		for (size_t x = 0; x < l->w; x++) {
			size_t i = y * l->w + x;

			if (l->weight[i] > 0)
				row += (double)l->weight[i] * (double complex)l->object[i] *
				       l->column[x];
		}
		sum += row * turn(k[0] * (double)y);
	}
	return sum;
}

static double power(double complex v)
{
	return creal(v) * creal(v) + cimag(v) * cimag(v);
}

/* The bin of the peak, with its sign, in radians per pixel. */
static void find_peak(const struct light *l, const float complex *spectrum, double k[2])
{
	size_t best = 0;

	for (size_t i = 0; i < l->h * l->w; i++)
		if (power(spectrum[i]) > power(spectrum[best]))
			best = i;
	for (int a = 0; a < 2; a++) {
		size_t n = a ? l->w : l->h, bin = a ? best % l->w : best / l->w;

		k[a] = 2 * M_PI * ((double)bin - (2 * bin > n ? (double)n : 0)) / (double)n;
	}
}

/* Towards the maximum along each axis in turn, in steps that shrink from half a bin. */
static void refine(struct light *l, double k[2])
{
	double step[2] = { M_PI / (double)l->h, M_PI / (double)l->w };

	for (int r = 0; r < ROUNDS; r++)
		for (int a = 0; a < 2; a++) {
			double v[3], at = k[a], curve, by;

			for (int i = 0; i < 3; i++) {
				k[a] = at + (i - 1) * step[a];
				v[i] = power(sum_at(l, k));
			}
			curve = v[0] - 2 * v[1] + v[2];
			by = curve < 0 ? (v[0] - v[2]) / (2 * curve) : v[2] > v[0] ? 1 : -1;
			k[a] = at + fmin(fmax(by, -1), 1) * step[a];
			step[a] /= 3;
		}
}

int ramp_remove(struct dev *d, size_t h, size_t w, float complex *object, const float *weight,
		double k[2])
{
	struct light l = { h, w, object, weight, mem_new(w, sizeof *l.column) };
	float complex *spectrum = mem_try("ramp", h * w, sizeof *spectrum);
	double at[2];
	double complex sum;
	int rc = -1;

	if (!spectrum)
		goto done;
	for (size_t i = 0; i < h * w; i++)
		spectrum[i] = weight[i] * object[i];
	if (transform_host(d, FFT_FORWARD, h, w, spectrum) != 0)
		goto done;
	find_peak(&l, spectrum, at);
	refine(&l, at);
	sum = sum_at(&l, at);
	for (size_t i = 0; i < h * w; i++)
		object[i] = (float complex)(
			(double complex)object[i] *
			turn(at[0] * (double)(i / w) + at[1] * (double)(i % w) + carg(sum)));
	for (int a = 0; k && a < 2; a++)
		k[a] = at[a];
	rc = 0;
done:
	free(spectrum);
	free(l.column);
	return rc;
}
