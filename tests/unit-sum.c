/* math/sum.h against sums in long double.  Tolerance 1e-12 of the sum of the magnitudes: two floats carry 48 bits, 4e-15. */
#include <math.h>

#include "base/die.h"
#include "base/mem.h"
#include "math/sum.h"
#include "tests/tap.h"

static float value(size_t i)
{
	static const float big[] = { 1e8f, 1, -1e8f, 0.1f };

	return big[i % 4] * (1 + (float)(i * 2654435761u % 1000) / 1e3f);
}

static struct buf *filled(struct dev *d, size_t n)
{
	struct buf *b = buf_new(d, n * sizeof(float));
	float *p = buf_map(b, MAP_DISCARD);

	for (size_t i = 0; i < n; i++)
		p[i] = value(i);
	buf_unmap(b);
	return b;
}

static bool close_to_exact(const double *sum, size_t offset, size_t n, size_t dist, size_t items, enum sum_of what)
{
	for (size_t t = 0; t < items; t++) {
		long double want = 0, size = 0;

		for (size_t i = 0; i < n; i++) {
			long double v = value(offset + t * dist + i);

			want += what == SUM_SQUARES ? v * v : v;
			size += what == SUM_SQUARES ? v * v : fabsl(v);
		}
		if (!(fabsl(sum[t] - want) <= 1e-12L * size))
			return false;
	}
	return true;
}

int main(void)
{
	static const size_t lengths[] = { 1, 63, 64, 65, 4095, 4096, 4097, 100003 };
	static const int settings[][2] = { { 1, 1 }, { 2, 16 }, { 2, 64 } };
	struct dev *d;
	struct buf *x;
	double sum[3], again[3], nothing = 7;
	float nan = NAN;

	program_start("unit-sum");
	d = dev_open(&(struct dev_opts){ .device = "cpu", .threads = 2 });
	x = d ? filled(d, 300100) : NULL;
	if (!ok(x != NULL, "a CPU device opens"))
		return done_testing();
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
		for (int what = SUM_VALUES; what <= SUM_SQUARES; what++) {
			size_t n = lengths[i];

			ok(sum_f32(d, x, 5, n, n + 2, 2, what, sum) == 0 && close_to_exact(sum, 5, n, n + 2, 2, what),
			   "two sums of %zu %s", n, what == SUM_SQUARES ? "squares" : "values");
		}
	ok(sum_f32(d, x, 0, 0, 0, 1, SUM_VALUES, &nothing) == 0 && nothing == 0, "an empty sum is 0");
	ok(sum_f32(d, x, 0, 300101, 0, 1, SUM_VALUES, sum) == -1, "a sum beyond the buffer is refused");
	ok(sum_f32(d, x, 0, 100003, 100049, 3, SUM_VALUES, sum) == -1, "and so is one of an item beyond it");
	sum_f32(d, x, 1, 100003, 100000, 3, SUM_SQUARES, sum);
	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
		struct dev_opts o = { .device = "cpu", .threads = settings[i][0], .work_group = settings[i][1] };
		struct dev *e = dev_open(&o);
		struct buf *y = filled(e, 300100);

		ok(sum_f32(e, y, 1, 100003, 100000, 3, SUM_SQUARES, again) == 0 && memcmp(sum, again, sizeof sum) == 0,
		   "%d threads, groups of %d: the same bytes", settings[i][0], settings[i][1]);
		buf_free(y);
		dev_free(e);
	}
	buf_write(x, 4 * 12345, &nan, 4);
	sum_f32(d, x, 0, 20000, 20000, 2, SUM_VALUES, sum);
	ok(isnan(sum[0]) && isfinite(sum[1]), "a NaN reaches its own sum and no other");
	nan = INFINITY;
	buf_write(x, 4 * 12345, &nan, 4);
	sum_f32(d, x, 0, 20000, 20000, 2, SUM_VALUES, sum);
	ok(isnan(sum[0]) && isfinite(sum[1]), "so does an infinity, as NaN");
	buf_free(x);
	dev_free(d);
	return done_testing();
}
