/* Hull and smallest circle: closed forms, and all pairs and triples of random points. */
#include <math.h>

#include "math/circle.h"
#include "tap.h"

enum { MOST = 24 };

static unsigned long seed = 12345;

static int64_t random_below(int64_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (int64_t)((seed >> 33) % (unsigned long)n);
}

static int by_place(const void *a, const void *b)
{
	const struct grid_point *p = a, *q = b;

	return p->y != q->y ? (p->y > q->y) - (p->y < q->y) : (p->x > q->x) - (p->x < q->x);
}

static struct circle circle_of(struct grid_point *p, size_t n)
{
	struct grid_point hull[MOST + 1];

	qsort(p, n, sizeof *p, by_place);
	return circle_exact(hull, hull_of(p, n, hull));
}

static bool holds(const struct grid_point *p, size_t n, struct circle c, double by)
{
	bool all = true;

	for (size_t i = 0; i < n; i++) {
		double y = (double)p[i].y - c.y, x = (double)p[i].x - c.x;

		all &= sqrt(y * y + x * x) <= c.r * (1 + by);
	}
	return all;
}

/* The smallest circle on two or three of the points that holds all. */
static double brute_force(const struct grid_point *p, size_t n)
{
	double best = n > 1 ? INFINITY : 0;

	for (size_t i = 0; i < n; i++)
		for (size_t j = i + 1; j < n; j++) {
			struct circle c = { (double)(p[i].y + p[j].y) / 2, (double)(p[i].x + p[j].x) / 2, 0 };

			c.r = hypot((double)p[i].y - c.y, (double)p[i].x - c.x);
			if (c.r < best && holds(p, n, c, 1e-12))
				best = c.r;
			for (size_t k = j + 1; k < n; k++) {
				double by = (double)(p[j].y - p[i].y), bx = (double)(p[j].x - p[i].x);
				double cy = (double)(p[k].y - p[i].y), cx = (double)(p[k].x - p[i].x);
				double d = 2 * (bx * cy - by * cx), b2 = by * by + bx * bx, c2 = cy * cy + cx * cx;

				if (d == 0)
					continue;
				c = (struct circle){ (double)p[i].y + (bx * c2 - cx * b2) / d, (double)p[i].x + (cy * b2 - by * c2) / d, 0 };
				c.r = hypot((double)p[i].y - c.y, (double)p[i].x - c.x);
				if (c.r < best && holds(p, n, c, 1e-12))
					best = c.r;
			}
		}
	return best;
}

static bool is(struct circle c, double y, double x, double r)
{
	return c.y == y && c.x == x && fabs(c.r - r) <= 2e-16 * r;
}

static void closed_forms(void)
{
	struct grid_point one[] = { { 3, 7 } }, two[] = { { 0, 0 }, { 6, 8 } };
	struct grid_point line[] = { { 0, 0 }, { 2, 1 }, { 4, 2 }, { 8, 4 }, { 6, 3 } };
	struct grid_point triangle[] = { { 0, 0 }, { 0, 10 }, { 8, 5 } }, square[] = { { 0, 0 }, { 0, 1 }, { 1, 0 }, { 1, 1 } };
	struct grid_point far[] = { { 0, 0 }, { 0, 30000 }, { 30000, 0 }, { 30000, 30000 }, { 15000, 15000 } };
	struct grid_point hull[MOST + 1];
	size_t n;

	ok(is(circle_of(one, 1), 3, 7, 0), "one point: r = 0");
	ok(is(circle_of(two, 2), 3, 4, 5), "two points: the circle on their distance");
	ok(is(circle_of(line, 5), 4, 2, sqrt(20)), "points on a line: the circle on the outermost");
	ok(is(circle_of(triangle, 3), 2.4375, 5, 5.5625), "(0,0) (0,10) (8,5): centre (2.4375, 5), r 5.5625");
	ok(is(circle_of(square, 4), 0.5, 0.5, sqrt(0.5)), "a square of cocircular points: (0.5, 0.5), r = sqrt(1/2)");
	ok(is(circle_of(far, 5), 15000, 15000, 15000 * sqrt(2)), "a box of 30000 does not overflow");
	n = hull_of(far, 5, hull);
	ok(n == 4 && hull[0].y == 0 && hull[0].x == 0 && hull[1].y == 0 && hull[1].x == 30000,
	   "the hull starts at its leftmost corner, the uppermost of two, and goes to the right");
	qsort(line, 5, sizeof *line, by_place);
	ok(hull_of(line, 5, hull) == 2 && hull_of(one, 1, hull) == 1, "a hull drops points on its sides");
	n = hull_of(triangle, 3, hull);
	struct circle c = circle_double(hull, n);
	ok(n == 3 && fabs(c.y - 2.4375) < 1e-14 && fabs(c.x - 5) < 1e-14 && fabs(c.r - 5.5625) < 1e-14,
	   "CellProfiler's circle is the same but for rounding");
}

int main(void)
{
	size_t wrong = 0, moved = 0, outside = 0, far = 0;

	closed_forms();
	for (int trial = 0; trial < 1000; trial++) {
		size_t n = 1 + (size_t)random_below(MOST);
		int64_t size = trial % 2 ? 6 : 1 + random_below(30000), shift = random_below(1000000);
		struct grid_point p[MOST], q[MOST], hull[MOST + 1];
		struct circle c, d;
		double want;

		for (size_t i = 0; i < n; i++)
			p[i] = (struct grid_point){ random_below(size), random_below(size) };
		c = circle_of(p, n);
		want = brute_force(p, n);
		if (fabs(c.r - want) > 1e-9 * want) {
			double r = want;

			/* equal points are one point */
			wrong += !(n > 1 && c.r == 0 && isinf(r)) && !(r == 0 && c.r == 0);
		}
		outside += !holds(p, n, c, 4e-16);
		for (size_t i = 0; i < n; i++)
			q[i] = (struct grid_point){ p[i].y + shift, p[i].x + shift };
		d = circle_of(q, n);
		moved += fabs(d.r - c.r) > 1e-9 * c.r;
		d = circle_double(hull, hull_of(p, n, hull));
		far += fabs(d.r - c.r) > 1e-9 * c.r || fabs(d.y - c.y) > 1e-7 * c.r;
	}
	ok(wrong == 0, "1000 random sets: the radius of all pairs and triples to 1e-9 (%zu wrong)", wrong);
	ok(outside == 0, "all points lie within r (1 + 4e-16) (%zu sets do not)", outside);
	ok(moved == 0, "a shift changes no radius (%zu do)", moved);
	ok(far == 0, "CellProfiler's procedure finds the same circles to 1e-7 (%zu differ)", far);
	return done_testing();
}
