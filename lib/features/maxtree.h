/* lib/features/maxtree.h: all reconstructions R_k of an image at once (spec section 4.5).
 *
 * E_0 = F with invalid samples 0, E_k the erosion of E_(k-1) by the cross (centre and 4 neighbours,
 * 6 in 3-D, none outside the image), R_k the reconstruction of E_k under F by dilation, face
 * neighbours.  R_k(p) is the highest level t of F such that the component of {F >= t} that holds p
 * also holds a cross dilated to size k without an invalid sample: an attribute of the max-tree of F
 * (Salembier et al. 1998).  Values are ordered by (value, position), so that each sample is a node
 * of its own and ties need no care. */
#ifndef FEATURES_MAXTREE_H
#define FEATURES_MAXTREE_H

#include <stdint.h>

#include "features/grid.h"

enum { MAXTREE_LENGTH = 254 };

/* The order of the samples of F: rank 1 is the lowest; rank 0 stands for value 0 outside of every
 * component.  Samples are named by their position in the image with a border of one sample after
 * each row, one row before and after each plane, and (3-D) one plane before and after: position(z,
 * y, x) = ((z + dz) stride_z + (y + 1) stride_y + x). */
struct ranks {
	size_t nz, ny, nx, n; /* n = nz ny nx */
	size_t stride_y, stride_z, room;
	double *value;	    /* [n + 1], of each rank, ascending; [0] = 0 */
	uint32_t *position; /* [n + 1] */
	int32_t *rank;	    /* [room], 0 in the border */
};

/* Strides and n of the sizes nz ny nx, which the caller has set. */
void ranks_layout(struct ranks *r);

static inline size_t ranks_position(const struct ranks *r, size_t z, size_t y, size_t x)
{
	return (z + (r->nz > 1)) * r->stride_z + (y + 1) * r->stride_y + x;
}

/* f->data [nz][ny][nx] >= 0, finite, freed here (becomes NULL).  0, or -1 after reporting; r is the
 * caller's to clear. */
int ranks_init(struct ranks *r, struct grid *f);
void ranks_clear(struct ranks *r); /* fine on a zeroed one */

/* Ranks eroded once: to = erosion of from, both [nz][ny][nx]. */
void ranks_erode(const struct ranks *r, const int32_t *from, int32_t *to);

/* E_0: the ranks without the border, 0 where valid (NULL: everywhere) is 0. */
void ranks_start(const struct ranks *r, const uint8_t *valid, int32_t *e);

/* R_k of the sample at a position: follow its rank, next, next ... to the first node with life >=
 * k; the value of that rank. */
struct maxtree_node {
	uint32_t next; /* where life < length: the next node below that lives longer */
	uint32_t life; /* 0 ... length */
};
struct maxtree {
	const struct ranks *r;
	int length;
	struct maxtree_node *node; /* [n + 1], by rank */
};

/* length 1 ... MAXTREE_LENGTH.  0, or -1 after reporting; t is the caller's to clear.  The ranks
 * stay the caller's. */
int maxtree_init(struct maxtree *t, const struct ranks *r, const uint8_t *valid, int length);
void maxtree_clear(struct maxtree *t); /* fine on a zeroed one */

/* sum[k - 1] += weight R_k(position), k = 1 ... length. */
static inline void maxtree_add(const struct maxtree *t, size_t position, double weight, double *sum)
{
	uint32_t rank = (uint32_t)t->r->rank[position];
	int k = 0;

	for (;;) {
		const struct maxtree_node *node = &t->node[rank];
		double v = weight * t->r->value[rank];

		for (; k < (int)node->life; k++)
			sum[k] += v;
		if (k == t->length)
			return;
		rank = node->next;
	}
}

#endif
