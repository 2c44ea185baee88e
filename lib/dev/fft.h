/* lib/dev/fft.h: unnormalised Fourier transforms of buffers on the device: clFFT on GPUs, FFTW (single precision) on CPU devices through
 * mapped buffers, the same interface and, within rounding, the same numbers.
 *
 * The FFTW side drives one-dimensional FFTW_ESTIMATE plans itself (rows, then columns in blocks copied to contiguous memory), threads
 * over rows, column blocks and batch: the result has the same bytes for every number of threads. */
#ifndef DEV_FFT_H
#define DEV_FFT_H

#include "dev/dev.h"

enum fft_kind {
	FFT_FORWARD,	/* complex64 -> complex64, exp(-2 pi i) */
	FFT_BACKWARD,	/* complex64 -> complex64, exp(+2 pi i), no 1/N */
	FFT_R2C,	/* float32 [ny][nx] -> complex64 [ny][nx/2+1], exp(-) */
	FFT_C2R,	/* complex64 [ny][nx/2+1] -> float32 [ny][nx], exp(+), no 1/N; the input is destroyed */
};

/* A batch of 2-D transforms.  Strides are in elements of the side's own type; 0 means dense.  Pruning is exact and optional work saving:
 * sides that cannot prune (clFFT) transform everything, so the caller zeroes what is said to be zero when fft_prunes() is false. */
struct fft_desc {
	enum fft_kind kind;
	size_t ny, nx, batch;
	size_t in_row, in_dist;		/* between rows, between transforms */
	size_t out_row, out_dist;
	/* input rows [0, rows_lo) and [ny - rows_hi, ny) may be non-zero, all others are zero and need not be readable as such;
	 * both 0: all rows.  Ignored by FFT_C2R. */
	size_t rows_lo, rows_hi;
	/* output columns [0, cols_lo) and [nx - cols_hi, nx) are wanted (R2C: cols_hi = 0), the content of the others is undefined;
	 * both 0: all.  For FFT_C2R: input columns [0, cols_lo) may be non-zero, the others are taken as zero. */
	size_t cols_lo, cols_hi;
};

struct fft *fft_new(struct dev *d, const struct fft_desc *desc);	/* NULL after reporting */
void fft_free(struct fft *f);						/* fine on NULL */

/* Does this device's FFT honour rows_lo/rows_hi/cols_lo/cols_hi (true: FFTW)? */
bool fft_prunes(const struct dev *d);

/* Transforms in -> out from the given offsets (in elements of each side).  in == out with equal offsets and strides is allowed for
 * FFT_FORWARD/BACKWARD.  R2C leaves the input intact. */
int fft_run(struct fft *f, struct buf *in, size_t in_offset, struct buf *out, size_t out_offset);

/* One-dimensional complex transforms along the slow axis of [n][count] complex64, in place. */
struct fft *fft_slow_new(struct dev *d, enum fft_kind kind, size_t n, size_t count);

/* What a transform size may be rounded up to: the smallest 4 2^a 3^b 5^c 7^d >= n, or one up to a seventh larger than n that transforms
 * at more than twice the speed. */
size_t fft_good_size(size_t n);

#endif
