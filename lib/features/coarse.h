/* lib/features/coarse.h: from the pixels to F, the image on the coarse grid without its background:
 * sections 4.1 to 4.3 of the specification.  Private to lib/features/granularity.c. */
#ifndef FEATURES_COARSE_H
#define FEATURES_COARSE_H

#include "features/granularity.h"

/* Grids along z, y, x: N pixels, n coarse samples, m of the background; real[] as upstream keeps
 * it, unrounded. */
struct shape {
	size_t full[3], n[3], m[3];
	double coarse[3], back[3]; /* n and m as real numbers */
	bool fine[3], use[3];	   /* subsampled, subsampled for the background */
	bool any_fine, any_use, collapsed;
};

void shape_init(struct shape *s, const struct granularity_opts *o, size_t nz, size_t ny, size_t nx);
size_t shape_product(const size_t n[3]);

struct coarse {
	struct grid a;	/* A, then F */
	uint8_t *valid; /* NULL: all */
};

/* A: the pixels on the coarse grid, and which of its samples are valid; c is zeroed by the caller,
 * who frees both.  0, or -1 after reporting. */
int coarse_init(struct coarse *c, const struct granularity_opts *o, const struct shape *s,
		const struct pixels *p);

/* A becomes F.  0, or -1 after reporting. */
int coarse_background(struct coarse *c, const struct granularity_opts *o, const struct shape *s);

/* Is it the stage that opts->dump asks for? */
bool stage_wanted(const struct granularity_opts *o, enum granularity_stage stage);

#endif
