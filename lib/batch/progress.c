#include "batch/progress.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/die.h"

enum { BAR = 30, TICK_BAR_MS = 250, TICK_LINE_MS = 10000 };

static struct {
	pthread_mutex_t lock;
	pthread_cond_t end;
	pthread_t ticker;
	bool shown, bar, over;
	size_t total, done;
	double start;
} p = { .lock = PTHREAD_MUTEX_INITIALIZER };

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* with the lock held */
static void show(void)
{
	double elapsed = now() - p.start, rate = elapsed > 0 ? (double)p.done / elapsed : 0;
	int filled = p.total ? (int)(BAR * p.done / p.total) : BAR;
	char left[64] = "";

	if (rate > 0 && p.done < p.total) {
		long s = (long)((double)(p.total - p.done) / rate + 0.5);

		snprintf(left, sizeof left, ", %ld:%02ld:%02ld left", s / 3600, s / 60 % 60,
			 s % 60);
	}
	if (!p.bar) {
		error("%zu of %zu inputs, %.3g/s%s", p.done, p.total, rate, left);
		return;
	}
	message_bar("[%.*s%*s] %zu/%zu, %.3g/s%s", filled, "##############################",
		    BAR - filled, "", p.done, p.total, rate, left);
}

static void *tick(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&p.lock);
	while (!p.over) {
		long ms = p.bar ? TICK_BAR_MS : TICK_LINE_MS;
		struct timespec t;

		clock_gettime(CLOCK_MONOTONIC, &t);
		t.tv_sec += ms / 1000;
		t.tv_nsec += ms % 1000 * 1000000;
		if (t.tv_nsec >= 1000000000) {
			t.tv_nsec -= 1000000000;
			t.tv_sec++;
		}
		if (pthread_cond_clockwait(&p.end, &p.lock, CLOCK_MONOTONIC, &t) != 0 && !p.over)
			show();
	}
	pthread_mutex_unlock(&p.lock);
	return NULL;
}

void progress_begin(enum progress mode, size_t total)
{
	bool tty = isatty(STDERR_FILENO);

	p.shown = mode == PROGRESS_ALWAYS ||
		  (mode == PROGRESS_AUTO && tty && verbosity > QUIET && total > 1);
	p.bar = tty;
	p.total = total;
	p.done = 0;
	p.over = false;
	p.start = now();
	if (!p.shown)
		return;
	pthread_cond_init(&p.end, NULL);
	p.shown = pthread_create(&p.ticker, NULL, tick, NULL) == 0;
}

void progress_step(void)
{
	pthread_mutex_lock(&p.lock);
	p.done++;
	if (p.shown && p.bar)
		show();
	pthread_mutex_unlock(&p.lock);
}

void progress_end(void)
{
	if (!p.shown)
		return;
	pthread_mutex_lock(&p.lock);
	p.over = true;
	pthread_cond_signal(&p.end);
	pthread_mutex_unlock(&p.lock);
	pthread_join(p.ticker, NULL);
	pthread_cond_destroy(&p.end);
	if (p.bar)
		message_bar(NULL);
	p.shown = false;
}
