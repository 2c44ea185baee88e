/* ptychocompare OBJECT.tif TRUTH.tif [N [MARGIN]]: what is left of the difference of two objects (pages re, im) when shift, phase ramp
 * and factor are taken away, relative to the truth.  N (128) is the window's side, MARGIN (N / 8, rounded up) the free border of the
 * truth's canvas; so much of its edge does not count.  Prints the figure; exit 1 if it cannot be computed, 2 on wrong usage. */
#include <complex.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/die.h"
#include "base/mem.h"
#include "io/tiffio.h"
#include "ptycho/align.h"

static float complex *picture(const char *path, size_t *h, size_t *w)
{
	struct tiff_select pages = { .first = 1, .last = 2 };
	struct array a = { 0 };
	float complex *v = NULL;
	bool lossy = false;

	if (tiff_read(path, &pages, &a, NULL) == 0 && array_to_f32(&a, &lossy) == 0) {
		const float *from = a.data;
		size_t n = a.ny * a.nx;

		v = mem_new(n, sizeof *v);
		for (size_t i = 0; i < n; i++)
			v[i] = CMPLXF(from[i], from[n + i]);
		*h = a.ny;
		*w = a.nx;
	}
	array_clear(&a);
	return v;
}

int main(int argc, char **argv)
{
	size_t n = argc > 3 ? strtoul(argv[3], NULL, 10) : 128,
	       margin = argc > 4 ? strtoul(argv[4], NULL, 10) : (n + 7) / 8, h[2], w[2];
	float complex *v[2] = { NULL, NULL };
	struct dev *d = NULL;
	double left;
	int status = EXIT_FAILED;

	program_start(argv[0]);
	if (argc < 3 || argc > 5) {
		error("usage: ptychocompare OBJECT.tif TRUTH.tif [N [MARGIN]]");
		return EXIT_USAGE;
	}
	for (int i = 0; i < 2; i++) {
		v[i] = picture(argv[1 + i], &h[i], &w[i]);
		if (!v[i])
			goto done;
	}
	d = dev_open(&(struct dev_opts){ 0 });
	if (!d || align_compare(d, h[0], w[0], v[0], h[1], w[1], v[1], n, margin, &left) != 0)
		goto done;
	printf("%.6f\n", left);
	status = EXIT_DONE;
done:
	dev_free(d);
	free(v[0]);
	free(v[1]);
	return status;
}
