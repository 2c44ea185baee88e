/* Additive normalised gradient over all frames at once: the object first, then the probe from the
 * same corrections. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ptycho/engine.h"
#include "ptycho/waves.h"

struct mlgrad {
	struct waves chi;
	double *alpha; /* [k] before the iteration */
};

static int mlgrad_begin(struct ptycho *p, const struct stage *s, void **kept)
{
	struct mlgrad *m = mem_new(1, sizeof *m);
	size_t block = s->per_batch && s->batch < p->room ? s->batch : p->room;

	*kept = m;
	m->alpha = mem_new(p->k, sizeof *m->alpha);
	return dev_load(p->d, "ptycho_projection") != 0
		       ? -1
		       : waves_init(p, &m->chi, block, WAVES_SPARE);
}

static void mlgrad_end(struct ptycho *p, void *kept)
{
	struct mlgrad *m = kept;

	(void)p;
	if (!m)
		return;
	waves_free(&m->chi);
	free(m->alpha);
	free(m);
}

/* x += num / (norm + den), x and num [items][total]; num holds what x was */
static int add(struct ptycho *p, const struct stage *s, struct buf **x, struct buf **num,
	       struct buf *den, uint64_t total, size_t items)
{
	struct buf *old = *x, *sum = *num;

	*x = sum;
	*num = old;
	return dev_run(p->d, "projection_add", moving(total * (24 * items + 4), NDRANGE2(dev_columns(p->d, total), items)), ARG(sum),
		       ARG(old), ARG(den), ARG(total), INT(items), FLOAT(s->norm));
}

/* chi of the block at hand, of `object` and the probe */
static int corrections(struct ptycho *p, const struct stage *s, struct buf *object, struct buf *chi,
		       bool sums)
{
	struct buf *probes = model_probes(p, p->probe, p->shifted);

	if (!probes || model_waves(p, probes, object, chi, false) != 0 ||
	    model_forward(p, chi) != 0 ||
	    model_xi(p, chi, s->noise == NOISE_POISSON, s->per_batch) != 0 ||
	    model_backward(p, chi) != 0)
		return -1;
	return sums ? model_gather_object(p, probes, chi, p->U, p->W, false) : 0;
}

static size_t block_at(const struct ptycho *p, const struct waves *w, size_t first)
{
	return p->k - first < w->block ? p->k - first : w->block;
}

/* The probe from chi of the object as it was, and the object as it is */
static int update_probe(struct ptycho *p, const struct stage *s, struct mlgrad *m, struct buf *was)
{
	for (size_t first = 0; first < p->k; first += m->chi.block) {
		struct buf *chi = waves_get(p, &m->chi, first, true);
		size_t count = block_at(p, &m->chi, first);

		if (!waves_kept(&m->chi))
			memcpy(p->alpha + first, m->alpha + first, count * sizeof *m->alpha);
		if (!chi || model_block(p, first, count) != 0 ||
		    (!waves_kept(&m->chi) && corrections(p, s, was, chi, false) != 0) ||
		    model_gather_probe(p, p->object, chi, p->g, p->V, first == 0) != 0)
			return -1;
	}
	if (model_gather_probe_end(p, p->g) != 0)
		return -1;
	return add(p, s, &p->probe, &p->g, p->V, p->n * p->n, p->modes);
}

static int mlgrad_iterate(struct ptycho *p, const struct stage *s, long j, void *kept,
			  struct ptycho_row *row)
{
	struct mlgrad *m = kept;
	double alpha = 0;

	(void)j;
	memcpy(m->alpha, p->alpha, p->k * sizeof *m->alpha);
	if (buf_zero(p->U) != 0 || buf_zero(p->W) != 0)
		return -1;
	for (size_t first = 0; first < p->k; first += m->chi.block) {
		struct buf *chi = waves_get(p, &m->chi, first, false);

		if (!chi || model_block(p, first, block_at(p, &m->chi, first)) != 0 ||
		    corrections(p, s, p->object, chi, true) != 0 ||
		    (may_change_probe(p, s) && waves_put(p, &m->chi, first) != 0))
			return -1;
	}
	for (size_t k = 0; k < p->k; k++)
		alpha += s->noise == NOISE_POISSON ? p->alpha[k] : 1;
	row->alpha = alpha / (double)p->k;
	model_errors_row(p, row);
	if (may_change_object(p) && add(p, s, &p->object, &p->U, p->W, p->h * p->w, 1) != 0)
		return -1;
	return may_change_probe(p, s)
		       ? update_probe(p, s, m, may_change_object(p) ? p->U : p->object)
		       : 0;
}

const struct engine engine_mlgrad = {
	.name = "mlgrad",
	.begin = mlgrad_begin,
	.iterate = mlgrad_iterate,
	.end = mlgrad_end,
	.gauge = true,
};
