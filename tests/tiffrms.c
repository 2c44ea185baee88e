/* tiffrms A.tif B.tif: root mean square of the difference of all pixels that are finite in both.
 * tiffrms -r A.tif B.tif: the least and the largest pixel of B. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "io/tiffio.h"

int main(int argc, char **argv)
{
	struct array a = { 0 }, b = { 0 };
	bool range = argc == 4 && strcmp(argv[1], "-r") == 0;
	double sum = 0, lo = INFINITY, hi = -INFINITY;
	size_t n = 0;

	program_start(argv[0]);
	if (argc != 3 + range)
		die(EXIT_USAGE, "usage: tiffrms [-r] A.tif B.tif");
	if (tiff_read(argv[1 + range], NULL, &a, NULL) != 0 ||
	    tiff_read(argv[2 + range], NULL, &b, NULL) != 0 || array_to_f64(&a) != 0 ||
	    array_to_f64(&b) != 0)
		return EXIT_FAILED;
	if (a.nz != b.nz || a.ny != b.ny || a.nx != b.nx)
		die(EXIT_FAILED, "'%s': another shape than '%s'", argv[2 + range], argv[1 + range]);
	for (size_t i = 0; i < array_count(&a); i++) {
		double v = ((double *)b.data)[i], d = v - ((double *)a.data)[i];

		lo = fmin(lo, v);
		hi = fmax(hi, v);
		if (isfinite(d)) {
			sum += d * d;
			n++;
		}
	}
	if (range)
		printf("%.9g %.9g\n", lo, hi);
	else
		printf("%.9g\n", n ? sqrt(sum / (double)n) : NAN);
	array_clear(&a);
	array_clear(&b);
	return EXIT_DONE;
}
