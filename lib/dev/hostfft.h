/* lib/dev/hostfft.h: the FFTW side of fft.h, on plain host memory.  Private to lib/dev. */
#ifndef DEV_HOSTFFT_H
#define DEV_HOSTFFT_H

#include "dev/fft.h"

struct hostfft;

/* desc with every stride, row and column count filled in (fft.c does); slow: no row pass, every column of [ny][nx] transformed
 * in place.  NULL after reporting.  Not thread-safe: FFTW's planner is not. */
struct hostfft *hostfft_new(const struct fft_desc *desc, bool slow, int threads);
void hostfft_free(struct hostfft *h);	/* fine on NULL */

/* in and out point to the first element of the first transform; they are aligned to their element at least. */
void hostfft_run(const struct hostfft *h, void *in, void *out);
/* Transforms first .. end - 1 of the batch, by the calling thread alone, with the scratch of thread `member`. */
void hostfft_run_some(const struct hostfft *h, void *in, void *out, size_t first, size_t end, int member);

#endif
