/* Maximum likelihood by Polak-Ribiere conjugate gradients, the step from the likelihood's quadratic
 * along the line. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "ptycho/engine.h"

/* s of the probe against the object, 0: the probe stays; 1: directions start anew */
enum { SCALE, RESTART, STATES };

struct ml {
	struct buf *g_object, *g_probe; /* gradients of the iteration before */
	struct buf *h_object, *h_probe; /* directions */
	struct buf *a, *b;		/* [room] waves: first and second order along the line */
	struct buf *h_shifted;		/* with subpixel: h_probe of the frames */
	double state[STATES];
};

static void ml_end(struct ptycho *p, void *kept)
{
	struct ml *k = kept;

	if (!k)
		return;
	buf_free(k->g_object);
	buf_free(k->g_probe);
	buf_free(k->h_object);
	buf_free(k->h_probe);
	buf_free(k->a);
	if (k->b != p->scratch)
		buf_free(k->b);
	buf_free(k->h_shifted);
	free(k);
}

static int ml_begin(struct ptycho *p, const struct stage *s, void **kept)
{
	struct ml *k = mem_new(1, sizeof *k);

	(void)s;
	*kept = k;
	k->state[RESTART] = 1;
	k->g_object = buf_new(p->d, buf_bytes(p->object));
	k->h_object = k->g_object ? buf_new(p->d, buf_bytes(p->object)) : NULL;
	k->g_probe = k->h_object ? buf_new(p->d, buf_bytes(p->probe)) : NULL;
	k->h_probe = k->g_probe ? buf_new(p->d, buf_bytes(p->probe)) : NULL;
	k->a = k->h_probe ? buf_new(p->d, buf_bytes(p->wave)) : NULL;
	if (k->a && p->o.subpixel) {
		k->b = p->scratch; /* of no use to steps along the line */
		k->h_shifted = buf_new(p->d, buf_bytes(p->wave));
	} else if (k->a) {
		k->b = buf_new(p->d, buf_bytes(p->wave));
	}
	if (!k->b || (p->o.subpixel && !k->h_shifted) || dev_load(p->d, "ptycho_ml") != 0)
		return -1;
	return buf_zero(k->g_object) != 0 || buf_zero(k->g_probe) != 0 ||
			       buf_zero(k->h_object) != 0 || buf_zero(k->h_probe) != 0
		       ? -1
		       : 0;
}

static int ml_visit(struct ptycho *p, void *kept, ptycho_visitor *visit, void *arg)
{
	struct ml *k = kept;
	struct buf *all[] = { k->g_object, k->g_probe, k->h_object, k->h_probe };
	const char *const name[] = { "g_object", "g_probe", "h_object", "h_probe" };

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		void *data = buf_map(all[i], MAP_READ | MAP_WRITE);
		int rc = !data	 ? -1
			 : i % 2 ? visit(arg, name[i], data, DT_F32, p->modes, p->n, 2 * p->n)
				 : visit(arg, name[i], data, DT_F32, 1, p->h, 2 * p->w);

		if (data && buf_unmap(all[i]) != 0)
			rc = -1;
		if (rc != 0)
			return rc;
	}
	return visit(arg, "ml", k->state, DT_F64, 1, 1, STATES);
}

static size_t block_at(const struct ptycho *p, size_t first)
{
	return p->k - first < p->room ? p->k - first : p->room;
}

/* g_O to U and g_P to g */
static int gradients(struct ptycho *p, const struct stage *s, bool object, bool probe)
{
	if (buf_zero(p->U) != 0 || buf_zero(p->g) != 0)
		return -1;
	for (size_t first = 0; first < p->k; first += p->room) {
		struct buf *probes;

		if (model_block(p, first, block_at(p, first)) != 0)
			return -1;
		probes = model_probes(p, p->probe, p->shifted);
		if (!probes || model_waves(p, probes, p->object, p->wave, false) != 0 ||
		    model_forward(p, p->wave) != 0 || model_errors(p, p->wave) != 0 ||
		    dev_run(p->d, "ml_weight", over_planes(p, p->count, 2 * model_waves_moved(p) + model_frames_moved(p)), ARG(p->wave), ARG(p->measured),
			    ARG(p->background), ARG(p->window), INT(p->n), INT(p->modes), INT(p->count),
			    INT(p->frames->u16), INT(s->noise), FLOAT(s->floor)) != 0 ||
		    model_backward(p, p->wave) != 0)
			return -1;
		if ((object && model_gather_object(p, probes, p->wave, p->U, NULL, false) != 0) ||
		    (probe && model_gather_probe(p, p->object, p->wave, p->g, NULL, false) != 0))
			return -1;
	}
	return probe ? model_gather_probe_end(p, p->g) : 0;
}

/* h <- beta h - (g_O, s g_P) */
static int direct(struct ptycho *p, struct ml *k, double beta)
{
	uint64_t canvas = p->h * p->w, plane = p->modes * p->n * p->n;

	return dev_run(p->d, "ml_direction", moving(24 * canvas, NDRANGE1(dev_columns(p->d, canvas))), ARG(k->h_object),
		       ARG(p->U), ARG(canvas), FLOAT(beta), FLOAT(1)) != 0 ||
			       dev_run(p->d, "ml_direction", moving(24 * plane, NDRANGE1(dev_columns(p->d, plane))),
				       ARG(k->h_probe), ARG(p->g), ARG(plane), FLOAT(beta),
				       FLOAT(k->state[SCALE])) != 0
		       ? -1
		       : 0;
}

static double dot(struct ptycho *p, struct buf *a, struct buf *b, bool probe, int *rc)
{
	double v = NAN;

	if (*rc == 0)
		*rc = model_dot(a, b, probe ? p->modes * p->n * p->n : p->h * p->w, &v);
	return v;
}

/* The next directions from the gradients in U and g, which become those of the iteration before. */
static int turn(struct ptycho *p, struct ml *k, bool object, bool probe)
{
	int rc = 0;
	double gg = object ? dot(p, p->U, p->U, false, &rc) : 0,
	       pp = probe ? dot(p, p->g, p->g, true, &rc) : 0;
	double before = k->state[SCALE], now = pp > 0 ? (gg > 0 ? gg / pp : 1) : 0, beta = 0;
	bool fresh = k->state[RESTART] != 0 || (before == 0) != (now == 0);
	struct buf *swap;

	k->state[SCALE] = before == 0 || now == 0 || k->state[RESTART] != 0
				  ? now
				  : pow(before, 0.9) * pow(now, 0.1);
	now = k->state[SCALE];
	if (!fresh) {
		double above = gg - dot(p, p->U, k->g_object, false, &rc),
		       below = dot(p, k->g_object, k->g_object, false, &rc);

		if (now > 0) {
			above += now * (pp - dot(p, p->g, k->g_probe, true, &rc));
			below += now * dot(p, k->g_probe, k->g_probe, true, &rc);
		}
		beta = fmax(0, above / below);
	}
	if (rc != 0 || direct(p, k, beta) != 0)
		return -1;
	if (!fresh &&
	    dot(p, p->U, k->h_object, false, &rc) + dot(p, p->g, k->h_probe, true, &rc) >= 0 &&
	    direct(p, k, 0) != 0)
		return -1;
	swap = p->U;
	p->U = k->g_object;
	k->g_object = swap;
	swap = p->g;
	p->g = k->g_probe;
	k->g_probe = swap;
	return rc;
}

/* B1, B2, B3 of the batch at hand are added */
static int add_line(struct ptycho *p, double sum[3])
{
	double(*frame)[8] = mem_new(p->count, sizeof *frame);
	int rc = model_rows(p, 3, frame);

	for (size_t b = 0; b < p->count; b++)
		for (int i = 0; i < 3; i++)
			sum[i] += frame[b][i];
	free(frame);
	return rc;
}

static int line(struct ptycho *p, const struct stage *s, struct ml *k, double *t)
{
	bool both = k->state[SCALE] > 0;
	int step = p->o.subpixel ? (int)(p->modes * p->n * p->n) : 0;
	double sum[3] = { 0 };

	for (size_t first = 0; first < p->k; first += p->room) {
		struct buf *probes, *h;

		if (model_block(p, first, block_at(p, first)) != 0)
			return -1;
		probes = model_probes(p, p->probe, p->shifted);
		h = probes && both ? model_probes(p, k->h_probe, k->h_shifted) : k->h_probe;
		if (!probes || !h || model_waves(p, probes, p->object, p->wave, false) != 0 ||
		    dev_run(p->d, "ml_change", over_planes(p, p->count, 2 * model_waves_moved(p) + 2 * (double)(p->modes + p->count)), ARG(k->a), ARG(k->b), ARG(probes), ARG(h),
			    ARG(p->object), ARG(k->h_object), ARG(p->window), ARG(p->par),
			    INT(p->n), INT(p->modes), INT(p->w), INT(p->count), INT(step),
			    INT(both)) != 0 ||
		    model_forward(p, p->wave) != 0 || model_forward(p, k->a) != 0 ||
		    (both && model_forward(p, k->b) != 0) ||
		    dev_run(p->d, "ml_line", over_rows(p, 3 * model_waves_moved(p) + model_frames_moved(p)), ARG(p->wave), ARG(k->a), ARG(k->b),
			    ARG(p->measured), ARG(p->background), ARG(p->window), ARG(p->rows), INT(p->n),
			    INT(p->modes), INT(p->count), INT(p->frames->u16), INT(s->noise),
			    FLOAT(s->floor), INT(both), LOCAL(8 * 16 * sizeof(float))) != 0 ||
		    add_line(p, sum) != 0)
			return -1;
	}
	*t = -0.5 * sum[0] / (sum[1] > 0 ? sum[1] : sum[2]);
	return 0;
}

static int ml_iterate(struct ptycho *p, const struct stage *s, long j, void *kept,
		      struct ptycho_row *row)
{
	uint64_t canvas = p->h * p->w, plane = p->modes * p->n * p->n;
	bool object = may_change_object(p), probe = may_change_probe(p, s);
	struct ml *k = kept;
	double t = 0;

	if (j == 0)
		k->state[RESTART] = 1;
	if (gradients(p, s, object, probe) != 0)
		return -1;
	model_errors_row(p, row);
	if (turn(p, k, object, probe) != 0 || line(p, s, k, &t) != 0)
		return -1;
	k->state[RESTART] = !(t > 0);
	if (!(t > 0))
		t = 0;
	row->step_object = row->step_probe = t;
	if (t > 0 && object &&
	    dev_run(p->d, "ml_step", moving(24 * canvas, NDRANGE1(dev_columns(p->d, canvas))), ARG(p->object),
		    ARG(k->h_object), ARG(canvas), FLOAT(t)) != 0)
		return -1;
	if (t > 0 && k->state[SCALE] > 0)
		return dev_run(p->d, "ml_step", moving(24 * plane, NDRANGE1(dev_columns(p->d, plane))), ARG(p->probe),
			       ARG(k->h_probe), ARG(plane), FLOAT(t));
	return 0;
}

const struct engine engine_ml = {
	.name = "ml",
	.begin = ml_begin,
	.iterate = ml_iterate,
	.end = ml_end,
	.visit = ml_visit,
	.keeps = true,
};
