/* lib/kplanes/model.h: a K-Planes model (Fridovich-Keil et al. 2023) in rotated frames (TILTED, Yi
 * et al. 2023) in host memory, and its text.  value(p) = offset + scale activation(sum_f weight[f]
 * feature_f(p) + bias); feature level T C + t C + c is the product of channel c of three planes
 * sampled at q = rot[t] p: XY at (q_x, q_y), ZX at (q_z, q_x), YZ at (q_y, q_z), the first along W;
 * p in [-1, 1]^3, corners aligned. */
#ifndef KPLANES_MODEL_H
#define KPLANES_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KP_ROTATIONS = 64, KP_CHANNELS = 256, KP_LEVELS = 8, KP_EXTENT = 65536 };
enum activation { ACTIVATION_LINEAR, ACTIVATION_SOFTPLUS }; /* a; ln(1 + exp(a - 1)) */

struct kplanes_model {
	size_t rotations, channels, levels;
	size_t size[KP_LEVELS][2]; /* H, W of a level's planes */
	size_t shape[3];	   /* z, y, x of the volume it was fitted to */
	enum activation activation;
	float offset, scale, bias;
	float rot[KP_ROTATIONS][9]; /* row-major */
	bool has_quat;
	float quat[KP_ROTATIONS][4]; /* x, y, z, w of any length but 0 */
	float *weight;		     /* [levels T C]; owned */
	float *planes[KP_LEVELS];    /* [3T][C][H][W], plane 3t + p; owned */
};

void kplanes_clear(struct kplanes_model *m); /* frees, zeroes; fine on a zeroed one */

size_t kplanes_features(const struct kplanes_model *m);		    /* levels T C */
size_t kplanes_texels(const struct kplanes_model *m, size_t level); /* 3 T C H W */
size_t kplanes_extent(const struct kplanes_model *m);		    /* the largest H or W */

/* The model of a text section (spec section 3) without its planes: sizes are within limits, weights
 * allocated.  Unknown keys are ignored.  `path` is for messages.  0, or -1 after naming what is
 * missing or wrong; kplanes_clear is fine then too. */
int kplanes_parse(const char *path, const char *section, struct kplanes_model *m);

/* The section; the caller frees. */
char *kplanes_text(const struct kplanes_model *m);

/* Planes 0.1 + 0.4 u and weights of the seed; rotations, channels, levels, size are set; bias 0. */
int kplanes_random(struct kplanes_model *m, uint64_t seed);

/* Rotation t of a seed, uniform (Shoemake 1992). */
void kplanes_shoemake(uint64_t seed, size_t t, float quat[4]);

/* rot = R(q / |q|), q = x, y, z, w; -1 (silently) for a quaternion of length 0 */
int kplanes_rotation(const float quat[4], float rot[9]);
/* A unit quaternion of the rotation nearest to rot. */
void kplanes_quaternion(const float rot[9], float quat[4]);
/* dL/dq from dL/dR, through the normalisation */
void kplanes_quaternion_gradient(const float quat[4], const double dr[9], double dq[4]);

/* The largest entry of |R R^T - 1|. */
double kplanes_skew(const float rot[9]);

#endif
