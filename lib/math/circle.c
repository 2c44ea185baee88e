#include "math/circle.h"

#include <math.h>
#include <stdbool.h>

/* products of four coordinates of 31 bits */
typedef __int128 wide;

/* > 0: x, y turn to the left at b */
static bool turns_left(struct grid_point a, struct grid_point b, struct grid_point c)
{
	return (wide)(b.x - a.x) * (c.y - b.y) > (wide)(c.x - b.x) * (b.y - a.y);
}

/* Appends p to a chain that starts at hull[base]; drops what is not a corner any more. */
static size_t append(struct grid_point *hull, size_t base, size_t n, struct grid_point p)
{
	if (n > base && hull[n - 1].x == p.x && hull[n - 1].y == p.y)
		return n;
	while (n >= base + 2 && !turns_left(hull[n - 2], hull[n - 1], p))
		n--;
	hull[n] = p;
	return n + 1;
}

static void reverse(struct grid_point *p, size_t n)
{
	for (size_t i = 0; i < n / 2; i++) {
		struct grid_point t = p[i];

		p[i] = p[n - 1 - i];
		p[n - 1 - i] = t;
	}
}

size_t hull_of(const struct grid_point *point, size_t n, struct grid_point *hull)
{
	size_t m = 0, base, first = 0;

	if (n == 0)
		return 0;
	/* by ascending y a left turn runs along the right side of the shape, back along its left
	 * one */
	for (size_t i = 0; i < n; i++)
		m = append(hull, 0, m, point[i]);
	if (m == 1)
		return 1;
	base = m - 1;
	for (size_t i = n; i-- > 0;)
		m = append(hull, base, m, point[i]);
	if (hull[m - 1].x == hull[0].x && hull[m - 1].y == hull[0].y)
		m--;
	for (size_t i = 1; i < m; i++)
		if (hull[i].x < hull[first].x ||
		    (hull[i].x == hull[first].x && hull[i].y < hull[first].y))
			first = i;
	/* turn the ring until `first` leads: three reversals */
	reverse(hull, first);
	reverse(hull + first, m - first);
	reverse(hull, m);
	return m;
}

static wide dot(struct grid_point o, struct grid_point a, struct grid_point b)
{
	return (wide)(a.x - o.x) * (b.x - o.x) + (wide)(a.y - o.y) * (b.y - o.y);
}

static wide cross(struct grid_point o, struct grid_point a, struct grid_point b)
{
	wide c = (wide)(a.y - o.y) * (b.x - o.x) - (wide)(a.x - o.x) * (b.y - o.y);

	return c < 0 ? -c : c;
}

/* The corner that sees a, b under the smallest angle: the greatest cotangent. -1: there is no
 * other. */
static long nearest_angle(const struct grid_point *h, size_t n, size_t a, size_t b, wide *cosine)
{
	wide best = 0, width = 1;
	long at = -1;

	for (size_t i = 0; i < n; i++) {
		wide d, c;

		if (i == a || i == b)
			continue;
		d = dot(h[i], h[a], h[b]);
		c = cross(h[i], h[a], h[b]);
		/* within 2^31 the factors keep below 2^63: the hull is taken relative to its corner
		 */
		if (at < 0 || d * width > best * c) {
			best = d;
			width = c;
			at = (long)i;
		}
	}
	*cosine = best;
	return at;
}

static struct circle through(struct grid_point a, struct grid_point b, struct grid_point v)
{
	wide qa = (wide)a.y * a.y + (wide)a.x * a.x;
	wide qb = (wide)b.y * b.y + (wide)b.x * b.x;
	wide qv = (wide)v.y * v.y + (wide)v.x * v.x;
	wide d = 2 * ((wide)a.x * (b.y - v.y) + (wide)b.x * (v.y - a.y) + (wide)v.x * (a.y - b.y));
	wide nx = qa * (b.y - v.y) + qb * (v.y - a.y) + qv * (a.y - b.y);
	wide ny = qa * (v.x - b.x) + qb * (a.x - v.x) + qv * (b.x - a.x);
	double dy = (double)(a.y * d - ny), dx = (double)(a.x * d - nx);

	return (struct circle){ (double)ny / (double)d, (double)nx / (double)d,
				sqrt(dy * dy + dx * dx) / fabs((double)d) };
}

struct circle circle_exact(const struct grid_point *h, size_t n)
{
	size_t s0 = 0, s1 = 1;

	if (n == 1)
		return (struct circle){ (double)h[0].y, (double)h[0].x, 0 };
	for (;;) {
		struct grid_point a = h[s0], b = h[s1];
		wide cosine;
		long v = nearest_angle(h, n, s0, s1, &cosine);

		if (v < 0 || cosine <= 0) {
			double dy = (double)(a.y - b.y), dx = (double)(a.x - b.x);

			return (struct circle){ (double)(a.y + b.y) / 2, (double)(a.x + b.x) / 2,
						sqrt(dy * dy + dx * dx) / 2 };
		}
		if (dot(a, b, h[v]) < 0)
			s0 = (size_t)v;
		else if (dot(b, a, h[v]) < 0)
			s1 = (size_t)v;
		else
			return through(a, b, h[v]);
	}
}

/* ---- CellProfiler's, every operation in its order */

struct real_point {
	double y, x;
};

static struct real_point real(struct grid_point p)
{
	return (struct real_point){ (double)p.y, (double)p.x };
}

/* Angles at b, a, v of the triangle, by acos of the sides' scalar products. */
static void angles_of(struct real_point a, struct real_point b, struct real_point v, double at[3])
{
	struct real_point ab = { a.y - b.y, a.x - b.x };
	struct real_point va = { v.y - a.y, v.x - a.x }, vb = { v.y - b.y, v.x - b.x };
	double side = ab.y * ab.y + ab.x * ab.x;

	at[0] = fabs(acos((ab.y * vb.y + ab.x * vb.x) / sqrt(side * (vb.y * vb.y + vb.x * vb.x))));
	at[1] = fabs(acos((-ab.y * va.y - ab.x * va.x) / sqrt(side * (va.y * va.y + va.x * va.x))));
	at[2] = M_PI - at[0] - at[1];
}

static struct circle through_real(struct real_point a, struct real_point b, struct real_point v)
{
	double d = 2 * (a.x * (b.y - v.y) + b.x * (v.y - a.y) + v.x * (a.y - b.y));
	double qa = a.y * a.y + a.x * a.x, qb = b.y * b.y + b.x * b.x, qv = v.y * v.y + v.x * v.x;
	double x = (qa * (b.y - v.y) + qb * (v.y - a.y) + qv * (a.y - b.y)) / d;
	double y = (qa * (v.x - b.x) + qb * (a.x - v.x) + qv * (b.x - a.x)) / d;

	return (struct circle){ y, x, sqrt((a.y - y) * (a.y - y) + (a.x - x) * (a.x - x)) };
}

struct circle circle_double(const struct grid_point *h, size_t n)
{
	size_t s0 = 0, s1 = 1;

	if (n == 1)
		return (struct circle){ (double)h[0].y, (double)h[0].x, 0 };
	if (n == 2) {
		struct real_point a = real(h[0]), b = real(h[1]);
		double y = (a.y + b.y) / 2, x = (a.x + b.x) / 2;

		return (struct circle){ y, x, sqrt((y - a.y) * (y - a.y) + (x - a.x) * (x - a.x)) };
	}
	/* every round widens the circle; rounding could make two rounds undo each other, so they
	 * are counted */
	for (size_t round = 0;; round++) {
		struct real_point a = real(h[s0]), b = real(h[s1]);
		double best[3] = { 0, 0, INFINITY };
		size_t v = n;

		for (size_t i = 0; i < n; i++) {
			double at[3];

			if (i == s0 || i == s1)
				continue;
			angles_of(a, b, real(h[i]), at);
			if (v == n || at[2] < best[2]) {
				for (int k = 0; k < 3; k++)
					best[k] = at[k];
				v = i;
			}
		}
		if (best[2] >= M_PI / 2) {
			double side = (a.y - b.y) * (a.y - b.y) + (a.x - b.x) * (a.x - b.x);

			return (struct circle){ (a.y + b.y) / 2, (a.x + b.x) / 2, sqrt(side) / 2 };
		}
		if (fmax(fmax(best[0], best[1]), best[2]) <= M_PI / 2 || round > 4 * n)
			return through_real(a, b, real(h[v]));
		if (best[1] > M_PI / 2)
			s0 = v;
		else
			s1 = v;
	}
}
