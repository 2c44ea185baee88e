/* The pages of a file, the threads that read and write slabs, and what the device does with them.
 */
#include <config.h>

#include "tvloss_pass.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "batch/common.h"

/* Host memory of a slab and the thread that fills or empties it. */
struct side {
	struct work *w;
	const struct job *j;
	float *pages;	  /* [planes + 2][comps][ny][nx], or of a gradient [planes][comps or 1] */
	const float *old; /* the slab before: its last planes are this one's first */
	size_t old_planes, from, to; /* planes of the file */
	int comps, rc;
	bool running;
	pthread_t thread;
};

/* ---- pages */

static size_t page_of(const struct work *w, size_t plane, size_t comp)
{
	return w->comps == 1		       ? plane
	       : tvloss.layout == LAYOUT_PAIRS ? 2 * plane + comp
					       : comp * w->planes + plane;
}

size_t work_area(const struct work *w)
{
	return w->ny * w->nx;
}

/* Where the page's first NaN or Inf is, if there is one and that is an error. */
int work_check(const struct work *w, const struct job *j, size_t page, const float *v)
{
	size_t n = work_area(w), bad = 0;

	if (tvloss.nan != NAN_REFUSE)
		return 0;
	for (size_t i = 0; i < n; i++)
		bad |= !isfinite(v[i]);
	for (size_t i = 0; i < n && bad; i++)
		if (!isfinite(v[i]))
			return error("'%s': page %zu, row %zu, column %zu is %s, expected finite",
				     j->input, page, i / w->nx, i % w->nx,
				     isnan(v[i]) ? "nan"
				     : v[i] > 0	 ? "inf"
						 : "-inf");
	return 0;
}

/* A page of native type, which is changed or freed, as floats. */
int work_convert(struct work *w, const struct job *j, const void *native, float *to)
{
	struct array one = { 0 };
	bool lossy = false;
	int rc = -1;

	if (array_init(&one, j->input, w->file.type, 1, w->ny, w->nx) != 0)
		return -1;
	memcpy(one.data, native, array_bytes(&one));
	if (array_to_f32(&one, &lossy) == 0) {
		memcpy(to, one.data, array_bytes(&one));
		w->lossy |= lossy;
		rc = 0;
	}
	array_clear(&one);
	return rc;
}

/* Reads a page of the stream. */
static int stream_page(struct work *w, const struct job *j, size_t page, float *to)
{
	bool plain = w->file.type == DT_F32;
	double t = profile_begin();

	if (tiff_in_page(w->in, page, plain ? (void *)to : w->native) != 0 ||
	    (!plain && work_convert(w, j, w->native, to) != 0))
		return -1;
	profile_end("read", t, work_area(w) * dtype_size(w->file.type));
	return work_check(w, j, page, to);
}

static void *fill(void *arg)
{
	struct side *s = arg;
	struct work *w = s->w;
	size_t plane = w->comps * work_area(w), kept = 0;

	if (s->old && s->from > 0) { /* from - 1 and from were read for the slab before */
		kept = 2;
		memcpy(s->pages, s->old + (s->old_planes - 2) * plane, 2 * plane * sizeof(float));
	}
	s->rc = 0;
	for (size_t p = s->from - (s->from > 0) + kept, at = kept;
	     p < s->to + (s->to < w->planes) && s->rc == 0; p++, at++)
		for (size_t c = 0; c < w->comps && s->rc == 0; c++)
			s->rc = stream_page(w, s->j, page_of(w, p, c),
					    s->pages + at * plane + c * work_area(w));
	return NULL;
}

static void *drain(void *arg)
{
	struct side *s = arg;
	double t = profile_begin();

	s->rc = tiff_sink_put(s->w->sink, s->pages, (s->to - s->from) * (size_t)s->comps);
	profile_end("write", t,
		    (s->to - s->from) * (size_t)s->comps * work_area(s->w) * sizeof(float));
	return NULL;
}

static void start(struct side *s, void *(*task)(void *))
{
	s->running = pthread_create(&s->thread, NULL, task, s) == 0;
	if (!s->running)
		task(s);
}

static int finish(struct side *s)
{
	if (s->running)
		pthread_join(s->thread, NULL);
	s->running = false;
	return s->rc;
}

/* ---- the device side */

/* The options for component c on the device. */
struct tv_opts work_opts(const struct work *w, size_t c)
{
	struct tv_opts o = tvloss.tv;

	if (w->comps == 2 && c == 0)
		o.wrap = false;
	return o;
}

/* Which component of the device is this part of a row, and does it count? */
bool work_uses(const struct work *w, size_t c)
{
	return w->comps == 1 || tvloss.part[c == 0 ? PART_AMPLITUDE : PART_PHASE];
}

void pass_close(struct pass *p)
{
	for (int c = 0; c < 2; c++) {
		if (p->tv[c].d)
			tv_clear(&p->tv[c]);
		buf_free(p->v[c]);
		buf_free(p->g[c]);
		free(p->factor[c]);
	}
	free(p->links);
}

int pass_open(struct pass *p)
{
	struct work *w = p->w;
	size_t halo = w->slab < w->planes ? 2 : 0, bytes = work_area(w) * sizeof(float);

	p->links = mem_new(w->planes, sizeof *p->links);
	for (size_t i = 0; i < w->planes; i++)
		p->links[i] = tvloss.tv.kind == TV_PLANE
				      ? 0
				      : (i % w->depth > 0 ? TV_PREV : 0) |
						(i % w->depth + 1 < w->depth ? TV_NEXT : 0);
	for (size_t c = 0; c < w->comps; c++) {
		struct tv_opts o = work_opts(w, c);

		p->factor[c] = mem_new(w->planes, sizeof *p->factor[c]);
		if (tv_init(&p->tv[c], p->d, &o, w->ny, w->nx) != 0)
			return -1;
		p->v[c] = buf_new(p->d, (w->slab + halo) * bytes);
		if (p->want)
			p->g[c] = buf_new(p->d, w->slab * bytes);
		if (!p->v[c] || (p->want && !p->g[c]))
			return -1;
	}
	return 0;
}

/* Component c of plane `plane` to place `at` of the device's slab. */
static int upload(struct pass *p, size_t plane, size_t c, size_t at, const float *from,
		  float *scratch)
{
	struct work *w = p->w;
	size_t bytes = work_area(w) * sizeof(float);

	if (!from) {
		const char *native = (const char *)w->file.data +
				     page_of(w, plane, c) * work_area(w) * dtype_size(w->file.type);

		if (w->file.type == DT_F32) {
			from = (const float *)native;
		} else {
			if (work_convert(w, p->j, native, scratch) != 0)
				return -1;
			from = scratch;
		}
	}
	return buf_write(p->v[c], at * bytes, from, bytes);
}

/* Sums and gradients of the planes [from, to), whose pages lie from plane from - 1 on in `pages`
 * (NULL: in w->file). */
static int compute_slab(struct pass *p, size_t from, size_t to, const float *pages)
{
	struct work *w = p->w;
	size_t before = from > 0 && pages ? 1 : 0, after = to < w->planes && pages ? 1 : 0,
	       first = from - before, n = to - from;
	float *scratch = pages ? NULL : mem_try(p->j->input, work_area(w), sizeof *scratch);
	int rc = -1;

	if (!pages && !scratch)
		return -1;
	for (size_t i = first; i < to + after; i++)
		for (size_t c = 0; c < w->comps; c++)
			if (upload(p, i, c, i - first,
				   pages ? pages + ((i - first) * w->comps + c) * work_area(w)
					 : NULL,
				   scratch) != 0)
				goto done;
	if (w->comps == 2 &&
	    tv_polar(p->d, p->v[0], p->v[1], (n + before + after) * work_area(w)) != 0)
		goto done;
	for (size_t c = 0; c < w->comps; c++)
		if (work_uses(w, c) && tv_slab(&p->tv[c], p->v[c], before, n, p->links + from,
					       (const float(*)[4])p->factor[c] + from, p->g[c],
					       w->sums[c] + from) != 0)
			goto done;
	if (p->want && w->comps == 2 &&
	    tv_cartesian(p->d, p->g[0], p->g[1], p->v[0], p->v[1], before * work_area(w),
			 n * work_area(w), work_uses(w, 0), work_uses(w, 1), tvloss.tv.skip) != 0)
		goto done;
	rc = 0;
done:
	free(scratch);
	return rc;
}

/* The slab's gradient to the host. */
static int download(struct pass *p, size_t n, size_t from, float *to)
{
	struct work *w = p->w;
	size_t bytes = work_area(w) * sizeof(float), at = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t c = 0; c < w->comps; c++) {
			float *page = w->out.data ? (float *)w->out.data +
							    page_of(w, from + i, c) * work_area(w)
						  : to + at * work_area(w);

			if (p->only >= 0 && (size_t)p->only != c)
				continue;
			if (buf_read(p->g[c], i * bytes, page, bytes) != 0)
				return -1;
			at++;
		}
	return 0;
}

static int stream(struct pass *p)
{
	struct work *w = p->w;
	size_t blocks = (w->planes + w->slab - 1) / w->slab,
	       out_comps = p->only >= 0 ? 1 : w->comps;
	struct side in[2] = { { 0 } }, out[2] = { { 0 } };
	int rc = -1;

	for (int k = 0; k < 2; k++) {
		in[k] = (struct side){ .w = w, .j = p->j };
		out[k] = (struct side){ .w = w, .j = p->j, .comps = (int)out_comps };
		in[k].pages = mem_try(p->j->input, mem_mul((w->slab + 2) * w->comps, work_area(w)),
				      sizeof(float));
		if (p->want)
			out[k].pages =
				mem_try(p->j->input, mem_mul(w->slab * out_comps, work_area(w)),
					sizeof(float));
		if (!in[k].pages || (p->want && !out[k].pages))
			goto done;
	}
	for (size_t b = 0; b <= blocks; b++) {
		struct side *next = &in[b % 2], *now = &in[(b + 1) % 2], *to = &out[b % 2];

		if (b > 0 && finish(now) != 0)
			goto done;
		if (b < blocks) {
			next->from = b * w->slab;
			next->to =
				next->from + w->slab < w->planes ? next->from + w->slab : w->planes;
			next->old = b > 0 ? now->pages : NULL;
			next->old_planes = b > 0 ? now->to - now->from + (now->from > 0) + 1 : 0;
			start(next, fill);
		}
		if (b == 0)
			continue;
		if (compute_slab(p, now->from, now->to, now->pages) != 0)
			goto done;
		if (!p->want)
			continue;
		if (download(p, now->to - now->from, now->from, to->pages) != 0 ||
		    finish(&out[(b + 1) % 2]) != 0)
			goto done;
		to->from = now->from;
		to->to = now->to;
		start(to, drain);
	}
	rc = 0;
done:
	for (int k = 0; k < 2; k++) { /* a slab is read from the one before: all threads first */
		int a = finish(&in[k]), b = finish(&out[k]);

		if (a != 0 || b != 0)
			rc = -1;
	}
	for (int k = 0; k < 2; k++) {
		free(in[k].pages);
		free(out[k].pages);
	}
	return rc;
}

int pass_run(struct pass *p)
{
	return p->w->in ? stream(p) : compute_slab(p, 0, p->w->planes, NULL);
}

int pass_download(struct pass *p)
{
	return download(p, p->w->planes, 0, NULL);
}
