/* lib/features/zernike.h: Zernike moments of objects, of their shape and of the image in them.
 *
 * The unit disc is the smallest circle around the object's pixel centres; y, x are a pixel's coordinates in it, rho their length.
 *	R_nm(rho) = sum_k (-1)^k (n-k)! / (k! ((n+m)/2-k)! ((n-m)/2-k)!) rho^(n-2k)	(F. Zernike, Physica 1, 689, 1934)
 *	V_nm = (y + ix)^m R_nm(rho) / rho^m,	n = 0 ... degree, m = n mod 2, +2, ... n
 * CellProfiler's numbers: shape |sum V| / (pi r^2), magnitude |sum P V| / pixels, phase atan2(Re, Im) of sum P V.
 * textbook: with z = x + iy, A_nm = (n + 1) / pi sum f conj(V) / r^2, f = 1 or P; |A| and atan2(Im, Re).
 *
 * Up to degree 15 the sums come from the power sums of x and y, without a basis per pixel; above, from each pixel's V_nm. */
#ifndef FEATURES_ZERNIKE_H
#define FEATURES_ZERNIKE_H

#include "features/objects.h"
#include "features/pixels.h"

enum { ZERNIKE_MAX_DEGREE = 30, ZERNIKE_POWER_DEGREE = 15 };

struct zernike_opts {
	int degree;
	bool shape, radial, circle;	/* groups of columns, in this order */
	bool drop;			/* CellProfiler's circle in double on page coordinates; pixels with rho^2 > 1 are dropped.
					 * Else the exact circle and every pixel */
	bool textbook;
	bool no_radial;		/* the radial columns are not wanted: they stay, as nan */
	bool direct;			/* V_nm of each pixel at any degree, for tests */
};

/* (n, m) pairs of a degree; the i-th of them */
size_t zernike_terms(int degree);
void zernike_term(size_t i, int *n, int *m);

/* [terms] shape, then [terms] magnitude, phase in turns, then y, x, r of the circle in page coordinates; as far as wanted. */
size_t zernike_columns(const struct zernike_opts *o);

/* value [n][columns] and reason [n] of objects first ... first + n - 1; the caller's, every element is overwritten.  reason is "",
 * "single-pixel" (all but the circle nan) or "nonfinite" (radial columns nan).  p: the image, of o's sizes, its mask is not looked
 * at; its data may be NULL without radial.  Pages only: nz = 1.  The bytes do not hang on threads, nor (without drop) on where an
 * object lies.  0, or -1 after reporting: no memory, at most zernike_bytes. */
int zernike_measure(const struct zernike_opts *z, const struct pixels *p, const struct objects *o, size_t first, size_t n,
		    int threads, double *value, const char **reason);
size_t zernike_bytes(const struct zernike_opts *z, size_t ny, size_t nx, int threads);

#endif
