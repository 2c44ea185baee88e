/* What follows from the definitions alone, or stands as a number on the method's page, held against the device code:
 * transfer functions of thin and thick objects, image losses.  Complex numbers as (re, im). */
#include <complex.h>
#include <math.h>
#include <stdlib.h>

#include "tap.h"
#include "tilt/field.h"
#include "tilt/imageloss.h"
#include "tilt/recon.h"

static struct dev *dev;
static const struct optics pheno = { .wavelength = .45, .pixel = .325, .z_step = 2, .index = 1, .na_det = .55,
				     .na_ill = .4, .steepness = 1e4, .z_sign = -1 };

struct tf {
	size_t nz, ny, nx;
	float *page;	/* Re Ha, Im Ha, Re Hp, Im Hp; [4 nz][ny][nx] */
};

static struct tf dump(const struct optics *o, size_t nz, size_t ny, size_t nx, struct tilt tilt)
{
	struct recon_opts ro = { .optics = *o };
	struct recon r;
	struct tf t = { nz, ny, nx, calloc(4 * nz * ny * nx, sizeof(float)) };

	recon_init(&r, dev, &ro);
	if (recon_dump(&r, nz, ny, nx, &tilt, t.page) != 0)
		ok(false, "transfer functions of %zu x %zu", ny, nx);
	recon_clear(&r);
	return t;
}

/* q = 0: the first function (Ha, H_re), 1: the second */
static double complex at(const struct tf *t, int q, size_t z, size_t y, size_t x)
{
	size_t n = t->ny * t->nx, i = (2 * (size_t)q * t->nz + z) * n + y * t->nx + x;

	return t->page[i] + I * (double)t->page[i + t->nz * n];
}

/* Largest |f(b) - g(a)| over all bins of one function. */
static double largest(const struct tf *a, const struct tf *b, int q, double complex (*g)(double complex))
{
	double top = 0;

	for (size_t z = 0; z < a->nz; z++)
		for (size_t y = 0; y < a->ny; y++)
			for (size_t x = 0; x < a->nx; x++)
				top = fmax(top, cabs(at(b, q, z, y, x) - g(at(a, q, z, y, x))));
	return top;
}

static double complex conjugate(double complex v)
{
	return conj(v);
}

static double complex minus_conjugate(double complex v)
{
	return -conj(v);
}

static void thin_facts(void)
{
	struct optics inverted = pheno;
	struct tilt tilt = { 0.3, 0.12, 0.7 }, turned = { 0.3, 0.12, 0.7 + M_PI }, upright = { 0, 0, 0 };
	struct tf a, b, c, u;
	double dc = 0, mirror = 0, imaginary = 0, focus = 0;

	inverted.invert = true;
	a = dump(&pheno, 5, 15, 21, tilt);
	b = dump(&pheno, 5, 15, 21, turned);
	c = dump(&inverted, 5, 15, 21, tilt);
	u = dump(&pheno, 5, 15, 21, upright);
	for (size_t z = 0; z < 5; z++) {
		dc = fmax(dc, cabs(at(&a, 0, z, 0, 0) - 2) + cabs(at(&a, 1, z, 0, 0)));
		for (size_t y = 0; y < 15; y++)
			for (size_t x = 0; x < 21; x++) {
				for (int q = 0; q < 2; q++) {
					double complex v = at(&a, q, z, (15 - y) % 15, (21 - x) % 21);

					mirror = fmax(mirror, cabs(at(&a, q, z, y, x) - conj(v)));
					imaginary = fmax(imaginary, fabs(cimag(at(&u, q, z, y, x))));
				}
				if (z == 2)
					focus = fmax(focus, cabs(at(&u, 1, z, y, x)));
			}
	}
	ok(dc < 1e-6, "Ha(0) = 2 and Hp(0) = 0 in every plane (%.1g)", dc);
	ok(mirror < 1e-6, "both are Hermitian on odd sizes (%.1g)", mirror);
	ok(largest(&a, &b, 0, conjugate) < 1e-5 && largest(&a, &b, 1, conjugate) < 1e-5, "half a turn of azimuth conjugates both");
	ok(largest(&a, &c, 0, conjugate) < 1e-5 && largest(&a, &c, 1, minus_conjugate) < 1e-5,
	   "at the opposite z: Ha* and -Hp*");
	ok(imaginary < 1e-5, "without tilt both are real (%.1g)", imaginary);
	ok(focus < 1e-5, "without tilt Hp vanishes in focus (%.1g)", focus);
	free(a.page);
	free(b.page);
	free(c.page);
	free(u.page);
}

/* Numbers of the page: 8 x 8, z = 2, 0, -2, zenith .1, azimuth .5. */
static void thin_vector(void)
{
	static const struct {
		int q;
		size_t z, y, x;
		double re, im;
	} want[] = { { 0, 0, 0, 0, 2, 0 },
		     { 0, 0, 1, 2, -0.108163590, -0.053715175 },
		     { 0, 1, 1, 2, 1.381254880, 0 },
		     { 1, 0, 1, 2, 0.091262267, 0.005917528 },
		     { 1, 1, 1, 2, 0, -0.205147761 },
		     { 1, 2, 3, 7, 0.017842189, -0.014602919 },
		     { 1, 1, 4, 4, 0, 0.053761852 } };
	struct tf t = dump(&pheno, 3, 8, 8, (struct tilt){ 0, .1, .5 });

	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
		double d = cabs(at(&t, want[i].q, want[i].z, want[i].y, want[i].x) - want[i].re - I * want[i].im);

		ok(d < 1e-6, "%s[%zu,%zu,%zu] of the page (off by %.1g)", want[i].q ? "Hp" : "Ha", want[i].z, want[i].y,
		   want[i].x, d);
	}
	free(t.page);
}

static struct tf thick_tf(const struct optics *o, size_t nz, size_t ny, size_t nx, struct tilt tilt)
{
	struct thick_opts k = { .optics = *o };
	struct tf t = { nz, ny, nx, calloc(4 * nz * ny * nx, sizeof(float)) };

	if (field_thick_dump(dev, &k, nz, ny, nx, &tilt, t.page) != 0)
		ok(false, "thick transfer functions");
	return t;
}

static void thick_vector(void)
{
	static const struct {
		int q;
		size_t z, y, x;
		double re, im;
	} flat[] = { { 0, 1, 0, 1, 6.03206089e-5, 6.34311173e-3 },
		     { 0, 2, 1, 2, -6.69012888e-4, 1.26118633e-3 },
		     { 1, 0, 0, 0, .0698925543, 0 },
		     { 1, 1, 0, 1, .0271239426, .00442505399 } },
	  tilted[] = { { 0, 1, 0, 1, -3.64908740e-4, 9.11575226e-3 }, { 1, 2, 1, 2, .00313996619, .00143601911 } };
	struct optics o = { .wavelength = .532, .pixel = .1, .z_step = .25, .index = 1.3, .na_det = 1.2, .na_ill = .9,
			    .steepness = 1e4, .z_sign = -1 };
	struct tf t = thick_tf(&o, 8, 8, 8, (struct tilt){ 0, 0, 0 });

	for (size_t i = 0; i < 4; i++) {
		double d = cabs(at(&t, flat[i].q, flat[i].z, flat[i].y, flat[i].x) - flat[i].re - I * flat[i].im);

		ok(d < 1e-7, "thick, no tilt: number %zu of the page (off by %.1g)", i + 1, d);
	}
	free(t.page);
	t = thick_tf(&o, 8, 8, 8, (struct tilt){ 0, .2, .6 + M_PI });
	for (size_t i = 0; i < 2; i++) {
		double d = cabs(at(&t, tilted[i].q, tilted[i].z, tilted[i].y, tilted[i].x) - tilted[i].re - I * tilted[i].im);

		ok(d < 1e-7, "thick, tilted: number %zu of the page (off by %.1g)", i + 1, d);
	}
	free(t.page);
}

/* A thin sheet in the middle slice of a thick object gives the planes of the thin model, with its sign. */
static void sheet(void)
{
	enum { NZ = 9, N = 32 };
	struct tilt tilt = { 0, .1, .5 };
	struct optics fine = pheno;
	struct tf thin, thick;
	double least = 1;

	fine.z_step = 1;	/* all axial frequencies fit between the slices */
	thin = dump(&fine, NZ, N, N, tilt);
	thick = thick_tf(&fine, NZ, N, N, tilt);

	for (size_t z = 0; z < NZ; z++) {
		double dot = 0, a2 = 0, b2 = 0;

		for (size_t i = 1; i < N * N; i++) {	/* the mean is in neither */
			double complex a = 0, b = at(&thin, 1, z, i / N, i % N);

			if (i / N == N / 2 || i % N == N / 2)
				continue;
			for (size_t k = 0; k < NZ; k++)	/* slice z is z - NZ / 2 behind the sheet */
				a += at(&thick, 0, k, i / N, i % N) *
				     cexp(2 * M_PI * I * (double)k * ((double)z - NZ / 2) / NZ);
			dot += creal(conj(a) * b);
			a2 += creal(a * conj(a));
			b2 += creal(b * conj(b));
		}
		/* the window in z is zero at its end: the outermost plane holds nothing */
		if (a2 > 1e-9)
			least = fmin(least, dot / sqrt(a2 * b2));
	}
	ok(least > 0.95, "a thin sheet seen by the thick model: the planes of the thin one (least correlation %.4f)", least);
	free(thin.page);
	free(thick.page);
}

/* Spectrum of a 16 x 16 image, by its definition. */
static void spectrum(const float *x, float (*q)[2])
{
	for (size_t k = 0; k < 16 * 9; k++) {
		double complex s = 0;

		for (size_t i = 0; i < 256; i++)
			s += x[i] * cexp(-2 * M_PI * I * ((double)(i / 16 * (k / 9)) + (double)(i % 16 * (k % 9))) / 16);
		q[k][0] = (float)creal(s);
		q[k][1] = (float)cimag(s);
	}
}

static void loss_vector(void)
{
	const double c = 2 * .55 / .45;
	unsigned char mask[16 * 9];
	float x[256], q[16 * 9][2];
	size_t narrow, wide;

	for (size_t i = 0; i < 256; i++)
		x[i] = (float)((i / 16 * (i / 16) + 3 * (i % 16)) % 17);
	spectrum(x, q);
	wide = imageloss_mask(mask, 16, 16, .325, .25 * c, .5 * c);
	narrow = imageloss_mask(mask, 16, 16, .325, .125 * c, .25 * c);
	ok(narrow == 28 && wide == 92, "masks of 28 and 92 bins (%zu, %zu)", narrow, wide);
	ok(fabs(imageloss_spectrum(LOSS_MIDBAND, q, mask, 16, 16, false) + 58.110744042) < 1e-5, "midband of the page");
	ok(fabs(imageloss_spectrum(LOSS_FLATNESS, q, mask, 16, 16, false) + 0.555554641) < 1e-6, "flatness of the page");
	ok(fabs(imageloss_pixels(LOSS_TV, x, 16, 16, NULL) + 5.435416667) < 1e-8, "tv of the page");
	ok(fabs(imageloss_pixels(LOSS_LAPLACIAN, x, 16, 16, NULL) + 444.938342525) < 1e-8, "laplacian of the page");
	ok(fabs(imageloss_pixels(LOSS_VARIANCE, x, 16, 16, NULL) + 0.383712010) < 1e-8, "variance of the page");
}

int main(void)
{
	struct dev_opts o = { 0 };

	dev = dev_open(&o);
	ok(dev != NULL, "a device");
	if (dev) {
		thin_facts();
		thin_vector();
		thick_vector();
		sheet();
		loss_vector();
	}
	dev_free(dev);
	return done_testing();
}
