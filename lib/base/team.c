#include "base/team.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

/* A loop under way, on its caller's stack. */
struct job {
	void (*task)(void *, size_t, int);
	void *context;
	size_t n;
	atomic_size_t next;
	int places, joined, active;	/* helpers wanted, come so far, at work now */
	pthread_cond_t left;
	struct job *after;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work = PTHREAD_COND_INITIALIZER;
static struct job *jobs;
static atomic_uint posted;	/* loops so far */
enum { LINGER = 200000 };	/* nanoseconds */
static int helpers;	/* threads started */

static void take_part(struct job *j, int member)
{
	size_t i;

	while ((i = atomic_fetch_add(&j->next, 1)) < j->n)
		j->task(j->context, i, member);
}

static struct job *open_job(void)
{
	for (struct job *j = jobs; j; j = j->after)
		if (j->joined < j->places && atomic_load(&j->next) < j->n)
			return j;
	return NULL;
}

/* Looks for work for a while, at anybody's bidding, before it sleeps: to wake a processor takes longer than many loops. */
static void linger(unsigned seen)
{
	struct timespec start, t;

	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		sched_yield();
		clock_gettime(CLOCK_MONOTONIC, &t);
	} while (atomic_load(&posted) == seen && 1000000000 * (t.tv_sec - start.tv_sec) + t.tv_nsec - start.tv_nsec < LINGER);
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
			linger(seen);
			pthread_mutex_lock(&lock);
			continue;
		}
		if (!j) {
			pthread_cond_wait(&work, &lock);
			continue;
		}
		member = ++j->joined;
		j->active++;
		pthread_mutex_unlock(&lock);
		take_part(j, member);
		pthread_mutex_lock(&lock);
		if (--j->active == 0)
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
	struct job j = { .task = task, .context = context, .n = n, .left = PTHREAD_COND_INITIALIZER };
	struct job **at;

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
	while (j.active > 0)
		pthread_cond_wait(&j.left, &lock);
	pthread_mutex_unlock(&lock);
	pthread_cond_destroy(&j.left);
}
