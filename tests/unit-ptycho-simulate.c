/* ptycho/simulate.h: intensities against the model written out in double, what the model is blind
 * to, layouts against their definition, counts, dead pixels, objects. */
#include <math.h>

#include "base/mem.h"
#include "math/random.h"
#include "ptycho/probe.h"
#include "ptycho/propagate.h"
#include "ptycho/simulate.h"
#include "tests/tap.h"

typedef float complex cfloat;
typedef double complex cdouble;

enum { MODES = 2, SLICES = 3, FRAMES = 5, SIDE = 48 };

static struct dev *device;

static double uniform(uint64_t stream, uint64_t k)
{
	return (double)(rng_key(11, stream, k) >> 11) * 0x1p-53 - 0.5;
}

/* ---- the model in double */

static cdouble *phases; /* e^{-2 pi i k / n} */

/* unnormalised, sign -1 or +1, rows then columns, by definition */
static void dft(cdouble *a, size_t n, int sign)
{
	cdouble *t = mem_new(n, sizeof *t);

	for (int pass = 0; pass < 2; pass++)
		for (size_t line = 0; line < n; line++) {
			size_t first = pass ? line : line * n, step = pass ? n : 1;

			for (size_t k = 0; k < n; k++) {
				t[k] = 0;
				for (size_t j = 0; j < n; j++)
					t[k] += a[first + j * step] *
						(sign < 0 ? phases[j * k % n]
							  : conj(phases[j * k % n]));
			}
			for (size_t k = 0; k < n; k++)
				a[first + k * step] = t[k];
		}
	free(t);
}

static double frequency(size_t i, size_t n)
{
	return (2 * i < n ? (double)i : (double)i - (double)n) / (double)n;
}

struct scene {
	size_t n, slices;
	cfloat *probe, *object, *H;
	double place[FRAMES][2];
	bool subpixel;
};

/* One frame and mode added to v [n][n] */
static void add_mode(const struct scene *s, size_t k, size_t m, double *v)
{
	size_t n = s->n, pixels = n * n;
	cdouble *a = mem_new(pixels, sizeof *a);
	double f[2];
	long i[2];

	for (int axis = 0; axis < 2; axis++)
		window_split(s->place[k][axis], &i[axis], &f[axis]);
	for (size_t r = 0; r < pixels; r++)
		a[r] = s->probe[m * pixels + r];
	if (s->subpixel) {
		dft(a, n, -1);
		for (size_t r = 0; r < pixels; r++)
			a[r] *= cexp(-2 * M_PI * I *
				     (f[0] * frequency(r / n, n) + f[1] * frequency(r % n, n))) /
				(double)pixels;
		dft(a, n, 1);
	}
	for (size_t l = 0; l < s->slices; l++) {
		if (l > 0) {
			dft(a, n, -1);
			for (size_t r = 0; r < pixels; r++)
				a[r] *= (cdouble)s->H[r] / (double)pixels;
			dft(a, n, 1);
		}
		for (size_t r = 0; r < pixels; r++)
			a[r] *= s->object[(l * SIDE + (size_t)i[0] + r / n) * SIDE + (size_t)i[1] +
					  r % n];
	}
	dft(a, n, -1);
	for (size_t r = 0; r < pixels; r++)
		v[r] += (creal(a[r]) * creal(a[r]) + cimag(a[r]) * cimag(a[r])) / (double)pixels;
	free(a);
}

static void scene_make(struct scene *s, size_t n, size_t slices, bool subpixel)
{
	*s = (struct scene){ .n = n, .slices = slices, .subpixel = subpixel };
	s->probe = mem_new(MODES * n * n, sizeof *s->probe);
	s->object = mem_new(slices * SIDE * SIDE, sizeof *s->object);
	s->H = mem_new(n * n, sizeof *s->H);
	phases = mem_new(n, sizeof *phases);
	for (size_t i = 0; i < n; i++)
		phases[i] = cexp(-2 * M_PI * I * (double)i / (double)n);
	for (size_t i = 0; i < slices * SIDE * SIDE; i++)
		s->object[i] = (cfloat)((1 + 0.4 * uniform(1, i)) * cexp(I * 2 * uniform(2, i)));
	if (probe_disc(device, n, 0.2, 0.02, 1, s->probe) != 0)
		exit(1);
	probe_modes(n, 1, MODES, 0.2, s->probe);
	propagator_make(n, 2e-6, 1e-10, 4e-9, s->H);
	for (size_t k = 0; k < FRAMES; k++)
		for (size_t a = 0; a < 2; a++)
			s->place[k][a] = 1 + (double)(SIDE - n - 2) * (uniform(3 + a, k) + 0.5);
	s->place[0][0] = 2.5; /* half a pixel: window 3 and -0.5 */
}

static void scene_clear(struct scene *s)
{
	free(s->probe);
	free(s->object);
	free(s->H);
	free(phases);
}

/* v [FRAMES][n][n], in batches of what the simulator likes */
static int scene_run(const struct scene *s, float *v)
{
	struct simulator sim;
	int rc = simulator_init(&sim, device, FRAMES, s->n, MODES, s->probe, s->slices, SIDE, SIDE,
				s->object, s->H, NULL, s->subpixel);

	for (size_t k = 0; k < FRAMES && rc == 0; k += sim.room)
		rc = simulator_frames(&sim, (const double(*)[2])s->place + k,
				      FRAMES - k < sim.room ? FRAMES - k : sim.room,
				      v + k * s->n * s->n);
	simulator_clear(&sim);
	return rc;
}

/* the largest difference of two sets of frames, of the largest value */
static double apart(const float *a, const float *b, size_t count)
{
	double top = 0, off = 0;

	for (size_t i = 0; i < count; i++) {
		top = fmax(top, a[i]);
		off = fmax(off, fabs((double)a[i] - b[i]));
	}
	return off / top;
}

/* The frames anew, to w: how far are they from v? */
static double run_apart(const struct scene *s, const float *v, float *w)
{
	return scene_run(s, w) == 0 ? apart(v, w, FRAMES * s->n * s->n) : INFINITY;
}

static void test_model(size_t n, size_t slices, bool subpixel)
{
	struct scene s;
	size_t pixels = n * n;
	float *v = mem_new(FRAMES * pixels, sizeof *v);
	double *want = mem_new(FRAMES * pixels, sizeof *want), top = 0, off = 0;

	scene_make(&s, n, slices, subpixel);
	for (size_t k = 0; k < FRAMES; k++)
		for (size_t m = 0; m < MODES; m++)
			add_mode(&s, k, m, want + k * pixels);
	if (!ok(scene_run(&s, v) == 0, "frames of side %zu, %zu slices%s can be computed", n,
		slices, subpixel ? ", between pixels" : ""))
		return;
	for (size_t i = 0; i < FRAMES * pixels; i++) {
		top = fmax(top, want[i]);
		off = fmax(off, fabs(v[i] - want[i]));
	}
	ok(off < 2e-6 * top, "and are the model in double (%.2g)", off / top);
	scene_clear(&s);
	free(v);
	free(want);
}

/* sum of a frame = sum |P O|^2: no photon is lost */
static void test_photons(void)
{
	struct scene s;
	float v[FRAMES * 32 * 32];
	double worst = 0;

	scene_make(&s, 32, 1, false);
	if (scene_run(&s, v) != 0)
		exit(1);
	for (size_t k = 0; k < FRAMES; k++) {
		double photons = 0, wave = 0, f;
		long i[2];

		window_split(s.place[k][0], &i[0], &f);
		window_split(s.place[k][1], &i[1], &f);
		for (size_t r = 0; r < 32 * 32; r++) {
			cdouble o =
				s.object[((size_t)i[0] + r / 32) * SIDE + (size_t)i[1] + r % 32];

			photons += v[k * 32 * 32 + r];
			for (size_t m = 0; m < MODES; m++)
				wave += pow(cabs(s.probe[m * 32 * 32 + r] * o), 2);
		}
		worst = fmax(worst, fabs(photons / wave - 1));
	}
	ok(worst < 1e-6, "a frame has as many photons as the wave behind the object (%.2g)", worst);
	scene_clear(&s);
}

/* What no frame can tell: 5e-6, since another rounding enters everywhere. */
static void test_blind(void)
{
	enum { N = 24, ALL = FRAMES * N * N };
	struct scene s;
	double off;
	float *v = mem_new(ALL, sizeof *v), *w = mem_new(ALL, sizeof *w);
	cfloat *kept;

	scene_make(&s, N, 1, true);
	kept = mem_new(SIDE * SIDE, sizeof *kept);
	memcpy(kept, s.object, SIDE * SIDE * sizeof *kept);
	if (scene_run(&s, v) != 0)
		exit(1);
	for (size_t i = 0; i < MODES * N * N; i++)
		s.probe[i] *= 3;
	for (size_t i = 0; i < SIDE * SIDE; i++)
		s.object[i] /= 3;
	off = run_apart(&s, v, w);
	ok(off < 5e-6, "a factor on the probe and its inverse on the object change no frame (%.2g)",
	   off);
	for (size_t i = 0; i < SIDE * SIDE; i++)
		s.object[i] *= (cfloat)cexp(I * 1.3);
	off = run_apart(&s, v, w);
	ok(off < 5e-6, "nor does a constant phase (%.2g)", off);

	/* whole pixels: the windows move and the object with them, circularly */
	for (size_t y = 0; y < SIDE; y++)
		for (size_t x = 0; x < SIDE; x++)
			s.object[(y + 1) % SIDE * SIDE + (x + SIDE - 1) % SIDE] =
				kept[y * SIDE + x] / 3;
	for (size_t k = 0; k < FRAMES; k++) {
		s.place[k][0] += 1;
		s.place[k][1] -= 1;
	}
	off = run_apart(&s, v, w);
	ok(off < 5e-6, "nor does a shift of object and positions (%.2g)", off);

	/* e^{ikr} on the object, e^{-ikr} on the probe: whole windows only, a shift of the probe
	 * would not commute with the ramp */
	s.subpixel = false;
	if (scene_run(&s, v) != 0)
		exit(1);
	for (size_t y = 0; y < SIDE; y++)
		for (size_t x = 0; x < SIDE; x++)
			s.object[y * SIDE + x] *=
				(cfloat)cexp(I * (0.07 * (double)y - 0.11 * (double)x));
	for (size_t i = 0; i < MODES * N * N; i++)
		s.probe[i] *=
			(cfloat)cexp(-I * (0.07 * (double)(i / N % N) - 0.11 * (double)(i % N)));
	off = run_apart(&s, v, w);
	ok(off < 5e-6, "nor does a ramp on the object with its inverse on the probe (%.2g)", off);
	scene_clear(&s);
	free(kept);
	free(v);
	free(w);
}

/* ---- the detector */

static void test_layout(size_t n)
{
	size_t *source = mem_new(n * n, sizeof *source), good = 0, y, x;
	bool beam;

	sim_layout(n, D4_IDENTITY, true, false, source);
	for (size_t i = 0; i < n * n; i++)
		good += source[i] == i;
	ok(good == n * n, "side %zu: the corner layout without a turn is the frame itself", n);
	sim_layout(n, D4_IDENTITY, false, false, source);
	beam = source[n / 2 * n + n / 2] == 0;
	good = 0;
	for (size_t i = 0; i < n * n; i++) /* centred: right of the beam comes the frequency 1 */
		good += source[i] == (i / n + n - n / 2) % n * n + (i % n + n - n / 2) % n;
	ok(beam && good == n * n, "the centred one has the beam at %zu, %zu", n / 2, n / 2);
	good = 0;
	for (int op = 0; op < D4_COUNT; op++) {
		size_t *turned = mem_new(n * n, sizeof *turned);

		sim_layout(n, (enum d4)op, false, false, turned);
		for (size_t i = 0; i < n * n;
		     i++) { /* the inverse brings each pixel back to the centred layout */
			d4_source(d4_inverse((enum d4)op), n, n, i / n, i % n, &y, &x);
			good += turned[y * n + x] == source[i];
		}
		free(turned);
	}
	ok(good == D4_COUNT * n * n, "an orientation is undone by its inverse");
	free(source);
}

static void test_counts(void)
{
	enum { N = 64, COUNT = 40 };
	float *v = mem_new(COUNT * N * N, sizeof *v), *w = mem_new(COUNT * N * N, sizeof *w);

	for (int level = 0; level < 3; level++) {
		double mean = (double[3]){ 0.3, 7, 4000 }[level], sum = 0, square = 0,
		       pixels = COUNT * N * N;

		for (size_t i = 0; i < COUNT * N * N; i++)
			v[i] = w[i] = (float)mean;
		sim_poisson(v, 0, COUNT, N, 5, 1);
		sim_poisson(w, 0, 13, N, 5, 2);
		sim_poisson(w + 13 * N * N, 13, COUNT - 13, N, 5, 2);
		for (size_t i = 0; i < COUNT * N * N; i++) {
			sum += v[i];
			square += (v[i] - mean) * (v[i] - mean);
		}
		/* five standard deviations: of the mean sqrt(m / n), of the variance sqrt((m + 2
		 * m^2) / n) */
		ok(fabs(sum / pixels - mean) < 5 * sqrt(mean / pixels),
		   "counts of %g have this mean (%.5g)", mean, sum / pixels);
		ok(fabs(square / pixels - mean) < 5 * sqrt((mean + 2 * mean * mean) / pixels),
		   "and this variance (%.5g)", square / pixels);
		ok(memcmp(v, w, COUNT * N * N * sizeof *v) == 0,
		   "whatever the threads and the blocks");
	}
	free(v);
	free(w);
}

static void test_dead(void)
{
	enum { N = 16 };
	unsigned char mask[N * N];
	uint64_t alive = UINT64_MAX, dead = 0;
	size_t count = 0;

	sim_dead(N, 10, 3, mask);
	for (size_t i = 0; i < N * N; i++) {
		uint64_t key = rng_key(3, 4, i);

		count += mask[i] == 0;
		if (mask[i] == 0)
			dead = key > dead ? key : dead;
		else
			alive = key < alive ? key : alive;
	}
	ok(count == 10 && dead < alive,
	   "dead pixels are those of the smallest keys, ten of them (%zu)", count);
}

/* ---- objects */

static void test_objects(void)
{
	enum { H = 96, W = 128 };
	cfloat *o = mem_new(3 * H * W, sizeof *o);
	double top = 0, least = 1, most = 0, in = 0, out = 0, between = 0, off = 0;

	if (sim_object(device, SIM_RANDOM, 1, H, W, 8, o) != 0)
		exit(1);
	for (size_t i = 0; i < H * W; i++) {
		top = fmax(top, fabs(cargf(o[i])));
		least = fmin(least, cabsf(o[i]));
		most = fmax(most, cabsf(o[i]));
	}
	ok(fabs(top - 1.2) < 1e-5 && least > 0.8 - 1e-6 && most < 1 + 1e-6,
	   "a random object has phases up to 1.2 rad, amplitudes 0.8 to 1");
	if (sim_object(device, SIM_SIEMENS, 1, H, W, 8, o) != 0)
		exit(1);
	for (size_t i = 0; i < H * W; i++) {
		double a = cabsf(o[i]), p = cargf(o[i]);

		off = fmax(off, fabs((1 - a) - 0.2 * p));
		in += p > 0.999;
		out += p < 0.001;
		between += p > 0.01 && p < 0.99;
	}
	ok(off < 1e-6 && fabs(in / out - 1) < 0.05 && between > 0,
	   "a star has 0.8 and 1 rad in half of its area, soft edges (%.3f)", in / out);
	size_t edges = 0, before = 1;
	for (int t = 0; t <= 3600; t++) { /* around a circle, with the phase of half a spoke */
		double angle = 2 * M_PI * (t + 0.5) / 3600;
		size_t y = (size_t)lround(H / 2 + 44 * sin(angle)),
		       x = (size_t)lround(W / 2 + 44 * cos(angle)), now = cargf(o[y * W + x]) > 0.5;

		edges += t > 0 && now != before;
		before = now;
	}
	ok(edges == 72, "36 spokes have 72 edges (%zu)", edges);
	if (sim_object(device, SIM_SIEMENS, 3, H, W, 8, o) != 0)
		exit(1);
	top = 0;
	for (size_t i = 0; i < H * W; i++)
		top = fmax(top, cargf(o[i]) + cargf(o[H * W + i]) + cargf(o[2 * H * W + i]));
	ok(fabs(top - 1) < 1e-5, "three slices have a third of the phase each (%.6f in all)", top);
	free(o);
}

int main(void)
{
	struct dev_opts o = { .threads = 2 };

	device = dev_open(&o);
	if (!device)
		return 1;
	test_model(32, 1, false);
	test_model(27, 1, true);
	test_model(32, 1, true);
	test_model(24, SLICES, false);
	test_model(30, SLICES, true);
	test_photons();
	test_blind();
	test_layout(8);
	test_layout(9);
	test_counts();
	test_dead();
	test_objects();
	dev_free(device);
	return done_testing();
}
