/* Programs and the launch of their kernels. */
#include "dev/internal.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "dev/clsrc.h"

static const char *source_of(const char *name)
{
	for (const struct clsrc *s = clsrc; s->name; s++)
		if (strcmp(s->name, name) == 0)
			return s->text;
	return NULL;
}

/* The build log, line by line, under --verbose. */
static void show_log(struct dev *d, cl_program p)
{
	size_t n = 0;
	char *log, *line, *rest;

	if (clGetProgramBuildInfo(p, d->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &n) != CL_SUCCESS ||
	    n == 0)
		return;
	log = mem_new(n + 1, 1);
	if (clGetProgramBuildInfo(p, d->id, CL_PROGRAM_BUILD_LOG, n, log, NULL) == CL_SUCCESS)
		for (line = strtok_r(log, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
			info("%s", line);
	free(log);
}

static cl_program build(struct dev *d, const char *name, const char *source)
{
	const char *text[2] = { source_of("cl/common.clh"), source };
	char *options = mem_printf("-cl-std=CL1.2%s%s%s", d->fp64 ? " -DHAVE_FP64" : "",
				   d->wide ? " -DWIDE" : "",
				   d->queues ? " -DLAYERS_FROM_ONE" : "");
	char *path = binary_path(d, text, options);
	cl_int e;
	cl_program p = path ? binary_load(d, path, options) : NULL;

	if (p)
		goto done;
	p = clCreateProgramWithSource(d->context, 2, text, NULL, &e);
	if (!p) {
		cl_failed(name, "clCreateProgramWithSource", e);
		goto done;
	}
	e = clBuildProgram(p, 1, &d->id, options, NULL, NULL);
	if (e != CL_SUCCESS) {
		error("'%s': %s in clBuildProgram%s", name, cl_error_name(e),
		      verbosity < VERBOSE ? "; --verbose shows the build log" : "");
		show_log(d, p);
		clReleaseProgram(p);
		p = NULL;
	}
	if (p && path)
		binary_save(path, p);
done:
	free(path);
	free(options);
	return p;
}

int dev_load_text(struct dev *d, const char *name, const char *text)
{
	struct program *p;
	cl_program built;
	double t;

	for (p = d->programs; p; p = p->next)
		if (strcmp(p->name, name) == 0)
			return 0;
	t = profile_begin();
	built = build(d, name, text);
	if (!built)
		return -1;
	profile_end("build", t, 0);
	p = mem_new(1, sizeof *p);
	*p = (struct program){ mem_strdup(name), built, d->programs };
	d->programs = p;
	return 0;
}

int dev_load(struct dev *d, const char *program)
{
	char *file = mem_printf("cl/%s.cl", program);
	const char *text = source_of(file);
	int rc = text ? dev_load_text(d, file, text) : error("'%s': no such program", file);

	free(file);
	return rc;
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the list of kernels */

/* The kernel of that name, new on first use; NULL after reporting. */
static struct kernel *made(struct dev *d, const char *name)
{
	struct kernel *k;
	cl_kernel first = NULL;
	cl_program from = NULL;
	cl_int e = CL_INVALID_KERNEL_NAME;

	for (k = d->kernels; k; k = k->next)
		if (strcmp(k->name, name) == 0)
			return k;
	for (struct program *p = d->programs; p && !first; p = p->next) {
		first = clCreateKernel(from = p->p, name, &e);
		if (!first && e != CL_INVALID_KERNEL_NAME)
			break;
	}
	if (!first) {
		cl_failed(name, "clCreateKernel", e);
		return NULL;
	}
	k = mem_new(1, sizeof *k);
	*k = (struct kernel){ .name = mem_strdup(name), .program = from, .next = d->kernels };
	k->of = mem_new((size_t)d->threads, sizeof *k->of);
	k->of[0] = first;
	clGetKernelInfo(first, CL_KERNEL_NUM_ARGS, sizeof k->nargs, &k->nargs, NULL);
	d->kernels = k;
	return k;
}

/* The kernel of that name, ready for the calling thread; NULL after reporting. */
static struct kernel *find(struct dev *d, const char *name, int member)
{
	struct kernel *k;
	cl_int e = CL_SUCCESS;

	pthread_mutex_lock(&lock);
	k = made(d, name);
	pthread_mutex_unlock(&lock);
	if (k && !k->of[member])
		k->of[member] = clCreateKernel(k->program, name, &e);
	if (e != CL_SUCCESS)
		cl_failed(name, "clCreateKernel", e);
	return k && k->of[member] ? k : NULL;
}

/* On PoCL a launch locks and keeps account of each buffer, not of pointers: 10 us instead of 3 when
 * two threads launch at a time. */
static cl_int set_buf(const struct dev *d, cl_kernel k, cl_uint i, const struct buf *b)
{
	if (d->pointers)
		return clSetKernelArgSVMPointer(k, i, b ? b->host : NULL);
	return clSetKernelArg(k, i, sizeof(cl_mem), b ? &b->mem : NULL);
}

static int set_args(const struct dev *d, const struct kernel *k, int member,
		    const struct arg *args, size_t n)
{
	cl_kernel own = k->of[member];

	if (n != k->nargs)
		return error("'%s': %zu arguments, expected %u", k->name, n, k->nargs);
	for (cl_uint i = 0; i < n; i++) {
		const struct arg *a = &args[i];
		cl_int e = a->is_buf ? set_buf(d, own, i, *(struct buf *const *)a->ptr)
				     : clSetKernelArg(own, i, a->size, a->ptr);

		if (e != CL_SUCCESS) {
			char name[64] = "";

			clGetKernelArgInfo(own, i, CL_KERNEL_ARG_NAME, sizeof name, name, NULL);
			return error("'%s': %s for argument %u%s%s (%zu bytes)", k->name,
				     cl_error_name(e), i + 1, *name ? " " : "", name,
				     a->is_buf ? sizeof(cl_mem) : a->size);
		}
	}
	return 0;
}

/* The smallest power of two that is >= n, at most `most`. */
static size_t power_of_two(size_t n, size_t most)
{
	size_t p = 1;

	while (p < n && p < most)
		p *= 2;
	return p;
}

/* PoCL compiles a kernel once per work-group size: the default must not depend on an image's size
 * but for tiny ones. */
static void work_group(const struct dev *d, const struct ndrange *r, size_t local[3])
{
	size_t most = d->cpu ? 64 : 256, max;

	for (int i = 0; i < 3; i++)
		local[i] = r->local[i] ? r->local[i] : 1;
	if (r->local[0])
		return;
	max = d->max_group / (local[1] * local[2]);
	if (max == 0)
		max = 1;
	if (d->work_group > 0)
		local[0] = (size_t)d->work_group < max ? (size_t)d->work_group : max;
	else
		local[0] = power_of_two(r->n[0], most < max ? most : max);
}

/* On the device's own queue. */
static cl_int enqueue(struct dev *d, const struct kernel *k, const size_t global[3],
		      const size_t local[3], cl_event *event)
{
	d->busy = true;
	return clEnqueueNDRangeKernel(d->queue, k->of[0], 3, NULL, global, local, 0, NULL, event);
}

int dev_run_args(struct dev *d, const char *name, struct ndrange range, const struct arg *args,
		 size_t n)
{
	int member = own_layers ? own_layers->member : 0;
	struct kernel *k = find(d, name, member);
	size_t local[3], global[3];
	cl_event event = NULL;
	double t;
	cl_int e;

	if (!k || set_args(d, k, member, args, n) != 0)
		return -1;
	if (range.n[0] == 0 || range.n[1] == 0 || range.n[2] == 0)
		return 0;
	work_group(d, &range, local);
	for (int i = 0; i < 3; i++)
		global[i] = (range.n[i] + local[i] - 1) / local[i] * local[i];
	if (d->queues && !own_layers && dev_finish(d) != 0) /* clFFT's launches are on another queue */
		return -1;
	t = profile_begin();
	e = own_layers ? layers_run(d, k, global, local)
	    : d->queues ? parts_run(d, k, global, local, &range)
		      : enqueue(d, k, global, local, d->profiled ? &event : NULL);
	if (e != CL_SUCCESS)
		return error("'%s': %s in clEnqueueNDRangeKernel, %zu x %zu x %zu in groups of %zu "
			     "x %zu x %zu",
			     name, cl_error_name(e), global[0], global[1], global[2], local[0],
			     local[1], local[2]);
	if (event)
		return profile_event(name, event, range.bytes);
	if (d->queues && profile_enabled())
		profile_kernel(name, seconds_now() - t, range.bytes);
	return 0;
}

int dev_finish(struct dev *d)
{
	cl_int e = d->busy ? clFinish(d->queue) : CL_SUCCESS;

	d->busy = false;
	return e == CL_SUCCESS ? 0 : cl_failed(d->name, "clFinish", e);
}
