#include "math/random.h"

#include <math.h>

uint64_t splitmix64(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

uint64_t rng_key(uint64_t seed, uint64_t stream, uint64_t k)
{
	uint64_t z = splitmix64(&seed) ^ stream;

	z = splitmix64(&z) ^ k;
	return splitmix64(&z);
}

void rng_init(struct rng *r, uint64_t seed)
{
	*r = (struct rng){ .has_spare = false };
	for (int i = 0; i < 4; i++)
		r->s[i] = splitmix64(&seed);
}

static uint64_t rotate(uint64_t v, int n)
{
	return v << n | v >> (64 - n);
}

uint64_t rng_bits(struct rng *r)
{
	uint64_t *s = r->s, out = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate(s[3], 45);
	return out;
}

double rng_uniform(struct rng *r)
{
	return (double)(rng_bits(r) >> 11) * 0x1p-53;
}

double rng_range(struct rng *r, double lo, double hi)
{
	return lo + (hi - lo) * rng_uniform(r);
}

uint64_t rng_below(struct rng *r, uint64_t n)
{
	uint64_t short_by = -n % n,
		 v; /* 2^64 mod n: as many values would favour the small results */

	do
		v = rng_bits(r);
	while (v < short_by);
	return v % n;
}

double rng_normal(struct rng *r)
{
	double u, v, q, f;

	if (r->has_spare) {
		r->has_spare = false;
		return r->spare;
	}
	do {
		u = 2 * rng_uniform(r) - 1;
		v = 2 * rng_uniform(r) - 1;
		q = u * u + v * v;
	} while (q >= 1 || q == 0);
	f = sqrt(-2 * log(q) / q);
	r->spare = v * f;
	r->has_spare = true;
	return u * f;
}

/* ln k! - ln sqrt(2 pi k) - k ln k + k, for k >= 1 */
static double stirling_error(double k)
{
	static const double ln_factorial[16] = {
		0,
		0,
		0.69314718055994530942,
		1.7917594692280550008,
		3.1780538303479456197,
		4.7874917427820459942,
		6.5792512120101009951,
		8.5251613610654143002,
		10.604602902745250228,
		12.801827480081469611,
		15.104412573075515295,
		17.502307845873885839,
		19.987214495661886150,
		22.552163853123422886,
		25.191221182738681500,
		27.899271383840891566,
	};
	double q = 1 / (k * k);

	if (k < 16)
		return ln_factorial[(int)k] - 0.5 * log(2 * M_PI * k) - k * log(k) + k;
	return (1 / 12.0 - (1 / 360.0 - (1 / 1260.0 - (1 / 1680.0 - q / 1188) * q) * q) * q) / k;
}

/* k ln(k / mean) + mean - k without cancellation where the two are close */
static double deviance(double k, double mean)
{
	double d = (k - mean) / (k + mean), v = d * d, sum = (k - mean) * d, term = 2 * k * d;

	if (fabs(d) > 0.1)
		return k * log(k / mean) + mean - k;
	for (int j = 1; j < 10; j++) {
		term *= v;
		sum += term / (2 * j + 1);
	}
	return sum;
}

static double ln_probability(double k, double mean)
{
	if (k == 0)
		return -mean;
	return -stirling_error(k) - deviance(k, mean) - 0.5 * log(2 * M_PI * k);
}

double rng_poisson(struct rng *r, double mean)
{
	double b, a, invalpha, top;

	if (!(mean > 0))
		return 0;
	if (mean < 10) {
		double stop = exp(-mean), product = rng_uniform(r), k = 0;

		for (; product > stop; k++)
			product *= rng_uniform(r);
		return k;
	}
	/* the constants of Hoermann's table for PTRS */
	b = 0.931 + 2.53 * sqrt(mean);
	a = -0.059 + 0.02483 * b;
	invalpha = 1.1239 + 1.1328 / (b - 3.4);
	top = 0.9277 - 3.6224 / (b - 2);
	for (;;) {
		double u = rng_uniform(r) - 0.5, v = rng_uniform(r), us = 0.5 - fabs(u), k;

		if (us == 0)
			continue;
		k = floor((2 * a / us + b) * u + mean + 0.43);
		if (us >= 0.07 && v <= top)
			return k;
		if (k < 0 || (us < 0.013 && v > us))
			continue;
		if (log(v * invalpha / (a / (us * us) + b)) <= ln_probability(k, mean))
			return k;
	}
}

void rng_choose(struct rng *r, size_t n, size_t k, size_t *pick)
{
	for (size_t i = 0, taken = 0; taken < k; i++)
		if (rng_below(r, n - i) < k - taken)
			pick[taken++] = i;
}
