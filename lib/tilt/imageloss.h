/* lib/tilt/imageloss.h: losses that judge a phase image, with their gradient by every pixel (spec section 5.2), on the host
 * in double.  The two spectral ones take and give half spectra; the transforms are the caller's. */
#ifndef TILT_IMAGELOSS_H
#define TILT_IMAGELOSS_H

#include <stdbool.h>
#include <stddef.h>

enum loss_kind { LOSS_RESIDUAL, LOSS_MIDBAND, LOSS_TV, LOSS_LAPLACIAN, LOSS_VARIANCE, LOSS_FLATNESS };

/* Does the loss work on the spectrum of the image? */
bool imageloss_spectral(enum loss_kind k);

/* x [h][w] -> the loss; g [h][w] = dL/dx (NULL: value only).  For tv, laplacian, variance. */
double imageloss_pixels(enum loss_kind k, const float *x, size_t h, size_t w, float *g);

/* q [h][w/2+1] complex64, spectrum of the image; mask [h][w/2+1].  Overwrites q, when gradient is asked for, with the half
 * spectrum whose unnormalised backward transform is dL/dx.  For midband, flatness (NAN with an empty mask). */
double imageloss_spectrum(enum loss_kind k, float (*q)[2], const unsigned char *mask, size_t h, size_t w, bool gradient);

/* mask [h][w/2+1]: 1 where lo c < |f| < hi c, c = 2 na_det / wavelength, strictly.  Returns the bins of the full grid. */
size_t imageloss_mask(unsigned char *mask, size_t h, size_t w, double pixel, double lo_c, double hi_c);

#endif
