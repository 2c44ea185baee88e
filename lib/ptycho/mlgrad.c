/* Additive normalised gradient over all frames at once: the object first, then the probe from the same corrections. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "ptycho/engine.h"
#include "ptycho/waves.h"

static int mlgrad_begin(struct ptycho *p, const struct stage *s, void **kept)
{
	struct waves *chi = mem_new(1, sizeof *chi);

	*kept = chi;
	return dev_load(p->d, "ptycho_projection") != 0 ||
			       waves_init(p, chi, s->per_batch && s->batch < p->room ? s->batch : p->room) != 0 ?
		       -1 :
		       0;
}

static void mlgrad_end(struct ptycho *p, void *kept)
{
	(void)p;
	if (kept)
		waves_free(kept);
	free(kept);
}

/* x += num / (norm + den), x and num [items][total] */
static int add(struct ptycho *p, const struct stage *s, struct buf *x, struct buf *num, struct buf *den, uint64_t total,
	       size_t items)
{
	return dev_run(p->d, "projection_add", NDRANGE2(dev_columns(p->d, total), items), ARG(x), ARG(x), ARG(num),
		       ARG(den), ARG(total), INT(items), FLOAT(s->norm));
}

static int corrections(struct ptycho *p, const struct stage *s, struct waves *w, size_t first)
{
	struct buf *chi = waves_get(p, w, first, false), *probes;

	if (!chi || model_block(p, first, p->k - first < w->block ? p->k - first : w->block) != 0)
		return -1;
	probes = model_probes(p, p->probe, p->shifted);
	if (!probes || model_waves(p, probes, p->object, chi, false) != 0 || model_forward(p, chi) != 0 ||
	    model_xi(p, chi, s->noise == NOISE_POISSON, s->per_batch) != 0 || model_backward(p, chi) != 0 ||
	    model_gather_object(p, probes, chi, p->U, p->W, false) != 0)
		return -1;
	return waves_put(p, w, first);
}

static int mlgrad_iterate(struct ptycho *p, const struct stage *s, long j, void *kept, struct ptycho_row *row)
{
	struct waves *w = kept;
	double alpha = 0;

	(void)j;
	if (buf_zero(p->U) != 0 || buf_zero(p->W) != 0)
		return -1;
	for (size_t first = 0; first < p->k; first += w->block)
		if (corrections(p, s, w, first) != 0)
			return -1;
	for (size_t k = 0; k < p->k; k++)
		alpha += s->noise == NOISE_POISSON ? p->alpha[k] : 1;
	row->alpha = alpha / (double)p->k;
	model_errors_row(p, row);
	if (may_change_object(p) && add(p, s, p->object, p->U, p->W, p->h * p->w, 1) != 0)
		return -1;
	if (!may_change_probe(p, s))
		return 0;
	for (size_t first = 0; first < p->k; first += w->block) {
		struct buf *chi = waves_get(p, w, first, true);

		if (!chi || model_block(p, first, p->k - first < w->block ? p->k - first : w->block) != 0 ||
		    model_gather_probe(p, p->object, chi, p->g, p->V, first == 0) != 0)
			return -1;
	}
	if (model_gather_probe_end(p, p->g) != 0)
		return -1;
	return add(p, s, p->probe, p->g, p->V, p->n * p->n, p->modes);
}

const struct engine engine_mlgrad = {
	.name = "mlgrad",
	.begin = mlgrad_begin,
	.iterate = mlgrad_iterate,
	.end = mlgrad_end,
	.gauge = true,
};
