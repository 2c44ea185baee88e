#include "features/grid.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

int taps_init(struct taps *t, size_t n, size_t size, double step, bool divide, bool clamp)
{
	*t = (struct taps){ .n = n, .size = size };
	t->lo = mem_try("grid", n, sizeof *t->lo);
	t->w = mem_try("grid", n, sizeof *t->w);
	t->inside = mem_try("grid", n, 1);
	if (!t->lo || !t->w || !t->inside)
		return -1;
	for (size_t i = 0; i < n; i++) {
		double at = divide ? (double)i / step : (double)i * step, last = (double)(size - 1);

		if (clamp)
			at = at > last ? last : at < 0 ? 0 : at;
		t->inside[i] = at >= 0 && at <= last;
		at = t->inside[i] ? at : 0;
		t->lo[i] = (uint32_t)at;
		t->w[i] = at - t->lo[i];
	}
	return 0;
}

void taps_clear(struct taps *t)
{
	free(t->lo);
	free(t->w);
	free(t->inside);
	*t = (struct taps){ 0 };
}

void taps_clear_all(struct taps t[3])
{
	for (int a = 0; a < 3; a++)
		taps_clear(&t[a]);
}

void grid_row_of(const void *grid, size_t z, size_t y, double *row)
{
	const struct grid *g = grid;

	memcpy(row, g->data + (z * g->ny + y) * g->nx, g->nx * sizeof *row);
}

static size_t above(const struct taps *t, size_t i)
{
	return t->lo[i] + (t->lo[i] + 1 < t->size);
}

static void mix(double *a, const double *b, double w, size_t n)
{
	for (size_t x = 0; x < n; x++)
		a[x] = a[x] * (1 - w) + b[x] * w;
}

/* Row y of the source between two planes; spare is scratch. */
static void row_between(const struct taps *tz, size_t i, size_t y, size_t nx, grid_row *row,
			const void *source, double *to, double *spare)
{
	row(source, tz->lo[i], y, to);
	if (tz->w[i] == 0)
		return;
	row(source, above(tz, i), y, spare);
	mix(to, spare, tz->w[i], nx);
}

int grid_linear(const struct taps t[3], grid_row *row, const void *source, double *out)
{
	size_t nx = t[2].size;
	double *a = mem_try("grid", 3 * nx, sizeof *a), *b = a + nx, *c = b + nx;

	if (!a)
		return -1;
	for (size_t z = 0; z < t[0].n; z++)
		for (size_t y = 0; y < t[1].n; y++, out += t[2].n) {
			if (!t[0].inside[z] || !t[1].inside[y]) {
				memset(out, 0, t[2].n * sizeof *out);
				continue;
			}
			row_between(&t[0], z, t[1].lo[y], nx, row, source, a, c);
			if (t[1].w[y] != 0) {
				row_between(&t[0], z, above(&t[1], y), nx, row, source, b, c);
				mix(a, b, t[1].w[y], nx);
			}
			for (size_t x = 0; x < t[2].n; x++) {
				double w = t[2].w[x];

				out[x] = t[2].inside[x]
						 ? a[t[2].lo[x]] * (1 - w) + a[above(&t[2], x)] * w
						 : 0;
			}
		}
	free(a);
	return 0;
}

/* ---- cubic */

/* Samples to coefficients along one line (Unser 1999), boundaries mirrored about the edge samples.
 */
static void spline_line(double *c, size_t n, size_t step)
{
	const double pole = sqrt(3.0) - 2, last = pow(pole, (double)(n - 1));
	double z = pole, mirrored = last * last / pole;

	if (n < 2)
		return;
	for (size_t i = 0; i < n; i++)
		c[i * step] *= 6;
	c[0] += last * c[(n - 1) * step];
	for (size_t i = 1; i + 1 < n; i++, z *= pole, mirrored /= pole)
		c[0] += (z + mirrored) * c[i * step];
	c[0] /= 1 - last * last;
	for (size_t i = 1; i < n; i++)
		c[i * step] += pole * c[(i - 1) * step];
	c[(n - 1) * step] =
		(pole * c[(n - 2) * step] + c[(n - 1) * step]) * pole / (pole * pole - 1);
	for (size_t i = n - 1; i-- > 0;)
		c[i * step] = pole * (c[(i + 1) * step] - c[i * step]);
}

static void spline_coefficients(struct grid *g)
{
	size_t area = g->ny * g->nx;

	for (size_t i = 0; i < area; i++)
		spline_line(g->data + i, g->nz, area);
	for (size_t z = 0; z < g->nz; z++)
		for (size_t x = 0; x < g->nx; x++)
			spline_line(g->data + z * area + x, g->ny, g->nx);
	for (size_t i = 0; i < g->nz * g->ny; i++)
		spline_line(g->data + i * g->nx, g->nx, 1);
}

/* Four taps of coordinate i, mirrored at the ends. */
static void cubic_taps(const struct taps *t, size_t i, size_t at[4], double w[4])
{
	double f = t->w[i], g = 1 - f;
	long last = (long)t->size - 1;

	w[0] = g * g * g / 6;
	w[1] = (4 - 6 * f * f + 3 * f * f * f) / 6;
	w[2] = (4 - 6 * g * g + 3 * g * g * g) / 6;
	w[3] = f * f * f / 6;
	for (int k = 0; k < 4; k++) {
		long p = (long)t->lo[i] + k - 1;

		while (last > 0 && (p < 0 || p > last))
			p = p < 0 ? -p : 2 * last - p;
		at[k] = last > 0 ? (size_t)p : 0;
	}
}

static double cubic_at(const struct grid *g, size_t at[3][4], double w[3][4])
{
	double sum = 0;

	for (int k = 0; k < 4; k++)
		for (int j = 0; j < 4; j++) {
			const double *row = g->data + (at[0][k] * g->ny + at[1][j]) * g->nx;
			double s = 0;

			for (int i = 0; i < 4; i++)
				s += w[2][i] * row[at[2][i]];
			sum += w[0][k] * w[1][j] * s;
		}
	return sum;
}

void grid_cubic(const struct taps t[3], struct grid *g, double *out)
{
	size_t at[3][4];
	double w[3][4];

	spline_coefficients(g);
	for (size_t z = 0; z < t[0].n; z++) {
		cubic_taps(&t[0], z, at[0], w[0]);
		for (size_t y = 0; y < t[1].n; y++) {
			cubic_taps(&t[1], y, at[1], w[1]);
			for (size_t x = 0; x < t[2].n; x++) {
				cubic_taps(&t[2], x, at[2], w[2]);
				*out++ = t[0].inside[z] && t[1].inside[y] && t[2].inside[x]
						 ? cubic_at(g, at, w)
						 : 0;
			}
		}
	}
}
