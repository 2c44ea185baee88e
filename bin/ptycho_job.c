#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "base/mem.h"
#include "batch/common.h"
#include "ptycho_checkpoint.h"
#include "ptychorecon.h"
#include "ptycho/opr.h"
#include "ptycho/positions.h"
#include "ptycho/background.h"
#include "ptycho/preflight.h"
#include "ptycho/ramp.h"

/* Hours later would be too late. */
static int check_folder(const struct job *j)
{
	const char *slash = strrchr(j->output, '/');
	char *folder = slash ? mem_printf("%.*s", (int)(slash - j->output + 1), j->output)
			     : mem_strdup(".");
	int rc = access(folder, W_OK) == 0 ? 0
					   : error("'%s': %s, expected a folder to write to",
						   folder, strerror(errno));

	free(folder);
	return rc;
}

static int read_scan(void *tool, struct job *j)
{
	struct tool *t = tool;

	if (j->output && check_folder(j) != 0)
		return -1;
	j->data = mem_new(1, sizeof(struct work));
	return work_read(j->input, &t->o[j->index], j->data);
}

static void done(void *tool, struct job *j)
{
	(void)tool;
	if (!j->data)
		return;
	work_clear(j->data);
	free(j->data);
	j->data = NULL;
}

/* The most modes in the chain. */
static size_t modes_most(const struct work *w)
{
	return w->o->engine.modes_most > w->modes ? w->o->engine.modes_most : w->modes;
}

/* Bytes beyond the plan: shifted probes of a batch, and what positions are refined with. */
static size_t plan_extra(const struct work *w, const struct engine *e, size_t room)
{
	size_t area = w->frames.n * w->frames.n, waves = modes_most(w) * area * sizeof(float complex),
	       bytes = 0;

	if (w->o->engine.subpixel)
		bytes += (e == &engine_ml ? 3 : 2) * room * waves + 2 * waves;
	if (w->o->engine.opr) /* the frames' own probes, and steps */
		bytes += 2 * room * waves +
			 (w->o->engine.opr * (area + room) + room) * sizeof(float complex);
	if (w->o->slices > 1)
		bytes += w->o->slices * room * waves + area * sizeof(float complex);
	if (w->o->near_field)
		bytes += area * sizeof(float complex);
	if (w->o->engine.refine.on)
		bytes += 2 * room * area * sizeof(float complex);
	return bytes;
}

/* Bytes of the exit waves that a stage keeps on the host (ptycho/waves.h): the state of dm and raar
 * where it does not fit the device, what others can compute again where it is no larger than that. */
static size_t waves_on_host(const struct work *w, const struct stage *s, const struct dev *d,
			    bool fits)
{
	size_t bytes = mem_mul(w->frames.k,
			       modes_most(w) * w->frames.n * w->frames.n * sizeof(float complex));

	if (s->engine == &engine_dm || s->engine == &engine_raar)
		return fits ? 0 : bytes;
	if (s->engine == &engine_er && s->inner > 1)
		return bytes;
	return (s->engine == &engine_er || s->engine == &engine_mlgrad) && bytes <= dev_mem(d)
		       ? bytes
		       : 0;
}

/* Of the stage that needs the most; room: the largest batch; beside: what else the device holds;
 * host: the most bytes of exit waves there. */
static struct ptycho_plan plan_of(const struct work *w, struct dev *d, size_t beside, size_t *room,
				  size_t *host)
{
	struct ptycho_plan most = { 0 };

	*host = 0;
	*room = 1;
	for (size_t i = 0; i < w->o->stages; i++)
		if (w->o->stage[i].batch > *room)
			*room = w->o->stage[i].batch;
	if (*room > w->frames.k)
		*room = w->frames.k;
	for (size_t i = 0; i < w->o->stages; i++) {
		const struct engine *e = w->o->stage[i].engine;
		size_t extra = beside + plan_extra(w, e, *room),
		       mem = dev_mem(d) > extra ? dev_mem(d) - extra : 0;
		struct ptycho_plan p =
			ptycho_plan(w->frames.k, w->frames.n, modes_most(w),
				    w->o->slices * w->canvas[0], w->canvas[1],
				    e->name, *room, w->frames.u16 ? 2 : 4, mem);

		size_t waves = waves_on_host(w, &w->o->stage[i], d, p.blocks == 1);

		*host = waves > *host ? waves : *host;
		p.work += extra;
		if (i == 0 || p.blocks == 0 ||
		    (most.blocks > 0 &&
		     p.fixed + p.work + p.frames > most.fixed + most.work + most.frames))
			most = p;
	}
	return most;
}

/* ---- the log */

static void put_row(struct csv_line *l, const struct ptycho_row *r, bool final)
{
	const double v[] = { r->R,  r->chi,	    r->fmag,	   r->nll,   r->dO,
			     r->dP, r->step_object, r->step_probe, r->alpha, r->position_rms };

	if (final) {
		csv_put_text(l, "final");
		csv_put_text(l, "");
	} else {
		csv_put_long(l, r->iteration);
		csv_put_long(l, (long long)r->stage);
	}
	csv_put_text(l, r->engine);
	for (size_t i = 0; i < sizeof v / sizeof v[0]; i++)
		csv_put_double(l, v[i]);
	csv_put_long(l, r->shift[0]);
	csv_put_long(l, r->shift[1]);
	csv_put_digits(l, r->seconds, 6);
	csv_line_end(l);
}

static void put_curve(struct work *w, double R)
{
	w->curve.R = mem_grow(w->curve.R, w->curve.n + 1, sizeof *w->curve.R);
	w->curve.R[w->curve.n++] = R;
}

static int log_row(void *arg, struct ptycho *p, const struct ptycho_row *r)
{
	struct job *j = arg;
	struct work *w = j->data;

	(void)p;
	put_row(&w->log, r, false);
	put_curve(w, r->R);
	info("iteration %ld, %s: R %.5g, nll %.5g, dO %.3g, %.3g s", r->iteration, r->engine, r->R,
	     r->nll, r->dO, r->seconds);
	return 0;
}

/* ---- computing */

/* Beyond, light that left the frame on one side would come in on the other. */
static void say_sampling(const struct work *w, const char *input)
{
	const struct optics *x = &w->o->engine.optics;
	double n = (double)w->frames.n;

	if (x->near_field && !propagator_sampled(w->frames.n, x->distance, x->wavelength, x->pixel))
		warning("'%s': the near field at %.3g m is not sampled by %.0f pixels, expected "
			"at most %.3g m",
			input, x->distance, n, n * x->pixel * x->pixel / x->wavelength);
}

static int begin(struct tool *t, struct job *j, struct ptycho *p)
{
	struct work *w = j->data;
	struct ptycho_opts e = w->o->engine;
	struct preflight f;
	struct ptycho_plan plan;
	size_t room, beside, host;

	if (regular_bytes(w, t->d, &beside) != 0 || work_probe(w, j->input, t->d, true) != 0)
		return -1;
	f = preflight_of(&w->frames, (const double(*)[2])w->s, w->canvas, w->scan.pixel_m, w->modes,
			 w->probe);
	preflight_say(j->input, &f);
	say_sampling(w, j->input);
	plan = plan_of(w, t->d, beside, &room, &host);
	if (plan.blocks == 0)
		return error("'%s': needs %zu bytes on the device for one frame at a time, "
			     "expected at most the %zu of "
			     "--mem",
			     j->input, plan.fixed + plan.work + 2 * plan.frames / w->frames.k,
			     dev_mem(t->d));
	e.optics.pixel = w->scan.pixel_m;
	if (ptycho_init(p, t->d, &e, &w->frames, (const double(*)[2])w->s, w->canvas[0],
			w->canvas[1], w->modes, w->probe, w->object, room, plan.blocks == 1) != 0)
		return -1;
	if (w->o->background && background_set(p, w->background, w->o->background_start) != 0)
		return -1;
	return w->o->photons == PHOTONS_DATA ? chain_rescale_probe(p) : 0;
}

static int dump(const struct work *w, struct ptycho *p)
{
	float complex *probe;
	int rc = -1;

	if (!w->o->dump_inputs)
		return 0;
	probe = mem_new(w->modes * w->frames.n * w->frames.n, sizeof *probe);
	if (ptycho_read(p, NULL, probe) == 0)
		rc = work_dump(w, probe);
	free(probe);
	return rc;
}

/* A start object that is a constant other than 1. */
static int start_object(struct work *w, const char *input)
{
	size_t n = w->o->slices * w->canvas[0] * w->canvas[1];

	if (w->object || w->o->object_value == 1)
		return 0;
	w->object = mem_try(input, n, sizeof *w->object);
	for (size_t i = 0; w->object && i < n; i++)
		w->object[i] = w->o->object_value;
	return w->object ? 0 : -1;
}

/* The state as it is, to the host. */
static int finish(struct work *w, const char *input, struct ptycho *p)
{
	size_t n = w->canvas[0] * w->canvas[1], k = w->frames.k;

	if (!w->object)
		w->object = mem_try(input, n * w->o->slices, sizeof *w->object);
	if (!w->end) {
		w->light = mem_try(input, n, sizeof *w->light);
		w->end = mem_new(k, sizeof *w->end);
		w->err = mem_new(k, sizeof *w->err);
		w->intensity = mem_new(k, sizeof *w->intensity);
	}
	if (!w->object || !w->light)
		return -1;
	memcpy(w->end, p->s, k * sizeof *w->end);
	memcpy(w->err, p->err, k * sizeof *w->err);
	memcpy(w->intensity, p->intensity, k * sizeof *w->intensity);
	memcpy(w->shift, p->shift, sizeof w->shift);
	if (w->o->engine.opr) {
		size_t c = w->o->engine.opr;

		if (!w->opr) {
			w->opr = mem_new(c * w->frames.n * w->frames.n, sizeof *w->opr);
			w->opr_weight = mem_new(k * (c + 1), sizeof *w->opr_weight);
		}
		if (opr_read(p, w->opr, w->opr_weight) != 0)
			return -1;
	}
	if (model_illumination(p, p->W) != 0 ||
	    buf_read(p->W, 0, w->light, n * sizeof *w->light) != 0)
		return -1;
	if (p->background && !w->background)
		w->background = mem_new(p->n * p->n, sizeof *w->background);
	if (p->background && buf_read(p->background, 0, w->background, p->n * p->n * sizeof *w->background) != 0)
		return -1;
	if (p->modes != w->modes) {
		w->modes = p->modes;
		w->probe = mem_grow(w->probe, w->modes * p->n * p->n, sizeof *w->probe);
	}
	if (ptycho_read(p, w->object, w->probe) != 0)
		return -1;
	return w->o->ramp == RAMP_REMOVE
		       ? ramp_remove(p->d, w->canvas[0], w->canvas[1], w->object, w->light, NULL)
		       : 0;
}

/* ---- checkpoints */

/* Every so many iterations, and the picture of the object with it. */
static int checkpoint(void *arg, struct chain_point *at)
{
	struct job *j = arg;
	struct work *w = j->data;

	if (at->p->iteration % w->o->checkpoint != 0)
		return 0;
	return checkpoint_save(j, at, &w->log) != 0 || finish(w, j->input, at->p) != 0 ||
			       work_preview(w, j) != 0
		       ? -1
		       : 0;
}

static int restore(void *arg, struct chain_point *at)
{
	return checkpoint_load(arg, at);
}

/* ---- between iterations */

static int change_object(void *arg, struct ptycho *p)
{
	struct job *j = arg;

	return regular_step(j->data, p);
}

/* With --resume, from the checkpoint of this very command. */
static int resume(struct job *j, struct ptycho *p)
{
	struct work *w = j->data;
	long done = common.resume ? checkpoint_find(j, &w->log) : 0;
	const char *row = w->log.text;

	if (done <= 0)
		return (int)done;
	p->iteration = done;
	info("'%s': goes on after iteration %ld", j->input, done - 1);
	for (long i = 0; i < done && row; i++) {
		double R = NAN;

		sscanf(row, "%*[^,],%*[^,],%*[^,],%lf", &R);
		put_curve(w, R);
		row = strchr(row, '\n');
		row = row ? row + 1 : NULL;
	}
	return 0;
}

static void say_affine(const struct ptycho *p)
{
	struct positions_affine a;

	if (positions_affine(p, &a) == 0)
		info("positions: scale y %.6g, scale x %.6g, rotation %.5g degrees, shear %.5g",
		     a.scale[0], a.scale[1], a.rotation_deg, a.shear);
}

static int compute(void *tool, struct job *j)
{
	struct tool *t = tool;
	struct work *w = j->data;
	struct chain_ops ops = { .object = change_object,
				 .row = log_row,
				 .checkpoint = w->o->checkpoint ? checkpoint : NULL,
				 .restore = restore,
				 .arg = j,
				 .watchdog = w->o->watchdog };
	struct ptycho p = { 0 };
	struct ptycho_row final;
	int rc = -1, chain;

	if (w->o->orientations || w->o->xys)
		return work_orientations(w, j, t->d);
	if (start_object(w, j->input) != 0 || begin(t, j, &p) != 0 || dump(w, &p) != 0 ||
	    regular_begin(w, j->input, t->d) != 0 || resume(j, &p) != 0)
		goto done;
	chain = chain_run(&p, w->o->stage, w->o->stages, &ops, &final);
	if (chain < 0)
		goto done;
	w->diverged = chain == CHAIN_DIVERGED;
	put_row(&w->log, &final, true);
	info("final: R %.6g, chi %.5g, nll %.5g", final.R, final.chi, final.nll);
	if (w->o->engine.refine.affine)
		say_affine(&p);
	rc = finish(w, j->input, &p);
done:
	regular_end(w);
	ptycho_clear(&p);
	return rc;
}

/* A run that diverged leaves its last good state, and has failed all the same. */
static int write_scan(void *tool, struct job *j)
{
	struct work *w = j->data;

	(void)tool;
	if (w->o->orientations || w->o->xys)
		return 0;
	if (work_write(w, j) != 0)
		return -1;
	checkpoint_remove(j);
	return w->diverged ? -1 : 0;
}

static int plan(void *tool, struct job *j, struct job_plan *to)
{
	struct tool *t = tool;
	struct work w = { 0 };
	enum verbosity said = verbosity;
	struct preflight f;
	struct ptycho_plan p;
	size_t room, beside, host;
	int rc = -1;

	if (work_read(j->input, &t->o[j->index], &w) != 0 ||
	    regular_bytes(&w, t->d, &beside) != 0 || work_probe(&w, j->input, t->d, false) != 0)
		goto done;
	f = preflight_of(&w.frames, (const double(*)[2])w.s, w.canvas, w.scan.pixel_m, w.modes,
			 w.o->probe_kind == PROBE_SCAN ? NULL : w.probe);
	if (said == NORMAL) /* they are what is asked for */
		verbosity = VERBOSE;
	preflight_say(j->input, &f);
	verbosity = said;
	p = plan_of(&w, t->d, beside, &room, &host);
	*to = (struct job_plan){ .type = w.frames.u16 ? DT_U16 : DT_F32,
				 .nz = w.frames.k,
				 .ny = w.frames.n,
				 .nx = w.frames.n,
				 .device_bytes = p.fixed + p.work + p.frames,
				 .blocks = p.blocks };
	to->host_bytes = w.frames.pages * w.frames.n * w.frames.n * dtype_size(to->type) +
			 w.canvas[0] * w.canvas[1] * (w.o->slices * 24 + 4) + host;
	rc = p.blocks > 0
		     ? 0
		     : error("'%s': needs %zu bytes on the device for one frame at a time, "
			     "expected at most the %zu of "
			     "--mem",
			     j->input, p.fixed + p.work + 2 * p.frames / w.frames.k, dev_mem(t->d));
done:
	work_clear(&w);
	return rc;
}

const struct batch_ops ptychorecon_ops = {
	plan, read_scan, compute, write_scan, done, profile_begin, profile_end, 1,
};
