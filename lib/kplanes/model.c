#include "kplanes/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "math/random.h"

void kplanes_clear(struct kplanes_model *m)
{
	free(m->weight);
	for (size_t l = 0; l < KP_LEVELS; l++)
		free(m->planes[l]);
	*m = (struct kplanes_model){ 0 };
}

size_t kplanes_features(const struct kplanes_model *m)
{
	return m->levels * m->rotations * m->channels;
}

size_t kplanes_texels(const struct kplanes_model *m, size_t level)
{
	return mem_mul(mem_mul(3 * m->rotations * m->channels, m->size[level][0]),
		       m->size[level][1]);
}

size_t kplanes_extent(const struct kplanes_model *m)
{
	size_t n = 0;

	for (size_t l = 0; l < m->levels; l++)
		for (int k = 0; k < 2; k++)
			n = m->size[l][k] > n ? m->size[l][k] : n;
	return n;
}

/* In [0, 1), a multiple of 2^-24: exact in float32. */
static double uniform(uint64_t seed, uint64_t stream, uint64_t k)
{
	return (double)(rng_key(seed, stream, k) >> 40) * 0x1p-24;
}

int kplanes_random(struct kplanes_model *m, uint64_t seed)
{
	uint64_t k = 0;

	for (size_t l = 0; l < m->levels; l++) {
		size_t n = kplanes_texels(m, l);

		m->planes[l] = mem_try("planes", n, sizeof(float));
		if (!m->planes[l])
			return -1;
		for (size_t i = 0; i < n; i++)
			m->planes[l][i] = (float)(0.1 + 0.4 * uniform(seed, 0, k++));
	}
	m->weight = mem_new(kplanes_features(m), sizeof(float));
	for (size_t i = 0; i < kplanes_features(m); i++)
		m->weight[i] = (float)((2 * uniform(seed, 1, i) - 1) * 0.01 * sqrt(3));
	m->bias = 0;
	return 0;
}

void kplanes_shoemake(uint64_t seed, size_t t, float quat[4])
{
	double u0 = uniform(seed, 2, 3 * t), u1 = 2 * M_PI * uniform(seed, 2, 3 * t + 1),
	       u2 = 2 * M_PI * uniform(seed, 2, 3 * t + 2), a = sqrt(1 - u0), b = sqrt(u0);

	quat[0] = (float)(a * sin(u1));
	quat[1] = (float)(a * cos(u1));
	quat[2] = (float)(b * sin(u2));
	quat[3] = (float)(b * cos(u2));
}

int kplanes_rotation(const float quat[4], float rot[9])
{
	double q[4], n = 0, x, y, z, w;

	for (int i = 0; i < 4; i++)
		n += (double)quat[i] * quat[i];
	n = sqrt(n);
	if (!(n > 0) || !isfinite(n))
		return -1;
	for (int i = 0; i < 4; i++)
		q[i] = quat[i] / n;
	x = q[0], y = q[1], z = q[2], w = q[3];
	const double r[9] = { 1 - 2 * (y * y + z * z), 2 * (x * y - w * z),
			      2 * (x * z + w * y),     2 * (x * y + w * z),
			      1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
			      2 * (x * z - w * y),     2 * (y * z + w * x),
			      1 - 2 * (x * x + y * y) };

	for (int i = 0; i < 9; i++)
		rot[i] = (float)r[i];
	return 0;
}

/* The largest of the four components first: no cancellation (Shepperd 1978). */
void kplanes_quaternion(const float rot[9], float quat[4])
{
	const double r[9] = {
		rot[0], rot[1], rot[2], rot[3], rot[4], rot[5], rot[6], rot[7], rot[8]
	};
	double four[4] = { 1 + r[0] - r[4] - r[8], 1 - r[0] + r[4] - r[8], 1 - r[0] - r[4] + r[8],
			   1 + r[0] + r[4] + r[8] };
	double sum[4][4] = { { four[0], r[1] + r[3], r[2] + r[6], r[7] - r[5] },
			     { r[1] + r[3], four[1], r[5] + r[7], r[2] - r[6] },
			     { r[2] + r[6], r[5] + r[7], four[2], r[3] - r[1] },
			     { r[7] - r[5], r[2] - r[6], r[3] - r[1], four[3] } };
	int k = 0;
	double n = 0;

	for (int i = 1; i < 4; i++)
		k = four[i] > four[k] ? i : k;
	for (int i = 0; i < 4; i++)
		n += sum[k][i] * sum[k][i];
	for (int i = 0; i < 4; i++)
		quat[i] = (float)(sum[k][i] / sqrt(n));
}

void kplanes_quaternion_gradient(const float quat[4], const double d[9], double dq[4])
{
	double q[4], n = 0, dot = 0;

	for (int i = 0; i < 4; i++)
		n += (double)quat[i] * quat[i];
	n = sqrt(n);
	for (int i = 0; i < 4; i++)
		q[i] = quat[i] / n;
	const double x = q[0], y = q[1], z = q[2], w = q[3];
	const double g[4] = {
		2 * (y * (d[1] + d[3]) + z * (d[2] + d[6]) + w * (d[7] - d[5])) -
			4 * x * (d[4] + d[8]),
		2 * (x * (d[1] + d[3]) + z * (d[5] + d[7]) + w * (d[2] - d[6])) -
			4 * y * (d[0] + d[8]),
		2 * (x * (d[2] + d[6]) + y * (d[5] + d[7]) + w * (d[3] - d[1])) -
			4 * z * (d[0] + d[4]),
		2 * (x * (d[7] - d[5]) + y * (d[2] - d[6]) + z * (d[3] - d[1])),
	};

	for (int i = 0; i < 4; i++)
		dot += g[i] * q[i];
	for (int i = 0; i < 4; i++)
		dq[i] = (g[i] - q[i] * dot) / n;
}

double kplanes_skew(const float rot[9])
{
	double worst = 0;

	for (int i = 0; i < 3; i++)
		for (int j = 0; j < 3; j++) {
			double s = i == j ? -1 : 0;

			for (int k = 0; k < 3; k++)
				s += (double)rot[3 * i + k] * rot[3 * j + k];
			worst = fmax(worst, fabs(s));
		}
	return worst;
}
