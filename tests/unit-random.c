/* Random numbers: published vectors, then moments and histograms.  Statistical bounds are five
 * standard deviations of the statistic itself, and the seeds are fixed: a sentence that holds once
 * holds always. */
#include <math.h>

#include "math/random.h"
#include "tests/tap.h"

static void test_vectors(void)
{
	/* splitmix64 of 1234567 and xoshiro256** of the state 1, 2, 3, 4: the values published with
	 * other implementations */
	static const uint64_t split[5] = { 6457827717110365317u, 3203168211198807973u,
					   9817491932198370423u, 4593380528125082431u,
					   16408922859458223821u };
	static const uint64_t xoshiro[10] = { 11520,
					      0,
					      1509978240,
					      1215971899390074240u,
					      1216172134540287360u,
					      607988272756665600u,
					      16172922978634559625u,
					      8476171486693032832u,
					      10595114339597558777u,
					      2904607092377533576u };
	struct rng r = { .s = { 1, 2, 3, 4 } }, seeded;
	uint64_t state = 1234567;
	bool same = true;

	for (int i = 0; i < 5; i++)
		same &= splitmix64(&state) == split[i];
	ok(same, "splitmix64 gives the published numbers");
	same = true;
	for (int i = 0; i < 10; i++)
		same &= rng_bits(&r) == xoshiro[i];
	ok(same, "xoshiro256** gives the published numbers");
	rng_init(&seeded, 1234567);
	ok(memcmp(seeded.s, split, sizeof seeded.s) == 0,
	   "a stream is filled by splitmix64 of its seed");
}

static void test_uniform(void)
{
	enum { N = 1000000, CELLS = 7 };
	struct rng r;
	double sum = 0, lo = 1, hi = 0, chi = 0;
	size_t cell[CELLS] = { 0 };

	rng_init(&r, 1);
	for (int i = 0; i < N; i++) {
		double u = rng_uniform(&r);

		sum += u;
		lo = fmin(lo, u);
		hi = fmax(hi, u);
	}
	ok(lo >= 0 && hi < 1, "uniforms lie in [0, 1): %g to %g", lo, hi);
	ok(fabs(sum / N - 0.5) < 5 * sqrt(1 / 12.0 / N), "their mean is 1/2 (%.6f)", sum / N);
	for (int i = 0; i < N; i++)
		cell[rng_below(&r, CELLS)]++;
	for (int i = 0; i < CELLS; i++)
		chi += pow((double)cell[i] - N / 7.0, 2) / (N / 7.0);
	ok(chi < 6 + 5 * sqrt(12), "numbers below 7 are equally likely (chi^2 of 6 is %.1f)", chi);
}

static void test_normal(void)
{
	enum { N = 1000000 };
	struct rng r;
	double m[5] = { 0 };

	rng_init(&r, 2);
	for (int i = 0; i < N; i++) {
		double v = rng_normal(&r);

		m[1] += v / N;
		m[2] += v * v / N;
		m[3] += v * v * v / N;
		m[4] += v * v * v * v / N;
	}
	/* variances of the k-th powers: 1, 2, 15, 96 */
	ok(fabs(m[1]) < 5 * sqrt(1.0 / N) && fabs(m[2] - 1) < 5 * sqrt(2.0 / N) &&
		   fabs(m[3]) < 5 * sqrt(15.0 / N) && fabs(m[4] - 3) < 5 * sqrt(96.0 / N),
	   "four moments of the normal are 0, 1, 0, 3 (%.4f %.4f %.4f %.4f)", m[1], m[2], m[3],
	   m[4]);
}

static void poisson_moments(double mean, uint64_t seed)
{
	enum { N = 1000000 };
	struct rng r;
	double s1 = 0, s2 = 0, m, v;
	bool whole = true;

	rng_init(&r, seed);
	for (int i = 0; i < N; i++) {
		double k = rng_poisson(&r, mean);

		whole &= k >= 0 && k == floor(k);
		s1 += (k - mean) / N;
		s2 += (k - mean) * (k - mean) / N;
	}
	m = s1 / sqrt(mean);
	v = s2 / mean - s1 * s1 / mean;
	ok(whole, "Poisson numbers of mean %g are whole", mean);
	ok(fabs(m) < 5 / sqrt(N), "their mean is %g (%g standard deviations off)", mean,
	   m * sqrt(N));
	/* variance of the sample variance over mean^2: (2 + 1/mean) / n */
	ok(fabs(v - 1) < 5 * sqrt((2 + 1 / mean) / N),
	   "their variance over their mean is 1 (%.5f at %g)", v, mean);
}

/* chi^2 of a histogram around the mean against the probabilities themselves, by their recurrence
 * from the left */
static void poisson_histogram(double mean, uint64_t seed)
{
	enum { N = 1000000, CELLS = 64 };
	long lo = (long)fmax(0, floor(mean - 4 * sqrt(mean)));
	double p = exp(lo * log(mean) - mean - lgamma((double)lo + 1)), chi = 0, hit[CELLS] = { 0 };
	int cells = 0;
	struct rng r;

	rng_init(&r, seed);
	for (int i = 0; i < N; i++) {
		long k = (long)rng_poisson(&r, mean) - lo;

		if (k >= 0 && k < CELLS)
			hit[k]++;
	}
	for (int i = 0; i < CELLS; i++, p *= mean / (double)(lo + i))
		if (N * p > 20) {
			chi += pow(hit[i] - N * p, 2) / (N * p);
			cells++;
		}
	ok(cells > 8 && chi < cells + 5 * sqrt(2.0 * cells),
	   "Poisson of mean %g has its probabilities: chi^2 of %d cells is %.1f", mean, cells, chi);
}

static void test_poisson(void)
{
	struct rng r;
	bool zero = true;

	rng_init(&r, 3);
	for (int i = 0; i < 100; i++)
		zero &= rng_poisson(&r, 0) == 0 && rng_poisson(&r, -1) == 0;
	ok(zero, "a mean of 0 or less gives 0");
	poisson_moments(0.01, 4);
	poisson_moments(3, 5);
	poisson_moments(10, 6);
	poisson_moments(1000, 7);
	poisson_moments(1e9, 8);
	poisson_moments(1e14, 9);
	poisson_histogram(4.5, 10);
	poisson_histogram(9.9, 11);
	poisson_histogram(10, 12);
	poisson_histogram(13.7, 13);
	poisson_histogram(60, 14);
}

static void test_choose(void)
{
	enum { N = 9, K = 4, ROUNDS = 100000 };
	struct rng r;
	size_t pick[N], hit[N] = { 0 };
	bool ascending = true, even = true;

	rng_init(&r, 15);
	for (int i = 0; i < ROUNDS; i++) {
		rng_choose(&r, N, K, pick);
		for (int k = 0; k < K; k++) {
			ascending &= pick[k] < N && (k == 0 || pick[k] > pick[k - 1]);
			hit[pick[k]]++;
		}
	}
	for (int i = 0; i < N; i++)
		even &= fabs((double)hit[i] / ROUNDS - (double)K / N) <
			5 * sqrt(20.0 / 81 / ROUNDS);
	ok(ascending, "chosen numbers ascend and differ");
	ok(even, "each of %d is chosen %d times in %d", N, K, N);
	rng_choose(&r, N, N, pick);
	ok(pick[0] == 0 && pick[N - 1] == N - 1, "all of %d are all of them", N);
}

int main(void)
{
	test_vectors();
	test_uniform();
	test_normal();
	test_poisson();
	test_choose();
	return done_testing();
}
