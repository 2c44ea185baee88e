#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ptycho/engine.h"
#include "ptycho/opr.h"
#include "ptycho/order.h"
#include "ptycho/positions.h"
#include "ptycho/slices.h"

/* Compact batches move the object once an iteration, by `sum`, and with momentum. */
struct kept {
	size_t *order, *start, *member, *group;	/* compact: member by group, groups by visit */
	double *step_object, *step_probe;	/* [k] of a batch */
	double *most, *step;			/* [slices] most light on a pixel, step of a batch */
	struct buf *sum;			/* [h][w], compact */
	float complex *past[3], *velocity;	/* normalised changes, the oldest first */
	size_t n_past;
	double gauge;				/* of the velocity */
};

/* A frame's own change of its probe is weighted as by rpie's default beta. */
static const double OPR_BETA = 0.5;

static void end(struct ptycho *p, void *kept)
{
	struct kept *k = kept;

	(void)p;
	if (!k)
		return;
	buf_free(k->sum);
	free(k->order);
	free(k->start);
	free(k->member);
	free(k->group);
	free(k->step_object);
	free(k->step_probe);
	free(k->most);
	free(k->step);
	for (int i = 0; i < 3; i++)
		free(k->past[i]);
	free(k->velocity);
	free(k);
}

static int begin(struct ptycho *p, const struct stage *s, void **kept)
{
	struct kept *k = mem_new(1, sizeof *k);

	*kept = k;
	k->order = mem_new(p->k, sizeof *k->order);
	k->step_object = mem_new(p->k, sizeof *k->step_object);
	k->step_probe = mem_new(p->k, sizeof *k->step_probe);
	k->most = mem_new(p->slices, sizeof *k->most);
	k->step = mem_new(p->slices, sizeof *k->step);
	k->gauge = p->gauge;
	if (s->compact) {
		k->start = mem_new(p->k + 1, sizeof *k->start);
		k->member = mem_new(p->k, sizeof *k->member);
		k->group = mem_new(p->k, sizeof *k->group);
		k->sum = buf_new(p->d, buf_bytes(p->object));
		if (!k->sum)
			return -1;
		for (int i = 0; i < 3 && s->momentum > 0; i++)
			k->past[i] = mem_new(p->h * p->w, sizeof *k->past[i]);
		if (s->momentum > 0)
			k->velocity = mem_new(p->h * p->w, sizeof *k->velocity);
	}
	return dev_load(p->d, "ptycho_pie");
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Mean without the floor(share n) smallest and largest; sorts. */
static double trimmed_mean(double *v, size_t n, double share)
{
	size_t cut = (size_t)(share * (double)n);
	double sum = 0;

	qsort(v, n, sizeof *v, ascending);
	for (size_t i = cut; i < n - cut; i++)
		sum += v[i];
	return sum / (double)(n - 2 * cut);
}

/* Steps of each frame from the 2x2 systems of Odstrcil et al. 2018, eq. 22. */
static void solve(const struct stage *s, size_t count, double (*sum)[8], bool probe, double *object_step,
		  double *probe_step)
{
	double mean[2] = { 0, 0 };

	for (size_t b = 0; b < count; b++)
		for (int i = 0; i < 2; i++)
			mean[i] += sum[b][i] / (double)count;
	for (size_t b = 0; b < count; b++) {
		double a11 = sum[b][0] + s->damp * mean[0] + 1e-30, a22 = sum[b][1] + s->damp * mean[1] + 1e-30;
		double re = sum[b][2], det = a11 * a22 - re * re - sum[b][3] * sum[b][3], b1 = sum[b][4], b2 = sum[b][5];

		object_step[b] = s->step * fmax(0, probe ? (a22 * b1 - re * b2) / det : b1 / a11);
		probe_step[b] = probe ? s->step * fmax(0, (a11 * b2 - re * b1) / det) : 0;
	}
}

/* Rows of the 2x2 systems; the direction of the object is in p->U, count times that of the probe in p->g. */
static int steps(struct ptycho *p, const struct stage *s, struct kept *k, struct buf *probes, bool probe, double *step_object,
		 double *step_probe)
{
	double(*sum)[8] = mem_new(p->count, sizeof *sum), all = 0;
	struct buf *dP = model_probes(p, p->g, p->scratch);
	int each = (int)(p->modes * p->n * p->n), rc = -1;

	if (!dP || dev_run(p->d, "ptycho_lsq_rows", over_rows(p, 2 * model_waves_moved(p) + (double)(p->modes + 2 * p->count)), ARG(p->rows), ARG(p->wave), ARG(probes), ARG(dP),
			   ARG(p->object), ARG(p->U), ARG(p->window), ARG(p->par), INT(p->n), INT(p->modes), INT(p->w),
			   INT(p->count), INT(probes != p->probe ? each : 0), INT(dP != p->g ? each : 0),
			   FLOAT(1.0 / (double)p->count), LOCAL(8 * 16 * sizeof(float))) != 0 ||
	    model_rows(p, 6, sum) != 0)
		goto done;
	solve(s, p->count, sum, probe, k->step_object, k->step_probe);
	for (size_t b = 0; b < p->count; b++)
		all += k->step_probe[b];
	*step_probe = all / (double)p->count;
	*step_object = trimmed_mean(k->step_object, p->count, 0.1);
	rc = 0;
done:
	free(sum);
	return rc;
}

static int add_tiles(struct ptycho *p, struct buf *to, double by)
{
	return dev_run(p->d, "ptycho_add_tiles", over_tiles(p, 24, 0), ARG(to), ARG(p->U), ARG(p->tile), INT(p->tiles),
		       INT(p->bottom), INT(p->w), FLOAT(by));
}

/* Most light on a pixel of each slice. */
static int most_light(struct ptycho *p, double *most)
{
	const float *w = buf_map(p->W, MAP_READ);
	size_t n = p->h * p->w;

	if (!w)
		return -1;
	for (size_t l = 0; l < p->slices; l++) {
		most[l] = 0;
		for (size_t i = l * n; i < (l + 1) * n; i++)
			most[l] = fmax(most[l], (double)w[i]);
	}
	return buf_unmap(p->W);
}

static int poisson_chi(struct ptycho *p, struct buf *probes)
{
	return slices_waves(p, probes) != 0 || model_forward(p, p->wave) != 0 || model_xi(p, p->wave, true, false) != 0 ? -1 :
													   model_backward(p, p->wave);
}

/* chi of the batch in p->wave, behind the last slice */
static struct buf *corrections(struct ptycho *p, const struct stage *s)
{
	struct buf *probes = model_probes(p, p->probe, p->shifted);

	if (!probes || (s->noise == NOISE_POISSON ? poisson_chi(p, probes) : slices_chi(p, probes)) != 0 ||
	    (s->refine && positions_batch(p, p->wave, probes) != 0) || intensity_batch(p, p->wave, probes) != 0)
		return NULL;
	return probes;
}

/* Of the slice at hand the direction in p->U and the step, of the first one also what the probe does. */
static int slice_step(struct ptycho *p, const struct stage *s, struct kept *k, struct buf *waves, size_t l,
		      double *step_probe)
{
	bool first = l == 0, probe = first && may_change_probe(p, s);

	if (model_gather_object(p, waves, p->wave, p->U, NULL, true) != 0 ||
	    dev_run(p->d, "ptycho_lsq_direction", over_tiles(p, 20, 0), ARG(p->U), ARG(p->W), ARG(p->tile), INT(p->tiles),
		    INT(p->bottom), INT(p->w), FLOAT(s->delta * k->most[l])) != 0 ||
	    (first && (model_gather_probe(p, p->object, p->wave, p->g, p->opr ? p->V : NULL, true) != 0 ||
		       model_gather_probe_end(p, p->g) != 0)))
		return -1;
	return steps(p, s, k, waves, probe, &k->step[l], step_probe);
}

/* chi of the batch, directions, steps, and the moves: of the object now, or with compact batches to k->sum.  Of several slices each goes
 * its own step along its own line, as if the others stood still: on simulated slabs of two and four that came further than half of it. */
static int one_batch(struct ptycho *p, const struct stage *s, struct kept *k, size_t batches, double *step_object,
		     double *step_probe)
{
	bool probe = may_change_probe(p, s);
	struct buf *probes = corrections(p, s);
	size_t elements = p->modes * p->n * p->n;

	if (!probes)
		return -1;
	*step_object = *step_probe = 0;
	for (size_t l = p->slices; l-- > 0;) {
		if (slice_step(p, s, k, slices_incident(p, probes), l, step_probe) != 0 ||
		    (l == 0 && probe && opr_batch(p, OPR_BETA) != 0) || slices_descend(p, 1) != 0 || slices_step(p) != 0)
			return -1;
		*step_object += k->step[l] / (double)p->slices;
	}
	for (size_t l = p->slices; l-- > 0;) {
		slices_at(p, l);
		if (s->compact ? add_tiles(p, k->sum, 1) != 0 :
				 may_change_object(p) && add_tiles(p, p->object, k->step[l]) != 0)
			return -1;
	}
	return !probe ? 0 :
			dev_run(p->d, "ptycho_add", moving(24 * elements, NDRANGE1(dev_columns(p->d, elements))), ARG(p->probe), ARG(p->g),
				INT(elements),
				FLOAT(*step_probe / (double)p->count / (s->compact ? (double)batches : 1)));
}

static double real_dot(const float complex *a, const float complex *b, size_t n)
{
	const float *x = (const float *)a, *y = (const float *)b;
	double sum = 0;

	for (size_t i = 0; i < 2 * n; i++)
		sum += (double)x[i] * (double)y[i];
	return sum;
}

/* Friction from how far the last three changes agree: a line through (0, 0), (1, ln c1), (2, ln c2). */
static void momentum(struct ptycho *p, const struct stage *s, struct kept *k, const float complex *move, float complex *object)
{
	size_t n = p->h * p->w;
	float norm = (float)sqrt(real_dot(move, move, n));
	float complex *oldest = k->past[0];
	double c1, c2, friction, old;

	if (!(norm > 0))
		return;
	if (k->n_past == 3) {
		memmove(k->past, k->past + 1, 2 * sizeof *k->past);
		k->past[2] = oldest;
	} else {
		k->n_past++;
	}
	for (size_t i = 0; i < n; i++)
		k->past[k->n_past - 1][i] = move[i] / norm;
	if (k->n_past < 3)
		return;
	c1 = real_dot(k->past[2], k->past[1], n);
	c2 = real_dot(k->past[2], k->past[0], n);
	if (!(c1 > 0 && c2 > 0)) {
		memset(k->velocity, 0, n * sizeof *k->velocity);
		return;
	}
	friction = fmin(1, 0.5 * fmax(0, -(log(c1) + 2 * log(c2)) / 5));
	old = (1 - friction) * k->gauge / p->gauge;
	k->gauge = p->gauge;
	for (size_t i = 0; i < n; i++) {
		k->velocity[i] = (float)old * k->velocity[i] + move[i];
		object[i] += (float)s->momentum * k->velocity[i];
	}
}

/* O += least step * sum of the directions, and what momentum adds */
static int move_at_once(struct ptycho *p, const struct stage *s, struct kept *k, double step)
{
	float complex *move = buf_map(k->sum, MAP_READ | MAP_WRITE), *object;

	if (!move)
		return -1;
	object = buf_map(p->object, MAP_READ | MAP_WRITE);
	if (!object)
		return -1;
	for (size_t i = 0; i < p->h * p->w; i++) {
		move[i] *= (float)step;
		object[i] += move[i];
	}
	if (s->momentum > 0)
		momentum(p, s, k, move, object);
	return buf_unmap(p->object) != 0 ? -1 : buf_unmap(k->sum);
}

/* Frames of the i-th batch and their number. */
static const size_t *batch_at(const struct ptycho *p, const struct stage *s, const struct kept *k, size_t i, size_t *count)
{
	if (s->compact) {
		size_t g = k->group[i];

		*count = k->start[g + 1] - k->start[g];
		return k->member + k->start[g];
	}
	*count = p->k - i * s->batch < s->batch ? p->k - i * s->batch : s->batch;
	return k->order + i * s->batch;
}

static int iterate(struct ptycho *p, const struct stage *s, long j, void *kept, struct ptycho_row *row)
{
	struct kept *k = kept;
	size_t batches = (p->k + s->batch - 1) / s->batch;
	double least = INFINITY, objects = 0, probes = 0, alpha = 0;

	(void)j;
	if (slices_illumination(p, p->W) != 0 || most_light(p, k->most) != 0 ||
	    (k->sum && buf_zero(k->sum) != 0))
		return -1;
	if (s->compact) {
		batches = order_compact((const double(*)[2])p->s, p->k, s->batch, k->member, k->start);
		order_frames(batches, !s->sequential, p->o.seed, (uint64_t)p->iteration, k->group);
	} else {
		order_frames(p->k, !s->sequential, p->o.seed, (uint64_t)p->iteration, k->order);
	}
	for (size_t i = 0; i < batches; i++) {
		double object, probe;
		size_t count;
		const size_t *frames = batch_at(p, s, k, i, &count);

		if (model_batch(p, frames, count) != 0 || one_batch(p, s, k, batches, &object, &probe) != 0)
			return -1;
		least = fmin(least, object);
		objects += object / (double)batches;
		probes += probe / (double)batches;
	}
	if ((s->compact && may_change_object(p) && move_at_once(p, s, k, least) != 0) ||
	    (s->refine && positions_apply(p) != 0) || intensity_apply(p) != 0 || opr_end(p) != 0)
		return -1;
	for (size_t i = 0; i < p->k; i++)
		alpha += p->alpha[i] / (double)p->k;
	model_errors_row(p, row);
	row->step_object = objects;
	row->step_probe = probes;
	row->alpha = s->noise == NOISE_POISSON ? alpha : 1;
	return 0;
}

/* What compact batches with momentum hand on. */
static int visit(struct ptycho *p, void *kept, ptycho_visitor *visitor, void *arg)
{
	static const char *const names[] = { "past0", "past1", "past2" };
	struct kept *k = kept;
	double number[] = { (double)k->n_past, k->gauge };

	if (!k->velocity)
		return 0;
	for (int i = 0; i < 3; i++)
		if (visitor(arg, names[i], k->past[i], DT_F32, 1, p->h, 2 * p->w) != 0)
			return -1;
	if (visitor(arg, "velocity", k->velocity, DT_F32, 1, p->h, 2 * p->w) != 0 ||
	    visitor(arg, "momentum", number, DT_F64, 1, 1, 2) != 0)
		return -1;
	k->n_past = (size_t)number[0];
	k->gauge = number[1];
	return 0;
}

const struct engine engine_lsqml = { .name = "lsqml", .begin = begin, .iterate = iterate, .end = end, .visit = visit, .gauge = true,
				     .sequential_updates = true, .slices = true, .opr = true };
