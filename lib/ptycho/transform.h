/* lib/ptycho/transform.h: one Fourier transform of a host array through the device's FFT layer. */
#ifndef PTYCHO_TRANSFORM_H
#define PTYCHO_TRANSFORM_H

#include <complex.h>
#include <stddef.h>

#include "dev/fft.h"

/* a [ny][nx] complex64, FFT_FORWARD or FFT_BACKWARD, unnormalised, in place.  Blocks.  0, or -1
 * after reporting. */
int transform_host(struct dev *d, enum fft_kind kind, size_t ny, size_t nx, float complex *a);

/* a [ny][nx] smoothed periodically by a Gaussian of `sigma` px: transfer function exp(-2 pi^2
 * sigma^2 f^2). */
int transform_smooth(struct dev *d, size_t ny, size_t nx, double sigma, float complex *a);

#endif
