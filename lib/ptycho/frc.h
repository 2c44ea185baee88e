/* lib/ptycho/frc.h: Fourier ring correlation of two complex images and the resolution that follows (van Heel & Schatz 2005).
 *
 * Each image less its mean, times a Tukey window, is transformed; FRC(r) = Re sum A B* / sqrt(sum |A|^2 sum |B|^2) over the ring
 * floor(|k| + 1/2) = r.  With n pixels in the ring the curves are
 *	half bit (0.2071 + 1.9102 / sqrt n) / (1.2071 + 0.9102 / sqrt n)
 *	one bit  (0.5 + 2.4142 / sqrt n) / (1.5 + 1.4142 / sqrt n) */
#ifndef PTYCHO_FRC_H
#define PTYCHO_FRC_H

#include <complex.h>
#include <stddef.h>

#include "dev/dev.h"

struct frc_ring {
	double cycles;		/* per px */
	size_t n;		/* pixels */
	double frc, half_bit, one_bit;
};

/* a, b [n][n] finite and aligned; tukey in [0, 1]: the part of a side in both flanks of the window; ring [n / 2]: rings 1 to n / 2.
 * Transforms in single precision, sums in double.  Blocks.  0, or -1 after reporting. */
int frc_rings(struct dev *d, size_t n, const float complex *a, const float complex *b, double tukey, struct frc_ring *ring);

/* Where the correlation first falls below the curve, cycles per px, between rings on a straight line; 0.5 if it never does. */
enum frc_curve { FRC_HALF_BIT, FRC_ONE_BIT };
double frc_resolution(const struct frc_ring *ring, size_t rings, enum frc_curve curve);

/* The largest even square without NaN or Inf of v [h][w] centred on the centroid of its finite pixels; its side, 0 if there is none. */
size_t frc_box(size_t h, size_t w, const float complex *v, size_t *row, size_t *column);

#endif
