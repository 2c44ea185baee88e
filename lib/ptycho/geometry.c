#include "ptycho/geometry.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"

/* ---- orientations: bit 0 mirrors columns, bit 1 mirrors rows, then bit 2 transposes */

enum { LR = 1, UD = 2, TURN = 4 };

const char *const d4_names[D4_COUNT] = { "identity",  "fliplr",	   "flipud",   "rot180",
					 "transpose", "rot90_ccw", "rot90_cw", "antitranspose" };

enum d4 d4_then(enum d4 first, enum d4 second)
{
	unsigned a = first, b = second, flips = b & 3;

	if (a & TURN) /* a mirror after a transposition is the other mirror before it */
		flips = (flips & LR ? UD : 0) | (flips & UD ? LR : 0);
	return (enum d4)(((a ^ b) & TURN) | ((a & 3) ^ flips));
}

enum d4 d4_inverse(enum d4 op)
{
	enum d4 back = D4_IDENTITY;

	while (d4_then(op, back) != D4_IDENTITY)
		back++;
	return back;
}

enum d4 d4_twin(enum d4 op)
{
	return d4_then(op, D4_ROT180);
}

void d4_source(enum d4 op, size_t ny, size_t nx, size_t row, size_t column, size_t *y, size_t *x)
{
	unsigned bits = op;
	size_t h = bits & TURN ? nx : ny, w = bits & TURN ? ny : nx;

	*y = bits & TURN ? column : row;
	*x = bits & TURN ? row : column;
	if (bits & UD)
		*y = h - 1 - *y;
	if (bits & LR)
		*x = w - 1 - *x;
}

int d4_parse(const char *text, enum d4 *op)
{
	*op = D4_IDENTITY;
	for (;;) {
		size_t len = strcspn(text, ",");
		int i = 0;

		while (i < D4_COUNT &&
		       (strlen(d4_names[i]) != len || strncmp(d4_names[i], text, len) != 0))
			i++;
		if (i == D4_COUNT)
			return error("'%.*s': no such orientation, expected identity, fliplr, "
				     "flipud, rot180, transpose, "
				     "rot90_ccw, rot90_cw or antitranspose",
				     (int)len, text);
		*op = d4_then(*op, (enum d4)i);
		if (text[len] == '\0')
			return 0;
		text += len + 1;
	}
}

/* ---- windows */

void window_split(double s, long *i, double *f)
{
	double whole = floor(s + 0.5);

	*i = (long)whole;
	*f = s - whole;
}

void windows_place(const double (*pos)[2], size_t k, size_t n, double margin, double (*s)[2],
		   size_t canvas[2])
{
	for (int a = 0; a < 2; a++) {
		double lo = k ? pos[0][a] : 0, hi = -INFINITY;

		for (size_t i = 1; i < k; i++)
			lo = fmin(lo, pos[i][a]);
		for (size_t i = 0; i < k; i++) {
			s[i][a] = pos[i][a] - lo + margin;
			hi = fmax(hi, s[i][a]);
		}
		if (k == 0)
			hi = margin;
		canvas[a] = (size_t)fmin(floor(hi + 0.5) + (double)n + ceil(margin), 0x1p31);
		canvas[a] += canvas[a] & 1;
	}
}

static int by_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* pairs are compared by their row */
static double nearest(const double (*t)[2], size_t k, size_t i)
{
	double best = INFINITY; /* squared */

	for (size_t j = i; j-- > 0;) {
		double y = t[i][0] - t[j][0], x = t[i][1] - t[j][1];

		if (y * y > best)
			break;
		best = fmin(best, y * y + x * x);
	}
	for (size_t j = i + 1; j < k; j++) {
		double y = t[i][0] - t[j][0], x = t[i][1] - t[j][1];

		if (y * y > best)
			break;
		best = fmin(best, y * y + x * x);
	}
	return sqrt(best);
}

double windows_step(const double (*s)[2], size_t k)
{
	double(*t)[2], *near, median;

	if (k < 2)
		return 0;
	t = mem_new(k, sizeof *t);
	near = mem_new(k, sizeof *near);
	memcpy(t, s, k * sizeof *t);
	qsort(t, k, sizeof *t, by_double);
	for (size_t i = 0; i < k; i++)
		near[i] = nearest((const double(*)[2])t, k, i);
	qsort(near, k, sizeof *near, by_double);
	median = (near[k / 2] + near[(k - 1) / 2]) / 2;
	free(t);
	free(near);
	return median;
}

enum { RASTER_MIN = 4 };
static const double same_px = 0.01;

/* Number of different coordinates along an axis, and whether they are evenly spaced. */
static size_t lattice(const double (*s)[2], size_t k, int axis, double *v, bool *even)
{
	size_t n = 1;

	for (size_t i = 0; i < k; i++)
		v[i] = s[i][axis];
	qsort(v, k, sizeof *v, by_double);
	for (size_t i = 1; i < k; i++)
		if (v[i] - v[n - 1] > same_px)
			v[n++] = v[i];
	*even = true;
	for (size_t i = 2; i < n; i++)
		*even = *even && fabs((v[i] - v[i - 1]) - (v[1] - v[0])) <= same_px;
	return n;
}

int windows_lattice(const double (*s)[2], size_t k, double step[2])
{
	double *v;
	size_t n[2];
	bool even[2];

	if (k < RASTER_MIN)
		return 0;
	v = mem_new(k, sizeof *v);
	for (int a = 0; a < 2; a++) {
		n[a] = lattice(s, k, a, v, &even[a]);
		step[a] = n[a] > 1 ? (v[n[a] - 1] - v[0]) / (double)(n[a] - 1) : 0;
	}
	free(v);
	/* whole-numbered jitter is evenly spaced too, but leaves most of its lattice empty */
	return even[0] && even[1] && n[0] * n[1] <= 2 * k;
}

int windows_raster(const double (*s)[2], size_t k)
{
	double step[2];

	return windows_lattice(s, k, step);
}

double wavelength_of(double energy_kev)
{
	return 1.239841984e-9 / energy_kev;
}

double object_pixel(double wavelength_m, double distance_m, size_t n, double detector_pixel_m)
{
	return wavelength_m * distance_m / ((double)n * detector_pixel_m);
}
