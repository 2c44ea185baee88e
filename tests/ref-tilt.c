#include "tests/ref-tilt.h"

#include <fftw3.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "tests/ref-inside.h"

static double sigmoid(double t)
{
	return 0.5 * (1 + tanh(0.5 * t));
}

static void run_plan(fftw_plan plan, cplx *a, size_t count, double scale)
{
	fftw_execute(plan);
	fftw_destroy_plan(plan);
	for (size_t i = 0; i < count && scale != 1; i++)
		a[i] *= scale;
}

void ref_fft2(cplx *a, size_t n, size_t ny, size_t nx, int sign)
{
	int size[2] = { (int)ny, (int)nx }, dist = (int)(ny * nx);

	run_plan(fftw_plan_many_dft(2, size, (int)n, a, NULL, 1, dist, a, NULL, 1, dist, sign, FFTW_ESTIMATE), a, n * ny * nx,
		 sign > 0 ? 1.0 / (double)(ny * nx) : 1);
}

void ref_fft_slow(cplx *a, size_t nz, size_t n, int sign)
{
	int size = (int)nz, stride = (int)n;

	run_plan(fftw_plan_many_dft(1, &size, stride, a, NULL, stride, 1, a, NULL, stride, 1, sign, FFTW_ESTIMATE), a, nz * n,
		 sign > 0 ? 1.0 / (double)nz : 1);
}

/* ---- pupils */

double ref_freq(size_t k, size_t n)
{
	return k < (n + 1) / 2 ? (double)k : (double)k - (double)n;
}

size_t ref_lag(size_t k, size_t n, size_t m, bool peer)
{
	if (peer)
		return ((m - n) / 2 + (k + n / 2) % n + m - m / 2) % m;
	return k < (n + 1) / 2 ? k : m + k - n;
}

static size_t factor(const struct optics *o)
{
	double sum = ceil(2 * o->pixel * (o->na_det + o->na_ill) / o->wavelength - 1e-9);
	double width = ceil(4 * o->pixel * o->na_det / o->wavelength - 1e-9);

	if (o->oversample > 0)
		return (size_t)o->oversample;
	return (size_t)fmax(1, o->peer ? sum : fmax(sum, width));
}

void ref_grid_init(struct ref_grid *g, const struct optics *o, size_t ny, size_t nx, bool clamp)
{
	double k = o->index / o->wavelength;

	*g = (struct ref_grid){ .o = *o, .ny = ny, .nx = nx };
	if (clamp && o->na_ill >= o->na_det)
		g->o.na_ill = 0.9 * o->na_det;
	g->my = ny * factor(&g->o);
	g->mx = nx * factor(&g->o);
	g->fy = mem_new(g->my, sizeof(double));
	g->fx = mem_new(g->mx, sizeof(double));
	g->iy = mem_new(ny, sizeof(size_t));
	g->ix = mem_new(nx, sizeof(size_t));
	g->p = mem_new(g->my * g->mx, sizeof(double));
	g->gamma = mem_new(g->my * g->mx, sizeof(double));
	g->fz = mem_new(g->my * g->mx, sizeof(double));
	for (size_t y = 0; y < g->my; y++)
		g->fy[y] = ref_freq(y, g->my) / ((double)ny * o->pixel);
	for (size_t x = 0; x < g->mx; x++)
		g->fx[x] = ref_freq(x, g->mx) / ((double)nx * o->pixel);
	for (size_t y = 0; y < ny; y++)
		g->iy[y] = ref_lag(y, ny, g->my, o->peer);
	for (size_t x = 0; x < nx; x++)
		g->ix[x] = ref_lag(x, nx, g->mx, o->peer);
	for (size_t i = 0; i < g->my * g->mx; i++) {
		double f2 = pow(g->fy[i / g->mx], 2) + pow(g->fx[i % g->mx], 2), left = k * k - f2;

		g->p[i] = sigmoid(o->steepness * (o->na_det / o->wavelength - sqrt(f2)));
		g->gamma[i] = sqrt(fmax(1 - f2 / (k * k), 0)) * k;
		g->fz[i] = left >= 0 ? sqrt(left) : -1;
	}
}

void ref_grid_clear(struct ref_grid *g)
{
	free(g->fy);
	free(g->fx);
	free(g->iy);
	free(g->ix);
	free(g->p);
	free(g->gamma);
	free(g->fz);
}

void ref_source(const struct ref_grid *g, double zenith, double azimuth, double *s, double *dzen, double *dazi)
{
	double slope = 4 * (double)g->nx * g->o.pixel, na = g->o.na_ill / g->o.index;
	double st = sin(zenith), ct = cos(zenith), sp = sin(azimuth), cp = cos(azimuth);
	double edge = g->o.index / g->o.wavelength * sqrt(fmax(1 - na * na, 0));

	for (size_t i = 0; i < g->my * g->mx; i++) {
		double fy = g->fy[i / g->mx], fx = g->fx[i % g->mx], fz = g->fz[i], ds;
		double v = sigmoid(slope * (fx * st * cp + fy * st * sp + fz * ct - edge));

		s[i] = fz >= 0 ? v : 0;
		ds = s[i] * (1 - v) * slope;
		if (!dzen)
			continue;
		dzen[i] = ds * (fx * ct * cp + fy * ct * sp - fz * st);
		dazi[i] = ds * (-fx * st * sp + fy * st * cp);
	}
}

/* ---- thin transfer functions */

void ref_thin_init(struct ref_thin *t, const struct ref_grid *g, size_t nz, const double *z, double zenith, double azimuth)
{
	size_t m = g->my * g->mx, n = g->ny * g->nx;
	cplx *corr = mem_new(m, sizeof *corr);

	*t = (struct ref_thin){ .g = g, .nz = nz };
	t->s = mem_new(3 * m, sizeof(double));
	t->dzen = t->s + m;
	t->dazi = t->dzen + m;
	t->d = mem_new(3 * nz * m, sizeof(cplx));
	t->a = t->d + nz * m;
	t->b = t->a + nz * m;
	t->ha = mem_new(2 * nz * n, sizeof(cplx));
	t->hp = t->ha + nz * n;
	ref_source(g, zenith, azimuth, t->s, t->dzen, t->dazi);
	for (size_t i = 0; i < m; i++)
		t->i0 += t->s[i] * pow(g->p[i], 4);
	for (size_t k = 0; k < nz * m; k++) {
		t->d[k] = pow(g->p[k % m], 2) * cexp(2 * M_PI * I * z[k / m] * g->gamma[k % m]);
		t->a[k] = t->s[k % m] * t->d[k];
		t->b[k] = t->d[k];
	}
	ref_fft2(t->a, nz, g->my, g->mx, -1);
	ref_fft2(t->b, nz, g->my, g->mx, -1);
	for (size_t k = 0; k < nz; k++) {
		for (size_t i = 0; i < m; i++)
			corr[i] = conj(t->a[k * m + i]) * t->b[k * m + i];
		ref_fft2(corr, 1, g->my, g->mx, 1);
		for (size_t i = 0; i < n; i++) {
			size_t y = g->iy[i / g->nx], x = g->ix[i % g->nx];
			cplx v = corr[y * g->mx + x];
			cplx w = conj(corr[(g->my - y) % g->my * g->mx + (g->mx - x) % g->mx]);

			t->ha[k * n + i] = (v + w) / t->i0;
			t->hp[k * n + i] = I * (v - w) / t->i0;
		}
	}
	free(corr);
}

void ref_thin_clear(struct ref_thin *t)
{
	free(t->s);
	free(t->d);
	free(t->ha);
}

void ref_pullback(const struct ref_thin *t, const cplx *ga, const cplx *gp, double grad[3])
{
	const struct ref_grid *g = t->g;
	size_t m = g->my * g->mx, n = g->ny * g->nx;
	cplx *c = mem_new(2 * m, sizeof *c), *v = c + m;
	double *gs = mem_new(m, sizeof *gs), gi = 0;

	grad[0] = grad[1] = grad[2] = 0;
	for (size_t k = 0; k < t->nz; k++) {
		for (size_t i = 0; i < m; i++)
			v[i] = 0;
		for (size_t i = 0; i < n; i++) {
			size_t y = g->iy[i / g->nx], x = g->ix[i % g->nx];
			cplx a = ga[k * n + i], p = gp[k * n + i];

			gi -= creal(conj(a) * t->ha[k * n + i] + conj(p) * t->hp[k * n + i]) / t->i0;
			v[y * g->mx + x] += (a - I * p) / t->i0;
			v[(g->my - y) % g->my * g->mx + (g->mx - x) % g->mx] += conj(a + I * p) / t->i0;
		}
		ref_fft2(v, 1, g->my, g->mx, -1);
		for (size_t i = 0; i < m; i++) {
			c[i] = conj(v[i]) * t->b[k * m + i];
			v[i] *= t->a[k * m + i];
		}
		ref_fft2(c, 2, g->my, g->mx, 1);
		for (size_t i = 0; i < m; i++) {
			cplx d = t->d[k * m + i], w = conj(d) * c[i];

			gs[i] += creal(w);
			grad[0] += 2 * M_PI * g->gamma[i] * (t->s[i] * cimag(w) - cimag(d * conj(v[i])));
		}
	}
	for (size_t i = 0; i < m; i++) {
		grad[1] += (gs[i] + gi * pow(g->p[i], 4)) * t->dzen[i];
		grad[2] += (gs[i] + gi * pow(g->p[i], 4)) * t->dazi[i];
	}
	free(gs);
	free(c);
}

/* ---- inverse */

struct normal ref_normal(size_t nz, size_t n, size_t i, const cplx *ha, const cplx *hp, double reg)
{
	struct normal s = { reg, reg, 0, 0 };

	for (size_t k = i; k < nz * n; k += n) {
		s.a += square(ha[k]);
		s.d += square(hp[k]);
		s.c += ha[k] * conj(hp[k]);
	}
	s.det = fmax(s.a * s.d - square(s.c), 1e-30);
	return s;
}

void ref_invert(size_t nz, size_t n, const cplx *b, const cplx *ha, const cplx *hp, double reg, enum inverse mode, cplx *xa,
		cplx *xp)
{
	bool peer = mode == INVERSE_PEER || mode == INVERSE_DIAG_PEER;	/* no conjugates */

	for (size_t i = 0; i < n; i++) {
		struct normal s = ref_normal(nz, n, i, ha, hp, reg);
		double sa = sqrt(fmax(s.a - reg, 1e-12)), sp = sqrt(fmax(s.d - reg, 1e-12));
		cplx ya = 0, yp = 0;

		for (size_t k = i; k < nz * n; k += n) {
			ya += (peer ? ha[k] : conj(ha[k])) * b[k];
			yp += (peer ? hp[k] : conj(hp[k])) * b[k];
		}
		if (mode == INVERSE_DIAG || mode == INVERSE_DIAG_PEER) {
			xa[i] = ya * sa / ((sa + 1e-12) * (sa * sa + reg));
			xp[i] = yp * sp / ((sp + 1e-12) * (sp * sp + reg));
			continue;
		}
		if (mode == INVERSE_PEER)
			s.c = conj(s.c);
		xa[i] = (s.d * ya - conj(s.c) * yp) / s.det;
		xp[i] = (s.a * yp - s.c * ya) / s.det;
	}
}

static size_t reflected(size_t i, size_t pad, size_t n)
{
	long k = labs((long)i - (long)pad);

	return (size_t)(k < (long)n ? k : 2 * ((long)n - 1) - k);
}

static double ramp(size_t i, size_t n, double taper)
{
	double r = taper * (double)n / 2, t = fmin((double)i + 0.5, (double)n - (double)i - 0.5);

	return t < r ? 0.5 - 0.5 * cos(M_PI * t / r) : 1;
}

void ref_contrast(const double *stack, size_t nz, size_t h, size_t w, size_t pad, double taper, double *out)
{
	size_t ny = h + 2 * pad, nx = w + 2 * pad;

	for (size_t z = 0; z < nz; z++, stack += h * w, out += ny * nx) {
		double sum = 0;

		for (size_t i = 0; i < ny * nx; i++)
			sum += out[i] = stack[reflected(i / nx, pad, h) * w + reflected(i % nx, pad, w)];
		for (size_t i = 0; i < ny * nx; i++)
			out[i] = (out[i] * (double)(ny * nx) / sum - 1) * ramp(i / nx, ny, taper) * ramp(i % nx, nx, taper);
	}
}

cplx *ref_spectra(const double *stack, size_t nz, size_t h, size_t w, size_t pad, double taper)
{
	size_t ny = h + 2 * pad, nx = w + 2 * pad;
	double *c = mem_new(nz * ny * nx, sizeof *c);
	cplx *b = mem_new(nz * ny * nx, sizeof *b);

	ref_contrast(stack, nz, h, w, pad, taper, c);
	for (size_t i = 0; i < nz * ny * nx; i++)
		b[i] = c[i];
	free(c);
	ref_fft2(b, nz, ny, nx, -1);
	return b;
}

void ref_crop(const cplx *x, size_t pad, size_t h, size_t w, double *out)
{
	for (size_t i = 0; i < h * w; i++)
		out[i] = creal(x[(i / w + pad) * (w + 2 * pad) + i % w + pad]);
}

void ref_z_list(const struct optics *o, size_t nz, double offset, double *z)
{
	for (size_t k = 0; k < nz; k++)
		z[k] = o->z_sign * ((double)k - (double)(nz / 2) - offset) * o->z_step * (o->invert ? -1 : 1);
}

void ref_reconstruct(const struct optics *o, const double *stack, size_t nz, size_t h, size_t w, size_t pad,
		     const struct tilt *tilt, double reg, enum inverse mode, double *absorption, double *phase)
{
	size_t ny = h + 2 * pad, nx = w + 2 * pad, n = ny * nx;
	cplx *b = ref_spectra(stack, nz, h, w, pad, 0), *x = mem_new(2 * n, sizeof *x);
	double *z = mem_new(nz, sizeof *z);
	struct ref_grid g;
	struct ref_thin t;

	ref_z_list(o, nz, tilt->z_offset, z);
	ref_grid_init(&g, o, ny, nx, true);
	ref_thin_init(&t, &g, nz, z, tilt->zenith, tilt->azimuth);
	ref_invert(nz, n, b, t.ha, t.hp, reg, mode, x, x + n);
	ref_fft2(x, 2, ny, nx, 1);
	ref_crop(x, pad, h, w, absorption);
	ref_crop(x + n, pad, h, w, phase);
	ref_thin_clear(&t);
	ref_grid_clear(&g);
	free(z);
	free(x);
	free(b);
}
