/* Engines of ptychography: golden trajectories, the truth as a fixed point, the same bytes for any
 * blocks. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "io/csvio.h"
#include "ptycho/waves.h"
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
	if (!ok(csv_read(path, false, &t) == 0 && t.rows == p->k &&
			csv_need(&t, "row", &column[0]) == 0 &&
			csv_need(&t, "column", &column[1]) == 0,
		"the golden windows can be read"))
		return;
	for (size_t k = 0; k < p->k; k++)
		for (int a = 0; a < 2; a++)
			if (csv_double(&t, k, column[a], false, &v) != 0 ||
			    !(fabs(v - p->s[k][a]) <= worst))
				worst = fabs(v - p->s[k][a]);
	ok(worst < 2e-3, "refined windows are the golden ones within 2e-3 px (%.2g)", worst);
	csv_clear(&t);
}

static void test_golden(struct dev *d, const char *shared, const struct golden *g, size_t room)
{
	const char *positions = is(g, "subpixel")    ? "tiny_subpixel_pos.csv"
				: is(g, "positions") ? "tiny_error_pos.csv"
						     : "tiny_pos.csv";
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
	ok(rc == 0 && diff.object < g->tolerance && diff.probe < g->tolerance &&
		   diff.log < g->tolerance,
	   "%s in batches of %zu at most ends at the golden object, probe and log within %g (%.2g, "
	   "%.2g, %.2g)",
	   g->name, room, g->tolerance, diff.object, diff.probe, diff.log);
	if (rc == 0 && is(g, "positions"))
		test_windows(&p, shared);
	ptycho_clear(&p);
	fixture_clear(&f);
}

/* ---- analytic: a scan of 4 x 4 frames of 16 x 16 made in double */

enum { SIDE = 4, N = 16 };

/* Whose probe is sum O* psi / sum |O|^2: with each frame's probe shifted that is a fixed point for
 * smooth probes only. */
static bool averages(const char *engine)
{
	return strcmp(engine, "wasp") == 0 || strcmp(engine, "er") == 0 ||
	       strcmp(engine, "dm") == 0 || strcmp(engine, "raar") == 0;
}

static void test_fixed_point(struct dev *d, const char *engine, bool fraction, size_t modes)
{
	struct ptycho_opts o = fixture_opts();
	struct stage s = fixture_stage(engine, 3, 8);
	struct fixture_log log = { 0 };
	struct fixture f;
	struct ptycho p = { 0 };
	double object = NAN, probe = NAN;
	float complex *a, *b;
	int rc;

	fixture_make(&f, SIDE, N, modes, 1e6, fraction);
	o.gauge = false;
	o.probe_start = 0;
	o.orthogonalise = ORTH_OFF;
	o.subpixel = fraction;
	s.floor = 1e-9;
	o.freeze_probe = fraction && averages(engine);
	a = mem_new(f.h * f.w, sizeof *a);
	b = mem_new(modes * N * N, sizeof *b);
	rc = fixture_start(&f, d, &o, 8, true, &p) != 0 || fixture_run(&p, &s, 1, &log) != 0 ||
	     ptycho_read(&p, a, b) != 0;
	if (rc == 0) {
		object = fixture_distance(a, f.object, f.h * f.w);
		probe = fixture_distance(b, f.probe, modes * N * N);
	}
	ok(object < 1e-5 && probe < 1e-5 && log.final.R < 1e-5,
	   "%s stays at the truth of noise-free frames%s%s%s: 3 iterations change object and probe "
	   "by less than 1e-5 (%.2g, %.2g; R %.2g)",
	   engine, fraction ? ", off the pixels" : "", modes > 1 ? ", 2 modes" : "",
	   o.freeze_probe ? ", probe fixed" : "", object, probe, log.final.R);
	free(a);
	free(b);
	ptycho_clear(&p);
	fixture_clear(&f);
}

/* One iteration of rpie over all frames at once, alpha 0, and of er, from a flat object with the
 * probe fixed */
static void test_rpie_is_er(struct dev *d)
{
	struct ptycho_opts o = fixture_opts();
	struct fixture_log log;
	struct fixture f;
	float complex *x[2];
	float *W;
	double worst = 0, most = 0;
	size_t n = 0;
	bool good = true;

	fixture_make(&f, SIDE, N, 1, 1e3, false);
	for (size_t i = 0; i < f.h * f.w; i++)
		f.object[i] = 1;
	o.freeze_probe = true;
	o.gauge = false;
	W = mem_new(f.h * f.w, sizeof *W);
	for (int e = 0; e < 2; e++) {
		struct stage s = fixture_stage(e ? "er" : "rpie", 1, f.k);
		struct ptycho p = { 0 };

		s.alpha = 0;
		x[e] = mem_new(f.h * f.w, sizeof *x[e]);
		good = good && fixture_start(&f, d, &o, f.k, true, &p) == 0 &&
		       fixture_run(&p, &s, 1, &log) == 0 && ptycho_read(&p, x[e], NULL) == 0 &&
		       model_illumination(&p, p.W) == 0 &&
		       buf_read(p.W, 0, W, f.h * f.w * sizeof *W) == 0;
		ptycho_clear(&p);
	}
	for (size_t i = 0; i < f.h * f.w; i++)
		most = fmax(most, (double)W[i]);
	for (size_t i = 0; i < f.h * f.w; i++)
		if ((double)W[i] > 0.2 * most) {
			worst = fmax(worst,
				     cabs((double complex)x[0][i] - (double complex)x[1][i]));
			n++;
		}
	ok(good && n > f.h && worst < 1e-3,
	   "rpie with all frames in a batch, alpha 0 and a fixed probe is er's object where it is "
	   "well lit (%.2g)",
	   worst);
	free(x[0]);
	free(x[1]);
	free(W);
	fixture_clear(&f);
}

/* ---- blocks, memory */

/* The same bytes whatever the blocks, frames staged or resident, waves on device or host */
static void test_same(struct dev *d, const char *engine, size_t modes, bool fraction)
{
	bool keeps = strcmp(engine, "ml") != 0;
	bool again = strcmp(engine, "er") == 0 || strcmp(engine, "mlgrad") == 0;
	const char *mem = !keeps      ? "1M"
			  : again     ? (modes > 1 ? "200K" : "100K")
			  : modes > 1 ? "110K"
				      : "60K";
	struct dev_opts little = { .mem = mem, .threads = 1 };
	struct dev *small = dev_open(&little);
	struct ptycho_opts o = fixture_opts();
	struct stage s = fixture_stage(engine, 3, 64);
	struct fixture_log log[3];
	struct fixture f;
	float complex *object[3], *probe[3];
	bool good = true, same = true;

	fixture_make(&f, again ? 8 : SIDE, N, modes, 1e3, fraction);
	free(f.object);
	f.object = NULL;
	o.subpixel = fraction;
	for (int c = 0; c < 3; c++) {
		struct ptycho p = { 0 };

		object[c] = mem_new(f.h * f.w, sizeof *object[c]);
		probe[c] = mem_new(modes * N * N, sizeof *probe[c]);
		good = good &&
		       fixture_start(&f, c == 2 ? small : d, &o, c ? 3 : 16, c == 0, &p) == 0 &&
		       fixture_run(&p, &s, 1, &log[c]) == 0 &&
		       ptycho_read(&p, object[c], probe[c]) == 0;
		if (c)
			same = same &&
			       memcmp(object[0], object[c], f.h * f.w * sizeof *object[c]) == 0 &&
			       memcmp(probe[0], probe[c], modes * N * N * sizeof *probe[c]) == 0 &&
			       log[0].final.nll == log[c].final.nll &&
			       log[0].row[1].R == log[c].row[1].R;
		ptycho_clear(&p);
	}
	ok(good && same, "%s%s%s: the same bytes in blocks of 16 and of 3 frames, frames staged%s",
	   engine, modes > 1 ? ", 2 modes" : "", fraction ? ", sub-pixel" : "",
	   again   ? ", waves computed again"
	   : keeps ? ", waves on the host"
		   : "");
	for (int c = 0; c < 3; c++) {
		free(object[c]);
		free(probe[c]);
	}
	dev_free(small);
	fixture_clear(&f);
}

static void test_waves(struct dev *d, struct dev *small)
{
	struct ptycho_opts o = fixture_opts();
	struct fixture f;

	fixture_make(&f, SIDE, N, 2, 1, false);
	for (int c = 0; c < 2; c++) {
		struct ptycho p = { 0 };
		struct waves w = { 0 };
		bool good = fixture_start(&f, c ? small : d, &o, 3, false, &p) == 0 &&
			    waves_init(&p, &w, 3, WAVES_STATE) == 0;

		ok(good && w.blocks == 6 && (c ? w.host && !w.on_device : w.on_device && !w.host),
		   c ? "with little memory waves stay on the host"
		     : "with memory waves stay on the device");
		waves_free(&w);
		ptycho_clear(&p);
	}
	fixture_clear(&f);
}

/* ---- key avg */

struct iterates {
	long from;
	double n;
	double complex *object;
};

static int add_iterate(void *arg, struct ptycho *p, const struct ptycho_row *row)
{
	struct iterates *t = arg;
	float complex *o = mem_new(p->h * p->w, sizeof *o);
	int rc = ptycho_read(p, o, NULL);

	for (size_t i = 0; i < p->h * p->w && row->iteration >= t->from; i++)
		t->object[i] += (double complex)o[i];
	t->n += row->iteration >= t->from;
	free(o);
	return rc;
}

static void test_average(struct dev *d, const char *engine)
{
	struct ptycho_opts o = fixture_opts();
	struct stage s = fixture_stage(engine, 7, 4);
	struct iterates t = { .from = 4 };
	struct chain_ops ops = { .row = add_iterate, .arg = &t };
	struct ptycho_row final;
	struct fixture f;
	struct ptycho p = { 0 };
	float complex *x, *mean;
	double off = NAN, last = NAN;

	fixture_make(&f, SIDE, N, 1, 1e3, false);
	for (size_t i = 0; i < f.h * f.w; i++)
		f.object[i] = 1;
	for (size_t i = 0; i < N * N; i++)
		f.probe[i] *= i % 3 ? 1.4f : 0.4f;
	x = mem_new(f.h * f.w, sizeof *x);
	mean = mem_new(f.h * f.w, sizeof *mean);
	t.object = mem_new(f.h * f.w, sizeof *t.object);
	for (int c = 0; c < 2; c++) {
		s.average = c ? 0.4 : 0; /* of 7: 3 */
		if (fixture_start(&f, d, &o, 4, true, &p) == 0 &&
		    chain_run(&p, &s, 1, &ops, &final) == 0 && ptycho_read(&p, x, NULL) == 0)
			*(c ? &off : &last) = 0;
		for (size_t i = 0; i < f.h * f.w && !c; i++)
			mean[i] = (float complex)(t.object[i] / t.n);
		*(c ? &off : &last) += fixture_distance(x, mean, f.h * f.w);
		ptycho_clear(&p);
	}
	ok(off < 1e-6 && last > 1e-4,
	   "%s with avg=0.4 ends at the mean of its last 3 of 7 iterates (%.2g; the last alone "
	   "%.2g)",
	   engine, off, last);
	free(x);
	free(mean);
	free(t.object);
	fixture_clear(&f);
}

/* ---- the plan */

static int watch_memory(void *arg, struct ptycho *p, const struct ptycho_row *row)
{
	size_t *most = arg, used = dev_mem_used(p->d);

	(void)row;
	if (used > *most)
		*most = used;
	return 0;
}

static void test_plan(struct dev *d, const char *engine, size_t modes, bool fraction)
{
	struct ptycho_opts o = fixture_opts();
	struct stage s = fixture_stage(engine, 3, 8);
	size_t most = 0, planned;
	struct chain_ops ops = { .row = watch_memory, .arg = &most };
	struct ptycho_plan plan;
	struct ptycho_row final;
	struct fixture f;
	struct ptycho p = { 0 };
	bool good;

	fixture_make(&f, SIDE, N, modes, 1e3, fraction);
	o.subpixel = fraction;
	o.refine.on = fraction;
	o.refine.step = o.refine.limit = o.refine.clip = 0.1;
	plan = ptycho_plan(f.k, N, modes, f.h, f.w, engine, 8, sizeof(float), dev_mem(d));
	planned = plan.fixed + plan.work + plan.frames;
	good = fixture_start(&f, d, &o, 8, true, &p) == 0 &&
	       chain_run(&p, &s, 1, &ops, &final) == 0;
	ok(good && most > planned / 3 && most <= planned,
	   "%s%s%s: %zu bytes on the device, within the %zu planned", engine,
	   modes > 1 ? ", 2 modes" : "", fraction ? ", sub-pixel, positions refined" : "", most,
	   planned);
	ptycho_clear(&p);
	fixture_clear(&f);
}

int main(void)
{
	static const char *const names[] = { "epie", "rpie", "wasp", "lsqml", "mlgrad",
					     "er",   "dm",   "raar", "ml" };
	struct dev_opts little = { .mem = "110K", .threads = 1 };
	struct dev *small = dev_open(&little);
	struct dev_opts o = { .mem = "1G", .threads = 1 };
	struct dev *d = dev_open(&o);
	const char *shared = tap_shared();

	if (!ok(d != NULL && small != NULL, "a device opens"))
		return done_testing();
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		test_fixed_point(d, names[i], false, 1);
		test_fixed_point(d, names[i], true, 1);
		test_fixed_point(d, names[i], false, 2);
	}
	test_rpie_is_er(d);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		test_plan(d, names[i], 1, false);
		test_plan(d, names[i], 2, true);
	}
	test_waves(d, small);
	for (size_t i = 4; i < sizeof names / sizeof names[0]; i++) {
		test_same(d, names[i], 1, false);
		test_same(d, names[i], 2, true);
	}
	test_average(d, "dm");
	test_average(d, "raar");
	for (size_t i = 0; shared && i < sizeof goldens / sizeof goldens[0]; i++)
		test_golden(d, shared, &goldens[i], goldens[i].batch < 25 ? goldens[i].batch : 25);
	dev_free(small);
	dev_free(d);
	return done_testing();
}
