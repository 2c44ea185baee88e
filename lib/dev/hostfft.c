/* Rows, then columns, each by one-dimensional FFTW plans on aligned scratch: every one-dimensional
 * transform runs the same plan from memory of the same alignment, wherever its data lie and
 * whichever thread runs it, so that its bytes never differ.  Columns are transposed into contiguous
 * memory in blocks: FFTW's strided plans take 1.5 to 3 times as long (bench/fft.c).  Small complex images whose sides are powers of two
 * are the exception: FFTW's two-dimensional plan, in place, takes 0.1 to 0.7 of the time, and one thread does each. */
#include "dev/hostfft.h"

#include <complex.h>
#include <fftw3.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "base/team.h"

enum {
	BLOCK = 16, /* columns gathered at a time */
	ROWS = 16,  /* rows of one task */
};

typedef float complex cfloat;
typedef double v2 __attribute__((vector_size(16), aligned(8),
				 may_alias)); /* two complex numbers, only moved */
typedef long v2i __attribute__((vector_size(16)));
typedef float v4
	__attribute__((vector_size(16), aligned(8), may_alias)); /* the same, computed with */
typedef int v4i __attribute__((vector_size(16)));

struct hostfft {
	struct fft_desc n;
	bool slow, half; /* half: real rows as complex ones of half the length */
	int threads;
	size_t pitch;	     /* between columns in the scratch */
	size_t scratch_size; /* complex numbers of one thread's one scratch; there are two */
	cfloat *scratch, *turn;
	fftwf_plan row, col;
	fftwf_plan image; /* of small images, in place, or NULL */
};

/* dst[c][r] = src[r][c] of complex numbers, pitches in numbers; 8 rows at a time, so that a line of
 * dst is filled at once. */
static void transpose(const cfloat *src, size_t src_pitch, cfloat *dst, size_t dst_pitch,
		      size_t rows, size_t cols)
{
	const v2i lo = { 0, 2 }, hi = { 1, 3 };
	size_t r, c;

	for (r = 0; r + 8 <= rows; r += 8) {
		for (c = 0; c + 2 <= cols; c += 2) {
			const cfloat *s = src + r * src_pitch + c;
			cfloat *d = dst + c * dst_pitch + r;
			/* all loads first: they are what takes the time */
			v2 a0 = *(const v2 *)s, a1 = *(const v2 *)(s += src_pitch),
			   a2 = *(const v2 *)(s += src_pitch);
			v2 a3 = *(const v2 *)(s += src_pitch), a4 = *(const v2 *)(s += src_pitch);
			v2 a5 = *(const v2 *)(s += src_pitch), a6 = *(const v2 *)(s += src_pitch);
			v2 a7 = *(const v2 *)(s += src_pitch);

			*(v2 *)d = __builtin_shuffle(a0, a1, lo);
			*(v2 *)(d + 2) = __builtin_shuffle(a2, a3, lo);
			*(v2 *)(d + 4) = __builtin_shuffle(a4, a5, lo);
			*(v2 *)(d + 6) = __builtin_shuffle(a6, a7, lo);
			d += dst_pitch;
			*(v2 *)d = __builtin_shuffle(a0, a1, hi);
			*(v2 *)(d + 2) = __builtin_shuffle(a2, a3, hi);
			*(v2 *)(d + 4) = __builtin_shuffle(a4, a5, hi);
			*(v2 *)(d + 6) = __builtin_shuffle(a6, a7, hi);
		}
		for (; c < cols; c++)
			for (size_t k = r; k < r + 8; k++)
				dst[c * dst_pitch + k] = src[k * src_pitch + c];
	}
	for (; r < rows; r++)
		for (c = 0; c < cols; c++)
			dst[c * dst_pitch + r] = src[r * src_pitch + c];
}

static inline v4 swap(v4 a) /* two complex numbers change places */
{
	return __builtin_shuffle(a, (v4i){ 2, 3, 0, 1 });
}

static inline v4 turn_by(v4 w, v4 a) /* complex products, rounded as the scalar ones */
{
	v4 re = __builtin_shuffle(w, (v4i){ 0, 0, 2, 2 }),
	   im = __builtin_shuffle(w, (v4i){ 1, 1, 3, 3 });

	return re * a + (v4){ -1, 1, -1, 1 } * im * __builtin_shuffle(a, (v4i){ 1, 0, 3, 2 });
}

/* Real transforms of even length 2 h through complex ones of length h: FFTW's real codelets are not
 * vectorised, which costs a factor of two.  With z[m] = x[2m] + i x[2m+1]:  X[k] = E + T O, X[h-k]*
 * = E - T O,  E, O = (Z[k] +- Z[h-k]*) / 2, T = -i exp(-pi i k / h) = turn[k].  (Numerical
 * Recipes, 12.3.)  Writes X[0 .. wanted - 1]. */
static void split(const cfloat *turn, const cfloat *z, size_t h, cfloat *x, size_t wanted)
{
	const v4 conj = { 1, -1, 1, -1 };
	size_t k = 1;

	x[0] = crealf(z[0]) + cimagf(z[0]);
	if (wanted > h)
		x[h] = crealf(z[0]) - cimagf(z[0]);
	for (; k + 1 < wanted && k + 1 < h; k += 2) {
		v4 a = *(const v4 *)(z + k), b = conj * swap(*(const v4 *)(z + h - k - 1));

		*(v4 *)(x + k) = 0.5f * ((a + b) + turn_by(*(const v4 *)(turn + k), a - b));
	}
	for (; k < wanted && k < h; k++) {
		cfloat a = z[k], b = conjf(z[h - k]), o = a - b;
		float tr = crealf(turn[k]), ti = cimagf(turn[k]);

		x[k] = 0.5f * ((a + b) + CMPLXF(tr * crealf(o) - ti * cimagf(o),
						tr * cimagf(o) + ti * crealf(o)));
	}
}

/* The reverse, unnormalised: Z[k] = (X[k] + X[h-k]*) + conj(T) (X[k] - X[h-k]*).  The imaginary
 * parts of X[0] and X[h] are ignored, as FFTW does. */
static void join(const cfloat *turn, const cfloat *x, size_t h, cfloat *z)
{
	const v4 conj = { 1, -1, 1, -1 };
	size_t k = 1;

	z[0] = CMPLXF(crealf(x[0]) + crealf(x[h]), crealf(x[0]) - crealf(x[h]));
	for (; k + 1 < h; k += 2) {
		v4 a = *(const v4 *)(x + k), b = conj * swap(*(const v4 *)(x + h - k - 1));

		*(v4 *)(z + k) = (a + b) + turn_by(conj * *(const v4 *)(turn + k), a - b);
	}
	for (; k < h; k++) {
		cfloat a = x[k], b = conjf(x[h - k]), o = a - b;
		float tr = crealf(turn[k]), ti = -cimagf(turn[k]);

		z[k] = (a + b) +
		       CMPLXF(tr * crealf(o) - ti * cimagf(o), tr * cimagf(o) + ti * crealf(o));
	}
}

static bool aligned(const void *p)
{
	return (size_t)p % 16 == 0;
}

/* The row itself if a plan may read it there, else its copy in the scratch. */
static void *readable(const void *in, const void *out, void *scratch, size_t bytes)
{
	if (aligned(in) && in != out)
		return (void *)in;
	return memcpy(scratch, in, bytes);
}

/* One row of a complex transform; a and b are scratch. */
static void row_c2c(const struct hostfft *h, const cfloat *in, cfloat *out, cfloat *a, cfloat *b)
{
	cfloat *to = aligned(out) ? out : b;

	fftwf_execute_dft(h->row, readable(in, out, a, h->n.nx * sizeof *a), (fftwf_complex *)to);
	if (to == b)
		memcpy(out, b, h->n.nx * sizeof *b);
}

static void row_r2c(const struct hostfft *h, const float *in, cfloat *out, cfloat *a, cfloat *b)
{
	void *from = readable(in, out, a, h->n.nx * sizeof *in);

	if (h->half) {
		fftwf_execute_dft(h->row, from, (fftwf_complex *)b);
		split(h->turn, b, h->n.nx / 2, out, h->n.cols_lo);
	} else {
		fftwf_execute_dft_r2c(h->row, from, (fftwf_complex *)b);
		memcpy(out, b, h->n.cols_lo * sizeof *b);
	}
}

static void row_c2r(const struct hostfft *h, const cfloat *in, float *out, cfloat *a, cfloat *b)
{
	size_t half = h->n.nx / 2 + 1, wanted = h->n.cols_lo;

	memcpy(a, in, wanted * sizeof *a);
	memset(a + wanted, 0, (half - wanted) * sizeof *a);
	if (h->half) {
		cfloat *to = aligned(out) ? (cfloat *)out : a;

		join(h->turn, a, h->n.nx / 2, b);
		fftwf_execute_dft(h->row, (fftwf_complex *)b, (fftwf_complex *)to);
		if (to == a)
			memcpy(out, a, h->n.nx * sizeof *out);
	} else {
		fftwf_execute_dft_c2r(h->row, (fftwf_complex *)a, (float *)b);
		memcpy(out, b, h->n.nx * sizeof *out);
	}
}

/* The r-th of the rows that may be non-zero. */
static void run_row(const struct hostfft *h, void *in, void *out, size_t r, cfloat *a, cfloat *b)
{
	const struct fft_desc *n = &h->n;
	size_t y = r < n->rows_lo ? r : n->ny - n->rows_lo - n->rows_hi + r;

	switch (n->kind) {
	case FFT_FORWARD:
	case FFT_BACKWARD:
		row_c2c(h, (cfloat *)in + y * n->in_row, (cfloat *)out + y * n->out_row, a, b);
		break;
	case FFT_R2C:
		row_r2c(h, (float *)in + y * n->in_row, (cfloat *)out + y * n->out_row, a, b);
		break;
	case FFT_C2R:
		row_c2r(h, (cfloat *)in + y * n->in_row, (float *)out + y * n->out_row, a, b);
		break;
	}
}

static size_t blocks(size_t columns)
{
	return (columns + BLOCK - 1) / BLOCK;
}

/* The i-th block of wanted columns, in place on data [ny][pitch]. */
static void run_block(const struct hostfft *h, cfloat *data, size_t pitch, size_t i, cfloat *a,
		      cfloat *b)
{
	const struct fft_desc *n = &h->n;
	size_t lo = blocks(n->cols_lo), end = n->cols_lo, x = i * BLOCK, w, rows = n->rows_lo,
	       top = n->ny - n->rows_hi;

	if (i >= lo) {
		x = n->nx - n->cols_hi + (i - lo) * BLOCK;
		end = n->nx;
	}
	w = end - x < BLOCK ? end - x : BLOCK;
	transpose(data + x, pitch, a, h->pitch, rows, w);
	if (top > rows)
		for (size_t c = 0; c < w; c++)
			memset(a + c * h->pitch + rows, 0, (top - rows) * sizeof *a);
	transpose(data + top * pitch + x, pitch, a + top, h->pitch, n->ny - top, w);
	for (size_t c = 0; c < w; c++)
		fftwf_execute_dft(h->col, (fftwf_complex *)(a + c * h->pitch),
				  (fftwf_complex *)(b + c * h->pitch));
	transpose(b, h->pitch, data + x, pitch, w, n->ny);
}

static char *item(const struct hostfft *h, char *base, size_t i, bool output)
{
	bool real = h->n.kind == (output ? FFT_C2R : FFT_R2C);

	return base + i * (output ? h->n.out_dist : h->n.in_dist) *
			      (real ? sizeof(float) : sizeof(cfloat));
}

/* The transform of a small image; all of a call have one alignment. */
static void run_image(const struct hostfft *h, const cfloat *in, cfloat *out)
{
	if (in != out)
		memcpy(out, in, h->n.ny * h->n.nx * sizeof *out);
	fftwf_execute_dft(h->image, (fftwf_complex *)out, (fftwf_complex *)out);
}

/* One transform by the calling thread alone: its rows and columns stay in that core's cache. */
static void run_whole(const struct hostfft *h, void *in, void *out, size_t rows, size_t cols,
		      cfloat *a, cfloat *b)
{
	if (h->n.kind == FFT_C2R)
		for (size_t k = 0; k < cols; k++)
			run_block(h, in, h->n.in_row, k, a, b);
	for (size_t r = 0; r < rows; r++)
		run_row(h, in, out, r, a, b);
	if (h->n.kind != FFT_C2R)
		for (size_t k = 0; k < cols; k++)
			run_block(h, out, h->n.out_row, k, a, b);
}

/* A call of hostfft_run, for the tasks of its threads. */
struct call {
	const struct hostfft *h;
	char *in, *out;
	size_t rows, cols;
};

static cfloat *scratch_of(const struct hostfft *h, int member)
{
	return h->scratch + 2 * (size_t)member * h->scratch_size;
}

static void whole_task(void *context, size_t i, int member)
{
	const struct call *c = context;
	cfloat *a = scratch_of(c->h, member);

	run_whole(c->h, item(c->h, c->in, i, false), item(c->h, c->out, i, true), c->rows, c->cols,
		  a, a + c->h->scratch_size);
}

static void image_task(void *context, size_t i, int member)
{
	const struct call *c = context;

	(void)member;
	run_image(c->h, (cfloat *)item(c->h, c->in, i, false), (cfloat *)item(c->h, c->out, i, true));
}

static void rows_task(void *context, size_t i, int member)
{
	const struct call *c = context;
	cfloat *a = scratch_of(c->h, member);
	size_t end = (i + 1) * ROWS < c->rows ? (i + 1) * ROWS : c->rows;

	for (size_t r = i * ROWS; r < end; r++)
		run_row(c->h, c->in, c->out, r, a, a + c->h->scratch_size);
}

static void cols_task(void *context, size_t i, int member)
{
	const struct call *c = context;
	cfloat *a = scratch_of(c->h, member), *b = a + c->h->scratch_size;

	if (c->h->n.kind == FFT_C2R)
		run_block(c->h, (cfloat *)c->in, c->h->n.in_row, i, a, b);
	else
		run_block(c->h, (cfloat *)c->out, c->h->n.out_row, i, a, b);
}

static struct call call_of(const struct hostfft *h, void *in, void *out)
{
	return (struct call){ h, in, out, h->slow ? 0 : h->n.rows_lo + h->n.rows_hi,
			      blocks(h->n.cols_lo) + blocks(h->n.cols_hi) };
}

void hostfft_run_some(const struct hostfft *h, void *in, void *out, size_t first, size_t end,
		      int member)
{
	struct call c = call_of(h, in, out);

	for (size_t i = first; i < end; i++)
		(h->image && aligned(out) ? image_task : whole_task)(&c, i, member);
}

/* As many transforms as divide evenly are run each by one thread, the rest each by all threads. */
void hostfft_run(const struct hostfft *h, void *in, void *out)
{
	struct call c = call_of(h, in, out);
	size_t rows = c.rows, cols = c.cols;
	size_t whole = h->n.batch / (size_t)h->threads * (size_t)h->threads;

	if (h->image && aligned(out)) {
		team_run(h->threads, h->n.batch, image_task, &c);
		return;
	}
	team_run(h->threads, whole, whole_task, &c);
	for (size_t i = whole; i < h->n.batch; i++) {
		c.in = item(h, in, i, false);
		c.out = item(h, out, i, true);
		if (h->n.kind == FFT_C2R)
			team_run(h->threads, cols, cols_task, &c);
		team_run(h->threads, (rows + ROWS - 1) / ROWS, rows_task, &c);
		if (h->n.kind != FFT_C2R)
			team_run(h->threads, cols, cols_task, &c);
	}
}

/* Powers of two from 8 to 128 on both sides, nothing left out, rows and images end to end: every image is aligned like the first. */
static bool small_image(const struct hostfft *h)
{
	const struct fft_desc *n = &h->n;
	size_t area = n->ny * n->nx;

	return (n->kind == FFT_FORWARD || n->kind == FFT_BACKWARD) && !h->slow && n->ny <= 128 && n->nx <= 128 &&
	       n->ny >= 8 && n->nx >= 8 && (n->ny & (n->ny - 1)) == 0 && (n->nx & (n->nx - 1)) == 0 &&
	       n->in_row == n->nx && n->out_row == n->nx && n->in_dist == area && n->out_dist == area &&
	       n->rows_lo == n->ny && n->cols_lo == n->nx;
}

static int make_image_plan(struct hostfft *h, int sign)
{
	fftwf_complex *a;

	if (!small_image(h))
		return 0;
	a = fftwf_alloc_complex(h->n.ny * h->n.nx); /* the caller says that there is no plan */
	if (!a)
		return -1;
	h->image = fftwf_plan_dft_2d((int)h->n.ny, (int)h->n.nx, a, a, sign, FFTW_ESTIMATE);
	fftwf_free(a);
	return h->image ? 0 : -1;
}

static int make_plans(struct hostfft *h)
{
	int sign = h->n.kind == FFT_BACKWARD || h->n.kind == FFT_C2R ? FFTW_BACKWARD : FFTW_FORWARD;
	fftwf_complex *a = (fftwf_complex *)h->scratch, *b = a + h->scratch_size;
	int nx = (int)h->n.nx, ny = (int)h->n.ny;

	h->col = fftwf_plan_dft_1d(ny, a, b, sign, FFTW_ESTIMATE);
	if (h->slow)
		return h->col ? 0 : -1;
	if (h->half)
		h->row = h->n.kind == FFT_R2C
				 ? fftwf_plan_dft_1d(nx / 2, a, b, sign, FFTW_ESTIMATE)
				 : fftwf_plan_dft_1d(nx / 2, b, a, sign, FFTW_ESTIMATE);
	else if (h->n.kind == FFT_R2C)
		h->row = fftwf_plan_dft_r2c_1d(nx, (float *)a, b, FFTW_ESTIMATE);
	else if (h->n.kind == FFT_C2R)
		h->row = fftwf_plan_dft_c2r_1d(nx, a, (float *)b, FFTW_ESTIMATE);
	else
		h->row = fftwf_plan_dft_1d(nx, a, b, sign, FFTW_ESTIMATE);
	return h->row && h->col ? make_image_plan(h, sign) : -1;
}

struct hostfft *hostfft_new(const struct fft_desc *desc, bool slow, int threads)
{
	struct hostfft *h = mem_new(1, sizeof *h);
	bool real = desc->kind == FFT_R2C || desc->kind == FFT_C2R;
	size_t row = (desc->nx / 2 + 1 + 7) / 8 * 8;

	h->n = *desc;
	h->slow = slow;
	h->half = real && desc->nx % 2 == 0;
	h->threads = threads;
	h->pitch =
		(desc->ny + 7) / 8 * 8 + 8; /* a line more: powers of two would share cache sets */
	h->scratch_size = BLOCK * h->pitch;
	if (!slow && h->scratch_size < (real ? row : desc->nx))
		h->scratch_size = ((real ? row : desc->nx) + 7) / 8 * 8;
	h->scratch =
		mem_try("FFT scratch", 2 * (size_t)threads * h->scratch_size, sizeof *h->scratch);
	if (!h->scratch)
		goto failed;
	if (h->half) {
		h->turn = mem_try("FFT factors", desc->nx / 2 + 1, sizeof *h->turn);
		if (!h->turn)
			goto failed;
		for (size_t k = 0; k <= desc->nx / 2; k++) {
			double t = 2 * M_PI * (double)k / (double)desc->nx;

			h->turn[k] = CMPLXF((float)-sin(t), (float)-cos(t));
		}
	}
	if (make_plans(h) != 0) {
		error("FFTW: no plan for %zu x %zu", desc->ny, desc->nx);
		goto failed;
	}
	return h;
failed:
	hostfft_free(h);
	return NULL;
}

void hostfft_free(struct hostfft *h)
{
	if (!h)
		return;
	if (h->row)
		fftwf_destroy_plan(h->row);
	if (h->col)
		fftwf_destroy_plan(h->col);
	if (h->image)
		fftwf_destroy_plan(h->image);
	free(h->scratch);
	free(h->turn);
	free(h);
}
