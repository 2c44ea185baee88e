/* Refined positions and intensities of frames, on scans whose truth is known. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "ptycho/positions.h"
#include "tests/ptycho_fixture.h"
#include "tests/tap.h"

enum { SIDE = 4, N = 16 };

static void refine(struct ptycho_opts *o)
{
	o->subpixel = true;
	o->freeze_probe = true;
	o->gauge = false;
	o->object_start = 1000;
	o->refine.on = true;
	o->refine.step = 1;
	o->refine.limit = 4;
	o->refine.clip = 0.5;
}

static void test_one_off(struct dev *d)
{
	struct ptycho_opts o = fixture_opts();
	struct stage s = fixture_stage("epie", 1, 4);
	struct fixture_log log;
	struct fixture f;
	struct ptycho p = { 0 };
	bool good;

	fixture_make(&f, SIDE, N, 1, 1e6, true);
	fixture_beam(&f);
	refine(&o);
	for (size_t k = 0; k < f.k; k++)
		f.s[k][0] += k % 2 ? 0.05 : -0.05;
	for (size_t k = 0; k < f.k; k++)
		f.s[k][1] += k % 2 ? 0.05 : -0.05;
	f.s[5][0] += 1;
	f.s[5][1] -= 1;
	good = fixture_start(&f, d, &o, 4, true, &p) == 0 && fixture_run(&p, &s, 1, &log) == 0;
	ok(good && p.s[5][0] < p.s0[5][0] - 0.1 && p.s[5][1] > p.s0[5][1] + 0.1,
	   "a window 1 px too low goes up, one 1 px too far left goes right (%.2g, %.2g)",
	   good ? p.s[5][0] - p.s0[5][0] : NAN, good ? p.s[5][1] - p.s0[5][1] : NAN);
	ptycho_clear(&p);
	fixture_clear(&f);
}

static void test_recovery(struct dev *d, const char *engine)
{
	struct ptycho_opts o = fixture_opts();
	struct stage s = fixture_stage(engine, 60, 4);
	struct fixture_log log;
	struct fixture f;
	struct ptycho p = { 0 };
	double(*truth)[2], worst = 0;
	bool good;

	fixture_make(&f, SIDE, N, 1, 1e6, true);
	fixture_beam(&f);
	refine(&o);
	truth = mem_new(f.k, sizeof *truth);
	memcpy(truth, f.s, f.k * sizeof *truth);
	for (size_t k = 0; k < f.k; k++) {
		f.s[k][0] += k % 2 ? 0.3 : -0.3;
		f.s[k][1] += k / 2 % 2 ? 0.3 : -0.3;
	}
	good = fixture_start(&f, d, &o, 4, true, &p) == 0 && fixture_run(&p, &s, 1, &log) == 0;
	for (int a = 0; a < 2 && good; a++) {
		double drift = 0; /* the mean of the steps is taken off: it stays */

		for (size_t k = 0; k < f.k; k++)
			drift += (p.s[k][a] - truth[k][a]) / (double)f.k;
		for (size_t k = 0; k < f.k; k++)
			worst = fmax(worst, fabs(p.s[k][a] - truth[k][a] - drift));
	}
	ok(good && worst < 0.05, "%s: positions 0.3 px off are found to 0.05 px (%.2g)", engine,
	   worst);
	free(truth);
	ptycho_clear(&p);
	fixture_clear(&f);
}

/* s is an affine image of s0 */
static void test_affine(struct dev *d)
{
	struct ptycho_opts o = fixture_opts();
	struct positions_affine a = { { 0, 0 }, 0, 0 };
	struct fixture f;
	struct ptycho p = { 0 };
	double c = cos(0.02), t = sin(0.02);
	bool good;

	fixture_make(&f, SIDE, N, 1, 1, true);
	good = fixture_start(&f, d, &o, 4, true, &p) == 0;
	for (size_t k = 0; k < f.k && good; k++) {
		double y = 1.01 * p.s0[k][0] + 0.03 * 0.98 * p.s0[k][1], x = 0.98 * p.s0[k][1];

		p.s[k][0] = c * y - t * x + 0.4;
		p.s[k][1] = t * y + c * x - 0.2;
	}
	good = good && positions_affine(&p, &a) == 0;
	ok(good && fabs(a.scale[0] - 1.01) < 1e-9 && fabs(a.scale[1] - 0.98) < 1e-9 &&
		   fabs(a.shear - 0.03) < 1e-9 && fabs(a.rotation_deg + 0.02 * 180 / M_PI) < 1e-9,
	   "an affine image of the positions is taken apart: %.6g, %.6g, %.6g degrees, shear %.6g",
	   a.scale[0], a.scale[1], a.rotation_deg, a.shear);
	for (size_t k = 0; k < f.k && good; k++) {
		p.s0[k][0] = p.s0[k][1];
		p.s[k][0] = p.s0[k][0];
	}
	ok(good && positions_affine(&p, &a) != 0, "positions on a line have no affine image");
	ptycho_clear(&p);
	fixture_clear(&f);
}

/* Positions given 2 % too far apart: the affine image says so */
static void test_scale(struct dev *d)
{
	struct ptycho_opts o = fixture_opts();
	struct stage s = fixture_stage("epie", 40, 4);
	struct positions_affine a = { { 0, 0 }, 0, 0 };
	struct fixture_log log;
	struct fixture f;
	struct ptycho p = { 0 };
	double mean[2] = { 0, 0 };
	bool good;

	fixture_make(&f, SIDE, N, 1, 1e6, true);
	fixture_beam(&f);
	refine(&o);
	o.refine.affine = true;
	for (int i = 0; i < 2; i++)
		for (size_t k = 0; k < f.k; k++)
			mean[i] += f.s[k][i] / (double)f.k;
	for (size_t k = 0; k < f.k; k++)
		for (int i = 0; i < 2; i++)
			f.s[k][i] = mean[i] + (f.s[k][i] - mean[i]) * (i ? 0.98 : 1.02);
	good = fixture_start(&f, d, &o, 4, true, &p) == 0 && fixture_run(&p, &s, 1, &log) == 0 &&
	       positions_affine(&p, &a) == 0;
	ok(good && fabs(a.scale[0] * 1.02 - 1) < 2e-3 && fabs(a.scale[1] * 0.98 - 1) < 2e-3 &&
		   fabs(a.shear) < 2e-3 && fabs(a.rotation_deg) < 0.1,
	   "positions 2 %% too far apart in y and too close in x: scales %.4g and %.4g, %.2g "
	   "degrees, shear %.2g",
	   a.scale[0], a.scale[1], a.rotation_deg, a.shear);
	ptycho_clear(&p);
	fixture_clear(&f);
}

/* Frames of which every other one is brighter: w_k goes there, its mean stays 1 */
static void test_intensity(struct dev *d)
{
	struct ptycho_opts o = fixture_opts();
	struct stage s = fixture_stage("lsqml", 60, 4);
	struct fixture_log log;
	struct fixture f;
	struct ptycho p = { 0 };
	double worst = 0, mean = 0;
	float *data;
	bool good;

	fixture_make(&f, SIDE, N, 1, 1e6, false);
	data = f.frames.data;
	for (size_t k = 0; k < f.k; k++)
		for (size_t i = 0; i < N * N; i++)
			data[k * N * N + i] *= (float)(k % 2 ? 1.1 * 1.1 : 0.9 * 0.9);
	o.freeze_probe = true;
	o.gauge = false;
	o.object_start = 1000;
	o.intensity = true;
	good = fixture_start(&f, d, &o, 4, true, &p) == 0 && fixture_run(&p, &s, 1, &log) == 0;
	for (size_t k = 0; k < f.k && good; k++) {
		worst = fmax(worst, fabs(p.intensity[k] - (k % 2 ? 1.1 : 0.9)));
		mean += p.intensity[k] / (double)f.k;
	}
	ok(good && worst < 5e-3 && fabs(mean - 1) < 1e-12,
	   "amplitudes of frames 10 %% above and below are found (%.2g off), their mean is 1",
	   worst);
	ptycho_clear(&p);
	fixture_clear(&f);
}

int main(void)
{
	struct dev_opts o = { .mem = "1G", .threads = 1 };
	struct dev *d = dev_open(&o);

	if (!ok(d != NULL, "a device opens"))
		return done_testing();
	test_one_off(d);
	test_recovery(d, "epie");
	test_recovery(d, "lsqml");
	test_affine(d);
	test_scale(d);
	test_intensity(d);
	dev_free(d);
	return done_testing();
}
