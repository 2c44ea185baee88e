#include "ptycho/frc.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/mem.h"
#include "dev/fft.h"

/* (v - mean) window, as it goes to the transform */
static void windowed(size_t n, const float complex *v, const double *window, float complex *to)
{
	double re = 0, im = 0, count = (double)n * (double)n;

	for (size_t i = 0; i < n * n; i++) {
		re += (double)crealf(v[i]);
		im += (double)cimagf(v[i]);
	}
	re /= count;
	im /= count;
	for (size_t y = 0; y < n; y++)
		for (size_t x = 0; x < n; x++) {
			double f = window[y] * window[x];

			to[y * n + x] = CMPLXF((float)(((double)crealf(v[y * n + x]) - re) * f),
					       (float)(((double)cimagf(v[y * n + x]) - im) * f));
		}
}

static void tukey_window(size_t n, double tukey, double *window)
{
	size_t t = (size_t)(tukey * (double)n / 2);

	for (size_t i = 0; i < n; i++) {
		size_t edge = i < n - 1 - i ? i : n - 1 - i;

		window[i] = edge < t ? 0.5 - 0.5 * cos(M_PI * ((double)edge + 0.5) / (double)t) : 1;
	}
}

/* sum[r] of ring r: Re A B*, |A|^2, |B|^2, pixels */
static void ring_sums(size_t n, const float complex *A, const float complex *B, double (*sum)[4])
{
	for (size_t y = 0; y < n; y++)
		for (size_t x = 0; x < n; x++) {
			double ky = 2 * y < n ? (double)y : (double)y - (double)n,
			       kx = 2 * x < n ? (double)x : (double)x - (double)n;
			size_t r = (size_t)floor(sqrt(ky * ky + kx * kx) + 0.5), i = y * n + x;
			double ar = (double)crealf(A[i]), ai = (double)cimagf(A[i]),
			       br = (double)crealf(B[i]), bi = (double)cimagf(B[i]);

			if (r > n / 2)
				continue;
			sum[r][0] += ar * br + ai * bi;
			sum[r][1] += ar * ar + ai * ai;
			sum[r][2] += br * br + bi * bi;
			sum[r][3]++;
		}
}

int frc_rings(struct dev *d, size_t n, const float complex *a, const float complex *b, double tukey,
	      struct frc_ring *ring)
{
	size_t bytes = n * n * sizeof *a;
	double *window = mem_new(n, sizeof *window), (*sum)[4] = mem_new(n / 2 + 1, sizeof *sum);
	struct buf *v = buf_new(d, 2 * bytes);
	struct fft *f = fft_new(d, &(struct fft_desc){ .kind = FFT_FORWARD, .ny = n, .nx = n,
						       .batch = 2 });
	float complex *t;
	int rc = -1;

	tukey_window(n, tukey, window);
	if (!v || !f)
		goto done;
	t = buf_map(v, MAP_WRITE | MAP_DISCARD);
	if (!t)
		goto done;
	windowed(n, a, window, t);
	windowed(n, b, window, t + n * n);
	if (buf_unmap(v) != 0 || fft_run(f, v, 0, v, 0) != 0)
		goto done;
	t = buf_map(v, MAP_READ);
	if (!t)
		goto done;
	ring_sums(n, t, t + n * n, sum);
	if (buf_unmap(v) != 0)
		goto done;
	for (size_t r = 1; r <= n / 2; r++) {
		double q = sqrt(sum[r][3]);

		ring[r - 1] = (struct frc_ring){
			.cycles = (double)r / (double)n,
			.n = (size_t)sum[r][3],
			.frc = sum[r][0] / fmax(sqrt(sum[r][1]) * sqrt(sum[r][2]), 1e-300),
			.half_bit = (0.2071 + 1.9102 / q) / (1.2071 + 0.9102 / q),
			.one_bit = (0.5 + 2.4142 / q) / (1.5 + 1.4142 / q),
		};
	}
	rc = 0;
done:
	fft_free(f);
	buf_free(v);
	free(sum);
	free(window);
	return rc;
}

double frc_resolution(const struct frc_ring *ring, size_t rings, enum frc_curve curve)
{
	double before = 0;

	for (size_t i = 0; i < rings; i++) {
		double limit = curve == FRC_HALF_BIT ? ring[i].half_bit : ring[i].one_bit,
		       above = ring[i].frc - limit;

		if (i > 0 && above < 0 && before >= 0)
			return ring[i - 1].cycles + (ring[i].cycles - ring[i - 1].cycles) *
							    before / (before - above);
		before = above;
	}
	return 0.5;
}

static bool is_finite(float complex v)
{
	return isfinite(crealf(v)) && isfinite(cimagf(v));
}

size_t frc_box(size_t h, size_t w, const float complex *v, size_t *row, size_t *column)
{
	double sy = 0, sx = 0;
	size_t count = 0, cy, cx, half;

	for (size_t y = 0; y < h; y++)
		for (size_t x = 0; x < w; x++)
			if (is_finite(v[y * w + x])) {
				sy += (double)y;
				sx += (double)x;
				count++;
			}
	if (count == 0)
		return 0;
	cy = (size_t)floor(sy / (double)count + 1); /* of pixels' middles, rounded: */
	cx = (size_t)floor(sx / (double)count + 1); /* the square's middle is an edge */
	half = cy < cx ? cy : cx;
	half = h - cy < half ? h - cy : half;
	half = w - cx < half ? w - cx : half;
	for (size_t y = 0; y < h; y++)
		for (size_t x = 0; x < w; x++)
			if (!is_finite(v[y * w + x])) {
				/* a square of this half side would hold it */
				size_t a = y < cy ? cy - y : y - cy + 1,
				       b = x < cx ? cx - x : x - cx + 1;
				size_t least = (a > b ? a : b) - 1;

				half = least < half ? least : half;
			}
	*row = cy - half;
	*column = cx - half;
	return 2 * half;
}
