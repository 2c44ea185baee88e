#include "tests/ref-tilt.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tests/ref-inside.h"

static bool in_band(size_t i, size_t ny, size_t nx, const struct optics *o, const double band[2])
{
	double fy = ref_freq(i / nx, ny) / ((double)ny * o->pixel), fx = ref_freq(i % nx, nx) / ((double)nx * o->pixel);
	double f = sqrt(fy * fy + fx * fx), c = 2 * o->na_det / o->wavelength;

	return f > c * band[0] && f < c * band[1];
}

static double spectral_loss(enum ref_loss loss, const double *x, size_t ny, size_t nx, const struct optics *o,
			    const double band[2], double *gx)
{
	size_t n = ny * nx, m = 0;
	double sum = 0, logs = 0, mean, flat, value = 0;
	cplx *q = mem_new(n, sizeof *q);

	for (size_t i = 0; i < n; i++)
		q[i] = x[i];
	ref_fft2(q, 1, ny, nx, -1);
	for (size_t i = 0; i < n; i++)
		if (in_band(i, ny, nx, o, band)) {
			m++;
			sum += cabs(q[i]);
			logs += log(cabs(q[i]));
		}
	mean = sum / (double)m + 1e-12;
	flat = exp(logs / (double)m) / mean;
	if (loss == REF_FLATNESS)
		value = -flat;
	else if (m > 0)
		value = -sum / (double)m;
	for (size_t i = 0; i < n; i++) {
		double r = cabs(q[i]);

		if (!in_band(i, ny, nx, o, band) || r == 0 || (loss == REF_FLATNESS && flat == 0))
			q[i] = 0;
		else
			q[i] *= -(double)n / (double)m / r * (loss == REF_FLATNESS ? flat * (1 / r - 1 / mean) : 1);
	}
	ref_fft2(q, 1, ny, nx, 1);
	for (size_t i = 0; i < n && gx; i++)
		gx[i] = loss == REF_FLATNESS && m == 0 ? NAN : creal(q[i]);
	free(q);
	return value;
}

static double tv_loss(const double *x, size_t ny, size_t nx, double *gx)
{
	double sum[2] = { 0, 0 }, count[2] = { fmax(1, (double)((ny - 1) * nx)), fmax(1, (double)(ny * (nx - 1))) };

	for (int axis = 0; axis < 2; axis++)
		for (size_t i = 0; i < ny * nx; i++) {
			size_t next = i + (axis == 0 ? nx : 1);
			double d, g;

			if (axis == 0 ? i / nx + 1 == ny : i % nx + 1 == nx)
				continue;
			d = x[next] - x[i];
			g = -0.5 * ((d > 0) - (d < 0)) / count[axis];
			sum[axis] += fabs(d);
			gx[next] += g;
			gx[i] -= g;
		}
	return -0.5 * (sum[0] / count[0] + sum[1] / count[1]);
}

static void laplacian(const double *x, size_t ny, size_t nx, double *l)
{
	for (size_t y = 0; y < ny; y++)
		for (size_t i = 0; i < nx; i++)
			l[y * nx + i] = (y > 0 ? x[(y - 1) * nx + i] : 0) + (y + 1 < ny ? x[(y + 1) * nx + i] : 0) +
					(i > 0 ? x[y * nx + i - 1] : 0) + (i + 1 < nx ? x[y * nx + i + 1] : 0) -
					4 * x[y * nx + i];
}

static double variance(const double *x, size_t n, double *mean)
{
	double v = 0;

	*mean = 0;
	for (size_t i = 0; i < n; i++)
		*mean += x[i] / (double)n;
	for (size_t i = 0; i < n; i++)
		v += pow(x[i] - *mean, 2);
	return v / (double)(n - 1);
}

static double laplacian_loss(const double *x, size_t ny, size_t nx, double *gx)
{
	size_t n = ny * nx;
	double *l = mem_new(n, sizeof *l), mean, v;

	laplacian(x, ny, nx, l);
	v = variance(l, n, &mean);
	for (size_t i = 0; i < n; i++)
		l[i] = -2 / (double)(n - 1) * (l[i] - mean);
	laplacian(l, ny, nx, gx);
	free(l);
	return -v;
}

static double variance_loss(const double *x, size_t n, double *gx)
{
	double mean, v = variance(x, n, &mean), e = mean * mean + 1e-12;

	for (size_t i = 0; i < n; i++)
		gx[i] = -2 * (x[i] - mean) / (double)(n - 1) / e + v * 2 * mean / (double)n / (e * e);
	return -v / e;
}

double ref_image_loss(enum ref_loss loss, const double *x, size_t ny, size_t nx, const struct optics *o,
		      const double band[2], double *gx)
{
	double *g = mem_new(ny * nx, sizeof *g), v;

	if (loss == REF_TV)
		v = tv_loss(x, ny, nx, g);
	else if (loss == REF_LAPLACIAN)
		v = laplacian_loss(x, ny, nx, g);
	else if (loss == REF_VARIANCE)
		v = variance_loss(x, ny * nx, g);
	else
		v = spectral_loss(loss, x, ny, nx, o, band, g);
	if (gx)
		memcpy(gx, g, ny * nx * sizeof *g);
	free(g);
	return v;
}

/* ---- a tile's loss */

void ref_tile_init(struct ref_tile *t, const struct optics *o, const struct ref_opts *opts, const double *stack, size_t nz,
		   size_t h, size_t w)
{
	*t = (struct ref_tile){ .opts = *opts, .nz = nz, .ny = h + 2 * opts->pad, .nx = w + 2 * opts->pad };
	t->n = t->ny * t->nx;
	ref_grid_init(&t->g, o, t->ny, t->nx, true);
	t->b = ref_spectra(stack, nz, h, w, opts->pad, opts->taper);
	t->mask = mem_new(t->n, sizeof *t->mask);
	for (size_t i = 0; i < t->n; i++) {
		t->mask[i] = in_band(i, t->ny, t->nx, o, opts->band);
		for (size_t k = i; k < nz * t->n && t->mask[i]; k += t->n)
			t->energy += square(t->b[k]);
	}
}

void ref_tile_clear(struct ref_tile *t)
{
	ref_grid_clear(&t->g);
	free(t->b);
	free(t->mask);
}

/* Loss, and in ga, gp its derivative by the transfer functions. */
static double residual(const struct ref_tile *t, const struct ref_thin *h, const cplx *xa, const cplx *xp, cplx *ga, cplx *gp)
{
	double sum = 0;

	for (size_t k = 0; k < t->nz * t->n; k++) {
		size_t i = k % t->n;
		cplx r = t->b[k] - h->ha[k] * xa[i] - h->hp[k] * xp[i];

		if (!t->mask[i])
			continue;
		sum += square(r) + (k < t->n ? t->opts.reg * (square(xa[i]) + square(xp[i])) : 0);
		ga[k] = -2 * r * conj(xa[i]);
		gp[k] = -2 * r * conj(xp[i]);
	}
	for (size_t k = 0; k < t->nz * t->n && sum > 0; k++) {
		ga[k] /= sum;
		gp[k] /= sum;
	}
	return log(fmax(sum, 1e-300) / fmax(t->energy, 1e-300));
}

/* gx: spectrum of the loss's derivative by the padded phase image, / n */
static void image_pullback(const struct ref_tile *t, const struct ref_thin *h, const cplx *xa, const cplx *xp, const cplx *gx,
			   cplx *ga, cplx *gp)
{
	for (size_t i = 0; i < t->n; i++) {
		struct normal s = ref_normal(t->nz, t->n, i, h->ha, h->hp, t->opts.reg);
		double s2 = s.d - t->opts.reg, w = fmax(s2, 1e-12) + t->opts.reg;
		cplx qa = -conj(s.c) * gx[i] / s.det, qp = s.a * gx[i] / s.det;

		for (size_t k = i; k < t->nz * t->n; k += t->n) {
			cplx a = h->ha[k], p = h->hp[k], r = t->b[k] - a * xa[i] - p * xp[i];

			if (t->opts.inverse == INVERSE_CONJ) {
				ga[k] = conj(qa) * r - (qa * a + qp * p) * conj(xa[i]);
				gp[k] = conj(qp) * r - (qa * a + qp * p) * conj(xp[i]);
			} else {
				gp[k] = (t->opts.inverse == INVERSE_DIAG ? conj(gx[i]) * t->b[k] : gx[i] * conj(t->b[k])) / w -
					(s2 > 1e-12 ? 2 * creal(conj(gx[i]) * xp[i]) / w * p : 0);
			}
		}
	}
}

static double image_loss(const struct ref_tile *t, const struct ref_thin *h, const cplx *xa, const cplx *xp, cplx *ga, cplx *gp)
{
	size_t pad = t->opts.pad, ih = t->ny - 2 * pad, iw = t->nx - 2 * pad;
	double *x = mem_new(2 * ih * iw, sizeof *x), *g = x + ih * iw, v;
	cplx *im = mem_new(t->n, sizeof *im);

	memcpy(im, xp, t->n * sizeof *im);
	ref_fft2(im, 1, t->ny, t->nx, 1);
	ref_crop(im, pad, ih, iw, x);
	v = ref_image_loss(t->opts.loss, x, ih, iw, &t->g.o, t->opts.band, g);
	for (size_t i = 0; i < t->n; i++)
		im[i] = 0;
	for (size_t i = 0; i < ih * iw; i++)
		im[(i / iw + pad) * t->nx + i % iw + pad] = g[i] / (double)t->n;
	ref_fft2(im, 1, t->ny, t->nx, -1);
	image_pullback(t, h, xa, xp, im, ga, gp);
	free(im);
	free(x);
	return v;
}

double ref_tile_loss(const struct ref_tile *t, const struct tilt *p, double grad[3])
{
	size_t n = t->n, nz = t->nz;
	cplx *x = mem_new(2 * n, sizeof *x), *ga = mem_new(2 * nz * n, sizeof *ga), *gp = ga + nz * n;
	double *z = mem_new(nz, sizeof *z), v;
	bool like = t->opts.loss == REF_RESIDUAL;
	struct ref_thin h;

	ref_z_list(&t->g.o, nz, p->z_offset, z);
	ref_thin_init(&h, &t->g, nz, z, p->zenith, p->azimuth);
	ref_invert(nz, n, t->b, h.ha, h.hp, t->opts.reg, like ? INVERSE_CONJ : t->opts.inverse, x, x + n);
	v = (like ? residual : image_loss)(t, &h, x, x + n, ga, gp);
	if (grad) {
		ref_pullback(&h, ga, gp, grad);
		grad[0] *= -t->g.o.z_sign * t->g.o.z_step * (t->g.o.invert ? -1 : 1);
	}
	ref_thin_clear(&h);
	free(z);
	free(ga);
	free(x);
	return v;
}
