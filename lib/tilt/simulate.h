/* lib/tilt/simulate.h: the stack that a microscope takes of a known object under a tilted condenser
 * (spec section 13), and what a camera makes of it.
 *
 * weak: I = 1 + Re IFFT(H_a a + H_p phi), the transfer functions of tilt/transfer.h.
 * abbe: no weak object: exp(a + i phi), sampled `oversample` times finer, is imaged for each point s
 * of the condenser,
 *   I = sum_s S(s) |IFFT(FFT(object)(f - s) P exp(2 pi i z gamma))|^2 / sum_s S P^2,
 * and brought back to the camera's pixels in the frequency domain.  Points are the bins with
 * S [P > 1e-6] > 1e-3. */
#ifndef TILT_SIMULATE_H
#define TILT_SIMULATE_H

#include <stdint.h>

#include "tilt/tiles.h"
#include "tilt/transfer.h"

enum forward { FORWARD_WEAK, FORWARD_ABBE };

struct simulate_opts {
	struct optics optics; /* condenser already clamped; oversample: 0 only with weak */
	enum forward forward;
	size_t points; /* abbe: at most so many of each tile's points, drawn by the seed; 0: all */
	uint64_t seed;
	size_t pad; /* reflected border around each tile */
	enum blend blend;
	double sigma_frac;
};

/* Bytes on the device for tiles of h x w pixels, and on the host beside object and stack. */
size_t simulate_bytes(struct dev *d, const struct simulate_opts *o, size_t h, size_t w,
		      size_t tiles);
size_t simulate_host_bytes(const struct tile_plan *plan, size_t nz);

/* phase [plan->ny][plan->nx] float32, radians; absorption the same shape, log of the amplitude,
 * NULL: none; tilt [plan->count].  stack [nz][ny][nx] float32: 1 is the empty field.  name is the
 * object's, for messages. 0, or -1 after reporting (dark field, memory, device). */
int simulate_stack(struct dev *d, const struct simulate_opts *o, const char *name,
		   const float *phase, const float *absorption, const struct tile_plan *plan,
		   const struct tilt *tilt, size_t nz, float *stack);

enum noise { NOISE_NONE, NOISE_POISSON, NOISE_GAUSS };

/* In place: counts = brightness stack, then noise: Poisson of that mean (<= 0 gives 0), or Gaussian
 * of sd counts.  Slice k [pixels] draws from the stream of seed + k, so that any number of threads
 * gives the same bytes. */
void simulate_counts(float *stack, size_t nz, size_t pixels, double brightness, enum noise noise,
		     double sd, uint64_t seed, int threads);

/* Half to even, clipped to 0 .. 65535. */
void simulate_u16(const float *counts, size_t n, uint16_t *out);

#endif
