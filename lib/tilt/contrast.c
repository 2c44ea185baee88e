#include "tilt/contrast.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void contrast_taper(size_t n, double frac, float *w)
{
	double r = frac * (double)n / 2;

	for (size_t i = 0; i < n; i++) {
		double t = fmin((double)i + 0.5, (double)(n - i) - 0.5);

		w[i] = (float)(t < r ? 0.5 - 0.5 * cos(M_PI * t / r) : 1);
	}
}

/* Index into n samples of a border mirrored without repeating the edge sample. */
static size_t reflect(long i, long n)
{
	if (n == 1)
		return 0;
	i = labs(i) % (2 * n - 2);
	return (size_t)(i < n ? i : 2 * n - 2 - i);
}

/* The same with the edge sample repeated. */
static size_t symmetric(long i, long n)
{
	i %= 2 * n;
	if (i < 0)
		i += 2 * n;
	return (size_t)(i < n ? i : 2 * n - 1 - i);
}

/* Running mean over [i - size div 2, i - size div 2 + size) of n samples `step` apart. */
static void running_mean(const double *in, size_t n, size_t step, size_t size, double *out)
{
	double sum = 0;
	long lo = -(long)(size / 2), len = (long)n;

	for (size_t k = 0; k < size; k++)
		sum += in[symmetric(lo + (long)k, len) * step];
	for (size_t i = 0; i < n; i++, lo++) {
		out[i * step] = sum / (double)size;
		sum += in[symmetric(lo + (long)size, len) * step] - in[symmetric(lo, len) * step];
	}
}

static void flatten(float *a, size_t ny, size_t nx, size_t size)
{
	double *in = mem_new(ny * nx, sizeof *in), *mean = mem_new(ny * nx, sizeof *mean);

	for (size_t i = 0; i < ny * nx; i++)
		in[i] = a[i];
	for (size_t x = 0; x < nx; x++)
		running_mean(in + x, ny, nx, size, mean + x);
	memcpy(in, mean, ny * nx * sizeof *in);
	for (size_t y = 0; y < ny; y++)
		running_mean(in + y * nx, nx, 1, size, mean + y * nx);
	for (size_t i = 0; i < ny * nx; i++)
		a[i] = (float)(a[i] / mean[i]);
	free(in);
	free(mean);
}

void contrast_pad(const struct tile_box *box, size_t pad, const float *src, size_t stride,
		  float *out)
{
	size_t ny = box->h + 2 * pad, nx = box->w + 2 * pad;

	for (size_t y = 0; y < ny; y++) {
		size_t from = reflect((long)y - (long)pad, (long)box->h);
		const float *row = src + (box->y + from) * stride + box->x;
		float *o = out + y * nx;

		for (size_t x = 0; x < pad; x++) {
			o[x] = row[reflect((long)x - (long)pad, (long)box->w)];
			o[pad + box->w + x] = row[reflect((long)(box->w + x), (long)box->w)];
		}
		memcpy(o + pad, row, box->w * sizeof *o);
	}
}

static void apply_taper(double frac, size_t ny, size_t nx, float *a)
{
	float *wy = mem_new(ny + nx, sizeof *wy), *wx = wy + ny;

	contrast_taper(ny, frac, wy);
	contrast_taper(nx, frac, wx);
	for (size_t y = 0; y < ny; y++)
		for (size_t x = 0; x < nx; x++)
			a[y * nx + x] *= wy[y] * wx[x];
	free(wy);
}

int contrast_plane(const struct contrast *c, const struct tile_box *box, const float *src,
		   size_t stride, float *out)
{
	size_t ny = box->h + 2 * c->pad, nx = box->w + 2 * c->pad;
	double sum = 0, mean, scale;

	contrast_pad(box, c->pad, src, stride, out);
	if (c->flatten)
		flatten(out, ny, nx, c->flatten);
	for (size_t i = 0; i < ny * nx; i++)
		sum += out[i];
	mean = sum / (double)(ny * nx);
	if (c->clamp_mean && mean < 1e-12)
		mean = 1e-12;
	if (!(mean > 0) || !isfinite(mean))
		return -1;
	scale = 1 / mean;
	for (size_t i = 0; i < ny * nx; i++)
		out[i] = (float)(out[i] * scale - 1);
	if (c->taper > 0)
		apply_taper(c->taper, ny, nx, out);
	return 0;
}
