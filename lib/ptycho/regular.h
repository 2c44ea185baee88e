/* lib/ptycho/regular.h: what may be done to the object between iterations (before the chores) against
 * what the frames leave open: by noise, or by an exact raster.  On the host, the same bytes for any
 * number of threads.  0, or -1 after reporting. */
#ifndef PTYCHO_REGULAR_H
#define PTYCHO_REGULAR_H

#include "ptycho/state.h"

/* O <- G(C O) / G(C), G a Gaussian of `sigma` px cut at 4 sigma, C the light of the present probe
 * on each pixel: where none fell O stays, and nothing comes from there.  Changes the batch at hand
 * and p->W. */
int regular_smooth(struct ptycho *p, double sigma);

/* Plane waves whose frequencies are whole multiples of 1 / step along each axis, but not of 0 along
 * both, are what an exact raster cannot tell from the probe.  Of the object in the box between the
 * first and the last window's middles, times a Hann window, the amplitude of the spectrum at each
 * is limited to the median of its neighbours 2 to 4 bins away (Chebyshev; fewer where the next
 * multiple is nearer), by taking a plane wave off the object in the box; the phase stays.  Needs
 * NOTCH_PERIODS steps along both axes. */
enum { NOTCH_PERIODS = 4 };
int regular_notch(struct ptycho *p);

/* May it be used: do windows s [k] stand on a raster with so many steps?  0, or -1 after reporting,
 * beginning with `path`. */
int regular_notch_check(const char *path, const double (*s)[2], size_t k);

#endif
