/* lib/kplanes/fit.h: a model fitted to a volume: spec section 5.6.  Loss = mean (f - y)^2 + A
 * planeTV + V volumeTV with y = (v - offset) / scale and f = activation(weight . features + bias),
 * minimised by Adam (Kingma, Ba 2015) or NAdam (Dozat 2016) over planes, weights, bias and unit
 * quaternions stored unnormalised. */
#ifndef KPLANES_FIT_H
#define KPLANES_FIT_H

#include "kplanes/field.h"

enum optimiser { OPTIMISER_ADAM, OPTIMISER_NADAM };

struct fit_opts {
	long iters;
	size_t batch; /* voxels of an iteration; 0: each of them */
	enum optimiser optimiser;
	double lr[3], lr_final;	    /* planes, decoder, rotations; step k of N uses lr
				       lr_final^((k-1)/(N-1)) */
	double tv_plane, tv_volume; /* each term is evaluated only if its weight is > 0 */
	size_t tv_points;	    /* at most so many points with taps */
	bool fix_rotations;
	double warmup; /* fraction of the iterations from coarse to fine; 0: off */
	uint64_t seed;
};

/* The terms before step `iter` (from 1), unweighted. */
typedef void fit_report(void *arg, long iter, double mse, double plane_tv, double volume_tv);

/* m is changed in place; it has quaternions, and offset and scale of the volume.  volume [z][y][x]
 * float32 of m's shape, finite. Blocks.  0, or -1 after reporting (too little memory, a loss that
 * is not finite: "diverged at iteration k"). */
int kplanes_fit(struct dev *d, const char *name, struct kplanes_model *m, const float *volume,
		const struct fit_opts *o, fit_report *report, void *arg);
/* The objective's terms, unweighted, and its gradient. */
struct fit_terms {
	double mse, plane_tv, volume_tv;
};
struct fit_slopes {
	float *planes[KP_LEVELS]; /* as m's, the caller's */
	double *weight, bias;	  /* [features], the caller's */
	double (*quat)[4];	  /* [rotations], the caller's */
};
/* Both at m for the batch of iteration k, as kplanes_fit has them before its step k.  Blocks.  0,
 * or -1 (also if a term is not finite). */
int fit_gradient(struct dev *d, struct kplanes_model *m, const float *volume,
		 const struct fit_opts *o, long k, struct fit_terms *terms, struct fit_slopes *s);
size_t fit_bytes(const struct kplanes_model *m, const struct fit_opts *o); /* on the device */

/* The mean over points of the length of the gradient, from values [n][4] at the points and at h
 * further along x, y, z: section 5.5.  d [n][4] += its derivative times `weight`, or NULL. */
double fit_volume_tv(const double *values, size_t n, double h, double weight, double *d);
/* taps [n][4][3] of pts [n][3], which may be where taps begin; returns h */
double fit_taps(const struct kplanes_model *m, const float *pts, size_t n, float *taps);

/* activation(a), and its derivative */
double fit_activation(enum activation kind, double a, double *slope);

/* Step k (from 1); *product starts at 1 (NAdam). */
struct fit_step fit_step(enum optimiser o, long k, double lr, double *product);
/* For small sets, moments [n] in double, zeroed at first. */
void fit_update(const struct fit_step *s, float *x, const double *g, double *m, double *v,
		size_t n);

#endif
