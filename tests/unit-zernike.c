/* zernike against plain C (each pixel's V_nm from factorials and powers, in long double) on random labels and images; the power sums
 * against the polynomials; closed forms; places, threads. */
#include <complex.h>
#include <math.h>

#include "features/zernike.h"
#include "tap.h"

enum { NY = 61, NX = 67, OBJECTS = 8, COLUMNS = 3 * 256 + 3 };

static unsigned long seed = 4242;

static unsigned random_below(unsigned n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % n;
}

static long double factorial(int n)
{
	return n > 1 ? n * factorial(n - 1) : 1;
}

static long double complex basis(int n, int m, long double complex z)
{
	long double r = 0, rho = cabsl(z);

	for (int k = 0; k <= (n - m) / 2; k++)
		r += (k % 2 ? -1 : 1) * factorial(n - k) / (factorial(k) * factorial((n + m) / 2 - k) * factorial((n - m) / 2 - k)) *
		     powl(rho, n - m - 2 * k);
	long double complex zm = 1;
	for (int k = 0; k < m; k++)
		zm *= z;
	return zm * r;
}

struct scene {
	struct array labels;
	double value[NY * NX];
	struct pixels p;
	struct objects all;
};

static void find(struct scene *s)
{
	if (objects_find(&s->all, "labels", &s->labels, 0, 1) != 0)
		exit(1);
	s->p = (struct pixels){ DT_F64, s->value, NULL, 1, NY, NX, 4 };
}

static void clear(struct scene *s)
{
	objects_clear(&s->all);
	array_clear(&s->labels);
}

/* Blobs, noise or parts far from each other. */
static void make(struct scene *s, unsigned trial)
{
	uint8_t *l;

	if (array_init(&s->labels, "labels", DT_U8, 1, NY, NX) != 0)
		exit(1);
	l = s->labels.data;
	for (size_t i = 0; i < NY * NX; i++) {
		double y = (double)(i / NX), x = (double)(i % NX);

		l[i] = 0;
		for (int k = 1; k <= OBJECTS && trial % 3 < 2; k++)
			if (hypot((y - 7 * k) / (3 + k), (x - 8 * (k * 3 % 8)) / (9 - k)) < 1)
				l[i] = (uint8_t)(7 * k);
		if (trial % 3 == 2 || (trial % 3 == 1 && random_below(12) == 0))
			l[i] = random_below(30) ? 0 : (uint8_t)(7 * (1 + random_below(OBJECTS)));
		s->value[i] = random_below(1000);
	}
	find(s);
}

static double turned(double d)
{
	d = fabs(d);
	return d > M_PI ? 2 * M_PI - d : d;
}

/* Largest difference of the exact circle's columns from plain C. */
static double from_plain(const struct scene *s, const struct zernike_opts *o, const double *got, size_t which)
{
	size_t terms = zernike_terms(o->degree);
	const struct object *b = &s->all.object[which];
	const double *circle = got + 3 * terms;
	const uint8_t *l = s->labels.data;
	double worst = 0;

	for (size_t t = 0; t < terms && circle[2] > 0; t++) {
		long double complex shape = 0, radial = 0;
		double by = o->textbook ? M_PI * circle[2] * circle[2] : (double)b->pixels, re, im;
		int n, m;

		zernike_term(t, &n, &m);
		for (size_t i = 0; i < NY * NX; i++) {
			long double y = ((double)(i / NX) - circle[0]) / circle[2], x = ((double)(i % NX) - circle[1]) / circle[2];

			if (l[i] != b->label)
				continue;
			long double complex v = basis(n, m, o->textbook ? x + y * I : y + x * I);

			v = o->textbook ? (n + 1) * conjl(v) : v;
			shape += v;
			radial += v * s->value[i] / s->p.divisor;
		}
		re = (double)creall(radial);
		im = (double)cimagl(radial);
		worst = fmax(worst, fabs(got[t] - (double)cabsl(shape) / (M_PI * circle[2] * circle[2])));
		worst = fmax(worst, fabs(got[terms + 2 * t] - hypot(re, im) / by) / 250);
		if (hypot(re, im) / by > 1e-4)
			worst = fmax(worst, turned(got[terms + 2 * t + 1] - (o->textbook ? atan2(im, re) : atan2(re, im))) / 1e4);
	}
	return worst;
}

/* Largest difference of shape and magnitudes; of phases where a magnitude is above 1e-6. */
static double between(const double *a, const double *b, size_t terms)
{
	double worst = 0;

	for (size_t t = 0; t < terms; t++)
		if (!isnan(a[t])) {
			worst = fmax(worst, fabs(a[t] - b[t]));
			worst = fmax(worst, fabs(a[terms + 2 * t] - b[terms + 2 * t]) / 250);
		}
	return worst;
}

static void random_scenes(void)
{
	static double got[OBJECTS * COLUMNS], direct[OBJECTS * COLUMNS], again[OBJECTS * COLUMNS];
	double worst = 0, routes = 0;
	size_t threads = 0, objects = 0, columns;
	static struct scene s;

	for (unsigned trial = 0; trial < 24; trial++) {
		struct zernike_opts o = { .degree = trial % 4 == 3 ? 15 : 9 - (int)(trial % 4), .shape = true, .radial = true, .circle = true };
		const char *why[OBJECTS];

		o.textbook = trial % 2;
		make(&s, trial);
		columns = zernike_columns(&o);
		if (s.all.n > OBJECTS || zernike_measure(&o, &s.p, &s.all, 0, s.all.n, 1, got, why) != 0 ||
		    zernike_measure(&o, &s.p, &s.all, 0, s.all.n, 3, again, why) != 0)
			exit(1);
		threads += memcmp(got, again, s.all.n * columns * sizeof *got) != 0;
		o.direct = true;
		if (zernike_measure(&o, &s.p, &s.all, 0, s.all.n, 1, direct, why) != 0)
			exit(1);
		for (size_t i = 0; i < s.all.n; i++) {
			worst = fmax(worst, from_plain(&s, &o, got + i * columns, i));
			routes = fmax(routes, between(got + i * columns, direct + i * columns, zernike_terms(o.degree)));
		}
		objects += s.all.n;
		clear(&s);
	}
	ok(objects > 100 && worst < 1e-11, "moments of %zu random objects are those of plain C to 1e-11 (%.1e)", objects, worst);
	ok(routes < 1e-11, "power sums are the sums of the polynomials to 1e-11 up to degree 15 (%.1e)", routes);
	ok(threads == 0, "three threads give the bytes of one (%zu scenes differ)", threads);
}

static void disc(void)
{
	static struct scene s;
	struct zernike_opts o = { .degree = 20, .shape = true };
	double got[121], other = 0;
	const char *why[1];
	uint8_t *l;

	if (array_init(&s.labels, "labels", DT_U8, 1, NY, NX) != 0)
		exit(1);
	l = s.labels.data;
	for (size_t i = 0; i < NY * NX; i++)
		l[i] = hypot((double)(i / NX) - 30, (double)(i % NX) - 33) <= 30;
	find(&s);
	if (zernike_measure(&o, &s.p, &s.all, 0, 1, 1, got, why) != 0)
		exit(1);
	for (size_t t = 1; t < 25; t++)
		other = fmax(other, got[t]);
	/* pixels have an area, their centres are a disc of radius 30 */
	ok(fabs(got[0] - 1) < 2.0 / 30 && other < 2.0 / 30, "a disc of radius 30: 0_0 is 1, others 0 within 2/30 (%g, %g)", got[0], other);
	clear(&s);
}

/* The T of the page, at a place. */
static void letter(struct scene *s, size_t y0, size_t x0)
{
	uint8_t *l;

	if (array_init(&s->labels, "labels", DT_U8, 1, NY, NX) != 0)
		exit(1);
	l = s->labels.data;
	memset(l, 0, NY * NX);
	for (size_t y = 0; y < 9; y++)
		for (size_t x = 0; x < 11; x++) {
			size_t i = (y + y0) * NX + x + x0;

			l[i] = y == 0 || (y == 8 && x == 5) || (y == 4 && x >= 3 && x <= 7) ? 9 : 0;
			s->value[i] = (double)(11 * y + x);
		}
	find(s);
	s->p.divisor = 1;
}

static void closed_form(void)
{
	static const double want[] = { .174887593066, .0248518390675, .0229400592343, .00382226090283, .0101429779077, .047183128461,
				       23.1176470588, 1.57079632679, 8.19991277649, 1.41541384387, 4.70534023482, -1.57079632679,
				       5.33884277948, 1.75160706733, .310968241483, -.873924519259, 6.10736060471, 1.56845119831 };
	static struct scene s;
	double got[18], moved[18], worst = 0;
	const char *why[1];
	struct zernike_opts o = { .degree = 3, .shape = true, .radial = true };

	letter(&s, 0, 0);
	if (zernike_measure(&o, &s.p, &s.all, 0, 1, 1, got, why) != 0)
		exit(1);
	for (int i = 0; i < 18; i++)
		worst = fmax(worst, fabs(got[i] - want[i]) / fmax(1, fabs(want[i])));
	ok(worst < 1e-11, "the T of the specification to 1e-11 (%.1e)", worst);
	clear(&s);
	letter(&s, 37, 52);
	if (zernike_measure(&o, &s.p, &s.all, 0, 1, 1, moved, why) != 0)
		exit(1);
	ok(memcmp(got, moved, sizeof got) == 0, "moved, it has the same bytes");
	clear(&s);
}

int main(void)
{
	random_scenes();
	disc();
	closed_form();
	return done_testing();
}
