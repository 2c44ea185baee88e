/* The fit of K-Planes: steps, the volume term, and the gradient of the whole objective against
 * central differences of the same objective in double. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "kplanes/fit.h"
#include "math/random.h"
#include "tests/ref-kplanes.h"
#include "tests/tap.h"

static struct dev *d;

static void test_steps(void)
{
	static const double g[3] = { 1, 2, -1 },
			    want[2][3] = { { -.1, -.1965182, -.2385271 },
					   { -.1056452, -.2019399, -.1645086 } };

	for (int o = OPTIMISER_ADAM; o <= OPTIMISER_NADAM; o++) {
		double m = 0, v = 0, product = 1, twin = 1;
		struct buf *b[4];
		float x = 0, y;
		bool host = true, device = true;
		uint64_t n = 1;

		for (int i = 0; i < 4; i++) {
			b[i] = buf_new(d, 4);
			buf_zero(b[i]);
		}
		for (long k = 1; k <= 3; k++) {
			struct fit_step s = fit_step((enum optimiser)o, k, .1, &product);
			float gf = (float)g[k - 1];

			(void)fit_step((enum optimiser)o, k, .1, &twin);
			fit_update(&s, &x, &g[k - 1], &m, &v, 1);
			buf_write(b[1], 0, &gf, 4);
			dev_run(d, "kp_update", NDRANGE1(1), ARG(b[0]), ARG(b[1]), ARG(b[2]),
				ARG(b[3]), ARG(n), FLOAT(s.cg), FLOAT(s.cm), FLOAT(s.cv));
			buf_read(b[0], 0, &y, 4);
			host &= near((double)x, want[o][k - 1], 1e-7);
			device &= near((double)y, want[o][k - 1], 2e-7);
		}
		ok(host && device && twin == product, "three steps of %s, on host and device",
		   o ? "NAdam" : "Adam");
		for (int i = 0; i < 4; i++)
			buf_free(b[i]);
	}
}

static void test_volume_tv(void)
{
	double v[12] = { 1, 1.5, .5, 1, 2, 2, 3, 1, 2, 2, 2, 2 }, g[12] = { 0 }, worst = 0;

	fit_volume_tv(v, 3, .25, 2, g);
	for (int i = 0; i < 12; i++) {
		double was = v[i], a, b;

		if (i >= 8)
			continue;
		v[i] = was + 1e-5;
		a = fit_volume_tv(v, 3, .25, 2, NULL);
		v[i] = was - 1e-5;
		b = fit_volume_tv(v, 3, .25, 2, NULL);
		v[i] = was;
		worst = fmax(worst, fabs((a - b) / 1e-5 - g[i]));
	}
	ok(worst < 1e-7, "the volume term's derivative by its taps (%.2g)", worst);
	ok(g[8] == 0 && g[9] == 0 && g[10] == 0 && g[11] == 0, "is 0 where the four are equal");
	for (double a = -40; a < 40; a += .37) {
		double s, t, up = fit_activation(ACTIVATION_SOFTPLUS, a + 1e-5, &t),
			     lo = fit_activation(ACTIVATION_SOFTPLUS, a - 1e-5, &t);

		fit_activation(ACTIVATION_SOFTPLUS, a, &s);
		worst = fmax(worst, fabs((up - lo) / 2e-5 - s));
	}
	ok(worst < 1e-6, "and softplus has its slope (%.2g)", worst);
}

/* ---- the objective as a whole */

enum { BATCH = 20, TAPS = 7, ALL = BATCH + 4 * TAPS };

struct objective {
	struct ref r;
	const struct fit_opts *o;
	enum activation activation;
	double quat[2][4], weight[16], bias, h;
	double pts[ALL][3], y[BATCH];
};

/* Points of the first batch, as float32 numbers in double; false: one is near a texel line. */
static bool draw(struct objective *b, const struct kplanes_model *m, const float *volume)
{
	size_t nz = m->shape[0], ny = m->shape[1], nx = m->shape[2], n = nz * ny * nx;
	float p[3 * BATCH], taps[12 * TAPS];
	double least = 1;

	for (size_t j = 0; j < BATCH; j++) {
		size_t i = ((rng_key(b->o->seed, 17, j) >> 32) * n) >> 32;

		p[3 * j] = kp_grid(-1, 1, nx, i % nx);
		p[3 * j + 1] = kp_grid(-1, 1, ny, i / nx % ny);
		p[3 * j + 2] = kp_grid(-1, 1, nz, i / nx / ny);
		b->y[j] = ((double)volume[i] - (double)m->offset) / (double)m->scale;
	}
	b->h = fit_taps(m, p, TAPS, taps);
	for (size_t i = 0; i < ALL; i++) {
		const float *from = i < BATCH ? p + 3 * i : taps + 3 * (i - BATCH);

		for (int a = 0; a < 3; a++)
			b->pts[i][a] = (double)from[a];
		least = fmin(least, ref_to_line(&b->r, b->pts[i]));
	}
	return least > 1e-4;
}

static void turn(struct objective *b)
{
	for (size_t t = 0; t < b->r.t; t++) {
		const double *q = b->quat[t];
		double n = q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3];

		for (int i = 0; i < 3; i++)
			for (int j = 0; j < 3; j++) {
				int k = 3 - i - j; /* the third axis, where i and j differ */
				double w = (j == (i + 1) % 3 ? -1 : 1) * q[3];

				b->r.rot[t][3 * i + j] =
					i != j ? 2 * (q[i] * q[j] + w * q[k]) / n
					       : 1 - 2 * (n - q[3] * q[3] - q[i] * q[i]) / n;
			}
	}
}

static double plane_tv(const struct ref *r, size_t l)
{
	size_t h = r->size[l][0], w = r->size[l][1], pages = 3 * r->t * r->c;
	double loss = 0;

	for (size_t p = 0; p < pages; p++) {
		const double *v = r->planes[l] + p * h * w;
		double y = 0, x = 0;

		for (size_t i = 0; i < h * w; i++) {
			y += i + w < h * w ? (v[i + w] - v[i]) * (v[i + w] - v[i]) : 0;
			x += i % w + 1 < w ? (v[i + 1] - v[i]) * (v[i + 1] - v[i]) : 0;
		}
		loss += y / (double)((h - 1) * w) + x / (double)(h * (w - 1));
	}
	return 3 * loss / (double)pages;
}

static double objective(struct objective *b, struct fit_terms *terms)
{
	double f[ALL], feature[16], slope;
	struct fit_terms t = { 0 };

	turn(b);
	for (size_t i = 0; i < ALL; i++) {
		double a = b->bias;

		ref_features(&b->r, b->pts[i], feature);
		for (size_t k = 0; k < b->r.levels * b->r.t * b->r.c; k++)
			a += b->weight[k] * feature[k];
		f[i] = fit_activation(b->activation, a, &slope);
	}
	for (size_t i = 0; i < BATCH; i++)
		t.mse += (f[i] - b->y[i]) * (f[i] - b->y[i]) / BATCH;
	for (size_t i = 0; i < TAPS; i++) {
		double s = 0;

		for (size_t a = 1; a < 4; a++)
			s += pow((f[BATCH + 4 * i + a] - f[BATCH + 4 * i]) / b->h, 2);
		t.volume_tv += sqrt(s) / TAPS;
	}
	for (size_t l = 0; l < b->r.levels; l++)
		t.plane_tv += plane_tv(&b->r, l);
	if (terms)
		*terms = t;
	return t.mse + b->o->tv_plane * t.plane_tv + b->o->tv_volume * t.volume_tv;
}

static double slope_of(struct objective *b, double *x)
{
	double was = *x, up, down;

	*x = was + 1e-5;
	up = objective(b, NULL);
	*x = was - 1e-5;
	down = objective(b, NULL);
	*x = was;
	return (up - down) / 2e-5;
}

/* All gradients of mse + planes' TV + volume's TV at once. */
static void test_objective(enum activation activation)
{
	static const size_t size[][2] = { { 5, 7 }, { 4, 6 } };
	const char *name = activation == ACTIVATION_LINEAR ? "linear" : "softplus";
	struct kplanes_model m = model_random(2, 3, 2, size);
	struct fit_opts o = { .iters = 1,
			      .batch = BATCH,
			      .lr = { 1, 1, 1 },
			      .lr_final = 1,
			      .tv_plane = .05,
			      .tv_volume = .01,
			      .tv_points = TAPS };
	struct objective b = { .r = ref_of(&m), .o = &o, .activation = activation };
	float volume[60], *planes[2], got[16], quat[8];
	double weight[16], q[2][4], want[16], worst = 0, tol = 4e-6 + 7e-7;
	struct fit_slopes s = { .weight = weight, .quat = q };
	struct fit_terms t, u;

	m.activation = activation;
	m.bias = .25f;
	for (size_t i = 0; i < 60; i++)
		volume[i] = (float)(rng_key(6, 1, i) >> 40) * 0x1p-24f;
	for (size_t i = 0; i < 12; i++)
		b.weight[i] =
			(double)(m.weight[i] = (float)(rng_key(6, 2, i) >> 40) * 0x1p-23f - 1);
	b.bias = (double)m.bias;
	for (size_t i = 0; i < 8; i++)
		b.quat[i / 4][i % 4] = (double)m.quat[i / 4][i % 4];
	turn(&b);
	while (!draw(&b, &m, volume))
		o.seed++;
	for (size_t l = 0; l < 2; l++)
		s.planes[l] = planes[l] = mem_new(kplanes_texels(&m, l), sizeof(float));
	ok(fit_gradient(d, &m, volume, &o, 1, &t, &s) == 0, "%s: gradient of the objective", name);
	objective(&b, &u);
	ok(near(t.mse, u.mse, 3e-6) && near(t.plane_tv, u.plane_tv, 3e-6) &&
		   near(t.volume_tv, u.volume_tv, 3e-6 * fmax(1, u.volume_tv)),
	   "%s: its three terms (%.1e %.1e %.1e)", name, t.mse - u.mse, t.plane_tv - u.plane_tv,
	   t.volume_tv - u.volume_tv);
	for (size_t l = 0; l < 2; l++) {
		size_t n = kplanes_texels(&m, l);
		double *w = mem_new(n, sizeof *w);

		for (size_t i = 0; i < n; i++)
			w[i] = slope_of(&b, b.r.planes[l] + i);
		worst = fmax(worst, off(planes[l], w, n));
		free(w);
		free(planes[l]);
	}
	ok(worst < tol, "%s: by planes (%.1e)", name, worst);
	for (size_t i = 0; i < 12; i++) {
		want[i] = slope_of(&b, b.weight + i);
		got[i] = (float)weight[i];
	}
	want[12] = slope_of(&b, &b.bias);
	got[12] = (float)s.bias;
	ok(off(got, want, 13) < tol, "%s: by weights and bias (%.1e)", name, off(got, want, 13));
	for (size_t i = 0; i < 8; i++) {
		want[i] = slope_of(&b, &b.quat[i / 4][i % 4]);
		quat[i] = (float)q[i / 4][i % 4];
	}
	ok(off(quat, want, 8) < tol, "%s: by quaternions (%.1e)", name, off(quat, want, 8));
	ref_clear(&b.r);
	kplanes_clear(&m);
}

/* Three steps of a fit are those of its gradient, taken on the host. */
static void test_fit(void)
{
	static const size_t size[][2] = { { 5, 7 }, { 4, 6 } };
	struct kplanes_model m = model_random(2, 8, 2, size), twin = model_random(2, 8, 2, size);
	struct fit_opts o = { .iters = 3,
			      .batch = BATCH,
			      .optimiser = OPTIMISER_NADAM,
			      .lr = { .01, .02, .03 },
			      .lr_final = 1,
			      .tv_plane = .05,
			      .tv_volume = .01,
			      .tv_points = TAPS };
	double weight[32], quat[2][4], product[3] = { 1, 1, 1 }, moved = 0, worst = 0, *mv[5][2];
	size_t n[5] = { kplanes_texels(&m, 0), kplanes_texels(&m, 1), 32, 8, 1 };
	struct fit_slopes s = { .weight = weight, .quat = quat };
	struct fit_terms t;
	float volume[60], *x[5] = { twin.planes[0], twin.planes[1], twin.weight, twin.quat[0],
				    &twin.bias },
			  *y[5] = { m.planes[0], m.planes[1], m.weight, m.quat[0], &m.bias };

	for (size_t i = 0; i < 60; i++)
		volume[i] = (float)(rng_key(6, 1, i) >> 40) * 0x1p-24f;
	for (int i = 0; i < 5; i++)
		for (int j = 0; j < 2; j++)
			mv[i][j] = mem_new(n[i], sizeof(double));
	for (int l = 0; l < 2; l++)
		s.planes[l] = mem_new(n[l], sizeof(float));
	for (long k = 1; k <= 3; k++) {
		double *g[5] = { mem_new(n[0], sizeof(double)), mem_new(n[1], sizeof(double)),
				 weight, quat[0], &s.bias };
		struct fit_step step[3];

		if (fit_gradient(d, &twin, volume, &o, k, &t, &s) != 0)
			break;
		for (int i = 0; i < 3; i++)
			step[i] = fit_step(o.optimiser, k, o.lr[i], &product[i]);
		for (int l = 0; l < 2; l++)
			for (size_t i = 0; i < n[l]; i++)
				g[l][i] = (double)s.planes[l][i];
		for (int i = 0; i < 5; i++)
			fit_update(&step[i < 2 ? 0 : i == 3 ? 2 : 1], x[i], g[i], mv[i][0],
				   mv[i][1], n[i]);
		for (int i = 0; i < 2; i++) {
			kplanes_rotation(twin.quat[i], twin.rot[i]);
			free(g[i]);
		}
	}
	ok(kplanes_fit(d, "fit", &m, volume, &o, NULL, NULL) == 0, "a fit of three steps");
	for (int i = 0; i < 5; i++) {
		for (size_t j = 0; j < n[i]; j++)
			worst = fmax(worst, fabs((double)y[i][j] - (double)x[i][j]));
		free(mv[i][0]);
		free(mv[i][1]);
	}
	kplanes_clear(&twin);
	twin = model_random(2, 8, 2, size);
	for (size_t j = 0; j < n[1]; j++)
		moved = fmax(moved, fabs((double)m.planes[1][j] - (double)twin.planes[1][j]));
	ok(worst < 2e-5 && moved > .02, "takes those of its gradient (%.1e of %.2g)", worst, moved);
	free(s.planes[0]);
	free(s.planes[1]);
	kplanes_clear(&m);
	kplanes_clear(&twin);
}

int main(void)
{
	program_start("unit-kplanes-fit");
	d = dev_open(&(struct dev_opts){ .device = "cpu", .threads = 2 });
	if (!ok(d != NULL && dev_load(d, "kplanes") == 0, "a CPU device opens"))
		return done_testing();
	test_steps();
	test_volume_tv();
	test_objective(ACTIVATION_LINEAR);
	test_objective(ACTIVATION_SOFTPLUS);
	test_fit();
	dev_free(d);
	return done_testing();
}
