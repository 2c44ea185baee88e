/* bin/tvloss_job.c: the work of tvloss on one file.  What the device can hold is read, computed and
 * written by the runner's stages; a larger volume passes through slab by slab, the next one being
 * read and the last one written meanwhile. */
#include <config.h>

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "batch/common.h"
#include "tvloss.h"

/* The file as planes of one (real) or two (complex) components; a slab holds planes [from, to) and
 * computes all of them but halos. */
struct work {
	struct array file; /* type and pages; data: the whole of it, NULL while streaming */
	struct tiff_meta meta;
	struct tiff_in *in; /* streaming */
	struct tiff_sink *sink;
	struct array out; /* not streaming: the gradient */
	size_t comps, planes, volumes, depth, ny, nx;
	size_t slab;		 /* planes of a slab */
	struct tv_sums *sums[2]; /* [planes] of each component; real: [0], complex: PART_PHASE,
				    PART_AMPLITUDE */
	void *native;		 /* a page as it lies in the file */
	bool lossy;
};

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

static size_t area(const struct work *w)
{
	return w->ny * w->nx;
}

/* Where the page's first NaN or Inf is, if there is one and that is an error. */
static int check_page(const struct work *w, const struct job *j, size_t page, const float *v)
{
	size_t n = area(w), bad = 0;

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
static int convert(struct work *w, const struct job *j, const void *native, float *to)
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
	    (!plain && convert(w, j, w->native, to) != 0))
		return -1;
	profile_end("read", t, area(w) * dtype_size(w->file.type));
	return check_page(w, j, page, to);
}

static void *fill(void *arg)
{
	struct side *s = arg;
	struct work *w = s->w;
	size_t plane = w->comps * area(w), kept = 0;

	if (s->old && s->from > 0) { /* from - 1 and from were read for the slab before */
		kept = 2;
		memcpy(s->pages, s->old + (s->old_planes - 2) * plane, 2 * plane * sizeof(float));
	}
	s->rc = 0;
	for (size_t p = s->from - (s->from > 0) + kept, at = kept;
	     p < s->to + (s->to < w->planes) && s->rc == 0; p++, at++)
		for (size_t c = 0; c < w->comps && s->rc == 0; c++)
			s->rc = stream_page(w, s->j, page_of(w, p, c),
					    s->pages + at * plane + c * area(w));
	return NULL;
}

static void *drain(void *arg)
{
	struct side *s = arg;
	double t = profile_begin();

	s->rc = tiff_sink_put(s->w->sink, s->pages, (s->to - s->from) * (size_t)s->comps);
	profile_end("write", t, (s->to - s->from) * (size_t)s->comps * area(s->w) * sizeof(float));
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

struct pass {
	struct work *w;
	const struct job *j;
	struct dev *d;
	struct tv tv[2]; /* by component as they lie on the device: modulus, angle; real: [0] */
	struct buf *v[2], *g[2];
	int *links;	       /* [planes] */
	float (*factor[2])[4]; /* [planes] */
	bool want;
	int only; /* the component to be written, -1: all */
};

/* The options for component c on the device. */
static struct tv_opts opts_of(const struct work *w, size_t c)
{
	struct tv_opts o = tvloss.tv;

	if (w->comps == 2 && c == 0)
		o.wrap = false;
	return o;
}

/* Which component of the device is this part of a row, and does it count? */
static bool used(const struct work *w, size_t c)
{
	return w->comps == 1 || tvloss.part[c == 0 ? PART_AMPLITUDE : PART_PHASE];
}

static void close_pass(struct pass *p)
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

static int open_pass(struct pass *p)
{
	struct work *w = p->w;
	size_t halo = w->slab < w->planes ? 2 : 0, bytes = area(w) * sizeof(float);

	p->links = mem_new(w->planes, sizeof *p->links);
	for (size_t i = 0; i < w->planes; i++)
		p->links[i] = tvloss.tv.kind == TV_PLANE
				      ? 0
				      : (i % w->depth > 0 ? TV_PREV : 0) |
						(i % w->depth + 1 < w->depth ? TV_NEXT : 0);
	for (size_t c = 0; c < w->comps; c++) {
		struct tv_opts o = opts_of(w, c);

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
	size_t bytes = area(w) * sizeof(float);

	if (!from) {
		const char *native = (const char *)w->file.data +
				     page_of(w, plane, c) * area(w) * dtype_size(w->file.type);

		if (w->file.type == DT_F32) {
			from = (const float *)native;
		} else {
			if (convert(w, p->j, native, scratch) != 0)
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
	float *scratch = pages ? NULL : mem_try(p->j->input, area(w), sizeof *scratch);
	int rc = -1;

	if (!pages && !scratch)
		return -1;
	for (size_t i = first; i < to + after; i++)
		for (size_t c = 0; c < w->comps; c++)
			if (upload(p, i, c, i - first,
				   pages ? pages + ((i - first) * w->comps + c) * area(w) : NULL,
				   scratch) != 0)
				goto done;
	if (w->comps == 2 && tv_polar(p->d, p->v[0], p->v[1], (n + before + after) * area(w)) != 0)
		goto done;
	for (size_t c = 0; c < w->comps; c++)
		if (used(w, c) && tv_slab(&p->tv[c], p->v[c], before, n, p->links + from,
					  (const float(*)[4])p->factor[c] + from, p->g[c],
					  w->sums[c] + from) != 0)
			goto done;
	if (p->want && w->comps == 2 &&
	    tv_cartesian(p->d, p->g[0], p->g[1], p->v[0], p->v[1], before * area(w), n * area(w),
			 used(w, 0), used(w, 1), tvloss.tv.skip) != 0)
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
	size_t bytes = area(w) * sizeof(float), at = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t c = 0; c < w->comps; c++) {
			float *page = w->out.data ? (float *)w->out.data +
							    page_of(w, from + i, c) * area(w)
						  : to + at * area(w);

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
		in[k].pages = mem_try(p->j->input, mem_mul((w->slab + 2) * w->comps, area(w)),
				      sizeof(float));
		if (p->want)
			out[k].pages = mem_try(p->j->input, mem_mul(w->slab * out_comps, area(w)),
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

/* ---- losses */

/* Volumes [from, to) of the planes as one loss: its parts to value, the gradient's factors to p
 * (NULL: not needed). */
static double loss_of(const struct work *w, struct pass *p, size_t c, size_t from, size_t to,
		      struct tv_sums *total)
{
	struct tv_opts o = opts_of(w, c);
	size_t a = from * w->depth, b = to * w->depth;
	double unit = tvloss.upstream * (o.kind == TV_SQ || o.kind == TV_PLANE ? 2 : 1), f[3],
	       loss = 0;

	*total = tv_add(w->sums[c] + a, b - a);
	if (o.kind != TV_PLANE)
		loss = tv_factors(&o, total, f);
	for (size_t i = a; i < b; i++) {
		if (o.kind == TV_PLANE)
			loss += tv_plane_factors(&w->sums[c][i], b - a, f);
		for (int k = 0; k < 3 && p; k++)
			p->factor[c][i][k] = (float)(unit * f[k]);
	}
	return loss;
}

static void all_losses(const struct work *w, struct pass *p)
{
	size_t step = tvloss.per_volume ? 1 : w->volumes;
	struct tv_sums total;

	for (size_t c = 0; c < w->comps; c++)
		for (size_t v = 0; v < w->volumes && used(w, c); v += step)
			loss_of(w, p, c, v, v + step, &total);
}

/* The sums' counts, where no pixel can be missing, before anything is computed. */
static void known_counts(struct pass *p)
{
	for (size_t c = 0; c < p->w->comps; c++)
		for (size_t i = 0; i < p->w->planes; i++)
			tv_counts(&p->tv[c], p->links[i], &p->w->sums[c][i]);
}

static void put_row(const struct job *j, const struct work *w, const char *part, size_t from,
		    size_t to, const double *tv, double loss)
{
	static const char *const kinds[] = { "sq", "iso", "l1", "plane" };
	static const char *const scales[] = { "sum", "mean", "numel", "active", "quantem" };
	struct csv_line *l = &j->rows[0];

	csv_put_text(l, j->input);
	csv_put_text(l, kinds[tvloss.tv.kind]);
	csv_put_text(l, scales[tvloss.scale]);
	csv_put_text(l, part);
	if (to - from == w->volumes && !tvloss.per_volume)
		csv_put_text(l, "all");
	else
		csv_put_long(l, (long long)from);
	csv_put_long(l, (long long)w->volumes);
	csv_put_long(l, (long long)w->depth);
	csv_put_long(l, (long long)w->ny);
	csv_put_long(l, (long long)w->nx);
	for (int a = 0; a < 3; a++)
		csv_put_double(l, tv ? tv[a] : NAN);
	csv_put_double(l, loss);
	csv_line_end(l);
}

static void put_rows(const struct job *j, const struct work *w)
{
	size_t step = tvloss.per_volume ? 1 : w->volumes;
	bool axes = tvloss.tv.kind == TV_SQ || tvloss.tv.kind == TV_L1;

	for (size_t v = 0; v < w->volumes; v += step) {
		double sum = 0;
		int parts = 0;

		for (size_t i = 0; i < w->comps; i++) {
			size_t c = w->comps - 1 - i; /* the phase first */
			struct tv_sums s;
			double loss;

			if (!used(w, c))
				continue;
			loss = loss_of(w, NULL, c, v, v + step, &s);
			put_row(j, w,
				w->comps == 1 ? "value"
				: c == 0      ? "amplitude"
					      : "phase",
				v, v + step, axes ? s.sum : NULL, loss);
			if (s.voxels == 0)
				warning("'%s': no voxel is finite, the loss is 0", j->input);
			sum += loss;
			parts++;
		}
		if (parts == 2)
			put_row(j, w, "total", v, v + step, NULL, sum);
	}
}

/* ---- stages of the runner */

static void done(void *tool, struct job *j)
{
	struct work *w = j->data;

	(void)tool;
	if (!w)
		return;
	array_clear(&w->file);
	array_clear(&w->out);
	tiff_meta_clear(&w->meta);
	tiff_in_close(w->in);
	tiff_sink_abort(w->sink);
	free(w->sums[0]);
	free(w->sums[1]);
	free(w->native);
	free(w);
	j->data = NULL;
}

/* Planes and volumes of the file's pages. */
static int set_shape(const struct job *j, struct work *w)
{
	const struct array *a = &w->file;

	w->comps = tvloss.layout == LAYOUT_REAL ? 1 : 2;
	if (a->nz % w->comps)
		return error("'%s': %zu pages, expected an even number for --complex", j->input,
			     a->nz);
	w->planes = a->nz / w->comps;
	w->volumes = tvloss.slices ? w->planes : tvloss.batch;
	if (w->planes % w->volumes)
		return error("'%s': %zu %s, expected a multiple of --batch %zu", j->input,
			     w->planes, w->comps == 1 ? "pages" : "complex pages", w->volumes);
	w->depth = w->planes / w->volumes;
	w->ny = a->ny;
	w->nx = a->nx;
	if (tvloss.tv.kind == TV_PLANE && (tvloss.per_volume ? w->depth : w->planes) % 3)
		return error("'%s': %zu planes, expected a multiple of 3", j->input,
			     tvloss.per_volume ? w->depth : w->planes);
	return 0;
}

static bool wants_gradient(const struct job *j)
{
	return j->output != NULL;
}

/* Device bytes, and the planes of a slab.  0, or -1 after reporting the figure needed. */
static int set_slab(struct dev *d, const struct job *j, struct work *w, size_t *bytes)
{
	struct tv_opts o = opts_of(w, w->comps - 1);
	size_t space = w->comps * tv_bytes(d, &o, w->ny, w->nx), mem = dev_mem(d);
	size_t plane = mem_mul(mem_mul(w->comps, area(w)), sizeof(float)),
	       each = mem_mul(plane, wants_gradient(j) ? 2 : 1);
	size_t least = space + each + (w->planes > 1 ? 2 * plane : 0);

	*bytes = mem_mul(each, w->planes);
	if (*bytes <= SIZE_MAX - space && *bytes + space <= mem) {
		w->slab = w->planes;
		*bytes += space;
		return 0;
	}
	if (each == SIZE_MAX || least > mem)
		return error("'%s': %zu bytes of device memory, expected at least %zu for one "
			     "plane: give more with --mem",
			     j->input, mem, least);
	w->slab = (mem - space - 2 * plane) / each;
	*bytes = space + w->slab * each + 2 * plane;
	return 0;
}

static int plan(void *tool, struct job *j, struct job_plan *p)
{
	struct tvloss_tool *t = tool;
	struct tiff_select select = common_select();
	struct work w = { 0 };
	int rc = -1;

	if (tiff_probe(j->input, &select, &w.file, NULL) != 0 || set_shape(j, &w) != 0)
		goto done;
	*p = (struct job_plan){
		.type = w.file.type, .nz = w.file.nz, .ny = w.file.ny, .nx = w.file.nx
	};
	if (set_slab(t->d, j, &w, &p->device_bytes) != 0)
		goto done;
	p->blocks = (w.planes + w.slab - 1) / w.slab;
	p->host_bytes =
		p->blocks == 1
			? mem_mul(w.file.nz * area(&w),
				  dtype_size(w.file.type) + (wants_gradient(j) ? 4 : 0))
			: 2 * w.comps * area(&w) * 4 * (w.slab * (wants_gradient(j) ? 2 : 1) + 2);
	rc = 0;
done:
	return rc;
}

static int read_volume(void *tool, struct job *j)
{
	struct tvloss_tool *t = tool;
	struct tiff_select select = common_select();
	struct work *w = mem_new(1, sizeof *w);
	size_t bytes;

	j->data = w;
	w->in = tiff_in_open(j->input, &select, &w->file, &w->meta);
	if (!w->in || set_shape(j, w) != 0 || set_slab(t->d, j, w, &bytes) != 0)
		return -1;
	w->native = mem_try(j->input, area(w), dtype_size(w->file.type));
	if (!w->native || w->slab < w->planes)
		return w->native ? 0 : -1;
	if (array_init(&w->file, j->input, w->file.type, w->file.nz, w->ny, w->nx) != 0)
		return -1;
	for (size_t p = 0; p < w->file.nz; p++) {
		char *page = (char *)w->file.data + p * area(w) * dtype_size(w->file.type);
		bool real = w->file.type == DT_F32 || w->file.type == DT_F64;

		if (tiff_in_page(w->in, p, page) != 0)
			return -1;
		if (tvloss.nan == NAN_REFUSE && real) {
			float *v = w->file.type == DT_F32 ? (float *)page
							  : mem_try(j->input, area(w), sizeof *v);
			int rc = !v || (v != (float *)page && convert(w, j, page, v) != 0)
					 ? -1
					 : check_page(w, j, p, v);

			if (v != (float *)page)
				free(v);
			if (rc != 0)
				return -1;
		}
	}
	tiff_in_close(w->in);
	w->in = NULL;
	return 0;
}

static int one_pass(struct pass *p)
{
	return p->w->in ? stream(p) : compute_slab(p, 0, p->w->planes, NULL);
}

/* Holes decide what a mean is taken over: then the counts come first. */
static bool counts_first(const struct work *w)
{
	(void)w;
	return tvloss.tv.skip && (tvloss.tv.scale != TV_SUM || tvloss.tv.kind == TV_PLANE);
}

static int gradient(struct pass *p, const struct tiff_out *o)
{
	struct work *w = p->w;
	struct array shape = { .type = DT_F32, .nz = w->file.nz, .ny = w->ny, .nx = w->nx };
	bool twice = w->in && tvloss.layout == LAYOUT_HALVES;

	if (!w->in && array_init(&w->out, p->j->input, DT_F32, shape.nz, shape.ny, shape.nx) != 0)
		return -1;
	if (w->in) {
		w->sink = tiff_sink_open(p->j->output, &shape, o);
		if (!w->sink)
			return -1;
	}
	p->want = true;
	for (int c = 0; c < (twice ? 2 : 1); c++) { /* all re before all im */
		p->only = twice ? c : -1;
		if (one_pass(p) != 0)
			return -1;
	}
	return w->in ? 0 : download(p, w->planes, 0, NULL);
}

static struct tiff_out out_options(const struct job *j, const struct work *w)
{
	struct tiff_out o = common_tiff_out();

	o.pixel_um = w->meta.pixel_um;
	o.z_step_um = w->meta.z_step_um;
	o.provenance = j->provenance;
	return o;
}

static int compute(void *tool, struct job *j)
{
	struct tvloss_tool *t = tool;
	struct work *w = j->data;
	struct tiff_out o = out_options(j, w);
	struct pass p = { .w = w, .j = j, .d = t->d, .want = wants_gradient(j), .only = -1 };
	int rc = -1;

	for (size_t c = 0; c < w->comps; c++)
		w->sums[c] = mem_new(w->planes, sizeof *w->sums[c]);
	if (open_pass(&p) != 0)
		goto done;
	known_counts(&p);
	if (!p.want || counts_first(w)) {
		bool want = p.want;

		p.want = false;
		for (int c = 0; c < 2; c++) {
			struct buf *g = p.g[c];

			p.g[c] = NULL;
			buf_free(g);
		}
		if (one_pass(&p) != 0)
			goto done;
		p.want = want;
		for (size_t c = 0; c < w->comps && want; c++) {
			p.g[c] = buf_new(t->d, w->slab * area(w) * sizeof(float));
			if (!p.g[c])
				goto done;
		}
	}
	all_losses(w, &p);
	if (p.want && gradient(&p, &o) != 0)
		goto done;
	put_rows(j, w);
	if (tvloss.tv.kind == TV_ISO && w->depth == 1)
		warning("'%s': volumes of one page have no corners, iso is 0; expected --kind sq "
			"or l1 for images",
			j->input);
	if (w->lossy)
		info("'%s': %s pixels are rounded to float32", j->input, dtype_name(w->file.type));
	rc = 0;
done:
	close_pass(&p);
	return rc;
}

static int write_gradient(void *tool, struct job *j)
{
	struct work *w = j->data;
	struct tiff_out o = out_options(j, w);
	struct tiff_sink *s = w->sink;

	(void)tool;
	if (!j->output)
		return 0;
	w->sink = NULL;
	return s ? tiff_sink_commit(s) : tiff_write(j->output, &w->out, &o);
}

const struct batch_ops tvloss_ops = {
	plan, read_volume, compute, write_gradient, done, profile_begin, profile_end, 1,
};
