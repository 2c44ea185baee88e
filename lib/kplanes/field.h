/* lib/kplanes/field.h: a model on the device: features, values, their gradients.  Points are [n][3]
 * float32 as x, y, z, finite. On the device planes lie channel last, [3T][H][W][C].  The gradient of
 * planes has two ways: on GPUs a gather (points are sorted by cell, a texel adds its cells in a
 * fixed order), on CPUs a scatter (a work-item has three planes of its own and walks the points in
 * the batch's order, which is that of places in space, kp_order, for all gradients at once).  Bytes depend neither on threads nor
 * work-groups, nor (features, values) on the number of points. All functions block and return 0, or
 * -1 after reporting. */
#ifndef KPLANES_FIELD_H
#define KPLANES_FIELD_H

#include "dev/dev.h"
#include "kplanes/model.h"

struct kp_field {
	struct dev *d;
	const struct kplanes_model *m;
	struct buf *planes[KP_LEVELS], *rot, *weight;
	bool wide;    /* a work-item takes 16 points or columns */
	bool gathers; /* gradients of planes by a gather over sorted points; else by a scatter */
};

int kp_field_init(struct kp_field *f, struct dev *d,
		  const struct kplanes_model *m); /* keeps m, which stays the caller's */
void kp_field_clear(struct kp_field *f);
size_t kp_field_bytes(const struct kplanes_model *m); /* of its buffers */

/* out [n][features] */
int kp_features(struct kp_field *f, const float *pts, size_t n, float *out);

/* KP_SUM: weight . features + bias; KP_VALUE: the volume's value */
enum kp_value { KP_SUM, KP_VALUE };
int kp_values(struct kp_field *f, const float *pts, size_t n, enum kp_value what, float *out);

/* Values on a grid: axis a (0 x, 1 y, 2 z) has shape[2 - a] points from box[a][0] to box[a][1], or
 * one in the middle.  What kp_values gives at the same points. */
int kp_render(struct kp_field *f, const size_t shape[3], double box[3][2], float *out);

/* A point of such an axis. */
float kp_grid(double lo, double hi, size_t n, size_t i);

/* Gradients of the sum over points and features of up [n][features] times feature.  planes[level]
 * [3T][C][H][W], points [n][3], rot [T][9] (unconstrained) are the caller's; NULL: not wanted. */
int kp_gradient(struct kp_field *f, const float *pts, size_t n, const float *up,
		float *const *planes, float *points, double (*rot)[9]);
size_t kp_gradient_bytes(const struct kplanes_model *m,
			 size_t n); /* on the device, the field included */

/* Plane total variation: value[levels], and its gradient as above or NULL. */
int kp_plane_tv(struct kp_field *f, double *value, float *const *planes);

/* ---- what fit.c builds on: a batch of up to `cap` points that lives on the device */
struct kp_batch {
	struct kp_field *f;
	size_t cap, n;
	struct buf *pts, *value, *da; /* [cap][3], [cap], [cap] float */
	struct buf *dp, *dr, *dw;     /* gradients by points [3][n]; shares of rotations, weights */
	struct buf *key, *order, *start, *sums; /* of the gather; sums of both */
	struct buf *space, *part;		/* of the scatter: [slots] planes of sums; dp */
	struct buf *grad; /* [3T][H][W][C] of the level; NULL if the planes step at once */
	size_t slots;	  /* work-items of the scatter at a time; 0: the gather */
	bool zero;	  /* the planes of sums are 0 */
	int want;
};

/* What kp_batch_backward makes beside gradients by rotations.  KP_STEPS: planes are only ever
 * stepped. */
enum { KP_WANT_POINTS = 1, KP_WANT_WEIGHTS = 2, KP_WANT_PLANES = 4, KP_STEPS = 8 };
int kp_batch_init(struct kp_batch *b, struct kp_field *f, size_t cap, int want);
void kp_batch_clear(struct kp_batch *b);
size_t kp_batch_bytes(const struct kplanes_model *m, size_t cap, int want);

/* order [n]: the points by boxes in space that follow one another (Morton), within one by number. */
void kp_order(const float *pts, size_t n, uint32_t *order);

/* b->value[n] = weight . features + bias of b->pts, with f->weight as it is and the given bias */
int kp_batch_values(struct kp_batch *b, float bias);

/* Upstream of point p's feature f, with V = kp_lanes and f = V i + j counted over all levels: up[i
 * block + p point + j], times b->da[p] with `scaled`. */
struct kp_up {
	struct buf *up;
	size_t block, point;
	bool scaled;
};
size_t kp_lanes(const struct kplanes_model *m); /* channels that the kernels take at once */

/* x -= (cg g + cm m) / (sqrt(cv v) + 1e-8), m and v being updated before */
struct fit_step {
	double cg, cm, cv;
};

/* One level's gradients: dr [T][9] +=, dw [T C] = sums of feature da, b->dp (+= after level 0); that
 * of the planes, of the points and of tv_weight times the plane TV, whose value goes to *tv, to
 * b->grad, or at once into a step of the planes with their moments `first`, `second`. */
struct kp_down {
	double (*dr)[9], *dw, tv_weight, *tv;
	struct buf *first, *second;
	struct fit_step step;
};
int kp_batch_backward(struct kp_batch *b, size_t level, const struct kp_up *u,
		      const struct kp_down *to);

/* Between [3T][C][H][W] of the host and [3T][H][W][C] of a buffer. */
int kp_upload(const struct kplanes_model *m, size_t level, const float *from, struct buf *to);
int kp_download(const struct kplanes_model *m, size_t level, struct buf *from, float *to);

#endif
