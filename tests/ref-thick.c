#include "tests/ref-tilt.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "tests/ref-inside.h"

static size_t factor_z(const struct optics *o)
{
	double k = o->index / o->wavelength, f = o->na_det / o->wavelength;

	return (size_t)fmax(1, ceil(2 * o->z_step * (k - sqrt(k * k - f * f)) - 1e-9));
}

/* z of plane k (DFT order) of n and, in *window, its weight */
static double thick_plane(const struct optics *o, size_t k, size_t n, double step, double *window)
{
	size_t m = (k + n / 2) % n;	/* numpy's ifftshift: natural position of DFT position k */
	double z = ((double)m - (double)(n / 2)) * step;

	*window = n > 1 ? 0.5 - 0.5 * cos(2 * M_PI * (double)m / (double)(n - 1)) : 1;
	if (!o->peer)
		return z * -o->z_sign * (o->invert ? -1 : 1);
	m = (n - 1 - k + n / 2) % n;	/* the peer reverses the list */
	return o->invert ? ((double)m - (double)(n / 2)) * step : z;
}

void ref_thick_tf(const struct optics *o, size_t nz, size_t ny, size_t nx, size_t pad, double zenith, double azimuth, cplx *re,
		  cplx *im)
{
	struct ref_grid g;
	size_t fz = factor_z(o), np = o->peer ? nz * fz + 2 * pad : (nz + 2 * pad) * fz, m, n = ny * nx;
	double step = o->z_step / (double)fz, i0 = 0, *s;
	cplx *a, *b, *t;

	ref_grid_init(&g, o, ny, nx, false);
	m = g.my * g.mx;
	s = mem_new(m, sizeof *s);
	a = mem_new(2 * m, sizeof *a);
	b = a + m;
	t = mem_new(2 * np * n, sizeof *t);
	ref_source(&g, zenith, azimuth + (o->peer ? 0 : M_PI), s, NULL, NULL);
	for (size_t i = 0; i < m; i++)
		i0 += s[i] * pow(g.p[i], 2);
	for (size_t k = 0; k < np; k++) {
		double window, z = thick_plane(o, k, np, step, &window);

		for (size_t i = 0; i < m; i++) {
			cplx e = g.p[i] * g.p[i] * cexp(2 * M_PI * I * z * g.gamma[i]);

			a[i] = s[i] * e;
			b[i] = e * (-0.25 * I / M_PI) / (g.gamma[i] + (1 - g.p[i]) + 1e-15);
		}
		ref_fft2(a, 2, g.my, g.mx, -1);
		for (size_t i = 0; i < m; i++)
			a[i] = conj(a[i]) * b[i];
		ref_fft2(a, 1, g.my, g.mx, 1);
		for (size_t i = 0; i < n; i++) {
			size_t y = g.iy[i / nx], x = g.ix[i % nx];

			t[k * n + i] = window * a[y * g.mx + x];
			t[(np + k) * n + i] = window * conj(a[(g.my - y) % g.my * g.mx + (g.mx - x) % g.mx]);
		}
	}
	ref_fft_slow(t, np, n, -1);
	ref_fft_slow(t + np * n, np, n, -1);
	for (size_t k = 0; k < nz + 2 * pad; k++) {
		size_t j = ref_lag(k, nz + 2 * pad, np, o->peer);

		for (size_t i = 0; i < n; i++) {
			re[k * n + i] = (t[j * n + i] + t[(np + j) * n + i]) / i0 * step;
			im[k * n + i] = I * (t[j * n + i] - t[(np + j) * n + i]) / i0 * step;
		}
	}
	free(t);
	free(a);
	free(s);
	ref_grid_clear(&g);
}

void ref_thick_reconstruct(const struct optics *o, const double *stack, size_t nz, size_t ny, size_t nx, size_t pad,
			   double zenith, double azimuth, double reg, double ratio, double *phase)
{
	size_t np = nz + 2 * pad, n = ny * nx;
	cplx *h = mem_new(3 * np * n, sizeof *h), *im = h + np * n, *b = im + np * n;
	double sum = 0;

	for (size_t k = 0; k < np; k++) {
		long z = (long)k - (long)pad;

		if (pad < nz)	/* mirrored with the edge plane */
			z = z < 0 ? -1 - z : z >= (long)nz ? 2 * (long)nz - 1 - z : z;
		for (size_t i = 0; i < n; i++)
			sum += creal(b[k * n + i] = z < 0 || z >= (long)nz ? 0 : stack[(size_t)z * n + i]);
	}
	for (size_t k = 0; k < np * n; k++)
		b[k] = b[k] * (double)(np * n) / sum - 1;
	ref_thick_tf(o, nz, ny, nx, pad, zenith, azimuth, h, im);
	ref_fft2(b, np, ny, nx, -1);
	ref_fft_slow(b, np, n, -1);
	for (size_t k = 0; k < np * n; k++) {
		h[k] += ratio * im[k];
		b[k] *= conj(h[k]) / (square(h[k]) + reg);
	}
	ref_fft2(b, np, ny, nx, 1);
	ref_fft_slow(b, np, n, 1);
	for (size_t k = 0; k < nz * n; k++)
		phase[k] = creal(b[pad * n + k]);
	free(h);
}
