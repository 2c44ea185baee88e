/* lib/ptycho/geometry.h: where windows lie on the object, and the eight orientations of a detector.
 * Index order is (row, column). */
#ifndef PTYCHO_GEOMETRY_H
#define PTYCHO_GEOMETRY_H

#include <stddef.h>

/* ---- the eight operations on a[row][column] */
enum d4 {
	D4_IDENTITY,
	D4_FLIPLR, /* a[:, ::-1] */
	D4_FLIPUD, /* a[::-1] */
	D4_ROT180,
	D4_TRANSPOSE,
	D4_ROT90_CCW,	  /* flipud(transpose) */
	D4_ROT90_CW,	  /* fliplr(transpose) */
	D4_ANTITRANSPOSE, /* rot180(transpose) */
	D4_COUNT
};
extern const char *const d4_names[D4_COUNT]; /* "identity", ... */

enum d4 d4_then(enum d4 first, enum d4 second); /* the one operation equal to both in turn */
enum d4 d4_inverse(enum d4 op);
enum d4 d4_twin(enum d4 op); /* its conjugate twin: followed by rot180 */

/* Element (row, column) of the ny x nx result comes from *y, *x of the source; the result of a
 * transposing operation on [h][w] is [w][h]: ny, nx are the result's. */
void d4_source(enum d4 op, size_t ny, size_t nx, size_t row, size_t column, size_t *y, size_t *x);

/* "rot90_cw,fliplr": names left to right, reduced to one.  0, or -1 after reporting the unknown
 * name and the known ones. */
int d4_parse(const char *text, enum d4 *op);

/* ---- windows.  A window is n x n, s = (row, column) of its first pixel on the canvas, real. */

/* integer part floor(s + 0.5), fraction s - that in [-0.5, 0.5) */
void window_split(double s, long *i, double *f);

/* s[k] = pos[k] - min(pos) + margin per axis; canvas[a] = floor(max s + 0.5) + n + margin, rounded
 * up to even, at most 2^31: positions may be anything */
void windows_place(const double (*pos)[2], size_t k, size_t n, double margin, double (*s)[2],
		   size_t canvas[2]);

/* Median distance of a position to its nearest neighbour; 0 for one position. */
double windows_step(const double (*s)[2], size_t k);

/* Is it an exact raster: do all differences between neighbours along the scan's fast and slow axis
 * agree within 0.01 px? */
int windows_raster(const double (*s)[2], size_t k);

/* The same, and the raster's step along each axis, px; 0 where all agree. */
int windows_lattice(const double (*s)[2], size_t k, double step[2]);

/* metres; wavelength 1.239841984e-9 / keV */
double wavelength_of(double energy_kev);
double object_pixel(double wavelength_m, double distance_m, size_t n, double detector_pixel_m);

#endif
