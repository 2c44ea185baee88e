/* lib/tilt/thin.h: phase and absorption from the defocus stacks of a batch of equal tiles (spec section 4).
 *
 * Per spatial frequency the model of the contrast is b_z = H_a(z) X_a + H_p(z) X_p; the regularised inverse is closed:
 * sums over z and a 2 x 2 system.  Spectra are kept for half the bins: rows 0 .. ny-1 and, for even ny, one more row for
 * lag +ny/2; columns are lags 0 .. nx/2 (all bins where the peer's crop breaks the symmetry).  Images are real. */
#ifndef TILT_THIN_H
#define TILT_THIN_H

#include "tilt/contrast.h"
#include "tilt/transfer.h"

/* DIAG_PEER: diag without conjugates, the peer's optimiser's */
enum inverse { INVERSE_CONJ, INVERSE_PEER, INVERSE_DIAG, INVERSE_DIAG_PEER };
enum quantity { ABSORPTION, PHASE };

struct thin {
	struct dev *d;
	struct optics o;
	size_t nz, ny, nx;	/* of the padded tile */
	size_t tiles;		/* stacks of spectra held: b */
	struct transfer t;
	size_t nr, nc;		/* bins */
	bool full;		/* all bins, not half */
	struct buf *stage;	/* [stage_planes][ny][nx] float32: contrast on its way to b */
	size_t stage_planes;	/* 1 or nz */
	struct buf *b;		/* [tiles][nz][ny][nx/2+1] complex64 */
	struct buf *x;		/* [batch][2][nr][nc] complex64 */
	struct buf *sums;	/* [batch][8][nr][nc] pairs, only with chunk < planes */
	struct buf *planes;	/* [nz] int4 */
	struct buf *tile;	/* [batch] int */
	struct buf *half;	/* [slots][ny][nx/2+1] complex64 */
	struct buf *image;	/* [slots][ny][nx] float32 */
	struct fft *fft_b, *fft_image;
};

struct thin_size {
	size_t tiles, batch, slots, chunk;
	size_t bytes;		/* on the device */
};

/* What fits into dev_mem(d) for `tiles` tiles: all at once if possible.  keep: A and B of all planes are kept for the
 * gradient.  0, or -1 after reporting the bytes that one tile needs. */
int thin_plan(struct dev *d, const struct optics *o, size_t nz, size_t ny, size_t nx, size_t tiles, bool keep,
	      struct thin_size *size);

/* o's condenser is already clamped.  0, or -1 after reporting. */
int thin_init(struct thin *t, struct dev *d, const struct optics *o, size_t nz, size_t ny, size_t nx,
	      const struct thin_size *size, bool keep);
void thin_clear(struct thin *t);

/* Spectra of one tile: contrast of the box of stack [nz][field_ny][field_nx] float32, padded.  0; -1 after reporting; or 1
 * + the plane whose mean is not positive. */
long thin_load(struct thin *t, size_t tile, const struct contrast *c, const struct tile_box *box, const float *stack,
	       size_t field_ny, size_t field_nx);

/* May tiles of this offset share planes with their mirror images?  They must not be mixed with others in a call. */
bool thin_mirrors(double z_offset);

/* X of positions 0 .. n-1 (at most t->t.batch); position i is tile[i] with tilt[i].  If one mirrors, all must have its
 * z_offset.  *dark = the first position without light (then nothing is solved), else -1. */
int thin_solve(struct thin *t, const size_t *tile, const struct tilt *tilt, size_t n, double reg, enum inverse mode,
	       long *dark);

/* The same for the optimisers: every plane of every position is made and stays in t->t.h (chunk == nz), none is mirrored, dark
 * fields give whatever comes of them. */
int thin_fit(struct thin *t, const size_t *tile, const struct tilt *tilt, size_t n, double reg, enum inverse mode);

/* Real images of position i .. i + n - 1, n <= slots: out[k] [ny - 2 pad][nx - 2 pad] float32. */
int thin_images(struct thin *t, size_t i, size_t n, enum quantity q, size_t pad, float *const *out);

#endif
