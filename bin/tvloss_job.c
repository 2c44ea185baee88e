/* bin/tvloss_job.c: the work of tvloss on one file: shape and memory, losses, rows.  What the
 * device can hold is read, computed and written by the runner's stages; a larger volume passes
 * through slab by slab (bin/tvloss_pass.h). */
#include <config.h>

#include <math.h>
#include <stdlib.h>

#include "base/die.h"
#include "base/mem.h"
#include "batch/common.h"
#include "tvloss_pass.h"

/* ---- losses */

/* Volumes [from, to) of the planes as one loss: its parts to value, the gradient's factors to p
 * (NULL: not needed). */
static double loss_of(const struct work *w, struct pass *p, size_t c, size_t from, size_t to,
		      struct tv_sums *total)
{
	struct tv_opts o = work_opts(w, c);
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
		for (size_t v = 0; v < w->volumes && work_uses(w, c); v += step)
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

			if (!work_uses(w, c))
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

/* Holes decide what a mean is taken over: then the counts come first. */
static bool counts_first(void)
{
	return tvloss.tv.skip && (tvloss.tv.scale != TV_SUM || tvloss.tv.kind == TV_PLANE);
}

enum { SLAB = 4 << 20, LARGE = 8 * SLAB }; /* bytes of a slab, and of a volume that goes in slabs */

/* Planes of a slab where there is room for all of them.  A large volume that is read once, page
 * after page, passes through slab by slab: memory that was used a moment ago costs less than new
 * memory, and reading, computing and writing overlap. */
static size_t planes_at_once(const struct job *j, const struct work *w, size_t plane)
{
	size_t n = SLAB / plane < 8 ? 8 : SLAB / plane; /* two more are read beside them */

	if (mem_mul(plane, w->planes) < LARGE || n > w->planes || tvloss.layout == LAYOUT_HALVES ||
	    (counts_first() && wants_gradient(j)))
		return w->planes;
	return n;
}

/* Device bytes, and the planes of a slab.  0, or -1 after reporting the figure needed. */
static int set_slab(struct dev *d, const struct job *j, struct work *w, size_t *bytes)
{
	struct tv_opts o = work_opts(w, w->comps - 1);
	size_t space = w->comps * tv_bytes(d, &o, w->ny, w->nx), mem = dev_mem(d);
	size_t plane = mem_mul(mem_mul(w->comps, work_area(w)), sizeof(float)),
	       each = mem_mul(plane, wants_gradient(j) ? 2 : 1);
	size_t least = space + each + (w->planes > 1 ? 2 * plane : 0);

	*bytes = mem_mul(each, w->planes);
	if (*bytes <= SIZE_MAX - space && *bytes + space <= mem) {
		w->slab = planes_at_once(j, w, plane);
		*bytes = space + w->slab * each + (w->slab < w->planes ? 2 * plane : 0);
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
	p->host_bytes = p->blocks == 1
				? mem_mul(w.file.nz * work_area(&w),
					  dtype_size(w.file.type) + (wants_gradient(j) ? 4 : 0))
				: 2 * w.comps * work_area(&w) * 4 *
					  (w.slab * (wants_gradient(j) ? 2 : 1) + 2);
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
	w->native = mem_try(j->input, work_area(w), dtype_size(w->file.type));
	if (!w->native || w->slab < w->planes)
		return w->native ? 0 : -1;
	if (array_init(&w->file, j->input, w->file.type, w->file.nz, w->ny, w->nx) != 0)
		return -1;
	for (size_t p = 0; p < w->file.nz; p++) {
		char *page = (char *)w->file.data + p * work_area(w) * dtype_size(w->file.type);
		bool real = w->file.type == DT_F32 || w->file.type == DT_F64;

		if (tiff_in_page(w->in, p, page) != 0)
			return -1;
		if (tvloss.nan == NAN_REFUSE && real) {
			float *v = w->file.type == DT_F32
					   ? (float *)page
					   : mem_try(j->input, work_area(w), sizeof *v);
			int rc = !v || (v != (float *)page && work_convert(w, j, page, v) != 0)
					 ? -1
					 : work_check(w, j, p, v);

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
		if (pass_run(p) != 0)
			return -1;
	}
	return w->in ? 0 : pass_download(p);
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
	if (pass_open(&p) != 0)
		goto done;
	known_counts(&p);
	if (!p.want || counts_first()) {
		bool want = p.want;

		p.want = false;
		for (int c = 0; c < 2; c++) {
			struct buf *g = p.g[c];

			p.g[c] = NULL;
			buf_free(g);
		}
		if (pass_run(&p) != 0)
			goto done;
		p.want = want;
		for (size_t c = 0; c < w->comps && want; c++) {
			p.g[c] = buf_new(t->d, w->slab * work_area(w) * sizeof(float));
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
	pass_close(&p);
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
