/* fft.h against the definition, a double-precision sum.  Tolerance 1e-6 of the largest value: single precision's 6e-8 per
 * operation grows with the square root of log2 n, some 3e-7 at these sizes. */
#include <complex.h>
#include <math.h>

#include "base/die.h"
#include "base/mem.h"
#include "dev/fft.h"
#include "tests/tap.h"

typedef double complex cdouble;

static const double tolerance = 1e-6;

static unsigned long state = 1;

static double uniform(void)
{
	state = state * 6364136223846793005ul + 1442695040888963407ul;
	return (double)(state >> 40) / 16777216.0 - 0.5;
}

/* n values `step` apart, exp(sign 2 pi i jk / n) */
static void dft(cdouble *x, size_t n, size_t step, int sign)
{
	cdouble *y = mem_new(n, sizeof *y), *w = mem_new(n, sizeof *w);

	for (size_t k = 0; k < n; k++)
		w[k] = cexp(sign * 2 * M_PI * I * (double)k / (double)n);
	for (size_t k = 0; k < n; k++)
		for (size_t j = 0; j < n; j++)
			y[k] += x[j * step] * w[j * k % n];
	for (size_t k = 0; k < n; k++)
		x[k * step] = y[k];
	free(y);
	free(w);
}

static void dft2(cdouble *x, size_t ny, size_t nx, int sign)
{
	for (size_t i = 0; i < ny; i++)
		dft(x + i * nx, nx, 1, sign);
	for (size_t j = 0; j < nx; j++)
		dft(x + j, ny, nx, sign);
}

static int sign_of(enum fft_kind k)
{
	return k == FFT_FORWARD || k == FFT_R2C ? -1 : 1;
}

static bool row_used(const struct fft_desc *n, size_t y)
{
	return (n->rows_lo == 0 && n->rows_hi == 0) || n->kind == FFT_C2R || y < n->rows_lo || y >= n->ny - n->rows_hi;
}

static bool col_used(const struct fft_desc *n, size_t x)
{
	return (n->cols_lo == 0 && n->cols_hi == 0) || x < n->cols_lo || x >= n->nx - n->cols_hi;
}

/* The full complex field that the input of one transform stands for. */
static void make_field(const struct fft_desc *n, cdouble *x)
{
	size_t ny = n->ny, nx = n->nx;

	for (size_t i = 0; i < ny * nx; i++) {
		double re = (float)uniform(), im = (float)uniform();

		x[i] = !row_used(n, i / nx) ? 0 : n->kind == FFT_R2C ? re : re + I * im;
	}
	if (n->kind != FFT_C2R)
		return;
	for (size_t y = 0; y < ny; y++)	/* Hermitian, and zero beyond cols_lo */
		for (size_t k = 0; k <= nx / 2; k++) {
			size_t my = (ny - y) % ny, mx = (nx - k) % nx;

			if (!col_used(n, k))
				x[y * nx + k] = 0;
			if (my == y && mx == k)
				x[y * nx + k] = creal(x[y * nx + k]);
			x[my * nx + mx] = conj(x[y * nx + k]);
		}
}

struct sides {
	size_t in_w, in_row, in_dist, out_w, out_row, out_dist;
};

static struct sides sides_of(const struct fft_desc *n)
{
	size_t half = n->nx / 2 + 1;
	struct sides s = { .in_w = n->kind == FFT_C2R ? half : n->nx, .out_w = n->kind == FFT_R2C ? half : n->nx };

	s.in_row = n->in_row ? n->in_row : s.in_w;
	s.out_row = n->out_row ? n->out_row : s.out_w;
	s.in_dist = n->in_dist ? n->in_dist : n->ny * s.in_row;
	s.out_dist = n->out_dist ? n->out_dist : n->ny * s.out_row;
	if (n->kind == FFT_C2R && n->cols_lo && n->in_row)	/* a row need not hold more than is read */
		s.in_w = n->cols_lo;
	if (n->kind == FFT_R2C && n->cols_lo && n->out_row)
		s.out_w = n->cols_lo;
	return s;
}

/* Largest difference from the definition over the largest value, or INFINITY if something failed or a gap between rows was
 * written.  The output's bytes go to *bytes when it is not NULL (the caller frees). */
static double run(struct dev *d, const struct fft_desc *n, size_t offset, bool in_place, void **bytes, size_t *count)
{
	struct sides s = sides_of(n);
	bool real_in = n->kind == FFT_R2C, real_out = n->kind == FFT_C2R;
	size_t batch = n->batch ? n->batch : 1, in_n = offset + batch * s.in_dist, out_n = offset + batch * s.out_dist;
	cdouble *want = mem_new(batch * n->ny * n->nx, sizeof *want);
	struct fft *f = fft_new(d, n);
	struct buf *in = buf_new(d, in_n * (real_in ? 4 : 8));
	struct buf *out = in_place ? in : buf_new(d, out_n * (real_out ? 4 : 8));
	float *a = buf_map(in, MAP_WRITE), *b;
	double worst = 0, largest = 0;
	char *seen = mem_new(out_n, 1);

	for (size_t i = 0; i < in_n * (real_in ? 1 : 2); i++)
		a[i] = 7;
	for (size_t t = 0; t < batch; t++) {
		cdouble *x = want + t * n->ny * n->nx;

		make_field(n, x);
		for (size_t y = 0; y < n->ny; y++)
			for (size_t k = 0; k < s.in_w; k++) {
				size_t i = offset + t * s.in_dist + y * s.in_row + k;

				if (!row_used(n, y) && fft_prunes(d))
					continue;	/* garbage that must not be read */
				if (real_in) {
					a[i] = (float)creal(x[y * n->nx + k]);
				} else {
					a[2 * i] = (float)creal(x[y * n->nx + k]);
					a[2 * i + 1] = (float)cimag(x[y * n->nx + k]);
				}
			}
		dft2(x, n->ny, n->nx, sign_of(n->kind));
	}
	buf_unmap(in);
	if (!in_place) {
		b = buf_map(out, MAP_WRITE);
		for (size_t i = 0; i < out_n * (real_out ? 1 : 2); i++)
			b[i] = 7;
		buf_unmap(out);
	}
	if (!f || fft_run(f, in, offset, out, offset) != 0)
		worst = INFINITY;
	b = buf_map(out, MAP_READ);
	for (size_t t = 0; t < batch; t++)
		for (size_t y = 0; y < n->ny; y++)
			for (size_t k = 0; k < s.out_w; k++) {
				size_t i = offset + t * s.out_dist + y * s.out_row + k;
				cdouble w = want[(t * n->ny + y) * n->nx + k];
				cdouble g = real_out ? b[i] : b[2 * i] + I * b[2 * i + 1];

				seen[i] = 1;
				if (!real_out && !col_used(n, k))
					continue;
				largest = fmax(largest, cabs(w));
				worst = cabs(g - w) <= worst ? worst : cabs(g - w);
			}
	for (size_t i = 0; i < out_n; i++)
		if (!seen[i] && (real_out ? b[i] != 7 : b[2 * i] != 7 || b[2 * i + 1] != 7))
			worst = INFINITY;
	if (bytes) {
		*count = out_n * (real_out ? 4 : 8);
		*bytes = memcpy(mem_new(*count, 1), b, *count);
	}
	buf_unmap(out);
	fft_free(f);
	if (!in_place)
		buf_free(out);
	buf_free(in);
	free(want);
	free(seen);
	return worst / fmax(largest, 1e-30);
}

static const char *const kind_name[] = { "forward", "backward", "r2c", "c2r" };

static void sizes(struct dev *d, const char *who, const size_t (*list)[2], size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (int k = 0; k < 4; k++) {
			struct fft_desc n = { .kind = k, .ny = list[i][0], .nx = list[i][1] };
			double e = run(d, &n, 0, false, NULL, NULL);

			ok(e < tolerance, "%s: %s of %zu x %zu is the definition's sum (%.1e)", who, kind_name[k], n.ny, n.nx,
			   e);
		}
}

static void layouts(struct dev *d, const char *who)
{
	for (int k = 0; k < 4; k++)
		for (int odd = 0; odd < 2; odd++) {
			size_t nx = odd ? 21 : 20;
			struct fft_desc n = { .kind = k, .ny = 15, .nx = nx, .batch = 5, .in_row = 25, .in_dist = 15 * 25 + 3,
					      .out_row = 27, .out_dist = 15 * 27 + 1 };
			struct fft_desc dense = { .kind = k, .ny = 12, .nx = nx, .batch = 3 };
			double e = run(d, &n, 7, false, NULL, NULL);

			ok(e < tolerance, "%s: %s of 5 strided transforms %zu wide leaves the gaps alone (%.1e)", who,
			   kind_name[k], nx, e);
			e = run(d, &dense, 1, false, NULL, NULL);
			ok(e < tolerance, "%s: %s of 3 dense transforms %zu wide (%.1e)", who, kind_name[k], nx, e);
			if (k > FFT_BACKWARD)
				continue;
			n.out_row = n.in_row;
			n.out_dist = n.in_dist;
			e = run(d, &n, 3, true, NULL, NULL);
			ok(e < tolerance, "%s: %s in place, strided, %zu wide (%.1e)", who, kind_name[k], nx, e);
		}
}

static void pruned(struct dev *d, const char *who)
{
	static const size_t rows[][2] = { { 0, 0 }, { 5, 4 }, { 1, 0 }, { 0, 3 }, { 20, 20 } };
	static const size_t cols[][2] = { { 0, 0 }, { 7, 6 }, { 1, 0 }, { 0, 2 }, { 19, 17 } };

	for (int k = 0; k < 4; k++)
		for (int in_place = 0; in_place < (k <= FFT_BACKWARD ? 2 : 1); in_place++)
			for (size_t r = 0; r < 5; r++)
				for (size_t c = 0; c < 5; c++) {
					struct fft_desc n = { .kind = k, .ny = 40, .nx = 37, .batch = 3 };
					double e;

					if ((k >= FFT_R2C && (cols[c][1] || cols[c][0] > 19)) || (k == FFT_C2R && r))
						continue;
					n.rows_lo = rows[r][0];
					n.rows_hi = rows[r][1];
					n.cols_lo = cols[c][0];
					n.cols_hi = cols[c][1];
					e = run(d, &n, 0, in_place, NULL, NULL);
					ok(e < tolerance, "%s: %s%s with rows %zu+%zu and columns %zu+%zu only (%.1e)", who,
					   kind_name[k], in_place ? " in place" : "", n.rows_lo, n.rows_hi, n.cols_lo,
					   n.cols_hi, e);
				}
	struct fft_desc packed = { .kind = FFT_R2C, .ny = 24, .nx = 32, .batch = 4, .cols_lo = 9, .out_row = 9 };
	double e = run(d, &packed, 0, false, NULL, NULL);

	ok(e < tolerance, "%s: r2c into rows of just the wanted columns (%.1e)", who, e);
	packed = (struct fft_desc){ .kind = FFT_C2R, .ny = 24, .nx = 32, .batch = 4, .cols_lo = 9, .in_row = 9 };
	e = run(d, &packed, 0, false, NULL, NULL);
	ok(e < tolerance, "%s: c2r from rows of just the non-zero columns (%.1e)", who, e);
}

static void slow_axis(struct dev *d, const char *who, size_t count_of_sizes)
{
	static const size_t size[4][2] = { { 1, 5 }, { 21, 50 }, { 32, 33 }, { 13, 1 } };

	for (size_t i = 0; i < count_of_sizes; i++)
		for (int k = FFT_FORWARD; k <= FFT_BACKWARD; k++) {
			size_t n = size[i][0], count = size[i][1];
			struct fft *f = fft_slow_new(d, k, n, count);
			struct buf *b = buf_new(d, n * count * 8);
			cdouble *x = mem_new(n * count, sizeof *x);
			float (*p)[2] = buf_map(b, MAP_WRITE);
			double worst = 0, largest = 0;
			int rc;

			for (size_t j = 0; j < n * count; j++) {
				p[j][0] = (float)uniform();
				p[j][1] = (float)uniform();
				x[j] = p[j][0] + I * p[j][1];
			}
			buf_unmap(b);
			for (size_t j = 0; j < count; j++)
				dft(x + j, n, count, sign_of(k));
			rc = f ? fft_run(f, b, 0, b, 0) : -1;
			p = buf_map(b, MAP_READ);
			for (size_t j = 0; j < n * count; j++) {
				worst = fmax(worst, cabs(x[j] - (p[j][0] + I * p[j][1])));
				largest = fmax(largest, cabs(x[j]));
			}
			buf_unmap(b);
			ok(rc == 0 && worst < tolerance * largest, "%s: slow axis, %s, %zu x %zu (%.1e)", who, kind_name[k], n,
			   count, worst / largest);
			fft_free(f);
			buf_free(b);
			free(x);
		}
}

/* The same input and transform on two devices, whose settings must not show. */
static bool same_bytes(struct dev *one, struct dev *two, const struct fft_desc *n)
{
	void *a = NULL, *b = NULL;
	size_t na = 0, nb = 0;
	bool same;

	state = 1;
	run(one, n, 0, false, &a, &na);
	state = 1;
	run(two, n, 0, false, &b, &nb);
	same = na == nb && memcmp(a, b, na) == 0;
	free(a);
	free(b);
	return same;
}

static void threads(struct dev *two)
{
	struct dev *one = dev_open(&(struct dev_opts){ .device = "cpu", .threads = 1, .fft = FFT_FFTW });

	for (int k = 0; k < 4; k++)
		for (size_t batch = 1; batch <= 3; batch++) {
			struct fft_desc n = { .kind = k, .ny = 75, .nx = 90 + batch, .batch = batch };

			ok(same_bytes(one, two, &n), "%s of %zu transforms: the same bytes for 1 and 2 threads", kind_name[k],
			   batch);
		}
	dev_free(one);
}

/* Equal items of odd size lie at every alignment a float can have. */
static void alignment(struct dev *d)
{
	for (int k = 0; k < 4; k++)
		for (size_t nx = 26; nx <= 27; nx++) {
			struct fft_desc n = { .kind = k, .ny = 15, .nx = nx, .batch = 5 };
			struct sides s = sides_of(&n);
			size_t in_size = k == FFT_R2C ? 1 : 2, out_size = k == FFT_C2R ? 4 : 8, out_item = s.out_dist * out_size;
			struct buf *in = buf_new(d, 5 * s.in_dist * in_size * 4), *out = buf_new(d, 5 * out_item);
			struct fft *f = fft_new(d, &n);
			float *p = buf_map(in, MAP_WRITE);
			const char *q;
			bool same = true;

			for (size_t i = 0; i < 5 * s.in_dist * in_size; i++)
				p[i] = i < s.in_dist * in_size ? (float)uniform() : p[i - s.in_dist * in_size];
			buf_unmap(in);
			same = fft_run(f, in, 0, out, 0) == 0;
			q = buf_map(out, MAP_READ);
			for (size_t t = 1; t < 5; t++)
				same &= memcmp(q, q + t * out_item, out_item) == 0;
			buf_unmap(out);
			ok(same, "%s of 15 x %zu: equal items give equal bytes wherever they lie", kind_name[k], nx);
			fft_free(f);
			buf_free(in);
			buf_free(out);
		}
}

/* What is not wanted or zero changes no byte of the rest. */
static void pruned_same(struct dev *d)
{
	for (int k = FFT_FORWARD; k <= FFT_BACKWARD; k++) {
		struct fft_desc n = { .kind = k, .ny = 40, .nx = 36, .rows_lo = 9, .rows_hi = 8, .cols_lo = 7, .cols_hi = 5 };
		struct fft *part = fft_new(d, &n), *full;
		struct buf *in = buf_new(d, 40 * 36 * 8), *a = buf_new(d, 40 * 36 * 8), *b = buf_new(d, 40 * 36 * 8);
		float (*p)[2] = buf_map(in, MAP_WRITE), (*q)[2];
		bool same;

		for (size_t i = 0; i < 40 * 36; i++)
			for (int c = 0; c < 2; c++)
				p[i][c] = row_used(&n, i / 36) ? (float)uniform() : 0;
		buf_unmap(in);
		full = fft_new(d, &(struct fft_desc){ .kind = k, .ny = 40, .nx = 36 });
		same = fft_run(part, in, 0, a, 0) == 0 && fft_run(full, in, 0, b, 0) == 0;
		p = buf_map(a, MAP_READ);
		q = buf_map(b, MAP_READ);
		for (size_t i = 0; i < 40 * 36; i++)
			same &= !col_used(&n, i % 36) || (p[i][0] == q[i][0] && p[i][1] == q[i][1]);
		ok(same, "%s: pruned is unpruned, bit for bit", kind_name[k]);
		buf_unmap(a);
		buf_unmap(b);
		fft_free(part);
		fft_free(full);
		buf_free(in);
		buf_free(a);
		buf_free(b);
	}
}

static void clfft_layouts(struct dev *d)
{
	for (int k = 0; k < 4; k++) {
		struct fft_desc n = { .kind = k, .ny = 15, .nx = 21, .batch = 2, .in_row = 25, .in_dist = 15 * 25 + 3,
				      .out_row = k < FFT_R2C ? 25 : 27, .out_dist = 15 * (k < FFT_R2C ? 25 : 27) + 3 };
		double e = run(d, &n, 7, k < FFT_R2C, NULL, NULL);

		ok(e < tolerance, "clFFT: %s of strided transforms at an odd offset leaves the gaps alone (%.1e)", kind_name[k],
		   e);
	}
}

/* Few and small: PoCL compiles clFFT's kernels for every size.  The last two sizes are left to the host. */
static void clfft(void)
{
	static const size_t some[][2] = { { 26, 12 }, { 31, 33 }, { 1, 9 } };
	struct dev *d = dev_open(&(struct dev_opts){ .device = "cpu", .threads = 2, .fft = FFT_CLFFT });

	if (!d || getenv("TESTS_FAST")) {
		ok(true, "clFFT # SKIP %s", d ? "TESTS_FAST" : "built without it");
		dev_free(d);
		return;
	}
	ok(!fft_prunes(d), "clFFT: does not prune");
	sizes(d, "clFFT", some, 3);
	clfft_layouts(d);
	slow_axis(d, "clFFT", 2);
	dev_free(d);
}

static void good_sizes(void)
{
	static const size_t want[][2] = { { 0, 4 }, { 1, 4 }, { 5, 8 }, { 11, 12 }, { 13, 16 }, { 113, 128 }, { 129, 144 },
					  { 249, 256 }, { 257, 280 }, { 1025, 1080 }, { 1120, 1280 }, { 4097, 4116 } };
	bool smooth = true;

	for (size_t i = 0; i < sizeof want / sizeof *want; i++)
		ok(fft_good_size(want[i][0]) == want[i][1], "a good size for %zu is %zu (found %zu)", want[i][0], want[i][1],
		   fft_good_size(want[i][0]));
	for (size_t n = 1; n < 5000; n++) {
		size_t m = fft_good_size(n), k = m;

		for (size_t p = 2; p <= 7; p++)
			while (k % p == 0)
				k /= p;
		smooth &= m >= n && m % 4 == 0 && k == 1;
	}
	ok(smooth, "good sizes are multiples of 4 with no factor above 7, and not too small");
}

static void refusals(struct dev *d)
{
	struct fft *f = fft_new(d, &(struct fft_desc){ .kind = FFT_FORWARD, .ny = 8, .nx = 8 });
	struct buf *b = buf_new(d, 8 * 8 * 8);

	ok(fft_run(f, b, 1, b, 1) == -1, "a transform that reaches beyond its buffer is refused");
	fft_free(f);
	f = fft_new(d, &(struct fft_desc){ .kind = FFT_FORWARD, .ny = 0, .nx = 8 });
	ok(f == NULL, "a transform of no rows is refused");
	buf_free(b);
}

int main(void)
{
	static const size_t any[][2] = { { 1, 1 }, { 2, 2 },   { 3, 3 },   { 5, 5 },   { 7, 7 },   { 8, 8 },
					 { 12, 12 }, { 1, 9 }, { 9, 1 }, { 45, 53 }, { 31, 33 }, { 64, 48 }, { 17, 34 } };
	struct dev *d;

	program_start("unit-fft");
	d = dev_open(&(struct dev_opts){ .device = "cpu", .threads = 2, .fft = FFT_FFTW });
	if (!ok(d != NULL, "a CPU device opens"))
		return done_testing();
	sizes(d, "FFTW", any, sizeof any / sizeof *any);
	layouts(d, "FFTW");
	pruned(d, "FFTW");
	pruned_same(d);
	slow_axis(d, "FFTW", 4);
	threads(d);
	alignment(d);
	good_sizes();
	refusals(d);
	dev_free(d);
	clfft();
	return done_testing();
}
