/* intensity against plain C (all pixels of a label collected and sorted) on random labels and images: gaps, objects of one pixel, of
 * several parts, at the border, touching; masks, NaN, ties, pages and volumes. */
#include <math.h>

#include "features/intensity.h"
#include "tap.h"

enum { NZ = 5, NY = 23, NX = 31, LABELS = 9 };

static unsigned long seed = 777;

static unsigned random_below(unsigned n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % n;
}

static int by_value(const void *a, const void *b)
{
	return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

static double quantile(const double *v, size_t n, double q, bool legacy)
{
	double pos = legacy ? (double)n * q : (double)(n - 1) * q;
	size_t lo = (size_t)pos < n - 1 ? (size_t)pos : n - 1, hi = lo + 1 < n ? lo + 1 : lo;

	return v[lo] * (1 - (pos - (double)lo)) + v[hi] * (pos - (double)lo);
}

struct scene {
	struct array labels;
	struct pixels p;
	double value[NZ * NY * NX];
	union {
		uint8_t u8[NZ * NY * NX];
		uint16_t u16[NZ * NY * NX];
		int32_t i32[NZ * NY * NX];
		float f32[NZ * NY * NX];
		double f64[NZ * NY * NX];
	} store;
	uint8_t mask[NZ * NY * NX];
};

static bool at_edge(const struct scene *s, size_t z, size_t y, size_t x)
{
	static const int step[6][3] = { { -1, 0, 0 }, { 1, 0, 0 }, { 0, -1, 0 }, { 0, 1, 0 }, { 0, 0, -1 }, { 0, 0, 1 } };
	const uint32_t *l = s->labels.data;
	bool edge = false;

	for (int k = 0; k < 6; k++) {
		size_t a = z + (size_t)step[k][0], b = y + (size_t)step[k][1], c = x + (size_t)step[k][2];

		if (a < s->p.nz && b < NY && c < NX)
			edge |= l[(a * NY + b) * NX + c] != l[(z * NY + y) * NX + x];
	}
	return edge;
}

static void five(const double *v, size_t n, double *to)
{
	double mean, sum = 0;

	to[0] = 0;
	to[3] = INFINITY;
	to[4] = -INFINITY;
	for (size_t i = 0; i < n; i++) {
		to[0] += v[i];
		to[3] = fmin(to[3], v[i]);
		to[4] = fmax(to[4], v[i]);
	}
	mean = to[0] / (double)n;
	for (size_t i = 0; i < n; i++)
		sum += (v[i] - mean) * (v[i] - mean);
	to[1] = mean;
	to[2] = sqrt(sum / (double)n);
}

/* The columns of a label from the formulas of the page. */
static const char *plain(const struct scene *s, uint32_t label, const struct intensity_opts *o, double *to)
{
	static double v[NZ * NY * NX], e[NZ * NY * NX];
	const uint32_t *l = s->labels.data;
	size_t n = 0, m = 0, valid = 0;
	double mass[3] = { 0 }, place[3] = { 0 }, far = 0, max = -INFINITY;

	for (int c = 0; c < INTENSITY_COLUMNS; c++)
		to[c] = o->zeros ? 0 : NAN;
	for (size_t i = 0; i < s->p.nz * NY * NX; i++) {
		size_t at[3] = { i / (NY * NX), i / NX % NY, i % NX };

		if (l[i] != label || (s->p.mask && !s->mask[i]))
			continue;
		valid++;
		if (!isfinite(s->value[i]))
			continue;
		v[n++] = s->value[i];
		if (at_edge(s, at[0], at[1], at[2]))
			e[m++] = s->value[i];
		for (int a = 0; a < 3; a++) {
			mass[a] += (double)at[a] * s->value[i];
			place[a] += (double)at[a];
			if (s->value[i] > max || (o->last && s->value[i] == max))
				to[INTENSITY_MAX_Z - a] = (double)at[a];
		}
		max = fmax(max, s->value[i]);
	}
	if (n == 0)
		return valid ? "no-finite" : "masked";
	five(v, n, to);
	for (int a = 0; a < 3; a++) {
		to[INTENSITY_MASS_Z - a] = to[0] == 0 ? NAN : mass[a] / to[0];
		far += pow(mass[a] / to[0] - place[a] / (double)n, 2);
	}
	to[INTENSITY_DISPLACEMENT] = to[0] == 0 ? NAN : sqrt(far);
	if (m)
		five(e, m, to + INTENSITY_EDGE_SUM);
	qsort(v, n, sizeof *v, by_value);
	to[INTENSITY_LOWER] = quantile(v, n, .25, o->legacy);
	to[INTENSITY_MEDIAN] = quantile(v, n, .5, o->legacy);
	to[INTENSITY_UPPER] = quantile(v, n, .75, o->legacy);
	for (size_t i = 0; i < n; i++)
		v[i] = fabs(v[i] - to[INTENSITY_MEDIAN]);
	qsort(v, n, sizeof *v, by_value);
	to[INTENSITY_MAD] = quantile(v, n, o->legacy && s->p.nz > 1 ? 1.0 / 3 : .5, o->legacy);
	return to[0] == 0 ? (m ? "zero-sum" : "zero-sum;no-edge") : m ? "" : "no-edge";
}

static void set_value(struct scene *s, size_t i, double v)
{
	switch (s->p.type) {
	case DT_U8:
		s->value[i] = s->store.u8[i] = (uint8_t)v;
		break;
	case DT_U16:
		s->value[i] = s->store.u16[i] = (uint16_t)v;
		break;
	case DT_I32:
		s->value[i] = s->store.i32[i] = (int32_t)(v - 20000);
		break;
	case DT_F32:
		s->value[i] = s->store.f32[i] = (float)v / 7;
		break;
	default:
		s->value[i] = s->store.f64[i] = v / 7 - 1000;
	}
}

static void make(struct scene *s, unsigned trial)
{
	static const enum dtype types[] = { DT_U8, DT_U16, DT_I32, DT_F32, DT_F64 };
	static const unsigned range[] = { 1, 2, 256, 65536 };
	size_t nz = trial % 3 ? 1 : NZ;
	uint32_t *l;
	bool floats;

	s->p = (struct pixels){ types[trial % 5], &s->store, trial % 4 == 1 ? s->mask : NULL, nz, NY, NX, 1 };
	floats = s->p.type == DT_F32 || s->p.type == DT_F64;
	if (array_init(&s->labels, "labels", DT_U32, nz, NY, NX) != 0)
		exit(1);
	l = s->labels.data;
	for (size_t i = 0; i < nz * NY * NX; i++) {
		/* every label is its square, so that there are gaps; noise, bands, and blocks that touch */
		unsigned k = trial % 7 == 0 ? random_below(LABELS) : trial % 7 == 1 ? (unsigned)(i / NX) % LABELS
			   : trial % 7 == 2 ? 3 : (unsigned)(i % NX / 6 + i / NX / 5 * 2) % LABELS;

		if (trial % 7 > 3 && random_below(20) == 0)
			k = random_below(LABELS);
		l[i] = k * k * 1000003;
		s->mask[i] = random_below(5) > 0 && k != 4;
		set_value(s, i, random_below(range[trial / 2 % 4]));
		if (floats && (random_below(30) == 0 || k == 5))
			s->value[i] = s->p.type == DT_F32 ? (s->store.f32[i] = NAN) : (s->store.f64[i] = -INFINITY);
	}
}

static size_t differ(const double *got, const double *want, unsigned trial)
{
	size_t wrong = 0;

	for (int c = 0; c < INTENSITY_COLUMNS; c++) {
		double tol = 1e-10 * fabs(want[c]) + 1e-9;	/* sums of some 1e7 in another order */
		bool same = isnan(want[c]) ? isnan(got[c]) : fabs(got[c] - want[c]) <= tol;

		if (!same && wrong++ == 0)
			printf("# trial %u, %s: %.17g, expected %.17g\n", trial, intensity_names[c], got[c], want[c]);
	}
	return wrong;
}

int main(void)
{
	static struct scene s;
	size_t wrong = 0, reasons = 0, threads = 0, objects = 0;

	for (unsigned trial = 0; trial < 420; trial++) {
		struct intensity_opts o = { trial % 2, trial / 3 % 2, trial / 5 % 2, true, true };
		double got[LABELS * INTENSITY_COLUMNS], again[LABELS * INTENSITY_COLUMNS], want[INTENSITY_COLUMNS];
		const char *why[LABELS], *why_again[LABELS];
		struct objects all;

		make(&s, trial);
		if (objects_find(&all, "labels", &s.labels, 0, s.p.nz) != 0 || all.n > LABELS ||
		    intensity_measure(&o, &s.p, &all, 0, all.n, 1, got, why) != 0 ||
		    intensity_measure(&o, &s.p, &all, 0, all.n, 3, again, why_again) != 0)
			return 1;
		for (size_t i = 0; i < all.n; i++) {
			const char *reason = plain(&s, all.object[i].label, &o, want);

			reasons += strcmp(reason, why[i]) != 0;
			wrong += differ(got + i * INTENSITY_COLUMNS, want, trial);
		}
		objects += all.n;
		threads += memcmp(got, again, all.n * INTENSITY_COLUMNS * sizeof *got) != 0;
		objects_clear(&all);
		array_clear(&s.labels);
	}
	ok(wrong == 0, "21 features of %zu objects of 420 random scenes are those of plain C to 1e-10 (%zu are not)", objects, wrong);
	ok(reasons == 0, "so are the reasons (%zu are not)", reasons);
	ok(threads == 0, "three threads give the bytes of one (%zu scenes differ)", threads);
	return done_testing();
}
