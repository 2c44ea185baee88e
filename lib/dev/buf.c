#include "dev/internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/die.h"
#include "base/mem.h"
#include "base/team.h"

/* Memory of a CPU device: pages from 2 MiB on, huge where the kernel gives them (first touch is
 * then 10 times cheaper). */
static const size_t huge = (size_t)2 << 20;

static void *aligned(struct buf *b, size_t align)
{
	void *p = NULL;

	if (b->d->pointers) { /* OpenCL aligns less */
		b->svm = clSVMAlloc(b->d->context, CL_MEM_READ_WRITE | CL_MEM_SVM_FINE_GRAIN_BUFFER, b->host_bytes + align, 0);
		return b->svm ? (char *)b->svm + (align - (uintptr_t)b->svm % align) : NULL;
	}
	return posix_memalign(&p, align, b->host_bytes) == 0 ? p : NULL;
}

static void free_host(struct buf *b)
{
	if (b->svm)
		clSVMFree(b->d->context, b->svm);
	else
		free(b->host);
}

static int host_memory(struct buf *b)
{
	b->host_bytes = (b->bytes + 4095) / 4096 * 4096;
	b->host = aligned(b, b->bytes < huge ? 4096 : huge);
	if (!b->host)
		return error("'%s': cannot allocate %zu bytes", b->d->name, b->bytes);
	if (b->bytes >= huge)
		madvise(b->host, b->host_bytes, MADV_HUGEPAGE);
	return 0;
}

struct buf *buf_new(struct dev *d, size_t bytes)
{
	struct buf *b;
	cl_int e;

	if (bytes == 0)
		bytes = 1;
	if (bytes > d->mem - d->used || d->used > d->mem) {
		error("'--mem': %zu bytes more are needed on the device beside %zu in use, %zu are "
		      "allowed",
		      bytes, d->used, d->mem);
		return NULL;
	}
	if (bytes > d->largest) {
		error("'%s': one buffer of %zu bytes, expected at most %zu "
		      "(CL_DEVICE_MAX_MEM_ALLOC_SIZE)",
		      d->name, bytes, d->largest);
		return NULL;
	}
	b = mem_new(1, sizeof *b);
	*b = (struct buf){ .d = d, .bytes = bytes };
	if (d->cpu && host_memory(b) != 0)
		goto failed;
	b->mem = clCreateBuffer(d->context, CL_MEM_READ_WRITE | (b->host ? CL_MEM_USE_HOST_PTR : 0),
				bytes, b->host, &e);
	if (!b->mem) {
		error("'%s': %s in clCreateBuffer of %zu bytes", d->name, cl_error_name(e), bytes);
		goto failed;
	}
	d->used += bytes;
	return b;
failed:
	free_host(b);
	free(b);
	return NULL;
}

void buf_free(struct buf *b)
{
	if (!b)
		return;
	if (b->mapped)
		buf_unmap(b);
	dev_finish(b->d); /* a launch may still use the host memory */
	clReleaseMemObject(b->mem);
	b->d->used -= b->bytes;
	free_host(b);
	free(b);
}

size_t buf_bytes(const struct buf *b)
{
	return b->bytes;
}

static int check_range(const struct buf *b, size_t offset, size_t bytes)
{
	if (offset > b->bytes || bytes > b->bytes - offset)
		return error("buffer of %zu bytes: access to %zu at %zu", b->bytes, bytes, offset);
	return 0;
}

struct copy {
	char *to;
	const char *from;
};

static void copy_words(void *context, size_t from, size_t to)
{
	struct copy *c = context;

	memcpy(c->to + 8 * from, c->from + 8 * from, 8 * (to - from));
}

static void copy(void *to, const void *from, size_t bytes)
{
	struct copy c = { to, from };

	team_pieces(bytes / 8, copy_words, &c);
	memcpy(c.to + bytes / 8 * 8, c.from + bytes / 8 * 8, bytes % 8);
}

int buf_write(struct buf *b, size_t offset, const void *host, size_t bytes)
{
	double t = profile_begin();
	cl_int e = CL_SUCCESS;

	if (check_range(b, offset, bytes) != 0)
		return -1;
	if (bytes == 0)
		return 0;
	if (b->d->shared) {
		if (dev_finish(b->d) != 0)
			return -1;
		copy((char *)b->host + offset, host, bytes);
	} else {
		e = clEnqueueWriteBuffer(b->d->queue, b->mem, CL_TRUE, offset, bytes, host, 0, NULL, NULL);
	}
	if (e != CL_SUCCESS)
		return cl_failed(b->d->name, "clEnqueueWriteBuffer", e);
	profile_end("upload", t, bytes);
	return 0;
}

int buf_read(struct buf *b, size_t offset, void *host, size_t bytes)
{
	double t;
	cl_int e = CL_SUCCESS;

	if (check_range(b, offset, bytes) != 0)
		return -1;
	if (bytes == 0)
		return 0;
	/* waiting for kernels is not "download" */
	if ((profile_enabled() || b->d->shared) && dev_finish(b->d) != 0)
		return -1;
	t = profile_begin();
	if (b->d->shared)
		copy(host, (const char *)b->host + offset, bytes);
	else
		e = clEnqueueReadBuffer(b->d->queue, b->mem, CL_TRUE, offset, bytes, host, 0, NULL, NULL);
	if (e != CL_SUCCESS)
		return cl_failed(b->d->name, "clEnqueueReadBuffer", e);
	profile_end("download", t, bytes);
	return 0;
}

static void zero(void *context, size_t from, size_t to)
{
	memset((char *)context + 8 * from, 0, 8 * (to - from));
}

int buf_zero(struct buf *b)
{
	unsigned char none = 0;
	cl_int e;

	if (b->d->cpu) {
		char *p = buf_map(b, MAP_DISCARD);

		if (!p)
			return -1;
		team_pieces(b->bytes / 8, zero, p);
		memset(p + b->bytes / 8 * 8, 0, b->bytes % 8);
		return buf_unmap(b);
	}
	e = clEnqueueFillBuffer(b->d->queue, b->mem, &none, 1, 0, b->bytes, 0, NULL, NULL);
	b->d->busy = true;
	return e == CL_SUCCESS ? 0 : cl_failed(b->d->name, "clEnqueueFillBuffer", e);
}

void *buf_map(struct buf *b, enum map_mode mode)
{
	cl_map_flags flags = 0;
	cl_int e;

	if (b->mapped) {
		error("buffer of %zu bytes: mapped twice", b->bytes);
		return NULL;
	}
	if (b->d->shared) /* OpenCL's own map and unmap are two commands that a thread hands to another */
		return b->mapped = dev_finish(b->d) == 0 ? b->host : NULL;
	if (mode & MAP_DISCARD)
		flags = CL_MAP_WRITE_INVALIDATE_REGION;
	else
		flags = (mode & MAP_READ ? CL_MAP_READ : 0) | (mode & MAP_WRITE ? CL_MAP_WRITE : 0);
	b->mapped = clEnqueueMapBuffer(b->d->queue, b->mem, CL_TRUE, flags, 0, b->bytes, 0, NULL,
				       NULL, &e);
	if (!b->mapped)
		cl_failed(b->d->name, "clEnqueueMapBuffer", e);
	return b->mapped;
}

int buf_unmap(struct buf *b)
{
	cl_int e;

	if (!b->mapped)
		return error("buffer of %zu bytes: unmapped, but it is not mapped", b->bytes);
	if (b->d->shared) {
		b->mapped = NULL;
		return 0;
	}
	e = clEnqueueUnmapMemObject(b->d->queue, b->mem, b->mapped, 0, NULL, NULL);
	b->d->busy = true;
	b->mapped = NULL;
	return e == CL_SUCCESS ? 0 : cl_failed(b->d->name, "clEnqueueUnmapMemObject", e);
}
