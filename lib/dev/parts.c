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
#include <string.h>

#include "base/team.h"

enum {
	PART = 1 << 20, /* bytes moved by a part that is worth a launch */
	MOST = 16,	/* parts of a thread */
	TURNS = 3	/* of a thread in dev_layers */
};

struct parts {
	struct dev *d;
	struct kernel *k;
	const size_t *global, *local;
	const size_t *work;
	int axis;			/* the outermost one with more than one work-group */
	size_t groups, count;
	atomic_int error;
};

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
	size_t low = 0, high = p->groups, middle;

	if (!p->work || p->axis != 2)
		return p->groups * i / p->count;
	while (low < high) {
		middle = (low + high) / 2;
		if (p->work[middle] * p->count < p->work[p->groups] * i)
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

	if (end == from)
		return;
	offset[p->axis] += from * p->local[p->axis];
	n[p->axis] = (end - from) * p->local[p->axis];
	note(p, launch(p->d->queues[member], p->k->of[0], offset, n, p->local));
}

/* Of `threads` equal shares, more where stealing from a slower thread's pays. */
static size_t count_parts(size_t threads, size_t groups, size_t bytes)
{
	size_t each = bytes / PART / threads, count = threads * (each < 1 ? 1 : each > MOST ? MOST : each);

	return count < groups ? count : groups;
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

cl_int parts_run(struct dev *d, struct kernel *k, const size_t global[3], const size_t local[3], const struct ndrange *range)
{
	struct parts p = { d, k, global, local, range->work, 2, 0, 0, CL_SUCCESS };
	size_t extent[3] = { global[0], global[1], global[2] }, left;

	while (p.axis > 0 && global[p.axis] == local[p.axis])
		p.axis--;
	p.groups = global[p.axis] / local[p.axis];
	p.count = left = count_parts((size_t)d->threads, p.groups, range->bytes);
	extent[p.axis] = (p.groups + p.count - 1) / p.count * local[p.axis];
	if (!same_form(k, local, extent[0], extent[1]) && p.axis < 2) /* layers are not of the extent */
		run_part(&p, --left, 0);
	team_run(d->threads, left, run_part, &p);
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

/* A thread's turns are a half of its layers and two quarters: what a slow one has left becomes another one's. */
static size_t first_layer(const struct shares *s, size_t i)
{
	static const size_t quarters[TURNS] = { 0, 2, 3 };
	size_t begin = s->n * (i / TURNS) / s->threads, end = s->n * (i / TURNS + 1) / s->threads;

	return begin + (end - begin) * quarters[i % TURNS] / 4;
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
	team_run(d->threads, TURNS * s.threads, run_share, &s);
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
