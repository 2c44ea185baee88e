/* lib/tilt/loss.h: how badly a tilt and a focus explain a tile, with the exact derivatives by them (spec section 5), for many
 * tiles at once.  Reverse mode: three transforms per plane beyond the value's.  What a tile gets does not depend on which
 * others are evaluated with it. */
#ifndef TILT_LOSS_H
#define TILT_LOSS_H

#include "tilt/imageloss.h"
#include "tilt/thin.h"

struct loss_opts {
	struct optics optics;	/* condenser clamped, steepness the optimiser's */
	enum loss_kind kind;
	double band[2];		/* fractions of 2 na_det / wavelength */
	struct contrast contrast;	/* pad and taper while optimising */
	double reg;
	enum inverse inverse;	/* of the image losses: INVERSE_DIAG, _DIAG_PEER or INVERSE_CONJ ("full") */
};

struct loss {
	struct loss_opts o;
	struct thin thin;
	size_t h, w;		/* of the tile without its border */
	struct buf *weight;	/* [2][nr][nc] float32 */
	struct buf *sums;	/* [batch][nr][3][16] pairs */
	struct buf *q;		/* [batch][2][nr][nc] */
	struct buf *gx;		/* [batch][ny][nx/2+1] */
	struct buf *gs, *gz, *turn, *tilt_sums;
	struct buf *crop, *crop_spec;	/* [slots][h][w], [slots][h][w/2+1] */
	struct buf *e, *v;	/* [slots][2][my][mx/2+1]; [slots][my][mx] */
	struct fft *fft_crop, *fft_uncrop, *fft_gx, *fft_e, *fft_back;
	unsigned char *mask;	/* of the cropped image */
	float *image;		/* [batch][ny - 2 pad][nx - 2 pad] */
};

/* Device bytes and batch for `tiles` tiles of nz planes of h x w.  0, or -1 after reporting. */
int loss_plan(struct dev *d, const struct loss_opts *o, size_t nz, size_t h, size_t w, size_t tiles,
	      struct thin_size *size);

/* 0; -1 after reporting; residual: a band without a bin is an error. */
int loss_init(struct loss *l, struct dev *d, const struct loss_opts *o, size_t nz, size_t h, size_t w,
	      const struct thin_size *size);
void loss_clear(struct loss *l);

/* As thin_load. */
long loss_load(struct loss *l, size_t tile, const struct tile_box *box, const float *stack, size_t field_ny,
	       size_t field_nx);

enum { LOSS_D_Z = 1, LOSS_D_ANGLES = 2 };

/* value[i] and, as asked for by `want`, gradient[i] = dL/d(z_offset, zenith, azimuth) of tile[i] at tilt[i], i < n <= batch.
 * A dark field or a non-finite value gives value NAN.  0, or -1 after reporting. */
int loss_eval(struct loss *l, const size_t *tile, const struct tilt *tilt, size_t n, int want, double *value,
	      double (*gradient)[3]);

#endif
