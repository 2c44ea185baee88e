#include "tests/ptycho_fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "io/csvio.h"
#include "io/tiffio.h"
#include "math/random.h"
#include "ptycho/geometry.h"
#include "ptycho/probe.h"

static int read_positions(struct fixture *f, const char *path, double margin)
{
	struct csv t = { 0 };
	size_t x, y, canvas[2];
	double(*pos)[2] = NULL;
	int rc = -1;

	if (csv_read(path, false, &t) != 0)
		return -1;
	pos = mem_new(t.rows, sizeof *pos);
	if (csv_need(&t, "x_px", &x) != 0 || csv_need(&t, "y_px", &y) != 0)
		goto done;
	for (size_t i = 0; i < t.rows; i++)
		if (csv_double(&t, i, y, false, &pos[i][0]) != 0 ||
		    csv_double(&t, i, x, false, &pos[i][1]) != 0)
			goto done;
	f->s = mem_new(t.rows, sizeof *f->s);
	windows_place((const double(*)[2])pos, t.rows, f->n, margin, f->s, canvas);
	f->h = canvas[0];
	f->w = canvas[1];
	rc = t.rows == f->k ? 0 : error("'%s': %zu rows, expected %zu", path, t.rows, f->k);
done:
	free(pos);
	csv_clear(&t);
	return rc;
}

/* pages Re, Im, Re, Im ... [pages/2][ny][nx] */
static float complex *from_pages(const struct array *a)
{
	size_t plane = a->ny * a->nx;
	float complex *v = mem_new(a->nz / 2 * plane, sizeof *v);
	const float *x = a->data;

	for (size_t m = 0; m < a->nz / 2; m++)
		for (size_t i = 0; i < plane; i++)
			v[m * plane + i] = x[2 * m * plane + i] + I * x[(2 * m + 1) * plane + i];
	return v;
}

static int read_f32(const char *path, struct array *a)
{
	bool lossy = false;

	return tiff_read(path, NULL, a, NULL) != 0 || array_to_f32(a, &lossy) != 0 ? -1 : 0;
}

int fixture_tiny(struct fixture *f, const char *shared, const char *positions, bool masked,
		 double margin, size_t modes)
{
	struct frames_opts o = { .dc = DC_CENTRE,
				 .saturation = INFINITY,
				 .gain = 1,
				 .reject = { 0, INFINITY },
				 .half = -1 };
	struct array pages = { 0 }, mask = { 0 }, probe = { 0 };
	char path[3][4096];
	float complex *one = NULL;
	int rc = -1;

	*f = (struct fixture){ .modes = modes };
	snprintf(path[0], sizeof path[0], "%s/data/ptycho/tiny_dp.tif", shared);
	snprintf(path[1], sizeof path[1], "%s/data/ptycho/tiny_mask.tif", shared);
	snprintf(path[2], sizeof path[2], "%s/data/ptycho/tiny_probe0.tif", shared);
	if (tiff_read(path[0], NULL, &pages, NULL) != 0 ||
	    tiff_read(path[1], NULL, &mask, NULL) != 0 || read_f32(path[2], &probe) != 0)
		goto done;
	if (masked)
		o.mask = &mask;
	if (frames_prepare(path[0], &pages, &o, &f->frames) != 0)
		goto done;
	f->k = f->frames.k;
	f->n = f->frames.n;
	snprintf(path[0], sizeof path[0], "%s/data/ptycho/%s", shared, positions);
	if (read_positions(f, path[0], (double)((f->n + 7) / 8) + margin) != 0)
		goto done;
	one = from_pages(&probe);
	f->probe = mem_new(modes * f->n * f->n, sizeof *f->probe);
	memcpy(f->probe, one, f->n * f->n * sizeof *one);
	if (modes > 1)
		probe_modes(f->n, 1, modes, 0.1, f->probe);
	rc = 0;
done:
	free(one);
	array_clear(&pages);
	array_clear(&mask);
	array_clear(&probe);
	return rc;
}

/* ---- a scan made here */

void fixture_dft(size_t n, int sign, double complex *a)
{
	double complex *root = mem_new(n, sizeof *root), *t = mem_new(n, sizeof *t);

	for (size_t i = 0; i < n; i++)
		root[i] = cexp(I * sign * 2 * M_PI * (double)i / (double)n) / sqrt((double)n);
	for (int axis = 0; axis < 2; axis++) {
		size_t step = axis ? 1 : n, line = axis ? n : 1;

		for (size_t j = 0; j < n; j++) {
			for (size_t q = 0; q < n; q++) {
				t[q] = 0;
				for (size_t i = 0; i < n; i++)
					t[q] += a[j * line + i * step] * root[q * i % n];
			}
			for (size_t q = 0; q < n; q++)
				a[j * line + q * step] = t[q];
		}
	}
	free(root);
	free(t);
}

/* a shifted by f: exp(-2 pi i (f_y u + f_x v)) in Fourier space */
static void shift(size_t n, const double f[2], double complex *a)
{
	fixture_dft(n, -1, a);
	for (size_t y = 0; y < n; y++)
		for (size_t x = 0; x < n; x++) {
			double u = y < (n + 1) / 2 ? (double)y : (double)y - (double)n;
			double v = x < (n + 1) / 2 ? (double)x : (double)x - (double)n;

			a[y * n + x] *= cexp(-2 * M_PI * I * (f[0] * u + f[1] * v) / (double)n);
		}
	fixture_dft(n, 1, a);
}

void fixture_waves(const struct fixture *f, const double complex *object,
		   const double complex *probe, const double s[2], double complex *waves)
{
	size_t n = f->n;
	double part[2];
	long at[2];

	for (int a = 0; a < 2; a++)
		window_split(s[a], &at[a], &part[a]);
	memcpy(waves, probe, f->modes * n * n * sizeof *waves);
	for (size_t m = 0; m < f->modes; m++) {
		double complex *v = waves + m * n * n;

		if (part[0] != 0 || part[1] != 0)
			shift(n, part, v);
		for (size_t y = 0; y < n; y++)
			for (size_t x = 0; x < n; x++)
				v[y * n + x] *=
					object[((size_t)at[0] + y) * f->w + (size_t)at[1] + x];
		fixture_dft(n, -1, v);
	}
}

static double complex random_phase(struct rng *r, double low)
{
	return (low + (1 - low) * rng_uniform(r)) * cexp(2 * I * rng_uniform(r));
}

/* 1 2 1 along both axes, periodic */
static void smooth(size_t h, size_t w, float complex *a)
{
	float complex *t = mem_new(h * w, sizeof *t);

	for (size_t y = 0; y < h; y++)
		for (size_t x = 0; x < w; x++) {
			size_t up = (y + h - 1) % h * w, at = y * w, down = (y + 1) % h * w;
			size_t l = (x + w - 1) % w, r = (x + 1) % w;

			t[at + x] =
				(a[up + l] + a[up + r] + a[down + l] + a[down + r] + 4 * a[at + x] +
				 2 * (a[up + x] + a[down + x] + a[at + l] + a[at + r])) /
				16;
		}
	memcpy(a, t, h * w * sizeof *a);
	free(t);
}

static void make_frames(struct fixture *f)
{
	size_t plane = f->n * f->n;
	double complex *waves = mem_new(f->modes * plane, sizeof *waves);
	float *data = mem_new(f->k * plane, sizeof *data);

	f->frames = (struct frames){
		.k = f->k, .n = f->n, .data = data, .pages = f->k, .dc = DC_CORNER, .dc_ratio = 2
	};
	f->frames.reason = mem_new(f->k, sizeof *f->frames.reason);
	f->frames.invalid = mem_new(f->k, sizeof *f->frames.invalid);
	f->frames.photons = mem_new(f->k, sizeof *f->frames.photons);
	f->frames.kept = mem_new(f->k, sizeof *f->frames.kept);
	for (size_t k = 0; k < f->k; k++) {
		fixture_waves(f, f->true_object, f->true_probe, f->s[k], waves);
		for (size_t i = 0; i < plane; i++) {
			double sum = 0;

			for (size_t m = 0; m < f->modes; m++)
				sum += creal(waves[m * plane + i] * conj(waves[m * plane + i]));
			data[k * plane + i] = (float)sum;
			f->frames.photons[k] += sum;
		}
		f->frames.reason[k] = "";
		f->frames.kept[k] = (long)k;
	}
	free(waves);
}

void fixture_make(struct fixture *f, size_t side, size_t n, size_t modes, double photons,
		  bool fraction)
{
	size_t plane = n * n;
	struct rng r;

	*f = (struct fixture){ .k = side * side, .n = n, .modes = modes };
	rng_init(&r, 5);
	f->h = f->w = n + 4 + (side - 1) * (n / 4) + 4;
	f->s = mem_new(f->k, sizeof *f->s);
	for (size_t k = 0; k < f->k; k++)
		for (int a = 0; a < 2; a++) {
			double v = 4 + (double)((a ? k % side : k / side) * (n / 4)) +
				   4 * rng_uniform(&r) - 2;

			f->s[k][a] = fraction ? v : floor(v);
		}
	f->true_object = mem_new(f->h * f->w, sizeof *f->true_object);
	f->true_probe = mem_new(modes * plane, sizeof *f->true_probe);
	f->object = mem_new(f->h * f->w, sizeof *f->object);
	f->probe = mem_new(modes * plane, sizeof *f->probe);
	for (size_t i = 0; i < f->h * f->w; i++)
		f->object[i] = (float complex)random_phase(&r, 0.5);
	for (size_t i = 0; i < modes * plane; i++)
		f->probe[i] = (float complex)(sqrt(photons) * (i < plane ? 1 : 0.3) *
					      random_phase(&r, 0.5));
	for (int i = 0; i < 3; i++)
		smooth(f->h, f->w, f->object);
	/* the truth is what single precision holds */
	for (size_t i = 0; i < f->h * f->w; i++)
		f->true_object[i] = (double complex)f->object[i];
	for (size_t i = 0; i < modes * plane; i++)
		f->true_probe[i] = (double complex)f->probe[i];
	make_frames(f);
}

void fixture_beam(struct fixture *f)
{
	double c = (double)(f->n / 2), width = (double)f->n / 8;

	for (size_t i = 0; i < f->modes * f->n * f->n; i++) {
		double y = (double)(i / f->n % f->n) - c, x = (double)(i % f->n) - c;

		f->probe[i] *= (float)exp(-(y * y + x * x) / (2 * width * width));
	}
	for (size_t m = 0; m < f->modes; m++)
		smooth(f->n, f->n, f->probe + m * f->n * f->n);
	for (size_t i = 0; i < f->modes * f->n * f->n; i++)
		f->true_probe[i] = (double complex)f->probe[i];
	frames_clear(&f->frames);
	make_frames(f);
}

void fixture_mask(struct fixture *f)
{
	float *data = f->frames.data;

	for (size_t k = 0; k < f->k; k++)
		for (size_t i = k % 3; i < f->n * f->n; i += 29)
			data[k * f->n * f->n + i] = -1;
}

void fixture_clear(struct fixture *f)
{
	frames_clear(&f->frames);
	free(f->s);
	free(f->object);
	free(f->probe);
	free(f->true_object);
	free(f->true_probe);
	*f = (struct fixture){ 0 };
}

/* ---- runs */

struct ptycho_opts fixture_opts(void)
{
	return (struct ptycho_opts){ .probe_start = 1, .gauge = true, .log_every = 1 };
}

int fixture_start(const struct fixture *f, struct dev *d, const struct ptycho_opts *o, size_t room,
		  bool resident, struct ptycho *p)
{
	return ptycho_init(p, d, o, &f->frames, (const double(*)[2])f->s, f->h, f->w, f->modes,
			   f->probe, f->object, room, resident);
}

struct stage fixture_stage(const char *engine, long iterations, size_t batch)
{
	struct stage s = { .engine = engine_find(engine),
			   .iterations = iterations,
			   .batch = batch,
			   .refine = true,
			   .alpha = 1,
			   .beta = 1,
			   .noise = NOISE_GAUSS,
			   .step = 0.9,
			   .delta = 0.1,
			   .damp = 0.1,
			   .momentum = 0.5,
			   .norm = 1e-3,
			   .relax = 0.05,
			   .inner = 10,
			   .floor = 0.1 };

	if (strcmp(engine, "rpie") == 0)
		s.alpha = s.beta = 0.5;
	if (strcmp(engine, "wasp") == 0)
		s.alpha = 2;
	if (strcmp(engine, "raar") == 0)
		s.beta = 0.75;
	if (strcmp(engine, "er") == 0)
		s.inner = 1;
	if (strcmp(engine, "mlgrad") == 0)
		s.noise = NOISE_POISSON;
	if (strcmp(engine, "ml") == 0)
		s.noise = NOISE_EUCLID;
	return s;
}

static int take_row(void *arg, struct ptycho *p, const struct ptycho_row *row)
{
	struct fixture_log *log = arg;

	(void)p;
	if (log->n < sizeof log->row / sizeof log->row[0])
		log->row[log->n++] = *row;
	return 0;
}

int fixture_run(struct ptycho *p, const struct stage *stages, size_t n, struct fixture_log *log)
{
	struct chain_ops ops = { .row = take_row, .arg = log };

	log->n = 0;
	return chain_run(p, stages, n, &ops, &log->final);
}

/* ---- comparisons */

double fixture_distance(const float complex *a, const float complex *b, size_t n)
{
	double num = 0, den = 0;

	for (size_t i = 0; i < n; i++) {
		double complex e = (double complex)a[i] - (double complex)b[i],
			       v = (double complex)b[i];

		num += creal(e * conj(e));
		den += creal(v * conj(v));
	}
	return sqrt(num / den);
}

static int compare_log(const struct fixture_log *log, const char *path, double *worst)
{
	struct csv t = { 0 };
	int rc = -1;

	*worst = 0;
	if (csv_read(path, false, &t) != 0)
		return -1;
	if (t.rows != log->n + 1) {
		error("'%s': %zu rows, expected %zu", path, t.rows, log->n + 1);
		goto done;
	}
	for (size_t i = 0; i < t.rows; i++) {
		const struct ptycho_row *r = i < log->n ? &log->row[i] : &log->final;
		double have[4] = { r->R, r->chi, r->fmag, r->nll }, want;
		const char *const name[4] = { "R", "chi", "fmag", "nll" };

		for (int c = 0; c < 4; c++) {
			size_t column;

			if (csv_need(&t, name[c], &column) != 0 ||
			    csv_double(&t, i, column, false, &want) != 0)
				goto done;
			if (!(fabs(have[c] - want) <= *worst * fabs(want)))
				*worst = fabs(have[c] - want) / fabs(want);
		}
	}
	rc = 0;
done:
	csv_clear(&t);
	return rc;
}

int fixture_compare(struct ptycho *p, const struct fixture_log *log, const char *shared,
		    const char *name, struct fixture_difference *diff)
{
	float complex *object = mem_new(p->h * p->w, sizeof *object), *want_probe = NULL;
	float complex *probe = mem_new(p->modes * p->n * p->n, sizeof *probe);
	struct array o = { 0 }, q = { 0 };
	char path[3][4096];
	const float *v;
	int rc = -1;

	*diff = (struct fixture_difference){ 0 };
	snprintf(path[0], sizeof path[0], "%s/golden/ptycho/%s_object.tif", shared, name);
	snprintf(path[1], sizeof path[1], "%s/golden/ptycho/%s_probe.tif", shared, name);
	snprintf(path[2], sizeof path[2], "%s/golden/ptycho/%s_log.csv", shared, name);
	if (read_f32(path[0], &o) != 0 || read_f32(path[1], &q) != 0 ||
	    compare_log(log, path[2], &diff->log) != 0 || ptycho_read(p, object, probe) != 0)
		goto done;
	if (o.ny != p->h || o.nx != p->w || o.nz != 3 || q.nz != 2 * p->modes || q.ny != p->n) {
		error("'%s': an object of %zu x %zu, expected %zu x %zu", path[0], o.ny, o.nx, p->h,
		      p->w);
		goto done;
	}
	v = o.data;
	for (size_t i = 0, plane = p->h * p->w; i < plane; i++)
		if (v[2 * plane + i] > 0.05f) {
			double e = cabs((double complex)object[i] -
					((double)v[i] + I * (double)v[plane + i]));

			if (!(e <= diff->object))
				diff->object = e;
		}
	want_probe = from_pages(&q);
	diff->probe = fixture_distance(probe, want_probe, p->modes * p->n * p->n);
	rc = 0;
done:
	free(object);
	free(probe);
	free(want_probe);
	array_clear(&o);
	array_clear(&q);
	return rc;
}
