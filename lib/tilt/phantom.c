#include "tilt/phantom.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "math/random.h"

struct field {
	size_t ny, nx;
	double *v;
};

struct ellipse {
	double y, x;	     /* centre, any place: the field is periodic */
	double ry, rx, turn; /* half axes, angle of the first from +y to +x */
	double height;
	double slope; /* of the edge: height / (1 + exp(-slope (1 - rho))) */
};

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
	double r = fmax(e->ry, e->rx), c = cos(e->turn), s = sin(e->turn);
	long y0, x0;
	size_t h = extent(e->y, r, e->slope, f->ny, &y0), w = extent(e->x, r, e->slope, f->nx, &x0);

	for (size_t i = 0; i < h; i++) {
		size_t y = wrap(y0 + (long)i, f->ny);
		double dy = offset(y, e->y, f->ny);

		for (size_t j = 0; j < w; j++) {
			size_t x = wrap(x0 + (long)j, f->nx);
			double dx = offset(x, e->x, f->nx), u = (dy * c + dx * s) / e->ry,
			       v = (dx * c - dy * s) / e->rx;

			f->v[y * f->nx + x] +=
				e->height / (1 + exp(e->slope * (sqrt(u * u + v * v) - 1)));
		}
	}
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
	double norm = 0;

	for (long k = -reach; k <= reach; k++)
		norm += exp(-(double)(k * k) / (2 * sd * sd));
	for (size_t i = 0; i < n; i++) {
		line[i] = 0;
		for (long k = -reach; k <= reach; k++)
			line[i] += v[wrap((long)i + k, n) * step] *
				   exp(-(double)(k * k) / (2 * sd * sd)) / norm;
	}
	for (size_t i = 0; i < n; i++)
		v[i * step] = line[i];
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
	struct field f = { ny, nx, mem_new(ny * nx, sizeof(double)) };
	double top = 0;
	struct rng r;

	rng_init(&r, seed ^ stream);
	if (kind == PHANTOM_DISKS)
		disks(&f, &r);
	else if (kind == PHANTOM_CELLS)
		cells(&f, &r);
	else
		sphere(&f);
	for (size_t i = 0; i < ny * nx; i++)
		top = fmax(top, f.v[i]);
	for (size_t i = 0; i < ny * nx; i++)
		phase[i] = (float)(peak * (f.v[i] / top));
	free(f.v);
}
