/* lib/features/opening.h: grey opening by a digital disk or ball, {z^2 + y^2 + x^2 <= R^2};
 * neighbours outside the image are ignored. */
#ifndef FEATURES_OPENING_H
#define FEATURES_OPENING_H

#include <stdint.h>

#include "features/grid.h"

/* In place on g.  valid [nz][ny][nx] or NULL: invalid samples are set to 0 before the erosion and
 * again before the dilation. Rows are shared by up to `threads` threads; the result does not depend
 * on them.  0, or -1 after reporting. */
int opening(struct grid *g, int radius, const uint8_t *valid, int threads);

#endif
