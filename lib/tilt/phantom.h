/* lib/tilt/phantom.h: phase objects out of a seed, for trying a reconstruction on a known truth. */
#ifndef TILT_PHANTOM_H
#define TILT_PHANTOM_H

#include <stddef.h>
#include <stdint.h>

/* disks: smooth discs and rods, half axes 2 to 9 pixels, one per 192 pixels of the field.
 * sphere: thickness of a ball in the middle, radius a quarter of the shorter side, blurred by a
 * Gaussian of 2 pixels; needs no seed. cells: turned ellipses with soft edges, half axes 10 to 18
 * pixels, each with a nucleus and granules, one per 1800 pixels. */
enum phantom { PHANTOM_DISKS, PHANTOM_SPHERE, PHANTOM_CELLS };

/* phase [ny][nx] float32, radians, >= 0 over a background of 0, largest value = peak; periodic, as
 * the forward model is. */
void phantom_make(enum phantom kind, size_t ny, size_t nx, double peak, uint64_t seed,
		  float *phase);

#endif
