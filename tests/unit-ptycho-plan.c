/* The memory plan against the golden table: exact, for it is the specification's own formula. */
#include <stdlib.h>

#include "base/mem.h"
#include "io/csvio.h"
#include "ptycho/state.h"
#include "tests/tap.h"

static size_t whole(const struct csv *t, size_t row, const char *name)
{
	long c = csv_column(t, name);

	return c < 0 ? 0 : strtoull(csv_cell(t, row, (size_t)c), NULL, 10);
}

int main(void)
{
	const char *shared = tap_shared();
	struct csv t = { 0 };
	char *path;

	if (!shared)
		return done_testing();
	path = mem_printf("%s/golden/ptycho/plan.csv", shared);
	ok(csv_read(path, false, &t) == 0 && t.rows >= 7, "the table is there");
	for (size_t r = 0; r < t.rows; r++) {
		const char *name = csv_cell(&t, r, 0);
		struct ptycho_plan p = ptycho_plan(whole(&t, r, "frames"), whole(&t, r, "N"),
						   whole(&t, r, "modes"), whole(&t, r, "height"),
						   whole(&t, r, "width"),
						   csv_cell(&t, r, (size_t)csv_column(&t, "engine")),
						   whole(&t, r, "batch"), whole(&t, r, "frame_bytes"),
						   whole(&t, r, "mem"));

		ok(p.fixed == whole(&t, r, "fixed") && p.work == whole(&t, r, "work") && p.frames == whole(&t, r, "frame_memory"),
		   "%s: bytes %zu + %zu + %zu", name, p.fixed, p.work, p.frames);
		ok(p.blocks == whole(&t, r, "blocks") && p.per_block == whole(&t, r, "per_block") &&
			   (p.blocks > 0) == whole(&t, r, "fits"),
		   "%s: %zu blocks of %zu frames", name, p.blocks, p.per_block);
	}
	csv_clear(&t);
	free(path);
	return done_testing();
}
