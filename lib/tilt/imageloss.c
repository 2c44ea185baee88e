#include "tilt/imageloss.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

bool imageloss_spectral(enum loss_kind k)
{
	return k == LOSS_MIDBAND || k == LOSS_FLATNESS;
}

static double sign(double v)
{
	return (v > 0) - (v < 0);
}

static double total_variation(const float *x, size_t h, size_t w, float *g)
{
	size_t ny = (h - 1) * w, nx = h * (w - 1);
	double sy = 0, sx = 0, ky = -0.5 / (double)(ny ? ny : 1), kx = -0.5 / (double)(nx ? nx : 1);

	for (size_t i = 0; i < h * w; i++) {
		double dy = i + w < h * w ? (double)x[i + w] - x[i] : 0,
		       dx = (i + 1) % w ? (double)x[i + 1] - x[i] : 0;

		sy += fabs(dy);
		sx += fabs(dx);
		if (!g)
			continue;
		if (i + w < h * w) {
			g[i + w] += (float)(ky * sign(dy));
			g[i] -= (float)(ky * sign(dy));
		}
		if ((i + 1) % w) {
			g[i + 1] += (float)(kx * sign(dx));
			g[i] -= (float)(kx * sign(dx));
		}
	}
	return ky * sy + kx * sx;
}

/* 5-point Laplacian with zeros outside. */
static void laplacian(const double *a, size_t h, size_t w, double *out)
{
	for (size_t y = 0; y < h; y++)
		for (size_t x = 0; x < w; x++) {
			size_t i = y * w + x;

			out[i] = (y ? a[i - w] : 0) + (y + 1 < h ? a[i + w] : 0) +
				 (x ? a[i - 1] : 0) + (x + 1 < w ? a[i + 1] : 0) - 4 * a[i];
		}
}

/* Mean and n-1 variance. */
static double variance(const double *a, size_t n, double *mean)
{
	double m = 0, v = 0;

	for (size_t i = 0; i < n; i++)
		m += a[i];
	m /= (double)n;
	for (size_t i = 0; i < n; i++)
		v += (a[i] - m) * (a[i] - m);
	*mean = m;
	return n > 1 ? v / (double)(n - 1) : 0;
}

double imageloss_pixels(enum loss_kind k, const float *x, size_t h, size_t w, float *g)
{
	size_t n = h * w;
	double *a, *l, m, v, e, loss;

	for (size_t i = 0; g && i < n; i++)
		g[i] = 0;
	if (k == LOSS_TV)
		return total_variation(x, h, w, g);
	a = mem_new(2 * n, sizeof *a);
	l = a + n;
	for (size_t i = 0; i < n; i++)
		a[i] = x[i];
	if (k == LOSS_LAPLACIAN) {
		laplacian(a, h, w, l);
		loss = -variance(l, n, &m);
		for (size_t i = 0; g && i < n; i++)
			l[i] = -2 / (double)(n - 1) * (l[i] - m);
		laplacian(l, h, w, a);
		for (size_t i = 0; g && i < n; i++)
			g[i] = (float)a[i];
	} else {
		v = variance(a, n, &m);
		e = m * m + 1e-12;
		loss = -v / e;
		for (size_t i = 0; g && i < n; i++)
			g[i] = (float)(-2 * (a[i] - m) / (double)(n - 1) / e +
				       v * 2 * m / (double)n / (e * e));
	}
	free(a);
	return loss;
}

/* How often a bin of the half spectrum counts in the full one. */
static double times(size_t i, size_t w)
{
	size_t x = i % (w / 2 + 1);

	return x == 0 || 2 * x == w ? 1 : 2;
}

double imageloss_spectrum(enum loss_kind k, float (*q)[2], const unsigned char *mask, size_t h,
			  size_t w, bool gradient)
{
	size_t n = h * (w / 2 + 1);
	double count = 0, sum = 0, logs = 0, mean, flat = 0;
	bool zero = false;

	for (size_t i = 0; i < n; i++)
		if (mask[i]) {
			double r = hypot(q[i][0], q[i][1]), t = times(i, w);

			count += t;
			sum += t * r;
			zero |= r == 0;
			logs += r > 0 ? t * log(r) : 0;
		}
	mean = count > 0 ? sum / count + 1e-12 : 1;
	if (k == LOSS_FLATNESS && count > 0 && !zero)
		flat = exp(logs / count) / mean;
	for (size_t i = 0; gradient && i < n; i++) {
		double r = mask[i] ? hypot(q[i][0], q[i][1]) : 0, f = 0;

		if (r > 0)
			f = k == LOSS_MIDBAND ? -1 / (count * r)
					      : -flat / count * (1 / r - 1 / mean) / r;
		q[i][0] = (float)(q[i][0] * f);
		q[i][1] = (float)(q[i][1] * f);
	}
	if (k == LOSS_MIDBAND)
		return count > 0 ? -sum / count : 0;
	return count > 0 ? -flat : NAN;
}

size_t imageloss_mask(unsigned char *mask, size_t h, size_t w, double pixel, double lo_c,
		      double hi_c)
{
	size_t half = w / 2 + 1, count = 0;

	for (size_t i = 0; i < h * half; i++) {
		double y = (double)(i / half), x = (double)(i % half), f;

		y = y < (double)((h + 1) / 2) ? y : y - (double)h;
		f = sqrt(pow(y / ((double)h * pixel), 2) + pow(x / ((double)w * pixel), 2));
		mask[i] = f > lo_c && f < hi_c;
		count += mask[i] ? (size_t)times(i, w) : 0;
	}
	return count;
}
