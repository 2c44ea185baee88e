/* The model of ptychography against sums in double, its adjoints, and what must not change an
 * intensity. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "math/random.h"
#include "tests/ptycho_fixture.h"
#include "tests/tap.h"

enum { SIDE = 4, N = 16 };

/* Intensities [k][n][n] of all frames with the object and probe given; NULL after an error */
static float *intensities(struct dev *d, const struct fixture *f, bool subpixel)
{
	struct ptycho_opts o = fixture_opts();
	size_t plane = f->n * f->n, all = f->k * f->modes * plane;
	float complex *wave = mem_new(all, sizeof *wave);
	float *m = mem_new(f->k * plane, sizeof *m);
	struct ptycho p = { 0 };
	struct buf *probes;

	o.subpixel = subpixel;
	if (fixture_start(f, d, &o, f->k, true, &p) != 0 || model_block(&p, 0, f->k) != 0 ||
	    !(probes = model_probes(&p, p.probe, p.shifted)) ||
	    model_waves(&p, probes, p.object, p.wave, false) != 0 ||
	    model_forward(&p, p.wave) != 0 || buf_read(p.wave, 0, wave, all * sizeof *wave) != 0) {
		free(m);
		m = NULL;
	}
	for (size_t i = 0; m && i < all; i++)
		m[i / (f->modes * plane) * plane + i % plane] +=
			(crealf(wave[i]) * crealf(wave[i]) + cimagf(wave[i]) * cimagf(wave[i])) /
			(float)plane;
	free(wave);
	ptycho_clear(&p);
	return m;
}

/* largest difference over the largest value of b */
static double worst_of(const float *a, const float *b, size_t n)
{
	double worst = a && b ? 0 : NAN, most = 0;

	for (size_t i = 0; a && b && i < n; i++) {
		worst = fmax(worst, fabs((double)a[i] - (double)b[i]));
		most = fmax(most, (double)b[i]);
	}
	return worst / most;
}

static void test_model(struct dev *d, bool fraction)
{
	struct fixture f;
	float *m;
	double worst;

	fixture_make(&f, SIDE, N, 2, 1e3, fraction);
	m = intensities(d, &f, fraction);
	worst = worst_of(m, f.frames.data, f.k * N * N);
	ok(worst < 1e-5, "intensities of 2 modes%s are those of sums in double (%.2g)",
	   fraction ? ", probes shifted" : "", worst);
	free(m);
	fixture_clear(&f);
}

/* What changes no intensity: power between probe and object, a phase, a ramp, all windows with the
 * object */
static void test_invariance(struct dev *d)
{
	const char *const names[] = { "power moved to the probe", "a phase of the object",
				      "a linear phase ramp", "all windows and the object moved" };
	struct fixture f;
	float *first;

	fixture_make(&f, SIDE, N, 1, 1e3, false);
	first = intensities(d, &f, false);
	for (int c = 0; c < 4; c++) {
		struct fixture g = f;
		float *m;
		double worst;

		g.object = mem_new(f.h * f.w, sizeof *g.object);
		g.probe = mem_new(N * N, sizeof *g.probe);
		for (size_t i = 0; i < f.h * f.w; i++) {
			double y = (double)(i / f.w), x = (double)(i % f.w);
			double complex by = c == 0   ? 1 / 3.0
					    : c == 1 ? cexp(0.7 * I)
					    : c == 2 ? cexp(I * (0.2 * y - 0.3 * x))
						     : 1;
			size_t to = c == 3 ? ((i / f.w + 2) % f.h) * f.w + (i % f.w + 1) % f.w : i;

			g.object[to] = (float complex)((double complex)f.object[i] * by);
		}
		for (size_t i = 0; i < N * N; i++) {
			double y = (double)(i / N), x = (double)(i % N);

			g.probe[i] = (float complex)((double complex)f.probe[i] *
						     (c == 0   ? 3
						      : c == 2 ? cexp(-I * (0.2 * y - 0.3 * x))
							       : 1));
		}
		for (size_t k = 0; k < f.k && c == 3; k++) {
			f.s[k][0] += 2;
			f.s[k][1] += 1;
		}
		m = intensities(d, &g, false);
		worst = worst_of(m, first, f.k * N * N);
		ok(worst < 1e-5, "%s changes no intensity (%.2g)", names[c], worst);
		free(m);
		free(g.object);
		free(g.probe);
	}
	free(first);
	fixture_clear(&f);
}

static double complex inner(const float complex *a, const float complex *b, size_t n)
{
	double complex sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += conj((double complex)a[i]) * (double complex)b[i];
	return sum;
}

static void random_waves(float complex *a, size_t n, uint64_t seed)
{
	struct rng r;

	rng_init(&r, seed);
	for (size_t i = 0; i < n; i++)
		a[i] = (float complex)(rng_normal(&r) + I * rng_normal(&r));
}

/* Parseval, and <F x, y> = <x, F+ y> of transforms and of the shift of probes to each frame */
static void test_adjoint(struct dev *d)
{
	struct ptycho_opts o = fixture_opts();
	struct fixture f;
	struct ptycho p = { 0 };
	size_t all, one = 2 * N * N;
	float complex *x, *y, *t;
	double complex a, b;
	double before, after;
	struct buf *probes;

	fixture_make(&f, SIDE, N, 2, 1, true);
	for (size_t i = 0; i < f.h * f.w; i++)
		f.object[i] = 1;
	o.subpixel = true;
	all = f.k * one;
	x = mem_new(all, sizeof *x);
	y = mem_new(all, sizeof *y);
	t = mem_new(all, sizeof *t);
	random_waves(x, all, 1);
	random_waves(y, all, 2);
	if (!ok(fixture_start(&f, d, &o, f.k, true, &p) == 0 && model_block(&p, 0, f.k) == 0 &&
			buf_write(p.wave, 0, x, all * sizeof *x) == 0 &&
			model_forward(&p, p.wave) == 0 &&
			buf_read(p.wave, 0, t, all * sizeof *t) == 0,
		"random waves are transformed"))
		goto done;
	before = creal(inner(x, x, all));
	after = creal(inner(t, t, all)) / (N * N);
	ok(fabs(after / before - 1) < 1e-6, "Parseval: a transform keeps the power (%.2g)",
	   after / before - 1);
	a = inner(t, y, all);
	if (!ok(buf_write(p.wave, 0, y, all * sizeof *y) == 0 && model_backward(&p, p.wave) == 0 &&
			buf_read(p.wave, 0, t, all * sizeof *t) == 0,
		"and back"))
		goto done;
	b = inner(x, t, all);
	ok(cabs(a - b) < 1e-6 * sqrt(before * after) * N, "<F x, y> = <x, F+ y> (%.2g)",
	   cabs(a - b) / (before * N));
	if (!ok((probes = model_probes(&p, p.probe, p.shifted)) &&
			buf_read(probes, 0, t, all * sizeof *t) == 0 &&
			buf_write(p.wave, 0, y, all * sizeof *y) == 0 &&
			model_gather_probe(&p, p.object, p.wave, p.g, NULL, true) == 0 &&
			model_gather_probe_end(&p, p.g) == 0 &&
			buf_read(p.g, 0, x, one * sizeof *x) == 0,
		"probes are shifted, waves shifted back"))
		goto done;
	a = inner(t, y, all);
	b = inner(f.probe, x, one);
	before = sqrt(creal(inner(t, t, all)) * creal(inner(y, y, all)));
	ok(cabs(a - b) < 1e-6 * before,
	   "<S P, y> = <P, S+ y> for the shift of the probe to each frame (%.2g)",
	   cabs(a - b) / before);
done:
	free(x);
	free(y);
	free(t);
	ptycho_clear(&p);
	fixture_clear(&f);
}

/* The four steps in one, whose frames are shared by threads, and one after the other */
static void test_chi(size_t batch, enum fft_choice fft)
{
	struct dev *d = dev_open(&(struct dev_opts){ .mem = "1G", .threads = 3, .fft = fft });
	struct ptycho_opts o = fixture_opts();
	struct fixture f;
	struct ptycho p = { 0 };
	double(*err)[ERR_SUMS] = NULL;
	float complex *x, *y;
	size_t bytes;

	if (fft == FFT_CLFFT && (!d || getenv("TESTS_FAST"))) { /* clFFT fails under sanitizers by itself */
		ok(true, "chi by clFFT # SKIP %s", d ? "TESTS_FAST" : "built without it");
		dev_free(d);
		return;
	}
	fixture_make(&f, SIDE, N, 2, 1, true);
	bytes = batch * 2 * N * N * sizeof *x;
	x = mem_new(bytes, 1);
	y = mem_new(bytes, 1);
	if (!ok(d && fixture_start(&f, d, &o, batch, true, &p) == 0 && model_block(&p, 0, batch) == 0 &&
			model_waves(&p, p.probe, p.object, p.wave, false) == 0 && model_forward(&p, p.wave) == 0 &&
			model_replace(&p, p.wave) == 0 && model_backward(&p, p.wave) == 0 && buf_read(p.wave, 0, x, bytes) == 0,
		"chi of %zu frames in four steps%s", batch, fft == FFT_CLFFT ? ", by clFFT" : ""))
		goto done;
	err = mem_new(p.k, sizeof *err);
	memcpy(err, p.err, p.k * sizeof *err);
	memset(p.err, 0, p.k * sizeof *err);
	ok(buf_zero(p.wave) == 0 && model_chi(&p, p.probe, p.object, p.wave) == 0 && buf_read(p.wave, 0, y, bytes) == 0 &&
		   memcmp(x, y, bytes) == 0 && memcmp(err, p.err, p.k * sizeof *err) == 0,
	   "in one by three threads: the same waves and errors");
done:
	free(x);
	free(y);
	free(err);
	ptycho_clear(&p);
	fixture_clear(&f);
	dev_free(d);
}

int main(void)
{
	struct dev_opts o = { .mem = "1G", .threads = 1 };
	struct dev *d = dev_open(&o);

	if (!ok(d != NULL, "a device opens"))
		return done_testing();
	test_model(d, false);
	test_model(d, true);
	test_adjoint(d);
	test_invariance(d);
	test_chi(1, FFT_AUTO);
	test_chi(5, FFT_AUTO);
	test_chi(8, FFT_AUTO);
	test_chi(8, FFT_CLFFT);
	dev_free(d);
	return done_testing();
}
