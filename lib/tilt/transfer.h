/* lib/tilt/transfer.h: absorption and phase transfer functions of thin objects for a batch of equal tiles, each with its
 * own tilt and z (spec section 3.2).
 *
 *   T_z(f) = sum_s S(s) D_z*(s) D_z(s + f),  D_z = P^2 exp(2 pi i z gamma),  I0 = sum S P^4
 *   H_a = (T + T~)/I0,  H_p = i (T - T~)/I0,  T~(f) = T*(-f)
 *
 * With A = FFT(S D) and B = FFT(D) they are transforms of the real arrays 2 Re A*B and -2 Im A*B, so three transforms
 * per plane and tile suffice, and B is shared by tiles of equal z. */
#ifndef TILT_TRANSFER_H
#define TILT_TRANSFER_H

#include "dev/fft.h"
#include "tilt/pupil.h"

struct transfer {
	struct pupil pupil;
	size_t batch;		/* positions (tiles at a time), a multiple of slots */
	size_t slots;		/* positions transformed at once */
	size_t chunk;		/* planes that h holds */
	bool keep;		/* A and B of all planes of the chunk are kept, for the gradient */
	size_t hx;		/* columns of h: lags 0 .. hx - 1 */
	double *i0;		/* [batch] */
	double bright;		/* I0 without tilt */
	struct buf *source;	/* [batch][rows][mx] float32, packed */
	struct buf *scale;	/* [batch] float32: raw h to H */
	struct buf *wave;	/* B; [slots][my][mx], or [chunk][batch][my][mx] if kept; shared: the first of a plane */
	struct buf *a;		/* A; the same shape */
	struct buf *w;		/* [slots][2][my][mx] float32 */
	struct buf *h;		/* [chunk][batch][2][my][hx] complex64: raw, H = conj(h) scale */
	struct buf *zbuf, *coef, *part;
	struct fft *fft_a, *fft_b, *fft_b1, *fft_w;
	bool shared;		/* the waves of the last plane: one for all positions */
	double wave_z;		/* z of the wave in slot 0; NAN: none */
};

/* Bytes on the device that transfer_init will take. */
size_t transfer_bytes(const struct optics *o, size_t ny, size_t nx, size_t batch, size_t slots, size_t chunk, bool keep);

/* Positions transformed at once: few on a CPU (they share its cache), all on a GPU. */
size_t transfer_slots(struct dev *d, const struct optics *o, size_t ny, size_t nx, size_t tiles);

/* batch is rounded up to a multiple of slots.  0, or -1 after reporting. */
int transfer_init(struct transfer *t, struct dev *d, const struct optics *o, size_t ny, size_t nx, size_t batch,
		  size_t slots, size_t chunk, bool keep);
void transfer_clear(struct transfer *t);

/* Condenser and I0 of positions 0 .. n-1. */
int transfer_source(struct transfer *t, const struct tilt *tilt, size_t n);

/* Is I0 of position i below 1e-6 of the untilted one?  A dark field: nothing can be reconstructed. */
bool transfer_dark(const struct transfer *t, size_t i);

/* Plane u of h, at z[i] um for position i < n. */
int transfer_plane(struct transfer *t, const double *z, size_t n, size_t u);

/* H_a and H_p of position i at plane u, all bins in DFT order: [ny][nx] complex64 each, to the host (for --dump-tf and
 * tests); mirror: of the plane at -z. */
int transfer_read(struct transfer *t, size_t i, size_t u, bool mirror, float (*ha)[2], float (*hp)[2]);

/* Lag of bin 0 on an axis of n pixels: 0, or -1 for the peer's crop of an odd size from an even one. */
int transfer_shift(const struct optics *o, size_t n);

#endif
