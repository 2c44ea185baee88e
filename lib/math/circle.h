/* lib/math/circle.h: convex hull of pixel centres and the smallest circle around them. */
#ifndef MATH_CIRCLE_H
#define MATH_CIRCLE_H

#include <stddef.h>
#include <stdint.h>

struct grid_point {
	int64_t y, x;		/* |y|, |x| < 2^31 */
};

struct circle {
	double y, x, r;
};

/* Convex hull (monotone chain) of n points that ascend by y, then by x; equal ones may be there.  hull [n + 1] gets the corners
 * without collinear ones: first the leftmost, of several the uppermost (smallest y), then so that x, y turn to the left (towards
 * greater x first, if there is a choice).  The caller's; must not be `point`.  Returns how many. */
size_t hull_of(const struct grid_point *point, size_t n, struct grid_point *hull);

/* Smallest circle around a hull's n corners, Chrystal's procedure: from the side of the first two corners; the corner that sees the
 * side under the smallest angle decides (the first of equal ones).  One corner: its place, r = 0.
 *
 * exact: predicates in integers, the centre relative to (0,0) of the points with one division per coordinate, so that r and centre
 * depend on the differences of the points only if the caller takes them relative to a corner of the shape.
 * double: CellProfiler's: angles by acos on the coordinates as they are, in centrosome's order of operations; two corners: the
 * distance from their middle to the first. */
struct circle circle_exact(const struct grid_point *hull, size_t n);
struct circle circle_double(const struct grid_point *hull, size_t n);

#endif
