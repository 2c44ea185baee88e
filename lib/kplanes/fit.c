#include "kplanes/fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "math/random.h"

/* ---- parts */

double fit_activation(enum activation kind, double a, double *slope)
{
	double e;

	if (kind == ACTIVATION_LINEAR) {
		*slope = 1;
		return a;
	}
	e = exp(-fabs(a - 1));
	*slope = (a >= 1 ? 1 : e) / (1 + e);
	return log1p(e) + fmax(a - 1, 0);
}

double fit_taps(const struct kplanes_model *m, const float *pts, size_t n, float *taps)
{
	double h = 2.0 / (double)(m->size[0][0] < m->size[0][1] ? m->size[0][0] : m->size[0][1]);

	for (size_t i = n; i-- > 0;) {
		float p[3];

		memcpy(p, pts + 3 * i, sizeof p);
		for (size_t k = 0; k < 12; k++)
			taps[12 * i + k] =
				(float)((double)p[k % 3] + (k / 3 == k % 3 + 1 ? h : 0));
	}
	return h;
}

double fit_volume_tv(const double *v, size_t n, double h, double weight, double *d)
{
	double sum = 0;

	for (size_t i = 0; i < 4 * n; i += 4) {
		double g[3], s = 0, e;

		for (size_t a = 0; a < 3; a++) {
			g[a] = (v[i + a + 1] - v[i]) / h;
			s += g[a] * g[a];
		}
		s = sqrt(s);
		sum += s;
		if (!d)
			continue;
		e = s > 0 ? weight / (s * (double)n * h) : 0;
		d[i] -= (g[0] + g[1] + g[2]) * e;
		for (size_t a = 0; a < 3; a++)
			d[i + a + 1] += g[a] * e;
	}
	return n ? sum / (double)n : 0;
}

struct fit_step fit_step(enum optimiser o, long k, double lr, double *product)
{
	double cv = 1 / (1 - pow(0.999, (double)k)), mu, next;

	if (o == OPTIMISER_ADAM)
		return (struct fit_step){ 0, lr / (1 - pow(0.9, (double)k)), cv };
	mu = 0.9 * (1 - 0.5 * pow(0.96, 0.004 * (double)k));
	next = 0.9 * (1 - 0.5 * pow(0.96, 0.004 * (double)(k + 1)));
	*product *= mu;
	return (struct fit_step){ lr * (1 - mu) / (1 - *product), lr * next / (1 - *product * next),
				  cv };
}

void fit_update(const struct fit_step *s, float *x, const double *g, double *m, double *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		m[i] = 0.9 * m[i] + 0.1 * g[i];
		v[i] = 0.999 * v[i] + 0.001 * g[i] * g[i];
		x[i] = (float)(x[i] - (s->cg * g[i] + s->cm * m[i]) / (sqrt(v[i] * s->cv) + 1e-8));
	}
}

/* ---- a fit */

enum { WANT = KP_WANT_WEIGHTS | KP_WANT_PLANES };

struct moments {
	double *m, *v; /* [n] */
};

struct fit {
	struct dev *d;
	struct kplanes_model *m;
	const struct fit_opts *o;
	const float *volume;
	size_t voxels, points, taps; /* of the batch: the first `taps` points have taps */
	struct kp_field field;
	struct kp_batch batch;
	struct buf *first[KP_LEVELS], *second[KP_LEVELS]; /* moments of planes */
	struct moments weight, bias, quat;
	double *dw, *y, *value, *slope, *dvalue;
	uint32_t *voxel, *order; /* of a drawn batch */
	double product[3];
};

static size_t batch_points(const struct kplanes_model *m, const struct fit_opts *o, size_t *taps)
{
	size_t voxels = m->shape[0] * m->shape[1] * m->shape[2], n = o->batch ? o->batch : voxels;

	*taps = o->tv_volume > 0 ? (o->tv_points < n ? o->tv_points : n) : 0;
	return n;
}

size_t fit_bytes(const struct kplanes_model *m, const struct fit_opts *o)
{
	size_t taps, n = batch_points(m, o, &taps), bytes = kp_field_bytes(m);

	bytes += kp_batch_bytes(m, n + 3 * taps, WANT | KP_STEPS);
	for (size_t l = 0; l < m->levels; l++)
		bytes += 2 * kplanes_texels(m, l) * 4;
	return bytes;
}

static struct moments moments_new(size_t n)
{
	return (struct moments){ mem_new(n, sizeof(double)), mem_new(n, sizeof(double)) };
}

static int fit_init(struct fit *f, int want)
{
	const struct kplanes_model *m = f->m;
	size_t n, need = fit_bytes(m, f->o), w = kplanes_features(m);

	f->points = batch_points(m, f->o, &f->taps);
	f->voxels = m->shape[0] * m->shape[1] * m->shape[2];
	n = f->points + 3 * f->taps;
	if (need > dev_mem(f->d))
		return error("'--mem': the fit needs %zu bytes on the device, %zu are allowed",
			     need, dev_mem(f->d));
	f->y = mem_try("batch", 4 * n, sizeof(double));
	f->voxel = mem_try("batch", 2 * f->points, sizeof *f->voxel);
	f->order = f->voxel ? f->voxel + f->points : NULL;
	if (!f->y || !f->voxel || kp_field_init(&f->field, f->d, m) != 0 ||
	    kp_batch_init(&f->batch, &f->field, n, want) != 0)
		return -1;
	f->value = f->y + n;
	f->slope = f->value + n;
	f->dvalue = f->slope + n;
	f->batch.n = n;
	f->dw = mem_new(w, sizeof *f->dw);
	f->weight = moments_new(w);
	f->bias = moments_new(1);
	f->quat = moments_new(4 * m->rotations);
	for (size_t l = 0; l < m->levels; l++) {
		struct buf **b[2] = { &f->first[l], &f->second[l] };

		for (int i = 0; i < 2; i++) {
			*b[i] = buf_new(f->d, kplanes_texels(m, l) * 4);
			if (!*b[i] || buf_zero(*b[i]) != 0)
				return -1;
		}
	}
	for (int i = 0; i < 3; i++)
		f->product[i] = 1;
	return 0;
}

static void fit_clear(struct fit *f)
{
	struct moments *m[] = { &f->weight, &f->bias, &f->quat };

	for (size_t l = 0; l < KP_LEVELS; l++) {
		buf_free(f->first[l]);
		buf_free(f->second[l]);
	}
	kp_batch_clear(&f->batch);
	kp_field_clear(&f->field);
	for (size_t i = 0; i < 3; i++) {
		free(m[i]->m);
		free(m[i]->v);
	}
	free(f->dw);
	free(f->voxel);
	free(f->y);
}

/* Voxel i as a point. */
static void voxel_point(const struct kplanes_model *m, size_t i, float *p)
{
	size_t nz = m->shape[0], ny = m->shape[1], nx = m->shape[2];

	p[0] = kp_grid(-1, 1, nx, i % nx);
	p[1] = kp_grid(-1, 1, ny, i / nx % ny);
	p[2] = kp_grid(-1, 1, nz, i / nx / ny);
}

/* Where point i of the batch is on the device: first those without taps, then the others, each with
 * its taps. */
static size_t place(const struct fit *f, size_t i)
{
	size_t alone = f->points - f->taps;

	return i < f->taps ? alone + 4 * i : i - f->taps;
}

/* The voxels of the batch [from, to) of iteration k as points p and targets, those that are near in
 * space one after the other. */
static void draw(struct fit *f, long k, size_t from, size_t to, float *p)
{
	for (size_t j = from; j < to; j++) {
		f->voxel[j] = (uint32_t)j;
		if (f->o->batch)
			f->voxel[j] = (uint32_t)((rng_key(f->o->seed, 16 + (uint64_t)k, j) >> 32) *
							 f->voxels >>
						 32);
		voxel_point(f->m, f->voxel[j], p + 3 * (j - from));
	}
	kp_order(p, to - from, f->order);
	for (size_t j = from; j < to; j++) {
		size_t i = f->voxel[from + f->order[j - from]];

		voxel_point(f->m, i, p + 3 * (j - from));
		f->y[j] = ((double)f->volume[i] - (double)f->m->offset) / (double)f->m->scale;
	}
}

/* The voxels of iteration k: points and taps to the device, targets to y. */
static int gather(struct fit *f, long k)
{
	float *p = buf_map(f->batch.pts, MAP_DISCARD), *tapped;

	if (!p)
		return -1;
	tapped = p + 3 * place(f, 0);
	draw(f, k, 0, f->taps, tapped);
	draw(f, k, f->taps, f->points, p);
	fit_taps(f->m, tapped, f->taps, tapped);
	return buf_unmap(f->batch.pts);
}

/* How much of level l counts at iteration k. */
static double level_scale(const struct fit *f, size_t l, long k)
{
	double s = f->o->warmup * (double)f->o->iters;

	return s > 0 ? fmin(fmax((double)f->m->levels * (double)k / s - (double)l, 0), 1) : 1;
}

static int send_weights(struct fit *f, long k)
{
	size_t tc = f->m->rotations * f->m->channels;
	float *w = buf_map(f->field.weight, MAP_DISCARD);

	if (!w)
		return -1;
	for (size_t i = 0; i < kplanes_features(f->m); i++)
		w[i] = (float)(f->m->weight[i] * level_scale(f, i / tc, k));
	return buf_unmap(f->field.weight);
}

/* Loss terms from the values on the device; da there, its sum in *db. */
static int losses(struct fit *f, double *mse, double *volume_tv, double *db)
{
	const struct kplanes_model *m = f->m;
	size_t n = f->batch.n;
	float *a = buf_map(f->batch.value, MAP_READ), *da;
	double sum = 0,
	       h = 2.0 / (double)(m->size[0][0] < m->size[0][1] ? m->size[0][0] : m->size[0][1]);

	if (!a)
		return -1;
	for (size_t i = 0; i < n; i++) {
		f->value[i] = fit_activation(m->activation, (double)a[i], &f->slope[i]);
		f->dvalue[i] = 0;
	}
	for (size_t i = 0; i < f->points; i++) {
		double e = f->value[place(f, i)] - f->y[i];

		sum += e * e;
		f->dvalue[place(f, i)] = 2 * e / (double)f->points;
	}
	*mse = sum / (double)f->points;
	*volume_tv = fit_volume_tv(f->value + place(f, 0), f->taps, h, f->o->tv_volume,
				   f->dvalue + place(f, 0));
	if (buf_unmap(f->batch.value) != 0)
		return -1;
	da = buf_map(f->batch.da, MAP_DISCARD);
	if (!da)
		return -1;
	*db = 0;
	for (size_t i = 0; i < n; i++) {
		da[i] = (float)(f->dvalue[i] * f->slope[i]);
		*db += f->dvalue[i] * f->slope[i];
	}
	return buf_unmap(f->batch.da);
}

/* Gradients by weights and rotations, the plane term; the planes' gradient to the caller's `planes`,
 * or a step of them. */
static int backward(struct fit *f, long k, const struct fit_step *step, float *const *planes,
		    double (*dr)[9], double *plane_tv)
{
	const struct kplanes_model *m = f->m;
	size_t tc = m->rotations * m->channels;
	struct kp_up u = { .up = f->field.weight, .block = kp_lanes(m), .scaled = true };

	*plane_tv = 0;
	for (size_t l = 0; l < m->levels; l++) {
		double tv;
		struct kp_down to = { .dr = dr,
				      .dw = f->dw + l * tc,
				      .tv_weight = f->o->tv_plane,
				      .tv = &tv,
				      .first = planes ? NULL : f->first[l],
				      .second = planes ? NULL : f->second[l],
				      .step = *step };

		if (kp_batch_backward(&f->batch, l, &u, &to) != 0 ||
		    (planes && kp_download(m, l, f->batch.grad, planes[l]) != 0))
			return -1;
		*plane_tv += tv;
		for (size_t i = 0; i < tc; i++)
			f->dw[l * tc + i] *= level_scale(f, l, k);
	}
	return 0;
}

/* The step of what is not planes. */
static int update(struct fit *f, const struct fit_step s[3], double db, double (*dr)[9])
{
	struct kplanes_model *m = f->m;

	fit_update(&s[1], m->weight, f->dw, f->weight.m, f->weight.v, kplanes_features(m));
	fit_update(&s[1], &m->bias, &db, f->bias.m, f->bias.v, 1);
	if (f->o->fix_rotations)
		return 0;
	for (size_t t = 0; t < m->rotations; t++) {
		double dq[4];

		kplanes_quaternion_gradient(m->quat[t], dr[t], dq);
		fit_update(&s[2], m->quat[t], dq, f->quat.m + 4 * t, f->quat.v + 4 * t, 4);
		if (kplanes_rotation(m->quat[t], m->rot[t]) != 0)
			return 1;
	}
	return buf_write(f->field.rot, 0, m->rot, m->rotations * 36);
}

/* Terms and gradients at m for the batch of iteration k, and the planes as in backward(); 1: the
 * loss is not finite. */
static int evaluate(struct fit *f, long k, const struct fit_step *step, float *const *planes,
		    struct fit_terms *t, double *db, double (*dr)[9])
{
	if (gather(f, k) != 0 || send_weights(f, k) != 0 ||
	    kp_batch_values(&f->batch, f->m->bias) != 0 ||
	    losses(f, &t->mse, &t->volume_tv, db) != 0)
		return -1;
	if (!isfinite(t->mse) || !isfinite(t->volume_tv))
		return 1;
	if (backward(f, k, step, planes, dr, &t->plane_tv) != 0)
		return -1;
	return isfinite(t->plane_tv) ? 0 : 1;
}

static int iterate(struct fit *f, const char *name, long k, struct fit_terms *t)
{
	double dr[KP_ROTATIONS][9] = { { 0 } }, db,
	       fall = pow(f->o->lr_final,
			  (double)(k - 1) / (double)(f->o->iters > 1 ? f->o->iters - 1 : 1));
	struct fit_step s[3];
	int rc;

	for (int i = 0; i < 3; i++)
		s[i] = fit_step(f->o->optimiser, k, f->o->lr[i] * fall, &f->product[i]);
	rc = evaluate(f, k, &s[0], NULL, t, &db, dr);
	if (rc == 0)
		rc = update(f, s, db, dr);
	if (rc > 0)
		return error("'%s': diverged at iteration %ld, expected a finite loss", name, k);
	return rc;
}

int fit_gradient(struct dev *d, struct kplanes_model *m, const float *volume,
		 const struct fit_opts *o, long k, struct fit_terms *terms, struct fit_slopes *s)
{
	struct fit f = { .d = d, .m = m, .o = o, .volume = volume };
	double dr[KP_ROTATIONS][9] = { { 0 } };
	int rc = -1;

	if (fit_init(&f, WANT) != 0 ||
	    evaluate(&f, k, &(struct fit_step){ 0 }, s->planes, terms, &s->bias, dr) != 0)
		goto done;
	memcpy(s->weight, f.dw, kplanes_features(m) * sizeof *f.dw);
	for (size_t t = 0; t < m->rotations; t++)
		kplanes_quaternion_gradient(m->quat[t], dr[t], s->quat[t]);
	rc = 0;
done:
	fit_clear(&f);
	return rc;
}

int kplanes_fit(struct dev *d, const char *name, struct kplanes_model *m, const float *volume,
		const struct fit_opts *o, fit_report *report, void *arg)
{
	struct fit f = { .d = d, .m = m, .o = o, .volume = volume };
	int rc = -1;

	if (m->shape[0] * m->shape[1] * m->shape[2] > UINT32_MAX)
		return error("'%s': %zu x %zu x %zu voxels, expected fewer than 2^32", name,
			     m->shape[0], m->shape[1], m->shape[2]);
	if (o->iters == 0)
		return 0;
	if (fit_init(&f, WANT | KP_STEPS) != 0)
		goto done;
	for (long k = 1; k <= o->iters; k++) {
		struct fit_terms t = { 0 };

		if (iterate(&f, name, k, &t) != 0)
			goto done;
		if (report)
			report(arg, k, t.mse, o->tv_plane > 0 ? t.plane_tv : 0, t.volume_tv);
	}
	for (size_t l = 0; l < m->levels; l++)
		if (kp_download(m, l, f.field.planes[l], m->planes[l]) != 0)
			goto done;
	rc = 0;
done:
	fit_clear(&f);
	return rc;
}
