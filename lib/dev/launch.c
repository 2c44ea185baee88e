/* Programs and the launch of their kernels. */
#include "dev/internal.h"

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
	char *options = mem_printf("-cl-std=CL1.2%s%s", d->fp64 ? " -DHAVE_FP64" : "",
				   d->wide ? " -DWIDE" : "");
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

/* The kernel of that name, made on first use; NULL after reporting. */
static struct kernel *find(struct dev *d, const char *name)
{
	struct kernel *k;
	cl_kernel made = NULL;
	cl_int e = CL_INVALID_KERNEL_NAME;

	for (k = d->kernels; k; k = k->next)
		if (strcmp(k->name, name) == 0)
			return k;
	for (struct program *p = d->programs; p && !made; p = p->next) {
		made = clCreateKernel(p->p, name, &e);
		if (!made && e != CL_INVALID_KERNEL_NAME)
			break;
	}
	if (!made) {
		cl_failed(name, "clCreateKernel", e);
		return NULL;
	}
	k = mem_new(1, sizeof *k);
	*k = (struct kernel){ mem_strdup(name), made, 0, d->kernels };
	clGetKernelInfo(made, CL_KERNEL_NUM_ARGS, sizeof k->nargs, &k->nargs, NULL);
	d->kernels = k;
	return k;
}

static int set_args(const struct kernel *k, const struct arg *args, size_t n)
{
	if (n != k->nargs)
		return error("'%s': %zu arguments, expected %u", k->name, n, k->nargs);
	for (cl_uint i = 0; i < n; i++) {
		const struct arg *a = &args[i];
		cl_mem mem = NULL;
		cl_int e;

		if (a->is_buf) {
			const struct buf *b = *(struct buf *const *)a->ptr;

			mem = b ? b->mem : NULL;
			e = clSetKernelArg(k->k, i, sizeof mem, &mem);
		} else {
			e = clSetKernelArg(k->k, i, a->size, a->ptr);
		}
		if (e != CL_SUCCESS) {
			char name[64] = "";

			clGetKernelArgInfo(k->k, i, CL_KERNEL_ARG_NAME, sizeof name, name, NULL);
			return error("'%s': %s for argument %u%s%s (%zu bytes)", k->name,
				     cl_error_name(e), i + 1, *name ? " " : "", name,
				     a->is_buf ? sizeof mem : a->size);
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

int dev_run_args(struct dev *d, const char *name, struct ndrange range, const struct arg *args,
		 size_t n)
{
	struct kernel *k = find(d, name);
	size_t local[3], global[3];
	cl_event event;
	cl_int e;

	if (!k || set_args(k, args, n) != 0)
		return -1;
	if (range.n[0] == 0 || range.n[1] == 0 || range.n[2] == 0)
		return 0;
	work_group(d, &range, local);
	for (int i = 0; i < 3; i++)
		global[i] = (range.n[i] + local[i] - 1) / local[i] * local[i];
	e = clEnqueueNDRangeKernel(d->queue, k->k, 3, NULL, global, local, 0, NULL,
				   d->profiled ? &event : NULL);
	if (e != CL_SUCCESS)
		return error("'%s': %s in clEnqueueNDRangeKernel, %zu x %zu x %zu in groups of %zu "
			     "x %zu x %zu",
			     name, cl_error_name(e), global[0], global[1], global[2], local[0],
			     local[1], local[2]);
	d->busy = true;
	return d->profiled ? profile_event(name, event, range.bytes) : 0;
}

int dev_finish(struct dev *d)
{
	cl_int e = d->busy ? clFinish(d->queue) : CL_SUCCESS;

	d->busy = false;
	return e == CL_SUCCESS ? 0 : cl_failed(d->name, "clFinish", e);
}
