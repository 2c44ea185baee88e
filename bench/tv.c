/* bench/tv [NZ NY NX [REPS]]: the kernels of tvloss beside a copy kernel of the same volume, one
 * after the other in turn, fastest and median of REPS each; CSV:
 * kernel,nz,ny,nx,reps,min_ms,median_ms,min_over_copy.  The losses are held to double sums first.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/die.h"
#include "base/mem.h"
#include "tv/loss.h"

static const char copy_text[] =
	"kernel void bench_copy(global float *restrict to, global const float *restrict from, "
	"ulong n)\n"
	"{\n"
	"	size_t i = get_global_id(0) * (size_t)4096;\n"
	"	for (size_t k = i; k + 16 <= min(i + 4096, (size_t)n); k += 16)\n"
	"		vstore16(vload16(0, from + k), 0, to + k);\n"
	"}\n";

enum { COPY, SQ, ISO, L1, SQ_LOSS, ISO_LOSS, L1_LOSS, CASES };
static const char *const names[] = { "copy", "sq", "iso", "l1", "sq_loss", "iso_loss", "l1_loss" };

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	size_t nz = argc > 3 ? strtoul(argv[1], NULL, 10) : 256,
	       ny = argc > 3 ? strtoul(argv[2], NULL, 10) : 256;
	size_t nx = argc > 3 ? strtoul(argv[3], NULL, 10) : 256, n = nz * ny * nx,
	       reps = argc > 4 ? strtoul(argv[4], NULL, 10) : 15;
	double *times = mem_new(CASES * reps, sizeof *times), sq = 0;
	struct tv_sums *sums = mem_new(nz, sizeof *sums);
	float *v, (*factor)[4] = mem_new(nz, sizeof *factor);
	int *links = mem_new(nz, sizeof *links);
	struct dev *d;
	struct buf *from, *to;
	struct tv tv[3];
	uint64_t count = n;

	program_start(argv[0]);
	d = dev_open(&(struct dev_opts){ 0 });
	from = d ? buf_new(d, n * sizeof *v) : NULL;
	to = from ? buf_new(d, n * sizeof *v) : NULL;
	if (!to || dev_load_text(d, "bench_copy", copy_text) != 0 ||
	    !(v = buf_map(from, MAP_WRITE)))
		return EXIT_FAILED;
	for (size_t i = 0; i < n; i++)
		v[i] = (float)(sin(0.01 * (double)(i % 977)) +
			       0.1 * ((double)(i * 2654435761u % 1000) / 1000 - 0.5));
	for (size_t i = 0; i + ny * nx < n; i++)
		sq += ((double)v[i + ny * nx] - (double)v[i]) *
		      ((double)v[i + ny * nx] - (double)v[i]);
	if (buf_unmap(from) != 0)
		return EXIT_FAILED;
	for (size_t z = 0; z < nz; z++) {
		links[z] = (z > 0 ? TV_PREV : 0) | (z + 1 < nz ? TV_NEXT : 0);
		factor[z][0] = factor[z][1] = factor[z][2] = 1;
	}
	for (int k = 0; k < 3; k++)
		if (tv_init(&tv[k], d,
			    &(struct tv_opts){
				    .kind = (enum tv_kind)k, .weight = { 1, 1, 1 }, .eps = 1e-8 },
			    ny, nx) != 0)
			return EXIT_FAILED;
	for (size_t r = 0; r <= reps; r++) /* the first round warms up */
		for (int c = 0; c < CASES; c++) {
			double t = now();
			int rc = c == COPY ? dev_run(d, "bench_copy", NDRANGE1((n + 4095) / 4096),
						     ARG(to), ARG(from), ARG(count))
					   : tv_slab(&tv[(c - 1) % 3], from, 0, nz, links,
						     (const float(*)[4])factor,
						     c < SQ_LOSS ? to : NULL, sums);

			if (rc != 0 || dev_finish(d) != 0)
				return EXIT_FAILED;
			if (r > 0)
				times[(size_t)c * reps + r - 1] = now() - t;
			if (c == SQ && fabs(tv_add(sums, nz).sum[0] / sq - 1) > 1e-6)
				die(EXIT_FAILED, "sq along z: %.17g, expected %.17g",
				    tv_add(sums, nz).sum[0], sq);
		}
	puts("kernel,nz,ny,nx,reps,min_ms,median_ms,min_over_copy");
	for (size_t c = 0; c < CASES; c++) {
		qsort(times + c * reps, reps, sizeof *times, by_value);
		printf("%s,%zu,%zu,%zu,%zu,%.3f,%.3f,%.2f\n", names[c], nz, ny, nx, reps,
		       times[c * reps], times[c * reps + reps / 2], times[c * reps] / times[0]);
	}
	for (int k = 0; k < 3; k++)
		tv_clear(&tv[k]);
	buf_free(from);
	buf_free(to);
	dev_free(d);
	free(times);
	free(sums);
	free(factor);
	free(links);
	return EXIT_DONE;
}
