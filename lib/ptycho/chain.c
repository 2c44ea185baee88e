#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/die.h"
#include "base/mem.h"
#include "base/team.h"
#include "ptycho/background.h"
#include "ptycho/chores.h"
#include "ptycho/opr.h"
#include "ptycho/probe.h"

static const struct engine *const engines[] = { &engine_epie,	&engine_rpie, &engine_wasp, &engine_lsqml, &engine_mlgrad,
						&engine_er,	&engine_dm,   &engine_raar, &engine_ml };
enum { KEEP_EVERY = 5, PATIENCE = 3 }; /* iterations between copies of a good state, and of bad ones that end a run */

#define NOISE 1e-4 /* an R below is that of rounding, or of noise-free frames */

/* What the watchdog compares with, and goes back to. */
struct watch {
	double first, best, power;
	double bad; /* iterations in a row whose R is far above */
	struct saved {
		const char *name;
		enum dtype type;
		size_t nz, ny, nx;
		void *data;
	} *good; /* [arrays] of visit_state */
	size_t arrays, at;
	long iteration;
};

const struct engine *engine_find(const char *name)
{
	for (size_t i = 0; i < sizeof engines / sizeof engines[0]; i++)
		if (strcmp(engines[i]->name, name) == 0)
			return engines[i];
	return NULL;
}

bool may_change_probe(const struct ptycho *p, const struct stage *s)
{
	return !p->o.freeze_probe && !s->probe_fixed && p->iteration >= p->o.probe_start;
}

bool may_change_object(const struct ptycho *p)
{
	return p->iteration >= p->o.object_start;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

struct both {
	const float *x, *y;
};

/* sum |x - y|^2, |y|^2, by sums side by side: one alone would wait for each of its additions */
static void difference(const void *context, size_t from, size_t to, double *sum)
{
	enum { SIDE = 16 };
	const struct both *b = context;
	double num[SIDE] = { 0 }, den[SIDE] = { 0 };

	for (size_t i = from; i < to; i += SIDE) {
		size_t w = to - i < SIDE ? to - i : SIDE;

		for (size_t l = 0; l < w; l++) {
			double e = (double)b->x[i + l] - (double)b->y[i + l];

			num[l] += e * e;
			den[l] += (double)b->y[i + l] * (double)b->y[i + l];
		}
	}
	for (size_t l = 0; l < SIDE; l++) {
		sum[0] += num[l];
		sum[1] += den[l];
	}
}

/* |a - b| / |b| */
static double change(const float complex *a, const float complex *b, size_t n)
{
	struct both both = { (const float *)a, (const float *)b };
	double sum[2];

	team_add(2 * n, 2, difference, &both, sum);
	return sqrt(sum[0] / sum[1]);
}

static int changes(struct ptycho *p, const float complex *object, const float complex *probe, struct ptycho_row *row)
{
	const float complex *o = buf_map(p->object, MAP_READ), *q;

	if (!o)
		return -1;
	row->dO = change(o, object, ptycho_canvas(p));
	if (buf_unmap(p->object) != 0 || !(q = buf_map(p->probe, MAP_READ)))
		return -1;
	row->dP = change(q, probe, p->modes * p->n * p->n);
	return buf_unmap(p->probe);
}

static void moved(const struct ptycho *p, struct ptycho_row *row)
{
	double sum = 0;

	for (size_t k = 0; k < p->k; k++)
		for (int a = 0; a < 2; a++)
			sum += (p->s[k][a] - p->s0[k][a]) * (p->s[k][a] - p->s0[k][a]);
	row->position_rms = sqrt(sum / (double)p->k);
}

/* ---- the watchdog */

static int power_of(struct ptycho *p, double *power)
{
	return model_dot(p->probe, p->probe, p->modes * p->n * p->n, power);
}

static int visit_buf(struct buf *b, const char *name, size_t nz, size_t ny, size_t nx, ptycho_visitor *visit, void *arg)
{
	void *data = buf_map(b, MAP_READ | MAP_WRITE);
	int rc = data ? visit(arg, name, data, DT_F32, nz, ny, nx) : -1;

	return data && buf_unmap(b) != 0 ? -1 : rc;
}

/* What is written as the result, and what the next iteration starts from, but for what engines keep. */
static int visit_state(struct ptycho *p, ptycho_visitor *visit, void *arg)
{
	double number[] = { (double)p->shift[0], (double)p->shift[1], p->gauge };

	if (visit_buf(p->object, "object", p->slices, p->h, 2 * p->w, visit, arg) != 0 ||
	    visit_buf(p->probe, "probe", p->modes, p->n, 2 * p->n, visit, arg) != 0 ||
	    visit(arg, "windows", p->s, DT_F64, 1, p->k, 2) != 0 ||
	    visit(arg, "windows_given", p->s0, DT_F64, 1, p->k, 2) != 0 ||
	    visit(arg, "intensity", p->intensity, DT_F64, 1, 1, p->k) != 0 ||
	    visit(arg, "alpha", p->alpha, DT_F64, 1, 1, p->k) != 0 || opr_visit(p, visit, arg) != 0 ||
	    (p->seen && visit_buf(p->background, "background", 1, p->n, p->n, visit, arg) != 0) ||
	    visit(arg, "numbers", number, DT_F64, 1, 1, sizeof number / sizeof number[0]) != 0)
		return -1;
	for (int a = 0; a < 2; a++)
		p->shift[a] = (long)number[a];
	p->gauge = number[2];
	return 0;
}

static int save(void *arg, const char *name, void *data, enum dtype type, size_t nz, size_t ny, size_t nx)
{
	struct watch *w = arg;
	size_t bytes = nz * ny * nx * dtype_size(type);

	if (w->at == w->arrays) {
		w->good = mem_grow(w->good, w->arrays + 1, sizeof *w->good);
		w->good[w->arrays++] = (struct saved){ name, type, nz, ny, nx, mem_new(bytes, 1) };
	}
	memcpy(w->good[w->at++].data, data, bytes);
	return 0;
}

static int give_back(void *arg, const char *name, void *data, enum dtype type, size_t nz, size_t ny, size_t nx)
{
	struct watch *w = arg;

	(void)name;
	memcpy(data, w->good[w->at++].data, nz * ny * nx * dtype_size(type));
	return 0;
}

static int keep_good(struct ptycho *p, struct watch *w)
{
	w->at = 0;
	w->iteration = p->iteration;
	return visit_state(p, save, w);
}

/* Arrays of another shape, or none. */
static void forget(struct watch *w)
{
	for (size_t i = 0; i < w->arrays; i++)
		free(w->good[i].data);
	free(w->good);
	w->good = NULL;
	w->arrays = 0;
}

static int go_back(struct ptycho *p, struct watch *w)
{
	w->at = 0;
	return visit_state(p, give_back, w);
}

/* Is the state sound?  1 yes, 0 no after reporting why, -1 after an error.  One bad R is no divergence: the first step of ml, or of
 * the probe, may lift it far above the best one, and it falls again.  An object that is not finite shows in its change. */
static int sound(struct ptycho *p, struct watch *w, const struct ptycho_row *row)
{
	double power;

	if (power_of(p, &power) != 0)
		return -1;
	if (!isfinite(power) || !isfinite(row->dO) || !isfinite(row->dP)) {
		error("iteration %ld: object or probe are not finite, expected a reconstruction that converges: the state "
		      "after iteration %ld is written",
		      row->iteration, w->iteration);
		return 0;
	}
	if (power > 100 * w->power || power < w->power / 100) {
		error("iteration %ld: the probe's power is %g times that of the start, expected 0.01 to 100: the state after "
		      "iteration %ld is written",
		      row->iteration, power / w->power, w->iteration);
		return 0;
	}
	if (isnan(row->R))
		return 1;
	if (isnan(w->first))
		w->first = w->best = row->R;
	w->bad = row->R > 1.5 * w->first && row->R > 3 * w->best && row->R > NOISE ? w->bad + 1 : 0;
	if (w->bad >= PATIENCE) {
		error("iteration %ld: R is %g after %g at first and %g at best, expected it to fall: the state after "
		      "iteration %ld is written",
		      row->iteration, row->R, w->first, w->best, w->iteration);
		return 0;
	}
	if (row->R < w->best)
		w->best = row->R;
	return 1;
}

/* ---- one iteration, one stage */

struct run {
	const struct chain_ops *ops;
	struct watch watch;
	float complex *object, *probe; /* before the iteration */
	void *kept;
	bool restore;
};

static int iteration(struct ptycho *p, const struct stage *s, size_t stage, long j, struct run *r)
{
	struct ptycho_row row = { .iteration = p->iteration, .stage = stage, .engine = s->engine->name, .R = NAN,
				  .chi = NAN, .fmag = NAN, .nll = NAN, .step_object = NAN, .step_probe = NAN, .alpha = NAN };
	double start = now();
	int good = 1;

	if (ptycho_read(p, r->object, r->probe) != 0)
		return -1;
	if (r->ops->watchdog && j % KEEP_EVERY == 0 && !(r->watch.bad > 0) && keep_good(p, &r->watch) != 0)
		return -1;
	if (background_begin(p) != 0 || s->engine->iterate(p, s, j, r->kept, &row) != 0 || background_end(p) != 0 ||
	    changes(p, r->object, r->probe, &row) != 0)
		return -1;
	if (r->ops->watchdog)
		good = sound(p, &r->watch, &row);
	if (good < 0)
		return -1;
	if (!good)
		return go_back(p, &r->watch) != 0 ? -1 : CHAIN_DIVERGED;
	if ((r->ops->object && r->ops->object(r->ops->arg, p) != 0) || chores_run(p, s, j + 1 == s->iterations) != 0)
		return -1;
	moved(p, &row);
	memcpy(row.shift, p->shift, sizeof row.shift);
	row.seconds = now() - start;
	p->iteration++;
	return r->ops->row ? r->ops->row(r->ops->arg, p, &row) : 0;
}

int chain_visit(struct chain_point *at, ptycho_visitor *visit, void *arg)
{
	struct watch *w = &at->run->watch;
	double number[] = { w->first, w->best, w->power, (double)w->iteration, w->bad };

	if (visit_state(at->p, visit, arg) != 0 ||
	    visit(arg, "watch", number, DT_F64, 1, 1, sizeof number / sizeof number[0]) != 0)
		return -1;
	for (struct saved *a = w->good; a < w->good + w->arrays; a++)
		if (visit(arg, a->name, a->data, a->type, a->nz, a->ny, a->nx) != 0)
			return -1;
	w->first = number[0];
	w->best = number[1];
	w->power = number[2];
	w->iteration = (long)number[3];
	w->bad = number[4];
	return at->s->engine->visit ? at->s->engine->visit(at->p, at->run->kept, visit, arg) : 0;
}

/* More modes are completed as at the start; of fewer the strongest stay, with all the light. */
static int change_modes(struct ptycho *p, size_t to)
{
	size_t n = p->n, had = p->modes;
	double *power = mem_new(had, sizeof *power), all = 0, left = 0;
	float complex *probe = buf_map(p->probe, MAP_READ | MAP_WRITE);

	if (probe && to > had)
		probe_modes(n, had, to, p->o.mode_power, probe);
	if (probe && to < had) {
		probe_orthogonalise(n, had, probe, power);
		for (size_t m = 0; m < had; m++) {
			all += power[m];
			left += m < to ? power[m] : 0;
		}
		for (size_t i = 0; i < to * n * n && left > 0; i++)
			probe[i] *= (float)sqrt(all / left);
	}
	free(power);
	p->modes = to;
	return probe ? buf_unmap(p->probe) : -1;
}

/* The stage's number of modes, also of one that a checkpoint is beyond: it has as many. */
static int set_modes(struct ptycho *p, const struct stage *s, struct run *r)
{
	if (s->modes == 0 || s->modes == p->modes)
		return 0;
	if (change_modes(p, s->modes) != 0)
		return -1;
	forget(&r->watch);
	r->watch.bad = 0;
	return r->ops->watchdog ? keep_good(p, &r->watch) : 0;
}

static int run_stage(struct ptycho *p, const struct stage *s, size_t stage, long from, struct run *r)
{
	struct chain_point at = { p, stage, s, r };
	int rc = 0;

	r->kept = NULL;
	if (set_modes(p, s, r) != 0)
		return -1;
	if (s->engine->begin && s->engine->begin(p, s, &r->kept) != 0)
		rc = -1;
	if (rc == 0 && r->restore && r->ops->restore)
		rc = r->ops->restore(r->ops->arg, &at);
	r->restore = false;
	for (long j = from; j < s->iterations && rc == 0; j++) {
		rc = iteration(p, s, stage, j, r);
		if (rc == 0 && r->ops->checkpoint && j + 1 < s->iterations)
			rc = r->ops->checkpoint(r->ops->arg, &at);
	}
	if (s->engine->end)
		s->engine->end(p, r->kept);
	return rc;
}

static int last_row(struct ptycho *p, struct ptycho_row *final)
{
	*final = (struct ptycho_row){ .iteration = p->iteration, .engine = "", .dO = NAN, .dP = NAN, .step_object = NAN,
				      .step_probe = NAN, .alpha = NAN, .seconds = NAN };
	if (model_all_errors(p) != 0)
		return -1;
	model_errors_row(p, final);
	moved(p, final);
	memcpy(final->shift, p->shift, sizeof final->shift);
	return 0;
}

int chain_run(struct ptycho *p, const struct stage *stages, size_t n, const struct chain_ops *ops, struct ptycho_row *final)
{
	size_t canvas = ptycho_canvas(p), probes = p->o.modes_most * p->n * p->n;
	struct run r = { .ops = ops, .watch = { .first = NAN, .best = NAN }, .restore = p->iteration > 0 };
	long done = p->iteration;
	int rc = power_of(p, &r.watch.power);

	r.object = mem_new(canvas, sizeof *r.object);
	r.probe = mem_new(probes, sizeof *r.probe);
	if (rc == 0 && ops->watchdog) /* also for a checkpoint to be read into */
		rc = keep_good(p, &r.watch);
	for (size_t i = 0; i < n && rc == 0; i++) {
		if (done >= stages[i].iterations) {
			done -= stages[i].iterations;
			rc = set_modes(p, &stages[i], &r);
			continue;
		}
		rc = run_stage(p, &stages[i], i, done, &r);
		done = 0;
	}
	if (rc >= 0 && last_row(p, final) != 0)
		rc = -1;
	free(r.object);
	free(r.probe);
	forget(&r.watch);
	return rc;
}

int chain_rescale_probe(struct ptycho *p)
{
	double measured = 0, model = 0;
	float complex *v;

	if (model_all_errors(p) != 0)
		return -1;
	for (size_t k = 0; k < p->k; k++) {
		measured += p->err[k][ERR_I] - p->err[k][ERR_BACKGROUND];
		model += p->err[k][ERR_BEAM];
	}
	if (!(measured > 0))
		return error("the background has %g photons more than the frames, expected fewer", -measured);
	if (!(model > 0))
		return error("start probe and object give no light, expected a probe with power");
	v = buf_map(p->probe, MAP_READ | MAP_WRITE);
	if (!v)
		return -1;
	for (size_t i = 0; i < p->modes * p->n * p->n; i++)
		v[i] *= (float)sqrt(measured / model);
	return buf_unmap(p->probe);
}
