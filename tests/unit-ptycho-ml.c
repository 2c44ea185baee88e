/* Maximum likelihood of ptychography: gradients against central differences of the likelihoods as
 * written, in double, and the step against the likelihood along the line. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "math/random.h"
#include "tests/ptycho_fixture.h"
#include "tests/tap.h"

enum { SIDE = 3, N = 16, PICKS = 12 };

static double low; /* key floor */
static const char *const noises[] = { "gauss", "poisson", "euclid" };

/* what an engine's visit shows */
struct seen {
	float complex *g_object, *g_probe, *h_object, *h_probe;
	double number[2];
};

static int look(void *arg, const char *name, void *data, enum dtype type, size_t nz, size_t ny,
		size_t nx)
{
	struct seen *s = arg;
	float complex *to = strcmp(name, "g_object") == 0   ? s->g_object
			    : strcmp(name, "g_probe") == 0  ? s->g_probe
			    : strcmp(name, "h_object") == 0 ? s->h_object
			    : strcmp(name, "h_probe") == 0  ? s->h_probe
							    : NULL;

	if (to)
		memcpy(to, data, nz * ny * nx * dtype_size(type));
	else if (nz * ny * nx == 2 && type == DT_F64)
		memcpy(s->number, data, sizeof s->number);
	return 0;
}

/* sum over valid pixels: gauss (m - I)^2 / (2 (1 + I)); poisson m - I ln(m + floor); euclid m - 2 d
 * sqrt(m + floor) */
static double likelihood(const struct fixture *f, const double complex *object,
			 const double complex *probe, enum noise noise)
{
	size_t plane = f->n * f->n;
	double complex *wave = mem_new(f->modes * plane, sizeof *wave);
	double sum = 0;

	for (size_t k = 0; k < f->k; k++) {
		const float *data = (const float *)f->frames.data + k * plane;

		fixture_waves(f, object, probe, f->s[k], wave);
		for (size_t i = 0; i < plane; i++) {
			double m = 0, v = (double)data[i];

			if (v < 0)
				continue;
			for (size_t j = i; j < f->modes * plane; j += plane)
				m += creal(wave[j] * conj(wave[j]));
			sum += noise == NOISE_GAUSS	? (m - v) * (m - v) / (2 * (1 + v))
			       : noise == NOISE_POISSON ? m - v * log(m + low)
							: m - 2 * sqrt(v) * sqrt(m + low);
		}
	}
	free(wave);
	return sum;
}

struct problem {
	struct fixture f;
	struct ptycho p;
	struct stage s;
	void *kept;
	double complex *object, *probe; /* the state before the iteration */
	struct seen seen;
	struct ptycho_row row;
};

/* A start that is `off` from the truth, and one iteration of ml.  0, or -1. */
static int solve(struct problem *q, struct dev *d, enum noise noise, size_t modes, bool fraction,
		 double off)
{
	struct ptycho_opts o = fixture_opts();
	size_t canvas, plane = modes * N * N;
	struct rng r;

	*q = (struct problem){ .s = fixture_stage("ml", 1, 64) };
	fixture_make(&q->f, SIDE, N, modes, 50, fraction);
	fixture_mask(&q->f);
	canvas = q->f.h * q->f.w;
	rng_init(&r, 3);
	q->object = mem_new(canvas, sizeof *q->object);
	q->probe = mem_new(plane, sizeof *q->probe);
	for (size_t i = 0; i < canvas; i++)
		q->object[i] =
			(double complex)(q->f.object[i] += (float complex)(
						 off * (rng_normal(&r) + I * rng_normal(&r))));
	for (size_t i = 0; i < plane; i++)
		q->probe[i] = (double complex)(
			q->f.probe[i] +=
			(float complex)(off * sqrt(50) * (rng_normal(&r) + I * rng_normal(&r))));
	q->seen.g_object = mem_new(canvas, sizeof(float complex));
	q->seen.h_object = mem_new(canvas, sizeof(float complex));
	q->seen.g_probe = mem_new(plane, sizeof(float complex));
	q->seen.h_probe = mem_new(plane, sizeof(float complex));
	o.subpixel = fraction;
	o.probe_start = 0;
	q->s.noise = noise;
	q->s.floor = low;
	if (fixture_start(&q->f, d, &o, 4, true, &q->p) != 0 ||
	    engine_ml.begin(&q->p, &q->s, &q->kept) != 0 ||
	    engine_ml.iterate(&q->p, &q->s, 0, q->kept, &q->row) != 0)
		return -1;
	return engine_ml.visit(&q->p, q->kept, look, &q->seen);
}

static void clear(struct problem *q)
{
	engine_ml.end(&q->p, q->kept);
	ptycho_clear(&q->p);
	fixture_clear(&q->f);
	free(q->object);
	free(q->probe);
	free(q->seen.g_object);
	free(q->seen.h_object);
	free(q->seen.g_probe);
	free(q->seen.h_probe);
}

/* Largest |difference - gradient| over the gradient's root mean square, of some elements of x, real
 * and imaginary */
static double worst_gradient(struct problem *q, double complex *x, size_t n, const float complex *g,
			     enum noise noise, double step)
{
	double rms = 0, worst = 0;
	struct rng r;

	rng_init(&r, 17);
	for (size_t i = 0; i < n; i++)
		rms += pow(cabs((double complex)g[i]), 2) / (double)n;
	rms = sqrt(rms);
	for (int t = 0; t < 2 * PICKS; t++) {
		size_t i = rng_below(&r, n);
		double complex was = x[i], e = t % 2 ? I * step : step;
		double up, down, have = t % 2 ? (double)cimagf(g[i]) : (double)crealf(g[i]);

		x[i] = was + e;
		up = likelihood(&q->f, q->object, q->probe, noise);
		x[i] = was - e;
		down = likelihood(&q->f, q->object, q->probe, noise);
		x[i] = was;
		worst = fmax(worst, fabs((up - down) / (2 * step) - have) / rms);
	}
	return worst;
}

static void test_gradient(struct dev *d, enum noise noise, size_t modes, bool fraction)
{
	struct problem q;
	double object = NAN, probe = NAN;
	int rc;

	low = 0.1;
	rc = solve(&q, d, noise, modes, fraction, 0.05);
	if (rc == 0) {
		object = worst_gradient(&q, q.object, q.f.h * q.f.w, q.seen.g_object, noise, 1e-4);
		probe = worst_gradient(&q, q.probe, modes * N * N, q.seen.g_probe, noise, 1e-3);
	}
	ok(object < 1e-3 && probe<1e-3,
				  "%s%s%s: gradients of object and probe are central differences "
				  "of the likelihood within 1e-3 (%.2g, %.2g)",
				  noises[noise], modes> 1
		   ? ", 2 modes"
		   : "",
	   fraction ? ", sub-pixel" : "", object, probe);
	clear(&q);
}

/* the likelihood at t along the line */
static double along(const struct problem *q, enum noise noise, double t)
{
	size_t canvas = q->f.h * q->f.w, plane = q->f.modes * N * N;
	double complex *object = mem_new(canvas, sizeof *object),
		       *probe = mem_new(plane, sizeof *probe);
	double v;

	for (size_t i = 0; i < canvas; i++)
		object[i] = q->object[i] + t * (double complex)q->seen.h_object[i];
	for (size_t i = 0; i < plane; i++)
		probe[i] = q->probe[i] + t * (double complex)q->seen.h_probe[i];
	v = likelihood(&q->f, object, probe, noise);
	free(object);
	free(probe);
	return v;
}

/* By parabolas through three points around the best one, ever closer */
static double minimum(const struct problem *q, enum noise noise, double t)
{
	double h = 0.2 * t;

	for (int i = 0; i < 6; i++, h *= 0.5) {
		double a = along(q, noise, t - h), b = along(q, noise, t),
		       c = along(q, noise, t + h);

		t += 0.5 * h * (a - c) / (a - 2 * b + c);
	}
	return t;
}

static void test_step(struct dev *d, enum noise noise, size_t modes, bool fraction)
{
	struct problem q;
	double t, best = NAN, moved = NAN;
	float complex *x;
	int rc;

	low = 1e-3; /* else the truth is no optimum */
	rc = solve(&q, d, noise, modes, fraction, 2e-3);
	x = mem_new(q.f.h * q.f.w, sizeof *x);
	t = q.row.step_object;
	if (rc == 0 && t > 0)
		best = minimum(&q, noise, t);
	ok(fabs(t / best - 1) < 0.01,
	   "%s%s%s: near convergence the step is the minimum along the line within 1 %% (%.2g)",
	   noises[noise], modes > 1 ? ", 2 modes" : "", fraction ? ", sub-pixel" : "",
	   t / best - 1);
	if (rc == 0 && ptycho_read(&q.p, x, NULL) == 0) {
		moved = 0;
		for (size_t i = 0; i < q.f.h * q.f.w; i++)
			moved = fmax(moved, cabs((double complex)x[i] - q.object[i] -
						 t * (double complex)q.seen.h_object[i]));
	}
	ok(moved < 1e-6, "%s: and the object went there (%.2g)", noises[noise], moved);
	free(x);
	clear(&q);
}

/* a probe that starts later, or never */
static void test_late_probe(struct dev *d)
{
	struct ptycho_opts o = fixture_opts();
	struct stage s = fixture_stage("ml", 6, 64);
	struct fixture_log log = { 0 };
	struct fixture f;
	struct ptycho p = { 0 };
	bool good, falls = true;

	fixture_make(&f, SIDE, N, 1, 50, false);
	for (size_t i = 0; i < f.h * f.w; i++)
		f.object[i] = 1;
	for (size_t i = 0; i < N * N; i++)
		f.probe[i] *= i % 2 ? 1.1f : 0.9f;
	o.probe_start = 3;
	good = fixture_start(&f, d, &o, 4, true, &p) == 0 && fixture_run(&p, &s, 1, &log) == 0 &&
	       log.n == 6;
	for (size_t i = 1; i < log.n; i++)
		falls = falls && log.row[i].fmag < log.row[i - 1].fmag;
	ok(good && falls && log.row[2].dP == 0 && log.row[3].dP > 0,
	   "a probe that starts at iteration 3 moves from there on, and the error falls in each "
	   "iteration");
	ptycho_clear(&p);
	fixture_clear(&f);
}

int main(void)
{
	struct dev_opts o = { .mem = "1G", .threads = 1 };
	struct dev *d = dev_open(&o);

	if (!ok(d != NULL, "a device opens"))
		return done_testing();
	for (int n = 0; n < 3; n++) {
		test_gradient(d, (enum noise)n, 1, false);
		test_gradient(d, (enum noise)n, 2, true);
		test_step(d, (enum noise)n, 1, false);
		test_step(d, (enum noise)n, 2, true);
	}
	test_late_probe(d);
	dev_free(d);
	return done_testing();
}
