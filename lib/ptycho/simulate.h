/* lib/ptycho/simulate.h: scans of a known object by a known probe (spec: ptychosim).  Random
 * numbers are counters of rng_key(seed, stream, k): positions stream 1, object 2 and 3, dead pixels
 * 4, errors of positions 5, photons 6; they depend on no thread.
 *
 * Frames have the beam at (0,0) but where a layout is named; positions are (row, column) in object
 * pixels. */
#ifndef PTYCHO_SIMULATE_H
#define PTYCHO_SIMULATE_H

#include <complex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dev/fft.h"
#include "ptycho/geometry.h"

/* Square raster of ceil(sqrt k) columns, `step` px apart, each frame off by up to +-jitter. */
void sim_positions(size_t k, double step, double jitter, uint64_t seed, double (*pos)[2]);

/* Fermat's spiral of the golden angle (Vogel 1979), frame i at step sqrt(i / pi) px from the middle: one frame in step^2, as the
 * raster; jitter as there. */
void sim_spiral(size_t k, double step, double jitter, uint64_t seed, double (*pos)[2]);

/* Adds normal errors of standard deviation sigma px. */
void sim_errors(size_t k, double sigma, uint64_t seed, double (*pos)[2]);

enum sim_object { SIM_RANDOM, SIM_SIEMENS };

/* object [slices][h][w], each slice with its part of the phase and the absorption: random: smooth
 * fields, phase up to 1.2 rad, absorption up to 0.2; siemens: 36 spokes of amplitude 0.8 and 1 rad
 * around the middle, edges 1 px wide.  0, or -1 after reporting. */
int sim_object(struct dev *d, enum sim_object kind, size_t slices, size_t h, size_t w,
	       uint64_t seed, float complex *object);

/* mask [n][n]: 0 for the `count` pixels of smallest key, 1 for all others. */
void sim_dead(size_t n, size_t count, uint64_t seed, unsigned char *mask);

/* 0 within `radius` px of the beam, which is at (0,0); else as it is. */
void sim_beam_stop(size_t n, double radius, unsigned char *mask);

/* ---- intensities.  Batches of frames on the device. */
struct simulator {
	struct dev *d;
	size_t n, modes, slices, h, w;
	const float complex *object, *probe; /* the caller's, until simulator_clear */
	float complex *probe_f;		     /* its spectrum / n^2, with subpixel; else NULL */
	const float complex *H;		     /* of propagator_make, the caller's; slices > 1 */
	const float complex *near;	     /* the same to the detector; NULL: far field */
	size_t room;			     /* frames of a batch */
	struct buf *wave;		     /* [room][modes][n][n] complex64 */
	struct fft *forward, *backward;
};

/* For k > 0 frames in all; probe [modes][n][n], object [slices][h][w].  0, or -1 after reporting;
 * simulator_clear is fine in every case. */
int simulator_init(struct simulator *s, struct dev *d, size_t k, size_t n, size_t modes,
		   const float complex *probe, size_t slices, size_t h, size_t w,
		   const float complex *object, const float complex *H,
		   const float complex *near, bool subpixel);

/* Frames whose windows are at place[count], count <= room, whole on the canvas: intensity
 * [count][n][n], photons. */
int simulator_frames(struct simulator *s, const double (*place)[2], size_t count, float *intensity);
void simulator_clear(struct simulator *s);

/* Frames first ... first + count - 1 [n][n] to counts of Poisson's distribution, a stream for each
 * frame. */
void sim_poisson(float *frames, size_t first, size_t count, size_t n, uint64_t seed, int threads);

/* source[i] = which pixel of a frame with the beam at (0,0) is pixel i of the file's: beam-centred
 * (n/2, n/2) (but for images of the near field, left as they are), then turned by `op`, then with `corner` back to a beam at (0,0). */
void sim_layout(size_t n, enum d4 op, bool corner, bool near_field, size_t *source);

#endif
