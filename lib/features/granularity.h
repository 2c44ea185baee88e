/* lib/features/granularity.h: granular spectra of the objects and of the whole of an image (Ravkin
 * & Temov 1988; spec section 4).
 *
 * On a coarse grid: F = max(A - background, 0), E_k its erosions by the cross, R_k the
 * reconstructions of E_k under F.  The k-th number of a spectrum is the loss of the mean from
 * R_(k-1) to R_k in percent of the start, which is an object's mean in the full image, or the mean
 * of F for the image as a whole. */
#ifndef FEATURES_GRANULARITY_H
#define FEATURES_GRANULARITY_H

#include "features/maxtree.h"
#include "features/objects.h"
#include "features/pixels.h"
#include "features/spread.h"

enum granularity_like {
	LIKE_SCOPELINE,
	LIKE_CP_MEASURE,
	LIKE_CP4,
	LIKE_CP5
}; /* differences: spec section 8 */

/* A stage to look at: its image on the coarse grid. */
enum granularity_stage {
	STAGE_NONE,
	STAGE_BACKGROUND,
	STAGE_PIXELS,
	STAGE_ERODED,
	STAGE_RECONSTRUCTED
};
struct granularity_dump {
	enum granularity_stage stage;
	int k;		   /* of E_k, R_k; 1 ... MAXTREE_LENGTH */
	struct grid image; /* filled in, not divided by the divisor; data NULL if the grid
			      collapsed.  The caller's to free */
};

struct granularity_opts {
	double subsample[3], background[3]; /* z y x, > 0; from 1 on: full resolution */
	bool volume;			    /* else z is no axis, nz is 1 */
	int radius;			    /* of the background's disk or ball, 1 ... 512 */
	int length;			    /* 1 ... MAXTREE_LENGTH */
	enum granularity_like like;
	bool image; /* measure the image as a whole too */
	int threads;
	struct granularity_dump *dump; /* NULL: none */
};

enum granularity_reason { GRANULARITY_FINE, GRANULARITY_COLLAPSED, GRANULARITY_MASKED };

struct granularity {
	double *spectrum;		 /* [objects][length]; nan where the reason says so */
	enum granularity_reason *reason; /* [objects] */
	double *image;			 /* [length]; NULL unless it was asked for */
	enum granularity_reason image_reason;
};

/* What a sum goes over: samples of the grid with weights, or all valid ones. */
struct granularity_sums {
	const struct ranks *ranks;
	const uint8_t *valid; /* [nz][ny][nx], NULL: all */
	int length;
	const struct spread *spread; /* of the objects; n may be 0 */
	double *object; /* [spread->n][length] sums of weight R_k, k = 1 ... length: zero at first
			 */
	double *image;	/* [length] the same over the valid samples; NULL: not wanted */
};

/* A way to these sums: all give the same bytes.  0, or -1 after reporting. */
typedef int granularity_way(void *user, const struct granularity_sums *s);
granularity_way granularity_tree; /* by the max-tree, on the host; user is not used */

/* The sums of one R_k, given as values by position [ranks->room]: for ways that make the R_k one by
 * one. */
void granularity_add(const struct granularity_sums *s, int k, const double *r_k);

/* Called once the pixels are not read any more; may be NULL. */
typedef void granularity_release(void *user);

/* The spectra of an image p and its objects o (NULL: none).  Non-finite pixels are invalid.  g is
 * the caller's to clear in either case. 0, or -1 after reporting. */
int granularity(struct granularity *g, const struct granularity_opts *opts, const struct pixels *p,
		const struct objects *o, granularity_way *way, void *way_user,
		granularity_release *release, void *release_user);
void granularity_clear(struct granularity *g); /* fine on a zeroed one */

/* Coarse samples of an image of this shape, and the bytes it takes beside image and objects.  0 if
 * it collapses. */
size_t granularity_samples(const struct granularity_opts *opts, size_t nz, size_t ny, size_t nx);
size_t granularity_bytes(const struct granularity_opts *opts, size_t nz, size_t ny, size_t nx);

#endif
