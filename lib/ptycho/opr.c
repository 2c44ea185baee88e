#include "ptycho/opr.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/team.h"
#include "ptycho/probe.h"

/* Share of a frame's own change that its weights take: all of it would explain by the probe what
 * the object has not yet learned. */
static const double RELAX = 0.1;

struct opr {
	size_t c;
	struct buf *V;	    /* [c][n][n] complex64 */
	struct buf *weight; /* [room][c + 1] complex64, of the batch */
	struct buf *delta;  /* [room][n][n] complex64 */
	float complex *sum; /* [c][n][n] */
	double complex *w;  /* [k][c + 1] */
	bool summed;
	/* of a batch, for the team */
	const float complex *P, *modes, *d;
	double power;
	double complex *part; /* [room][c + 1] of delta along P and V */
};

static double complex dot(const float complex *a, const float complex *b, size_t n)
{
	const float *x = (const float *)a, *y = (const float *)b;
	double re = 0, im = 0;

	for (size_t i = 0; i < 2 * n; i += 2) {
		re += (double)x[i] * (double)y[i] + (double)x[i + 1] * (double)y[i + 1];
		im += (double)x[i] * (double)y[i + 1] - (double)x[i + 1] * (double)y[i];
	}
	return re + im * I;
}

/* a -= k b */
static void take_off(float complex *a, double complex k, const float complex *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		a[i] -= (float complex)k * b[i];
}

/* c planes orthogonal to P and each other, strongest first, of norm 1; those that vanish stay as in
 * `old`. */
static void make_basis(size_t n, size_t c, const float complex *P, float complex *v,
		       const float complex *old)
{
	size_t area = n * n;
	double power = creal(dot(P, P, area));

	for (size_t i = 0; i < c; i++)
		take_off(v + i * area, dot(P, v + i * area, area) / power, P, area);
	probe_orthogonalise(n, c, v, NULL);
	for (size_t i = 0; i < c; i++) {
		float complex *m = v + i * area;
		double norm = sqrt(creal(dot(m, m, area)));

		if (!(norm > 0) || isinf(norm)) {
			memcpy(m, old + i * area, area * sizeof *m);
			continue;
		}
		for (size_t j = 0; j < area; j++)
			m[j] *= (float)(1 / norm);
	}
}

int opr_init(struct ptycho *p)
{
	size_t c = p->o.opr, area = p->n * p->n;
	struct opr *o;
	float complex *start;
	int rc = -1;

	if (c == 0)
		return 0;
	p->opr = o = mem_new(1, sizeof *o);
	o->c = c;
	o->V = buf_new(p->d, c * area * sizeof(float complex));
	o->weight = o->V ? buf_new(p->d, p->room * (c + 1) * sizeof(float complex)) : NULL;
	o->delta = o->weight ? buf_new(p->d, p->room * area * sizeof(float complex)) : NULL;
	if (!o->delta || dev_load(p->d, "ptycho_propagate") != 0)
		return -1;
	o->sum = mem_new(c * area, sizeof *o->sum);
	o->w = mem_new(p->k * (c + 1), sizeof *o->w);
	o->part = mem_new(p->room * (c + 1), sizeof *o->part);
	for (size_t k = 0; k < p->k; k++)
		o->w[k * (c + 1)] = 1;
	start = mem_new((c + 1) * area, sizeof *start);
	if (ptycho_read(p, NULL, start) == 0) {
		probe_modes(p->n, 1, c + 1, 0.5 / (double)c, start);
		make_basis(p->n, c, start, start + area, start + area);
		rc = buf_write(o->V, 0, start + area, c * area * sizeof *start);
	}
	free(start);
	return rc;
}

void opr_clear(struct ptycho *p)
{
	struct opr *o = p->opr;

	if (!o)
		return;
	buf_free(o->V);
	buf_free(o->weight);
	buf_free(o->delta);
	free(o->sum);
	free(o->w);
	free(o->part);
	free(o);
	p->opr = NULL;
}

/* planes [count][n][n] by the frames' fractions of a pixel, or back */
static int shift(struct ptycho *p, struct buf *planes, bool back)
{
	if (!p->o.subpixel)
		return 0;
	if (model_planes(p, planes, FFT_FORWARD) != 0 ||
	    dev_run(p->d, "ptycho_opr_shift", over_planes(p, p->count, 2 * model_waves_moved(p)), ARG(planes), ARG(p->par), INT(p->n),
		    INT(p->count), INT(back)) != 0)
		return -1;
	return model_planes(p, planes, FFT_BACKWARD);
}

int opr_probes(struct ptycho *p, struct buf *to)
{
	struct opr *o = p->opr;
	size_t each = o->c + 1;
	float complex *w = buf_map(o->weight, MAP_WRITE | MAP_DISCARD);

	if (!w)
		return -1;
	for (size_t b = 0; b < p->count; b++)
		for (size_t c = 0; c < each; c++)
			w[b * each + c] = (float complex)o->w[p->member[b] * each + c];
	if (buf_unmap(o->weight) != 0)
		return -1;
	return dev_run(p->d, "ptycho_opr_probes", over_planes(p, p->count, model_waves_moved(p) + (double)p->modes), ARG(to), ARG(p->probe), ARG(o->V),
		       ARG(o->weight), INT(p->n), INT(o->c), INT(p->count)) != 0
		       ? -1
		       : shift(p, to, false);
}

/* ---- an iteration */

struct batch {
	struct ptycho *p;
	struct opr *o;
};

static void parts_of_frame(void *context, size_t b, int member)
{
	struct batch *t = context;
	struct opr *o = t->o;
	size_t area = t->p->n * t->p->n;
	const float complex *d = o->d + b * area;
	double complex *part = o->part + b * (o->c + 1);

	(void)member;
	part[0] = dot(o->P, d, area) / o->power;
	for (size_t c = 0; c < o->c; c++)
		part[c + 1] = dot(o->modes + c * area, d, area);
}

/* sum_c += w_kc* (delta_k - its part along P + sum w_kc V_c), frame after frame */
static void sum_row(void *context, size_t r, int member)
{
	struct batch *t = context;
	struct opr *o = t->o;
	size_t n = t->p->n, area = n * n, each = o->c + 1;

	(void)member;
	for (size_t b = 0; b < t->p->count; b++) {
		const double complex *w = o->w + t->p->member[b] * each, *part = o->part + b * each;

		for (size_t i = r * n; i < (r + 1) * n; i++) {
			float complex v = o->d[b * area + i] - (float complex)part[0] * o->P[i];

			for (size_t c = 0; c < o->c; c++)
				v += (float complex)w[c + 1] * o->modes[c * area + i];
			for (size_t c = 0; c < o->c; c++)
				o->sum[c * area + i] +=
					conjf((float complex)(w[c + 1] + part[c + 1])) * v;
		}
	}
}

int opr_batch(struct ptycho *p, double b)
{
	struct opr *o = p->opr;
	struct batch t = { p, o };
	size_t each = o ? o->c + 1 : 0;
	double most;
	int rc = 0;

	if (!o)
		return 0;
	if (model_max(p->V, p->n * p->n, &most) != 0 ||
	    dev_run(p->d, "ptycho_descend", over_planes(p, p->count, 2 * model_waves_moved(p) + (double)p->count), ARG(o->delta), ARG(p->wave), ARG(p->object),
		    ARG(p->V), ARG(p->window), INT(p->n), INT(p->modes), INT(p->w), INT(p->count),
		    FLOAT(b), FLOAT(most)) != 0 ||
	    shift(p, o->delta, true) != 0)
		return -1;
	o->P = buf_map(p->probe, MAP_READ);
	o->modes = o->P ? buf_map(o->V, MAP_READ) : NULL;
	o->d = o->modes ? buf_map(o->delta, MAP_READ) : NULL;
	if (!o->d)
		return -1;
	o->power = creal(dot(o->P, o->P, p->n * p->n));
	team_run(dev_threads(p->d), p->count, parts_of_frame, &t);
	team_run(dev_threads(p->d), p->n, sum_row, &t);
	for (size_t i = 0; i < p->count; i++) {
		double complex *w = o->w + p->member[i] * each;

		w[0] += RELAX * creal(o->part[i * each]);
		for (size_t c = 1; c < each; c++)
			w[c] += RELAX * o->part[i * each + c];
	}
	o->summed = true;
	if (buf_unmap(o->delta) != 0)
		rc = -1;
	if (buf_unmap(o->V) != 0)
		rc = -1;
	return buf_unmap(p->probe) != 0 ? -1 : rc;
}

/* What all frames have in common is the probe's: mean w_k0 is 1, of others 0.  No P_k changes. */
static void centre_weights(struct ptycho *p, float complex *P, const float complex *V)
{
	struct opr *o = p->opr;
	size_t each = o->c + 1, area = p->n * p->n;

	for (size_t c = 0; c < each; c++) {
		double complex mean = 0;

		for (size_t k = 0; k < p->k; k++)
			mean += o->w[k * each + c] / (double)p->k;
		if (c == 0 && !(creal(mean) > 0))
			continue;
		for (size_t k = 0; k < p->k; k++)
			o->w[k * each + c] =
				c ? o->w[k * each + c] - mean : o->w[k * each + c] / creal(mean);
		for (size_t i = 0; i < area && c == 0; i++)
			P[i] *= (float)creal(mean);
		if (c > 0)
			take_off(P, -mean, V + (c - 1) * area, area);
	}
}

/* The sums become the modes, and weights what they are along them. */
static void turn(struct ptycho *p, const float complex *P, float complex *V)
{
	struct opr *o = p->opr;
	size_t C = o->c, area = p->n * p->n;
	double complex *T = mem_new(C * C, sizeof *T), *old = mem_new(C, sizeof *old);

	make_basis(p->n, C, P, o->sum, V);
	for (size_t c = 0; c < C; c++)
		for (size_t d = 0; d < C; d++)
			T[c * C + d] = dot(o->sum + c * area, V + d * area, area);
	for (size_t k = 0; k < p->k; k++) {
		double complex *w = o->w + k * (C + 1) + 1;

		memcpy(old, w, C * sizeof *old);
		for (size_t c = 0; c < C; c++) {
			w[c] = 0;
			for (size_t d = 0; d < C; d++)
				w[c] += T[c * C + d] * old[d];
		}
	}
	memcpy(V, o->sum, C * area * sizeof *V);
	memset(o->sum, 0, C * area * sizeof *o->sum);
	free(T);
	free(old);
}

int opr_end(struct ptycho *p)
{
	struct opr *o = p->opr;
	float complex *P, *V;

	if (!o || !o->summed)
		return 0;
	o->summed = false;
	P = buf_map(p->probe, MAP_READ | MAP_WRITE);
	V = P ? buf_map(o->V, MAP_READ | MAP_WRITE) : NULL;
	if (!V)
		return -1;
	centre_weights(p, P, V);
	turn(p, P, V);
	return buf_unmap(o->V) != 0 || buf_unmap(p->probe) != 0 ? -1 : 0;
}

/* ---- what others do to the probe */

void opr_scale(struct ptycho *p, double c)
{
	struct opr *o = p->opr;

	for (size_t i = 0; o && i < p->k * (o->c + 1); i++)
		if (i % (o->c + 1) > 0)
			o->w[i] *= c;
}

int opr_roll(struct ptycho *p, const long t[2])
{
	struct opr *o = p->opr;
	float complex *V = o ? buf_map(o->V, MAP_READ | MAP_WRITE) : NULL;

	if (!o)
		return 0;
	if (!V)
		return -1;
	probe_roll(p->n, o->c, t, V);
	return buf_unmap(o->V);
}

int opr_visit(struct ptycho *p, ptycho_visitor *visit, void *arg)
{
	struct opr *o = p->opr;
	float complex *V;
	int rc;

	if (!o)
		return 0;
	V = buf_map(o->V, MAP_READ | MAP_WRITE);
	rc = V ? visit(arg, "opr", V, DT_F32, o->c, p->n, 2 * p->n) : -1;
	if (V && buf_unmap(o->V) != 0)
		rc = -1;
	return rc != 0 ? rc : visit(arg, "opr_weights", o->w, DT_F64, 1, p->k, 2 * (o->c + 1));
}

int opr_read(struct ptycho *p, float complex *modes, double complex *weights)
{
	struct opr *o = p->opr;

	memcpy(weights, o->w, p->k * (o->c + 1) * sizeof *weights);
	return buf_read(o->V, 0, modes, o->c * p->n * p->n * sizeof *modes);
}
