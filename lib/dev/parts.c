/* One launch by the program's own threads (base/team.h), each of which launches parts of the range on a queue of its own.  PoCL's driver
 * "basic" runs a kernel in the thread that asks for it: 3 us a launch where its threaded driver, which hands it to other threads, takes 18 (PoCL 3.1, two
 * processors), and a thread's part of the data stays in the cache of the processor that also transforms it (dev/hostfft.c).
 *
 * PoCL 3.1 keeps a kernel compiled for a work-group size, up to an extent of the range along x and y, with an offset or without one;
 * when a launch is done it gives back the one of that work-group size that was used last, whichever it was, and aborts if that one is not in use.  So
 * all launches have an offset (layers count from 1, which cl/common.clh takes off), and one whose extent is not that of the kernel's last launch begins
 * with one part alone, the largest: what that part uses is what the others find first. */
#include "dev/internal.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "base/team.h"

enum {
	PART = 1 << 20, /* bytes moved by a part that is worth a launch */
	MOST = 16	/* parts of a thread */
};

struct parts {
	struct dev *d;
	struct kernel *k;
	const size_t *global, *local;
	const size_t *work;
	int axis;			/* the outermost one with more than one work-group */
	size_t groups, count;
	bool turns;
	size_t done; /* the part that was launched alone */
	atomic_int error;
};

/* A thread's share in two turns: three quarters, then a quarter, which another thread takes where this one is slower.  So many
 * quarters of a share lie before turn i of all. */
static size_t quarters(size_t i)
{
	return i / 2 * 4 + i % 2 * 3;
}

static void note(struct parts *p, cl_int e)
{
	if (e != CL_SUCCESS)
		p->error = e;
}

static cl_int launch(cl_command_queue q, cl_kernel k, const size_t offset[3], const size_t n[3], const size_t local[3])
{
	cl_int e = clEnqueueNDRangeKernel(q, k, 3, offset, n, local, 0, NULL, NULL);

	return e == CL_SUCCESS ? clFinish(q) : e;
}

/* Work-groups before the i-th part. */
static size_t begin(const struct parts *p, size_t i)
{
	size_t low = 0, high = p->groups, middle, of = p->turns ? 2 * p->count : p->count;

	if (p->turns)
		i = quarters(i);
	if (!p->work || p->axis != 2)
		return p->groups * i / of;
	while (low < high) {
		middle = (low + high) / 2;
		if (p->work[middle] * of < p->work[p->groups] * i)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void run_part(void *context, size_t i, int member)
{
	struct parts *p = context;
	size_t offset[3] = { 0, 0, 1 }, n[3] = { p->global[0], p->global[1], p->global[2] };
	size_t from = begin(p, i), end = begin(p, i + 1);

	if (end == from || i == p->done)
		return;
	offset[p->axis] += from * p->local[p->axis];
	n[p->axis] = (end - from) * p->local[p->axis];
	note(p, launch(p->d->queues[member], p->k->of[0], offset, n, p->local));
}

/* A thread's share is two turns, equal parts where it is large, one launch where it is small. */
static void count_parts(struct parts *p, size_t threads, size_t bytes)
{
	size_t share = bytes / threads, each = share / PART;

	p->turns = threads > 1 && share >= PART / 2 && each < 4;
	if (p->turns)
		each = 2;
	else if (threads == 1 || each < 1)
		each = 1;
	p->count = threads * (each > MOST ? MOST : each);
	if (p->count > p->groups) {
		p->count = p->groups;
		p->turns = false;
	}
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of forms */

/* Whether the kernel's last launch was of that form, too; now it is. */
static bool same_form(struct kernel *k, const size_t local[3], size_t columns, size_t rows)
{
	struct kernel_form form = { { local[0], local[1], local[2] }, columns > rows ? columns : rows };
	bool same;

	pthread_mutex_lock(&lock);
	same = memcmp(&k->form, &form, sizeof form) == 0;
	k->form = form;
	pthread_mutex_unlock(&lock);
	return same;
}

static size_t largest(const struct parts *p)
{
	size_t best = 0, most = 0;

	for (size_t i = 0; i < p->count; i++)
		if (begin(p, i + 1) - begin(p, i) > most) {
			best = i;
			most = begin(p, i + 1) - begin(p, i);
		}
	return best;
}

cl_int parts_run(struct dev *d, struct kernel *k, const size_t global[3], const size_t local[3], const struct ndrange *range)
{
	struct parts p = { d, k, global, local, range->work, 2, .done = SIZE_MAX };
	size_t extent[3] = { global[0], global[1], global[2] }, first = 0;

	while (p.axis > 0 && global[p.axis] == local[p.axis])
		p.axis--;
	p.groups = global[p.axis] / local[p.axis];
	count_parts(&p, (size_t)d->threads, range->bytes);
	if (p.axis < 2) { /* layers are not of the extent */
		first = largest(&p);
		extent[p.axis] = (begin(&p, first + 1) - begin(&p, first)) * local[p.axis];
	}
	if (!same_form(k, local, extent[0], extent[1]) && p.axis < 2) {
		run_part(&p, first, 0);
		p.done = first;
	}
	team_run(d->threads, p.count, run_part, &p);
	return p.error;
}

/* ---- layers */

_Thread_local const struct layers *own_layers;

struct shares {
	size_t n, threads;
	int (*task)(void *);
	void *context;
	atomic_int rc;
};

static size_t first_layer(const struct shares *s, size_t i)
{
	return s->n * quarters(i) / (4 * s->threads);
}

static void run_share(void *context, size_t i, int member)
{
	struct shares *s = context;
	struct layers l = { s->n, first_layer(s, i), first_layer(s, i + 1), member };

	if (l.from == l.end)
		return;
	own_layers = &l;
	if (s->task(s->context) != 0)
		s->rc = -1;
	own_layers = NULL;
}

int dev_layers(struct dev *d, size_t n, int (*task)(void *context), void *context)
{
	struct shares s = { n, (size_t)d->threads, task, context, 0 };

	if (!d->queues || d->threads == 1 || n < 2 || d->fft == FFT_CLFFT || profile_enabled())
		return task(context); /* clFFT has one queue; the profile shows what each launch takes */
	team_run(d->threads, 2 * s.threads, run_share, &s);
	return s.rc;
}

cl_int layers_run(struct dev *d, struct kernel *k, const size_t global[3], const size_t local[3])
{
	const struct layers *l = own_layers;
	size_t each = global[2] / l->n, offset[3] = { 0, 0, 1 + l->from * each };
	size_t n[3] = { global[0], global[1], (l->end - l->from) * each };

	if (global[2] % l->n || local[2] != 1)
		return CL_INVALID_GLOBAL_WORK_SIZE;
	same_form(k, local, global[0], global[1]); /* all shares are of one */
	return launch(d->queues[l->member], k->of[l->member], offset, n, local);
}
