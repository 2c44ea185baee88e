/* lib/tv against plain double loops: closed forms, the loops' gradients against central
 * differences, the kernels against the loops. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "tests/tap.h"
#include "tv/loss.h"

struct volume {
	size_t nz, ny, nx;
	double *v;
};

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

/* The loss, factor f before each axis (iso: f[0] before all), and its gradient by adding each
 * difference to its two ends. */
static double reference(const struct volume *a, const struct tv_opts *o, const double f[3],
			double *g)
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

/* The kernels' loss with the same factors; g float32. */
static double kernels(struct dev *d, const struct volume *a, const struct tv_opts *o,
		      const double f[3], float *g)
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

static double noise(unsigned *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (float)((double)(*seed >> 8) / (1 << 23) - 1);
}

static struct volume make(size_t nz, size_t ny, size_t nx, double scale)
{
	struct volume a = { nz, ny, nx, mem_new(nz * ny * nx, sizeof(double)) };
	unsigned seed = (unsigned)(nz * 7 + ny * 3 + nx);

	for (size_t i = 0; i < nz * ny * nx; i++)
		a.v[i] = (float)(scale * noise(&seed));
	return a;
}

static const char *const names[] = { "sq", "iso", "l1" };

static void differences(void)
{
	const double f[3] = { .5, 1.25, 2 };

	for (int kind = TV_SQ; kind <= TV_L1; kind++)
		for (int wrap = 0; wrap < 2; wrap++) {
			struct volume a = make(3, 4, 5, wrap ? 3 : 1);
			struct tv_opts o = { .kind = (enum tv_kind)kind,
					     .weight = { .5, 1.25, 2 },
					     .eps = 1e-3,
					     .wrap = wrap };
			double g[60], none[60], worst = 0, top = 0, h = 1e-6;

			reference(&a, &o, f, g);
			for (size_t i = 0; i < 60; i++) {
				double v = a.v[i], up, down;

				a.v[i] = v + h;
				up = reference(&a, &o, f, none);
				a.v[i] = v - h;
				down = reference(&a, &o, f, none);
				a.v[i] = v;
				worst = fmax(worst, fabs((up - down) / (2 * h) - g[i]));
				top = fmax(top, fabs(g[i]));
			}
			ok(worst <= 1e-6 * top,
			   "%s%s: the loops' gradient is the central difference (%.1e)",
			   names[kind], wrap ? " wrapped" : "", worst / top);
			free(a.v);
		}
}

static void against(struct dev *d)
{
	static const size_t sizes[][3] = { { 2, 2, 2 },	  { 3, 4, 5 },	  { 5, 17, 16 },
					   { 4, 18, 33 }, { 3, 33, 530 }, { 1, 20, 40 },
					   { 6, 1, 64 },  { 4, 35, 1 } };
	const double f[3] = { .5, 1.25, 2 };

	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
		for (int kind = TV_SQ; kind <= TV_L1; kind++)
			for (int how = 0; how < 3; how++) {
				struct volume a = make(sizes[s][0], sizes[s][1], sizes[s][2],
						       how == 1 ? 3 : 1);
				struct tv_opts o = { .kind = (enum tv_kind)kind,
						     .weight = { .5, 1.25, 2 },
						     .eps = 1e-8,
						     .wrap = how == 1,
						     .skip = how == 2 };
				size_t n = a.nz * a.ny * a.nx;
				double *want = mem_new(n, sizeof *want), loss, got, worst = 0,
				       top = 0;
				float *g = mem_new(n, sizeof *g);

				for (size_t i = 0; i < n && how == 2; i += 7)
					a.v[i] = i % 2 ? NAN : INFINITY;
				loss = reference(&a, &o, f, want);
				got = kernels(d, &a, &o, f, g);
				for (size_t i = 0; i < n; i++) {
					worst = fmax(worst, fabs(want[i] - (double)g[i]));
					top = fmax(top, fabs(want[i]));
					if (isnan(g[i]))
						worst = INFINITY;
				}
				/* float32 differences near a multiple of 2 pi may fall to its other
				 * side: none does here */
				ok(fabs(got - loss) <= 1e-6 * loss && worst <= 4e-6 * top,
				   "%s%s, %zu x %zu x %zu: loss to 1e-6 (%.1e), gradient to 4e-6 "
				   "(%.1e)",
				   names[kind],
				   how == 1   ? " wrapped"
				   : how == 2 ? " with holes"
					      : "",
				   a.nz, a.ny, a.nx, loss ? fabs(got / loss - 1) : 0,
				   top ? worst / top : 0);
				free(a.v);
				free(want);
				free(g);
			}
}

/* One term of a sum in float32, as cl/tv_loss.clh has it; a: 0 z, 1 y, 2 x, iso: 0 the root. */
static float term(const struct volume *v, const struct tv_opts *o, const size_t at[3], int a)
{
	float d[3], s;
	bool there = true;

	for (int k = 0; k < 3; k++) {
		size_t step[3] = { v->ny * v->nx, v->nx, 1 }, n[3] = { v->nz, v->ny, v->nx };
		size_t i = (at[0] * v->ny + at[1]) * v->nx + at[2];
		bool here = at[k] + 1 < n[k];

		d[k] = here ? (float)v->v[i + step[k]] - (float)v->v[i] : 0;
		there &= here;
	}
	if (o->kind == TV_SQ)
		return d[a] * d[a];
	if (o->kind == TV_L1)
		return fabsf(d[a]);
	s = (float)o->weight[0] * (d[0] * d[0]);
	s = s + (float)o->weight[1] * (d[1] * d[1]);
	s = s + (float)o->weight[2] * (d[2] * d[2]);
	return there ? sqrtf(s + (float)o->eps) : 0;
}

/* The sum of a row by the page: 64 lanes, 8 terms of a lane in float, these in double; a binary
 * tree. */
static double row_in_order(const struct volume *v, const struct tv_opts *o, size_t z, size_t y,
			   int a)
{
	double lane[64] = { 0 };

	for (size_t x0 = 0; x0 < v->nx; x0 += 512)
		for (size_t l = 0; l < 64; l++) {
			float s = 0;

			for (size_t x = x0 + l; x < v->nx && x < x0 + 512; x += 64)
				s += term(v, o, (size_t[3]){ z, y, x }, a);
			lane[l] += (double)s;
		}
	for (int n = 32; n > 0; n /= 2)
		for (int l = 0; l < n; l++)
			lane[l] += lane[l + n];
	return lane[0];
}

static double plane_in_order(const struct volume *v, const struct tv_opts *o, size_t z, int a)
{
	double *row = mem_new(v->ny, sizeof *row), sum;

	for (size_t y = 0; y < v->ny; y++)
		row[y] = row_in_order(v, o, z, y, a);
	for (size_t d = 1; d < v->ny; d *= 2)
		for (size_t i = 0; i + d < v->ny; i += 2 * d)
			row[i] += row[i + d];
	sum = row[0];
	free(row);
	return sum;
}

static double planes_in_order(const struct volume *v, const struct tv_opts *o, size_t z, size_t n,
			      int a)
{
	return n == 1 ? plane_in_order(v, o, z, a)
		      : planes_in_order(v, o, z, n / 2, a) +
				planes_in_order(v, o, z + n / 2, n - n / 2, a);
}

/* The sums are those of the page's order to the last bit; in pairs of floats to 1e-13. */
static void order(struct dev *d)
{
	static const size_t sizes[][3] = { { 3, 7, 5 },	    { 2, 16, 64 },   { 5, 35, 129 },
					   { 11, 37, 515 }, { 3, 50, 1100 }, { 20, 17, 512 } };

	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
		for (int kind = TV_SQ; kind <= TV_L1; kind++) {
			struct volume a = make(sizes[s][0], sizes[s][1], sizes[s][2], 1);
			struct tv_opts o = { .kind = (enum tv_kind)kind,
					     .weight = { .5, 1.25, 2 },
					     .eps = 1e-8 };
			const double one[3] = { 1, 1, 1 };
			float *g = mem_new(a.nz * a.ny * a.nx, sizeof *g);
			double worst = 0;

			for (int k = 0; k < (kind == TV_ISO ? 1 : 3); k++) {
				const double *f =
					kind == TV_ISO
						? one
						: (const double[3]){ k == 0, k == 1, k == 2 };
				double want = planes_in_order(&a, &o, 0, a.nz, k);

				worst = fmax(worst, fabs(kernels(d, &a, &o, f, g) - want) / want);
			}
			ok(worst <= (dev_has_fp64(d) ? 0 : 1e-13),
			   "%s, %zu x %zu x %zu: summed in the order of the page (%.1e)",
			   names[kind], a.nz, a.ny, a.nx, worst);
			free(a.v);
			free(g);
		}
}

/* spec: the numbers of v = 0, 1, 4 ... 49 as 2 x 2 x 2 */
static void squares(struct dev *d)
{
	static const double want[][9] = { [TV_SQ] = { 4788, -42, -62, -66, -54, -26, 18, 78, 154 },
					  [TV_ISO] = { 16.52271164216092, -1.2709778186,
						       .0605227533, .2420910131, 0, .9683640523, 0,
						       0, 0 },
					  [TV_L1] = { 196, -3, -1, -1, 1, -1, 1, 1, 3 } };
	const double f[3] = { 1, 1, 1 };

	for (int kind = TV_SQ; kind <= TV_L1; kind++) {
		struct volume a = { 2, 2, 2, mem_new(8, sizeof(double)) };
		struct tv_opts o = { .kind = (enum tv_kind)kind,
				     .weight = { 1, 1, 1 },
				     .eps = 1e-8 };
		double worst = 0;
		float g[8];

		for (int i = 0; i < 8; i++)
			a.v[i] = i * i;
		ok(fabs(kernels(d, &a, &o, f, g) / want[kind][0] - 1) < 1e-7, "%s of eight squares",
		   names[kind]);
		for (int i = 0; i < 8; i++)
			worst = fmax(worst, fabs((double)g[i] - want[kind][i + 1]));
		ok(worst <= 4e-6 * fabs(want[kind][1]), "and its gradient (%.1e)", worst);
		free(a.v);
	}
}

/* A single voxel of height 1 at every place of a volume, where each axis' gradient can be said. */
static void impulses(struct dev *d)
{
	struct tv_opts o = { .kind = TV_SQ, .weight = { 1, 1, 1 } };
	const double f[3] = { 1, 2, 3 };
	float g[60];
	int wrong = 0;

	for (size_t at = 0; at < 60; at++) {
		struct volume a = { 3, 4, 5, mem_new(60, sizeof(double)) };
		size_t z = at / 20, y = at / 5 % 4, x = at % 5;
		double loss = (z > 0) + (z < 2) + 2 * ((y > 0) + (y < 3)) + 3 * ((x > 0) + (x < 4));

		a.v[at] = 1;
		wrong += kernels(d, &a, &o, f, g) != loss || g[at] != (float)(2 * loss) ||
			 (x > 0 && g[at - 1] != -6) || (z < 2 && g[at + 20] != -2);
		free(a.v);
	}
	ok(wrong == 0, "a single impulse at each of 60 places: loss and gradient exact (%d wrong)",
	   wrong);
}

/* Half a million terms and an offset of 1000: what float32 sums would lose. */
static void large(struct dev *d)
{
	struct volume a = make(8, 256, 256, 1);
	size_t n = a.nz * a.ny * a.nx;
	double *none = mem_new(n, sizeof *none);
	float *g = mem_new(n, sizeof *g);
	const double f[3] = { 1, 1, 1 };

	for (size_t i = 0; i < n; i++)
		a.v[i] = (float)(a.v[i] + 1000);
	for (int kind = TV_SQ; kind <= TV_L1; kind++) {
		struct tv_opts o = { .kind = (enum tv_kind)kind,
				     .weight = { 1, 1, 1 },
				     .eps = 1e-8 };
		double want = reference(&a, &o, f, none), got = kernels(d, &a, &o, f, g);

		ok(fabs(got / want - 1) <= 1e-8,
		   "%s of 8 x 256 x 256 around 1000: loss to 1e-8 (%.1e)", names[kind],
		   fabs(got / want - 1));
	}
	free(a.v);
	free(none);
	free(g);
}

int main(void)
{
	struct dev *d = dev_open(&(struct dev_opts){ 0 });

	if (!ok(d != NULL, "a device opens"))
		return done_testing();
	differences();
	squares(d);
	impulses(d);
	against(d);
	large(d);
	order(d);
	dev_free(d);
	return done_testing();
}
