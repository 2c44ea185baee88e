/* Granular spectra against the plain definition: each R_k bit for bit by the tree and by the
 * kernels, openings bit for bit, and whole spectra to 1e-9 percent points (double sums in another
 * order differ by 1e-12). */
#include <math.h>

#include "base/die.h"
#include "base/mem.h"
#include "features/granularity_cl.h"
#include "features/opening.h"
#include "tests/ref-granularity.h"
#include "tests/tap.h"

static uint32_t state = 1;

static uint32_t draw(uint32_t below)
{
	state = state * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)(state >> 8) * below >> 24);
}

enum kind { RANDOM, TIED, PLATEAU, BLOBS, KINDS };
static const char *const kind_name[] = { "random", "tied", "plateau", "blob" };

static double *image(enum kind kind, const size_t n[3])
{
	size_t m = n[0] * n[1] * n[2];
	double *a = mem_new(m, sizeof *a);

	for (size_t i = 0; i < m; i++) {
		double y = (double)(i / n[2] % n[1]), x = (double)(i % n[2]),
		       z = (double)(i / (n[1] * n[2]));

		if (kind == RANDOM)
			a[i] = draw(1u << 20) / 1024.0;
		else if (kind == TIED)
			a[i] = draw(4);
		else if (kind == PLATEAU)
			a[i] = floor(y / 5) * 3 + floor(x / 7) + (draw(10) == 0);
		else
			a[i] = floor(40 * (1 + sin(y / 3) * sin(x / 4) * cos(z / 2)) + draw(3));
	}
	return a;
}

static uint8_t *mask_of(size_t m, uint32_t one_in)
{
	uint8_t *v = mem_new(m, 1);

	for (size_t i = 0; i < m; i++)
		v[i] = draw(one_in) > 0;
	return v;
}

/* Every sample is an object of its own, with weight 1: the sums are the R_k. */
static bool same_reconstructions(struct dev *d, granularity_way *way, const double *f,
				 const uint8_t *valid, const size_t n[3], int length)
{
	size_t m = n[0] * n[1] * n[2];
	double *want = mem_new((size_t)length * m, sizeof *want),
	       *got = mem_new((size_t)length * m, sizeof *got);
	struct grid g = { n[0], n[1], n[2], mem_try("f", m, sizeof *f) };
	struct spread sp = { m, mem_new(m + 1, sizeof *sp.first), mem_new(m, sizeof *sp.position),
			     mem_new(m, sizeof *sp.weight) };
	struct ranks r = { 0 };
	struct granularity_sums s = { &r, valid, length, &sp, got, NULL };
	bool same = false;

	memcpy(g.data, f, m * sizeof *f);
	ref_reconstructions(f, valid, n, length, want);
	if (ranks_init(&r, &g) != 0)
		goto done;
	for (size_t i = 0; i < m; i++) {
		sp.first[i + 1] = i + 1;
		sp.position[i] =
			(uint32_t)ranks_position(&r, i / (n[1] * n[2]), i / n[2] % n[1], i % n[2]);
		sp.weight[i] = 1;
	}
	if (way(d, &s) != 0)
		goto done;
	same = true;
	for (size_t i = 0; i < m; i++)
		for (int k = 0; k < length; k++)
			same &= got[i * (size_t)length + (size_t)k] == want[(size_t)k * m + i];
done:
	free(want);
	free(got);
	spread_clear(&sp);
	ranks_clear(&r);
	return same;
}

static void test_reconstructions(struct dev *d, granularity_way *way, const char *name)
{
	static const size_t shapes[][3] = { { 1, 1, 1 }, { 1, 1, 23 },	{ 1, 19, 1 },
					    { 1, 2, 2 }, { 1, 17, 33 }, { 1, 40, 31 },
					    { 2, 2, 2 }, { 7, 9, 11 },	{ 3, 1, 18 } };

	for (int kind = 0; kind < KINDS; kind++) {
		bool all = true, masked = true;

		for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
			const size_t *n = shapes[i];
			double *f = image((enum kind)kind, n);
			uint8_t *v = mask_of(n[0] * n[1] * n[2], 12);

			all &= same_reconstructions(d, way, f, NULL, n, i == 5 ? 30 : 6);
			masked &= same_reconstructions(d, way, f, v, n, 5);
			memset(v, 0, n[0] * n[1] * n[2]);
			masked &= same_reconstructions(d, way, f, v, n, 2);
			free(f);
			free(v);
		}
		ok(all, "%s: every R_k of %s images equals iterated dilation, bit for bit", name,
		   kind_name[kind]);
		ok(masked, "%s: the same with invalid samples", name);
	}
}

static void test_opening(void)
{
	static const size_t shapes[][3] = {
		{ 1, 21, 34 }, { 1, 1, 40 }, { 1, 37, 1 }, { 6, 8, 9 }
	};
	static const int radii[] = { 1, 2, 3, 5, 10, 60 };
	bool same = true, threads = true;

	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
		for (size_t k = 0; k < sizeof radii / sizeof *radii; k++) {
			const size_t *n = shapes[i];
			size_t m = n[0] * n[1] * n[2];
			double *want = image(RANDOM, n), *a = mem_new(m, sizeof *a),
			       *b = mem_new(m, sizeof *b);
			uint8_t *v = k % 2 ? mask_of(m, 9) : NULL;
			struct grid ga = { n[0], n[1], n[2], a }, gb = { n[0], n[1], n[2], b };

			memcpy(a, want, m * sizeof *a);
			memcpy(b, want, m * sizeof *a);
			ref_opening(want, n, radii[k], v);
			same &= opening(&ga, radii[k], v, 1) == 0 &&
				memcmp(a, want, m * sizeof *a) == 0;
			threads &= opening(&gb, radii[k], v, 3) == 0 &&
				   memcmp(b, want, m * sizeof *a) == 0;
			free(want);
			free(a);
			free(b);
			free(v);
		}
	ok(same, "openings by disks and balls up to three times the image equal the definition, "
		 "bit for bit");
	ok(threads, "openings by three threads too");
}

struct scene {
	size_t n[3];
	double *p;
	uint8_t *mask;
	uint32_t *labels;
	size_t count;
};

/* Boxes on a grid, each a label; some pixels of each lie elsewhere. */
static void scene_init(struct scene *s, size_t nz, size_t ny, size_t nx, enum kind kind,
		       bool masked)
{
	size_t m = nz * ny * nx;

	*s = (struct scene){ { nz, ny, nx }, NULL, NULL, NULL, 6 };
	s->p = image(kind, s->n);
	s->mask = masked ? mask_of(m, 20) : NULL;
	s->labels = mem_new(m, sizeof *s->labels);
	for (size_t i = 0; i < m; i++) {
		size_t y = i / nx % ny, x = i % nx;

		if (y % (ny / 2) > 1 && x % (nx / 3) > 1)
			s->labels[i] = (uint32_t)(y / (ny / 2) * 3 + x / (nx / 3)) % 6 + 1;
		if (draw(40) == 0)
			s->labels[i] = 1 + draw(6);
	}
}

static void scene_clear(struct scene *s)
{
	free(s->p);
	free(s->mask);
	free(s->labels);
}

/* The tool's spectra, [0] of the image; NULL on failure. */
static double *spectra(const struct scene *s, const struct granularity_opts *o, enum dtype type,
		       const void *data, struct dev *d)
{
	struct array l = { DT_U32, s->n[0], s->n[1], s->n[2], s->labels };
	struct pixels p = { type, data, s->mask, s->n[0], s->n[1], s->n[2], 1 };
	struct objects os;
	struct granularity g = { 0 };
	size_t length = (size_t)o->length;
	double *v = NULL;

	if (objects_find(&os, "labels", &l, 0, s->n[0]) == 0 && os.n == s->count &&
	    granularity(&g, o, &p, &os, d ? granularity_kernels : granularity_tree, d, NULL,
			NULL) == 0) {
		v = mem_new((s->count + 1) * length, sizeof *v);
		memcpy(v, g.image, length * sizeof *v);
		memcpy(v + length, g.spectrum, s->count * length * sizeof *v);
	}
	granularity_clear(&g);
	objects_clear(&os);
	return v;
}

static double difference(const double *a, const double *b, size_t n)
{
	double d = a && b ? 0 : INFINITY;

	for (size_t i = 0; i < n && a && b; i++)
		d = fabs(a[i] - b[i]) <= d ? d : fabs(a[i] - b[i]);
	return d;
}

static void test_spectra(struct dev *d)
{
	static const double factors[][2] = { { 1, 1 },	   { 0.5, 0.5 }, { 0.25, 1 },
					     { 0.4, 0.3 }, { 1, 0.3 },	 { 0.7, 0.9 } };

	for (int volume = 0; volume < 2; volume++)
		for (size_t i = 0; i < sizeof factors / sizeof *factors; i++) {
			double s = factors[i][0], b = factors[i][1], diff[2];
			bool same = true;

			for (int masked = 0; masked < 2; masked++) {
				struct granularity_opts o = {
					{ s, s, s },	{ b, b, b }, volume, 3,	  5,
					LIKE_SCOPELINE, true,	     1,	     NULL
				};
				struct scene sc;
				double *want, *got, *kernels;

				scene_init(&sc, volume ? 9 : 1, volume ? 16 : 45, volume ? 18 : 52,
					   (enum kind)(i % KINDS), masked);
				want = mem_new((sc.count + 1) * 5, sizeof *want);
				ref_spectra(sc.p, sc.mask, sc.labels, sc.count, sc.n, volume,
					    o.subsample, o.background, 3, 5, want);
				got = spectra(&sc, &o, DT_F64, sc.p, NULL);
				kernels = spectra(&sc, &o, DT_F64, sc.p, d);
				diff[masked] = difference(want, got, (sc.count + 1) * 5);
				same &= got && kernels &&
					memcmp(got, kernels, (sc.count + 1) * 5 * sizeof *got) == 0;
				free(want);
				free(got);
				free(kernels);
				scene_clear(&sc);
			}
			ok(diff[0] < 1e-9 && diff[1] < 1e-9,
			   "%s, factors %g and %g: spectra equal the definition (off by %.1e, "
			   "masked %.1e)",
			   volume ? "3-D" : "2-D", s, b, diff[0], diff[1]);
			ok(same, "kernels give the same bytes");
		}
}

/* A quarter turn of image and labels. */
static void turn(struct scene *s)
{
	size_t ny = s->n[1], nx = s->n[2];
	double *p = mem_new(ny * nx, sizeof *p);
	uint32_t *l = mem_new(ny * nx, sizeof *l);

	for (size_t y = 0; y < ny; y++)
		for (size_t x = 0; x < nx; x++) {
			p[(nx - 1 - x) * ny + y] = s->p[y * nx + x];
			l[(nx - 1 - x) * ny + y] = s->labels[y * nx + x];
		}
	free(s->p);
	free(s->labels);
	s->p = p;
	s->labels = l;
	s->n[1] = nx;
	s->n[2] = ny;
}

static void test_facts(void)
{
	struct granularity_opts o = { { 1, 1, 1 },    { 1, 1, 1 }, false, 4,   8,
				      LIKE_SCOPELINE, true,	   1,	  NULL };
	struct scene s;
	double *a, *b, *c;
	float *f;
	size_t m;

	scene_init(&s, 1, 48, 60, BLOBS, false);
	m = s.n[1] * s.n[2];
	a = spectra(&s, &o, DT_F64, s.p, NULL);
	f = mem_new(m, sizeof *f);
	for (size_t i = 0; i < m; i++)
		f[i] = (float)s.p[i];
	b = spectra(&s, &o, DT_F32, f, NULL);
	ok(a && b && memcmp(a, b, 7 * 8 * sizeof *a) == 0,
	   "float and double of the same picture give the same bytes");
	o.threads = 3;
	c = spectra(&s, &o, DT_F64, s.p, NULL);
	ok(a && c && memcmp(a, c, 7 * 8 * sizeof *a) == 0, "three threads give the same bytes");
	free(b);
	free(c);
	turn(&s);
	b = spectra(&s, &o, DT_F64, s.p, NULL);
	ok(difference(a, b, 7 * 8) < 1e-9, "a quarter turn of image and labels leaves the spectra");
	free(b);
	for (size_t i = 0; i < m; i++)
		s.p[i] = 5;
	b = spectra(&s, &o, DT_F64, s.p, NULL);
	ok(b && difference(b, (double[8]){ 0 }, 8) == 0, "a constant image has the spectrum 0");
	ok(b && b[8] == 100 && b[9] == 0, "its objects lose all to the background");
	free(a);
	free(b);
	free(f);
	scene_clear(&s);
}

/* NaN in one object: the others' samples see a 0 there, like one that is invalid. */
static void test_nan(void)
{
	struct granularity_opts o = { { 1, 1, 1 },    { 1, 1, 1 }, false, 4,   4,
				      LIKE_SCOPELINE, true,	   1,	  NULL };
	struct scene s;
	double *a, *b;

	scene_init(&s, 1, 30, 33, RANDOM, true);
	for (size_t i = 0; i < 30 * 33; i++)
		s.p[i] = s.mask[i] ? s.p[i] : 0;
	a = spectra(&s, &o, DT_F64, s.p, NULL);
	for (size_t i = 0; i < 30 * 33; i++)
		s.p[i] = s.mask[i] ? s.p[i] : i % 2 ? NAN : INFINITY;
	free(s.mask);
	s.mask = NULL;
	b = spectra(&s, &o, DT_F64, s.p, NULL);
	ok(a && b && memcmp(a, b, 7 * 4 * sizeof *a) == 0,
	   "NaN and Inf are as pixels of value 0 under a mask");
	free(a);
	free(b);
	scene_clear(&s);
}

int main(void)
{
	struct dev *d;

	program_start("unit-granularity");
	d = dev_open(&(struct dev_opts){ .device = "cpu", .threads = 2 });
	if (!ok(d != NULL, "a CPU device opens"))
		return done_testing();
	test_reconstructions(NULL, granularity_tree, "tree");
	test_reconstructions(d, granularity_kernels, "kernels");
	test_opening();
	test_spectra(d);
	test_facts();
	test_nan();
	dev_free(d);
	return done_testing();
}
