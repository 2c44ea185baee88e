/* ptycho/order.h against golden tables, and what every order and every set of compact batches
 * obeys. */
#include <math.h>

#include "base/mem.h"
#include "io/csvio.h"
#include "math/random.h"
#include "ptycho/order.h"
#include "tests/tap.h"

static bool read_golden(const char *shared, const char *name, struct csv *t)
{
	char *path = mem_printf("%s/golden/ptycho/%s", shared, name);
	int rc = csv_read(path, false, t);

	free(path);
	return ok(rc == 0, "golden %s is there", name);
}

static double number(const struct csv *t, size_t row, const char *column)
{
	return strtod(csv_cell(t, row, (size_t)csv_column(t, column)), NULL);
}

static void test_random(const char *shared)
{
	struct csv t;
	size_t keys = 0, uniforms = 0;

	if (!read_golden(shared, "random.csv", &t))
		return;
	for (size_t r = 0; r < t.rows; r++) {
		uint64_t key =
			rng_key((uint64_t)number(&t, r, "seed"), (uint64_t)number(&t, r, "epoch"),
				(uint64_t)number(&t, r, "k"));

		keys += key ==
			strtoull(csv_cell(&t, r, (size_t)csv_column(&t, "key_hex")), NULL, 16);
		uniforms += (double)(key >> 11) * 0x1p-53 == number(&t, r, "uniform");
	}
	ok(t.rows > 0 && keys == t.rows, "%zu of %zu keys are the golden ones", keys, t.rows);
	ok(uniforms == t.rows, "and so are the uniform numbers");
	csv_clear(&t);
}

static void test_order(const char *shared)
{
	enum { K = 12 };
	struct csv t;
	size_t order[K], good = 0;

	if (!read_golden(shared, "order.csv", &t))
		return;
	for (size_t r = 0; r < t.rows; r++) {
		bool same = true;

		order_frames(K, true, (uint64_t)number(&t, r, "seed"),
			     (uint64_t)number(&t, r, "epoch"), order);
		for (size_t i = 0; i < K; i++)
			same = same &&
			       order[i] == (size_t)strtoul(csv_cell(&t, r, 2 + i), NULL, 10);
		good += same;
	}
	ok(t.rows > 0 && good == t.rows, "%zu of %zu orders are the golden ones", good, t.rows);
	csv_clear(&t);
}

/* Is group g of the batches the row's members? */
static bool same_group(const char *text, const size_t *member, size_t n)
{
	char *end = (char *)text;

	for (size_t i = 0; i < n; i++) {
		text = end;
		if (strtoul(text, &end, 10) != member[i] || end == text)
			return false;
	}
	return *end == '\0';
}

static void test_compact(const char *shared)
{
	enum { K = 25 };
	char *path = mem_printf("%s/data/ptycho/tiny_pos.csv", shared);
	struct csv t, pos;
	double s[K][2];
	size_t member[K], start[K + 1], groups = 0, good = 0;

	if (!ok(csv_read(path, false, &pos) == 0 && pos.rows == K,
		"the positions of tiny are there") ||
	    !read_golden(shared, "compact.csv", &t))
		return;
	for (size_t k = 0; k < K; k++) {
		s[k][0] = number(&pos, k, "y_px");
		s[k][1] = number(&pos, k, "x_px");
	}
	for (size_t r = 0; r < t.rows; r++) {
		size_t g = (size_t)number(&t, r, "group");

		groups = order_compact((const double(*)[2])s, K, (size_t)number(&t, r, "batch"),
				       member, start);
		good += g < groups &&
			same_group(csv_cell(&t, r, 2), member + start[g], start[g + 1] - start[g]);
	}
	ok(t.rows > 0 && good == t.rows, "%zu of %zu compact batches are the golden ones", good,
	   t.rows);
	ok(groups == 1, "as many frames as a batch holds are one batch");
	csv_clear(&t);
	csv_clear(&pos);
	free(path);
}

static void test_rules(void)
{
	enum { K = 1000 };
	static size_t order[K], again[K], member[K], start[K + 1], seen[K];
	static double s[K][2];
	bool all = true, sizes = true, ascending = true;
	size_t groups;

	order_frames(K, false, 5, 5, order);
	for (size_t i = 0; i < K; i++)
		all = all && order[i] == i;
	ok(all, "sequential is 0, 1, 2 ...");
	order_frames(K, true, 5, 5, order);
	order_frames(K, true, 5, 6, again);
	for (size_t i = 0; i < K; i++)
		seen[order[i]]++;
	for (size_t i = 0; i < K; i++)
		all = all && seen[i] == 1;
	ok(all, "a random order has every frame once");
	ok(memcmp(order, again, sizeof order) != 0, "another epoch has another order");

	for (size_t k = 0; k < K; k++)
		for (size_t a = 0; a < 2; a++)
			s[k][a] = (double)(rng_key(1, a, k) >> 50) / (1 + 2 * (double)a);
	groups = order_compact((const double(*)[2])s, K, 16, member, start);
	memset(seen, 0, sizeof seen);
	for (size_t g = 0; g < groups; g++) {
		sizes = sizes && start[g + 1] - start[g] <= 17 && start[g + 1] - start[g] >= 15;
		for (size_t i = start[g]; i < start[g + 1]; i++) {
			seen[member[i]]++;
			ascending = ascending && (i == start[g] || member[i] > member[i - 1]);
		}
	}
	for (size_t i = 0; i < K; i++)
		all = all && seen[i] == 1;
	ok(groups == 63 && start[groups] == K && all,
	   "compact batches have every frame once (%zu batches)", groups);
	ok(sizes && ascending, "of nearly equal size, ascending");
	order_frames(K, true, 5, 5, order);
	order_by_row((const double(*)[2])s, K / 2, order);
	order_frames(K, true, 5, 5, again);
	memset(seen, 0, sizeof seen);
	for (size_t i = 0; i < K / 2; i++) {
		seen[order[i]]++;
		seen[again[i]]--;
		ascending = ascending && (i == 0 || s[order[i]][0] > s[order[i - 1]][0] ||
					  (s[order[i]][0] >= s[order[i - 1]][0] && order[i] > order[i - 1]));
	}
	for (size_t i = 0; i < K; i++)
		all = all && seen[i] == 0 && (i < K / 2 || order[i] == again[i]);
	ok(all && ascending, "a batch by row: its own frames, the others where they were");
	ok(order_compact((const double(*)[2])s, 0, 16, member, start) == 0,
	   "no frames are no batches");
}

int main(void)
{
	const char *shared = tap_shared();

	if (shared) {
		test_random(shared);
		test_order(shared);
		test_compact(shared);
	}
	test_rules();
	return done_testing();
}
