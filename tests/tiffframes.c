/* tiffframes VERB ...: what stacks of square diffraction frames obey; exit 0 if so, 1 if not.
 *   masked A.tif MASK.tif B.tif       every frame of B is that of A where the mask is not 0, and 0
 * elsewhere beam A.tif ROW COLUMN             the circular centroid of all frames is within 1.5 px
 * of that pixel turned NAME A.tif B.tif           B is A with each frame turned by that operation
 * (ptycho/geometry.h) corner A.tif B.tif                B is A with pixel n/2, n/2 moved to 0, 0,
 * circularly poisson CLEAN.tif NOISY.tif       whole counts whose mean and variance are those of
 * CLEAN, to five standard deviations */
#include <complex.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "io/tiffio.h"
#include "ptycho/geometry.h"

static void load(const char *path, struct array *a)
{
	if (tiff_read(path, NULL, a, NULL) != 0 || array_to_f64(a) != 0)
		exit(EXIT_USAGE);
	if (a->ny != a->nx)
		die(EXIT_USAGE, "'%s': %zux%zu, expected square frames", path, a->ny, a->nx);
}

static void load_pair(const char *first, const char *second, struct array *a, struct array *b)
{
	load(first, a);
	load(second, b);
	if (a->nz != b->nz || a->nx != b->nx)
		die(EXIT_FAILED, "'%s': %zux%zux%zu, expected %zux%zux%zu", second, b->nz, b->ny,
		    b->nx, a->nz, a->ny, a->nx);
}

static int masked(const char *const *arg)
{
	struct array a, m, b;
	const double *v, *w, *valid;
	size_t n, wrong = 0;

	load_pair(arg[0], arg[2], &a, &b);
	load(arg[1], &m);
	n = a.nx * a.nx;
	v = a.data;
	w = b.data;
	valid = m.data;
	if (m.nz != 1 || m.nx != a.nx)
		die(EXIT_FAILED, "'%s': %zux%zux%zu, expected a page of %zux%zu", arg[1], m.nz,
		    m.ny, m.nx, a.ny, a.nx);
	for (size_t i = 0; i < a.nz * n; i++)
		wrong += w[i] != (valid[i % n] > 0 ? v[i] : 0);
	printf("%zu pixels differ\n", wrong);
	array_clear(&a);
	array_clear(&b);
	array_clear(&m);
	return wrong > 0;
}

/* circular distance of the centroid along an axis from `want` */
static double off_axis(double complex moment, double want, size_t n)
{
	double at = carg(moment) * (double)n / (2 * M_PI) - want;

	return fabs(at - (double)n * floor(at / (double)n + 0.5));
}

static int beam(const char *const *arg)
{
	struct array a;
	double complex row = 0, column = 0;
	double y = strtod(arg[1], NULL), x = strtod(arg[2], NULL);
	const double *v;
	size_t n;

	load(arg[0], &a);
	n = a.nx;
	v = a.data;
	for (size_t i = 0; i < a.nz * n * n; i++) {
		row += v[i] * cexp(2 * M_PI * I * (double)(i / n % n) / (double)n);
		column += v[i] * cexp(2 * M_PI * I * (double)(i % n) / (double)n);
	}
	array_clear(&a);
	printf("%g and %g px off\n", off_axis(row, y, n), off_axis(column, x, n));
	return off_axis(row, y, n) > 1.5 || off_axis(column, x, n) > 1.5;
}

/* op: also the move to the corner, D4_COUNT */
static int moved(enum d4 op, const char *first, const char *second)
{
	struct array a, b;
	size_t n, wrong = 0;

	load_pair(first, second, &a, &b);
	n = a.nx;
	for (size_t k = 0; k < a.nz; k++)
		for (size_t i = 0; i < n * n; i++) {
			const double *v = (const double *)a.data + k * n * n,
				     *w = (const double *)b.data + k * n * n;
			size_t y = (i / n + n / 2) % n, x = (i % n + n / 2) % n;

			if (op != D4_COUNT)
				d4_source(op, n, n, i / n, i % n, &y, &x);
			wrong += w[i] != v[y * n + x];
		}
	printf("%zu pixels differ\n", wrong);
	array_clear(&a);
	array_clear(&b);
	return wrong > 0;
}

static int poisson(const char *const *arg)
{
	struct array a, b;
	double mean = 0, expected = 0, square = 0, spread = 0, broken = 0;
	size_t count;

	load_pair(arg[0], arg[1], &a, &b);
	count = array_count(&a);
	for (size_t i = 0; i < count; i++) {
		double m = ((const double *)a.data)[i], v = ((const double *)b.data)[i];

		expected += m;
		mean += v;
		square += (v - m) * (v - m);
		spread += m + 2 * m * m; /* variance of (v - m)^2 */
		broken += v != floor(v);
	}
	array_clear(&a);
	array_clear(&b);
	printf("sum %.9g, expected %.9g; squares %.9g\n", mean, expected, square);
	return broken > 0 || fabs(mean - expected) > 5 * sqrt(expected) ||
	       fabs(square - expected) > 5 * sqrt(spread);
}

static int invalid(const char *const *arg)
{
	struct array a;
	const double *v;
	size_t n, count = 0, wrong = 0;

	load(arg[0], &a);
	n = a.nx * a.nx;
	v = a.data;
	for (size_t i = 0; i < n; i++)
		count += v[i] < 0;
	for (size_t i = 0; i < a.nz * n; i++)
		wrong += (v[i] < 0) != (v[i % n] < 0);
	array_clear(&a);
	printf("%zu pixels, %zu elsewhere in other frames\n", count, wrong);
	return wrong > 0 || count != strtoul(arg[1], NULL, 10);
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "", *const *arg = (const char *const *)argv + 2;
	enum d4 op;

	program_start(argv[0]);
	if (strcmp(verb, "masked") == 0 && argc == 5)
		return masked(arg);
	if (strcmp(verb, "beam") == 0 && argc == 5)
		return beam(arg);
	if (strcmp(verb, "turned") == 0 && argc == 5)
		return d4_parse(arg[0], &op) != 0 ? EXIT_USAGE : moved(op, arg[1], arg[2]);
	if (strcmp(verb, "invalid") == 0 && argc == 4)
		return invalid(arg);
	if (strcmp(verb, "corner") == 0 && argc == 4)
		return moved(D4_COUNT, arg[0], arg[1]);
	if (strcmp(verb, "poisson") == 0 && argc == 4)
		return poisson(arg);
	die(EXIT_USAGE, "usage: tiffframes masked|beam|turned|corner|invalid|poisson ...");
}
