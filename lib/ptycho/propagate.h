/* lib/ptycho/propagate.h: waves from plane to plane by the angular spectrum (spec: multislice, near
 * field). */
#ifndef PTYCHO_PROPAGATE_H
#define PTYCHO_PROPAGATE_H

#include <complex.h>
#include <stdbool.h>
#include <stddef.h>

/* Where slices and detector are.  Lengths in metres, of the parallel beam that a cone is scaled to.
 */
struct optics {
	size_t slices;			    /* of the object; 0 is 1 */
	double spacing;			    /* between them */
	bool near_field;		    /* else the far field */
	double distance, wavelength, pixel; /* of the object plane's pixels */
};

/* A cone from a focus `focus` before the object (INFINITY: a parallel beam), the detector of pixels
 * p at z behind it, is a parallel beam of distance z / m and pixels p / m, m = (z + focus) / focus.
 */
struct optics optics_near(double z, double focus, double p, double wavelength);

/* H = exp(2 pi i z / lambda sqrt(1 - lambda^2 (u^2 + v^2))), 0 where evanescent; H [n][n], zero
 * frequency first.  Lengths in metres, dx of a pixel. */
void propagator_make(size_t n, double z, double wavelength, double dx, float complex *H);

/* Is H sampled: does its phase change by at most pi from one frequency to the next? */
bool propagator_sampled(size_t n, double z, double wavelength, double dx);

#endif
