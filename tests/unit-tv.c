/* lib/tv against plain double loops: closed forms, the loops' gradients against central
 * differences, the kernels against the loops. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "math/random.h"
#include "tests/ref-tv.h"
#include "tests/tap.h"

static const char *const names[] = { "sq", "iso", "l1" };

static void differences(void)
{
	const double f[3] = { .5, 1.25, 2 };

	for (int kind = TV_SQ; kind <= TV_L1; kind++)
		for (int wrap = 0; wrap < 2; wrap++) {
			struct volume a = tv_volume(3, 4, 5, wrap ? 3 : 1);
			struct tv_opts o = { .kind = (enum tv_kind)kind,
					     .weight = { .5, 1.25, 2 },
					     .eps = 1e-3,
					     .wrap = wrap };
			double g[60], none[60], worst = 0, top = 0, h = 1e-6;

			tv_reference(&a, &o, f, g);
			for (size_t i = 0; i < 60; i++) {
				double v = a.v[i], up, down;

				a.v[i] = v + h;
				up = tv_reference(&a, &o, f, none);
				a.v[i] = v - h;
				down = tv_reference(&a, &o, f, none);
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
				struct volume a = tv_volume(sizes[s][0], sizes[s][1], sizes[s][2],
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
				loss = tv_reference(&a, &o, f, want);
				got = tv_kernels(d, &a, &o, f, g);
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
			struct volume a = tv_volume(sizes[s][0], sizes[s][1], sizes[s][2], 1);
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

				worst = fmax(worst,
					     fabs(tv_kernels(d, &a, &o, f, g) - want) / want);
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
		ok(fabs(tv_kernels(d, &a, &o, f, g) / want[kind][0] - 1) < 1e-7,
		   "%s of eight squares", names[kind]);
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
		wrong += tv_kernels(d, &a, &o, f, g) != loss || g[at] != (float)(2 * loss) ||
			 (x > 0 && g[at - 1] != -6) || (z < 2 && g[at + 20] != -2);
		free(a.v);
	}
	ok(wrong == 0, "a single impulse at each of 60 places: loss and gradient exact (%d wrong)",
	   wrong);
}

/* Half a million terms and an offset of 1000: what float32 sums would lose. */
static void large(struct dev *d)
{
	struct volume a = tv_volume(8, 256, 256, 1);
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
		double want = tv_reference(&a, &o, f, none), got = tv_kernels(d, &a, &o, f, g);

		ok(fabs(got / want - 1) <= 1e-8,
		   "%s of 8 x 256 x 256 around 1000: loss to 1e-8 (%.1e)", names[kind],
		   fabs(got / want - 1));
	}
	free(a.v);
	free(none);
	free(g);
}

/* What a volume becomes when axis `a` runs backwards, or when axes change places: from[i] is the
 * place in `v` of voxel i of the result. */
static struct volume moved(const struct volume *v, const int axis[3], int flip, size_t *from)
{
	size_t n[3] = { v->nz, v->ny, v->nx }, step[3] = { v->ny * v->nx, v->nx, 1 }, i = 0;
	struct volume r = { n[axis[0]], n[axis[1]], n[axis[2]],
			    mem_new(v->nz * v->ny * v->nx, sizeof(double)) };
	size_t at[3];

	for (at[0] = 0; at[0] < r.nz; at[0]++)
		for (at[1] = 0; at[1] < r.ny; at[1]++)
			for (at[2] = 0; at[2] < r.nx; at[2]++, i++) {
				from[i] = 0;
				for (int k = 0; k < 3; k++)
					from[i] += step[axis[k]] *
						   (k == flip ? n[axis[k]] - 1 - at[k] : at[k]);
				r.v[i] = v->v[from[i]];
			}
	return r;
}

/* Axes change places with their factors; an axis that runs backwards turns the gradients of sq and
 * l1, bit for bit, and not that of iso, whose corners look ahead. */
static void symmetries(struct dev *d)
{
	static const int orders[][3] = {
		{ 0, 2, 1 }, { 1, 0, 2 }, { 2, 1, 0 }, { 1, 2, 0 }, { 2, 0, 1 }
	};
	static const int same[3] = { 0, 1, 2 };
	struct volume a = tv_volume(5, 18, 37, 1);
	size_t n = a.nz * a.ny * a.nx, *from = mem_new(n, sizeof *from);
	float *g = mem_new(n, sizeof *g), *h = mem_new(n, sizeof *h);
	double f[3] = { .5, 1.25, 2 };

	for (int kind = TV_SQ; kind <= TV_L1; kind++) {
		struct tv_opts o = { .kind = (enum tv_kind)kind,
				     .weight = { .5, 1.25, 2 },
				     .eps = 1e-8 };
		double loss = tv_kernels(d, &a, &o, f, g), worst = 0, top = 0;
		int turned = 0;

		for (int flip = 0; flip < 3; flip++) {
			struct volume b = moved(&a, same, flip, from);
			double again = tv_kernels(d, &b, &o, f, h);
			bool equal = fabs(again / loss - 1) < 1e-12;

			for (size_t i = 0; i < n; i++)
				equal &= h[i] == g[from[i]];
			turned += equal;
			free(b.v);
		}
		ok(turned == (kind == TV_ISO ? 0 : 3),
		   "%s: %s axis turned around turns the gradient", names[kind],
		   kind == TV_ISO ? "no" : "every");
		for (size_t k = 0; k < sizeof orders / sizeof *orders; k++) {
			struct volume b = moved(&a, orders[k], -1, from);
			struct tv_opts p = o;
			double fp[3], again;

			for (int i = 0; i < 3; i++) {
				p.weight[i] = o.weight[orders[k][i]];
				fp[i] = kind == TV_ISO ? f[0] : f[orders[k][i]];
			}
			again = tv_kernels(d, &b, &p, fp, h);
			worst = fmax(worst, fabs(again / loss - 1) / 1e-7);
			for (size_t i = 0; i < n; i++) {
				worst = fmax(worst,
					     fabs((double)h[i] - (double)g[from[i]]) / 4e-6 / 4);
				top = fmax(top, fabs((double)g[i]));
			}
			free(b.v);
		}
		ok(worst < 1 && top > 1,
		   "%s: axes that change places with their weights change nothing", names[kind]);
	}
	free(a.v);
	free(from);
	free(g);
	free(h);
}

/* ---- complex volumes */

/* Loss of modulus and angle of o = re + i im, the latter wrapped. */
static double complex_loss(const double *re, const double *im, struct volume *part,
			   const struct tv_opts *o, double *none)
{
	static const double f[3] = { .5, 1.25, 2 };
	size_t n = part->nz * part->ny * part->nx;
	struct tv_opts angle = *o;
	double loss;

	for (size_t i = 0; i < n; i++)
		part->v[i] = hypot(re[i], im[i]);
	loss = tv_reference(part, o, f, none);
	for (size_t i = 0; i < n; i++)
		part->v[i] = atan2(im[i], re[i]);
	angle.wrap = true;
	return loss + tv_reference(part, &angle, f, none);
}

/* Gradient by one part of a complex volume: 0 modulus, 1 angle. */
static bool part_gradient(struct dev *d, const struct tv_opts *o, struct buf *v, struct buf *g)
{
	static const int links[3] = { TV_NEXT, TV_PREV | TV_NEXT, TV_PREV };
	float unit = o->kind == TV_SQ ? 2 : 1;
	float factor[3][4] = { { .5f * unit, 1.25f * unit, 2 * unit },
			       { .5f * unit, 1.25f * unit, 2 * unit },
			       { .5f * unit, 1.25f * unit, 2 * unit } };
	struct tv_sums sums[3];
	struct tv t;
	bool good = tv_init(&t, d, o, 4, 5) == 0 &&
		    tv_slab(&t, v, 0, 3, links, (const float(*)[4])factor, g, sums) == 0;

	tv_clear(&t);
	return good;
}

/* Gradients by re and im against central differences of the loss in double; moduli keep away from
 * 0. */
static void complex_volumes(struct dev *d)
{
	enum { N = 60 };

	for (int kind = TV_SQ; kind <= TV_L1; kind++) {
		struct tv_opts o = { .kind = (enum tv_kind)kind,
				     .weight = { .5, 1.25, 2 },
				     .eps = 1e-3 };
		struct tv_opts angle = o;
		double re[N], im[N], none[N], place[N], worst = 0, top = 0;
		struct volume part = { 3, 4, 5, place };
		float x[2][N], g[2][N];
		struct buf *v[2], *s[2];
		unsigned seed = 8;
		bool good = true;

		angle.wrap = true;
		for (size_t i = 0; i < N; i++) {
			double r = 1.5 + tv_noise(&seed), t = 3 * tv_noise(&seed);

			re[i] = (double)(x[0][i] = (float)(r * cos(t)));
			im[i] = (double)(x[1][i] = (float)(r * sin(t)));
		}
		for (int c = 0; c < 2; c++) {
			v[c] = buf_new(d, sizeof x[c]);
			s[c] = buf_new(d, sizeof g[c]);
			good &= buf_write(v[c], 0, x[c], sizeof x[c]) == 0;
		}
		good = good && tv_polar(d, v[0], v[1], N) == 0 &&
		       part_gradient(d, &o, v[0], s[0]) && part_gradient(d, &angle, v[1], s[1]) &&
		       tv_cartesian(d, s[0], s[1], v[0], v[1], 0, N, true, true, false) == 0;
		for (int c = 0; c < 2; c++) {
			good = good && buf_read(s[c], 0, g[c], sizeof g[c]) == 0;
			buf_free(v[c]);
			buf_free(s[c]);
		}
		for (size_t i = 0; i < 2 * N && good; i++) {
			double *at = i < N ? &re[i] : &im[i - N], was = *at, up, down, want;

			*at = was + 1e-6;
			up = complex_loss(re, im, &part, &o, none);
			*at = was - 1e-6;
			down = complex_loss(re, im, &part, &o, none);
			*at = was;
			want = (up - down) / 2e-6;
			worst = fmax(worst, fabs(want - (double)g[i / N][i % N]));
			top = fmax(top, fabs(want));
		}
		ok(good && worst <= 4e-6 * top, "%s: gradient by real and imaginary parts (%.1e)",
		   names[kind], worst / top);
	}
}

/* 512^3: relative error of the sums to 1e-8 (sq, iso) and 1.3e-10 (l1). */
static void very_large(struct dev *d, double offset)
{
	enum { N = 512 };
	size_t plane = (size_t)N * N, n = plane * N;
	struct buf *b = buf_new(d, n * sizeof(float));
	float *v = b ? buf_map(b, MAP_WRITE) : NULL;
	struct tv_sums *sums = mem_new(N, sizeof *sums);
	int links[N];
	double want[3][3] = { { 0 } };

	if (!ok(v != NULL, "512 MiB on the device"))
		return;
	for (size_t i = 0; i < n; i++)
		v[i] = (float)(offset + (double)(rng_key(3, 1, i) >> 40) * 0x1p-23 - 1);
	for (size_t z = 0; z < N; z++) {
		double sum[3][3] = {
			{ 0 }
		}; /* of a plane, so that the reference itself is exact to 1e-12 */

		links[z] = (z > 0 ? TV_PREV : 0) | (z + 1 < N ? TV_NEXT : 0);
		for (size_t i = z * plane; i < (z + 1) * plane; i++) {
			double e[3] = { z + 1 < N ? (double)v[i + plane] - (double)v[i] : 0,
					i % plane + N < plane ? (double)v[i + N] - (double)v[i] : 0,
					i % N + 1 < N ? (double)v[i + 1] - (double)v[i] : 0 };

			for (int a = 0; a < 3; a++) {
				sum[TV_SQ][a] += e[a] * e[a];
				sum[TV_L1][a] += fabs(e[a]);
			}
			if (z + 1 < N && i % plane + N < plane && i % N + 1 < N)
				sum[TV_ISO][0] +=
					sqrt(e[0] * e[0] + e[1] * e[1] + e[2] * e[2] + 1e-8);
		}
		for (int k = 0; k < 9; k++)
			want[k / 3][k % 3] += sum[k / 3][k % 3];
	}
	buf_unmap(b);
	for (int kind = TV_SQ; kind <= TV_L1; kind++) {
		struct tv_opts o = { .kind = (enum tv_kind)kind,
				     .weight = { 1, 1, 1 },
				     .eps = 1e-8 };
		double worst = 0;
		struct tv t;

		if (tv_init(&t, d, &o, N, N) != 0 ||
		    tv_slab(&t, b, 0, N, links, NULL, NULL, sums) != 0)
			worst = INFINITY;
		for (int a = 0; a < (kind == TV_ISO ? 1 : 3) && worst < 1; a++)
			worst = fmax(worst, fabs(tv_add(sums, N).sum[a] / want[kind][a] - 1));
		ok(worst <= (kind == TV_L1 ? 1.3e-10 : 1e-8), "%s of 512^3 around %g (%.1e)",
		   names[kind], offset, worst);
		tv_clear(&t);
	}
	buf_free(b);
	free(sums);
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
	symmetries(d);
	complex_volumes(d);
	if (!getenv("TESTS_FAST")) {
		very_large(d, 0);
		very_large(d, 1000);
	}
	dev_free(d);
	return done_testing();
}
