/* tiffseams PLAN.csv IMAGE.tif [TRUTH.tif]: how visible the borders of tiles are in the first page of IMAGE.  PLAN is what
 * --plan-only prints.  Prints the rms difference of pixels on both sides of a border inside the field, of all other
 * neighbours, their ratio, and the standard deviation of IMAGE - TRUTH (0 without TRUTH). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/die.h"
#include "base/mem.h"
#include "io/csvio.h"
#include "io/tiffio.h"

struct sum {
	double squares, n;
};

/* at[i]: a tile starts or ends before line i of n, for columns x and width, or y and height. */
static int borders(const struct csv *plan, const char *start, const char *size, size_t n, bool *at)
{
	size_t cs, cn;

	if (csv_need(plan, start, &cs) != 0 || csv_need(plan, size, &cn) != 0)
		return -1;
	for (size_t i = 0; i < plan->rows; i++) {
		long s, e;

		if (csv_long(plan, i, cs, 0, (long)n - 1, &s) != 0 || csv_long(plan, i, cn, 1, (long)n, &e) != 0)
			return -1;
		at[s] = true;
		if ((size_t)(s + e) < n)
			at[s + e] = true;
	}
	at[0] = false;
	return 0;
}

static void add(struct sum *s, double d)
{
	s->squares += d * d;
	s->n++;
}

static double rms(struct sum s)
{
	return s.n > 0 ? sqrt(s.squares / s.n) : 0;
}

static double deviation(const struct array *a, const struct array *b)
{
	const double *p = a->data, *q = b->data;
	size_t n = a->ny * a->nx;
	double mean = 0, v = 0;

	for (size_t i = 0; i < n; i++)
		mean += (p[i] - q[i]) / (double)n;
	for (size_t i = 0; i < n; i++)
		v += pow(p[i] - q[i] - mean, 2) / (double)n;
	return sqrt(v);
}

static int report(const struct csv *plan, const struct array *a, const struct array *truth)
{
	bool *across = mem_new(a->nx + a->ny, sizeof *across), *down = across + a->nx;
	struct sum seam = { 0, 0 }, other = { 0, 0 };
	const double *v = a->data;
	int rc = -1;

	if (borders(plan, "x", "width", a->nx, across) != 0 || borders(plan, "y", "height", a->ny, down) != 0)
		goto done;
	for (size_t y = 0; y < a->ny; y++)
		for (size_t x = 0; x < a->nx; x++) {
			if (x > 0)
				add(across[x] ? &seam : &other, v[y * a->nx + x] - v[y * a->nx + x - 1]);
			if (y > 0)
				add(down[y] ? &seam : &other, v[y * a->nx + x] - v[(y - 1) * a->nx + x]);
		}
	printf("%.6g %.6g %.6g %.6g\n", rms(seam), rms(other), rms(seam) / rms(other), truth->data ? deviation(a, truth) : 0);
	rc = 0;
done:
	free(across);
	return rc;
}

int main(int argc, char **argv)
{
	struct array a = { 0 }, truth = { 0 };
	struct csv plan = { 0 };
	int rc = -1;

	program_start(argv[0]);
	if (argc < 3 || argc > 4)
		die(EXIT_USAGE, "usage: tiffseams PLAN.csv IMAGE.tif [TRUTH.tif]");
	if (csv_read(argv[1], false, &plan) != 0 || tiff_read(argv[2], NULL, &a, NULL) != 0 || array_to_f64(&a) != 0)
		goto done;
	if (argc == 4 && (tiff_read(argv[3], NULL, &truth, NULL) != 0 || array_to_f64(&truth) != 0))
		goto done;
	if (truth.data && (truth.ny != a.ny || truth.nx != a.nx)) {
		error("'%s': %zu x %zu, expected %zu x %zu", argv[3], truth.ny, truth.nx, a.ny, a.nx);
		goto done;
	}
	rc = report(&plan, &a, &truth);
done:
	csv_clear(&plan);
	array_clear(&a);
	array_clear(&truth);
	return rc == 0 ? EXIT_DONE : EXIT_FAILED;
}
