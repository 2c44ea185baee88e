/* tests/ref-kplanes.h: K-Planes in double, plain C, and models made of random numbers. */
#ifndef TESTS_REF_KPLANES_H
#define TESTS_REF_KPLANES_H

#include <stdbool.h>
#include <stddef.h>

#include "kplanes/model.h"

/* A model in double; planes as in the file, the caller frees by ref_clear. */
struct ref {
	size_t t, c, levels, size[KP_LEVELS][2];
	double rot[8][9], *planes[KP_LEVELS];
};

struct ref ref_of(const struct kplanes_model *m);
void ref_clear(struct ref *r);
/* out [levels][t][c] at point p */
void ref_features(const struct ref *r, const double p[3], double *out);
/* sum of up [n][features] times the features of pts [n][3] */
double ref_sum(const struct ref *r, const double *pts, size_t n, const float *up);
/* How near the point comes to a texel line, in texels: derivatives jump there. */
double ref_to_line(const struct ref *r, const double p[3]);

/* Planes and rotations of fixed seeds; shape 3 x 4 x 5. */
struct kplanes_model model_random(size_t t, size_t c, size_t levels, const size_t size[][2]);
/* The planes of section 8 of the specification, R of a quaternion. */
struct kplanes_model model_small(const float quat[4]);

/* |got - want| <= tol max(1, |want|) */
bool near(double got, double want, double tol);
/* the largest |got - want| over the largest |want| */
double off(const float *got, const double *want, size_t n);

#endif
