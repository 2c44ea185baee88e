/* usage: kplanes_time [REPETITIONS [CASE]]
 * Times of what kplanes computes, on the cases of bench/kplanes: one CSV row each, with a figure to
 * check the result by. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/die.h"
#include "base/mem.h"
#include "kplanes/fit.h"
#include "math/random.h"

enum { POINTS = 8192 * 32, VOXELS = 1 << 24 };

static struct dev *d;
static struct kplanes_model m;
static struct kp_field field;
static float *pts, *up, *out, *planes[1], *dp, *volume;
static double dr[KP_ROTATIONS][9], check;
static int reps = 7;
static const char *only;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void row(const char *name, double *t, int n)
{
	qsort(t, (size_t)n, sizeof *t, by_size);
	printf("%s,%.5f,%.5f,%d,%.9g\n", name, t[n / 2], t[0], n, check);
	fflush(stdout);
}

static void measure(const char *name, void (*work)(void))
{
	double *t = mem_new((size_t)reps, sizeof *t);

	if (only && strcmp(only, name) != 0) {
		free(t);
		return;
	}
	work();
	for (int i = 0; i < reps; i++) {
		t[i] = now();
		work();
		t[i] = now() - t[i];
	}
	row(name, t, reps);
	free(t);
}

static void forward(void)
{
	kp_features(&field, pts, POINTS, out);
	check = (double)out[0];
}

static void both(void)
{
	forward();
	kp_gradient(&field, pts, POINTS, up, planes, dp, dr);
	check = dr[0][0];
}

static void decode(size_t n)
{
	double box[3][2] = { { -1, 1 }, { -1, 1 }, { -1, 1 } };

	kp_render(&field, (const size_t[3]){ n, n, n }, box, volume);
	check = (double)volume[n];
}

static void decode_128(void)
{
	decode(128);
}

static void decode_200(void)
{
	decode(200);
}

static struct buf *from, *to;

static void copy(void)
{
	uint64_t n = VOXELS / 16;

	dev_run(d, "copy16", NDRANGE1(n), ARG(to), ARG(from), ARG(n));
	dev_finish(d);
}

static double step[64], last;

static void on_step(void *arg, long k, double mse, double plane_tv, double volume_tv)
{
	(void)arg;
	if (k > 1 && k < 66)
		step[k - 2] = now() - last;
	last = now();
	check = mse + plane_tv + volume_tv;
}

int main(int argc, char **argv)
{
	struct fit_opts o = { .batch = 8192,
			      .lr = { 1e-3, 1e-3, 1e-3 },
			      .lr_final = 1,
			      .tv_plane = 1e-3,
			      .tv_volume = 1e-3,
			      .tv_points = 10000 };

	program_start(argv[0]);
	only = argc > 2 ? argv[2] : NULL;
	if (argc > 1)
		reps = atoi(argv[1]);
	d = dev_open(&(struct dev_opts){ .device = getenv("SCOPELINE_DEVICE") });
	if (!d || reps < 1)
		return EXIT_FAILED;
	m = (struct kplanes_model){ .rotations = 4,
				    .channels = 8,
				    .levels = 1,
				    .size = { { 200, 200 } },
				    .shape = { 128, 128, 128 },
				    .scale = 1,
				    .has_quat = true };
	pts = mem_new(POINTS, 3 * sizeof *pts);
	dp = mem_new(POINTS, 3 * sizeof *dp);
	up = mem_new(POINTS, 32 * sizeof *up);
	out = mem_new(POINTS, 32 * sizeof *out);
	volume = mem_new(200 * 200 * 200, sizeof *volume);
	planes[0] = mem_new(kplanes_texels(&m, 0), sizeof(float));
	for (size_t i = 0; i < 3 * POINTS; i++)
		pts[i] = (float)((double)(rng_key(0, 1, i) >> 40) * 0x1p-23 - 1);
	for (size_t i = 0; i < 32 * (size_t)POINTS; i++)
		up[i] = (float)((double)(rng_key(0, 2, i) >> 40) * 0x1p-23 - 1);
	for (size_t t = 0; t < 4; t++) {
		kplanes_shoemake(0, t, m.quat[t]);
		kplanes_rotation(m.quat[t], m.rot[t]);
	}
	if (kplanes_random(&m, 0) != 0 || kp_field_init(&field, d, &m) != 0)
		return EXIT_FAILED;
	dev_load_text(d, "copy",
		      "kernel void copy16(global float16 *restrict to, global const float16 "
		      "*restrict from, ulong n)\n"
		      "{ size_t i = get_global_id(0); if (i < n) to[i] = from[i]; }\n");
	from = buf_new(d, VOXELS * 4);
	to = buf_new(d, VOXELS * 4);
	if (!from || !to || buf_zero(from) != 0)
		return EXIT_FAILED;
	printf("case,seconds_median,seconds_min,reps,check\n");
	measure("copy_256", copy);
	measure("kp_small_fwd", forward);
	measure("kp_small_grad", both);
	measure("decode_128", decode_128);
	measure("decode_200", decode_200);
	o.iters = reps < 64 ? reps + 1 : 65;
	if (only && strcmp(only, "step_8192") != 0)
		return EXIT_DONE;
	if (kplanes_fit(d, "step", &m, volume, &o, on_step, NULL) != 0)
		return EXIT_FAILED;
	row("step_8192", step, (int)o.iters - 1);
	return EXIT_DONE;
}
