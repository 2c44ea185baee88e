/* Which library transforms, and the checks both need. */
#include "dev/fft.h"

#include <limits.h>
#include <stdlib.h>

#include "base/die.h"
#include "base/mem.h"
#include "dev/clplan.h"
#include "dev/hostfft.h"
#include "dev/internal.h"

struct fft {
	struct dev *d;
	struct fft_desc n;
	struct hostfft *host; /* one of the two */
	struct clplan *cl;
	size_t in_size, out_size;   /* bytes of an element */
	size_t in_count, out_count; /* elements from the first to behind the last of the batch */
	size_t bytes;		    /* that must move, for the profile */
	const char *name;
};

/* Fills in dense strides and whole ranges. */
static void complete(struct fft_desc *n)
{
	size_t half = n->nx / 2 + 1, in = n->kind == FFT_C2R ? half : n->nx,
	       out = n->kind == FFT_R2C ? half : n->nx;

	if (n->batch == 0)
		n->batch = 1;
	if (n->in_row == 0)
		n->in_row = in;
	if (n->out_row == 0)
		n->out_row = out;
	if (n->in_dist == 0)
		n->in_dist = n->ny * n->in_row;
	if (n->out_dist == 0)
		n->out_dist = n->ny * n->out_row;
	if (n->kind == FFT_C2R || (n->rows_lo == 0 && n->rows_hi == 0) ||
	    n->rows_lo + n->rows_hi >= n->ny) {
		n->rows_lo = n->ny;
		n->rows_hi = 0;
	}
	if ((n->cols_lo == 0 && n->cols_hi == 0) || n->cols_lo + n->cols_hi >= n->nx) {
		n->cols_lo = n->nx;
		n->cols_hi = 0;
	}
	if ((n->kind == FFT_R2C || n->kind == FFT_C2R) && n->cols_lo > half)
		n->cols_lo = half;
}

/* Elements that one side spans. */
static size_t span(size_t batch, size_t dist, size_t rows, size_t row, size_t cols)
{
	return (batch - 1) * dist + (rows - 1) * row + cols;
}

static void measure(struct fft *f)
{
	const struct fft_desc *n = &f->n;
	bool r2c = n->kind == FFT_R2C, c2r = n->kind == FFT_C2R;
	size_t cols = n->cols_lo + n->cols_hi, rows = n->rows_lo + n->rows_hi;
	size_t in_rows = n->rows_hi ? n->ny : n->rows_lo;

	f->in_size = r2c ? 4 : 8;
	f->out_size = c2r ? 4 : 8;
	f->in_count = span(n->batch, n->in_dist, in_rows, n->in_row, c2r ? n->cols_lo : n->nx);
	f->out_count = span(n->batch, n->out_dist, n->ny, n->out_row, r2c ? n->cols_lo : n->nx);
	f->bytes = n->batch * (c2r ? n->ny * cols * 8 : rows * n->nx * f->in_size) +
		   n->batch * n->ny * (c2r ? n->nx * 4 : cols * 8);
}

static int check(const struct fft_desc *n)
{
	if (n->ny == 0 || n->nx == 0 || n->ny > INT_MAX || n->nx > INT_MAX)
		return error("FFT: size %zu x %zu, expected 1 to %d", n->ny, n->nx, INT_MAX);
	if ((n->kind == FFT_R2C || n->kind == FFT_C2R) && n->cols_hi)
		return error("FFT: columns from the end of a half spectrum");
	return 0;
}

/* A plan of clFFT, or NULL: then the host does it, which is said once.  clFFT prunes nothing. */
static struct clplan *try_clfft(struct dev *d, struct fft_desc *n, bool slow)
{
	static bool said;
	struct fft_desc whole = *n;
	struct clplan *p = NULL;

	whole.rows_lo = whole.cols_lo = 0;
	whole.rows_hi = whole.cols_hi = 0;
	complete(&whole);
	if (clplan_possible(n, slow))
		p = clplan_new(d, &whole, slow);
	if (p)
		*n = whole;
	else if (!said) {
		info("%zu x %zu: not a size for clFFT, transformed by FFTW through host memory",
		     n->ny, n->nx);
		said = true;
	}
	return p;
}

static struct fft *make(struct dev *d, const struct fft_desc *desc, bool slow)
{
	static const char *const names[] = { "fft_forward", "fft_backward", "fft_r2c", "fft_c2r" };
	struct fft *f;

	if (check(desc) != 0)
		return NULL;
	f = mem_new(1, sizeof *f);
	f->d = d;
	f->n = *desc;
	f->name = slow ? "fft_slow" : names[desc->kind];
	complete(&f->n);
	if (d->fft == FFT_CLFFT)
		f->cl = try_clfft(d, &f->n, slow);
	if (!f->cl)
		f->host = hostfft_new(&f->n, slow, d->threads);
	if (!f->cl && !f->host) {
		free(f);
		return NULL;
	}
	measure(f);
	return f;
}

struct fft *fft_new(struct dev *d, const struct fft_desc *desc)
{
	return make(d, desc, false);
}

struct fft *fft_slow_new(struct dev *d, enum fft_kind kind, size_t n, size_t count)
{
	return make(d, &(struct fft_desc){ .kind = kind, .ny = n, .nx = count }, true);
}

void fft_free(struct fft *f)
{
	if (!f)
		return;
	hostfft_free(f->host);
	clplan_free(f->cl);
	free(f);
}

bool fft_prunes(const struct dev *d)
{
	return d->fft == FFT_FFTW;
}

static int check_side(const struct fft *f, const char *side, const struct buf *b, size_t offset,
		      size_t count, size_t size)
{
	if (offset > b->bytes / size || count > b->bytes / size - offset)
		return error("'%s': %s of %zu elements at %zu in a buffer of %zu bytes", f->name,
			     side, count, offset, b->bytes);
	return 0;
}

/* A thread's own layers of dev_layers, in the buffers' memory. */
static int run_layers(const struct fft *f, const struct layers *l, char *in, char *out)
{
	size_t each = f->n.batch / l->n;

	if (f->n.batch % l->n)
		return error("'%s': %zu transforms for %zu layers", f->name, f->n.batch, l->n);
	hostfft_run_some(f->host, in, out, l->from * each, l->end * each, l->member);
	return 0;
}

/* Through host memory: on CPU devices the buffers' own. */
static int run_on_host(struct fft *f, struct buf *in, size_t in_offset, struct buf *out,
		       size_t out_offset)
{
	char *a = buf_map(in, MAP_READ | MAP_WRITE), *b = a;
	double t;
	int rc = 0;

	if (!a)
		return -1;
	if (out != in)
		b = buf_map(out, MAP_READ | MAP_WRITE);
	if (!b) {
		buf_unmap(in);
		return -1;
	}
	t = profile_begin();
	hostfft_run(f->host, a + in_offset * f->in_size, b + out_offset * f->out_size);
	if (profile_enabled())
		profile_kernel(f->name, seconds_now() - t, f->bytes);
	if (out != in)
		rc = buf_unmap(out);
	return buf_unmap(in) != 0 ? -1 : rc;
}

static int run_clfft(struct fft *f, struct buf *in, size_t in_offset, struct buf *out,
		     size_t out_offset)
{
	struct part a = { in, in_offset * f->in_size, f->in_count * f->in_size };
	struct part b = { out, out_offset * f->out_size, f->out_count * f->out_size };
	double t;

	f->d->busy = true;
	if (!profile_enabled())
		return clplan_run(f->cl, &a, &b);
	if (dev_finish(f->d) !=
	    0) /* a transform is several launches: only the whole can be timed */
		return -1;
	t = profile_begin();
	f->d->busy = true;
	if (clplan_run(f->cl, &a, &b) != 0 || dev_finish(f->d) != 0)
		return -1;
	profile_kernel(f->name, seconds_now() - t, f->bytes);
	return 0;
}

int fft_run(struct fft *f, struct buf *in, size_t in_offset, struct buf *out, size_t out_offset)
{
	if (check_side(f, "input", in, in_offset, f->in_count, f->in_size) != 0 ||
	    check_side(f, "output", out, out_offset, f->out_count, f->out_size) != 0)
		return -1;
	if (f->cl)
		return run_clfft(f, in, in_offset, out, out_offset);
	if (own_layers)
		return run_layers(f, own_layers, (char *)in->host + in_offset * f->in_size, (char *)out->host + out_offset * f->out_size);
	return run_on_host(f, in, in_offset, out, out_offset);
}

/* Sizes whose FFTW_ESTIMATE plan is two steps of wide SIMD codelets: 2 to 3 times the speed of
 * their neighbours, measured with FFTW 3.3.10 and AVX2.  Multiples of 2 that are none of 4 take
 * another 1.5 times as long, since codelets work on 4 numbers. */
static const size_t fast[] = { 48,  64,	 96,  128, 144, 160,  192,  200,  240,	256,
			       320, 384, 400, 512, 640, 1024, 1280, 2048, 2560, 4096 };

size_t fft_good_size(size_t n)
{
	for (size_t i = 0; i < sizeof fast / sizeof *fast; i++)
		if (fast[i] >= n && fast[i] - n <= n / 5)
			return fast[i];
	for (size_t m = n ? (n + 3) / 4 * 4 : 4;; m += 4) {
		size_t k = m;

		for (size_t p = 2; p <= 7; p++)
			while (k > 1 && k % p == 0)
				k /= p;
		if (k == 1)
			return m;
	}
}
