#include "tests/ref-tv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static double forward(const struct volume *a, size_t z, size_t y, size_t x, int axis, bool wrap,
		      bool *there)
{
	size_t step[3] = { a->ny * a->nx, a->nx, 1 }, at[3] = { z, y, x },
	       n[3] = { a->nz, a->ny, a->nx };
	size_t i = (z * a->ny + y) * a->nx + x;
	double d;

	*there = at[axis] + 1 < n[axis];
	if (!*there)
		return 0;
	d = a->v[i + step[axis]] - a->v[i];
	return wrap ? d - 2 * M_PI * floor((d + M_PI) / (2 * M_PI)) : d;
}

double tv_reference(const struct volume *a, const struct tv_opts *o, const double f[3], double *g)
{
	size_t step[3] = { a->ny * a->nx, a->nx, 1 };
	double loss = 0;

	memset(g, 0, a->nz * a->ny * a->nx * sizeof *g);
	for (size_t z = 0; z < a->nz; z++)
		for (size_t y = 0; y < a->ny; y++)
			for (size_t x = 0; x < a->nx; x++) {
				size_t i = (z * a->ny + y) * a->nx + x;
				double d[3], e[3], s = o->eps;
				bool there[3], good[3];

				for (int k = 0; k < 3; k++) {
					d[k] = forward(a, z, y, x, k, o->wrap, &there[k]);
					good[k] = there[k] && isfinite(d[k]);
					d[k] = good[k] ? d[k] : 0;
					s += o->weight[k] * d[k] * d[k];
				}
				if (o->kind == TV_ISO && !(good[0] && good[1] && good[2]))
					continue;
				if (o->kind == TV_ISO)
					loss += f[0] * sqrt(s);
				for (int k = 0; k < 3; k++) {
					if (!good[k])
						continue;
					if (o->kind == TV_ISO)
						e[k] = s > 0 ? f[0] * o->weight[k] * d[k] / sqrt(s)
							     : 0;
					else if (o->kind == TV_L1)
						e[k] = f[k] * ((d[k] > 0) - (d[k] < 0));
					else
						e[k] = f[k] * 2 * d[k];
					loss += o->kind == TV_L1   ? f[k] * fabs(d[k])
						: o->kind == TV_SQ ? f[k] * d[k] * d[k]
								   : 0;
					g[i] -= e[k];
					g[i + step[k]] += e[k];
				}
			}
	return loss;
}

double tv_kernels(struct dev *d, const struct volume *a, const struct tv_opts *o, const double f[3],
		  float *g)
{
	size_t n = a->nz * a->ny * a->nx;
	float *v = mem_new(n, sizeof *v), (*factor)[4] = mem_new(a->nz, sizeof *factor);
	int *links = mem_new(a->nz, sizeof *links);
	struct tv_sums *sums = mem_new(a->nz, sizeof *sums), all;
	struct buf *bv = buf_new(d, n * sizeof *v), *bg = buf_new(d, n * sizeof *g);
	double unit = o->kind == TV_SQ ? 2 : 1, loss = NAN;
	struct tv t;

	for (size_t i = 0; i < n; i++)
		v[i] = (float)a->v[i];
	for (size_t z = 0; z < a->nz; z++) {
		links[z] = (z > 0 ? TV_PREV : 0) | (z + 1 < a->nz ? TV_NEXT : 0);
		for (int k = 0; k < 3; k++)
			factor[z][k] = (float)(unit * f[k]);
	}
	if (tv_init(&t, d, o, a->ny, a->nx) == 0 && buf_write(bv, 0, v, n * sizeof *v) == 0 &&
	    tv_slab(&t, bv, 0, a->nz, links, (const float(*)[4])factor, bg, sums) == 0 &&
	    buf_read(bg, 0, g, n * sizeof *g) == 0) {
		all = tv_add(sums, a->nz);
		loss = o->kind == TV_ISO
			       ? f[0] * all.sum[0]
			       : f[0] * all.sum[0] + f[1] * all.sum[1] + f[2] * all.sum[2];
	}
	tv_clear(&t);
	buf_free(bv);
	buf_free(bg);
	free(v);
	free(factor);
	free(links);
	free(sums);
	return loss;
}

double tv_noise(unsigned *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (float)((double)(*seed >> 8) / (1 << 23) - 1);
}

struct volume tv_volume(size_t nz, size_t ny, size_t nx, double scale)
{
	struct volume a = { nz, ny, nx, mem_new(nz * ny * nx, sizeof(double)) };
	unsigned seed = (unsigned)(nz * 7 + ny * 3 + nx);

	for (size_t i = 0; i < nz * ny * nx; i++)
		a.v[i] = (float)(scale * tv_noise(&seed));
	return a;
}
