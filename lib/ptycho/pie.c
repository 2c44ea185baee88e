#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "ptycho/engine.h"
#include "ptycho/order.h"
#include "ptycho/opr.h"
#include "ptycho/positions.h"
#include "ptycho/slices.h"

/* What wasp sums over an iteration. */
struct kept {
	struct buf *nO, *dO, *nP, *dP;
	struct buf *shifted; /* with subpixel: what nP still lacks, in Fourier space */
	size_t *order;
};

static void end(struct ptycho *p, void *kept)
{
	struct kept *k = kept;

	(void)p;
	if (!k)
		return;
	buf_free(k->nO);
	buf_free(k->dO);
	buf_free(k->nP);
	buf_free(k->dP);
	buf_free(k->shifted);
	free(k->order);
	free(k);
}

static int begin(struct ptycho *p, const struct stage *s, void **kept)
{
	struct kept *k = mem_new(1, sizeof *k);

	*kept = k;
	k->order = mem_new(p->k, sizeof *k->order);
	if (s->engine != &engine_wasp)
		return dev_load(p->d, "ptycho_pie");
	k->nO = buf_new(p->d, buf_bytes(p->object));
	k->dO = k->nO ? buf_new(p->d, buf_bytes(p->W)) : NULL;
	k->nP = k->dO ? buf_new(p->d, buf_bytes(p->probe)) : NULL;
	k->dP = k->nP ? buf_new(p->d, buf_bytes(p->V)) : NULL;
	k->shifted = k->dP && p->o.subpixel ? buf_new(p->d, buf_bytes(p->probe)) : NULL;
	return k->dP && (k->shifted || !p->o.subpixel) ? dev_load(p->d, "ptycho_pie") : -1;
}

/* chi of the batch in p->wave, behind the last slice */
static struct buf *corrections(struct ptycho *p, const struct stage *s)
{
	struct buf *probes = model_probes(p, p->probe, p->shifted);

	if (!probes || slices_chi(p, probes) != 0 ||
	    (s->refine && positions_batch(p, p->wave, probes) != 0) ||
	    (s->engine != &engine_wasp && intensity_batch(p, p->wave, probes) != 0))
		return NULL;
	return probes;
}

/* Sums g, V on the probe, behind the first slice. */
static int probe_sums(struct ptycho *p)
{
	return model_gather_probe(p, p->object, p->wave, p->g, p->V, true) != 0
		       ? -1
		       : model_gather_probe_end(p, p->g);
}

static int pie_object(struct ptycho *p, struct buf *waves, float a)
{
	double most;

	if (model_gather_object(p, waves, p->wave, p->U, p->W, true) != 0 ||
	    model_tile_max(p, p->W, &most) != 0)
		return -1;
	return dev_run(p->d, "ptycho_pie_object", over_tiles(p, 28, 0), ARG(p->object), ARG(p->U), ARG(p->W),
		       ARG(p->tile), INT(p->tiles), INT(p->bottom), INT(p->w), FLOAT(a),
		       FLOAT(most));
}

/* Each slice by the waves that meet it, from the last one to the first, with the slices of the
 * batch's start. */
static int pie_batch(struct ptycho *p, const struct stage *s)
{
	bool probe = may_change_probe(p, s);
	float a = (float)s->alpha, b = (float)s->beta;
	struct buf *probes = corrections(p, s);
	double most;

	if (!probes)
		return -1;
	for (size_t l = p->slices; l-- > 0;)
		if ((l == 0 && probe && (probe_sums(p) != 0 || opr_batch(p, s->beta) != 0)) ||
		    slices_descend(p, s->beta) != 0 ||
		    (may_change_object(p) && pie_object(p, slices_incident(p, probes), a) != 0) ||
		    slices_step(p) != 0)
			return -1;
	if (!probe)
		return 0;
	return model_max(p->V, p->n * p->n, &most) != 0
		       ? -1
		       : dev_run(p->d, "ptycho_pie_probe", over_planes(p, 1, 3 * (double)p->modes + 0.5), ARG(p->probe), ARG(p->g),
				 ARG(p->V), INT(p->n), INT(p->modes), FLOAT(b), FLOAT(most));
}

static int wasp_object(struct ptycho *p, const struct stage *s, struct kept *k, struct buf *probes,
		       double power)
{
	int step = p->o.subpixel ? (int)(p->modes * p->n * p->n) : 0;

	return dev_run(p->d, "ptycho_wasp_object", over_tiles(p, 40, model_waves_moved(p) + (step ? model_waves_moved(p) : (double)p->modes)), ARG(p->object), ARG(k->nO), ARG(k->dO),
		       ARG(probes), ARG(p->wave), ARG(p->window), ARG(p->par), ARG(p->tile),
		       ARG(p->cover), INT(p->tiles), INT(p->n), INT(p->modes), INT(p->h), INT(p->w),
		       INT(p->count), INT(step), FLOAT(s->alpha * power / (double)(p->n * p->n)),
		       INT(may_change_object(p)));
}

/* The probe after the batch, in p->g, and its part of the iteration's average. */
static int wasp_probe(struct ptycho *p, const struct stage *s, struct kept *k, struct buf *probes)
{
	double c = s->beta * (double)p->count;

	if (!p->o.subpixel)
		return dev_run(p->d, "ptycho_wasp_probe", over_planes(p, 1, model_waves_moved(p) + 4 * (double)p->modes + (double)p->count + 1), ARG(k->nP), ARG(k->dP),
			       ARG(p->g), ARG(p->probe), ARG(p->object), ARG(p->wave),
			       ARG(p->window), ARG(p->par), INT(p->n), INT(p->modes), INT(p->w),
			       INT(p->count), FLOAT(c));
	/* the average gets sum O* psi' = g + sum |O|^2 P_k, the latter shifted back */
	return probe_sums(p) != 0 || model_waves(p, probes, p->object, p->scratch, false) != 0 ||
			       model_gather_probe(p, p->object, p->scratch, k->shifted, NULL,
						  false) != 0
		       ? -1
		       : dev_run(p->d, "ptycho_wasp_shifted", over_planes(p, 1, 5 * (double)p->modes + 1.5), ARG(k->nP), ARG(k->dP),
				 ARG(p->g), ARG(p->probe), ARG(p->V), INT(p->n), INT(p->modes),
				 FLOAT(c));
}

/* All sums are those of the object and the probe at the batch's start. */
static int wasp_batch(struct ptycho *p, const struct stage *s, struct kept *k)
{
	bool probe = may_change_probe(p, s);
	struct buf *probes = corrections(p, s), *before = p->probe;
	double power;

	if (!probes || model_dot(p->probe, p->probe, p->modes * p->n * p->n, &power) != 0 ||
	    (probe && wasp_probe(p, s, k, probes) != 0) ||
	    wasp_object(p, s, k, probes, power) != 0)
		return -1;
	if (probe) {
		p->probe = p->g;
		p->g = before;
	}
	return 0;
}

static int quotient(struct ptycho *p, struct buf *a, struct buf *num, struct buf *den, size_t n,
		    size_t planes, double floor, double least)
{
	return dev_run(p->d, "ptycho_quotient", moving(n * (24 * planes + 4), NDRANGE2(dev_columns(p->d, n), planes)), ARG(a),
		       ARG(num), ARG(den), INT(n), INT(planes), FLOAT(floor), FLOAT(least));
}

/* O = nO / dO where it was seen, P = nP / dP.  Where light is so faint that nothing but the
 * rounding of a shifted probe is there, a frame would leave what the next one, its probe shifted
 * otherwise, multiplies: with shifts the average diverges from 1e-9 on, not from 1e-4. */
static int wasp_averages(struct ptycho *p, const struct stage *s, struct kept *k)
{
	size_t elements = p->modes * p->n * p->n;
	double most;

	if (may_change_object(p) && (model_max(k->dO, p->h * p->w, &most) != 0 ||
				     quotient(p, p->object, k->nO, k->dO, p->h * p->w, 1, 0,
					      (p->o.subpixel ? 1e-4 : 1e-9) * most) != 0))
		return -1;
	if (!may_change_probe(p, s))
		return 0;
	if (k->shifted && (model_gather_probe_end(p, k->shifted) != 0 ||
			   dev_run(p->d, "ptycho_add", moving(24 * elements, NDRANGE1(dev_columns(p->d, elements))),
				   ARG(k->nP), ARG(k->shifted), INT(elements), FLOAT(1)) != 0))
		return -1;
	return model_max(k->dP, p->n * p->n, &most) != 0
		       ? -1
		       : quotient(p, p->probe, k->nP, k->dP, p->n * p->n, p->modes, 1e-9 * most,
				  -1);
}

static int iterate(struct ptycho *p, const struct stage *s, long j, void *kept,
		   struct ptycho_row *row)
{
	struct kept *k = kept;
	bool wasp = s->engine == &engine_wasp;

	(void)j;
	if (wasp && (buf_zero(k->nO) != 0 || buf_zero(k->dO) != 0 || buf_zero(k->nP) != 0 ||
		     buf_zero(k->dP) != 0 || (k->shifted && buf_zero(k->shifted) != 0)))
		return -1;
	order_frames(p->k, !s->sequential, p->o.seed, (uint64_t)p->iteration, k->order);
	for (size_t i = 0; i < p->k; i += s->batch) {
		size_t count = p->k - i < s->batch ? p->k - i : s->batch;

		order_by_row((const double(*)[2])p->s, count, k->order + i);
		if (model_batch(p, k->order + i, count) != 0 ||
		    (wasp ? wasp_batch(p, s, k) : pie_batch(p, s)) != 0)
			return -1;
	}
	if ((wasp && wasp_averages(p, s, k) != 0) || (s->refine && positions_apply(p) != 0) ||
	    (!wasp && (intensity_apply(p) != 0 || opr_end(p) != 0)))
		return -1;
	model_errors_row(p, row);
	return 0;
}

const struct engine engine_epie = { .name = "epie",
				    .begin = begin,
				    .iterate = iterate,
				    .end = end,
				    .gauge = true,
				    .sequential_updates = true,
				    .slices = true,
				    .opr = true };
const struct engine engine_rpie = { .name = "rpie",
				    .begin = begin,
				    .iterate = iterate,
				    .end = end,
				    .gauge = true,
				    .sequential_updates = true,
				    .slices = true,
				    .opr = true };
const struct engine engine_wasp = { .name = "wasp",
				    .begin = begin,
				    .iterate = iterate,
				    .end = end,
				    .gauge = true,
				    .sequential_updates = true };
