#include "dev/clplan.h"

#include <config.h>

#include "base/die.h"
#include "base/mem.h"
#include "dev/internal.h"

#ifdef HAVE_CLFFT
#include <clFFT.h>
#include <stdlib.h>

struct clplan {
	struct dev *d;
	clfftPlanHandle h;
	bool baked, backward;
};

static int open_devices; /* that called clfftSetup */

static bool has_only_small_factors(size_t n)
{
	static const size_t factor[] = { 2, 3, 5, 7, 11, 13 };

	for (size_t i = 0; i < sizeof factor / sizeof *factor; i++)
		while (n % factor[i] == 0)
			n /= factor[i];
	return n == 1;
}

bool clplan_possible(const struct fft_desc *n, bool slow)
{
	size_t half = n->nx / 2 + 1;

	if (!has_only_small_factors(n->ny) || (!slow && !has_only_small_factors(n->nx)))
		return false;
	if ((n->kind == FFT_R2C && n->out_row < half) || (n->kind == FFT_C2R && n->in_row < half))
		return false;
	return n->ny > 1 && (slow || n->nx > 1);
}

static int start_library(struct dev *d)
{
	clfftSetupData data;
	clfftStatus e;

	if (d->clfft)
		return 0;
	e = clfftInitSetupData(&data);
	if (e == CLFFT_SUCCESS && open_devices == 0)
		e = clfftSetup(&data);
	if (e != CLFFT_SUCCESS)
		return cl_failed(d->name, "clfftSetup", e);
	d->clfft = true;
	open_devices++;
	return 0;
}

void clplan_close(struct dev *d)
{
	if (d->clfft && --open_devices == 0)
		clfftTeardown();
	d->clfft = false;
}

static clfftStatus set_layout(clfftPlanHandle h, const struct fft_desc *n, bool slow)
{
	static const clfftLayout in[] = { CLFFT_COMPLEX_INTERLEAVED, CLFFT_COMPLEX_INTERLEAVED,
					  CLFFT_REAL, CLFFT_HERMITIAN_INTERLEAVED };
	static const clfftLayout out[] = { CLFFT_COMPLEX_INTERLEAVED, CLFFT_COMPLEX_INTERLEAVED,
					   CLFFT_HERMITIAN_INTERLEAVED, CLFFT_REAL };
	size_t in_stride[2] = { slow ? n->in_row : 1, n->in_row },
	       out_stride[2] = { slow ? n->out_row : 1, n->out_row };
	clfftDim dim = slow ? CLFFT_1D : CLFFT_2D;
	clfftStatus e = clfftSetPlanPrecision(h, CLFFT_SINGLE);

	if (e == CLFFT_SUCCESS)
		e = clfftSetLayout(h, in[n->kind], out[n->kind]);
	if (e == CLFFT_SUCCESS)
		e = clfftSetPlanInStride(h, dim, in_stride);
	if (e == CLFFT_SUCCESS)
		e = clfftSetPlanOutStride(h, dim, out_stride);
	if (e == CLFFT_SUCCESS)
		e = clfftSetPlanBatchSize(h, slow ? n->nx : n->batch);
	if (e == CLFFT_SUCCESS)
		e = clfftSetPlanDistance(h, slow ? 1 : n->in_dist, slow ? 1 : n->out_dist);
	if (e == CLFFT_SUCCESS)
		e = clfftSetPlanScale(h, CLFFT_BACKWARD, 1);
	return e;
}

/* In place or not is part of a clFFT plan: it is baked when the first run tells. */
struct clplan *clplan_new(struct dev *d, const struct fft_desc *n, bool slow)
{
	size_t length[2] = { slow ? n->ny : n->nx, n->ny };
	struct clplan *p;
	clfftStatus e;

	if (start_library(d) != 0)
		return NULL;
	p = mem_new(1, sizeof *p);
	*p = (struct clplan){ .d = d, .backward = n->kind == FFT_BACKWARD || n->kind == FFT_C2R };
	e = clfftCreateDefaultPlan(&p->h, d->context, slow ? CLFFT_1D : CLFFT_2D, length);
	if (e != CLFFT_SUCCESS) {
		info("clFFT: %s for %zu x %zu", cl_error_name(e), n->ny, n->nx);
		free(p);
		return NULL;
	}
	e = set_layout(p->h, n, slow);
	if (e != CLFFT_SUCCESS) {
		info("clFFT: %s for %zu x %zu", cl_error_name(e), n->ny, n->nx);
		clplan_free(p);
		return NULL;
	}
	return p;
}

void clplan_free(struct clplan *p)
{
	if (!p)
		return;
	clFinish(p->d->queue);
	clfftDestroyPlan(&p->h);
	free(p);
}

static int bake(struct clplan *p, bool in_place)
{
	clfftStatus e = clfftSetResultLocation(p->h, in_place ? CLFFT_INPLACE : CLFFT_OUTOFPLACE);

	if (e == CLFFT_SUCCESS)
		e = clfftBakePlan(p->h, 1, &p->d->queue, NULL, NULL);
	if (e != CLFFT_SUCCESS)
		return cl_failed(p->d->name, "clfftBakePlan", e);
	p->baked = true;
	return 0;
}

/* The part as a memory object of its own: clFFT knows no offsets.  A sub-buffer where the device's
 * alignment allows, otherwise a copy
 * (*copied); the caller releases it. */
static cl_mem view(const struct dev *d, const struct part *s, bool *copied)
{
	cl_buffer_region r = { s->offset, s->bytes };
	cl_mem m;
	cl_int e;

	*copied = false;
	if (s->offset == 0) {
		clRetainMemObject(s->b->mem);
		return s->b->mem;
	}
	m = clCreateSubBuffer(s->b->mem, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &r, &e);
	if (m)
		return m;
	*copied = true;
	m = clCreateBuffer(d->context, CL_MEM_READ_WRITE, s->bytes, NULL, &e);
	if (m) {
		e = clEnqueueCopyBuffer(d->queue, s->b->mem, m, s->offset, 0, s->bytes, 0, NULL,
					NULL);
		if (e != CL_SUCCESS) {
			clReleaseMemObject(m);
			m = NULL;
		}
	}
	if (!m)
		cl_failed(d->name, "clFFT's copy of a part of a buffer", e);
	return m;
}

int clplan_run(struct clplan *p, const struct part *in, const struct part *out)
{
	bool in_place = in->b == out->b, copied_in, copied_out = false;
	cl_mem a = NULL, b = NULL;
	cl_int e;
	int rc = -1;

	if (!p->baked && bake(p, in_place) != 0)
		return -1;
	a = view(p->d, in, &copied_in);
	if (!a)
		goto done;
	if (!in_place && !(b = view(p->d, out, &copied_out)))
		goto done;
	e = (cl_int)clfftEnqueueTransform(p->h, p->backward ? CLFFT_BACKWARD : CLFFT_FORWARD, 1,
					  &p->d->queue, 0, NULL, NULL, &a, in_place ? NULL : &b,
					  NULL);
	if (e == CL_SUCCESS && in_place && copied_in)
		e = clEnqueueCopyBuffer(p->d->queue, a, out->b->mem, 0, out->offset, out->bytes, 0,
					NULL, NULL);
	if (e == CL_SUCCESS && copied_out)
		e = clEnqueueCopyBuffer(p->d->queue, b, out->b->mem, 0, out->offset, out->bytes, 0,
					NULL, NULL);
	if (e != CL_SUCCESS)
		cl_failed(p->d->name, "clfftEnqueueTransform", e);
	else
		rc = 0;
done:
	if (a)
		clReleaseMemObject(a);
	if (b)
		clReleaseMemObject(b);
	return rc;
}

#else

bool clplan_possible(const struct fft_desc *desc, bool slow)
{
	(void)desc;
	(void)slow;
	return false;
}

struct clplan *clplan_new(struct dev *d, const struct fft_desc *desc, bool slow)
{
	(void)d;
	(void)desc;
	(void)slow;
	return NULL;
}

void clplan_free(struct clplan *p)
{
	(void)p;
}

int clplan_run(struct clplan *p, const struct part *in, const struct part *out)
{
	(void)p;
	(void)in;
	(void)out;
	return error("built without clFFT");
}

void clplan_close(struct dev *d)
{
	(void)d;
}

#endif
