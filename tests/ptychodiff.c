/* ptychodiff GOLDEN RESULT OBJECT PROBE LOG: is the reconstruction RESULT_{object,probe}.tif,
 * RESULT_log.csv that of GOLDEN_...? OBJECT: largest difference of object pixels whose coverage in
 * GOLDEN is above 0.05; NaN pixels must be the same.  PROBE: norm of the difference over the norm,
 * all modes.  LOG: relative difference of R, chi, fmag, nll of every row, rows and engines the
 * same. Prints the three deviations; exit status 0 within the tolerances, 1 else. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "io/csvio.h"
#include "io/tiffio.h"

static char path[2][4096];

static void names(char **stem, const char *suffix)
{
	for (int i = 0; i < 2; i++)
		snprintf(path[i], sizeof path[i], "%s%s", stem[i], suffix);
}

/* Both files as float32, of one shape. */
static void read_both(char **stem, const char *suffix, struct array *a)
{
	bool lossy;

	names(stem, suffix);
	for (int i = 0; i < 2; i++)
		if (tiff_read(path[i], NULL, &a[i], NULL) != 0 || array_to_f32(&a[i], &lossy) != 0)
			exit(EXIT_FAILED);
	if (a[0].nz != a[1].nz || a[0].ny != a[1].ny || a[0].nx != a[1].nx)
		die(EXIT_FAILED, "'%s': %zux%zux%zu, expected %zux%zux%zu", path[1], a[1].nz,
		    a[1].ny, a[1].nx, a[0].nz, a[0].ny, a[0].nx);
}

static double object(char **stem)
{
	struct array a[2];
	double worst = 0;
	size_t area;

	read_both(stem, "_object.tif", a);
	if (a[0].nz != 3)
		die(EXIT_FAILED, "'%s': %zu pages, expected 3", path[0], a[0].nz);
	area = a[0].ny * a[0].nx;
	for (size_t i = 0; i < area; i++) {
		const float *v = a[0].data, *w = a[1].data;

		for (size_t p = 0; p < 2; p++)
			if (isnan(v[p * area + i]) != isnan(w[p * area + i]))
				die(EXIT_FAILED, "'%s': row %zu, column %zu is %g, expected %g",
				    path[1], i / a[0].nx, i % a[0].nx, (double)w[p * area + i],
				    (double)v[p * area + i]);
		if (v[2 * area + i] > 0.05F && !isnan(v[i])) {
			double d = hypot((double)v[i] - (double)w[i],
					 (double)v[area + i] - (double)w[area + i]);

			if (!(d <= worst)) /* a NaN stays */
				worst = d;
		}
	}
	array_clear(&a[0]);
	array_clear(&a[1]);
	return worst;
}

static double probe(char **stem)
{
	struct array a[2];
	double difference = 0, norm = 0;

	read_both(stem, "_probe.tif", a);
	for (size_t i = 0; i < array_count(&a[0]); i++) {
		double v = (double)((float *)a[0].data)[i], w = (double)((float *)a[1].data)[i];

		difference += (v - w) * (v - w);
		norm += v * v;
	}
	array_clear(&a[0]);
	array_clear(&a[1]);
	return sqrt(difference / norm);
}

static double logs(char **stem)
{
	static const char *const columns[] = { "R", "chi", "fmag", "nll" };
	struct csv t[2];
	size_t c[2], engine[2], iteration[2];
	double worst = 0, v[2];

	names(stem, "_log.csv");
	for (int i = 0; i < 2; i++)
		if (csv_read(path[i], false, &t[i]) != 0 ||
		    csv_need(&t[i], "engine", &engine[i]) != 0 ||
		    csv_need(&t[i], "iteration", &iteration[i]) != 0)
			exit(EXIT_FAILED);
	if (t[0].rows != t[1].rows)
		die(EXIT_FAILED, "'%s': %zu rows, expected %zu", path[1], t[1].rows, t[0].rows);
	for (size_t r = 0; r < t[0].rows; r++)
		if (strcmp(csv_cell(&t[0], r, engine[0]), csv_cell(&t[1], r, engine[1])) != 0 ||
		    strcmp(csv_cell(&t[0], r, iteration[0]), csv_cell(&t[1], r, iteration[1])) != 0)
			die(EXIT_FAILED,
			    "'%s': row %zu is iteration %s of '%s', expected %s of '%s'", path[1],
			    r, csv_cell(&t[1], r, iteration[1]), csv_cell(&t[1], r, engine[1]),
			    csv_cell(&t[0], r, iteration[0]), csv_cell(&t[0], r, engine[0]));
	for (int k = 0; k < 4; k++) {
		if (csv_need(&t[0], columns[k], &c[0]) != 0 ||
		    csv_need(&t[1], columns[k], &c[1]) != 0)
			exit(EXIT_FAILED);
		for (size_t r = 0; r < t[0].rows; r++) {
			if (csv_double(&t[0], r, c[0], true, &v[0]) != 0 ||
			    csv_double(&t[1], r, c[1], true, &v[1]) != 0)
				exit(EXIT_FAILED);
			if (isnan(v[0]) && isnan(v[1]))
				continue;
			if (!(fabs(v[1] / v[0] - 1) <= worst))
				worst = fabs(v[1] / v[0] - 1);
		}
	}
	csv_clear(&t[0]);
	csv_clear(&t[1]);
	return worst;
}

int main(int argc, char **argv)
{
	double d[3];
	int rc = EXIT_DONE;

	program_start(argv[0]);
	if (argc != 6)
		die(EXIT_USAGE, "expected GOLDEN RESULT OBJECT PROBE LOG");
	d[0] = object(argv + 1);
	d[1] = probe(argv + 1);
	d[2] = logs(argv + 1);
	printf("object %.3g probe %.3g log %.3g\n", d[0], d[1], d[2]);
	for (int i = 0; i < 3; i++)
		if (!(d[i] <= atof(argv[3 + i])))
			rc = EXIT_FAILED;
	return rc;
}
