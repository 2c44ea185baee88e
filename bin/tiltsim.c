/* tiltsim: brightfield z-stacks of a known object under tilted illumination. */
#include <config.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "batch/batch.h"
#include "device.h"
#include "io/out.h"
#include "tilt/phantom.h"
#include "tilt/simulate.h"
#include "tilt_files.h"
#include "tilt_options.h"

static struct {
	long slices, points, seed;
	enum forward forward;
	enum phantom phantom;
	size_t size[2];
	double peak, brightness;
	const char *absorption, *phantom_out, *truth, *noise_text;
	enum noise noise;
	double noise_sd; /* counts */
	enum { OUT_F32, OUT_U16 } type;
} opts;

static const struct opt options[] = {
	{ OPT_HEADING, .help = "Object" },
	{ OPT_TEXT, "absorption", .text = &opts.absorption, .arg = "FILE", .note = "none",
	  .help = "logarithm of the amplitude, negative where the object absorbs" },
	{ OPT_CHOICE, "phantom", .choice = &opts.phantom, .choices = "disks|sphere|cells",
	  .note = "none", .help = "make the object from the seed" },
	{ OPT_SIZE, "size", .size = opts.size, .values = 2, .repeat = true, .unit = UNIT_PIXEL,
	  .range = "[1,65536]", .arg = "H[,W]", .note = "needed by --phantom", .help = "its size" },
	{ OPT_REAL, "phase-peak", .real = &opts.peak, .unit = UNIT_ANGLE, .initial = "0.5",
	  .arg = "V", .help = "its largest phase" },
	{ OPT_TEXT, "phantom-out", .text = &opts.phantom_out, .arg = "FILE", .incidental = true,
	  .help = "write its phase" },

	{ OPT_HEADING, .help = "Image" },
	{ OPT_INT, "slices", .integer = &opts.slices, .range = "[1,65535]", .arg = "Z",
	  .note = "needed", .help = "number of slices" },
	{ OPT_CHOICE, "forward", .choice = &opts.forward, .choices = "weak|abbe", .initial = "weak",
	  .help = "weak: linear in the object; abbe: sum over the points of the light source" },
	{ OPT_INT, "points", .integer = &opts.points, .range = "[0,1e9]", .initial = "0",
	  .arg = "N", .help = "abbe: at most so many points, drawn by the seed; 0: all" },
	{ OPT_REAL, "brightness", .real = &opts.brightness, .range = "(0,1e12]", .initial = "1000",
	  .arg = "B", .help = "counts of the empty field" },
	{ OPT_TEXT, "noise", .text = &opts.noise_text, .arg = "none|poisson|gauss:S",
	  .initial = "none", .help = "counting noise, or Gaussian noise of S counts" },
	{ OPT_INT, "seed", .integer = &opts.seed, .range = "[0,9007199254740992]", .initial = "0",
	  .arg = "N", .help = "of phantom, points and noise" },
	{ OPT_CHOICE, "dtype", .choice = &opts.type, .choices = "f32|u16", .initial = "f32",
	  .help = "type of the pixels" },
	{ OPT_TEXT, "truth", .text = &opts.truth, .arg = "FILE", .incidental = true,
	  .help = "table of the tilts that were used" },
	{ OPT_END }
};

static const struct opt *const tables[] = { options,	    optics_options, tilt_angle_options,
					    tile_options,   batch_options,  input_options,
					    output_options, device_options, NULL };

static const struct program program = {
	.synopsis = "[OPTION]... --slices Z -o STACK.tif PHASE.tif\n"
		    "[OPTION]... --slices Z --phantom KIND --size H[,W] -o STACK.tif",
	.purpose = "Brightfield z-stacks of a known object whose illumination is tilted: the "
		   "forward model of tiltrecon.",
	.example = "tiltsim --config pheno --phantom cells --size 256 --slices 11 --zenith 6deg "
		   "--noise poisson -o stack.tif",
	.tables = tables,
	.features = common_features,
};

struct tool {
	struct dev *d;
	struct array absorption; /* of all inputs; data NULL: none */
	struct tilt_table given; /* --tilt-csv */
};

struct work {
	struct array phase, stack;
	struct tiff_meta meta; /* of the phase */
	char *stem;	       /* the stack's, for the tables */
	struct simulate_opts sim;
	struct tile_plan plan;
	struct tilt *tilt; /* [tiles] */
};

/* ---- one object to one stack */

/* One page of finite pixels, to float32. */
static int read_image(const char *path, struct array *a, struct tiff_meta *m)
{
	struct tiff_select select = common_select();
	bool lossy;

	if (tiff_read(path, &select, a, m) != 0)
		return -1;
	if (a->nz != 1)
		return error("'%s': %zu pages, expected 1", path, a->nz);
	if (array_bad_page(a) >= 0)
		return error("'%s': holds NaN or Inf, expected finite pixels", path);
	if (array_to_f32(a, &lossy) != 0)
		return -1;
	if (lossy)
		info("'%s': pixels are rounded to float32", path);
	return 0;
}

/* Shape, optics and tiles, for an object of ny x nx pixels. */
static int set_up(struct tool *t, const struct job *j, struct work *w, size_t ny, size_t nx)
{
	const char *name = j->input ? j->input : j->stem;
	struct optics *o = &w->sim.optics;

	if (tilt_optics(name, &w->meta, (size_t)opts.slices, true, o) != 0)
		return -1;
	if (opts.forward == FORWARD_ABBE && o->oversample == 0)
		o->oversample = 2;
	if (t->absorption.data && (t->absorption.ny != ny || t->absorption.nx != nx))
		return error("'%s': %zu x %zu pixels, expected those of '%s', %zu x %zu",
			     opts.absorption, t->absorption.ny, t->absorption.nx, name, ny, nx);
	tilt_tiles(ny, nx, &w->plan);
	if (tilt_options.pad >= w->plan.h || tilt_options.pad >= w->plan.w)
		return error("'%s': pad %zu, expected less than the tile's %zu x %zu", name,
			     tilt_options.pad, w->plan.h, w->plan.w);
	w->sim.forward = opts.forward;
	w->sim.points = (size_t)opts.points;
	w->sim.seed = (uint64_t)opts.seed;
	w->sim.pad = tilt_options.pad;
	w->sim.blend = tilt_options.blend;
	w->sim.sigma_frac = tilt_options.sigma_frac;
	return 0;
}

static int read_object(void *tool, struct job *j)
{
	struct work *w = mem_new(1, sizeof *w);

	j->data = w;
	w->stem = batch_stem(j->output);
	if (!opt_given("phantom")) {
		if (read_image(j->input, &w->phase, &w->meta) != 0)
			return -1;
	} else {
		if (array_init(&w->phase, "phantom", DT_F32, 1, opts.size[0], opts.size[1]) != 0)
			return -1;
		phantom_make(opts.phantom, opts.size[0], opts.size[1], opts.peak,
			     (uint64_t)opts.seed, w->phase.data);
	}
	return set_up(tool, j, w, w->phase.ny, w->phase.nx);
}

static int simulate(void *tool, struct job *j)
{
	struct tool *t = tool;
	struct work *w = j->data;
	size_t nz = (size_t)opts.slices, pixels = w->phase.ny * w->phase.nx;
	struct tilt_owner who = { .stack = w->stem };

	w->tilt = mem_new(w->plan.count, sizeof *w->tilt);
	for (size_t i = 0; i < w->plan.count; i++)
		w->tilt[i] = tilt_options.tilt;
	if (tilt_options.tilt_csv && tilt_table_pick(&t->given, &who, w->plan.count, w->tilt) != 0)
		return -1;
	if (array_init(&w->stack, w->stem, DT_F32, nz, w->phase.ny, w->phase.nx) != 0 ||
	    simulate_stack(t->d, &w->sim, j->input ? j->input : j->stem, w->phase.data,
			   t->absorption.data, &w->plan, w->tilt, nz, w->stack.data) != 0)
		return -1;
	simulate_counts(w->stack.data, nz, pixels, opts.brightness, opts.noise, opts.noise_sd,
			(uint64_t)opts.seed, dev_threads(t->d));
	for (size_t i = 0; i < w->plan.count; i++)
		tilt_table_put(&j->rows[0], &who, i, &w->plan.box[i], &w->tilt[i], NAN, 0, false);
	if (opts.type == OUT_U16) {
		struct array counts;

		if (array_init(&counts, w->stem, DT_U16, nz, w->phase.ny, w->phase.nx) != 0)
			return -1;
		simulate_u16(w->stack.data, nz * pixels, counts.data);
		array_clear(&w->stack);
		w->stack = counts;
	}
	return 0;
}

static int write_stack(void *tool, struct job *j)
{
	struct work *w = j->data;
	struct tiff_out o = common_tiff_out();

	(void)tool;
	o.pixel_um = w->sim.optics.pixel;
	o.provenance = j->provenance;
	if (opts.phantom_out && tiff_write(opts.phantom_out, &w->phase, &o) != 0)
		return -1;
	o.z_step_um = w->sim.optics.z_step;
	return tiff_write(j->output, &w->stack, &o);
}

static void done(void *tool, struct job *j)
{
	struct work *w = j->data;

	(void)tool;
	array_clear(&w->phase);
	array_clear(&w->stack);
	tiff_meta_clear(&w->meta);
	tile_plan_clear(&w->plan);
	free(w->tilt);
	free(w->stem);
	free(w);
	j->data = NULL;
}

static int plan(void *tool, struct job *j, struct job_plan *p)
{
	struct tool *t = tool;
	struct tiff_select select = common_select();
	struct work w = { .stem = NULL };
	struct array a = { .type = DT_F32, .nz = 1, .ny = opts.size[0], .nx = opts.size[1] };
	size_t nz = (size_t)opts.slices;
	int rc = -1;

	if ((!opt_given("phantom") && tiff_probe(j->input, &select, &a, &w.meta) != 0) ||
	    set_up(t, j, &w, a.ny, a.nx) != 0)
		goto done;
	*p = (struct job_plan){
		.type = a.type, .nz = a.nz, .ny = a.ny, .nx = a.nx, .blocks = w.plan.count
	};
	p->host_bytes = (nz + 1 + (t->absorption.data != NULL)) * a.ny * a.nx * 4 +
			simulate_host_bytes(&w.plan, nz);
	p->device_bytes = simulate_bytes(t->d, &w.sim, w.plan.h, w.plan.w, w.plan.count);
	rc = 0;
done:
	tile_plan_clear(&w.plan);
	tiff_meta_clear(&w.meta);
	return rc;
}

static const struct batch_ops ops = { .plan = plan,
				      .read = read_object,
				      .compute = simulate,
				      .write = write_stack,
				      .done = done,
				      .begin = profile_begin,
				      .end = profile_end };

/* ---- the program */

/* --noise; -1 after reporting. */
static int parse_noise(const char *text)
{
	char *end;

	if (strcmp(text, "none") == 0 || strcmp(text, "poisson") == 0) {
		opts.noise = text[0] == 'p' ? NOISE_POISSON : NOISE_NONE;
		return 0;
	}
	if (strncmp(text, "gauss:", 6) == 0 && strchr("0123456789.", text[6])) {
		opts.noise = NOISE_GAUSS;
		opts.noise_sd = strtod(text + 6, &end);
		if (text[6] && *end == '\0' && isfinite(opts.noise_sd))
			return 0;
	}
	return error("'--noise': '%s', expected none, poisson or gauss:S with S >= 0 counts", text);
}

/* Usage errors that the option table cannot know. */
static int check(const struct operands *rest)
{
	bool phantom = opt_given("phantom");

	if (tilt_options_check(true) != 0 || opt_need("slices") != 0 ||
	    opt_exclude("output", "output-dir") != 0 || parse_noise(opts.noise_text) != 0)
		return -1;
	if (phantom && opt_need("size") != 0)
		return -1;
	if (!phantom && (opt_given("size") || opts.phantom_out))
		return error("'--%s': expected --phantom",
			     opts.phantom_out ? "phantom-out" : "size");
	if (phantom && (rest->n > 0 || common.list))
		return error("'%s': an object and --phantom, expected one of the two",
			     rest->n ? rest->path[0] : common.list);
	if (opts.points && opts.forward != FORWARD_ABBE)
		return error("'--points': expected --forward abbe");
	if (opts.phantom_out && common.output && strcmp(opts.phantom_out, common.output) == 0)
		return error("'%s': of --phantom-out and --output, expected two files",
			     common.output);
	return opts.phantom_out ? out_check_binary(opts.phantom_out) : 0;
}

static int check_outputs(const struct batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (!b->jobs[i].output)
			return error("nothing to do, expected -o STACK.tif or -O DIR; see --help");
	return 0;
}

static int run(struct batch *b)
{
	struct dev_opts d = common_dev_opts();
	struct tool t = { .d = NULL };
	int status = EXIT_FAILED;

	if ((opts.absorption && read_image(opts.absorption, &t.absorption, NULL) != 0) ||
	    (tilt_options.tilt_csv && tilt_table_read(tilt_options.tilt_csv, &t.given) != 0))
		goto done;
	t.d = dev_open(&d);
	if (!t.d)
		goto done;
	status = batch_run(b, &ops, &t, dev_name(t.d));
	if (common_profile() != 0)
		status = EXIT_FAILED;
done:
	array_clear(&t.absorption);
	tilt_table_clear(&t.given);
	dev_free(t.d);
	return status;
}

int main(int argc, char **argv)
{
	struct batch_table truth = { .header = TILT_TABLE_HEADER };
	struct batch_spec spec = { .operand = "PHASE.tif",
				   .input_column = "phase",
				   .output_column = "output",
				   .suffix = "_stack.tif",
				   .tables = &truth,
				   .n_tables = 1 };
	struct operands rest;
	struct batch b;
	int status;

	status = common_begin(&program, argc, argv, &rest);
	if (status != OPT_GO)
		return status;
	if (check(&rest) != 0)
		return EXIT_USAGE;
	truth.path = opts.truth;
	spec.generates = opt_given("phantom");
	status = batch_open(&b, &spec, &rest);
	if (status == EXIT_DONE)
		status = check_outputs(&b) != 0 ? EXIT_USAGE : run(&b);
	batch_close(&b);
	opt_clear();
	return status;
}
