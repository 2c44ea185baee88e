/* tests/ref-tilt.h: the tilt method as plain loops in double, what the device code is held against.  Nothing is fast, halved,
 * pruned or shared.  Arrays are [z][y][x], spectra full, DC first.  A failed allocation ends the program. */
#ifndef TESTS_REF_TILT_H
#define TESTS_REF_TILT_H

#include <complex.h>
#include <stdbool.h>
#include <stddef.h>

#include "tilt/optics.h"
#include "tilt/thin.h"

/* n transforms [ny][nx] in place; sign -1 forward, +1 backward with 1 / (ny nx) */
void ref_fft2(double complex *a, size_t n, size_t ny, size_t nx, int sign);

/* The pupil plane of a field: my x mx bins of its own spacing. */
struct ref_grid {
	struct optics o;
	size_t ny, nx, my, mx;
	double *fy, *fx;		/* [my], [mx] */
	double *p, *gamma, *fz;		/* [my][mx]; fz < 0: evanescent */
	size_t *iy, *ix;		/* [ny], [nx]: rows and columns of the wanted lags */
};

/* clamp: the thin model's condenser, below the objective. */
void ref_grid_init(struct ref_grid *g, const struct optics *o, size_t ny, size_t nx, bool clamp);
void ref_grid_clear(struct ref_grid *g);

/* S, and its derivatives by zenith and azimuth unless NULL: [my][mx] */
void ref_source(const struct ref_grid *g, double zenith, double azimuth, double *s, double *dzen, double *dazi);

/* Transfer functions of a thin object and what the gradient needs. */
struct ref_thin {
	const struct ref_grid *g;
	size_t nz;
	double i0, *s, *dzen, *dazi;		/* [my][mx] */
	double complex *d, *a, *b;		/* [nz][my][mx] */
	double complex *ha, *hp;		/* [nz][ny][nx] */
};
void ref_thin_init(struct ref_thin *t, const struct ref_grid *g, size_t nz, const double *z, double zenith, double azimuth);
void ref_thin_clear(struct ref_thin *t);

/* grad = dL / d(z in um, zenith, azimuth), where dL = Re sum conj(ga) dHa + conj(gp) dHp; ga, gp [nz][ny][nx] */
void ref_pullback(const struct ref_thin *t, const double complex *ga, const double complex *gp, double grad[3]);

/* Spectra of the regularised fit to b [nz][n], h* [nz][n]: xa, xp [n] */
void ref_invert(size_t nz, size_t n, const double complex *b, const double complex *ha, const double complex *hp, double reg,
		enum inverse mode, double complex *xa, double complex *xp);

/* Contrast of a tile [nz][h][w] with a reflected border: [nz][h + 2 pad][w + 2 pad]; taper 0: none */
void ref_contrast(const double *stack, size_t nz, size_t h, size_t w, size_t pad, double taper, double *out);

/* Absorption and phase images [h][w] of one tile. */
void ref_reconstruct(const struct optics *o, const double *stack, size_t nz, size_t h, size_t w, size_t pad,
		     const struct tilt *tilt, double reg, enum inverse mode, double *absorption, double *phase);

enum ref_loss { REF_RESIDUAL, REF_MIDBAND, REF_TV, REF_LAPLACIAN, REF_VARIANCE, REF_FLATNESS };

/* A loss of the image x [ny][nx] (not residual) and its derivative by every pixel (NULL: not wanted). */
double ref_image_loss(enum ref_loss loss, const double *x, size_t ny, size_t nx, const struct optics *o,
		      const double band[2], double *gx);

struct ref_opts {
	enum ref_loss loss;
	double band[2], reg, taper;
	size_t pad;
	enum inverse inverse;	/* filter of the image losses */
};

/* The loss of one tile as a function of its tilt. */
struct ref_tile {
	struct ref_opts opts;
	struct ref_grid g;
	size_t nz, ny, nx, n;		/* padded; n = ny nx */
	double complex *b;		/* [nz][ny][nx] */
	bool *mask;
	double energy;
};
void ref_tile_init(struct ref_tile *t, const struct optics *o, const struct ref_opts *opts, const double *stack, size_t nz,
		   size_t h, size_t w);
void ref_tile_clear(struct ref_tile *t);
double ref_tile_loss(const struct ref_tile *t, const struct tilt *p, double grad[3]);	/* by slices, rad, rad; may be NULL */

/* Thick model: h_re, h_im [nz + 2 pad][ny][nx]; phase [nz][ny][nx] */
void ref_thick_tf(const struct optics *o, size_t nz, size_t ny, size_t nx, size_t pad, double zenith, double azimuth,
		  double complex *re, double complex *im);
void ref_thick_reconstruct(const struct optics *o, const double *stack, size_t nz, size_t ny, size_t nx, size_t pad,
			   double zenith, double azimuth, double reg, double ratio, double *phase);

#endif
