#include "tilt/phantom.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/team.h"
#include "math/random.h"

struct ellipse {
	double y, x;	     /* centre, any place: the field is periodic */
	double ry, rx, turn; /* half axes, angle of the first from +y to +x */
	double height;
	double slope; /* of the edge: height / (1 + exp(-slope (1 - rho))) */
};

struct field {
	size_t ny, nx;
	double *v;
	struct ellipse *list; /* what is added to v, in this order */
	size_t n, room;
};

/* Rows that one thread draws: few enough for many threads, enough to look at most ellipses once. */
enum { BAND = 32 };

/* How far from `centre` along an axis of n pixels the values are not 0 in float32, and the first
 * pixel of that range. */
static size_t extent(double centre, double r, double slope, size_t n, long *first)
{
	long reach = (long)ceil(r * (1 + 17 / slope));

	if (2 * reach + 1 >= (long)n) {
		*first = 0;
		return n;
	}
	*first = (long)floor(centre) - reach;
	return (size_t)(2 * reach + 1);
}

static size_t wrap(long i, size_t n)
{
	i %= (long)n;
	return (size_t)(i < 0 ? i + (long)n : i);
}

/* The distance of pixel i from the centre, the shorter way round. */
static double offset(size_t i, double centre, size_t n)
{
	double d = (double)i - centre;

	return d - (double)n * rint(d / (double)n);
}

static void add_ellipse(struct field *f, const struct ellipse *e)
{
	if (f->n == f->room) {
		f->room = 2 * f->room + 64;
		f->list = mem_grow(f->list, f->room, sizeof *f->list);
	}
	f->list[f->n++] = *e;
}

/* Adds the part of an ellipse that is in rows [lo, hi); dx [nx] is scratch memory. */
static void draw(struct field *f, const struct ellipse *e, size_t lo, size_t hi, double *dx)
{
	double r = fmax(e->ry, e->rx), c = cos(e->turn), s = sin(e->turn);
	long y0, x0;
	size_t h = extent(e->y, r, e->slope, f->ny, &y0), w = extent(e->x, r, e->slope, f->nx, &x0);
	size_t below = wrap((long)lo - y0, f->ny);

	if (below >= h && below + (hi - lo) <= f->ny)
		return;
	for (size_t j = 0; j < w; j++)
		dx[j] = offset(wrap(x0 + (long)j, f->nx), e->x, f->nx);
	for (size_t y = lo; y < hi; y++) {
		double dy = offset(y, e->y, f->ny);

		if (wrap((long)y - y0, f->ny) >= h)
			continue;
		for (size_t j = 0, x = wrap(x0, f->nx); j < w; j++) {
			double u = (dy * c + dx[j] * s) / e->ry, v = (dx[j] * c - dy * s) / e->rx;

			f->v[y * f->nx + x] +=
				e->height / (1 + exp(e->slope * (sqrt(u * u + v * v) - 1)));
			x = x + 1 < f->nx ? x + 1 : 0;
		}
	}
}

/* A pixel's ellipses are added in the list's order, whoever draws its band. */
static void draw_band(void *context, size_t band, int member)
{
	struct field *f = context;
	size_t lo = band * BAND, hi = lo + BAND < f->ny ? lo + BAND : f->ny;
	double *dx = mem_new(f->nx, sizeof *dx);

	(void)member;
	for (size_t i = 0; i < f->n; i++)
		draw(f, &f->list[i], lo, hi, dx);
	free(dx);
}

static size_t one_per(const struct field *f, size_t pixels)
{
	size_t n = f->ny * f->nx / pixels;

	return n ? n : 1;
}

static struct ellipse anywhere(const struct field *f, struct rng *r, double lo, double hi)
{
	struct ellipse e = { .slope = 4 };

	e.y = rng_range(r, 0, (double)f->ny);
	e.x = rng_range(r, 0, (double)f->nx);
	e.ry = rng_range(r, lo, hi);
	e.rx = rng_range(r, lo, hi);
	e.turn = rng_range(r, 0, M_PI);
	return e;
}

static void disks(struct field *f, struct rng *r)
{
	for (size_t n = one_per(f, 192); n > 0; n--) {
		struct ellipse e = anywhere(f, r, 2, 9);

		e.height = rng_range(r, 0.3, 1);
		add_ellipse(f, &e);
	}
}

/* An ellipse of the given half axes (in units of the cell's) at a place inside the cell. */
static struct ellipse inside(const struct ellipse *cell, struct rng *r, double reach)
{
	struct ellipse e = *cell;
	double rho = reach * sqrt(rng_uniform(r)), a = rng_range(r, 0, 2 * M_PI);
	double u = cell->ry * rho * cos(a), v = cell->rx * rho * sin(a);

	e.y += u * cos(cell->turn) - v * sin(cell->turn);
	e.x += u * sin(cell->turn) + v * cos(cell->turn);
	return e;
}

static void cells(struct field *f, struct rng *r)
{
	for (size_t n = one_per(f, 1800); n > 0; n--) {
		struct ellipse cell = anywhere(f, r, 10, 18), part;

		cell.height = rng_range(r, 0.5, 0.8);
		cell.slope = 6;
		add_ellipse(f, &cell);
		part = inside(&cell, r, 0.3);
		part.ry *= 0.42;
		part.rx *= 0.42;
		part.height = 0.35;
		add_ellipse(f, &part);
		for (uint64_t k = 6 + rng_below(r, 9); k > 0; k--) {
			part = inside(&cell, r, 0.8);
			part.ry = part.rx = rng_range(r, 0.8, 1.8);
			part.height = rng_range(r, 0.1, 0.3);
			part.slope = 3;
			add_ellipse(f, &part);
		}
	}
}

/* Gaussian of sd along the axis of n samples `step` apart, periodic. */
static void blur(double *v, size_t n, size_t step, double sd, double *line)
{
	long reach = (long)ceil(5 * sd);
	double norm = 0, *tap = (double *)mem_new((size_t)(2 * reach + 1), sizeof *tap) + reach;

	for (long k = -reach; k <= reach; k++)
		norm += tap[k] = exp(-(double)(k * k) / (2 * sd * sd));
	for (size_t i = 0; i < n; i++) {
		line[i] = 0;
		for (long k = -reach; k <= reach; k++)
			line[i] += v[wrap((long)i + k, n) * step] * tap[k] / norm;
	}
	for (size_t i = 0; i < n; i++)
		v[i * step] = line[i];
	free(tap - reach);
}

static void sphere(struct field *f)
{
	double cy = (double)(f->ny / 2), cx = (double)(f->nx / 2),
	       r = fmin((double)f->ny, (double)f->nx) / 4;
	double *line = mem_new(f->ny > f->nx ? f->ny : f->nx, sizeof *line);

	for (size_t i = 0; i < f->ny * f->nx; i++) {
		double y = (double)(i / f->nx) - cy, x = (double)(i % f->nx) - cx;

		f->v[i] = 2 * sqrt(fmax(r * r - y * y - x * x, 0));
	}
	for (size_t x = 0; x < f->nx; x++)
		blur(f->v + x, f->ny, f->nx, 2, line);
	for (size_t y = 0; y < f->ny; y++)
		blur(f->v + y * f->nx, f->nx, 1, 2, line);
	free(line);
}

void phantom_make(enum phantom kind, size_t ny, size_t nx, double peak, uint64_t seed, float *phase)
{
	/* apart from the streams of the slices' noise, which are seeded by seed + slice */
	static const uint64_t stream = 0x7068616e746f6d00;
	struct field f = { .ny = ny, .nx = nx, .v = mem_new(ny * nx, sizeof *f.v) };
	double top = 0;
	struct rng r;

	rng_init(&r, seed ^ stream);
	if (kind == PHANTOM_DISKS)
		disks(&f, &r);
	else if (kind == PHANTOM_CELLS)
		cells(&f, &r);
	else
		sphere(&f);
	team_run(0, (ny + BAND - 1) / BAND, draw_band, &f);
	for (size_t i = 0; i < ny * nx; i++)
		top = fmax(top, f.v[i]);
	for (size_t i = 0; i < ny * nx; i++)
		phase[i] = (float)(peak * (f.v[i] / top));
	free(f.list);
	free(f.v);
}
