/* lib/features/spread.h: means over objects of an image that is known on a coarse grid.
 *
 * Interpolation is linear, so an object's pixels are spread once onto the coarse samples around
 * them; the sum over the object is then one over a few samples, whatever image is on the grid. */
#ifndef FEATURES_SPREAD_H
#define FEATURES_SPREAD_H

#include "features/maxtree.h"
#include "features/objects.h"
#include "features/pixels.h"

struct spread {
	size_t n;	    /* objects */
	size_t *first;	    /* [n + 1]: object i has samples first[i] ... first[i + 1] - 1 */
	uint32_t *position; /* of ranks_position */
	double *weight; /* they add up to the object's valid pixels, or less where coordinates lie
			   outside */
};

/* Which pixels count: row[x] = 1 for those of p's row from position `at` on that are valid and
 * finite, else 0. */
void valid_run(const struct pixels *p, size_t at, size_t n, uint8_t *row);

/* The valid pixels of o's objects, where t[a] says for each full coordinate the samples of grid r
 * beside it; t has the sizes of r. r needs its sizes and strides only.  0, or -1 after reporting; s
 * is the caller's to clear. */
int spread_init(struct spread *s, const struct objects *o, const struct pixels *p,
		const struct taps t[3], const struct ranks *r);
void spread_clear(struct spread *s); /* fine on a zeroed one */

#endif
