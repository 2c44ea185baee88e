#include "dev/internal.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/die.h"
#include "base/mem.h"

/* Times under a name: a kernel's launches, or a stage's calls. */
struct entry {
	char *name;
	size_t calls;
	double seconds, bytes;
};

struct table {
	struct entry *e;
	size_t n;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct table kernels, stages;
static bool enabled;

static struct entry *find(struct table *t, const char *name)
{
	for (size_t i = 0; i < t->n; i++)
		if (strcmp(t->e[i].name, name) == 0)
			return &t->e[i];
	t->e = mem_grow(t->e, t->n + 1, sizeof *t->e);
	t->e[t->n] = (struct entry){ .name = mem_strdup(name) };
	return &t->e[t->n++];
}

static void add(struct table *t, const char *name, double seconds, double bytes)
{
	struct entry *e;

	pthread_mutex_lock(&lock);
	e = find(t, name);
	e->calls++;
	e->seconds += seconds;
	e->bytes += bytes;
	pthread_mutex_unlock(&lock);
}

void profile_enable(void)
{
	enabled = true;
}

bool profile_enabled(void)
{
	return enabled;
}

double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double profile_begin(void)
{
	return enabled ? seconds_now() : 0;
}

void profile_end(const char *stage, double start, size_t bytes)
{
	if (enabled)
		add(&stages, stage, seconds_now() - start, (double)bytes);
}

void profile_kernel(const char *kernel, double seconds, size_t bytes)
{
	if (enabled)
		add(&kernels, kernel, seconds, (double)bytes);
}

int profile_event(const char *kernel, cl_event event, size_t bytes)
{
	cl_ulong from = 0, to = 0;
	cl_int e = clWaitForEvents(1, &event);

	if (e == CL_SUCCESS)
		e = clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_START, sizeof from, &from,
					    NULL);
	if (e == CL_SUCCESS)
		e = clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof to, &to, NULL);
	clReleaseEvent(event);
	if (e != CL_SUCCESS)
		return cl_failed(kernel, "clGetEventProfilingInfo", e);
	profile_kernel(kernel, 1e-9 * (double)(to - from), bytes);
	return 0;
}

static int longest_first(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->seconds != y->seconds)
		return x->seconds < y->seconds ? 1 : -1;
	return strcmp(x->name, y->name);
}

static double rate(const struct entry *e)
{
	return e->seconds > 0 ? e->bytes / e->seconds / 1e9 : 0;
}

static void print_text(FILE *f, const char *what, const char *calls, const struct table *t)
{
	int wide = (int)strlen(what);

	for (size_t i = 0; i < t->n; i++)
		if ((int)strlen(t->e[i].name) > wide)
			wide = (int)strlen(t->e[i].name);
	fprintf(f, "%-*s  %9s  %11s  %11s  %9s\n", wide, what, calls, "total/ms", "mean/ms",
		"GB/s");
	for (size_t i = 0; i < t->n; i++) {
		const struct entry *e = &t->e[i];

		fprintf(f, "%-*s  %9zu  %11.3f  %11.4f", wide, e->name, e->calls, 1e3 * e->seconds,
			1e3 * e->seconds / (double)e->calls);
		if (e->bytes > 0)
			fprintf(f, "  %9.2f\n", rate(e));
		else
			fprintf(f, "  %9s\n", "-");
	}
}

static void print_csv(FILE *f, const char *what, const struct table *t)
{
	for (size_t i = 0; i < t->n; i++)
		fprintf(f, "%s,%s,%zu,%.9g,%.9g,%.0f,%.9g\n", what, t->e[i].name, t->e[i].calls,
			t->e[i].seconds, 1e3 * t->e[i].seconds / (double)t->e[i].calls,
			t->e[i].bytes, rate(&t->e[i]));
}

int profile_print(FILE *f, bool csv)
{
	pthread_mutex_lock(&lock);
	if (kernels.n)
		qsort(kernels.e, kernels.n, sizeof *kernels.e, longest_first);
	if (stages.n)
		qsort(stages.e, stages.n, sizeof *stages.e, longest_first);
	if (csv) {
		fprintf(f, "kind,name,calls,seconds,mean_ms,bytes,gb_per_s\n");
		print_csv(f, "kernel", &kernels);
		print_csv(f, "stage", &stages);
	} else {
		print_text(f, "kernel", "launches", &kernels);
		print_text(f, "stage", "calls", &stages);
	}
	pthread_mutex_unlock(&lock);
	return fflush(f) == 0 && !ferror(f) ? 0 : error("'--profile': write error");
}
