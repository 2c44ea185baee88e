#include "tilt/tiles.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/team.h"

/* Starts of the tiles on one axis; returns their number. */
static size_t axis_starts(size_t n, size_t tile, size_t overlap, size_t **start)
{
	size_t step = tile - overlap, m, *s;

	if (tile >= n) {
		*start = mem_new(1, sizeof **start);
		return 1;
	}
	m = (n - tile) / step + 1;
	s = mem_new(m + 1, sizeof *s);
	for (size_t i = 0; i < m; i++)
		s[i] = i * step;
	if (s[m - 1] + tile < n) {
		m++;
		for (size_t i = 0; i < m; i++) /* rint: half to even */
			s[i] = (size_t)rint((double)(i * (n - tile)) / (double)(m - 1));
	}
	*start = s;
	return m;
}

void tile_plan_init(struct tile_plan *p, const size_t field[2], const size_t tile[2],
		    const size_t overlap[2])
{
	size_t size[2], *start[2], count[2];

	for (int a = 0; a < 2; a++) {
		size[a] = tile[a] == 0 || tile[a] > field[a] ? field[a] : tile[a];
		count[a] = axis_starts(field[a], size[a], overlap[a], &start[a]);
	}
	*p = (struct tile_plan){ field[0], field[1], size[0], size[1], count[0] * count[1], NULL };
	p->box = mem_new(p->count, sizeof *p->box);
	for (size_t i = 0; i < p->count; i++)
		p->box[i] = (struct tile_box){ start[0][i / count[1]], start[1][i % count[1]],
					       size[0], size[1] };
	free(start[0]);
	free(start[1]);
}

void tile_plan_clear(struct tile_plan *p)
{
	free(p->box);
	*p = (struct tile_plan){ 0 };
}

void tile_weights(size_t n, enum blend kind, double frac, double *w)
{
	double s = fmax(1, (double)n * frac), top = 0;

	for (size_t i = 0; i < n; i++) {
		double t = (double)i - ((double)n - 1) / 2;

		w[i] = kind == BLEND_GAUSSIAN ? exp(-t * t / (2 * s * s)) : 1;
		top = fmax(top, w[i]);
	}
	for (size_t i = 0; i < n; i++)
		w[i] /= top;
}

struct blending {
	const struct tile_plan *plan;
	enum blend kind;
	const double *wy, *wx;
	const float *const *image;
	const double *offset;
	double *row; /* [threads][2][nx]: sums and weights */
	float *out;
};

/* One row of the field: every tile that covers it, in order. */
static void blend_row(void *context, size_t y, int member)
{
	const struct blending *c = context;
	const struct tile_plan *p = c->plan;
	double *sum = c->row + (size_t)member * 2 * p->nx, *weight = sum + p->nx;
	float *out = c->out + y * p->nx;
	bool largest = c->kind == BLEND_MAX, smallest = c->kind == BLEND_MIN;

	for (size_t x = 0; x < p->nx; x++)
		sum[x] = weight[x] = 0;
	for (size_t i = 0; i < p->count; i++) {
		const struct tile_box *b = &p->box[i];
		double *s = sum + b->x, *weigh = weight + b->x, o = c->offset ? c->offset[i] : 0;
		const float *v;

		if (y < b->y || y >= b->y + b->h)
			continue;
		v = c->image[i] + (y - b->y) * b->w;
		for (size_t k = 0; k < b->w; k++) {
			double t = v[k] + o, w = c->wy[y - b->y] * c->wx[k];

			if (largest)
				s[k] = weigh[k] == 0 ? t : fmax(s[k], t);
			else if (smallest)
				s[k] = weigh[k] == 0 ? t : fmin(s[k], t);
			else
				s[k] += w * t;
			weigh[k] += w;
		}
	}
	for (size_t x = 0; x < p->nx; x++)
		out[x] = weight[x] == 0
				 ? NAN
				 : (float)(largest || smallest ? sum[x] : sum[x] / weight[x]);
}

void tile_blend(const struct tile_plan *p, enum blend kind, double frac, const float *const *image,
		const double *offset, float *out)
{
	double *wy = mem_new(p->h, sizeof *wy), *wx = mem_new(p->w, sizeof *wx);
	struct blending b = { p, kind, wy, wx, image, offset, NULL, out };

	tile_weights(p->h, kind, frac, wy);
	tile_weights(p->w, kind, frac, wx);
	b.row = mem_new((size_t)team_size() * 2 * p->nx, sizeof *b.row);
	team_run(0, p->ny, blend_row, &b);
	free(b.row);
	free(wy);
	free(wx);
}
