/* lib/math/random.h: random numbers of a seed: the same on every machine, one stream per struct, no
 * global state.
 *
 * Bits are xoshiro256** (Blackman, Vigna 2018), its state filled by splitmix64 (Steele, Lea, Flood
 * 2014).  Threads share nothing: give each independent piece of work a stream of its own, seeded by
 * its number. */
#ifndef MATH_RANDOM_H
#define MATH_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rng {
	uint64_t s[4]; /* not all zero */
	double spare;  /* second normal of a pair */
	bool has_spare;
};

/* The next number of splitmix64; *state advances. */
uint64_t splitmix64(uint64_t *state);

/* Number k of a stream of a seed, in any order: z(z(z(seed) ^ stream) ^ k), z(x) the number that
 * splitmix64 gives from state x. */
uint64_t rng_key(uint64_t seed, uint64_t stream, uint64_t k);

/* s = the first four numbers of splitmix64(seed) */
void rng_init(struct rng *r, uint64_t seed);

uint64_t rng_bits(struct rng *r);		       /* 64 random bits */
double rng_uniform(struct rng *r);		       /* [0, 1), a multiple of 2^-53 */
double rng_range(struct rng *r, double lo, double hi); /* lo + (hi - lo) uniform */
uint64_t rng_below(struct rng *r, uint64_t n);	       /* 0 .. n-1, each equally likely; n > 0 */
double rng_normal(struct rng *r); /* mean 0, variance 1: Marsaglia's polar method */

/* A whole number >= 0 of Poisson's distribution, exact for any mean: products of uniforms below 10,
 * above it the transformed rejection PTRS (Hoermann 1993) with Loader's saddle-point form of the
 * probability, which does not cancel at large means.  mean <= 0 gives 0; finite. */
double rng_poisson(struct rng *r, double mean);

/* pick[k] = k of the numbers 0 .. n-1, ascending, every set equally likely (Knuth's selection
 * sampling); k <= n */
void rng_choose(struct rng *r, size_t n, size_t k, size_t *pick);

#endif
