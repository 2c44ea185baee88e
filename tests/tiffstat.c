/* tiffstat FILE.tif: one line per page: page, mean, variance (n - 1), largest value.  Sums in
 * double. */
#include <math.h>
#include <stdio.h>

#include "base/die.h"
#include "io/tiffio.h"

int main(int argc, char **argv)
{
	struct array a;

	program_start(argv[0]);
	if (argc != 2)
		die(EXIT_USAGE, "usage: tiffstat FILE.tif");
	if (tiff_read(argv[1], NULL, &a, NULL) != 0)
		return EXIT_FAILED;
	if (array_to_f64(&a) != 0) {
		array_clear(&a);
		return EXIT_FAILED;
	}
	size_t n = a.ny * a.nx;

	for (size_t z = 0; z < a.nz; z++) {
		const double *v = (const double *)a.data + z * n;
		double mean = 0, var = 0, top = -INFINITY;

		for (size_t i = 0; i < n; i++) {
			mean += v[i] / (double)n;
			top = fmax(top, v[i]);
		}
		for (size_t i = 0; i < n; i++)
			var += (v[i] - mean) * (v[i] - mean) / ((double)n - 1);
		printf("%zu %.17g %.17g %.17g\n", z + 1, mean, var, top);
	}
	array_clear(&a);
	return EXIT_DONE;
}
