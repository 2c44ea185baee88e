/* Scalars of whole buffers, on the host. */
#include "ptycho/model.h"

#include <math.h>

#include "base/team.h"

enum { LANES_OF_SUM = 16 }; /* side by side: one double alone waits for the sum before it */

int model_max(struct buf *x, size_t n, double *most)
{
	const float *v = buf_map(x, MAP_READ);
	float m[LANES_OF_SUM] = { 0 };
	size_t i = 0;

	if (!v)
		return -1;
	for (; i + LANES_OF_SUM <= n; i += LANES_OF_SUM)
		for (size_t l = 0; l < LANES_OF_SUM; l++)
			m[l] = v[i + l] > m[l] ? v[i + l] : m[l];
	for (size_t l = 0; i + l < n; l++)
		m[l] = v[i + l] > m[l] ? v[i + l] : m[l];
	for (size_t l = 1; l < LANES_OF_SUM; l++)
		m[0] = m[l] > m[0] ? m[l] : m[0];
	*most = (double)m[0];
	return buf_unmap(x);
}

struct factors {
	const float *x, *y;
};

static void dot(const void *context, size_t from, size_t to, double *sum)
{
	const struct factors *f = context;
	double lane[LANES_OF_SUM] = { 0 };
	size_t i = from;

	for (; i + LANES_OF_SUM <= to; i += LANES_OF_SUM)
		for (size_t l = 0; l < LANES_OF_SUM; l++)
			lane[l] += (double)f->x[i + l] * (double)f->y[i + l];
	for (size_t l = 0; i + l < to; l++)
		lane[l] += (double)f->x[i + l] * (double)f->y[i + l];
	for (size_t l = 0; l < LANES_OF_SUM; l++)
		*sum += lane[l];
}

int model_dot(struct buf *a, struct buf *b, size_t n, double *result)
{
	struct factors f = { .x = buf_map(a, MAP_READ) };
	int rc = 0;

	f.y = !f.x ? NULL : a == b ? f.x : buf_map(b, MAP_READ);
	if (!f.y)
		return -1;
	team_add(2 * n, 1, dot, &f, result);
	if (a != b)
		rc = buf_unmap(b);
	return buf_unmap(a) != 0 ? -1 : rc;
}

void model_errors_row(const struct ptycho *p, struct ptycho_row *row)
{
	double sum[ERR_SUMS] = { 0 }, chi = 0;

	for (size_t k = 0; k < p->k; k++) {
		for (int i = 0; i < ERR_SUMS; i++)
			sum[i] += p->err[k][i];
		chi += p->err[k][ERR_SQUARE] / p->err[k][ERR_I];
	}
	row->R = sum[ERR_ABS] / sum[ERR_D];
	row->chi = sqrt(chi / (double)p->k);
	row->fmag = sum[ERR_SQUARE] / sum[ERR_PIXELS];
	row->nll = sum[ERR_NLL] / sum[ERR_PIXELS];
}
