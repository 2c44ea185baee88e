/* A probe that changes from frame to frame along one mode, by weights that are known: with --opr
 * the frames are explained, the object and the weights found. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "math/random.h"
#include "ptycho/opr.h"
#include "tests/ptycho_fixture.h"
#include "tests/tap.h"

enum { SIDE = 10, N = 32, K = SIDE * SIDE };

struct scene {
	struct fixture f;
	double complex V[N * N]; /* of the probe's norm, orthogonal to it */
	double a[K];
};

static double complex dot(const double complex *a, const double complex *b, size_t n)
{
	double complex sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += conj(a[i]) * b[i];
	return sum;
}

/* P_k = P + a_k V, a_k of mean 0; frames of these.  fraction: windows off the pixels. */
static void scene_make(struct scene *s, double spread, bool fraction)
{
	struct fixture *f = &s->f;
	double complex *P, *Pk = mem_new(N * N, sizeof *Pk), *wave = mem_new(N * N, sizeof *wave),
			   along;
	float *data;
	double mean = 0, norm, power;
	struct rng r;

	fixture_make(f, SIDE, N, 1, 100, fraction);
	P = f->true_probe;
	data = f->frames.data;
	rng_init(&r, 77);
	for (size_t i = 0; i < N * N;
	     i++) { /* light on one side of the window, less on the other */
		double x = (double)(i % N) / N - 0.5;

		s->V[i] = P[i] * (3 * x + I * (rng_uniform(&r) - 0.5));
	}
	power = creal(dot(P, P, N * N));
	along = dot(P, s->V, N * N) / power;
	for (size_t i = 0; i < N * N; i++)
		s->V[i] -= along * P[i];
	norm = sqrt(power / creal(dot(s->V, s->V, N * N)));
	for (size_t i = 0; i < N * N; i++)
		s->V[i] *= norm;
	for (size_t k = 0; k < K; k++) {
		s->a[k] = spread * (2 * rng_uniform(&r) - 1);
		mean += s->a[k] / K;
	}
	for (size_t k = 0; k < K; k++) {
		s->a[k] -= mean;
		for (size_t i = 0; i < N * N; i++)
			Pk[i] = P[i] + s->a[k] * s->V[i];
		fixture_waves(f, f->true_object, Pk, f->s[k], wave);
		for (size_t i = 0; i < N * N; i++)
			data[k * N * N + i] = (float)(creal(wave[i]) * creal(wave[i]) +
						      cimag(wave[i]) * cimag(wave[i]));
	}
	free(Pk);
	free(wave);
}

/* What is left of the true object, in the canvas's middle, by a constant factor. */
static double object_error(struct ptycho *p, const struct fixture *f)
{
	float complex *o = mem_new(f->h * f->w, sizeof *o);
	double complex ab = 0;
	double aa = 0, bb = 0;

	if (ptycho_read(p, o, NULL) == 0)
		for (size_t y = N / 2; y < f->h - N / 2; y++)
			for (size_t x = N / 2; x < f->w - N / 2; x++) {
				double complex a = o[y * f->w + x],
					       b = f->true_object[y * f->w + x];

				ab += conj(a) * b;
				aa += creal(conj(a) * a);
				bb += creal(conj(b) * b);
			}
	free(o);
	return sqrt(fmax(0, 1 - creal(ab * conj(ab)) / (aa * bb)));
}

/* What the first mode's weights do not share with the true ones, by a constant factor. */
static double weights_error(struct ptycho *p, const struct scene *s)
{
	size_t c = p->o.opr;
	float complex *modes = mem_new(c * N * N, sizeof *modes);
	double complex *w = mem_new(K * (c + 1), sizeof *w), ab = 0;
	double aa = 0, bb = 0;

	if (opr_read(p, modes, w) == 0)
		for (size_t k = 0; k < K; k++) {
			double complex v = w[k * (c + 1) + 1];

			ab += conj(v) * s->a[k];
			aa += creal(conj(v) * v);
			bb += s->a[k] * s->a[k];
		}
	free(modes);
	free(w);
	return sqrt(fmax(0, 1 - creal(ab * conj(ab)) / (aa * bb)));
}

struct found {
	double R, object, weights;
};

static bool run(struct dev *d, const struct scene *s, const char *engine, size_t opr, bool subpixel,
		struct found *to)
{
	struct ptycho_opts o = fixture_opts();
	struct stage stage = fixture_stage(engine, 60, 5);
	struct fixture_log log = { .n = 0 };
	struct fixture f = s->f;
	struct ptycho p = { 0 };
	bool good = false;

	o.opr = opr;
	o.subpixel = subpixel;
	f.object = NULL;
	if (fixture_start(&f, d, &o, 5, true, &p) == 0 && fixture_run(&p, &stage, 1, &log) == 0) {
		to->R = log.final.R;
		to->object = object_error(&p, &s->f);
		to->weights = opr ? weights_error(&p, s) : 1;
		good = true;
	}
	ptycho_clear(&p);
	return good;
}

static void test_found(struct dev *d, const char *engine, bool fraction)
{
	struct scene *s = mem_new(1, sizeof *s);
	struct found with = { 0 }, without = { 0 };

	scene_make(s, 0.5, fraction);
	if (ok(run(d, s, engine, 0, fraction, &without) && run(d, s, engine, 1, fraction, &with),
	       "%s runs with and without%s", engine, fraction ? ", windows off the pixels" : "")) {
		ok(with.R < without.R / 2, "%s: R %.4f, %.4f without", engine, with.R, without.R);
		ok(with.object < without.object / 3, "%s: the object is off by %.4f, %.4f without",
		   engine, with.object, without.object);
		ok(with.weights < 0.45, "%s: the weights are the true ones to %.3f", engine,
		   with.weights);
	}
	fixture_clear(&s->f);
	free(s);
}

/* ---- the watchdog goes back to modes and weights, too */

enum { SOUND = 5, C = 2 };

/* After so many iterations more the object is no number. */
static int ruin(void *arg, struct ptycho *p)
{
	float complex *o;

	(void)arg;
	if (p->iteration < SOUND + 1)
		return 0;
	o = buf_map(p->object, MAP_READ | MAP_WRITE);
	if (!o)
		return -1;
	o[p->w * p->h / 2] = NAN;
	return buf_unmap(p->object);
}

struct state {
	float complex *object, *probe, *modes;
	double complex *w;
	double (*s)[2], *intensity;
	long shift[2];
};

static struct state state_of(struct ptycho *p)
{
	struct state t = { .object = mem_new(p->h * p->w, sizeof *t.object),
			   .probe = mem_new(N * N, sizeof *t.probe),
			   .modes = mem_new(C * N * N, sizeof *t.modes),
			   .w = mem_new(K * (C + 1), sizeof *t.w),
			   .s = mem_new(K, sizeof *t.s),
			   .intensity = mem_new(K, sizeof *t.intensity) };

	ptycho_read(p, t.object, t.probe);
	if (p->opr)
		opr_read(p, t.modes, t.w);
	memcpy(t.s, p->s, K * sizeof *t.s);
	memcpy(t.intensity, p->intensity, K * sizeof *t.intensity);
	memcpy(t.shift, p->shift, sizeof t.shift);
	return t;
}

static void state_clear(struct state *t)
{
	free(t->object);
	free(t->probe);
	free(t->modes);
	free(t->w);
	free(t->s);
	free(t->intensity);
}

static bool run_ruined(struct dev *d, const struct fixture *f, const struct ptycho_opts *o,
		       const char *engine, long iterations, bool ruined, struct state *to)
{
	struct stage stage = fixture_stage(engine, iterations, 5);
	struct chain_ops ops = { .object = ruined ? ruin : NULL, .watchdog = ruined };
	struct ptycho_row final;
	struct ptycho p = { 0 };
	bool good = fixture_start(f, d, o, 5, true, &p) == 0 &&
		    chain_run(&p, &stage, 1, &ops, &final) == (ruined ? CHAIN_DIVERGED : 0);

	*to = state_of(&p);
	ptycho_clear(&p);
	return good;
}

static void test_back(struct dev *d, const char *engine, bool opr)
{
	struct scene *s = mem_new(1, sizeof *s);
	struct ptycho_opts o = fixture_opts();
	struct state want = { 0 }, got = { 0 };
	size_t area = N * N, canvas;

	scene_make(s, 0.5, false);
	o.opr = opr ? C : 0;
	o.intensity = !opr;
	o.recentre = true;
	canvas = s->f.h * s->f.w;
	if (ok(run_ruined(d, &s->f, &o, engine, SOUND, false, &want) &&
		       run_ruined(d, &s->f, &o, engine, 4 * SOUND, true, &got),
	       "%s: a run whose object is no number ends by the watchdog", engine)) {
		ok(memcmp(got.object, want.object, canvas * sizeof *got.object) == 0 &&
			   memcmp(got.probe, want.probe, area * sizeof *got.probe) == 0 &&
			   memcmp(got.s, want.s, K * sizeof *got.s) == 0 &&
			   memcmp(got.shift, want.shift, sizeof got.shift) == 0,
		   "%s: with object, probe and windows of the last good iteration", engine);
		if (opr)
			ok(memcmp(got.modes, want.modes, C * area * sizeof *got.modes) == 0 &&
				   memcmp(got.w, want.w, K * (C + 1) * sizeof *got.w) == 0,
			   "%s: its modes and weights", engine);
		else
			ok(memcmp(got.intensity, want.intensity, K * sizeof *got.intensity) == 0 &&
				   want.intensity[0] != 1,
			   "%s: its intensities", engine);
	}
	state_clear(&want);
	state_clear(&got);
	fixture_clear(&s->f);
	free(s);
}

int main(void)
{
	struct dev_opts o = { .mem = "1G", .threads = 1 };
	struct dev *d = dev_open(&o);

	if (ok(d != NULL, "a device opens")) {
		test_found(d, "epie", false);
		test_found(d, "rpie", false);
		test_found(d, "rpie", true);
		test_found(d, "lsqml", false);
		test_found(d, "lsqml", true);
		test_back(d, "rpie", true);
		test_back(d, "lsqml", true);
		test_back(d, "lsqml", false);
	}
	dev_free(d);
	return done_testing();
}
