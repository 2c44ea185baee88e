/* Engines of ptychography: golden trajectories, the truth as a fixed point, what must not matter. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "io/csvio.h"
#include "tests/ptycho_fixture.h"
#include "tests/tap.h"

/* ---- golden trajectories */

struct golden {
	const char *name;
	double tolerance;
	const char *engines[4];
	long iterations[4];
	size_t batch;
};

static const struct golden goldens[] = {
	{ "epie", 1e-3, { "epie" }, { 3 }, 4 },
	{ "epie1", 1e-3, { "epie" }, { 3 }, 1 },
	{ "rpie", 1e-3, { "rpie" }, { 3 }, 4 },
	{ "wasp", 1e-3, { "wasp" }, { 3 }, 4 },
	{ "wasp_seq", 5e-3, { "wasp" }, { 3 }, 1 },
	{ "lsqml", 1e-3, { "lsqml" }, { 3 }, 8 },
	{ "lsqml_poisson", 1e-3, { "lsqml" }, { 3 }, 8 },
	{ "lsqml_compact", 5e-3, { "lsqml" }, { 5 }, 8 },
	{ "mlgrad", 2e-3, { "mlgrad" }, { 4 }, 64 },
	{ "mlgrad_gauss", 5e-3, { "mlgrad" }, { 4 }, 64 },
	{ "er", 5e-3, { "er" }, { 3 }, 64 },
	{ "dm", 5e-3, { "dm" }, { 3 }, 64 },
	{ "raar", 5e-3, { "raar" }, { 3 }, 64 },
	{ "ml", 1e-3, { "ml" }, { 3 }, 64 },
	{ "ml_poisson", 1e-3, { "ml" }, { 3 }, 64 },
	{ "ml_gauss", 1e-3, { "ml" }, { 3 }, 64 },
	{ "chain", 2e-3, { "epie", "dm", "mlgrad" }, { 2, 2, 1 }, 4 },
	{ "frozen", 1e-3, { "epie" }, { 3 }, 4 },
	{ "modes2", 1e-3, { "epie" }, { 3 }, 4 },
	{ "modes2_lsqml", 1e-3, { "lsqml" }, { 3 }, 8 },
	{ "subpixel", 1e-3, { "epie" }, { 3 }, 4 },
	{ "masked", 1e-3, { "wasp" }, { 3 }, 4 },
	{ "positions", 1e-3, { "lsqml" }, { 4 }, 8 },
};

static bool is(const struct golden *g, const char *name)
{
	return strcmp(g->name, name) == 0;
}

static size_t stages_of(const struct golden *g, struct stage *s)
{
	size_t n = 0;

	for (; n < 4 && g->engines[n]; n++) {
		s[n] = fixture_stage(g->engines[n], g->iterations[n], g->batch);
		s[n].sequential = is(g, "wasp_seq");
		if (strstr(g->name, "_poisson"))
			s[n].noise = NOISE_POISSON;
		if (strstr(g->name, "_gauss"))
			s[n].noise = NOISE_GAUSS;
		s[n].compact = is(g, "lsqml_compact");
	}
	if (is(g, "rpie")) {
		s->alpha = 0.3;
		s->beta = 0.6;
	}
	return n;
}

static struct ptycho_opts options_of(const struct golden *g)
{
	struct ptycho_opts o = fixture_opts();

	if (is(g, "epie1"))
		o.seed = 7;
	if (strncmp(g->name, "mlgrad", 6) == 0)
		o.probe_start = 2;
	if (is(g, "frozen")) {
		o.freeze_probe = true;
		o.gauge = false;
	}
	if (is(g, "subpixel") || is(g, "positions"))
		o.subpixel = true;
	if (is(g, "positions")) {
		o.refine.on = true;
		o.refine.start = 1;
		o.refine.step = 1;
		o.refine.limit = 4;
		o.refine.clip = 0.5;
	}
	return o;
}

/* the windows of the last state against a table of row, column */
static void test_windows(const struct ptycho *p, const char *shared)
{
	char path[4096];
	struct csv t = { 0 };
	double worst = 0, v;
	size_t column[2];

	snprintf(path, sizeof path, "%s/golden/ptycho/positions_windows.csv", shared);
	if (!ok(csv_read(path, false, &t) == 0 && t.rows == p->k && csv_need(&t, "row", &column[0]) == 0 &&
			csv_need(&t, "column", &column[1]) == 0,
		"the golden windows can be read"))
		return;
	for (size_t k = 0; k < p->k; k++)
		for (int a = 0; a < 2; a++)
			if (csv_double(&t, k, column[a], false, &v) != 0 || !(fabs(v - p->s[k][a]) <= worst))
				worst = fabs(v - p->s[k][a]);
	ok(worst < 2e-3, "refined windows are the golden ones within 2e-3 px (%.2g)", worst);
	csv_clear(&t);
}

static void test_golden(struct dev *d, const char *shared, const struct golden *g, size_t room)
{
	const char *positions = is(g, "subpixel")  ? "tiny_subpixel_pos.csv" :
				is(g, "positions") ? "tiny_error_pos.csv" :
						     "tiny_pos.csv";
	struct ptycho_opts o = options_of(g);
	struct fixture_difference diff = { NAN, NAN, NAN };
	struct fixture_log log = { 0 };
	struct fixture f;
	struct ptycho p = { 0 };
	struct stage s[4];
	size_t n = stages_of(g, s);
	int rc = fixture_tiny(&f, shared, positions, is(g, "masked"), is(g, "positions") ? 4 : 0,
			      strncmp(g->name, "modes2", 6) == 0 ? 2 : 1);

	if (rc == 0)
		rc = fixture_start(&f, d, &o, room, true, &p);
	if (rc == 0 && !o.freeze_probe)
		rc = chain_rescale_probe(&p);
	if (rc == 0)
		rc = fixture_run(&p, s, n, &log);
	if (rc == 0)
		rc = fixture_compare(&p, &log, shared, g->name, &diff);
	ok(rc == 0 && diff.object < g->tolerance && diff.probe < g->tolerance && diff.log < g->tolerance,
	   "%s in batches of %zu at most ends at the golden object, probe and log within %g (%.2g, %.2g, %.2g)", g->name, room,
	   g->tolerance, diff.object, diff.probe, diff.log);
	if (rc == 0 && is(g, "positions"))
		test_windows(&p, shared);
	ptycho_clear(&p);
	fixture_clear(&f);
}

int main(void)
{
	struct dev_opts o = { .mem = "1G", .threads = 1 };
	struct dev *d = dev_open(&o);
	const char *shared = tap_shared();

	if (!ok(d != NULL, "a device opens"))
		return done_testing();
	for (size_t i = 0; shared && i < sizeof goldens / sizeof goldens[0]; i++)
		test_golden(d, shared, &goldens[i], goldens[i].batch < 25 ? goldens[i].batch : 25);
	dev_free(d);
	return done_testing();
}
