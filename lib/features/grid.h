/* lib/features/grid.h: resampling on grids that are products of one set of coordinates per axis
 * (spec section 4.1 to 4.3). */
#ifndef FEATURES_GRID_H
#define FEATURES_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Coordinates on one axis of `size` samples.  Linear: value = (1 - w) a[lo] + w a[hi], hi = lo + 1
 * or, at the end, lo. */
struct taps {
	size_t n, size;
	uint32_t *lo;	 /* [n] */
	double *w;	 /* [n], 0 <= w < 1 */
	uint8_t *inside; /* [n], 0: outside [0, size - 1], the value there is 0; all 1 if
			    coordinates are clamped */
};

/* Coordinates i * step (or i / step, divide) for i < n.  0, or -1 after reporting that there is no
 * memory. */
int taps_init(struct taps *t, size_t n, size_t size, double step, bool divide, bool clamp);
void taps_clear(struct taps *t); /* fine on a zeroed one */
void taps_clear_all(struct taps t[3]);

/* Row (z, y) of the source, as double, to row[nx]. */
typedef void grid_row(const void *source, size_t z, size_t y, double *row);

/* out [t[0].n][t[1].n][t[2].n]: linear, axis 0 first.  Equal sums for equal taps, whatever the
 * source.  0, or -1 after reporting. */
int grid_linear(const struct taps t[3], grid_row *row, const void *source, double *out);

/* A grid_row for source = struct grid *. */
struct grid {
	size_t nz, ny, nx;
	double *data;
};
void grid_row_of(const void *grid, size_t z, size_t y, double *row);

/* Cubic B-spline through the samples of g, whose data are replaced by the spline's coefficients;
 * mirrored at the edge samples; out as above.  Coordinates outside give 0.  position of sample i on
 * axis a is t[a].lo[i] + t[a].w[i]. */
void grid_cubic(const struct taps t[3], struct grid *g, double *out);

#endif
