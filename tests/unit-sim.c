/* The simulator against double-precision sums, and what its images must obey.  Tolerances are
 * absolute on an empty field of 1, as the goldens': 1e-5 for the linear model, 2e-5 for Abbe's sum;
 * both come from single-precision transforms. */
#include <complex.h>
#include <math.h>

#include "base/mem.h"
#include "base/team.h"
#include "tests/capture.h"
#include "tests/ref-inside.h"
#include "tests/ref-tilt.h"
#include "tests/tap.h"
#include "tilt/phantom.h"
#include "tilt/simulate.h"

static struct dev *dev;

static const struct optics pheno = { .wavelength = .45,
				     .pixel = .325,
				     .z_step = 2,
				     .index = 1,
				     .na_det = .55,
				     .na_ill = .4,
				     .steepness = 1e4,
				     .z_sign = -1 };
static const struct optics track = { .wavelength = .45,
				     .pixel = 1.3,
				     .z_step = 25,
				     .index = 1,
				     .na_det = .15,
				     .na_ill = .135,
				     .steepness = 1e4,
				     .z_sign = 1 };

/* An object without symmetry and with some of everything up to the Nyquist bins. */
static float *object(size_t ny, size_t nx, double peak, uint64_t seed)
{
	float *a = mem_new(ny * nx, sizeof *a);

	phantom_make(PHANTOM_DISKS, ny, nx, peak, seed, a);
	for (size_t i = 0; i < ny * nx; i++)
		a[i] += (float)(0.05 * peak *
				sin(7.3 * (double)(i / nx) +
				    2.9 * (double)(i % nx) * (double)(i % nx)));
	return a;
}

static float *simulate(const struct simulate_opts *o, const float *phase, const float *absorption,
		       size_t ny, size_t nx, const struct tilt *tilt, size_t nz)
{
	float *stack = mem_new(nz * ny * nx, sizeof *stack);
	struct tile_plan plan;
	int rc;

	tile_plan_init(&plan, (size_t[2]){ ny, nx }, (size_t[2]){ 0, 0 }, (size_t[2]){ 0, 0 });
	rc = simulate_stack(dev, o, "object", phase, absorption, &plan, tilt, nz, stack);
	tile_plan_clear(&plan);
	if (rc != 0) {
		free(stack);
		return NULL;
	}
	return stack;
}

static cplx *spectrum_of(const float *a, size_t ny, size_t nx)
{
	cplx *s = mem_new(ny * nx, sizeof *s);

	for (size_t i = 0; i < ny * nx; i++)
		s[i] = a[i];
	ref_fft2(s, 1, ny, nx, -1);
	return s;
}

static double largest_difference(const float *got, const double *want, size_t n)
{
	double worst = 0;

	for (size_t i = 0; i < n; i++) {
		double d = fabs(got[i] - want[i]);

		worst = d > worst || isnan(d) ? d : worst;
	}
	return worst;
}

static void plain_weak(const struct optics *o, const float *phase, const float *absorption,
		       size_t ny, size_t nx, const struct tilt *t, size_t nz, double *out)
{
	cplx *a = spectrum_of(absorption, ny, nx), *p = spectrum_of(phase, ny, nx),
	     *s = mem_new(ny * nx, sizeof *s);
	double *z = mem_new(nz, sizeof *z);
	struct ref_grid g;
	struct ref_thin h;

	for (size_t k = 0; k < nz; k++)
		z[k] = optics_z(o, nz, t->z_offset, k);
	ref_grid_init(&g, o, ny, nx, true);
	ref_thin_init(&h, &g, nz, z, t->zenith, t->azimuth);
	for (size_t k = 0; k < nz; k++) {
		for (size_t i = 0; i < ny * nx; i++)
			s[i] = h.ha[k * ny * nx + i] * a[i] + h.hp[k * ny * nx + i] * p[i];
		ref_fft2(s, 1, ny, nx, 1);
		for (size_t i = 0; i < ny * nx; i++)
			out[k * ny * nx + i] = 1 + creal(s[i]);
	}
	ref_thin_clear(&h);
	ref_grid_clear(&g);
	free(a);
	free(p);
	free(s);
	free(z);
}

/* The object on the finer grid: zero-filled spectrum, real part. */
static double *plain_finer(const struct ref_grid *g, const float *a)
{
	cplx *s = spectrum_of(a, g->ny, g->nx), *f = mem_new(g->my * g->mx, sizeof *f);
	double *out = mem_new(g->my * g->mx, sizeof *out);

	for (size_t i = 0; i < g->ny * g->nx; i++)
		f[g->iy[i / g->nx] * g->mx + g->ix[i % g->nx]] = s[i];
	ref_fft2(f, 1, g->my, g->mx, 1);
	for (size_t i = 0; i < g->my * g->mx; i++)
		out[i] = creal(f[i]) * (double)(g->my * g->mx) / (double)(g->ny * g->nx);
	free(s);
	free(f);
	return out;
}

static void plain_abbe(const struct optics *o, const float *phase, const float *absorption,
		       size_t ny, size_t nx, const struct tilt *t, size_t nz, double *out)
{
	struct ref_grid g;

	ref_grid_init(&g, o, ny, nx, true);
	size_t n = g.my * g.mx;
	double *a = plain_finer(&g, absorption), *p = plain_finer(&g, phase),
	       *s = mem_new(n, sizeof *s);
	cplx *spec = mem_new(n, sizeof *spec), *f = mem_new(n, sizeof *f),
	     *sum = mem_new(n, sizeof *sum);

	ref_source(&g, t->zenith, t->azimuth, s, NULL, NULL);
	for (size_t i = 0; i < n; i++)
		spec[i] = cexp(a[i] + I * p[i]);
	ref_fft2(spec, 1, g.my, g.mx, -1);
	for (size_t k = 0; k < nz; k++) {
		double z = optics_z(o, nz, t->z_offset, k), norm = 0;

		memset(sum, 0, n * sizeof *sum);
		for (size_t q = 0; q < n; q++) {
			if (!(g.p[q] > 1e-6 && s[q] > 1e-3))
				continue;
			for (size_t i = 0; i < n; i++) {
				size_t y = (i / g.mx + g.my - q / g.mx) % g.my,
				       x = (i % g.mx + g.mx - q % g.mx) % g.mx;

				f[i] = spec[y * g.mx + x] * g.p[i] *
				       cexp(2 * M_PI * I * z * g.gamma[i]);
			}
			ref_fft2(f, 1, g.my, g.mx, 1);
			for (size_t i = 0; i < n; i++)
				sum[i] += s[q] *
					  (creal(f[i]) * creal(f[i]) + cimag(f[i]) * cimag(f[i]));
			norm += s[q] * g.p[q] * g.p[q];
		}
		ref_fft2(sum, 1, g.my, g.mx, -1);
		for (size_t i = 0; i < ny * nx; i++)
			f[i] = sum[g.iy[i / nx] * g.mx + g.ix[i % nx]] / norm;
		ref_fft2(f, 1, ny, nx, 1);
		for (size_t i = 0; i < ny * nx; i++)
			out[k * ny * nx + i] = creal(f[i]) * (double)(ny * nx) / (double)n;
	}
	ref_grid_clear(&g);
	free(a);
	free(p);
	free(s);
	free(spec);
	free(f);
	free(sum);
}

typedef void plain_fn(const struct optics *, const float *, const float *, size_t, size_t,
		      const struct tilt *, size_t, double *);

static void against_plain(const struct simulate_opts *o, plain_fn *plain, const char *what,
			  double peak, double tol, size_t ny, size_t nx, size_t nz)
{
	struct tilt t = { .3, .11, .7 };
	float *phase = object(ny, nx, peak, 1), *absorption = object(ny, nx, -.1, 2);
	float *got = simulate(o, phase, absorption, ny, nx, &t, nz);
	double *want = mem_new(nz * ny * nx, sizeof *want), worst = NAN;

	plain(&o->optics, phase, absorption, ny, nx, &t, nz, want);
	if (got)
		worst = largest_difference(got, want, nz * ny * nx);
	ok(worst < tol, "%s, %zu x %zu: equals the sum in double to %g (%.2g)", what, ny, nx, tol,
	   worst);
	free(phase);
	free(absorption);
	free(got);
	free(want);
}

static void test_plain(void)
{
	struct simulate_opts o = { .optics = pheno, .forward = FORWARD_WEAK };

	against_plain(&o, plain_weak, "weak", .4, 1e-5, 16, 12, 5);
	against_plain(&o, plain_weak, "weak", .4, 1e-5, 13, 15, 4);
	o.optics.oversample = 3;
	against_plain(&o, plain_weak, "weak, pupil plane three times the field's", .4, 1e-5, 16, 15,
		      3);
	o.optics = track;
	o.optics.invert = true;
	against_plain(&o, plain_weak, "weak, ascending and inverted", .4, 1e-5, 17, 14, 3);

	o = (struct simulate_opts){ .optics = pheno, .forward = FORWARD_ABBE };
	for (int up = 1; up <= 3; up++) {
		char what[32];

		snprintf(what, sizeof what, "abbe, %d times finer", up);
		o.optics.oversample = up;
		against_plain(&o, plain_abbe, what, 1.5, 2e-5, 12, 14, 2);
		against_plain(&o, plain_abbe, what, 1.5, 2e-5, 11, 13, 2);
	}
	o.optics = track;
	o.optics.oversample = 2;
	against_plain(&o, plain_abbe, "abbe, ascending", 1.5, 2e-5, 10, 15, 2);
}

/* To first order of the object both models are one; what is left is the second order and the
 * pupil's edge, where the linear model has P P for P. */
static void test_weak_limit(void)
{
	enum { NY = 24, NX = 20, NZ = 3 };
	struct simulate_opts weak = { .optics = pheno, .forward = FORWARD_WEAK }, abbe = weak;
	struct tilt t = { 0, .12, -1 };
	float *phase = object(NY, NX, 1e-3, 3), *w, *a;
	double top = 0, worst = 0;

	abbe.forward = FORWARD_ABBE;
	abbe.optics.oversample = weak.optics.oversample = 2;
	w = simulate(&weak, phase, NULL, NY, NX, &t, NZ);
	a = simulate(&abbe, phase, NULL, NY, NX, &t, NZ);
	for (size_t i = 0; w && a && i < NZ * NY * NX; i++) {
		top = fmax(top, fabs(w[i] - 1.0));
		worst = fmax(worst, fabs((double)w[i] - a[i]));
	}
	ok(top > 1e-4 && worst < 0.02 * top,
	   "of a phase of 1e-3 abbe makes the image of weak to 2 %% (%.2g of %.2g)", worst, top);
	free(phase);
	free(w);
	free(a);
}

static void test_points(void)
{
	enum { NY = 16, NX = 18, NZ = 2, N = NZ * NY * NX };
	struct simulate_opts o = { .optics = pheno, .forward = FORWARD_ABBE };
	struct tilt t = { 0, .1, .4 };
	float *phase = object(NY, NX, .5, 4), *all, *some, *again, *other, *many;
	double mean = 0;

	o.optics.oversample = 2;
	all = simulate(&o, phase, NULL, NY, NX, &t, NZ);
	o.points = 100000;
	many = simulate(&o, phase, NULL, NY, NX, &t, NZ);
	o.points = 5;
	some = simulate(&o, phase, NULL, NY, NX, &t, NZ);
	again = simulate(&o, phase, NULL, NY, NX, &t, NZ);
	o.seed = 1;
	other = simulate(&o, phase, NULL, NY, NX, &t, NZ);
	if (ok(all && some && again && other && many, "the sums over points are made")) {
		for (size_t i = 0; i < N; i++)
			mean += some[i] / (double)N;
		ok(memcmp(all, many, N * 4) == 0, "more points than there are stand for all");
		ok(memcmp(some, again, N * 4) == 0, "points drawn by a seed are drawn again");
		ok(memcmp(some, other, N * 4) != 0, "another seed draws others");
		ok(memcmp(some, all, N * 4) != 0 && fabs(mean - 1) < 0.1,
		   "few points make another image of the same brightness (%.3f)", mean);
	}
	free(phase);
	free(all);
	free(some);
	free(again);
	free(other);
	free(many);
}

/* Every tile of a field, whatever is computed with it, is the tile alone; without overlap blending
 * leaves it as it is. */
static void test_tiles(enum forward forward, const char *name)
{
	enum { T = 12, ROWS = 3, COLS = 3, NY = T * ROWS, NX = T * COLS, NZ = 2 };
	struct simulate_opts o = {
		.optics = pheno, .forward = forward, .pad = 3, .sigma_frac = .125
	};
	float *phase = object(NY, NX, .4, 5), *absorption = object(NY, NX, -.05, 6),
	      *field = mem_new(NZ * NY * NX, 4);
	struct tile_plan plan;
	struct tilt tilt[ROWS * COLS];
	bool same = true;

	o.optics.oversample = forward == FORWARD_ABBE ? 2 : 0;
	tile_plan_init(&plan, (size_t[2]){ NY, NX }, (size_t[2]){ T, T }, (size_t[2]){ 0, 0 });
	for (size_t i = 0; i < plan.count; i++)
		tilt[i] = (struct tilt){ .1 * (double)i, .02 * (double)i, (double)i };
	same = simulate_stack(dev, &o, "field", phase, absorption, &plan, tilt, NZ, field) == 0;
	for (size_t i = 0; i < plan.count && same; i++) {
		float *cut = mem_new(2 * T * T, sizeof *cut), *alone;

		for (size_t k = 0; k < T * T; k++) {
			size_t from = (plan.box[i].y + k / T) * NX + plan.box[i].x + k % T;

			cut[k] = phase[from];
			cut[T * T + k] = absorption[from];
		}
		alone = simulate(&o, cut, cut + T * T, T, T, &tilt[i], NZ);
		for (size_t k = 0; alone && k < NZ * T * T; k++) {
			size_t z = k / (T * T), y = plan.box[i].y + k % (T * T) / T,
			       x = plan.box[i].x + k % T;

			same &= alone[k] == field[(z * NY + y) * NX + x];
		}
		same &= alone != NULL;
		free(cut);
		free(alone);
	}
	ok(same, "%s: a tile of a field is, bit for bit, the tile alone", name);
	tile_plan_clear(&plan);
	free(phase);
	free(absorption);
	free(field);
}

/* Forward and back: with next to no regularisation the object returns where the optics pass it. */
static void test_round_trip(void)
{
	enum { NY = 32, NX = 30, NZ = 9, N = NY * NX };
	struct simulate_opts o = { .optics = pheno, .forward = FORWARD_WEAK };
	struct tilt t = { .2, .1, 2 };
	struct thin_size size;
	struct contrast plain = { 0 };
	struct tile_box box = { 0, 0, NY, NX };
	struct thin thin;
	cplx *s;
	float phase[N], back[N], *out[1] = { back }, *stack;
	double worst = NAN, cut = pheno.na_det / pheno.wavelength;
	long dark;

	float *any = object(NY, NX, .2, 7);
	s = spectrum_of(any, NY, NX);
	for (size_t i = 0; i < N; i++) {
		double fy = ref_freq(i / NX, NY) / (NY * pheno.pixel),
		       fx = ref_freq(i % NX, NX) / (NX * pheno.pixel);
		double f = sqrt(fy * fy + fx * fx);

		if (f == 0 || f > cut) /* the mean of a phase is not imaged */
			s[i] = 0;
	}
	ref_fft2(s, 1, NY, NX, 1);
	for (size_t i = 0; i < N; i++)
		phase[i] = (float)creal(s[i]);
	stack = simulate(&o, phase, NULL, NY, NX, &t, NZ);
	if (stack && thin_plan(dev, &pheno, NZ, NY, NX, 1, false, &size) == 0 &&
	    thin_init(&thin, dev, &pheno, NZ, NY, NX, &size, false) == 0) {
		if (thin_load(&thin, 0, &plain, &box, stack, NY, NX) == 0 &&
		    thin_solve(&thin, (size_t[]){ 0 }, &t, 1, 1e-12, INVERSE_CONJ, &dark) == 0 &&
		    dark < 0 && thin_images(&thin, 0, 1, PHASE, 0, out) == 0) {
			worst = 0;
			for (size_t i = 0; i < N; i++)
				worst = fmax(worst, fabs((double)back[i] - phase[i]));
		}
		thin_clear(&thin);
	}
	ok(worst < 1e-3 * .2,
	   "a band-limited phase comes back from its stack to 1e-3 of its peak (%.2g)", worst / .2);
	free(any);
	free(s);
	free(stack);
}

static void test_dark(enum forward forward, const char *name)
{
	struct simulate_opts o = { .optics = track, .forward = forward };
	struct tilt t = { 0, 1.1, 0 };
	float *phase = object(16, 16, .1, 8), *stack;

	o.optics.oversample = 2;
	capture_begin();
	stack = simulate(&o, phase, NULL, 16, 16, &t, 1);
	capture_end();
	ok(!stack && captured("zenith 1.1"), "%s: a tilt beyond the objective is refused: %s", name,
	   captured_text());
	free(stack);
	free(phase);
}

static void test_counts(void)
{
	enum { NZ = 4, N = 250000 };
	float *a = mem_new(NZ * N, 4), *b = mem_new(NZ * N, 4), *c = mem_new(N, 4);
	double mean[2] = { 0 }, var[2] = { 0 };
	bool negative = true;

	for (int noise = 0; noise < 2; noise++) {
		for (size_t i = 0; i < NZ * N; i++)
			a[i] = b[i] = 1;
		simulate_counts(a, NZ, N, 800, noise ? NOISE_GAUSS : NOISE_POISSON, 20, 11, 1);
		simulate_counts(b, NZ, N, 800, noise ? NOISE_GAUSS : NOISE_POISSON, 20, 11, 3);
		for (size_t i = 0; i < N; i++)
			c[i] = 1;
		simulate_counts(c, 1, N, 800, noise ? NOISE_GAUSS : NOISE_POISSON, 20, 13, 2);
		ok(memcmp(a, b, NZ * N * 4) == 0,
		   "noise has the same bytes on one thread and on three");
		ok(memcmp(a + 2 * N, c, N * 4) == 0 && memcmp(a, a + N, N * 4) != 0,
		   "slice 2 of seed 11 is slice 0 of seed 13");
		for (size_t i = 0; i < NZ * N; i++)
			mean[noise] += a[i] / (NZ * (double)N);
		for (size_t i = 0; i < NZ * N; i++)
			var[noise] += pow(a[i] - mean[noise], 2) / (NZ * (double)N);
	}
	ok(fabs(mean[0] - 800) < .15 && fabs(var[0] / mean[0] - 1) < .01,
	   "Poisson counts: variance over mean is 1 (%.4f at %.2f)", var[0] / mean[0], mean[0]);
	ok(fabs(mean[1] - 800) < .1 && fabs(sqrt(var[1]) - 20) < .1,
	   "Gaussian noise of 20 counts is that (%.3f)", sqrt(var[1]));
	for (size_t i = 0; i < N; i++)
		c[i] = -.1f;
	simulate_counts(c, 1, N, 800, NOISE_POISSON, 0, 1, 1);
	for (size_t i = 0; i < N; i++)
		negative &= c[i] == 0;
	ok(negative, "no light gives no counts");
	c[0] = 1.25f;
	simulate_counts(c, 1, 1, 800, NOISE_NONE, 0, 1, 1);
	ok(c[0] == 1000, "without noise counts are brightness times intensity");
	free(a);
	free(b);
	free(c);
}

static void test_u16(void)
{
	static const float in[8] = { .5f, 1.5f, 2.5f, -3, 70000, 65535.4f, .4999f, 1000 };
	static const uint16_t want[8] = { 0, 2, 2, 0, 65535, 65535, 0, 1000 };
	uint16_t out[8];

	simulate_u16(in, 8, out);
	ok(memcmp(out, want, sizeof want) == 0, "16 bits: halves to even, clipped at both ends");
}

static void test_phantoms(void)
{
	enum { NY = 96, NX = 80, N = NY * NX };
	static const char *const name[3] = { "disks", "sphere", "cells" };
	static float a[N], b[N], c[N];
	double middle, rim;

	for (int k = 0; k < 3; k++) {
		float top = -1, low = 1;

		phantom_make((enum phantom)k, NY, NX, .7, 5, a);
		phantom_make((enum phantom)k, NY, NX, .7, 5, b);
		phantom_make((enum phantom)k, NY, NX, .7, 6, c);
		for (size_t i = 0; i < N; i++) {
			top = fmaxf(top, a[i]);
			low = fminf(low, a[i]);
		}
		ok(top == .7f && low >= 0 && low < .07f,
		   "%s: between 0 and the peak (%.3g to %.3g)", name[k], low, top);
		ok(memcmp(a, b, sizeof a) == 0 &&
			   (memcmp(a, c, sizeof a) != 0) == (k != PHANTOM_SPHERE),
		   "%s: the same from the same seed", name[k]);
		for (int threads = 1; threads <= 3; threads += 2) {
			team_set_size(threads);
			phantom_make((enum phantom)k, NY, NX, .7, 5, b);
			ok(memcmp(a, b, sizeof a) == 0, "%s: the same from a team of %d", name[k],
			   threads);
		}
		team_set_size(0);
	}
	/* thickness at half the radius is sqrt(3)/2 of the middle's; a blur of sd 2 takes 4
	 * pixels^2 off r^2 - rho^2 of 400 and 300 */
	phantom_make(PHANTOM_SPHERE, NY, NX, 1, 0, a);
	middle = a[NY / 2 * NX + NX / 2];
	rim = a[NY / 2 * NX + NX / 2 + 10];
	ok(middle == 1 && fabs(rim - sqrt(296. / 396)) < 5e-3 &&
		   a[NY / 2 * NX + NX / 2 + 30] < 1e-4,
	   "sphere: round in profile (%.4f at half the radius, %.2g outside)", rim,
	   a[NY / 2 * NX + NX / 2 + 30]);
}

int main(void)
{
	dev = dev_open(&(struct dev_opts){ 0 });
	if (!ok(dev != NULL, "there is a device"))
		return done_testing();
	test_plain();
	test_weak_limit();
	test_points();
	test_tiles(FORWARD_WEAK, "weak");
	test_tiles(FORWARD_ABBE, "abbe");
	test_round_trip();
	test_dark(FORWARD_WEAK, "weak");
	test_dark(FORWARD_ABBE, "abbe");
	test_counts();
	test_u16();
	test_phantoms();
	dev_free(dev);
	return done_testing();
}
