#include "base/team.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

enum { LINGER = 200000, /* nanoseconds */ SHARES = 64 };

/* Indices that one thread takes first; each on its own cache line. */
struct share {
	_Alignas(64) atomic_size_t next;
	size_t end;
};

/* A loop under way, on its caller's stack. */
struct job {
	void (*task)(void *, size_t, int);
	void *context;
	struct share share[SHARES];
	int shares;
	int places, joined;	/* helpers wanted, come so far */
	atomic_uint active;	/* at work now */
	pthread_cond_t left;
	struct job *after;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work = PTHREAD_COND_INITIALIZER;
static struct job *jobs;
static atomic_uint posted;	/* loops so far */
static int helpers;	/* threads started */

/* A thread's own share, then what the others have left: what the same thread wrote in the loop before is still in its cache. */
static void take_part(struct job *j, int member)
{
	size_t i;

	for (int k = 0; k < j->shares; k++) {
		struct share *s = &j->share[(member + k) % j->shares];

		while ((i = atomic_fetch_add(&s->next, 1)) < s->end)
			j->task(j->context, i, member);
	}
}

static bool has_work(struct job *j)
{
	for (int k = 0; k < j->shares; k++)
		if (atomic_load(&j->share[k].next) < j->share[k].end)
			return true;
	return false;
}

static struct job *open_job(void)
{
	for (struct job *j = jobs; j; j = j->after)
		if (j->joined < j->places && has_work(j))
			return j;
	return NULL;
}

/* Waits for a while, at anybody's bidding, until the number is another, before it sleeps: to wake a processor takes longer than many loops. */
static bool linger(const atomic_uint *number, unsigned seen)
{
	struct timespec start, t;

	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		if (atomic_load(number) != seen)
			return true;
		sched_yield();
		clock_gettime(CLOCK_MONOTONIC, &t);
	} while (1000000000 * (t.tv_sec - start.tv_sec) + t.tv_nsec - start.tv_nsec < LINGER);
	return false;
}

static void *help(void *unused)
{
	unsigned seen = 0;

	(void)unused;
	pthread_mutex_lock(&lock);
	for (;;) {
		struct job *j = open_job();
		int member;

		if (!j && atomic_load(&posted) != seen) {
			seen = atomic_load(&posted);
			pthread_mutex_unlock(&lock);
			linger(&posted, seen);
			pthread_mutex_lock(&lock);
			continue;
		}
		if (!j) {
			pthread_cond_wait(&work, &lock);
			continue;
		}
		member = ++j->joined;
		atomic_fetch_add(&j->active, 1);
		pthread_mutex_unlock(&lock);
		take_part(j, member);
		pthread_mutex_lock(&lock);
		if (atomic_fetch_sub(&j->active, 1) == 1)
			pthread_cond_signal(&j->left);
	}
	return NULL;
}

/* One more helper; signals stay with the program's own threads. */
static bool start_helper(void)
{
	sigset_t all, old;
	pthread_t t;
	bool started;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	started = pthread_create(&t, NULL, help, NULL) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (started)
		pthread_detach(t);
	return started;
}

static int size;

void team_set_size(int threads)
{
	size = threads;
}

int team_size(void)
{
	long online = size > 0 ? size : sysconf(_SC_NPROCESSORS_ONLN);

	return online < 1 ? 1 : (int)online;
}

void team_run(int threads, size_t n, void (*task)(void *context, size_t i, int member), void *context)
{
	struct job j = { .task = task, .context = context, .left = PTHREAD_COND_INITIALIZER };
	struct job **at;
	unsigned active;

	if (threads == 0)
		threads = team_size();
	if ((size_t)threads > n)
		threads = (int)n;
	if (threads <= 1) {
		for (size_t i = 0; i < n; i++)
			task(context, i, 0);
		return;
	}
	j.places = threads - 1;
	j.shares = threads < SHARES ? threads : SHARES;
	for (int k = 0; k < j.shares; k++) {
		j.share[k].next = n * (size_t)k / (size_t)j.shares;
		j.share[k].end = n * (size_t)(k + 1) / (size_t)j.shares;
	}
	pthread_mutex_lock(&lock);
	while (helpers < j.places && start_helper())
		helpers++;
	j.after = jobs;
	jobs = &j;
	atomic_fetch_add(&posted, 1);
	for (int i = 0; i < j.places; i++)
		pthread_cond_signal(&work);
	pthread_mutex_unlock(&lock);

	take_part(&j, 0);

	pthread_mutex_lock(&lock);
	for (at = &jobs; *at != &j; at = &(*at)->after)
		;
	*at = j.after;
	pthread_mutex_unlock(&lock);
	while ((active = atomic_load(&j.active)) > 0 && linger(&j.active, active))
		;
	pthread_mutex_lock(&lock);
	while (atomic_load(&j.active) > 0)
		pthread_cond_wait(&j.left, &lock);
	pthread_mutex_unlock(&lock);
	pthread_cond_destroy(&j.left);
}

static size_t pieces(size_t n)
{
	return (n + TEAM_PIECE - 1) / TEAM_PIECE;
}

static size_t end_of(size_t piece, size_t n)
{
	size_t end = (piece + 1) * TEAM_PIECE;

	return end < n ? end : n;
}

struct whole {
	size_t n;
	void (*part)(void *, size_t, size_t);
	void *context;
};

static void run_piece(void *context, size_t i, int member)
{
	struct whole *w = context;

	(void)member;
	w->part(w->context, i * TEAM_PIECE, end_of(i, w->n));
}

void team_pieces(size_t n, void (*part)(void *context, size_t from, size_t to), void *context)
{
	struct whole w = { n, part, context };

	team_run(0, pieces(n), run_piece, &w);
}

struct addition {
	size_t n;
	void (*part)(const void *, size_t, size_t, double *);
	const void *context;
	double (*sum)[TEAM_SUMS];
};

static void add_piece(void *context, size_t i, int member)
{
	struct addition *a = context;

	(void)member;
	a->part(a->context, i * TEAM_PIECE, end_of(i, a->n), a->sum[i]);
}

void team_add(size_t n, int sums, void (*part)(const void *context, size_t from, size_t to, double *sum), const void *context, double *total)
{
	struct addition a = { n, part, context, mem_new(pieces(n), sizeof *a.sum) };

	team_run(0, pieces(n), add_piece, &a);
	for (int s = 0; s < sums; s++) {
		total[s] = 0;
		for (size_t i = 0; i < pieces(n); i++)
			total[s] += a.sum[i][s];
	}
	free(a.sum);
}
