#include "ptycho/transform.h"

#include <math.h>

int transform_host(struct dev *d, enum fft_kind kind, size_t ny, size_t nx, float complex *a)
{
	struct fft_desc desc = { .kind = kind, .ny = ny, .nx = nx, .batch = 1 };
	size_t bytes = ny * nx * sizeof *a;
	struct fft *f = fft_new(d, &desc);
	struct buf *b = f ? buf_new(d, bytes) : NULL;
	int rc = -1;

	if (b && buf_write(b, 0, a, bytes) == 0 && fft_run(f, b, 0, b, 0) == 0 &&
	    buf_read(b, 0, a, bytes) == 0)
		rc = 0;
	buf_free(b);
	fft_free(f);
	return rc;
}

/* of index i among n, cycles per sample */
static double frequency(size_t i, size_t n)
{
	return (2 * i < n ? (double)i : (double)i - (double)n) / (double)n;
}

int transform_smooth(struct dev *d, size_t ny, size_t nx, double sigma, float complex *a)
{
	double c = -2 * M_PI * M_PI * sigma * sigma, scale = 1 / ((double)ny * (double)nx);

	if (sigma <= 0)
		return 0;
	if (transform_host(d, FFT_FORWARD, ny, nx, a) != 0)
		return -1;
	for (size_t y = 0; y < ny; y++) {
		double fy = frequency(y, ny), gy = scale * exp(c * fy * fy);

		for (size_t x = 0; x < nx; x++) {
			double fx = frequency(x, nx);

			a[y * nx + x] *= (float)(gy * exp(c * fx * fx));
		}
	}
	return transform_host(d, FFT_BACKWARD, ny, nx, a);
}
