/* base/team.h: every index once, whoever calls and from where. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/team.h"
#include "tests/tap.h"

enum { N = 1000, THREADS = 4 };

struct count {
	atomic_int times[N];
	atomic_int wrong_member;
	int threads, nested;
};

static void count_one(void *context, size_t i, int member)
{
	struct count *c = context;

	atomic_fetch_add(&c->times[i], 1);
	if (member < 0 || member >= c->threads)
		atomic_fetch_add(&c->wrong_member, 1);
}

static bool each_once(const struct count *c, size_t n)
{
	bool good = c->wrong_member == 0;

	for (size_t i = 0; i < N; i++)
		good &= c->times[i] == (i < n);
	return good;
}

static void count_nested(void *context, size_t i, int member)
{
	struct count *c = context;

	(void)member;
	team_run(c->threads, N, count_one, &c[1 + i]);
}

static void *call_often(void *unused)
{
	size_t bad = 0;

	(void)unused;
	for (int k = 0; k < 50; k++) {
		struct count c = { .threads = 3 };

		team_run(3, N, count_one, &c);
		bad += !each_once(&c, N);
	}
	return (void *)bad;
}

static void add_harmonic(const void *context, size_t from, size_t to, double *sum)
{
	const double *scale = context;

	for (size_t i = from; i < to; i++) {
		sum[0] += *scale / (double)(i + 1);
		sum[1] += 1;
	}
}

/* Sums that rounding makes depend on their order. */
static void additions(void)
{
	static const size_t n[] = { 0, 1, TEAM_PIECE, TEAM_PIECE + 1, 20 * TEAM_PIECE + 77 };
	double scale = 3;

	for (size_t i = 0; i < sizeof n / sizeof *n; i++) {
		double one[2], sum[2];
		bool same = true;

		team_set_size(1);
		team_add(n[i], 2, add_harmonic, &scale, one);
		for (int threads = 2; threads <= 5; threads++) {
			team_set_size(threads);
			team_add(n[i], 2, add_harmonic, &scale, sum);
			same &= memcmp(one, sum, sizeof sum) == 0;
		}
		ok(same && one[1] == (double)n[i], "%zu numbers: the same sum with any number of threads", n[i]);
	}
	team_set_size(0);
}

int main(void)
{
	static struct count nested[9];
	pthread_t t[THREADS];
	bool good = true;

	for (int threads = 1; threads <= 5; threads++)
		for (size_t n = 0; n <= N; n = n ? n * 10 : 1) {
			struct count c = { .threads = threads };

			team_run(threads, n, count_one, &c);
			ok(each_once(&c, n), "%d threads: each of %zu indices once", threads, n);
		}
	for (int i = 0; i < 9; i++)
		nested[i].threads = 2;
	team_run(2, 8, count_nested, nested);
	for (int i = 1; i < 9; i++)
		good &= each_once(&nested[i], N);
	ok(good, "loops within a loop");
	good = true;
	for (int i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, call_often, NULL);
	for (int i = 0; i < THREADS; i++) {
		void *bad;

		pthread_join(t[i], &bad);
		good &= !bad;
	}
	ok(good, "loops of %d callers at a time", THREADS);
	additions();
	return done_testing();
}
