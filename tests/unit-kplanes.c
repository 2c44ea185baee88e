/* K-Planes against plain C in double: the numerical vectors of the specification, every gradient
 * against central differences of the double function, borders, random numbers.  Tolerances:
 * (2e-6 + 1e-7 n) of the largest value for values, (4e-6 + 1e-7 n) for gradients, n the largest
 * extent: a float32 coordinate knows its grid index to n ulp. */
#include <math.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "kplanes/fit.h"
#include "math/random.h"
#include "tests/ref-kplanes.h"
#include "tests/tap.h"

static struct dev *d;

static void test_vectors(void)
{
	static const float identity[4] = { 0, 0, 0, 1 }, tilted[4] = { .1f, .2f, .3f, .9f },
			   one = 1;
	static const double texels[18] = { 0,
					   .9662109375,
					   .9662109375,
					   0,
					   .5797265625,
					   .5797265625,
					   0,
					   1.039921875,
					   .115546875,
					   0,
					   3.119765625,
					   .346640625,
					   .9889453125,
					   2.9668359375,
					   0,
					   1.2087109375,
					   3.6261328125,
					   0 };
	static const double row[3] = { 5.127890625, -2.5639453125, 1.025578125 };
	static const double dq[4] = { -1.4162045032, -16.1257019764, 19.4651140896, -2.7475259792 };
	const float p[3] = { .5f, -.25f, .1f }, beyond[3] = { 1, -.25f, 2 };
	struct kplanes_model m = model_small(identity);
	struct kp_field f;
	float v, dp[3], planes[18], *to[1] = { planes }, taps[12], sum[4];
	double dr[1][9], tv[1], values[4], slope, got[4],
		want[4] = { 21.9160937503, 33.16, 66.922578125, 43 };

	kp_field_init(&f, d, &m);
	ok(kp_features(&f, p, 1, &v) == 0 && near((double)v, 11.208046875, 1e-6),
	   "the feature of section 8");
	ok(kp_gradient(&f, p, 1, &one, to, dp, dr) == 0 &&
		   off(dp, (const double[]){ 10.25578125, 14.3075, 10.2859375 }, 3) < 1e-6,
	   "its gradient by the point");
	ok(near(dr[0][0], row[0], 1e-6) && near(dr[0][1], row[1], 1e-6) &&
		   near(dr[0][2], row[2], 1e-6),
	   "by the rotation");
	ok(off(planes, texels, 18) < 1e-6, "by the texels");
	kp_features(&f, beyond, 1, &v);
	kp_gradient(&f, beyond, 1, &one, NULL, dp, NULL);
	ok(v == 30.9375f && dp[0] == 0 && dp[1] == 52.5f && dp[2] == 0,
	   "at the border and beyond slopes are exactly 0");
	kp_plane_tv(&f, tv, NULL);
	ok(near(tv[0], 26 + 1.0 / 6, 1e-7), "plane TV 26.1666 (%.9g)", tv[0]);
	kp_field_clear(&f);

	m.activation = ACTIVATION_SOFTPLUS;
	m.weight[0] = 2;
	m.bias = .5f;
	kp_field_init(&f, d, &m);
	ok(fit_taps(&m, p, 1, taps) == 1 && kp_values(&f, taps, 4, KP_SUM, sum) == 0,
	   "taps are a texel apart");
	for (int i = 0; i < 4; i++)
		values[i] = fit_activation(m.activation, (double)sum[i], &slope);
	ok(near(values[0], want[0], 1e-6) && near(values[1], want[1], 1e-6) &&
		   near(values[2], want[2], 1e-6) && near(values[3], want[3], 1e-6) &&
		   near(fit_volume_tv(values, 1, 1, 1, NULL), 50.9562573809, 1e-6),
	   "softplus at four taps, and the volume TV of section 8");
	kp_field_clear(&f);
	kplanes_clear(&m);

	m = model_small(tilted);
	kp_field_init(&f, d, &m);
	kp_features(&f, p, 1, &v);
	kp_gradient(&f, p, 1, &one, NULL, dp, dr);
	kplanes_quaternion_gradient(m.quat[0], dr[0], got);
	ok(near((double)m.rot[0][0], .7263157895, 1e-7) &&
		   near((double)m.rot[0][1], -.5263157895, 1e-7) &&
		   near((double)m.rot[0][2], .4421052632, 1e-7),
	   "a quaternion that is not of length 1 becomes a rotation");
	ok(near((double)v, 14.1557857684, 1e-6) &&
		   off(dp, (const double[]){ 15.3478139036, 11.9982828196, 14.6618166037 }, 3) <
			   1e-6,
	   "feature and gradient in a rotated frame");
	ok(near(got[0], dq[0], 2e-6) && near(got[1], dq[1], 2e-6) && near(got[2], dq[2], 2e-6) &&
		   near(got[3], dq[3], 2e-6),
	   "gradient by the quaternion");
	kp_field_clear(&f);
	kplanes_clear(&m);
}

static void test_random(void)
{
	static const double first[3] = { .3774048328, .2692845583, .1452364445 },
			    q0[4] = { -.3093268084, -.0608774299, -.5039677566, .8041314348 };
	static const uint64_t keys[3] = { 0x238275BC38FCBE91, 0x2F32A78496C67C60,
					  0xB28C4C30D302532E };
	static const size_t voxels[4] = { 19711, 64146, 87707, 10242 };
	struct kplanes_model m = {
		.rotations = 1, .channels = 2, .levels = 1, .size = { { 3, 3 } }
	};
	bool good = true, drawn = true;
	float q[4];

	kplanes_random(&m, 1);
	kplanes_shoemake(1, 0, q);
	for (size_t i = 0; i < 3; i++)
		good &= rng_key(0, 0, i) == keys[i] && near((double)m.planes[0][i], first[i], 1e-7);
	for (size_t i = 0; i < 4; i++) {
		good &= near((double)q[i], q0[i], 1e-7);
		drawn &= ((rng_key(1, 17, i) >> 32) * 122880) >> 32 == voxels[i];
	}
	ok(good, "keys, first planes and first rotation of a seed");
	ok(near((double)m.weight[0], -.0054860529, 1e-8) &&
		   near((double)m.weight[1], -.0020859128, 1e-8),
	   "and its weights");
	ok(drawn, "and the voxels of its first batch");
	kplanes_clear(&m);
}

static double difference(struct ref *r, double *x, double step, const double *pts, size_t n,
			 const float *up)
{
	double was = *x, a, b;

	*x = was + step;
	a = ref_sum(r, pts, n, up);
	*x = was - step;
	b = ref_sum(r, pts, n, up);
	*x = was;
	return (a - b) / (2 * step);
}

enum { POINTS = 70 };

/* Features and all gradients of one model; points inside, beyond the border, off texel lines. */
static void test_model(const char *name, struct kplanes_model *m)
{
	struct ref r = ref_of(m);
	size_t f = kplanes_features(m), texels = 0, extent = kplanes_extent(m);
	double pts[3 * POINTS], want_p[3 * POINTS], want_r[9 * 8],
		(*dr)[9] = mem_new(m->rotations, sizeof *dr);
	double *want_f = mem_new(f * POINTS, sizeof *want_f), tol = 4e-6 + 1e-7 * (double)extent,
	       worst = 0, worst_gathered = 0;
	float p[3 * POINTS], *up = mem_new(f * POINTS, sizeof *up),
			     *got_f = mem_new(f * POINTS, sizeof *got_f);
	float got_p[3 * POINTS], gathered_p[3 * POINTS], got_r[9 * 8], *got[KP_LEVELS],
		*gathered[KP_LEVELS];
	struct kp_field field;
	uint64_t k = 0;

	for (size_t b = 0; b < POINTS;) {
		for (int a = 0; a < 3; a++) {
			p[3 * b + a] =
				(float)((double)(rng_key(3, 9, k++) >> 40) * 0x1p-24 * 2.6 - 1.3);
			pts[3 * b + a] = (double)p[3 * b + a];
		}
		b += ref_to_line(&r, pts + 3 * b) > 1e-3;
	}
	for (size_t i = 0; i < f * POINTS; i++)
		up[i] = (float)((double)(rng_key(3, 10, i) >> 40) * 0x1p-23 - 1);
	for (size_t l = 0; l < m->levels; l++)
		got[l] = mem_new(kplanes_texels(m, l), sizeof(float));
	kp_field_init(&field, d, m);
	for (size_t b = 0; b < POINTS; b++)
		ref_features(&r, pts + 3 * b, want_f + b * f);
	kp_features(&field, p, POINTS, got_f);
	ok(off(got_f, want_f, f * POINTS) < tol / 2, "%s: features (%.2g)", name,
	   off(got_f, want_f, f * POINTS));
	ok(kp_gradient(&field, p, POINTS, up, got, got_p, dr) == 0, "%s: gradients", name);
	for (size_t i = 0; i < 3 * POINTS; i++)
		want_p[i] = difference(&r, pts + i, 1e-6, pts + i / 3 * 3, 1, up + i / 3 * f);
	ok(off(got_p, want_p, 3 * POINTS) < tol, "%s: by points (%.2g)", name,
	   off(got_p, want_p, 3 * POINTS));
	for (size_t i = 0; i < 9 * m->rotations; i++) {
		want_r[i] = difference(&r, &r.rot[i / 9][i % 9], 1e-6, pts, POINTS, up);
		got_r[i] = (float)dr[i / 9][i % 9];
	}
	ok(off(got_r, want_r, 9 * m->rotations) < tol, "%s: by rotations (%.2g)", name,
	   off(got_r, want_r, 9 * m->rotations));
	field.gathers = true;
	for (size_t l = 0; l < m->levels; l++)
		gathered[l] = mem_new(kplanes_texels(m, l), sizeof(float));
	kp_gradient(&field, p, POINTS, up, gathered, gathered_p, dr);
	for (size_t i = 0; i < 9 * m->rotations; i++)
		got_r[i] = (float)dr[i / 9][i % 9];
	for (size_t l = 0; l < m->levels; l++) {
		size_t n = kplanes_texels(m, l);
		double *want = mem_new(n, sizeof *want);

		for (size_t i = 0; i < n; i++)
			want[i] = difference(&r, r.planes[l] + i, .5, pts, POINTS, up);
		worst = fmax(worst, off(got[l], want, n));
		worst_gathered = fmax(worst_gathered, off(gathered[l], want, n));
		texels += n;
		free(want);
	}
	ok(worst < tol, "%s: by %zu texels (%.2g)", name, texels, worst);
	worst_gathered = fmax(worst_gathered, off(gathered_p, want_p, 3 * POINTS));
	worst_gathered = fmax(worst_gathered, off(got_r, want_r, 9 * m->rotations));
	ok(worst_gathered < tol, "%s: all of them gathered, as on GPUs (%.2g)", name,
	   worst_gathered);
	for (size_t l = 0; l < m->levels; l++) {
		free(got[l]);
		free(gathered[l]);
	}
	kp_field_clear(&field);
	ref_clear(&r);
	free(dr);
	free(want_f);
	free(up);
	free(got_f);
}

static void test_quaternions(void)
{
	static const double dr[9] = { 1, -2, .5, 3, .25, -1, .75, 2, -.5 };
	float q[4] = { .3f, -.5f, .2f, 1.1f }, r[9], back[4];
	double dq[4], worst = 0, dot = 0, n = 0;

	kplanes_quaternion_gradient(q, dr, dq);
	for (int i = 0; i < 4; i++) {
		double side[2] = { 0, 0 };

		for (int s = 0; s < 2; s++) {
			float moved[4];

			memcpy(moved, q, sizeof q);
			moved[i] += s ? .015625f : -.015625f;
			kplanes_rotation(moved, r);
			for (int j = 0; j < 9; j++)
				side[s] += dr[j] * (double)r[j];
		}
		worst = fmax(worst, fabs((side[1] - side[0]) / .03125 - dq[i]));
	}
	ok(worst < 5e-3,
	   "the gradient by a quaternion is a difference over 1/32, whose square it misses (%.2g)",
	   worst);
	kplanes_rotation(q, r);
	ok(kplanes_skew(r) < 3e-7, "a rotation is orthonormal");
	kplanes_quaternion(r, back);
	for (int i = 0; i < 4; i++) {
		dot += (double)q[i] * (double)back[i];
		n += (double)q[i] * (double)q[i];
	}
	ok(near(fabs(dot), sqrt(n), 1e-6), "and goes back to its quaternion");
	ok(kplanes_rotation((const float[4]){ 0 }, r) == -1, "a quaternion of length 0 is none");
}

/* Coordinates -3, -1, 0, 1, 2 in all combinations: what is beyond has the border's value and no
 * slope. */
static void test_border(void)
{
	static const float at[5] = { -3, -1, 0, 1, 2 };
	struct kplanes_model m = model_random(1, 4, 1, (const size_t[][2]){ { 4, 6 } });
	struct kp_field f;
	float p[375], inside[375], v[500], w[500], up[500], dp[375];
	bool same = true, zero = true, slope = false;

	kplanes_rotation((const float[4]){ 0, 0, 0, 1 }, m.rot[0]);
	for (int i = 0; i < 375; i++) {
		p[i] = at[i % 3 == 0 ? i / 3 % 5 : i % 3 == 1 ? i / 15 % 5 : i / 75];
		inside[i] = fminf(fmaxf(p[i], -1), 1);
	}
	for (int i = 0; i < 500; i++)
		up[i] = 1;
	kp_field_init(&f, d, &m);
	kp_features(&f, p, 125, v);
	kp_features(&f, inside, 125, w);
	kp_gradient(&f, p, 125, up, NULL, dp, NULL);
	same = memcmp(v, w, sizeof v) == 0;
	for (int i = 0; i < 375; i++)
		if (p[i] != 0)
			zero &= dp[i] == 0;
		else
			slope |= dp[i] != 0;
	ok(same, "beyond the border the border's value goes on");
	ok(zero && slope, "without a slope");
	for (size_t i = 0; i < kplanes_texels(&m, 0); i++)
		m.planes[0][i] = (const float[]){ 2, 3, .5f }[i / 96];
	kp_field_clear(&f);
	kp_field_init(&f, d, &m);
	kp_features(&f, p, 125, v);
	same = true;
	for (int i = 0; i < 500; i++)
		same &= v[i] == 3;
	ok(same, "constant planes a, b, c are abc everywhere");
	kp_field_clear(&f);
	kplanes_clear(&m);
}

/* Gradient and value of the plane term, alone: differences of the value itself, a square function.
 */
static void test_plane_tv(void)
{
	struct kplanes_model m = model_random(2, 4, 2, (const size_t[][2]){ { 5, 7 }, { 1, 6 } });
	float *g[2] = { mem_new(kplanes_texels(&m, 0), 4), mem_new(kplanes_texels(&m, 1), 4) };
	double tv[2], side[2][2], worst = 0, top = 0;
	struct kp_field f;

	kp_field_init(&f, d, &m);
	kp_plane_tv(&f, tv, g);
	kp_field_clear(&f);
	for (size_t l = 0; l < 2; l++)
		for (size_t i = 0; i < kplanes_texels(&m, l); i += 3) {
			float was = m.planes[l][i];

			for (int s = 0; s < 2; s++) {
				m.planes[l][i] = was + (s ? .125f : -.125f);
				kp_field_init(&f, d, &m);
				kp_plane_tv(&f, side[s], NULL);
				kp_field_clear(&f);
			}
			worst = fmax(worst, fabs((side[1][l] - side[0][l]) * 4 - (double)g[l][i]));
			top = fmax(top, fabs((double)g[l][i]));
			m.planes[l][i] = was;
		}
	ok(worst < 4e-6 * top, "plane TV and its gradient agree (%.2g)", worst / top);
	for (size_t i = 0; i < kplanes_texels(&m, 0); i++)
		m.planes[0][i] = 3;
	kp_field_init(&f, d, &m);
	kp_plane_tv(&f, tv, NULL);
	ok(tv[0] == 0 && tv[1] > 0, "constant planes have none");
	kp_field_clear(&f);
	kplanes_clear(&m);
	free(g[0]);
	free(g[1]);
}

static void test_text(void)
{
	struct kplanes_model m = model_random(2, 4, 2, (const size_t[][2]){ { 5, 7 }, { 1, 6 } }),
			     n;
	char *text = kplanes_text(&m),
	     *longer = mem_printf("%sunknown = 1\nweight.99 = 2\n[other]\nformat = 3\n", text),
	     *cut;

	ok(kplanes_parse("m", text, &n) == 0 && memcmp(n.rot, m.rot, sizeof m.rot) == 0 &&
		   memcmp(n.quat, m.quat, sizeof m.quat) == 0 &&
		   memcmp(n.weight, m.weight, 16 * sizeof(float)) == 0 &&
		   memcmp(n.size, m.size, sizeof m.size) == 0 && n.has_quat,
	   "a model's text comes back bit for bit");
	kplanes_clear(&n);
	ok(kplanes_parse("m", longer, &n) == 0, "unknown keys and other sections are passed over");
	kplanes_clear(&n);
	cut = strstr(text, "weight.15");
	*cut = '\0';
	ok(kplanes_parse("m", text, &n) == 0 && n.weight[15] == 0 && n.weight[14] == m.weight[14],
	   "a weight that is not there is 0");
	kplanes_clear(&n);
	kplanes_clear(&m);
	free(text);
	free(longer);
}

/* Two levels of one size are one level of twice the channels. */
static void test_levels(void)
{
	struct kplanes_model two = model_random(2, 4, 2, (const size_t[][2]){ { 5, 6 }, { 5, 6 } });
	struct kplanes_model one = model_random(2, 8, 1, (const size_t[][2]){ { 5, 6 } });
	float p[300], a[1600], b[1600];
	struct kp_field f;
	bool same = true;

	for (size_t k = 0; k < 6; k++)
		for (size_t c = 0; c < 8; c++)
			memcpy(one.planes[0] + (k * 8 + c) * 30,
			       two.planes[c / 4] + (k * 4 + c % 4) * 30, 30 * sizeof(float));
	for (size_t i = 0; i < 300; i++)
		p[i] = (float)((double)(rng_key(4, 1, i) >> 40) * 0x1p-23 - 1);
	kp_field_init(&f, d, &two);
	kp_features(&f, p, 100, a);
	kp_field_clear(&f);
	kp_field_init(&f, d, &one);
	kp_features(&f, p, 100, b);
	kp_field_clear(&f);
	for (size_t i = 0; i < 1600; i++) {
		size_t l = i / 8 % 2, t = i / 4 % 2, c = i % 4;

		same &= a[i] == b[i / 16 * 16 + t * 8 + l * 4 + c];
	}
	ok(same, "two levels of one size are one level of twice the channels");
	kplanes_clear(&two);
	kplanes_clear(&one);
}

static void test_same_bytes(void)
{
	static const int settings[][2] = { { 1, 0 }, { 2, 32 }, { 2, 64 }, { 3, 256 } };
	struct kplanes_model m = model_random(2, 16, 1, (const size_t[][2]){ { 9, 13 } });
	size_t n = 3000, f = kplanes_features(&m), texels = kplanes_texels(&m, 0);
	float *p = mem_new(3 * n, 4), *up = mem_new(n * f, 4),
	      *g[2] = { mem_new(texels, 4), mem_new(texels, 4) };
	float *dp[2] = { mem_new(3 * n, 4), mem_new(3 * n, 4) };
	double dr[2][2][9];

	for (size_t i = 0; i < 3 * n; i++)
		p[i] = (float)((double)(rng_key(2, 1, i) >> 40) * 0x1p-23 - 1);
	for (size_t i = 0; i < n * f; i++)
		up[i] = (float)((double)(rng_key(2, 2, i) >> 40) * 0x1p-23 - 1);
	for (size_t s = 0; s < sizeof settings / sizeof *settings; s++) {
		struct dev *e = dev_open(&(struct dev_opts){
			.device = "cpu", .threads = settings[s][0], .work_group = settings[s][1] });
		struct kp_field field;

		kp_field_init(&field, e, &m);
		ok(kp_gradient(&field, p, n, up, &g[s > 0], dp[s > 0], dr[s > 0]) == 0 &&
			   (s == 0 || (memcmp(g[0], g[1], texels * 4) == 0 &&
				       memcmp(dp[0], dp[1], 12 * n) == 0 &&
				       memcmp(dr[0], dr[1], sizeof dr[0]) == 0)),
		   "%d threads, groups of %d: the same bytes", settings[s][0], settings[s][1]);
		kp_field_clear(&field);
		dev_free(e);
	}
	kplanes_clear(&m);
	for (int i = 0; i < 2; i++) {
		free(g[i]);
		free(dp[i]);
	}
	free(p);
	free(up);
}

int main(void)
{
	struct kplanes_model m;

	program_start("unit-kplanes");
	d = dev_open(&(struct dev_opts){ .device = "cpu", .threads = 2 });
	if (!ok(d != NULL, "a CPU device opens"))
		return done_testing();
	test_vectors();
	test_random();
	test_quaternions();
	test_border();
	test_plane_tv();
	test_text();
	test_levels();
	m = model_random(2, 3, 2, (const size_t[][2]){ { 7, 9 }, { 13, 5 } });
	test_model("3 channels, 2 levels", &m);
	kplanes_clear(&m);
	m = model_random(3, 4, 1, (const size_t[][2]){ { 6, 6 } });
	test_model("4 channels", &m);
	kplanes_clear(&m);
	m = model_random(1, 16, 1, (const size_t[][2]){ { 5, 11 } });
	test_model("16 channels", &m);
	kplanes_clear(&m);
	m = model_random(2, 2, 3, (const size_t[][2]){ { 1, 6 }, { 6, 1 }, { 1, 1 } });
	test_model("planes of one row, one column, one texel", &m);
	kplanes_clear(&m);
	m = model_random(1, 8, 1, (const size_t[][2]){ { 4, 4 } });
	m.rot[0][1] += .5f;
	test_model("a frame that is no rotation", &m);
	kplanes_clear(&m);
	test_same_bytes();
	dev_free(d);
	return done_testing();
}
