/* lib/tv/denoise.h: total variation denoising with a proven distance to the answer.
 *
 * min over u, lo <= u <= hi, of 1/2 sum (u - f)^2 + lambda TV(u), TV the sum over voxels of
 * |w grad u| (iso: Euclidean, aniso: sum of magnitudes), forward differences; one with an end
 * outside or not finite is 0 (Rudin, Osher, Fatemi 1992).  Iteration: Chambolle, Pock 2011,
 * algorithm 2 with gamma = 1, its steps held from some point on.  To every dual p, |p| <= lambda,
 * belongs u(p) = clip(f - (w grad)^T p), and
 *	gap = sum over voxels of lambda |w grad u| - <p, w grad u>	(each term >= 0),
 *	1/2 |u - u*|^2 <= gap, so that rms(u - u*) <= sqrt(2 gap / voxels).
 * Sums have the order and precision of lib/tv/loss.h.  What does not fit into dev_mem
 * goes through in slabs of planes with as many halo planes as iterations at a time: the same
 * bytes. */
#ifndef TV_DENOISE_H
#define TV_DENOISE_H

#include <stdbool.h>
#include <stddef.h>

#include "dev/dev.h"

struct denoise_opts {
	bool aniso;
	double weight[3]; /* z, y, x, outside the squares */
	double lo, hi;	  /* -INFINITY, INFINITY: no bounds */
	long max_iter;
};

struct denoise_report {
	long iterations;
	double bound;	     /* of rms(u - u*) */
	double fidelity, tv; /* 1/2 sum (u - f)^2, TV(u) of the answer */
	bool converged;
};

struct denoise_plan {
	size_t bytes; /* of device memory */
	size_t slab;  /* planes computed at a time */
	size_t steps; /* iterations at a time */
};

struct denoise;

/* 0, or -1 after reporting, under the name `what`, the memory that is needed. */
int denoise_plan(struct dev *d, const char *what, size_t nz, size_t ny, size_t nx,
		 struct denoise_plan *p);

/* Room for volumes of this size; NULL after reporting. */
struct denoise *denoise_new(struct dev *d, const char *what, const struct denoise_opts *o,
			    size_t nz, size_t ny, size_t nx);
void denoise_free(struct denoise *s); /* fine on NULL */

/* Takes f [nz][ny][nx], the caller's, read until the next start; forgets p. */
int denoise_start(struct denoise *s, const float *f);

/* Goes on from the p that is there until the bound is at most rms or max_iter is reached.
 *	voxels	finite ones of f
 *	u	[nz][ny][nx], the caller's: the answer with the least bound; NaN where f is
 * Blocks.  0, or -1 after reporting. */
int denoise_solve(struct denoise *s, double lambda, double rms, size_t voxels, float *u,
		  struct denoise_report *r);

/* The TV of the volume that denoise_start took, which lies within the bounds.  0, or -1 after
 * reporting. */
int denoise_measure(struct denoise *s, double *tv);

/* The noise of a volume: median of the magnitudes of the diagonal Haar details of each page /
 * 0.6745, median over pages; pages without four finite neighbours do not count.  NaN if none does.
 */
double denoise_sigma(const float *f, size_t nz, size_t ny, size_t nx);

#endif
