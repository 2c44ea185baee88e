/* lib/features/objects.h: the objects of a label image, as runs of pixels.
 *
 * An object is the set of all pixels of one label > 0, connected or not.  Memory is proportional to
 * the number of runs, never to the largest label. */
#ifndef FEATURES_OBJECTS_H
#define FEATURES_OBJECTS_H

#include <stdint.h>

#include "base/array.h"

/* Pixels (z, y, x0) ... (z, y, x1 - 1), as many as there are side by side: beside them is another
 * label or the image's border. */
struct run {
	uint32_t z, y, x0, x1;
};

struct object {
	uint32_t label;
	size_t first, count; /* run[first] ... run[first + count - 1], in raster order (z, y, x) */
	size_t pixels;
	uint32_t low[3], high[3]; /* bounding box, z y x, high is one past the end */
};

struct objects {
	size_t n;
	struct object *object; /* [n], labels ascending */
	struct run *run;
	size_t runs;
	size_t nz, ny, nx; /* of the label image */
};

/* Largest label that is accepted. */
#define OBJECTS_MAX_LABEL 2147483647

/* Whole labels only: u8, u16, u32 or i32 without negative ones, up to OBJECTS_MAX_LABEL.  The
 * objects of pages first ... first + pages - 1 of the array, which are one image (z counts from its
 * first page).  `what` is the file's name in messages.  0, or -1 after reporting page and label; o
 * is the caller's to clear in either case. */
int objects_find(struct objects *o, const char *what, const struct array *labels, size_t first,
		 size_t pages);
void objects_clear(struct objects *o); /* fine on a zeroed one */

/* A choice of labels: ranges lo[i] ... hi[i]; the others are removed. */
struct label_range {
	uint32_t lo, hi;
};
void objects_keep(struct objects *o, const struct label_range *range, size_t n);

#endif
