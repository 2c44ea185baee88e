#include "ptycho/frames_prep.h"

#include <math.h>
#include <stdlib.h>

#include "base/die.h"
#include "base/mem.h"
#include "base/team.h"

/* Pixel of the file at (y, x) of the centred frame. */
static size_t centred(const struct prep *p, size_t y, size_t x)
{
	if (p->corner) {
		y = (y + p->ny - p->ny / 2) % p->ny;
		x = (x + p->nx - p->nx / 2) % p->nx;
	}
	return y * p->nx + x;
}

size_t prep_oriented(const struct prep *p, size_t h, size_t w, size_t row, size_t column)
{
	size_t y, x;

	d4_source(p->o->orientation, h, w, row, column, &y, &x);
	return centred(p, y, x);
}

/* ---- the mean frame and the layout */

/* Of counts: the same in whole numbers. */
static void mean_counts(struct prep *p, size_t y)
{
	uint64_t *sum = mem_new(p->nx, sizeof *sum);
	uint32_t *n = mem_new(p->nx, sizeof *n);
	const bool *bad = p->bad + y * p->nx;

	for (size_t k = 0; k < p->k; k++) {
		const uint16_t *v = (const uint16_t *)p->pages->data + k * p->area + y * p->nx;

		for (size_t x = 0; x < p->nx && !*p->f->reason[k]; x++) {
			bool good = v[x] <= p->most && !bad[x];

			sum[x] += good ? v[x] : 0;
			n[x] += good;
		}
	}
	for (size_t x = 0; x < p->nx; x++)
		p->mean[y * p->nx + x] = (double)sum[x] / (n[x] ? n[x] : 1);
	free(sum);
	free(n);
}

static void mean_row(void *context, size_t y, int member)
{
	struct prep *p = context;

	(void)member;
	if (p->counts) {
		mean_counts(p, y);
		return;
	}
	for (size_t i = y * p->nx; i < (y + 1) * p->nx; i++)
		p->mean[i] = p->count[i] = 0;
	for (size_t k = 0; k < p->k; k++)
		for (size_t i = y * p->nx; i < (y + 1) * p->nx && !*p->f->reason[k]; i++) {
			double v = prep_photons(p, k, i);

			if (!isnan(v)) {
				p->mean[i] += v;
				p->count[i]++;
			}
		}
	for (size_t i = y * p->nx; i < (y + 1) * p->nx; i++)
		p->mean[i] /= fmax(p->count[i], 1);
}

static void find_mean(struct prep *p)
{
	team_run(0, p->ny, mean_row, p);
}

enum dc_layout frames_layout(const double *mean, size_t ny, size_t nx, double *ratio)
{
	size_t hy = ny / 2, hx = nx / 2, qy = ny / 4, qx = nx / 4, y0 = (ny - hy) / 2,
	       x0 = (nx - hx) / 2;
	double centre = 0, corner = 0;

	for (size_t y = 0; y < ny; y++)
		for (size_t x = 0; x < nx; x++) {
			double v = mean[y * nx + x];

			if (y >= y0 && y < y0 + hy && x >= x0 && x < x0 + hx)
				centre += v;
			if ((y < qy || y >= ny - qy) && (x < qx || x >= nx - qx))
				corner += v;
		}
	*ratio = fmax(centre, corner) / fmax(fmin(centre, corner), 1e-30);
	return corner > centre ? DC_CORNER : DC_CENTRE;
}

int prep_layout(struct prep *p)
{
	struct frames *f = p->f;
	enum dc_layout found;

	find_mean(p);
	f->near_field = p->o->near_field;
	f->dc = DC_CENTRE;
	if (f->near_field)
		return 0;
	found = frames_layout(p->mean, p->ny, p->nx, &f->dc_ratio);
	f->dc = p->o->dc == DC_AUTO ? found : p->o->dc;
	if (p->o->dc == DC_AUTO && f->dc_ratio < 2)
		return error("'%s': cannot tell the layout (ratio %.2g): give --dc", p->path,
			     f->dc_ratio);
	if (f->dc != found && f->dc_ratio >= 2)
		warning("'%s': the light is at the %s (ratio %.3g), --dc says %s", p->path,
			found == DC_CORNER ? "corner" : "centre", f->dc_ratio,
			f->dc == DC_CORNER ? "corner" : "centre");
	p->corner = f->dc == DC_CORNER;
	return 0;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double prep_median(double *v, size_t n)
{
	qsort(v, n, sizeof *v, by_value);
	return n == 0 ? 0 : (v[(n - 1) / 2] + v[n / 2]) / 2;
}

void prep_hot(struct prep *p)
{
	bool *hot = mem_new(p->area, sizeof *hot);

	for (size_t y = 0; y < p->ny; y++)
		for (size_t x = 0; x < p->nx; x++) {
			size_t i = centred(p, y, x), n = 0;
			double around[8];

			for (size_t v = y > 0 ? y - 1 : 0; v <= y + 1 && v < p->ny; v++)
				for (size_t u = x > 0 ? x - 1 : 0; u <= x + 1 && u < p->nx; u++)
					if ((v != y || u != x) && !p->bad[centred(p, v, u)])
						around[n++] = p->mean[centred(p, v, u)];
			hot[i] =
				p->mean[i] > 1 && n > 0 && p->mean[i] > 20 * prep_median(around, n);
		}
	for (size_t i = 0; i < p->area; i++)
		p->bad[i] |= hot[i];
	free(hot);
}

/* ---- the beam */

/* Bounding box's centre of the largest 4-connected part of the oriented mean frame above 2 % of its
 * peak. */
static void find_centre(const double *mean, size_t h, size_t w, long at[2])
{
	double peak = 0;
	bool *open = mem_new(h * w, sizeof *open);
	size_t *stack = mem_new(h * w, sizeof *stack), best = 0;

	at[0] = (long)(h / 2);
	at[1] = (long)(w / 2);
	for (size_t i = 0; i < h * w; i++)
		peak = fmax(peak, mean[i]);
	for (size_t i = 0; i < h * w; i++)
		open[i] = mean[i] > 0.02 * peak;
	for (size_t i = 0; i < h * w; i++) {
		size_t n = 0, count = 0, lo[2] = { h, w }, hi[2] = { 0, 0 };

		if (!open[i])
			continue;
		open[i] = false;
		for (stack[n++] = i; n > 0; count++) {
			size_t j = stack[--n], q[2] = { j / w, j % w };
			size_t next[4] = { q[0] > 0 ? j - w : j, q[0] + 1 < h ? j + w : j,
					   q[1] > 0 ? j - 1 : j, q[1] + 1 < w ? j + 1 : j };

			for (int a = 0; a < 2; a++) {
				lo[a] = q[a] < lo[a] ? q[a] : lo[a];
				hi[a] = q[a] > hi[a] ? q[a] : hi[a];
			}
			for (int d = 0; d < 4; d++)
				if (open[next[d]]) {
					open[next[d]] = false;
					stack[n++] = next[d];
				}
		}
		if (count > best) {
			best = count;
			at[0] = (long)((lo[0] + hi[0] + 1) / 2);
			at[1] = (long)((lo[1] + hi[1] + 1) / 2);
		}
	}
	free(open);
	free(stack);
}

void prep_centre(struct prep *p, size_t h, size_t w, long at[2])
{
	double *turned = mem_new(p->area, sizeof *turned);

	find_mean(p);
	for (size_t r = 0; r < h; r++)
		for (size_t c = 0; c < w; c++)
			turned[r * w + c] = p->mean[prep_oriented(p, h, w, r, c)];
	find_centre(turned, h, w, at);
	info("'%s': beam at row %ld, column %ld", p->path, at[0], at[1]);
	free(turned);
}
