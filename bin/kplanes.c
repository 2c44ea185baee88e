/* kplanes: K-Planes models of volumes: evaluate, differentiate, render, fit. */
#include <config.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "device.h"
#include "io/out.h"
#include "kplanes.h"

#define VERBS "eval|grad|tv|render|fit|info"

struct kplanes_options opts;

static const struct opt options[] = {
	{ OPT_CHOICE, "verb", .choice = &opts.verb, .choices = VERBS, .initial = "eval",
	  .hidden = true, .help = "the verb" },

	{ OPT_HEADING, .help = "Points and products of eval, grad, tv and render" },
	{ OPT_TEXT, "points", .text = &opts.points, .arg = "FILE", .note = "none",
	  .help = "eval, grad, tv: points x, y, z, one TIFF page or CSV" },
	{ OPT_FLAG, "value", .flag = &opts.value,
	  .help = "eval: the volume's value instead of features" },
	{ OPT_TEXT, "upstream", .text = &opts.upstream, .arg = "FILE", .note = "needed by grad",
	  .help = "grad: one page, a row for each point, a column for each feature" },
	{ OPT_TEXT, "grad-planes", .text = &opts.grad_planes, .arg = "FILE", .incidental = true,
	  .help = "grad, tv: gradient of the planes" },
	{ OPT_TEXT, "grad-points", .text = &opts.grad_points, .arg = "FILE", .incidental = true,
	  .help = "grad: gradient of the points, TIFF or CSV by its name" },
	{ OPT_TEXT, "grad-rotations", .text = &opts.grad_rotations, .arg = "FILE",
	  .incidental = true, .help = "grad: gradient of the rotations, CSV" },
	{ OPT_SIZE, "shape", .size = opts.shape, .values = 3, .range = "[1,2147483648]",
	  .arg = "Z,Y,X", .note = "the model's", .help = "render: voxels" },
	{ OPT_REAL, "box", .real = opts.box[0], .values = 6, .initial = "-1,1,-1,1,-1,1",
	  .arg = "X0,X1,Y0,Y1,Z0,Z1",
	  .help = "render: what the voxels span, in the model's coordinates" },
	{ OPT_TEXT, "preview", .text = &opts.preview, .arg = "FILE", .incidental = true,
	  .help = "render: PNG picture of the first page" },

	{ OPT_HEADING, .help = "Model of fit" },
	{ OPT_SIZE, "rotations", .size = &opts.rotations, .range = "[1,64]", .initial = "4",
	  .arg = "T", .help = "rotated frames" },
	{ OPT_SIZE, "channels", .size = &opts.channels, .range = "[1,256]", .initial = "8",
	  .arg = "C", .help = "channels of a plane" },
	{ OPT_SIZE, "resolution", .size = opts.resolution, .values = 2, .repeat = true,
	  .range = "[1,65536]", .arg = "H[,W]", .note = "the volume's largest extent",
	  .help = "texels of a plane" },
	{ OPT_TEXT, "levels", .text = &opts.levels_text, .initial = "1", .arg = "M[,M]...",
	  .help = "factors on the resolution, one for each level, at most 8" },
	{ OPT_CHOICE, "activation", .choice = &opts.activation, .choices = "linear|softplus",
	  .initial = "linear", .help = "between the sum of features and the value" },
	{ OPT_REAL, "value-range", .real = opts.value_range, .values = 2, .arg = "LO,HI",
	  .note = "least and largest voxel", .help = "values that the model has as 0 and 1" },
	{ OPT_TEXT, "init", .text = &opts.init, .arg = "FILE", .note = "none",
	  .help = "model to go on from" },
	{ OPT_TEXT, "init-rotations", .text = &opts.init_rotations, .initial = "random",
	  .arg = "random|identity|FILE", .help = "first rotations; FILE: those of a model" },
	{ OPT_FLAG, "fix-rotations", .flag = &opts.fit.fix_rotations,
	  .help = "rotations stay as they are" },

	{ OPT_HEADING, .help = "Course of fit" },
	{ OPT_INT, "iters", .integer = &opts.fit.iters, .range = "[0,1000000]", .initial = "1000",
	  .arg = "N", .help = "iterations" },
	{ OPT_SIZE, "batch", .size = &opts.fit.batch, .range = "[0,1e9]", .initial = "8192",
	  .arg = "B", .help = "voxels of an iteration; 0: every one" },
	{ OPT_CHOICE, "optimiser", .choice = &opts.fit.optimiser, .choices = "adam|nadam",
	  .initial = "adam", .help = "steps" },
	{ OPT_REAL, "lr", .real = opts.fit.lr, .values = 3, .range = "[0,inf)",
	  .initial = "0.05,0.02,0.005", .arg = "P,D,R",
	  .help = "step sizes of planes, decoder and rotations" },
	{ OPT_REAL, "lr-final", .real = &opts.fit.lr_final, .range = "(0,inf)", .initial = "0.1",
	  .arg = "F", .help = "the last step sizes, as a part of the first" },
	{ OPT_REAL, "tv-plane", .real = &opts.fit.tv_plane, .range = "[0,inf)", .initial = "0",
	  .arg = "A", .help = "weight of the total variation of the planes" },
	{ OPT_REAL, "tv-volume", .real = &opts.fit.tv_volume, .range = "[0,inf)", .initial = "0",
	  .arg = "V", .help = "weight of the total variation of the volume" },
	{ OPT_SIZE, "tv-points", .size = &opts.fit.tv_points, .range = "[1,1e9]",
	  .initial = "10000", .arg = "N",
	  .help = "at most so many points of a batch count for it" },
	{ OPT_REAL, "warmup", .real = &opts.fit.warmup, .range = "[0,1]", .initial = "0",
	  .arg = "F",
	  .help = "part of the iterations in which the levels come in, the first first" },
	{ OPT_INT, "seed", .integer = &opts.seed, .range = "[0,9007199254740992]", .initial = "0",
	  .arg = "N", .help = "of the first model and the batches" },
	{ OPT_TEXT, "log", .text = &opts.log, .arg = "FILE", .incidental = true,
	  .help = "table of the loss, CSV" },
	{ OPT_END }
};

static const struct opt *const tables[] = { options,	    batch_options,  input_options,
					    output_options, device_options, NULL };

static const struct program program = {
	.synopsis = "eval MODEL.tif... --points FILE [--value] [-o OUT]\n"
		    "grad MODEL.tif --points FILE --upstream FILE [--grad-planes FILE] "
		    "[--grad-points FILE] [--grad-rotations FILE]\n"
		    "tv MODEL.tif [--points FILE] [--grad-planes FILE]\n"
		    "render MODEL.tif... -o OUT.tif [--shape Z,Y,X] [--box X0,X1,Y0,Y1,Z0,Z1]\n"
		    "fit VOLUME.tif... -o MODEL.tif [OPTION]...\n"
		    "info MODEL.tif",
	.purpose = "K-Planes models: volumes as products of learned planes in rotated frames.",
	.example = "kplanes fit --tv-volume 1e-3 volume.tif -o model.tif",
	.tables = tables,
	.features = common_features,
};

enum {
	EVAL = 1 << VERB_EVAL,
	GRAD = 1 << VERB_GRAD,
	TV = 1 << VERB_TV,
	RENDER = 1 << VERB_RENDER,
	FIT = 1 << VERB_FIT
};

static const struct {
	const char *option;
	int verbs;
} belongs[] = {
	{ "points", EVAL | GRAD | TV },
	{ "value", EVAL },
	{ "upstream", GRAD },
	{ "grad-planes", GRAD | TV },
	{ "grad-points", GRAD },
	{ "grad-rotations", GRAD },
	{ "shape", RENDER },
	{ "box", RENDER },
	{ "preview", RENDER },
	{ "rotations", FIT },
	{ "channels", FIT },
	{ "resolution", FIT },
	{ "levels", FIT },
	{ "activation", FIT },
	{ "value-range", FIT },
	{ "init", FIT },
	{ "init-rotations", FIT },
	{ "fix-rotations", FIT },
	{ "iters", FIT },
	{ "batch", FIT },
	{ "optimiser", FIT },
	{ "lr", FIT },
	{ "lr-final", FIT },
	{ "tv-plane", FIT },
	{ "tv-volume", FIT },
	{ "tv-points", FIT },
	{ "warmup", FIT },
	{ "seed", FIT },
	{ "log", FIT },
	{ "pages", FIT },
	{ "channel", FIT },
	{ "axes", FIT },
	{ "output-dir", EVAL | RENDER | FIT },
};

static const char *const verbs[] = { "eval", "grad", "tv", "render", "fit", "info" };

/* ---- usage */

/* The verb in argv[1] becomes the option that stands for it; false after reporting an unknown one.
 */
static bool take_verb(int argc, char **argv, char **option)
{
	*option = NULL;
	if (argc < 2)
		return error("no verb, expected eval, grad, tv, render, fit or info first; see "
			     "--help") == 0;
	if (argv[1][0] == '-')
		return true;
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (strcmp(argv[1], verbs[i]) == 0) {
			*option = argv[1] = mem_printf("--verb=%s", verbs[i]);
			return true;
		}
	return error("'%s': an unknown verb, expected eval, grad, tv, render, fit or info; see "
		     "--help",
		     argv[1]) == 0;
}

static int parse_levels(void)
{
	const char *s = opts.levels_text;

	for (;;) {
		char *end;
		double v = strtod(s, &end);

		if (end == s || !(v > 0) || !(v <= 65536) || opts.levels == KP_LEVELS ||
		    (*end && *end != ','))
			return error("'--levels': '%s', expected 1 to %d factors > 0 with commas "
				     "between",
				     opts.levels_text, KP_LEVELS);
		opts.level[opts.levels++] = v;
		if (!*end)
			return 0;
		s = end + 1;
	}
}

static int check_fit(void)
{
	static const char *const fixed[] = { "rotations", "channels",	"resolution",
					     "levels",	  "activation", "init-rotations" };

	if (parse_levels() != 0)
		return -1;
	for (size_t i = 0; i < sizeof fixed / sizeof *fixed && opts.init; i++)
		if (opt_exclude("init", fixed[i]) != 0)
			return -1;
	if (opt_given("value-range") && !(opts.value_range[0] < opts.value_range[1]))
		return error("'--value-range': %g,%g, expected LO < HI", opts.value_range[0],
			     opts.value_range[1]);
	opts.fit.seed = (uint64_t)opts.seed;
	return 0;
}

/* Two products of one name, two readers of stdin, binary on a terminal. */
static int check_files(const struct operands *rest)
{
	const char *out[] = { common.output,	   opts.grad_planes, opts.grad_points,
			      opts.grad_rotations, opts.preview,     opts.log };
	const char *in[] = { opts.points, opts.upstream, opts.init, opts.init_rotations,
			     common.list };
	size_t n = sizeof out / sizeof *out, stdins = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t k = i + 1; k < n; k++)
			if (out[i] && out[k] && strcmp(out[i], out[k]) == 0)
				return error("'%s': two products, expected a file for each",
					     out[i]);
	for (size_t i = 0; i < sizeof in / sizeof *in; i++)
		stdins += in[i] && strcmp(in[i], "-") == 0;
	for (size_t i = 0; i < rest->n; i++)
		stdins += strcmp(rest->path[i], "-") == 0;
	if (stdins > 1)
		return error("'-': standard input is named %zu times, expected once", stdins);
	if (opts.grad_planes && out_check_binary(opts.grad_planes) != 0)
		return -1;
	return opts.grad_points && !is_csv(opts.grad_points) ? out_check_binary(opts.grad_points)
							     : 0;
}

static int check(const struct operands *rest)
{
	for (size_t i = 0; i < sizeof belongs / sizeof *belongs; i++)
		if (opt_given(belongs[i].option) && !(belongs[i].verbs & 1 << opts.verb))
			return error("'--%s': not an option of %s; see --help", belongs[i].option,
				     verbs[opts.verb]);
	if ((opts.verb == VERB_EVAL || opts.verb == VERB_GRAD) && opt_need("points") != 0)
		return -1;
	if (opts.verb == VERB_GRAD && opt_need("upstream") != 0)
		return -1;
	if (opts.verb == VERB_GRAD && common.output)
		return error("'--output': not an option of grad; see --help");
	if (opts.verb == VERB_GRAD && !opts.grad_planes && !opts.grad_points &&
	    !opts.grad_rotations)
		return error("nothing to do, expected --grad-planes, --grad-points or "
			     "--grad-rotations; see --help");
	if (opt_exclude("output", "output-dir") != 0 || (opts.verb == VERB_FIT && check_fit() != 0))
		return -1;
	return check_files(rest);
}

/* What only one input can have, and what each needs. */
static int check_jobs(const struct batch *b)
{
	bool single = opts.verb == VERB_GRAD || opts.verb == VERB_TV || opts.verb == VERB_INFO ||
		      opts.log || opts.preview;

	if (b->n > 1 && single)
		return error("%zu inputs, expected one for %s", b->n,
			     opts.log	    ? "--log"
			     : opts.preview ? "--preview"
					    : verbs[opts.verb]);
	for (size_t i = 0; i < b->n; i++) {
		const struct job *j = &b->jobs[i];

		if (opts.verb == VERB_EVAL && !j->output && b->n > 1)
			return error("%zu inputs, expected -O DIR for their features", b->n);
		if ((opts.verb == VERB_FIT || (opts.verb == VERB_RENDER && !opts.preview)) &&
		    !j->output)
			return error("nothing to do, expected -o FILE or -O DIR; see --help");
	}
	return 0;
}

/* ---- run */

static int read_others(struct kplanes_tool *t)
{
	const char *model = opts.init;

	if (opts.points && points_read(opts.points, &t->points, &t->n) != 0)
		return -1;
	if (opts.upstream && t->n > 0 &&
	    upstream_read(opts.upstream, t->n, &t->upstream, &t->features) != 0)
		return -1;
	if (opts.verb == VERB_FIT && !model && strcmp(opts.init_rotations, "random") != 0 &&
	    strcmp(opts.init_rotations, "identity") != 0)
		model = opts.init_rotations;
	return model ? model_read(model, &t->init) : 0;
}

static int run(struct batch *b)
{
	struct dev_opts d = common_dev_opts();
	struct kplanes_tool t = { .d = NULL };
	int status = EXIT_FAILED;

	if (read_others(&t) != 0)
		goto done;
	if (opts.verb != VERB_INFO) {
		t.d = dev_open(&d);
		if (!t.d)
			goto done;
	}
	status = batch_run(b, &kplanes_ops, &t, t.d ? dev_name(t.d) : NULL);
	if (common_profile() != 0)
		status = EXIT_FAILED;
done:
	free(t.points);
	free(t.upstream);
	kplanes_clear(&t.init);
	dev_free(t.d);
	return status;
}

int main(int argc, char **argv)
{
	static const char *const suffix[] = { "_features.tif", NULL,	     NULL,
					      "_render.tif",   "_model.tif", NULL };
	struct batch_table table = { 0 };
	struct batch_spec spec = { .output_column = "output", .tables = &table, .n_tables = 1 };
	struct operands rest;
	struct batch b;
	char *verb;
	int status;

	program_start(argv[0]);
	if (!take_verb(argc, argv, &verb))
		return EXIT_USAGE;
	status = common_begin(&program, argc, argv, &rest);
	if (status != OPT_GO)
		goto done;
	status = EXIT_USAGE;
	if (!opt_given("verb"))
		error("no verb, expected eval, grad, tv, render, fit or info first; see --help");
	if (!opt_given("verb") || check(&rest) != 0)
		goto done;
	spec.operand = opts.verb == VERB_FIT ? "VOLUME.tif" : "MODEL.tif";
	spec.input_column = opts.verb == VERB_FIT ? "volume" : "model";
	spec.suffix = opts.verb == VERB_EVAL && opts.value ? "_values.tif" : suffix[opts.verb];
	spec.output_column = spec.suffix ? "output" : NULL;
	if (opts.verb == VERB_TV || opts.verb == VERB_INFO) {
		table.path = common.output ? common.output : "-";
		table.header = opts.verb == VERB_TV ? "term,level,value" : "key,value";
	}
	status = batch_open(&b, &spec, &rest);
	if (status == EXIT_DONE)
		status = check_jobs(&b) != 0 ? EXIT_USAGE : run(&b);
	batch_close(&b);
done:
	opt_clear();
	free(verb);
	return status;
}
