/* What kplanes does with one model, or with one volume to fit. */
#include <config.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/die.h"
#include "base/mem.h"
#include "batch/common.h"
#include "device.h"
#include "io/pngio.h"
#include "io/tiffio.h"
#include "kplanes.h"

struct work {
	struct kplanes_model m;
	struct array volume; /* fit: the input; render: the product */
	float *out;	     /* eval: [n][columns]; grad: points */
	size_t columns;
	float *planes[KP_LEVELS]; /* gradients */
	double dr[KP_ROTATIONS][9];
	struct csv_line log;
};

/* ---- reading */

static int read_volume(const char *path, struct array *a)
{
	struct tiff_select select = common_select();
	bool lossy;
	long bad;

	if (tiff_read(path, &select, a, NULL) != 0)
		return -1;
	bad = array_bad_page(a);
	if (bad >= 0)
		return error("'%s': page %ld holds NaN or Inf, expected finite voxels", path,
			     bad + 1);
	if (array_to_f32(a, &lossy) != 0)
		return -1;
	if (lossy)
		info("'%s': pixels are rounded to float32", path);
	return 0;
}

static int read_input(void *tool, struct job *j)
{
	struct work *w = mem_new(1, sizeof *w);

	(void)tool;
	j->data = w;
	return opts.verb == VERB_FIT ? read_volume(j->input, &w->volume)
				     : model_read(j->input, &w->m);
}

static int make_planes(const struct kplanes_model *m, float **planes)
{
	for (size_t l = 0; l < m->levels; l++) {
		planes[l] = mem_try("gradient", kplanes_texels(m, l), sizeof(float));
		if (!planes[l])
			return -1;
	}
	return 0;
}

/* ---- verbs */

static int eval(struct kplanes_tool *t, struct work *w, struct kp_field *f)
{
	w->columns = opts.value ? 1 : kplanes_features(&w->m);
	w->out = mem_try("features", t->n ? t->n : 1, w->columns * sizeof(float));
	if (!w->out)
		return -1;
	return opts.value ? kp_values(f, t->points, t->n, KP_VALUE, w->out)
			  : kp_features(f, t->points, t->n, w->out);
}

static int grad(struct kplanes_tool *t, struct job *j, struct work *w, struct kp_field *f)
{
	if (t->features != kplanes_features(&w->m) && t->n > 0)
		return error("'%s': %zu x %zu numbers, expected %zu x %zu: the points and the "
			     "features of '%s'",
			     opts.upstream, t->n, t->features, t->n, kplanes_features(&w->m),
			     j->input);
	w->out = mem_try("gradient", t->n ? t->n : 1, 3 * sizeof(float));
	if (!w->out || (opts.grad_planes && make_planes(&w->m, w->planes) != 0))
		return -1;
	return kp_gradient(f, t->points, t->n, t->upstream, opts.grad_planes ? w->planes : NULL,
			   opts.grad_points ? w->out : NULL, opts.grad_rotations ? w->dr : NULL);
}

static void tv_row(struct job *j, const char *term, long level, double v)
{
	csv_put_text(&j->rows[0], term);
	if (level < 0)
		csv_put_text(&j->rows[0], "all");
	else
		csv_put_long(&j->rows[0], level);
	csv_put_double(&j->rows[0], v);
	csv_line_end(&j->rows[0]);
}

static int volume_term(struct kplanes_tool *t, struct job *j, struct work *w, struct kp_field *f)
{
	float *taps = mem_try("taps", t->n ? t->n : 1, 16 * sizeof *taps),
	      *sum = taps ? taps + 12 * t->n : NULL;
	double *value = taps ? mem_try("taps", t->n ? t->n : 1, 4 * sizeof *value) : NULL, h, slope;
	int rc = -1;

	if (!value)
		goto done;
	h = fit_taps(&w->m, t->points, t->n, taps);
	if (kp_values(f, taps, 4 * t->n, KP_SUM, sum) != 0)
		goto done;
	for (size_t i = 0; i < 4 * t->n; i++)
		value[i] = fit_activation(w->m.activation, (double)sum[i], &slope);
	tv_row(j, "volume", -1, fit_volume_tv(value, t->n, h, 0, NULL));
	rc = 0;
done:
	free(taps);
	free(value);
	return rc;
}

static int tv(struct kplanes_tool *t, struct job *j, struct work *w, struct kp_field *f)
{
	double value[KP_LEVELS], sum = 0;

	if ((opts.grad_planes && make_planes(&w->m, w->planes) != 0) ||
	    kp_plane_tv(f, value, opts.grad_planes ? w->planes : NULL) != 0)
		return -1;
	for (size_t l = 0; l < w->m.levels; l++) {
		tv_row(j, "plane", (long)l, value[l]);
		sum += value[l];
	}
	tv_row(j, "plane", -1, sum);
	return opts.points ? volume_term(t, j, w, f) : 0;
}

static int render(struct job *j, struct work *w, struct kp_field *f)
{
	const size_t *n = opts.shape[0] ? opts.shape : w->m.shape;

	if (array_init(&w->volume, j->input, DT_F32, n[0], n[1], n[2]) != 0)
		return -1;
	return kp_render(f, n, opts.box, w->volume.data);
}

static void info_rows(struct job *j, const struct kplanes_model *m)
{
	char *text = kplanes_text(m), *line, *rest = NULL;

	strtok_r(text, "\n", &rest);
	while ((line = strtok_r(NULL, "\n", &rest))) {
		char *equals = strstr(line, " = ");

		*equals = '\0';
		csv_put_text(&j->rows[0], line);
		csv_put_text(&j->rows[0], equals + 3);
		csv_line_end(&j->rows[0]);
	}
	free(text);
}

/* ---- fit */

/* Sizes and numbers of the model that fits the volume; planes are left out. */
static int shape_model(const struct kplanes_tool *t, const char *path, const struct array *v,
		       struct kplanes_model *m)
{
	size_t h = opts.resolution[0], w = opts.resolution[1];

	if (h == 0)
		h = w = v->nz > v->ny	? (v->nz > v->nx ? v->nz : v->nx)
			: v->ny > v->nx ? v->ny
					: v->nx;
	*m = (struct kplanes_model){ .rotations = opts.rotations,
				     .channels = opts.channels,
				     .levels = opts.levels,
				     .shape = { v->nz, v->ny, v->nx },
				     .activation = opts.activation,
				     .has_quat = true };
	for (size_t l = 0; l < m->levels; l++)
		for (int k = 0; k < 2; k++) {
			double n = fmax(floor((double)(k ? w : h) * opts.level[l]), 1);

			if (n > KP_EXTENT)
				return error("'%s': level %zu of %.0f texels, expected at most %d",
					     path, l, n, KP_EXTENT);
			m->size[l][k] = (size_t)n;
		}
	if (t->init.rotations && t->init.rotations != m->rotations)
		return error("'%s': %zu rotations, expected %zu of --rotations",
			     opts.init_rotations, t->init.rotations, m->rotations);
	for (size_t r = 0; r < m->rotations; r++) {
		if (t->init.has_quat)
			memcpy(m->quat[r], t->init.quat[r], sizeof m->quat[r]);
		else if (t->init.rotations)
			kplanes_quaternion(t->init.rot[r], m->quat[r]);
		else if (strcmp(opts.init_rotations, "identity") == 0)
			m->quat[r][3] = 1;
		else
			kplanes_shoemake((uint64_t)opts.seed, r, m->quat[r]);
		if (kplanes_rotation(m->quat[r], m->rot[r]) != 0)
			return error("'%s': rotation %zu has no direction, expected one",
				     opts.init_rotations, r);
	}
	return 0;
}

static int copy_model(const struct kplanes_model *from, const struct array *v,
		      struct kplanes_model *m)
{
	*m = *from;
	m->weight = mem_new(kplanes_features(from), sizeof *m->weight);
	memcpy(m->weight, from->weight, kplanes_features(from) * sizeof *m->weight);
	memset(m->planes, 0, sizeof m->planes);
	if (make_planes(from, m->planes) != 0)
		return -1;
	for (size_t l = 0; l < from->levels; l++)
		memcpy(m->planes[l], from->planes[l], kplanes_texels(from, l) * sizeof(float));
	for (size_t r = 0; r < from->rotations && !from->has_quat; r++)
		kplanes_quaternion(from->rot[r], m->quat[r]);
	for (size_t r = 0; r < from->rotations; r++)
		kplanes_rotation(m->quat[r], m->rot[r]);
	m->has_quat = true;
	m->shape[0] = v->nz;
	m->shape[1] = v->ny;
	m->shape[2] = v->nx;
	return 0;
}

static void value_range(const struct array *v, struct kplanes_model *m)
{
	const float *p = v->data;
	double lo = (double)p[0], hi = lo;

	for (size_t i = 1; i < array_count(v); i++) {
		lo = fmin(lo, (double)p[i]);
		hi = fmax(hi, (double)p[i]);
	}
	if (opt_given("value-range")) {
		lo = opts.value_range[0];
		hi = opts.value_range[1];
	}
	m->offset = (float)lo;
	m->scale = (float)(hi > lo ? hi - lo : 1);
}

struct progress_of_fit {
	struct csv_line *log;
	const char *name;
	bool bar, lines;
	time_t said;
};

static void report(void *arg, long k, double mse, double plane_tv, double volume_tv)
{
	struct progress_of_fit *p = arg;
	double psnr = mse > 0 ? -10 * log10(mse) : INFINITY;
	time_t now = time(NULL);

	if (opts.log) {
		csv_put_long(p->log, k);
		csv_put_double(p->log, mse);
		csv_put_double(p->log, plane_tv);
		csv_put_double(p->log, volume_tv);
		csv_line_end(p->log);
	}
	if (p->bar) {
		message_bar("iteration %ld/%ld, PSNR %.2f dB", k, opts.fit.iters, psnr);
	} else if (p->lines && now - p->said >= 10) {
		p->said = now;
		warning("'%s': iteration %ld of %ld, PSNR %.2f dB", p->name, k, opts.fit.iters,
			psnr);
	}
}

static int fit(struct kplanes_tool *t, struct job *j, struct work *w)
{
	bool shown = common.progress != PROGRESS_NEVER && verbosity > QUIET,
	     tty = isatty(STDERR_FILENO);
	struct progress_of_fit p = { &w->log, j->input, shown && tty,
				     common.progress == PROGRESS_ALWAYS && !tty, time(NULL) };
	int rc;

	if (opts.init ? copy_model(&t->init, &w->volume, &w->m) != 0
		      : shape_model(t, j->input, &w->volume, &w->m) != 0 ||
				kplanes_random(&w->m, (uint64_t)opts.seed) != 0)
		return -1;
	if (!opts.init || opt_given("value-range"))
		value_range(&w->volume, &w->m);
	rc = kplanes_fit(t->d, j->input, &w->m, w->volume.data, &opts.fit, report, &p);
	if (p.bar)
		message_bar(NULL);
	return rc;
}

/* ---- stages */

static int compute(void *tool, struct job *j)
{
	struct kplanes_tool *t = tool;
	struct work *w = j->data;
	struct kp_field f;
	int rc = -1;

	if (opts.verb == VERB_FIT)
		return fit(t, j, w);
	if (opts.verb == VERB_INFO) {
		info_rows(j, &w->m);
		return 0;
	}
	if (kp_field_init(&f, t->d, &w->m) != 0)
		return -1;
	switch (opts.verb) {
	case VERB_EVAL:
		rc = eval(t, w, &f);
		break;
	case VERB_GRAD:
		rc = grad(t, j, w, &f);
		break;
	case VERB_TV:
		rc = tv(t, j, w, &f);
		break;
	default:
		rc = render(j, w, &f);
	}
	kp_field_clear(&f);
	return rc;
}

static int write_eval(const struct kplanes_tool *t, const struct job *j, const struct work *w)
{
	char *header = mem_strdup(opts.value ? "value" : "f0");
	int rc;

	if (is_csv(j->output))
		for (size_t i = 1; i < w->columns; i++) {
			char *longer = mem_printf("%s,f%zu", header, i);

			free(header);
			header = longer;
		}
	rc = matrix_write(j->output, w->out, t->n, w->columns, header, j->provenance);
	free(header);
	return rc;
}

static int write_model(const struct job *j, const struct work *w)
{
	char *text = kplanes_text(&w->m);
	int rc = -1;

	if (opts.log && csv_save(opts.log, "iter,mse,plane_tv,volume_tv",
				 w->log.text ? w->log.text : "", w->log.len) != 0)
		goto done;
	rc = model_write(j->output, &w->m, w->m.planes, text, j->provenance);
done:
	free(text);
	return rc;
}

static int write_volume(const struct job *j, const struct work *w)
{
	struct tiff_out o = common_tiff_out();
	struct preview p = { .map = MAP_GREY, .unit = "" };

	o.provenance = j->provenance;
	if (opts.preview && png_preview(opts.preview, &w->volume, &p) != 0)
		return -1;
	return j->output ? tiff_write(j->output, &w->volume, &o) : 0;
}

static int write_products(void *tool, struct job *j)
{
	struct kplanes_tool *t = tool;
	struct work *w = j->data;

	if (opts.verb == VERB_EVAL)
		return write_eval(t, j, w);
	if (opts.verb == VERB_FIT)
		return write_model(j, w);
	if (opts.verb == VERB_RENDER)
		return write_volume(j, w);
	if (opts.grad_planes &&
	    model_write(opts.grad_planes, &w->m, w->planes, NULL, j->provenance) != 0)
		return -1;
	if (opts.grad_points &&
	    matrix_write(opts.grad_points, w->out, t->n, 3, "x,y,z", j->provenance) != 0)
		return -1;
	return opts.grad_rotations ? rotations_write(opts.grad_rotations, w->dr, w->m.rotations)
				   : 0;
}

static void done(void *tool, struct job *j)
{
	struct work *w = j->data;

	(void)tool;
	kplanes_clear(&w->m);
	array_clear(&w->volume);
	free(w->out);
	for (size_t l = 0; l < KP_LEVELS; l++)
		free(w->planes[l]);
	csv_line_clear(&w->log);
	free(w);
	j->data = NULL;
}

static int plan_fit(struct kplanes_tool *t, struct job *j, struct job_plan *p)
{
	struct tiff_select select = common_select();
	struct kplanes_model m = { 0 };
	struct array a;

	if (tiff_probe(j->input, &select, &a, NULL) != 0)
		return -1;
	if (opts.init) {
		m = t->init;
		memcpy(m.shape, (size_t[3]){ a.nz, a.ny, a.nx }, sizeof m.shape);
	} else if (shape_model(t, j->input, &a, &m) != 0) {
		return -1;
	}
	*p = (struct job_plan){ a.type, a.nz, a.ny, a.nx, 0, fit_bytes(&m, &opts.fit), 1 };
	p->host_bytes = a.nz * a.ny * a.nx * 4 + kp_field_bytes(&m);
	return 0;
}

static int plan(void *tool, struct job *j, struct job_plan *p)
{
	struct kplanes_tool *t = tool;
	struct kplanes_model m;
	const size_t *n;
	size_t bytes;

	if (opts.verb == VERB_FIT)
		return plan_fit(t, j, p);
	if (model_read(j->input, &m) != 0)
		return -1;
	bytes = kp_field_bytes(&m);
	n = opts.shape[0] ? opts.shape : m.shape;
	*p = (struct job_plan){
		DT_F32, 3 * kplanes_features(&m), m.size[0][0], m.size[0][1], bytes, 0, 1
	};
	if (opts.verb == VERB_RENDER)
		p->host_bytes += n[0] * n[1] * n[2] * 4;
	else
		p->host_bytes += t->n * (opts.verb == VERB_EVAL
						 ? 12 + 4 * (opts.value ? 1 : kplanes_features(&m))
						 : 28);
	if (opts.verb == VERB_GRAD)
		p->device_bytes = kp_gradient_bytes(&m, t->n);
	else if (opts.verb != VERB_INFO)
		p->device_bytes = bytes;
	kplanes_clear(&m);
	return 0;
}

const struct batch_ops kplanes_ops = { .plan = plan,
				       .read = read_input,
				       .compute = compute,
				       .write = write_products,
				       .done = done,
				       .begin = profile_begin,
				       .end = profile_end };
