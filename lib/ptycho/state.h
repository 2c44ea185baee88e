/* lib/ptycho/state.h: a ptychographic reconstruction: frames, windows, object and probe on one device, and the batch of frames at hand.
 *
 * Index order is (row, column).  Wave of frame k, mode m: psi = P_m(r) O(r + i_k), i_k the window's first pixel; detector wave
 * FFT2(psi) / n; model intensity I = sum_m |.|^2 in photons, beam at (0,0).  The probe is centred in real space and never shifted. */
#ifndef PTYCHO_STATE_H
#define PTYCHO_STATE_H

#include <complex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dev/dev.h"
#include "dev/fft.h"
#include "ptycho/frames.h"
#include "ptycho/propagate.h"

enum orthogonalise { ORTH_EVERY, ORTH_END, ORTH_OFF };

struct ptycho_opts {
	bool subpixel, sequential;
	uint64_t seed;
	long probe_start, object_start;	/* first iteration, counted over the chain from 0, that changes it */
	bool freeze_probe, gauge, recentre;
	enum orthogonalise orthogonalise;
	double support;			/* radius / n; 0: off */
	double amplitude[2], phase[2];	/* clamps of the object; lo >= hi: off */
	bool intensity;			/* w_k follows the data */
	struct {
		bool on, affine;
		long start;
		double step, limit, clip, coarse;
	} refine;			/* positions */
	long log_every;			/* for engines whose errors cost transforms */
	struct optics optics;
	size_t modes_most;		/* room for so many modes, if more than at the start */
	double mode_power;		/* of each mode that a stage completes */
	size_t opr;			/* modes of a probe that changes from frame to frame; 0: off */
};

/* What a row of the log holds, NAN where not evaluated. */
struct ptycho_row {
	long iteration;			/* from 0, over the whole chain */
	size_t stage;
	const char *engine;
	double R, chi, fmag, nll, dO, dP, step_object, step_probe, alpha, position_rms, seconds;
	long shift[2];			/* summed recentring */
};

/* Sums over valid pixels of one frame: |A - d|, d, (A - d)^2, I, deviance, number of pixels, photons of the beam, of the background. */
enum { ERR_ABS, ERR_D, ERR_SQUARE, ERR_I, ERR_NLL, ERR_PIXELS, ERR_BEAM, ERR_BACKGROUND, ERR_SUMS };

struct ptycho {
	struct dev *d;
	struct ptycho_opts o;
	size_t k, n, modes, h, w;	/* frames, side, probe modes of the stage at hand, canvas */
	size_t slices;			/* of the object, 1: thin */
	double (*s)[2], (*s0)[2];	/* [k] windows' first pixels, now and as given (both follow recentring) */
	long shift[2];			/* t of recentring, summed: s + shift is in the input's frame */
	double *intensity;		/* [k] w_k, 1 at first */
	double *alpha;			/* [k] Poisson step of lsqml and mlgrad, 0.5 at first */
	long iteration;			/* over the chain */
	double gauge;			/* product of all c of the power gauge: what engines keep of O scales by 1 / c */
	double (*err)[ERR_SUMS];	/* [k] of the iteration at hand */
	double max_photons;		/* of a frame */

	struct buf *object;		/* [slices][h][w] complex64 */
	struct buf *probe;		/* [modes][n][n] complex64 */

	struct opr *opr;		/* opr.h; NULL without */
	struct slices *thick;		/* slices.h; NULL with one */
	size_t bottom;			/* row of `object` below the slice at hand, h with one */
	struct buf *near;		/* [n][n] complex64: to the detector in the near field; NULL: far */

	/* ---- frames: all on the device, or staged batch by batch from the host */
	const struct frames *frames;	/* the caller's; data may be freed when `resident` */
	bool resident;
	struct buf *measured;		/* [k or room][n][n] */

	/* ---- photons without coherence: added to the beam's in every model intensity; NULL: none (background.h) */
	struct buf *background;		/* [n][n] float, the beam at (0,0) */
	struct buf *ratio, *seen;	/* [n][n] sums of an iteration that estimates it, else NULL */
	bool estimating;		/* they are being summed */
	long background_start;		/* first iteration that changes it */

	/* ---- the batch at hand: set by model_batch, with room for `room` frames */
	size_t room, count;
	size_t *member;			/* [room] its frames, in its order */
	struct buf *window;		/* [room] int4: row, column, slot in `measured`, frame */
	struct buf *par;		/* [room] float4: fraction row, column, w_k, alpha_k */
	struct buf *wave;		/* [room][modes][n][n] complex64 */
	struct buf *shifted;		/* the same: probes of the frames, with subpixel; else NULL */
	struct buf *scratch;		/* the same, with subpixel; else NULL */
	struct buf *probe_f;		/* [modes][n][n] complex64 */
	struct buf *rows;		/* [room][n][8] float: row sums of detector kernels */
	size_t tiles;			/* 16 x 16 tiles of the canvas that the batch covers */
	struct buf *tile;		/* [tiles] int4: row, column (pixels), first, count in `cover` */
	struct buf *top;		/* [tiles] float: maxima */
	int32_t *bins;			/* scratch of the host */
	size_t *work;			/* [tiles + 1] of the tiles before each: windows that touch them, and their own share */
	struct buf *cover;		/* int: positions in the batch, ascending, tile by tile */
	struct buf *U, *W;		/* [slices][h][w] complex64, float: sums on the canvas, of any engine; U may be exchanged with `object` */
	struct buf *g, *V;		/* [modes][n][n] complex64, [n][n] float: sums on the probe; g with `probe` */
	struct positions *positions;	/* positions.h; NULL until they are refined */
	struct fft_cache {
		size_t batch;
		struct fft *forward, *backward;
	} fft[4];
};

/* Bytes on the device, upper bounds (spec: memory).  engine: "epie" ...; frame_bytes 2 or 4. */
struct ptycho_plan {
	size_t fixed, work, frames;
	size_t blocks, per_block;	/* 0: not even one frame fits */
};
struct ptycho_plan ptycho_plan(size_t k, size_t n, size_t modes, size_t h, size_t w, const char *engine,
			       size_t batch, size_t frame_bytes, size_t mem);

size_t ptycho_canvas(const struct ptycho *p);	/* pixels of all slices */

/* Starts from probe [modes][n][n] and object [slices][h][w] (NULL: 1), windows s [k].  room: the largest batch of the chain; engine: of
 * the stage that needs the most memory.  0, or -1 after reporting (with the bytes needed); ptycho_clear is fine in every case. */
int ptycho_init(struct ptycho *p, struct dev *d, const struct ptycho_opts *o, const struct frames *f, const double (*s)[2],
		size_t h, size_t w, size_t modes, const float complex *probe, const float complex *object, size_t room,
		bool resident);
void ptycho_clear(struct ptycho *p);

int ptycho_read(struct ptycho *p, float complex *object, float complex *probe);	/* either may be NULL */
int ptycho_write(struct ptycho *p, const float complex *object, const float complex *probe);

#endif
