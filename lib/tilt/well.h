/* lib/tilt/well.h: what the place of a stack in its well says about its tilt (spec section 7).  The meniscus tilts the light
 * more the further from the middle: starts, iterations and care grow with u, the distance from the middle of the well as a
 * fraction of the largest one in it. */
#ifndef TILT_WELL_H
#define TILT_WELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* group[i] = the first row whose name equals row i's: one number per well or position. */
void well_group(const char *const *name, size_t n, size_t *group);

/* Per row of a group: the middle is that of the range of y and of x; u = distance / largest distance of the group (all 0 if
 * that is 0); azimuth = atan2(y - middle, x - middle), radians.  y, x [n] in any one unit; group NULL: one group; u, azimuth
 * [n] are overwritten. */
void well_radii(const double *y, const double *x, const size_t *group, size_t n, double *u, double *azimuth);

/* The parts of --recipe speed, each may be off. */
struct well_recipe {
	bool zen_blend;		/* start zenith times u */
	bool scale_iters;	/* iterations from iters_lo in the middle to iters_hi at the rim */
	int iters_lo, iters_hi;
	bool meniscus;		/* u > threshold: the full recipe */
	double threshold;
};

struct well_rule {
	bool full;		/* nothing frozen, no blend, cache neither read nor written, --skip-warm ignored */
	int iters;
	double zenith;		/* start */
};

/* What holds at u, given what holds without a recipe. */
struct well_rule well_rule(const struct well_recipe *r, double u, int iters, double zenith);

/* Sorts order[n], rows in the order they will run, so that the rows of a position (the same number) run in the order of
 * their time; each position keeps its places among the others, equal times keep theirs. */
void well_order(const size_t *position, const double *time, size_t *order, size_t n);

/* cached[row]: running in this order from an empty cache, would the row find its position's tilts there?  full[row] rows
 * neither read nor write it.  rows: size of cached, full and position; those not in order stay false. */
void well_cached(const size_t *position, const bool *full, size_t rows, const size_t *order, size_t n, bool *cached);

/* FNV-1a, 64 bits: the name of a cache entry is that of the text of everything its tilts depend on. */
uint64_t well_hash(const char *text);

#endif
