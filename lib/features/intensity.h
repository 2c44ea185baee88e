/* lib/features/intensity.h: how bright objects are, where, and at their edges.
 *
 * Over the object's valid (mask) finite pixels v, n of them, in raster order:
 *	sum, mean, standard deviation sqrt(sum (v - mean)^2 / n) in two passes, minimum, maximum;
 *	quantile q of the sorted v: between elements floor(pos) and the next, pos = (n - 1) q, at q = 1/4, 1/2, 3/4;
 *	MAD: quantile 1/2 of |v - median|;
 *	centre of mass sum(coordinate v) / sum v, its distance to the mean coordinate, place of a maximum.
 * Edge pixels: those with a face neighbour inside the image that is not of the object, whatever the mask; then as above. */
#ifndef FEATURES_INTENSITY_H
#define FEATURES_INTENSITY_H

#include "features/objects.h"
#include "features/pixels.h"

enum intensity_column {
	INTENSITY_SUM, INTENSITY_MEAN, INTENSITY_STD, INTENSITY_MIN, INTENSITY_MAX, INTENSITY_DISPLACEMENT,
	INTENSITY_LOWER, INTENSITY_MEDIAN, INTENSITY_MAD, INTENSITY_UPPER,
	INTENSITY_MASS_X, INTENSITY_MASS_Y, INTENSITY_MASS_Z,
	INTENSITY_MAX_X, INTENSITY_MAX_Y, INTENSITY_MAX_Z,
	INTENSITY_EDGE_SUM, INTENSITY_EDGE_MEAN, INTENSITY_EDGE_STD, INTENSITY_EDGE_MIN, INTENSITY_EDGE_MAX,
	INTENSITY_COLUMNS
};

extern const char *const intensity_names[INTENSITY_COLUMNS];

struct intensity_opts {
	bool legacy;		/* quantiles at pos = n q, and MAD at q = 1/2 in a page, 1/3 in a volume (nz > 1) */
	bool last;		/* place of the last maximum in raster order instead of the first */
	bool zeros;		/* 0 instead of nan: all columns without a pixel, edge columns without an edge */
	bool quantiles, edge;	/* are the four, the five columns wanted?  Else they are nan */
};

/* value [n][INTENSITY_COLUMNS] and reason [n] of objects first ... first + n - 1; the caller's, every element is overwritten.
 * reason: "" or "masked", "no-finite", "zero-sum", "no-edge", "zero-sum;no-edge".  p: the image, of o's sizes.  The bytes do not hang
 * on threads.  0, or -1 after reporting: no memory; it takes 9 bytes per pixel of the largest object on each thread. */
int intensity_measure(const struct intensity_opts *opts, const struct pixels *p, const struct objects *o, size_t first, size_t n,
		      int threads, double *value, const char **reason);

#endif
