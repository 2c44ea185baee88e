/* lib/tv/loss.h: total variation of volumes and its gradient, slab by slab.
 *
 * v[b][z][y][x]; D_a v the forward difference along axis a = z, y, x, absent at the last voxel of
 * an axis.
 *	sq	sum_a f_a sum (D_a v)^2
 *	l1	sum_a f_a sum |D_a v|, sign(0) = 0
 *	iso	f sum over corners sqrt(w_z D_z^2 + w_y D_y^2 + w_x D_x^2 + eps); a corner has
 *		all three differences
 *	plane	sq of every page for itself, 3 / pages times the sum of the means along y and x
 * (Rudin, Osher, Fatemi 1992; the functionals of quantem.)  Differences, roots and gradients are
 * float32, sums double, or pairs of floats on a device without fp64.  Their order hangs on the
 * shape alone: 64 lanes of a row (lane = x mod 64), joined by a binary tree, rows of a plane
 * pairwise, planes pairwise; cl/tv_sum.clh says it in full.  So a volume in slabs gives the same
 * bytes as in one, and so do all devices with fp64. */
#ifndef TV_LOSS_H
#define TV_LOSS_H

#include <stdbool.h>
#include <stddef.h>

#include "dev/dev.h"

enum tv_kind { TV_SQ, TV_ISO, TV_L1, TV_PLANE };
enum tv_scale { TV_SUM, TV_MEAN, TV_NUMEL, TV_ACTIVE };
enum { TV_PREV = 1, TV_NEXT = 2 }; /* links: the plane before or after belongs to the same volume */

struct tv_opts {
	enum tv_kind kind;
	enum tv_scale scale;
	double weight[3], eps; /* z, y, x; eps of iso */
	bool wrap;	       /* differences of phases, taken into [-pi, pi) */
	bool skip;	       /* a difference with an end that is not finite does not exist */
};

/* Sums over one or more planes. */
struct tv_sums {
	double sum[3]; /* of each axis, unweighted; iso: [0] of the roots */
	double count[3], corners,
		voxels; /* what exists: differences of each axis, corners, voxels */
};

struct tv {
	struct dev *d;
	struct tv_opts o;
	size_t ny, nx, blocks; /* blocks of rows in a plane */
	size_t batch;	       /* planes of one launch */
	bool wide;	       /* a work-item takes 16 columns at once */
	struct buf *part, *counts, *links, *factor;
};

/* Device bytes of the working space for planes of this size. */
size_t tv_bytes(struct dev *d, const struct tv_opts *o, size_t ny, size_t nx);

/* 0, or -1 after reporting; tv_clear is fine in both cases. */
int tv_init(struct tv *t, struct dev *d, const struct tv_opts *o, size_t ny, size_t nx);
void tv_clear(struct tv *t);

/* Sums and gradient of n planes.
 *	v	[..][ny][nx] float32, holds the planes first - 1 (where it is linked) to first + n
 *		(where it is linked)
 *	links	[n] TV_PREV | TV_NEXT, what plane first + i has beside it in v
 *	factor	[n][4] z, y, x of each plane's gradient (iso: [0]), from tv_factors; not read
 *		without grad
 *	grad	[n][ny][nx] float32, every element is overwritten; NULL: sums only
 *	out	[n], the caller's
 * Blocks.  0, or -1 after reporting. */
int tv_slab(struct tv *t, struct buf *v, size_t first, size_t n, const int *links,
	    const float (*factor)[4], struct buf *grad, struct tv_sums *out);

/* What exists in a plane without holes. */
void tv_counts(const struct tv *t, int links, struct tv_sums *s);

/* Sum of n numbers `step` apart, which are lost: 0 and 1, 2 and 3 ..., then the sums of two ... */
double tv_join(double *v, size_t n, size_t step);
/* Number `at` of the totals that a kernel of cl/tv_sum.clh left: a double, or a pair of floats. */
double tv_total(const struct dev *d, const void *totals, size_t at);

/* Sum of n planes, pairwise. */
struct tv_sums tv_add(const struct tv_sums *s, size_t n);

/* f: the factor before each axis sum of a loss over all planes of s (iso: [0]; plane: of one page
 * of `pages`).  Returns the loss; not for plane. */
double tv_factors(const struct tv_opts *o, const struct tv_sums *s, double f[3]);

/* The factors of a page of kind plane, and its part of the loss. */
double tv_plane_factors(const struct tv_sums *s, size_t pages, double f[3]);

/* Complex volumes: re, im [n][ny][nx] become modulus and angle (0 at 0), in place; NaN where either
 * part is not finite. */
int tv_polar(struct dev *d, struct buf *re, struct buf *im, size_t n);
/* Gradients by modulus and angle become those by re and im, in place; m and angle start `at`
 * elements into their buffers.  A part that is not used counts as 0. */
int tv_cartesian(struct dev *d, struct buf *gm, struct buf *ga, struct buf *m, struct buf *angle,
		 size_t at, size_t n, bool use_m, bool use_angle, bool skip);

#endif
