/* The double-precision reference itself: the published vectors, the facts of the transfer functions, and every derivative
 * against central differences. */
#include <math.h>
#include <stdlib.h>

#include "tests/ref-tilt.h"
#include "tests/tap.h"

static const struct optics pheno = { .wavelength = .45, .pixel = .325, .z_step = 2, .index = 1, .na_det = .55, .na_ill = .4,
				     .steepness = 1e4, .z_sign = -1 };

static bool close_to(double complex a, double complex b, double tol)
{
	return cabs(a - b) <= tol;
}

static void test_thin_vectors(void)
{
	const double z[3] = { 2, 0, -2 };
	struct ref_grid g;
	struct ref_thin t, turned, upright;
	double mirror = 0, turn = 0, real = 0;

	ref_grid_init(&g, &pheno, 8, 8, true);
	ref_thin_init(&t, &g, 3, z, .1, .5);
	ref_thin_init(&turned, &g, 3, z, .1, .5 + M_PI);
	ref_thin_init(&upright, &g, 3, z, 0, 0);
	ok(close_to(t.ha[0], 2, 1e-12) && close_to(t.ha[10], -0.108163590 - 0.053715175 * I, 1e-9) &&
	   close_to(t.ha[64 + 10], 1.381254880, 1e-9) && close_to(t.hp[10], 0.091262267 + 0.005917528 * I, 1e-9) &&
	   close_to(t.hp[64 + 10], -0.205147761 * I, 1e-9) && close_to(t.hp[128 + 31], 0.017842189 - 0.014602919 * I, 1e-9) &&
	   close_to(t.hp[64 + 36], 0.053761852 * I, 1e-9), "thin transfer functions have the published values");
	for (int i = 0; i < 64; i++) {
		mirror = fmax(mirror, cabs(t.ha[128 + i] - conj(t.ha[i])) + cabs(t.hp[128 + i] + conj(t.hp[i])));
		real = fmax(real, fabs(cimag(upright.ha[i])) + fabs(cimag(upright.hp[i])) + cabs(upright.hp[64 + i]));
	}
	for (int i = 0; i < 192; i++)
		turn = fmax(turn, cabs(turned.ha[i] - conj(t.ha[i])) + cabs(turned.hp[i] - conj(t.hp[i])));
	ok(close_to(t.ha[128], 2, 1e-12) && close_to(t.hp[128], 0, 1e-12), "H_a(0) = 2 and H_p(0) = 0");
	ok(mirror < 1e-12, "-z conjugates H_a, and H_p up to its sign (%.2g)", mirror);
	ok(turn < 1e-12, "azimuth + pi conjugates both (%.2g)", turn);
	ok(real < 1e-12, "without tilt both are real, and H_p = 0 in focus (%.2g)", real);
	ref_thin_clear(&t);
	ref_thin_clear(&turned);
	ref_thin_clear(&upright);
	ref_grid_clear(&g);
}

static void test_thick_vectors(void)
{
	const struct optics o = { .wavelength = .532, .pixel = .1, .z_step = .25, .index = 1.3, .na_det = 1.2, .na_ill = .9,
				  .steepness = 1e4, .z_sign = -1 };
	double complex *re = calloc(1024, sizeof *re), *im = re + 512;

	ref_thick_tf(&o, 8, 8, 8, 0, 0, 0, re, im);
	ok(close_to(re[65], 6.03206089e-5 + 6.34311173e-3 * I, 1e-11) &&
	   close_to(re[2 * 64 + 10], -6.69012888e-4 + 1.26118633e-3 * I, 1e-11) && close_to(im[0], .0698925543, 1e-10) &&
	   close_to(im[65], .0271239426 + .00442505399 * I, 1e-10), "thick transfer functions have the published values");
	ref_thick_tf(&o, 8, 8, 8, 0, .2, .6 + M_PI, re, im);
	ok(close_to(re[65], -3.64908740e-4 + 9.11575226e-3 * I, 1e-11) &&
	   close_to(im[2 * 64 + 10], .00313996619 + .00143601911 * I, 1e-11), "tilted ones as well");
	free(re);
}

static void test_loss_vectors(void)
{
	static const struct { enum ref_loss loss; double want; } t[] = {
		{ REF_MIDBAND, -58.110744042 }, { REF_TV, -5.435416667 }, { REF_LAPLACIAN, -444.938342525 },
		{ REF_VARIANCE, -0.383712010 }, { REF_FLATNESS, -0.555554641 },
	};
	double x[256], worst = 0;

	for (int i = 0; i < 256; i++)
		x[i] = ((i / 16) * (i / 16) + 3 * (i % 16)) % 17;
	for (int k = 0; k < 5; k++)
		worst = fmax(worst, fabs(ref_image_loss(t[k].loss, x, 16, 16, &pheno, (double[2]){ .125, .25 }, NULL) -
					 t[k].want));
	ok(worst < 1e-9, "the five image losses have the published values (%.2g)", worst);
}

/* A stack that is no model of anything: the derivatives must be right all the same. */
static void fill(double *stack, size_t n)
{
	unsigned v = 1;

	for (size_t i = 0; i < n; i++) {
		v = v * 1103515245u + 12345u;
		stack[i] = 100 + 20 * sin((double)i / 5) + (double)(v >> 16 & 1023) / 64;
	}
}

static void test_gradients(void)
{
	static const char *const names[] = { "residual", "midband", "tv", "laplacian", "variance", "flatness" };
	static const enum inverse filter[] = { INVERSE_DIAG, INVERSE_CONJ, INVERSE_DIAG_PEER };
	static const char *const filters[] = { "diagonal filter", "full filter", "the peer's diagonal filter" };
	double stack[5 * 14 * 11];
	struct optics o = pheno;

	fill(stack, 5 * 14 * 11);
	for (int loss = 0; loss < 6; loss++)
		for (int k = 0; k < (loss == REF_RESIDUAL ? 2 : 3); k++) {
			struct ref_opts opts = { (enum ref_loss)loss, { .05, .7 }, 1e-3, loss == REF_RESIDUAL ? .25 : 0, 3,
						 filter[k] };
			struct tilt p = { .3, .08, .7 };
			double *const at[3] = { &p.z_offset, &p.zenith, &p.azimuth }, h = 1e-5;
			double g[3], worst = 0;
			struct ref_tile t;

			o.steepness = loss == REF_RESIDUAL ? 1e4 : 100;
			o.invert = k;
			ref_tile_init(&t, &o, &opts, stack, 5, 14, 11);
			ref_tile_loss(&t, &p, g);
			for (int a = 0; a < 3; a++) {
				double v = *at[a], ahead, behind;

				*at[a] = v + h;
				ahead = ref_tile_loss(&t, &p, NULL);
				*at[a] = v - h;
				behind = ref_tile_loss(&t, &p, NULL);
				*at[a] = v;
				worst = fmax(worst, fabs((ahead - behind) / (2 * h) - g[a]) / fmax(fabs(g[a]), 1e-3 * fabs(behind)));
			}
			ok(worst < 1e-6, "%s, %s: derivatives equal central differences to 1e-6 (%.2g)", names[loss],
			   filters[k], worst);
			ref_tile_clear(&t);
		}
}

int main(void)
{
	test_thin_vectors();
	test_thick_vectors();
	test_loss_vectors();
	test_gradients();
	return done_testing();
}
