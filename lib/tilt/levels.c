#include "tilt/levels.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/team.h"

/* Two tiles that overlap: sum of w_i w_j, and of w_i w_j (v_i - v_j), over the overlap. */
struct pair {
	size_t i, j;
	double weight, step;
};

static size_t later(size_t a, size_t b)
{
	return a > b ? a : b;
}

static size_t sooner(size_t a, size_t b)
{
	return a < b ? a : b;
}

static bool overlap(const struct tile_box *a, const struct tile_box *b)
{
	return a->y < b->y + b->h && b->y < a->y + a->h && a->x < b->x + b->w && b->x < a->x + a->w;
}

/* All pairs i < j; tiles lie row by row. */
static size_t find_pairs(const struct tile_plan *p, struct pair **pairs)
{
	size_t n = 0, room = 0;
	struct pair *list = NULL;

	for (size_t i = 0; i < p->count; i++)
		for (size_t j = i + 1; j < p->count && p->box[j].y < p->box[i].y + p->h; j++) {
			if (!overlap(&p->box[i], &p->box[j]))
				continue;
			if (n == room)
				list = mem_grow(list, room = 2 * room + 16, sizeof *list);
			list[n++] = (struct pair){ i, j, 0, 0 };
		}
	*pairs = list;
	return n;
}

static void compare(const struct tile_plan *p, const double *wy, const double *wx,
		    const float *const *image, size_t nz, struct pair *q)
{
	const struct tile_box *a = &p->box[q->i], *b = &p->box[q->j];
	size_t y0 = later(a->y, b->y), y1 = sooner(a->y + a->h, b->y + b->h);
	size_t x0 = later(a->x, b->x), x1 = sooner(a->x + a->w, b->x + b->w);

	for (size_t z = 0; z < nz; z++)
		for (size_t y = y0; y < y1; y++) {
			const float *va = image[q->i] + (z * p->h + y - a->y) * p->w - a->x;
			const float *vb = image[q->j] + (z * p->h + y - b->y) * p->w - b->x;
			double wrow = wy[y - a->y] * wy[y - b->y];

			for (size_t x = x0; x < x1; x++) {
				double w = wrow * wx[x - a->x] * wx[x - b->x];

				q->weight += w;
				q->step += w * ((double)va[x] - vb[x]);
			}
		}
}

static double dot(const double *a, const double *b, size_t n)
{
	double s = 0;

	for (size_t i = 0; i < n; i++)
		s += a[i] * b[i];
	return s;
}

static void apply(const struct pair *q, size_t pairs, const double *x, double *ax, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ax[i] = 0;
	for (size_t k = 0; k < pairs; k++) {
		double f = q[k].weight * (x[q[k].i] - x[q[k].j]);

		ax[q[k].i] += f;
		ax[q[k].j] -= f;
	}
}

/* Conjugate gradients on the normal equations.  They are singular by one constant per connected set
 * of tiles, but the right side has none of it, and from 0 the iterates never leave that range. */
static void solve(const struct pair *q, size_t pairs, double *x, size_t n)
{
	double *r = mem_new(3 * n, sizeof *r), *d = r + n, *ad = d + n, rr, end;

	for (size_t k = 0; k < pairs; k++) {
		r[q[k].i] -= q[k].step;
		r[q[k].j] += q[k].step;
	}
	for (size_t i = 0; i < n; i++) {
		d[i] = r[i];
		x[i] = 0;
	}
	rr = dot(r, r, n);
	end = 1e-20 * rr;
	for (size_t turn = 0; turn < 10 * n + 100 && rr > end; turn++) {
		double step, next;

		apply(q, pairs, d, ad, n);
		step = rr / dot(d, ad, n);
		for (size_t i = 0; i < n; i++) {
			x[i] += step * d[i];
			r[i] -= step * ad[i];
		}
		next = dot(r, r, n);
		for (size_t i = 0; i < n; i++)
			d[i] = r[i] + next / rr * d[i];
		rr = next;
	}
	free(r);
}

static size_t root(size_t *of, size_t i)
{
	while (of[i] != i)
		i = of[i] = of[of[i]];
	return i;
}

/* Takes from each connected set the mean that rounding has left. */
static void centre(const struct pair *q, size_t pairs, double *x, size_t n)
{
	size_t *of = mem_new(n, sizeof *of), *count = mem_new(n, sizeof *count);
	double *sum = mem_new(n, sizeof *sum);

	for (size_t i = 0; i < n; i++)
		of[i] = i;
	for (size_t k = 0; k < pairs; k++)
		of[root(of, q[k].j)] = root(of, q[k].i);
	for (size_t i = 0; i < n; i++) {
		sum[root(of, i)] += x[i];
		count[root(of, i)]++;
	}
	for (size_t i = 0; i < n; i++)
		x[i] -= sum[root(of, i)] / (double)count[root(of, i)];
	free(sum);
	free(count);
	free(of);
}

struct comparing {
	const struct tile_plan *plan;
	const double *wy, *wx;
	const float *const *image;
	size_t nz;
	struct pair *pair;
};

static void compare_pair(void *context, size_t k, int member)
{
	const struct comparing *c = context;

	(void)member;
	compare(c->plan, c->wy, c->wx, c->image, c->nz, &c->pair[k]);
}

void tile_levels(const struct tile_plan *plan, enum blend kind, double frac,
		 const float *const *image, size_t nz, double *offset)
{
	struct pair *q;
	size_t pairs = find_pairs(plan, &q);
	double *wy = mem_new(plan->h, sizeof *wy), *wx = mem_new(plan->w, sizeof *wx);
	struct comparing c;

	tile_weights(plan->h, kind, frac, wy);
	tile_weights(plan->w, kind, frac, wx);
	c = (struct comparing){ plan, wy, wx, image, nz, q };
	team_run(0, pairs, compare_pair, &c);
	solve(q, pairs, offset, plan->count);
	centre(q, pairs, offset, plan->count);
	free(wx);
	free(wy);
	free(q);
}
