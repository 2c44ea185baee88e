/* lib/tilt/tiles.h: a field cut into overlapping tiles and put together again (spec section 6), on the host. */
#ifndef TILT_TILES_H
#define TILT_TILES_H

#include <stddef.h>

struct tile_box {
	size_t y, x, h, w;	/* top left pixel and size */
};

struct tile_plan {
	size_t ny, nx;		/* of the field */
	size_t h, w;		/* of every tile */
	size_t count;
	struct tile_box *box;	/* [count], row by row; owned */
};

/* tile 0 or larger than the field: one tile over that axis.  overlap < tile is the caller's duty. */
void tile_plan_init(struct tile_plan *p, const size_t field[2], const size_t tile[2], const size_t overlap[2]);
void tile_plan_clear(struct tile_plan *p);

enum blend { BLEND_GAUSSIAN, BLEND_UNIFORM, BLEND_MAX, BLEND_MIN };

/* Weights along an axis of n pixels: exp(-(i - (n-1)/2)^2 / 2 s^2), s = max(1, n frac), divided by the largest;
 * 1 for the other kinds. */
void tile_weights(size_t n, enum blend kind, double frac, double *w);

/* out [ny][nx] float32 = sum w v / sum w in double, tiles in their order; max, min: of the tiles that cover the
 * pixel; NaN where none does.  image[i] [h][w] float32 is tile i; offset[i] is added to it (NULL: nothing). */
void tile_blend(const struct tile_plan *p, enum blend kind, double frac, const float *const *image,
		const double *offset, float *out);

#endif
