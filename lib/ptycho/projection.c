/* Engines that keep the exit waves of all frames: difference map, relaxed averaged alternating
 * reflections, error reduction. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "ptycho/engine.h"
#include "ptycho/waves.h"

struct projection {
	struct waves psi;
	struct buf *factor; /* [room] float */
	/* key avg: object and probe after each of the last iterations but one, summed; NULL without
	 */
	float complex *object, *probe;
	double share[2]; /* how many were summed; p->iteration when all iterations are done */
};

static int projection_begin(struct ptycho *p, const struct stage *s, void **kept)
{
	struct projection *k = mem_new(1, sizeof *k);

	*kept = k;
	if (s->average > 0) {
		k->object = mem_new(p->h * p->w, sizeof *k->object);
		k->probe = mem_new(p->modes * p->n * p->n, sizeof *k->probe);
	}
	k->factor = buf_new(p->d, p->room * sizeof(float));
	return !k->factor || dev_load(p->d, "ptycho_projection") != 0 ||
			       waves_init(p, &k->psi, p->room,
					  s->engine == &engine_er && s->inner == 1
						  ? WAVES_SPARE
						  : WAVES_STATE) != 0
		       ? -1
		       : 0;
}

/* sum += the values of b, or with last b = (sum + b) / (n + 1) */
static int mean(struct buf *b, float complex *sum, size_t count, double n, bool last)
{
	float complex *v = buf_map(b, last ? MAP_READ | MAP_WRITE : MAP_READ);

	if (!v)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (last)
			v[i] = (sum[i] + v[i]) / (float)(n + 1);
		else
			sum[i] += v[i];
	return buf_unmap(b);
}

static int means(struct ptycho *p, struct projection *k, bool last)
{
	return mean(p->object, k->object, p->h * p->w, k->share[0], last) != 0 ||
			       mean(p->probe, k->probe, p->modes * p->n * p->n, k->share[0],
				    last) != 0
		       ? -1
		       : 0;
}

/* The state before iteration j is that after iteration j - 1: it counts if that is one of the last.
 */
static int sum_state(struct ptycho *p, const struct stage *s, long j, struct projection *k)
{
	long last = (long)ceil(s->average * (double)s->iterations);

	if (!k->object)
		return 0;
	k->share[1] = (double)(p->iteration + s->iterations - j);
	if (j < 1 || j - 1 < s->iterations - last)
		return 0;
	if (means(p, k, false) != 0)
		return -1;
	k->share[0]++;
	return 0;
}

static void projection_end(struct ptycho *p, void *kept)
{
	struct projection *k = kept;

	if (!k)
		return;
	if (k->share[0] > 0 && (double)p->iteration == k->share[1])
		means(p, k, true);
	waves_free(&k->psi);
	buf_free(k->factor);
	free(k->object);
	free(k->probe);
	free(k);
}

static int projection_visit(struct ptycho *p, void *kept, ptycho_visitor *visit, void *arg)
{
	struct projection *k = kept;

	if (k->object &&
	    (visit(arg, "sum_object", k->object, DT_F32, 1, p->h, 2 * p->w) != 0 ||
	     visit(arg, "sum_probe", k->probe, DT_F32, p->modes, p->n, 2 * p->n) != 0 ||
	     visit(arg, "sums", k->share, DT_F64, 1, 1, 2) != 0))
		return -1;
	return waves_visit(p, &k->psi, "psi", visit, arg);
}

static size_t block_at(const struct ptycho *p, const struct waves *w, size_t first)
{
	return p->k - first < w->block ? p->k - first : w->block;
}

static int step(const struct ptycho *p)
{
	return p->o.subpixel ? (int)(p->modes * p->n * p->n) : 0;
}

/* ---- object and probe from the exit waves */

static int add_to_object(struct ptycho *p, struct buf *psi)
{
	struct buf *probes = model_probes(p, p->probe, p->shifted);

	return probes ? model_gather_object(p, probes, psi, p->U, p->W, false) : -1;
}

static int zero_object(struct ptycho *p)
{
	return buf_zero(p->U) != 0 || buf_zero(p->W) != 0 ? -1 : 0;
}

/* x <- (c x + num) / (c + den), x and num [items][total]; num holds what x was */
static int blend(struct ptycho *p, struct buf **x, struct buf **num, struct buf *den,
		 uint64_t total, size_t items, double c)
{
	struct buf *old = *x, *sum = *num;

	*x = sum;
	*num = old;
	return dev_run(p->d, "projection_blend", moving(total * (24 * items + 4), NDRANGE2(dev_columns(p->d, total), items)),
		       ARG(sum), ARG(old), ARG(den), ARG(total), INT(items), FLOAT(c));
}

/* O <- (c O + U) / (c + W), c = 1e-4 max W */
static int blend_object(struct ptycho *p)
{
	double most;

	if (model_max(p->W, p->h * p->w, &most) != 0)
		return -1;
	return blend(p, &p->object, &p->U, p->W, p->h * p->w, 1, 1e-4 * most);
}

/* psi = P O + chi of the block at hand: computed in the buffer that keeps it */
static int project(struct ptycho *p, struct buf *object, struct buf *psi, bool sums)
{
	struct buf *probes = model_probes(p, p->probe, p->shifted);

	if (!probes || model_chi(p, probes, object, psi) != 0 ||
	    model_waves(p, probes, object, psi, true) != 0)
		return -1;
	return sums ? model_gather_object(p, probes, psi, p->U, p->W, false) : 0;
}

/* P <- (c P + g) / (c + V), c = 1e-9 K, from all waves; *change = |new - old| / |new|.  was: the
 * object that waves which are not kept come from. */
static int blend_probe(struct ptycho *p, struct waves *psi, struct buf *was, double *change)
{
	size_t all = p->modes * p->n * p->n;
	double old, both, power;

	for (size_t first = 0; first < p->k; first += psi->block) {
		struct buf *wave = waves_get(p, psi, first, true);

		if (!wave || model_block(p, first, block_at(p, psi, first)) != 0 ||
		    (!waves_kept(psi) && project(p, was, wave, false) != 0) ||
		    model_gather_probe(p, p->object, wave, p->g, p->V, first == 0) != 0)
			return -1;
	}
	if (model_gather_probe_end(p, p->g) != 0 ||
	    blend(p, &p->probe, &p->g, p->V, p->n * p->n, p->modes, 1e-9 * (double)p->k) != 0 ||
	    model_dot(p->g, p->g, all, &old) != 0 || model_dot(p->g, p->probe, all, &both) != 0 ||
	    model_dot(p->probe, p->probe, all, &power) != 0)
		return -1;
	*change = sqrt(fmax(0, old - 2 * both + power) / power);
	return 0;
}

/* Object and probe in turn, at most `rounds` times, until the probe moves less than 5 %.  U and W
 * hold the first round's sums. */
static int overlap(struct ptycho *p, const struct stage *s, struct waves *psi, long rounds)
{
	bool object = may_change_object(p), probe = may_change_probe(p, s);

	for (long i = 0; i < rounds; i++) {
		double change;

		if (object && i > 0) {
			if (zero_object(p) != 0)
				return -1;
			for (size_t first = 0; first < p->k; first += psi->block) {
				struct buf *wave = waves_get(p, psi, first, true);

				if (!wave || model_block(p, first, block_at(p, psi, first)) != 0 ||
				    add_to_object(p, wave) != 0)
					return -1;
			}
		}
		if (object && blend_object(p) != 0)
			return -1;
		if (!probe)
			return 0;
		if (blend_probe(p, psi, object ? p->U : p->object, &change) != 0)
			return -1;
		if (change < 0.05)
			return 0;
	}
	return 0;
}

/* ---- the detector plane of dm and raar */

/* f = min(1, sqrt(bound / power)), power the mean of (A - d)^2 over a frame's valid pixels */
static int write_factors(struct ptycho *p, struct buf *factor, double bound)
{
	double(*sum)[8] = mem_new(p->count, sizeof *sum);
	float *f = NULL;

	if (model_rows(p, 2, sum) == 0)
		f = buf_map(factor, MAP_WRITE | MAP_DISCARD);
	for (size_t b = 0; f && b < p->count; b++)
		f[b] = sum[b][0] > bound * sum[b][1] ? (float)sqrt(bound * sum[b][1] / sum[b][0])
						     : 1;
	free(sum);
	return f ? buf_unmap(factor) : -1;
}

static int detector(struct ptycho *p, struct buf *factor, double bound)
{
	if (dev_run(p->d, "projection_deviation", over_rows(p, model_waves_moved(p) + model_frames_moved(p)), ARG(p->wave), ARG(p->measured),
		    ARG(p->background), ARG(p->window), ARG(p->rows), INT(p->n), INT(p->modes), INT(p->count),
		    INT(p->frames->u16), LOCAL(8 * 16 * sizeof(float))) != 0 ||
	    write_factors(p, factor, bound) != 0)
		return -1;
	return dev_run(p->d, "projection_relax", over_planes(p, p->count, 2 * model_waves_moved(p) + model_frames_moved(p)), ARG(p->wave), ARG(p->measured),
		       ARG(p->background), ARG(p->window), ARG(factor), INT(p->n), INT(p->modes), INT(p->count),
		       INT(p->frames->u16));
}

/* psi <- kept psi + (mixed q + model P O), q the projection of 2 P O - psi */
struct mix {
	double kept, mixed, model, bound;
};

static int move_waves(struct ptycho *p, const struct projection *k, struct buf *psi,
		      const struct mix *x, bool first, bool errors)
{
	struct buf *probes = model_probes(p, p->probe, p->shifted);

	if (!probes || (first && model_waves(p, probes, p->object, psi, false) != 0))
		return -1;
	if (errors && (model_waves(p, probes, p->object, p->wave, false) != 0 ||
		       model_forward(p, p->wave) != 0 || model_errors(p, p->wave) != 0))
		return -1;
	if (dev_run(p->d, "projection_reflect", over_planes(p, p->count, 2 * model_waves_moved(p) + (double)(p->modes + p->count)), ARG(p->wave), ARG(psi), ARG(probes),
		    ARG(p->object), ARG(p->window), ARG(p->par), INT(p->n), INT(p->modes),
		    INT(p->w), INT(p->count), INT(step(p))) != 0 ||
	    model_forward(p, p->wave) != 0 || detector(p, k->factor, x->bound) != 0 ||
	    model_backward(p, p->wave) != 0 ||
	    dev_run(p->d, "projection_update", over_planes(p, p->count, 3 * model_waves_moved(p) + (double)(p->modes + p->count)), ARG(psi), ARG(p->wave), ARG(probes),
		    ARG(p->object), ARG(p->window), ARG(p->par), INT(p->n), INT(p->modes),
		    INT(p->w), INT(p->count), INT(step(p)), FLOAT(x->kept), FLOAT(x->mixed),
		    FLOAT(x->model)) != 0)
		return -1;
	return model_gather_object(p, probes, psi, p->U, p->W, false);
}

static int iterate_waves(struct ptycho *p, const struct stage *s, long j, struct projection *k,
			 const struct mix *x, struct ptycho_row *row)
{
	bool errors = p->o.log_every <= 1 || j % p->o.log_every == 0;

	if (sum_state(p, s, j, k) != 0 || zero_object(p) != 0)
		return -1;
	for (size_t first = 0; first < p->k; first += k->psi.block) {
		struct buf *psi = waves_get(p, &k->psi, first, j > 0);

		if (!psi || model_block(p, first, block_at(p, &k->psi, first)) != 0 ||
		    move_waves(p, k, psi, x, j == 0, errors) != 0 ||
		    waves_put(p, &k->psi, first) != 0)
			return -1;
	}
	row->R = row->chi = row->fmag = row->nll = NAN;
	if (errors)
		model_errors_row(p, row);
	return overlap(p, s, &k->psi, s->inner);
}

static double bound_of(const struct ptycho *p, const struct stage *s)
{
	return 0.25 * s->relax * s->relax * p->max_photons / (double)(p->n * p->n);
}

static int dm_iterate(struct ptycho *p, const struct stage *s, long j, void *kept,
		      struct ptycho_row *row)
{
	return iterate_waves(p, s, j, kept, &(struct mix){ 1, s->beta, -s->beta, bound_of(p, s) },
			     row);
}

static int raar_iterate(struct ptycho *p, const struct stage *s, long j, void *kept,
			struct ptycho_row *row)
{
	return iterate_waves(p, s, j, kept,
			     &(struct mix){ s->beta, s->beta, 1 - 2 * s->beta, bound_of(p, s) },
			     row);
}

static int er_iterate(struct ptycho *p, const struct stage *s, long j, void *kept,
		      struct ptycho_row *row)
{
	struct projection *k = kept;

	(void)j;
	if (zero_object(p) != 0)
		return -1;
	for (size_t first = 0; first < p->k; first += k->psi.block) {
		struct buf *psi = waves_get(p, &k->psi, first, false);

		if (!psi || model_block(p, first, block_at(p, &k->psi, first)) != 0 ||
		    project(p, p->object, psi, true) != 0 || waves_put(p, &k->psi, first) != 0)
			return -1;
	}
	model_errors_row(p, row);
	return overlap(p, s, &k->psi, s->inner);
}

const struct engine engine_dm = {
	.name = "dm",
	.begin = projection_begin,
	.iterate = dm_iterate,
	.end = projection_end,
	.visit = projection_visit,
	.gauge = true,
	.keeps = true,
	.errors_cost = true,
};

const struct engine engine_raar = {
	.name = "raar",
	.begin = projection_begin,
	.iterate = raar_iterate,
	.end = projection_end,
	.visit = projection_visit,
	.gauge = true,
	.keeps = true,
	.errors_cost = true,
};

const struct engine engine_er = {
	.name = "er",
	.begin = projection_begin,
	.iterate = er_iterate,
	.end = projection_end,
	.gauge = true,
};
