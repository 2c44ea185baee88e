/* lib/tilt/pupil.h: the pupil plane of a field of ny x nx pixels on the device: objective P, axial frequency gamma,
 * tilted condenser S, propagated pupils (spec sections 3.1 and 3.2).
 *
 * The plane has my x mx bins of the field's own spacing, DC first.  P, S and everything made of them vanish outside
 * `rows` rows (bins 0 .. rows_lo-1 and the last rows - rows_lo); only these are computed, and stored by arrays called
 * "packed".  S is float32, P P exp(2 pi i z gamma) complex64; z gamma is reduced in pairs of floats. */
#ifndef TILT_PUPIL_H
#define TILT_PUPIL_H

#include "dev/dev.h"
#include "tilt/optics.h"

enum { PUPIL_LANES = 16 };	/* partial sums per row: a fixed order on every device */

struct pupil {
	struct dev *d;
	struct optics o;
	size_t ny, nx, my, mx;
	size_t ry, rx;		/* reach of the objective in bins */
	size_t rows, rows_lo;	/* rows that can be non-zero */
	struct buf *p;		/* [ry + 1][rx + 1] float32 */
	struct buf *gamma;	/* [ry + 1][rx + 1] pair, cycles/um; 0: evanescent */
};

int pupil_init(struct pupil *p, struct dev *d, const struct optics *o, size_t ny, size_t nx);	/* 0, or -1 reported */
void pupil_clear(struct pupil *p);							/* fine on a zeroed one */

/* wave [first .. first + n][my][mx] complex64 = P^power exp(2 pi i z gamma); rows that cannot be non-zero are left alone when the
 * device's transforms prune, else zeroed.  z[n] in um; zbuf [n] pairs is the caller's scratch. */
int pupil_wave(const struct pupil *p, const double *z, size_t n, int power, struct buf *zbuf, struct buf *wave,
	       size_t first);

/* source [n][rows][mx] float32, packed: S of n tilts.  coef [n][4] pairs is the caller's scratch. */
int pupil_source(const struct pupil *p, const struct tilt *tilt, size_t n, struct buf *coef, struct buf *source);

/* i0[n] = sum S P^power (2 or 4), in double, over fixed partial sums; part [n][rows][PUPIL_LANES] pairs is scratch. */
int pupil_source_sum(const struct pupil *p, struct buf *source, size_t n, int power, struct buf *part, double *i0);

/* Adds the partial sums of one slot [rows][PUPIL_LANES] pairs in their order. */
double pupil_sum(const struct pupil *p, const float *part, size_t slot);

/* A double as a pair of floats. */
void pupil_pair(double v, float out[2]);

#endif
