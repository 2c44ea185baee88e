/* What may be done to an object between iterations: the smoothing against its definition in double,
 * the notch against waves that are known. */
#include <math.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "base/team.h"
#include "ptycho/regular.h"
#include "tests/ptycho_fixture.h"
#include "tests/tap.h"

enum { SIDE = 6, N = 16, STEP = N / 4 };

/* sum g C O / sum g C at a pixel */
static double complex smoothed(const struct fixture *f, const float *light, double most,
			       double sigma, long y, long x)
{
	long r = (long)ceil(4 * sigma);
	double complex sum = 0;
	double all = 0;

	for (long v = y - r; v <= y + r; v++)
		for (long u = x - r; u <= x + r; u++) {
			double g;

			if (v < 0 || u < 0 || v >= (long)f->h || u >= (long)f->w)
				continue;
			g = exp(-(double)((v - y) * (v - y) + (u - x) * (u - x)) /
				(2 * sigma * sigma)) *
			    (double)light[v * (long)f->w + u] / most;
			if (g > 0)
				sum += g * (double complex)f->object[v * (long)f->w + u];
			all += g;
		}
	return sum / all;
}

/* The object after a smoothing; light: [h][w] that it was weighted by.  -1 after an error. */
static int run_smooth(const struct fixture *f, struct dev *d, double sigma, float complex *object,
		      float *light)
{
	struct ptycho_opts o = fixture_opts();
	struct ptycho p = { 0 };
	size_t n = f->h * f->w;
	int rc = -1;

	if (fixture_start(f, d, &o, f->k, true, &p) == 0 && regular_smooth(&p, sigma) == 0 &&
	    buf_read(p.W, 0, light, n * sizeof *light) == 0)
		rc = ptycho_read(&p, object, NULL);
	ptycho_clear(&p);
	return rc;
}

static void test_smooth(struct dev *d)
{
	struct fixture f;
	float complex *got, *again;
	float *light;
	size_t dark = 0, n;

	fixture_make(&f, SIDE, N, 1, 1e3, false);
	fixture_beam(&f);
	n = f.h * f.w;
	got = mem_new(n, sizeof *got);
	again = mem_new(n, sizeof *again);
	light = mem_new(n, sizeof *light);
	for (double sigma = 0.5; sigma < 5; sigma *= 3) {
		double most = 0, worst = 0;
		bool stay = true;

		if (!ok(run_smooth(&f, d, sigma, got, light) == 0, "an object is smoothed by %g px",
			sigma))
			break;
		dark = 0;
		for (size_t i = 0; i < n; i++)
			most = fmax(most, (double)light[i]);
		for (size_t i = 0; i < n; i++) {
			if (!(light[i] > 0)) {
				stay = stay && got[i] == f.object[i];
				dark++;
				continue;
			}
			worst = fmax(worst, cabs((double complex)got[i] -
						 smoothed(&f, light, most, sigma, (long)(i / f.w),
							  (long)(i % f.w))));
		}
		ok(worst < 2e-6, "it is the sum of its definition in double (off by %g)", worst);
		ok(dark > 100 && stay, "%zu pixels without light stay", dark);
	}
	for (size_t i = 0; i < n; i++)
		if (!(light[i] > 0))
			f.object[i] = CMPLXF(1e6F, NAN);
	ok(run_smooth(&f, d, 4.5, again, light) == 0, "dark pixels of any value");
	for (size_t i = 0; i < n; i++)
		if (!(light[i] > 0))
			again[i] = got[i];
	ok(memcmp(got, again, n * sizeof *got) == 0, "do not leak into the others: the same bytes");
	free(got);
	free(again);
	free(light);
	fixture_clear(&f);
}

/* Amplitude of exp(2 pi i (v y + u x) / 20) in the box */
static double wave_in(const struct fixture *f, const float complex *object, int v, int u)
{
	size_t box = (SIDE - 1) * STEP, first = 4 + N / 2;
	double complex sum = 0;

	for (size_t y = 0; y < box; y++)
		for (size_t x = 0; x < box; x++)
			sum += (double complex)object[(first + y) * f->w + first + x] *
			       cexp(-2 * M_PI * I * (double)(v * (long)y + u * (long)x) /
				    (double)box);
	return cabs(sum) / (double)(box * box);
}

static void test_notch(struct dev *d)
{
	static const int waves[][2] = { { 5, 0 }, { 0, -5 }, { 10, 5 }, { 7, 3 }, { 1, 2 } };
	struct ptycho_opts o = fixture_opts();
	struct ptycho p = { 0 };
	struct fixture f;
	float complex *got;
	double beside = 0;

	fixture_make(&f, SIDE, N, 1, 1e3, false);
	for (size_t k = 0; k < f.k; k++) {
		f.s[k][0] = (double)(4 + k / SIDE * STEP);
		f.s[k][1] = (double)(4 + k % SIDE * STEP);
	}
	for (size_t i = 0; i < f.h * f.w; i++) {
		double y = (double)(i / f.w) - 4 - N / 2, x = (double)(i % f.w) - 4 - N / 2;

		f.object[i] = 1;
		for (int j = 0; j < 5; j++)
			f.object[i] += (float complex)(
				0.1 *
				cexp(2 * M_PI * I * (waves[j][0] * y + waves[j][1] * x) / 20));
	}
	got = mem_new(f.h * f.w, sizeof *got);
	ok(fixture_start(&f, d, &o, f.k, true, &p) == 0 && regular_notch(&p) == 0 &&
		   ptycho_read(&p, got, NULL) == 0,
	   "a notch on a raster of step %d", STEP);
	for (int j = 0; j < 5; j++) {
		double left = wave_in(&f, got, waves[j][0], waves[j][1]);

		if (j < 3)
			ok(left < 1e-5, "a wave of the raster, %d, %d, goes (%g left of 0.1)",
			   waves[j][0], waves[j][1], left);
		else
			ok(fabs(left - 0.1) < 1e-5, "another, %d, %d, stays (%g of 0.1)",
			   waves[j][0], waves[j][1], left);
	}
	ok(fabs(wave_in(&f, got, 0, 0) - 1) < 1e-5, "so does the mean (%g)",
	   wave_in(&f, got, 0, 0));
	for (size_t i = 0; i < f.h * f.w; i++) {
		size_t y = i / f.w - 4 - N / 2, x = i % f.w - 4 - N / 2, box = (SIDE - 1) * STEP;

		if (y >= box || x >= box)
			beside = fmax(beside, (double)cabsf(got[i] - f.object[i]));
	}
	ok(beside == 0, "and all beside the box");
	ok(regular_notch_check("raster", (const double(*)[2])f.s, f.k) == 0, "a raster is taken");
	f.s[7][0] += 0.5;
	ok(regular_notch_check("other", (const double(*)[2])f.s, f.k) != 0,
	   "windows that are none are not");
	f.s[7][0] -= 0.5;
	ok(regular_notch_check("short", (const double(*)[2])f.s, 3 * SIDE) != 0,
	   "nor is one of two steps along an axis");
	free(got);
	ptycho_clear(&p);
	fixture_clear(&f);
}

int main(void)
{
	struct dev *d;

	program_start("unit-ptycho-regular");
	d = dev_open(&(struct dev_opts){ 0 });
	if (!ok(d != NULL, "a device opens"))
		return done_testing();
	test_smooth(d);
	test_notch(d);
	dev_free(d);
	return done_testing();
}
