/* tiffdiff [-t TOL] [-a] [-p A-B] [-P DB] WANT.tif GOT.tif, of pages A to B: the largest absolute difference of all pixels, divided
 * by the largest absolute value of WANT (-a: not divided).  Prints the figure; exit 0 if it is at
 * most TOL (default 0), 1 if not, 2 on wrong usage.  A NaN or an infinity matches its like only;
 * files of different shape never match, files of different type do by value. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/die.h"
#include "io/tiffio.h"

static struct tiff_select pages;

/* -P: the peak signal-to-noise ratio, 10 log10 (range of WANT squared / mean squared difference), is at least DB */
static int psnr(const struct array *want, const struct array *got, double db)
{
	const double *w = want->data, *g = got->data;
	size_t n = array_count(want);
	double lo = INFINITY, hi = -INFINITY, sum = 0, found;

	if (n != array_count(got) || want->nx != got->nx || want->ny != got->ny)
		return 1;
	for (size_t i = 0; i < n; i++) {
		lo = fmin(lo, w[i]);
		hi = fmax(hi, w[i]);
		sum += (w[i] - g[i]) * (w[i] - g[i]);
	}
	found = 10 * log10((hi - lo) * (hi - lo) * (double)n / sum);
	printf("PSNR %.4f dB\n", found);
	return found >= db ? 0 : 1;
}

static int read_double(const char *path, struct array *a)
{
	return tiff_read(path, &pages, a, NULL) == 0 && array_to_f64(a) == 0 ? 0 : -1;
}

static int compare(const struct array *want, const struct array *got, bool absolute, double tol)
{
	const double *w = want->data, *g = got->data;
	double worst = 0, top = 0, figure;
	size_t n = array_count(want), at = 0;

	if (want->nz != got->nz || want->ny != got->ny || want->nx != got->nx) {
		printf("shape %zu x %zu x %zu, expected %zu x %zu x %zu\n", got->nz, got->ny,
		       got->nx, want->nz, want->ny, want->nx);
		return 1;
	}
	for (size_t i = 0; i < n; i++) {
		double d = isnan(w[i]) && isnan(g[i]) ? 0 : w[i] == g[i] ? 0 : fabs(w[i] - g[i]);

		if (isnan(d))
			d = INFINITY;
		if (d > worst) {
			worst = d;
			at = i;
		}
		if (isfinite(w[i]))
			top = fmax(top, fabs(w[i]));
	}
	figure = worst == 0 || absolute ? worst : worst / top;
	printf("%.3g at page %zu, row %zu, column %zu: %.9g, expected %.9g\n", figure,
	       at / (want->ny * want->nx) + 1, at / want->nx % want->ny, at % want->nx, g[at],
	       w[at]);
	return figure <= tol ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct array want = { 0 }, got = { 0 };
	bool absolute = false;
	double tol = 0, db = NAN;
	int c, rc = EXIT_FAILED;

	program_start(argv[0]);
	while ((c = getopt(argc, argv, "t:ap:P:")) != -1) {
		if (c == 't')
			tol = strtod(optarg, NULL);
		else if (c == 'a')
			absolute = true;
		else if (c == 'P')
			db = strtod(optarg, NULL);
		else if (c == 'p' && sscanf(optarg, "%ld-%ld", &pages.first, &pages.last) == 2)
			continue;
		else
			die(EXIT_USAGE, "usage: tiffdiff [-t TOL] [-a] [-p A-B] [-P DB] WANT.tif GOT.tif");
	}
	if (argc - optind != 2)
		die(EXIT_USAGE, "usage: tiffdiff [-t TOL] [-a] [-p A-B] [-P DB] WANT.tif GOT.tif");
	if (read_double(argv[optind], &want) == 0 && read_double(argv[optind + 1], &got) == 0)
		rc = !isnan(db) ? psnr(&want, &got, db) : compare(&want, &got, absolute, tol);
	array_clear(&want);
	array_clear(&got);
	return rc;
}
