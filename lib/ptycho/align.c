#include "ptycho/align.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "base/team.h"
#include "dev/fft.h"

enum { ROUNDS = 4, PARAMETERS = 4, MOST_ITERATIONS = 250 };

struct work {
	struct dev *d;
	size_t h, w, top, left, ch, cw; /* image, its inner 3/4 */
	size_t ph, pw;			/* padded */
	const float complex *a, *b;
	float complex *B;		/* [h][w] spectrum of b - mean(b) */
	float complex *turn_y, *turn_x; /* [h], [w] factors of rows and columns */
	double (*rows)[4];		/* [h] sums of a row: Re, Im of t* b, |t|^2, |b|^2 */
	struct buf *t, *padded;
	struct fft *forward, *backward, *pad;
	/* of the parallel loop at hand */
	float complex *to;
	const float complex *from;
	double scale;
};

static float complex times(float complex p, float complex q)
{
	float a = crealf(p), b = cimagf(p), c = crealf(q), e = cimagf(q);

	return CMPLXF(a * c - b * e, a * e + b * c);
}

static double power(float complex p)
{
	double a = (double)crealf(p), b = (double)cimagf(p);

	return a * a + b * b;
}

/* turn[i] = exp(2 pi i cycles k), k = i, or with `wrapped` the signed frequency i of n */
static void fill_turn(float complex *turn, size_t n, double cycles, bool wrapped)
{
	for (size_t i = 0; i < n; i++) {
		double k = wrapped && 2 * i >= n ? (double)i - (double)n : (double)i,
		       angle = 2 * M_PI * remainder(cycles * k, 1);

		turn[i] = CMPLXF((float)cos(angle), (float)sin(angle));
	}
}

/* to = from turn_y turn_x scale */
static void turn_row(void *arg, size_t y, int member)
{
	struct work *s = arg;
	float complex row = s->turn_y[y];
	float scale = (float)s->scale;

	(void)member;
	for (size_t x = 0; x < s->w; x++) {
		float complex v = times(s->from[y * s->w + x], times(row, s->turn_x[x]));

		s->to[y * s->w + x] = CMPLXF(crealf(v) * scale, cimagf(v) * scale);
	}
}

static void turn(struct work *s, const float complex *from, float complex *to, double y, double x,
		 bool wrapped, double scale)
{
	fill_turn(s->turn_y, s->h, y, wrapped);
	fill_turn(s->turn_x, s->w, x, wrapped);
	s->from = from;
	s->to = to;
	s->scale = scale;
	team_run(0, s->h, turn_row, s);
}

/* s->t = a with the ramp of v[2], v[3] cycles per image, then shifted by v[0], v[1]; mapped, NULL after reporting.  The ramp comes
 * first: it leaves a step where the image wraps around, which a shift would smear. */
static float complex *move(struct work *s, const double v[PARAMETERS])
{
	double h = (double)s->h, w = (double)s->w;
	float complex *t = buf_map(s->t, MAP_WRITE | MAP_DISCARD);

	if (!t)
		return NULL;
	turn(s, s->a, t, v[2] / h, v[3] / w, false, 1);
	if (buf_unmap(s->t) != 0 || fft_run(s->forward, s->t, 0, s->t, 0) != 0)
		return NULL;
	t = buf_map(s->t, MAP_READ | MAP_WRITE);
	if (!t)
		return NULL;
	turn(s, t, t, -v[0] / h, -v[1] / w, true, 1 / (h * w));
	if (buf_unmap(s->t) != 0 || fft_run(s->backward, s->t, 0, s->t, 0) != 0)
		return NULL;
	return buf_map(s->t, MAP_READ | MAP_WRITE);
}

static void sum_row(void *arg, size_t y, int member)
{
	struct work *s = arg;
	const float complex *t = s->from + (s->top + y) * s->w + s->left,
			    *b = s->b + (s->top + y) * s->w + s->left;
	double re = 0, im = 0, tt = 0, bb = 0;

	(void)member;
	for (size_t x = 0; x < s->cw; x++) {
		double tr = (double)crealf(t[x]), ti = (double)cimagf(t[x]),
		       br = (double)crealf(b[x]), bi = (double)cimagf(b[x]);

		re += tr * br + ti * bi;
		im += tr * bi - ti * br;
		tt += tr * tr + ti * ti;
		bb += br * br + bi * bi;
	}
	memcpy(s->rows[y], (double[4]){ re, im, tt, bb }, sizeof s->rows[y]);
}

/* Sum of t* b, |t|^2, |b|^2 over the inner 3/4. */
static void sums(struct work *s, const float complex *t, double sum[4])
{
	s->from = t;
	team_run(0, s->ch, sum_row, s);
	memset(sum, 0, 4 * sizeof *sum);
	for (size_t y = 0; y < s->ch; y++)
		for (int i = 0; i < 4; i++)
			sum[i] += s->rows[y][i];
}

/* |f t - b|^2 / |b|^2 for the best f; f may be NULL. */
static double left_over(const double sum[4], double f[2])
{
	double part = sum[2] * sum[3] > 0 ? (sum[0] * sum[0] + sum[1] * sum[1]) / (sum[2] * sum[3]) : 0;

	if (f) {
		f[0] = sum[2] > 0 ? sum[0] / sum[2] : 0;
		f[1] = sum[2] > 0 ? sum[1] / sum[2] : 0;
	}
	return part < 1 ? 1 - part : 0;
}

static int cost(struct work *s, const double v[PARAMETERS], double *f)
{
	double sum[4];
	const float complex *t = move(s, v);

	if (!t)
		return -1;
	sums(s, t, sum);
	*f = left_over(sum, NULL);
	return buf_unmap(s->t);
}

/* Where |v| [h][w] is largest: wrapped coordinates, a parabola through three values per axis. */
static void peak(const float complex *v, size_t h, size_t w, double at[2])
{
	size_t best = 0, n[2] = { h, w }, p[2];
	double top = -1;

	for (size_t i = 0; i < h * w; i++)
		if (power(v[i]) > top) {
			top = power(v[i]);
			best = i;
		}
	p[0] = best / w;
	p[1] = best % w;
	for (int a = 0; a < 2; a++) {
		double m[3], bend;

		for (size_t k = 0; k < 3; k++) {
			size_t q[2] = { p[0], p[1] };

			q[a] = (p[a] + n[a] + k - 1) % n[a];
			m[k] = sqrt(power(v[q[0] * w + q[1]]));
		}
		bend = m[0] - 2 * m[1] + m[2];
		at[a] = (double)p[a] + (bend < 0 ? 0.5 * (m[0] - m[2]) / bend : 0);
		if (at[a] > (double)n[a] / 2)
			at[a] -= (double)n[a];
	}
}

/* Ramp in cycles per image, from the peak of the padded spectrum of b t*. */
static int find_ramp(struct work *s, double v[PARAMETERS])
{
	const float complex *t = move(s, v);
	float complex *p = t ? buf_map(s->padded, MAP_WRITE | MAP_DISCARD) : NULL;
	double at[2];

	if (!p)
		return -1;
	memset(p, 0, (fft_prunes(s->d) ? s->ch : s->ph) * s->pw * sizeof *p);
	for (size_t y = 0; y < s->ch; y++)
		for (size_t x = 0; x < s->cw; x++) {
			size_t i = (s->top + y) * s->w + s->left + x;

			p[y * s->pw + x] = times(s->b[i], conjf(t[i]));
		}
	if (buf_unmap(s->t) != 0 || buf_unmap(s->padded) != 0 ||
	    fft_run(s->pad, s->padded, 0, s->padded, 0) != 0)
		return -1;
	p = buf_map(s->padded, MAP_READ);
	if (!p)
		return -1;
	peak(p, s->ph, s->pw, at);
	v[2] += at[0] * (double)s->h / (double)s->ph;
	v[3] += at[1] * (double)s->w / (double)s->pw;
	return buf_unmap(s->padded);
}

/* Shift in px, from the peak of the correlation of t and b, both without their means. */
static int find_shift(struct work *s, double v[PARAMETERS])
{
	float complex *t = move(s, v);
	double at[2];

	if (!t || buf_unmap(s->t) != 0 || fft_run(s->forward, s->t, 0, s->t, 0) != 0)
		return -1;
	t = buf_map(s->t, MAP_READ | MAP_WRITE);
	if (!t)
		return -1;
	for (size_t i = 0; i < s->h * s->w; i++)
		t[i] = times(s->B[i], conjf(t[i]));
	t[0] = 0;
	if (buf_unmap(s->t) != 0 || fft_run(s->backward, s->t, 0, s->t, 0) != 0)
		return -1;
	t = buf_map(s->t, MAP_READ);
	if (!t)
		return -1;
	peak(t, s->h, s->w, at);
	v[0] += at[0];
	v[1] += at[1];
	return buf_unmap(s->t);
}

/* ---- the simplex */

struct vertex {
	double v[PARAMETERS], f;
};

/* to = mean + by (mean - worst), evaluated */
static int step(struct work *s, const struct vertex *simplex, double by, struct vertex *to)
{
	for (int k = 0; k < PARAMETERS; k++) {
		double mean = 0;

		for (int i = 0; i < PARAMETERS; i++)
			mean += simplex[i].v[k] / PARAMETERS;
		to->v[k] = mean + by * (mean - simplex[PARAMETERS].v[k]);
	}
	return cost(s, to->v, &to->f);
}

static int ascending(const void *a, const void *b)
{
	const struct vertex *x = a, *y = b;

	return (x->f > y->f) - (x->f < y->f);
}

static bool small(const struct vertex *simplex)
{
	double size = 0;

	for (int i = 1; i <= PARAMETERS; i++)
		for (int k = 0; k < PARAMETERS; k++)
			size = fmax(size, fabs(simplex[i].v[k] - simplex[0].v[k]));
	return size <= 1e-3 && simplex[PARAMETERS].f - simplex[0].f <= 1e-9;
}

/* The worst vertex is replaced by a better one, or all are drawn to the best. */
static int improve(struct work *s, struct vertex *simplex)
{
	struct vertex *worst = simplex + PARAMETERS, r, e;

	if (step(s, simplex, 1, &r) != 0)
		return -1;
	if (r.f < simplex[0].f) {
		if (step(s, simplex, 2, &e) != 0)
			return -1;
		*worst = e.f < r.f ? e : r;
		return 0;
	}
	if (r.f < worst[-1].f) {
		*worst = r;
		return 0;
	}
	if (step(s, simplex, r.f < worst->f ? 0.5 : -0.5, &e) != 0)
		return -1;
	if (e.f < worst->f && e.f <= r.f) {
		*worst = e;
		return 0;
	}
	for (int i = 1; i <= PARAMETERS; i++) {
		for (int k = 0; k < PARAMETERS; k++)
			simplex[i].v[k] = 0.5 * (simplex[i].v[k] + simplex[0].v[k]);
		if (cost(s, simplex[i].v, &simplex[i].f) != 0)
			return -1;
	}
	return 0;
}

static int refine(struct work *s, double v[PARAMETERS])
{
	struct vertex simplex[PARAMETERS + 1];

	for (int i = 0; i <= PARAMETERS; i++) {
		memcpy(simplex[i].v, v, sizeof simplex[i].v);
		if (i > 0)
			simplex[i].v[i - 1] += 0.3;
		if (cost(s, simplex[i].v, &simplex[i].f) != 0)
			return -1;
	}
	for (int i = 0;; i++) {
		qsort(simplex, PARAMETERS + 1, sizeof *simplex, ascending);
		if (i == MOST_ITERATIONS || small(simplex))
			break;
		if (improve(s, simplex) != 0)
			return -1;
	}
	memcpy(v, simplex[0].v, sizeof simplex[0].v);
	return 0;
}

/* ---- */

static void work_clear(struct work *s)
{
	fft_free(s->forward);
	fft_free(s->backward);
	fft_free(s->pad);
	buf_free(s->t);
	buf_free(s->padded);
	free(s->B);
	free(s->turn_y);
	free(s->turn_x);
	free(s->rows);
}

static void mean_of(const float complex *v, size_t n, double mean[2])
{
	mean[0] = mean[1] = 0;
	for (size_t i = 0; i < n; i++) {
		mean[0] += (double)crealf(v[i]);
		mean[1] += (double)cimagf(v[i]);
	}
	mean[0] /= (double)n;
	mean[1] /= (double)n;
}

/* s->B */
static int spectrum(struct work *s)
{
	float complex *t = buf_map(s->t, MAP_WRITE | MAP_DISCARD);
	double mean[2];

	if (!t)
		return -1;
	mean_of(s->b, s->h * s->w, mean);
	for (size_t i = 0; i < s->h * s->w; i++)
		t[i] = CMPLXF((float)((double)crealf(s->b[i]) - mean[0]),
			      (float)((double)cimagf(s->b[i]) - mean[1]));
	if (buf_unmap(s->t) != 0 || fft_run(s->forward, s->t, 0, s->t, 0) != 0)
		return -1;
	return buf_read(s->t, 0, s->B, s->h * s->w * sizeof *s->B);
}

/* Side of the padded correlation; large images make do with less. */
static size_t padded(size_t n)
{
	return fft_good_size(n > 1024 ? 2 * n : 4 * n);
}

size_t align_bytes(size_t h, size_t w)
{
	return (h * w + padded(h) * padded(w)) * sizeof(float complex);
}

static int work_init(struct work *s)
{
	size_t h = s->h, w = s->w, count = h * w;
	struct fft_desc n = { .kind = FFT_FORWARD, .ny = h, .nx = w };

	s->top = h / 8;
	s->left = w / 8;
	s->ch = h - 2 * s->top;
	s->cw = w - 2 * s->left;
	s->ph = padded(h);
	s->pw = padded(w);
	s->B = mem_try("alignment", count, sizeof *s->B);
	s->turn_y = mem_new(h, sizeof *s->turn_y);
	s->turn_x = mem_new(w, sizeof *s->turn_x);
	s->rows = mem_new(h, sizeof *s->rows);
	s->t = buf_new(s->d, count * sizeof *s->B);
	s->padded = buf_new(s->d, s->ph * s->pw * sizeof *s->B);
	if (!s->B || !s->t || !s->padded)
		return -1;
	s->forward = fft_new(s->d, &n);
	n.kind = FFT_BACKWARD;
	s->backward = fft_new(s->d, &n);
	s->pad = fft_new(s->d, &(struct fft_desc){ .kind = FFT_FORWARD, .ny = s->ph, .nx = s->pw,
						   .rows_lo = s->ch });
	if (!s->forward || !s->backward || !s->pad)
		return -1;
	return spectrum(s);
}

/* a' of v to `moved`, and what is left. */
static int finish(struct work *s, const double v[PARAMETERS], float complex *moved,
		  struct align *r)
{
	const float complex *t = move(s, v);
	double sum[4];

	if (!t)
		return -1;
	sums(s, t, sum);
	r->nrmse = sqrt(left_over(sum, r->factor));
	for (size_t i = 0; moved && i < s->h * s->w; i++)
		moved[i] = times(t[i], CMPLXF((float)r->factor[0], (float)r->factor[1]));
	for (int a = 0; a < 2; a++) {
		r->shift[a] = v[a];
		r->ramp[a] = v[2 + a] / (double)(a == 0 ? s->h : s->w);
	}
	return buf_unmap(s->t);
}

int align(struct dev *d, size_t h, size_t w, const float complex *a, const float complex *b,
	  float complex *moved, struct align *result)
{
	struct work s = { .d = d, .h = h, .w = w, .a = a, .b = b };
	double v[PARAMETERS] = { 0 };
	int rc = -1;

	if (work_init(&s) != 0)
		goto done;
	for (int i = 0; i < ROUNDS; i++)
		if (find_ramp(&s, v) != 0 || find_shift(&s, v) != 0)
			goto done;
	if (refine(&s, v) != 0 || finish(&s, v, moved, result) != 0)
		goto done;
	rc = 0;
done:
	work_clear(&s);
	return rc;
}

double align_distance(size_t h, size_t w, const float complex *a, const float complex *b)
{
	double apart = 0, all = 0;

	for (size_t y = h / 8; y < h - h / 8; y++)
		for (size_t x = w / 8; x < w - w / 8; x++) {
			size_t i = y * w + x;
			double re = (double)crealf(a[i]) - (double)crealf(b[i]),
			       im = (double)cimagf(a[i]) - (double)cimagf(b[i]);

			apart += re * re + im * im;
			all += power(b[i]);
		}
	return sqrt(apart / all);
}

int align_compare(struct dev *d, size_t h, size_t w, const float complex *object, size_t truth_h,
		  size_t truth_w, const float complex *truth, size_t n, size_t margin,
		  double *nrmse)
{
	size_t t = n / 2 + margin, ih = truth_h - 2 * t, iw = truth_w - 2 * t;
	long dy = ((long)h - (long)truth_h) / 2, dx = ((long)w - (long)truth_w) / 2;
	float complex *a = NULL, *b = NULL;
	struct align r;
	int rc = -1;

	if (truth_h < 2 * t + 8 || truth_w < 2 * t + 8 || (long)t + dy < 0 || (long)t + dx < 0 ||
	    t + ih + (size_t)dy > h || t + iw + (size_t)dx > w)
		return error("an object of %zux%zu and a truth of %zux%zu, expected both larger "
			     "than %zu", h, w, truth_h, truth_w, 2 * t + 8);
	a = mem_try("comparison", ih * iw, sizeof *a);
	b = mem_try("comparison", ih * iw, sizeof *b);
	if (!a || !b)
		goto done;
	for (size_t y = 0; y < ih; y++)
		for (size_t x = 0; x < iw; x++) {
			float complex o = object[((size_t)((long)(t + y) + dy)) * w +
						 (size_t)((long)(t + x) + dx)];
			bool finite = isfinite(crealf(o)) && isfinite(cimagf(o));

			a[y * iw + x] = finite ? o : 0;
			b[y * iw + x] = truth[(t + y) * truth_w + t + x];
		}
	rc = align(d, ih, iw, a, b, NULL, &r);
	*nrmse = r.nrmse;
done:
	free(a);
	free(b);
	return rc;
}
