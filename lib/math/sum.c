#include "math/sum.h"

#include <limits.h>

#include "base/die.h"

enum { LANES = 64, ROW = 4096 }; /* of cl/sum.cl */

static int check(const struct buf *x, size_t offset, size_t n, size_t dist, size_t items)
{
	size_t have = buf_bytes(x) / sizeof(float), need;

	if (__builtin_mul_overflow(items - 1, dist, &need) ||
	    __builtin_add_overflow(need, offset, &need) || __builtin_add_overflow(need, n, &need) ||
	    need > have)
		return error("sum: %zu x %zu values from %zu on, in a buffer of %zu", items, n,
			     offset, have);
	if (items > INT_MAX || n / ROW >= INT_MAX)
		return error("sum: %zu x %zu values, expected fewer than %d rows", items, n,
			     INT_MAX);
	return 0;
}

int sum_f32(struct dev *d, struct buf *x, size_t offset, size_t n, size_t dist, size_t items,
	    enum sum_of what, double *out)
{
	size_t rows = (n + ROW - 1) / ROW;
	uint64_t at = offset, step = dist, count = n;
	const float(*part)[2];
	struct buf *b;
	int rc = -1;

	for (size_t t = 0; t < items; t++)
		out[t] = 0;
	if (items == 0 || n == 0)
		return 0;
	if (check(x, offset, n, dist, items) != 0 || dev_load(d, "sum") != 0)
		return -1;
	b = buf_new(d, items * rows * LANES * sizeof *part);
	if (!b ||
	    dev_run(d, "sum_part", moving(n * items * sizeof(float), NDRANGE3(LANES, rows, items)), ARG(b), ARG(x), ARG(at), ARG(step),
		    ARG(count), INT(rows), INT(items), INT(what == SUM_SQUARES)) != 0)
		goto done;
	part = buf_map(b, MAP_READ);
	if (!part)
		goto done;
	for (size_t t = 0; t < items; t++)
		for (size_t i = t * rows * LANES; i < (t + 1) * rows * LANES; i++)
			out[t] += (double)part[i][0] + (double)part[i][1];
	rc = buf_unmap(b);
done:
	buf_free(b);
	return rc;
}
