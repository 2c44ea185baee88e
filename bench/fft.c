/* The layer's transforms beside FFTW's own two-dimensional plans with as many threads, on the same data in the same run, taking
 * turns.  Prints CSV: medians of n rounds in ms, and the largest difference between the results over the largest value.
 *	bench/fft [rounds [threads [side]]]	(side: of that many rows only) */
#include <fftw3.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/die.h"
#include "base/mem.h"
#include "dev/fft.h"

static const struct fft_desc cases[] = {
	{ .kind = FFT_FORWARD, .ny = 1250, .nx = 1250, .batch = 1 },
	{ .kind = FFT_FORWARD, .ny = 1280, .nx = 1280, .batch = 1 },
	{ .kind = FFT_FORWARD, .ny = 1024, .nx = 1024, .batch = 1 },
	{ .kind = FFT_R2C, .ny = 1024, .nx = 1024, .batch = 1 },
	{ .kind = FFT_C2R, .ny = 1024, .nx = 1024, .batch = 1 },
	{ .kind = FFT_FORWARD, .ny = 320, .nx = 320, .batch = 16 },
	{ .kind = FFT_R2C, .ny = 320, .nx = 320, .batch = 16 },
	{ .kind = FFT_FORWARD, .ny = 270, .nx = 270, .batch = 16 },
	{ .kind = FFT_FORWARD, .ny = 128, .nx = 128, .batch = 8 },
};
static const char *const names[] = { "c2c forward", "c2c backward", "r2c", "c2r" };

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *t, size_t n)
{
	qsort(t, n, sizeof *t, by_value);
	return t[n / 2];
}

/* FFTW's own plan of the same batch, out of place */
static fftwf_plan own_plan(const struct fft_desc *n, void *in, void *out, int threads, unsigned flags)
{
	int size[2] = { (int)n->ny, (int)n->nx }, batch = (int)n->batch;
	int full = size[0] * size[1], half = size[0] * (size[1] / 2 + 1);
	fftwf_plan p;

	fftwf_plan_with_nthreads(threads);
	if (n->kind == FFT_R2C)
		p = fftwf_plan_many_dft_r2c(2, size, batch, in, NULL, 1, full, out, NULL, 1, half, flags);
	else if (n->kind == FFT_C2R)
		p = fftwf_plan_many_dft_c2r(2, size, batch, in, NULL, 1, half, out, NULL, 1, full, flags);
	else
		p = fftwf_plan_many_dft(2, size, batch, in, NULL, 1, full, out, NULL, 1, full,
					n->kind == FFT_FORWARD ? FFTW_FORWARD : FFTW_BACKWARD, flags);
	fftwf_plan_with_nthreads(1);	/* the layer's one-dimensional plans run in one thread each */
	return p;
}

static void fill(float *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		x[i] = (float)drand48() - 0.5f;
}

static double difference(const float *a, const float *b, size_t n)
{
	double worst = 0, largest = 0;

	for (size_t i = 0; i < n; i++) {
		worst = fmax(worst, fabs((double)a[i] - b[i]));
		largest = fmax(largest, fabs((double)b[i]));
	}
	return worst / largest;
}

static int compare(struct dev *d, const struct fft_desc *n, size_t rounds)
{
	size_t full = n->ny * n->nx, half = n->ny * (n->nx / 2 + 1);
	size_t in_n = n->batch * (n->kind == FFT_R2C ? full : n->kind == FFT_C2R ? 2 * half : 2 * full);
	size_t out_n = n->batch * (n->kind == FFT_C2R ? full : n->kind == FFT_R2C ? 2 * half : 2 * full);
	struct buf *in = buf_new(d, 4 * in_n), *out = buf_new(d, 4 * out_n);
	struct fft *f = fft_new(d, n);
	float *a = fftwf_alloc_real(in_n), *b = fftwf_alloc_real(out_n), *p;
	fftwf_plan estimated = own_plan(n, a, b, dev_threads(d), FFTW_ESTIMATE);
	fftwf_plan measured = own_plan(n, a, b, dev_threads(d), FFTW_MEASURE);
	double *t = mem_new(3 * rounds, sizeof *t), diff = 0;

	if (!in || !out || !f)
		return -1;
	for (size_t r = 0; r < rounds + 1; r++) {	/* the first one warms up; c2r destroys its input */
		size_t k = r ? r - 1 : 0;

		fill(a, in_n);
		if (buf_write(in, 0, a, 4 * in_n) != 0)
			return -1;
		t[k] = now_ms();
		if (fft_run(f, in, 0, out, 0) != 0)
			return -1;
		t[k] = now_ms() - t[k];
		t[2 * rounds + k] = now_ms();
		fftwf_execute(measured);
		t[2 * rounds + k] = now_ms() - t[2 * rounds + k];
		p = buf_map(out, MAP_READ);
		diff = fmax(diff, difference(p, b, out_n));
		buf_unmap(out);
		fill(a, in_n);
		t[rounds + k] = now_ms();
		fftwf_execute(estimated);
		t[rounds + k] = now_ms() - t[rounds + k];
	}
	printf("%s,%zu,%zu,%zu,%d,%.3f,%.3f,%.3f,%.1e\n", names[n->kind], n->batch, n->ny, n->nx, dev_threads(d),
	       median(t, rounds), median(t + rounds, rounds), median(t + 2 * rounds, rounds), diff);
	fflush(stdout);
	fftwf_destroy_plan(measured);
	fftwf_destroy_plan(estimated);
	fftwf_forget_wisdom();	/* a later estimate would be a measurement */
	fft_free(f);
	buf_free(in);
	buf_free(out);
	fftwf_free(a);
	fftwf_free(b);
	free(t);
	return diff < 1e-5 ? 0 : error("'%s': differs by %g from FFTW, expected 1e-5", names[n->kind], diff);
}

int main(int argc, char **argv)
{
	size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 21;
	struct dev_opts o = { .device = "cpu", .threads = argc > 2 ? atoi(argv[2]) : 0, .fft = FFT_FFTW };
	size_t side = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
	struct dev *d;

	program_start(argv[0]);
	d = dev_open(&o);
	if (!d || rounds == 0)
		return EXIT_FAILED;
	fftwf_init_threads();
	printf("kind,batch,ny,nx,threads,ours_ms,fftw_estimate_ms,fftw_measure_ms,difference\n");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if ((side == 0 || side == cases[i].ny) && compare(d, &cases[i], rounds) != 0)
			return EXIT_FAILED;
	dev_free(d);
	return EXIT_DONE;
}
