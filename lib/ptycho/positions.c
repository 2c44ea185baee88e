#include "ptycho/positions.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { HALVED_IN = 20 }; /* iterations */

struct positions {
	struct buf *window;	     /* [room][n][n] complex64: transform of the object there */
	struct buf *slope;	     /* the same: its derivative; p->scratch if there is one */
	double (*n)[2], (*power)[2]; /* [k] */
};

void positions_free(struct ptycho *p)
{
	struct positions *q = p->positions;

	p->positions = NULL;
	if (!q)
		return;
	buf_free(q->window);
	if (q->slope != p->scratch)
		buf_free(q->slope);
	free(q->n);
	free(q->power);
	free(q);
}

static struct positions *get(struct ptycho *p)
{
	size_t bytes = p->room * p->n * p->n * sizeof(float complex);
	struct positions *q = p->positions;

	if (q)
		return q;
	p->positions = q = mem_new(1, sizeof *q);
	q->n = mem_new(p->k, sizeof *q->n);
	q->power = mem_new(p->k, sizeof *q->power);
	q->window = buf_new(p->d, bytes);
	q->slope = !q->window ? NULL : p->scratch ? p->scratch : buf_new(p->d, bytes);
	if (q->slope && dev_load(p->d, "ptycho_positions") == 0)
		return q;
	positions_free(p);
	return NULL;
}

/* Re sum G* chi and sum |G|^2 of the batch's frames to sum[b][0], sum[b][1] */
static int sums(struct ptycho *p, struct buf *D, struct buf *probes, struct buf *chi, bool model,
		double (*sum)[8])
{
	int step = probes != p->probe ? (int)(p->modes * p->n * p->n) : 0;

	if (dev_run(p->d, "positions_sums", over_rows(p, 3 * model_waves_moved(p)), ARG(p->rows), ARG(D), ARG(probes), ARG(chi),
		    ARG(p->window), ARG(p->par), INT(p->n), INT(p->modes), INT(p->w), INT(p->count),
		    INT(step), INT(model), LOCAL(8 * 16 * sizeof(float))) != 0)
		return -1;
	return model_rows(p, 2, sum);
}

/* ---- positions */

static bool refining(const struct ptycho *p)
{
	return p->o.refine.on && p->iteration >= p->o.refine.start;
}

/* Width in px of the Gaussian that slopes are smoothed by: windows far off are led by what is large
 * in the object, and the rest comes in as it falls. */
static double smoothing(const struct ptycho *p)
{
	double sigma = p->o.refine.coarse *
		       exp2(-(double)(p->iteration - p->o.refine.start) / HALVED_IN);

	return sigma < 0.3 ? 0 : sigma;
}

int positions_batch(struct ptycho *p, struct buf *chi, struct buf *probes)
{
	double(*sum)[8];
	struct positions *q;
	int rc = -1;

	if (!refining(p))
		return 0;
	q = get(p);
	if (!q)
		return -1;
	sum = mem_new(p->count, sizeof *sum);
	if (dev_run(p->d, "positions_window", over_planes(p, p->count, 2 * (double)p->count), ARG(q->window), ARG(p->object),
		    ARG(p->window), INT(p->n), INT(p->w), INT(p->count)) != 0 ||
	    model_planes(p, q->window, FFT_FORWARD) != 0)
		goto done;
	for (int a = 0; a < 2; a++) {
		if (dev_run(p->d, "positions_slope", over_planes(p, p->count, 2 * (double)p->count), ARG(q->slope), ARG(q->window),
			    INT(p->n), INT(p->count), INT(a), FLOAT(smoothing(p))) != 0 ||
		    model_planes(p, q->slope, FFT_BACKWARD) != 0 ||
		    sums(p, q->slope, probes, chi, false, sum) != 0)
			goto done;
		for (size_t b = 0; b < p->count; b++) {
			q->n[p->member[b]][a] = sum[b][0];
			q->power[p->member[b]][a] = sum[b][1];
		}
	}
	rc = 0;
done:
	free(sum);
	return rc;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* middle of v [k], which is sorted here */
static double median(double *v, size_t k)
{
	qsort(v, k, sizeof *v, by_value);
	return k % 2 ? v[k / 2] : 0.5 * (v[k / 2 - 1] + v[k / 2]);
}

/* Clips d [k] to min(clip, 10 MAD) and takes off the mean without 5 % at each end. */
static void tame(double *d, size_t k, double clip)
{
	double *v = mem_new(k, sizeof *v), middle, bound, mean = 0;
	size_t cut = (size_t)(0.05 * (double)k);

	memcpy(v, d, k * sizeof *v);
	middle = median(v, k);
	for (size_t i = 0; i < k; i++)
		v[i] = fabs(d[i] - middle);
	bound = fmin(clip, 10 * median(v, k) + 1e-12);
	for (size_t i = 0; i < k; i++)
		v[i] = d[i] = fmin(fmax(d[i], -bound), bound);
	qsort(v, k, sizeof *v, by_value);
	for (size_t i = cut; i < k - cut; i++)
		mean += v[i];
	mean /= (double)(k - 2 * cut);
	for (size_t i = 0; i < k; i++)
		d[i] -= mean;
	free(v);
}

/* Weighted least squares of s - mean along one axis on (s0 - mean, 1), normal equations by Cramer's
 * rule; 0, or -1 when singular. */
static int fit_axis(const struct ptycho *p, int a, const double mean[2], const double mean0[2],
		    double c[3])
{
	double m[3][3] = { { 0 } }, r[3] = { 0 }, det, scale;

	for (size_t k = 0; k < p->k; k++) {
		double x[3] = { p->s0[k][0] - mean0[0], p->s0[k][1] - mean0[1], 1 };
		double w = p->positions && p->positions->power[k][a] > 0 ? p->positions->power[k][a]
									 : 1;

		for (int i = 0; i < 3; i++) {
			for (int j = 0; j < 3; j++)
				m[i][j] += w * x[i] * x[j];
			r[i] += w * x[i] * (p->s[k][a] - mean[a]);
		}
	}
	det = m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) -
	      m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) +
	      m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
	scale = m[0][0] * m[1][1] * m[2][2];
	if (!(fabs(det) > 1e-9 * scale))
		return -1;
	for (int i = 0; i < 3; i++) {
		double t[3][3], d;

		memcpy(t, m, sizeof t);
		for (int j = 0; j < 3; j++)
			t[j][i] = r[j];
		d = t[0][0] * (t[1][1] * t[2][2] - t[1][2] * t[2][1]) -
		    t[0][1] * (t[1][0] * t[2][2] - t[1][2] * t[2][0]) +
		    t[0][2] * (t[1][0] * t[2][1] - t[1][1] * t[2][0]);
		c[i] = d / det;
	}
	return 0;
}

/* Both axes; the means of s and s0 */
static int fit(const struct ptycho *p, double mean[2], double mean0[2], double c[2][3])
{
	for (int a = 0; a < 2; a++) {
		mean[a] = mean0[a] = 0;
		for (size_t k = 0; k < p->k; k++) {
			mean[a] += p->s[k][a] / (double)p->k;
			mean0[a] += p->s0[k][a] / (double)p->k;
		}
	}
	return fit_axis(p, 0, mean, mean0, c[0]) != 0 || fit_axis(p, 1, mean, mean0, c[1]) != 0 ? -1
												: 0;
}

int positions_affine(const struct ptycho *p, struct positions_affine *a)
{
	double mean[2], mean0[2], c[2][3], det;

	if (fit(p, mean, mean0, c) != 0)
		return -1;
	/* A = R K diag(scale): the first column of A is scale_0 (cos, sin), in (row, column) */
	det = c[0][0] * c[1][1] - c[0][1] * c[1][0];
	a->scale[0] = hypot(c[0][0], c[1][0]);
	a->scale[1] = det / a->scale[0];
	a->rotation_deg = -atan2(c[1][0], c[0][0]) * 180 / M_PI;
	a->shear = (c[0][0] * c[0][1] + c[1][0] * c[1][1]) / (a->scale[0] * a->scale[1]);
	return 0;
}

static void relax_to_affine(struct ptycho *p)
{
	double mean[2], mean0[2], c[2][3];

	if (fit(p, mean, mean0, c) != 0)
		return;
	for (size_t k = 0; k < p->k; k++)
		for (int a = 0; a < 2; a++) {
			double y = p->s0[k][0] - mean0[0], x = p->s0[k][1] - mean0[1];

			p->s[k][a] +=
				0.1 * (mean[a] + c[a][0] * y + c[a][1] * x + c[a][2] - p->s[k][a]);
		}
}

/* At most `limit` from s0, and on the canvas */
static void keep_near(struct ptycho *p)
{
	double limit = p->o.refine.limit,
	       last[2] = { (double)(p->h - p->n), (double)(p->w - p->n) };

	for (size_t k = 0; k < p->k; k++)
		for (int a = 0; a < 2; a++) {
			double s = fmin(fmax(p->s[k][a], p->s0[k][a] - limit), p->s0[k][a] + limit);

			p->s[k][a] = fmin(fmax(s, -0.5), last[a] + 0.49);
		}
}

int positions_apply(struct ptycho *p)
{
	struct positions *q = p->positions;
	double *d;

	if (!refining(p) || !q)
		return 0;
	d = mem_new(p->k, sizeof *d);
	for (int a = 0; a < 2; a++) {
		double most = 0;

		for (size_t k = 0; k < p->k; k++)
			most = fmax(most, q->power[k][a]);
		if (!(most > 0))
			continue;
		for (size_t k = 0; k < p->k; k++)
			d[k] = p->o.refine.step * 2 * q->n[k][a] / (q->power[k][a] + most);
		tame(d, p->k, p->o.refine.clip);
		for (size_t k = 0; k < p->k; k++)
			p->s[k][a] += d[k];
	}
	free(d);
	keep_near(p);
	if (p->o.refine.affine) {
		relax_to_affine(p);
		keep_near(p);
	}
	return 0;
}

/* ---- intensities */

int intensity_batch(struct ptycho *p, struct buf *chi, struct buf *probes)
{
	double(*sum)[8];
	int rc;

	if (!p->o.intensity)
		return 0;
	if (dev_load(p->d, "ptycho_positions") != 0)
		return -1;
	sum = mem_new(p->count, sizeof *sum);
	rc = sums(p, p->object, probes, chi, true, sum);
	for (size_t b = 0; b < p->count && rc == 0; b++)
		if (sum[b][1] > 0)
			p->intensity[p->member[b]] += 0.1 * sum[b][0] / sum[b][1];
	free(sum);
	return rc;
}

int intensity_apply(struct ptycho *p)
{
	double mean = 0;

	if (!p->o.intensity)
		return 0;
	for (size_t k = 0; k < p->k; k++)
		mean += p->intensity[k] / (double)p->k;
	for (size_t k = 0; k < p->k; k++)
		p->intensity[k] /= mean;
	return 0;
}
