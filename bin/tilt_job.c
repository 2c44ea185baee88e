/* bin/tilt_job.c: the work of tiltrecon on one stack: read, find or take the tilts, reconstruct,
 * write. */
#include <config.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "io/pngio.h"
#include "tilt/field.h"
#include "tiltrecon.h"

struct work {
	struct array stack, out, tf;
	struct tiff_meta meta;
	struct optics optics; /* of the reconstruction */
	struct tile_plan plan;
	struct tilt *tilt; /* [tiles] */
	double *loss;	   /* [tiles], NaN: not known */
	int *iterations;   /* [tiles] */
	bool skipped;	   /* tilts were taken, not searched */
};

/* Rates of the methods: z, zenith, azimuth. */
static const double rates[][3] = { [OPTIM_BFGS] = { .2, .02, .02 },
				   [OPTIM_NADAM] = { .1, .01, .02 },
				   [OPTIM_ADAM] = { .1, .01, .02 },
				   [OPTIM_NEWTON] = { .05, .005, .01 },
				   [OPTIM_GRID] = { 1, 1, 1 } };

static const int iterations[] = {
	[OPTIM_BFGS] = 20, [OPTIM_NADAM] = 8, [OPTIM_ADAM] = 8, [OPTIM_NEWTON] = 4, [OPTIM_GRID] = 1
};

size_t tilt_stages(struct optim_stage *stage, long iters, bool full)
{
	static const char *const given[] = { "lr-z", "lr-zenith", "lr-azimuth" };

	for (size_t i = 0; i < opts.optimize.n; i++) {
		struct optim_stage *s = &stage[i];
		enum optim_method m = (enum optim_method)opts.optimize.item[i];

		*s = (struct optim_stage){ .method = m,
					   .iters = iters > 0 ? (int)iters : iterations[m] };
		for (int k = 0; k < 3; k++)
			s->lr[k] = opt_given(given[k]) ? opts.lr[k] : rates[m][k];
		for (size_t k = 0; k < opts.freeze.n && !full; k++) {
			int f = opts.freeze.item[k];

			if (f == FREEZE_ANGLES)
				s->lr[1] = s->lr[2] = 0;
			else
				s->lr[f] = 0;
		}
		s->tol = opt_given("tol") ? opts.tol : m == OPTIM_BFGS ? 1e-6 : 0;
		s->patience = opt_given("tol") ? (int)opts.patience : 0;
		for (int k = 0; k < 3; k++)
			s->grid[k] = (struct optim_axis){ opts.grid[k].centre, opts.grid[k].half,
							  (size_t)opts.grid[k].n };
	}
	return opts.optimize.n;
}

static void close_work(struct work *w)
{
	array_clear(&w->stack);
	array_clear(&w->out);
	array_clear(&w->tf);
	tiff_meta_clear(&w->meta);
	tile_plan_clear(&w->plan);
	free(w->tilt);
	free(w->loss);
	free(w->iterations);
	free(w);
}

static void done(void *tool, struct job *j)
{
	(void)tool;
	if (j->data)
		close_work(j->data);
	j->data = NULL;
}

static int read_stack(void *tool, struct job *j)
{
	struct tiff_select select = common_select();
	struct work *w = mem_new(1, sizeof *w);
	bool lossy;
	long bad;

	(void)tool;
	j->data = w;
	if (tiff_read(j->input, &select, &w->stack, &w->meta) != 0)
		return -1;
	bad = array_bad_page(&w->stack);
	if (bad >= 0)
		return error("'%s': page %ld holds NaN or Inf, expected finite pixels", j->input,
			     bad + 1);
	if (array_to_f32(&w->stack, &lossy) != 0)
		return -1;
	if (lossy)
		info("'%s': %s pixels are rounded to float32", j->input, "wide");
	return 0;
}

static bool wants_image(const struct job *j)
{
	return j->output || opts.preview;
}

static struct contrast recon_contrast(const struct work *w)
{
	return (struct contrast){ .pad = tilt_options.pad,
				  .flatten =
					  opts.flatten < 0 ? w->stack.nx / 2 : (size_t)opts.flatten,
				  .clamp_mean = opts.peer };
}

/* Shape, optics and tiles of a stack; the tilts as the options give them. */
static int set_up(struct tool *t, struct job *j, struct work *w)
{
	double z = t->well.focus[j->index];

	if (tilt_optics(j->input, &w->meta, w->stack.nz, opts.model == MODEL_THIN, &w->optics) != 0)
		return -1;
	tilt_tiles(w->stack.ny, w->stack.nx, &w->plan);
	if (tilt_options.pad >= w->plan.h || tilt_options.pad >= w->plan.w)
		return error("'%s': pad %zu, expected less than the tile's %zu x %zu", j->input,
			     tilt_options.pad, w->plan.h, w->plan.w);
	w->tilt = mem_new(w->plan.count, sizeof *w->tilt);
	w->loss = mem_new(w->plan.count, sizeof *w->loss);
	w->iterations = mem_new(w->plan.count, sizeof *w->iterations);
	for (size_t i = 0; i < w->plan.count; i++) {
		w->tilt[i] = tilt_options.tilt;
		w->tilt[i].z_offset = z;
		w->loss[i] = NAN;
	}
	return 0;
}

/* Where the search of each tile starts, by the options and the place in the well (or in the field).
 */
static void start_points(struct tool *t, struct job *j, struct work *w,
			 const struct well_rule *rule)
{
	size_t n = w->plan.count;
	double *y = mem_new(4 * n, sizeof *y), *x = y + n, *u = x + n, *azimuth = u + n;

	for (size_t i = 0; i < n; i++) {
		y[i] = (double)w->plan.box[i].y + ((double)w->plan.h - 1) / 2;
		x[i] = (double)w->plan.box[i].x + ((double)w->plan.w - 1) / 2;
	}
	well_radii(y, x, NULL, n, u, azimuth);
	for (size_t i = 0; i < n; i++) {
		bool well = t->well.radial;
		double zenith =
			well ? rule->zenith : opts.init[1] * (opts.zen_blend ? fmin(u[i], 1) : 1);
		double radial = well ? t->well.azimuth[j->index] : azimuth[i];

		w->tilt[i] = (struct tilt){ t->well.focus[j->index] + opts.init[0], zenith,
					    isnan(opts.init[2]) ? radial : opts.init[2] };
	}
	free(y);
}

static struct loss_opts loss_options(const struct work *w)
{
	struct loss_opts o = {
		.optics = w->optics,
		.kind = opts.loss,
		.band = { opts.band[0], opts.band[1] },
		.contrast = { .pad = opts.opt_pad, .taper = opts.taper, .clamp_mean = opts.peer },
		.reg = opts.reg
	};

	o.optics.steepness = opts.opt_steepness;
	o.inverse = opts.opt_full ? INVERSE_CONJ : opts.peer ? INVERSE_DIAG_PEER : INVERSE_DIAG;
	return o;
}

/* Device bytes of search and reconstruction of one stack; 0: not needed.  0, or -1 after reporting
 * what has no room. */
static int device_sizes(struct tool *t, const struct work *w, size_t *search,
			struct thin_size *recon)
{
	struct loss_opts o = loss_options(w);
	size_t nz = w->stack.nz, pad = 2 * tilt_options.pad;
	struct thin_size s = { 0 };

	if ((opts.optimize.n > 0 || opts.loss_only) &&
	    loss_plan(t->d, &o, nz, w->plan.h, w->plan.w, w->plan.count, &s) != 0)
		return -1;
	*search = s.bytes;
	return thin_plan(t->d, &w->optics, nz, w->plan.h + pad, w->plan.w + pad, w->plan.count,
			 false, recon);
}

/* Both keep their memory from stack to stack, unless there is too little of it. */
static int share_device(struct tool *t, const struct work *w)
{
	struct thin_size recon;
	size_t search;

	if (opts.model == MODEL_THICK)
		return 0;
	if (device_sizes(t, w, &search, &recon) != 0)
		return -1;
	t->turns = search > 0 && search + recon.bytes > dev_mem(t->d);
	return 0;
}

/* The search's device side for this stack's optics. */
static int ready_search(struct tool *t, struct job *j, struct work *w)
{
	struct loss_opts o = loss_options(w);

	if (t->turns && t->recon_made)
		recon_clear(&t->recon);
	if (o.contrast.pad >= w->plan.h || o.contrast.pad >= w->plan.w)
		return error("'%s': opt-pad %zu, expected less than the tile's %zu x %zu", j->input,
			     o.contrast.pad, w->plan.h, w->plan.w);
	if (t->search_made && memcmp(&t->search_optics, &o.optics, sizeof o.optics) == 0)
		return 0;
	if (t->search_made)
		search_clear(&t->search);
	search_init(&t->search, t->d, &o);
	t->search_optics = o.optics;
	t->search_made = true;
	return 0;
}

static void trace_row(void *arg, size_t tile, int iteration, const double p[3], double loss,
		      const double g[3])
{
	struct csv_line *l = arg;

	csv_put_long(l, (long long)tile);
	csv_put_long(l, iteration);
	for (int i = 0; i < 3; i++)
		csv_put_double(l, p[i]);
	csv_put_double(l, loss);
	for (int i = 0; i < 3; i++)
		csv_put_double(l, g[i]);
	csv_line_end(l);
}

static int search_stack(struct tool *t, struct job *j, struct work *w, const struct well_rule *rule)
{
	struct search_result *r = mem_new(w->plan.count, sizeof *r);
	struct optim_stage stage[MAX_STAGES];
	size_t stages = tilt_stages(stage, rule->iters, rule->full), flat = 0;
	int rc = -1;

	if (ready_search(t, j, w) != 0 ||
	    search_tilts(&t->search, j->input, w->stack.data, w->stack.nz, &w->plan, stage, stages,
			 opts.z_shared, w->tilt, opts.trace ? trace_row : NULL,
			 &j->rows[TABLE_TRACE], r) != 0)
		goto done;
	for (size_t i = 0; i < w->plan.count; i++) {
		w->tilt[i] = r[i].tilt;
		w->loss[i] = r[i].loss;
		w->iterations[i] = r[i].iterations;
		t->broken += r[i].broken;
		flat += opts.loss == LOSS_RESIDUAL && r[i].loss == 0;
	}
	if (flat)
		warning("'%s': %zu tiles are constant, their tilt stays at the start", j->input,
			flat);
	rc = 0;
done:
	free(r);
	return rc;
}

static struct tilt_owner owner(const struct tool *t, const struct job *j)
{
	bool manifest = t->batch->has_manifest;

	return (struct tilt_owner){ j->stem, manifest ? t->well.position[j->index] : NULL,
				    manifest ? t->well.time[j->index] : NULL };
}

/* A table's tilts for this stack's tiles; the peer's azimuths are turned. */
static int take_table(const struct tool *t, const struct tilt_table *table, struct job *j,
		      struct work *w)
{
	struct tilt_owner who = owner(t, j);

	if (tilt_table_pick(table, &who, w->plan.count, w->tilt) != 0)
		return -1;
	for (size_t i = 0; i < w->plan.count && opts.peer_azimuth; i++)
		w->tilt[i].azimuth += M_PI;
	return 0;
}

/* The cache's file for this stack, or NULL: not to be used. */
static char *cache_file(const struct tool *t, struct job *j, const struct work *w,
			const struct well_rule *rule)
{
	struct tilt_owner who = owner(t, j);
	struct optim_stage stage[MAX_STAGES];
	struct loss_opts o = loss_options(w);
	struct tilt start = w->tilt[0];
	char *text, *path;

	if (!opts.tilt_cache || rule->full)
		return NULL;
	start.z_offset -= t->well.focus[j->index];
	text = tilt_cache_text(w->stack.nz, &w->plan, &o, stage,
			       tilt_stages(stage, rule->iters, false), opts.z_shared, &start);
	path = tilt_cache_path(opts.tilt_cache, &who, text);
	free(text);
	return path;
}

/* The tilts of all tiles: warm, cached or searched. */
static int find_tilts(struct tool *t, struct job *j, struct work *w)
{
	const struct well_rule *rule = &t->well.rule[j->index];
	struct tilt_owner who = owner(t, j);
	double focus = t->well.focus[j->index];
	char *cache;
	int rc = 0;

	start_points(t, j, w, rule);
	if (opts.warm_start && take_table(t, &t->warm, j, w) != 0)
		return -1;
	w->skipped = opts.skip_warm && !rule->full;
	if (w->skipped)
		return 0;
	cache = cache_file(t, j, w, rule);
	w->skipped = cache && tilt_cache_read(cache, &who, &w->plan, focus, w->tilt);
	if (!w->skipped)
		rc = search_stack(t, j, w, rule);
	if (!w->skipped && rc == 0 && cache)
		rc = tilt_cache_write(cache, &who, &w->plan, focus, w->tilt);
	free(cache);
	return rc;
}

static void tilt_rows(struct tool *t, struct job *j, const struct work *w)
{
	struct tilt_owner who = owner(t, j);

	for (size_t i = 0; i < w->plan.count; i++)
		tilt_table_put(&j->rows[TABLE_TILTS], &who, i, &w->plan.box[i], &w->tilt[i],
			       w->loss[i], w->iterations[i], w->skipped);
}

static int loss_rows(struct tool *t, struct job *j, struct work *w)
{
	static const char *const names[] = { "residual",  "midband",  "tv",
					     "laplacian", "variance", "flatness" };
	size_t n = w->plan.count;
	double *value = mem_new(n, sizeof *value), (*g)[3] = mem_new(n, sizeof *g);
	struct csv_line *l = &j->rows[TABLE_LOSS];
	int rc = -1;

	if (ready_search(t, j, w) != 0 ||
	    search_losses(&t->search, j->input, w->stack.data, w->stack.nz, &w->plan, w->tilt,
			  value, g) != 0)
		goto done;
	for (size_t i = 0; i < n; i++) {
		csv_put_text(l, names[opts.loss]);
		csv_put_long(l, (long long)i);
		csv_put_double(l, value[i]);
		for (int k = 0; k < 3; k++)
			csv_put_double(l, g[i][k]);
		csv_line_end(l);
	}
	rc = 0;
done:
	free(value);
	free(g);
	return rc;
}

static int thin_images_of(struct tool *t, struct job *j, struct work *w)
{
	size_t n = w->stack.ny * w->stack.nx;
	bool both = opts.outputs == OUTPUT_BOTH;
	float *page, *to[2] = { NULL, NULL };

	if (array_init(&w->out, j->input, DT_F32, both ? 2 : 1, w->stack.ny, w->stack.nx) != 0)
		return -1;
	if (t->turns && t->search_made)
		search_clear(&t->search);
	page = w->out.data;
	to[PHASE] = opts.outputs == OUTPUT_ABSORPTION ? NULL : page;
	to[ABSORPTION] = opts.outputs == OUTPUT_PHASE ? NULL : both ? page + n : page;
	return recon_thin(&t->recon, j->input, w->stack.data, w->stack.nz, &w->plan, w->tilt, to);
}

static int ready_recon(struct tool *t, const struct work *w)
{
	struct recon_opts o = { .optics = w->optics,
				.contrast = recon_contrast(w),
				.reg = opts.reg,
				.inverse = opts.inverse,
				.blend = tilt_options.blend,
				.sigma_frac = tilt_options.sigma_frac,
				.match = opts.match };

	if (t->recon_made && memcmp(&t->recon_optics, &o.optics, sizeof o.optics) == 0 &&
	    t->recon.o.contrast.flatten == o.contrast.flatten)
		return 0;
	if (t->recon_made)
		recon_clear(&t->recon);
	recon_init(&t->recon, t->d, &o);
	t->recon_optics = o.optics;
	t->recon_made = true;
	return 0;
}

static struct thick_opts thick_options(const struct work *w)
{
	return (struct thick_opts){ w->optics, opts.z_pad, tilt_options.pad, opts.reg, opts.ratio };
}

/* The phase takes the place of the stack. */
static int thick_volume(struct tool *t, struct job *j, struct work *w)
{
	struct field_opts o = { thick_options(w), tilt_options.blend, tilt_options.sigma_frac,
				opts.match };

	if (field_thick(t->d, &o, j->input, w->stack.data, w->stack.nz, &w->plan, w->tilt) != 0)
		return -1;
	w->out = w->stack;
	w->stack = (struct array){ 0 };
	return 0;
}

static int dump(struct tool *t, struct job *j, struct work *w)
{
	struct thick_opts thick;
	size_t nz = w->stack.nz + (opts.model == MODEL_THICK ? 2 * opts.z_pad : 0);

	if (array_init(&w->tf, j->input, DT_F32, 4 * nz, w->stack.ny, w->stack.nx) != 0)
		return -1;
	if (opts.model == MODEL_THIN)
		return recon_dump(&t->recon, nz, w->stack.ny, w->stack.nx, &w->tilt[0], w->tf.data);
	thick = thick_options(w);
	return field_thick_dump(t->d, &thick, w->stack.nz, w->stack.ny, w->stack.nx, &w->tilt[0],
				w->tf.data);
}

static int compute(void *tool, struct job *j)
{
	struct tool *t = tool;
	struct work *w = j->data;

	if (set_up(t, j, w) != 0 || share_device(t, w) != 0 ||
	    (opts.model == MODEL_THIN && ready_recon(t, w) != 0))
		return -1;
	if (tilt_options.tilt_csv && take_table(t, &t->given, j, w) != 0)
		return -1;
	if (opts.dump_tf && dump(t, j, w) != 0)
		return -1;
	if ((opts.optimize.n > 0 || opts.warm_start) && find_tilts(t, j, w) != 0)
		return -1;
	if (opts.loss_only && loss_rows(t, j, w) != 0)
		return -1;
	tilt_rows(t, j, w);
	if (!wants_image(j))
		return 0;
	if (opts.model == MODEL_THIN)
		return thin_images_of(t, j, w);
	return thick_volume(t, j, w);
}

static int write_images(void *tool, struct job *j)
{
	struct work *w = j->data;
	struct tiff_out o = common_tiff_out();
	struct preview p = { .map = opts.outputs == OUTPUT_ABSORPTION ? MAP_GREY : MAP_PHASE,
			     .unit = opts.outputs == OUTPUT_ABSORPTION ? ""
				     : opts.model == MODEL_THICK       ? "cycles"
								       : "rad",
			     .pixel_um = w->optics.pixel };

	(void)tool;
	o.pixel_um = w->optics.pixel;
	o.z_step_um = opts.model == MODEL_THICK ? w->optics.z_step : 0;
	o.provenance = j->provenance;
	if (opts.dump_tf && tiff_write(opts.dump_tf, &w->tf, &o) != 0)
		return -1;
	if (opts.preview && png_preview(opts.preview, &w->out, &p) != 0)
		return -1;
	return j->output ? tiff_write(j->output, &w->out, &o) : 0;
}

static int plan(void *tool, struct job *j, struct job_plan *p)
{
	struct tool *t = tool;
	struct tiff_select select = common_select();
	struct work w = { 0 };
	struct array *a = &w.stack;
	int rc = -1;

	if (tiff_probe(j->input, &select, a, &w.meta) != 0 ||
	    tilt_optics(j->input, &w.meta, a->nz, opts.model == MODEL_THIN, &w.optics) != 0)
		goto done;
	tilt_tiles(a->ny, a->nx, &w.plan);
	*p = (struct job_plan){ .type = a->type, .nz = a->nz, .ny = a->ny, .nx = a->nx };
	p->host_bytes = (a->nz * a->ny * a->nx + w.plan.count * w.plan.h * w.plan.w) * 4;
	if (opts.model == MODEL_THICK) {
		struct thick_opts k = thick_options(&w);

		p->device_bytes = thick_bytes(&k, a->nz, w.plan.h, w.plan.w);
		p->blocks = w.plan.count;
	} else {
		struct thin_size size;
		size_t search;

		if (device_sizes(t, &w, &search, &size) != 0)
			goto done;
		p->device_bytes = search + size.bytes;
		if (p->device_bytes > dev_mem(t->d)) /* they take turns */
			p->device_bytes = search > size.bytes ? search : size.bytes;
		p->blocks = (w.plan.count + size.tiles - 1) / size.tiles;
	}
	rc = 0;
done:
	tile_plan_clear(&w.plan);
	tiff_meta_clear(&w.meta);
	return rc;
}

const struct batch_ops tiltrecon_ops = {
	plan, read_stack, compute, write_images, done, profile_begin, profile_end, 1,
};
