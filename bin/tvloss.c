/* tvloss: total variation of volumes, and its gradient. */
#include <config.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "batch/common.h"
#include "device.h"
#include "tvloss.h"

struct tvloss_options tvloss;

static const char *weights_text;

static const struct opt options[] = {
	{ OPT_HEADING, .help = "Functional" },
	{ OPT_CHOICE, "kind", 'k', .choice = &tvloss.tv.kind, .choices = "sq|iso|l1|plane",
	  .initial = "sq",
	  .help = "squares, corners' roots, magnitudes of differences; plane: planes of a K-Planes "
		  "level" },
	{ OPT_CHOICE, "scale", 's', .choice = &tvloss.scale,
	  .choices = "sum|mean|numel|active|quantem", .note = "sum; mean with iso and plane",
	  .help = "what the sums are divided by" },
	{ OPT_TEXT, "weights", 'w', .text = &weights_text, .arg = "WZ,WY,WX", .note = "1",
	  .help = "of the axes, >= 0; WZ,WXY or one for all will do" },
	{ OPT_REAL, "eps", .real = &tvloss.tv.eps, .range = "[0,inf)", .initial = "1e-8",
	  .arg = "E", .help = "iso: inside the root" },
	{ OPT_FLAG, "wrap", .flag = &tvloss.tv.wrap,
	  .help = "phase differences are taken into [-pi, pi)" },

	{ OPT_HEADING, .help = "Volumes" },
	{ OPT_SIZE, "batch", 'b', .size = &tvloss.batch, .range = "[1,1e9]", .initial = "1",
	  .arg = "N", .help = "the pages are N volumes, one after the other" },
	{ OPT_FLAG, "slices", .flag = &tvloss.slices, .help = "every page is an image of its own" },
	{ OPT_FLAG, "per-volume", .flag = &tvloss.per_volume,
	  .help = "a row and a loss for every volume" },
	{ OPT_CHOICE, "complex", .choice = &tvloss.layout, .choices = "no|pairs|halves",
	  .initial = "no", .help = "pages are re, im, re, im ...; or all re, then all im" },
	{ OPT_LIST, "parts", .list = &tvloss.parts, .choices = "phase|amplitude",
	  .arg = "PART[,PART]", .note = "both", .help = "of complex volumes: what counts" },
	{ OPT_CHOICE, "nan", .choice = &tvloss.nan, .choices = "refuse|skip|propagate",
	  .initial = "refuse", .help = "NaN and Inf: an error, holes, or numbers like others" },

	{ OPT_HEADING, .help = "Gradient" },
	{ OPT_TEXT, "grad", 'g', .text = &tvloss.grad, .arg = "FILE", .incidental = true,
	  .help = "write it, in the input's layout; of several inputs: -O" },
	{ OPT_REAL, "upstream", .real = &tvloss.upstream, .initial = "1", .arg = "U",
	  .help = "factor on the gradient" },
	{ OPT_END }
};

static const struct opt *const tables[] = { options,	    batch_options,  input_options,
					    output_options, device_options, NULL };

static const struct program program = {
	.synopsis = "[OPTION]... VOLUME.tif...",
	.purpose = "Total variation of volumes as a table, and its gradient as TIFF.",
	.example = "tvloss --kind iso --weights 0.25,1,1 --grad gradient.tif volume.tif",
	.tables = tables,
	.features = common_features,
};

/* WZ,WY,WX or WZ,WXY or W; the last number stands for those that lack. */
static int take_weights(void)
{
	const char *s = weights_text ? weights_text : "1";
	int n = 0;

	for (;;) {
		char *end;
		double w = strtod(s, &end);

		if (end == s || !(w >= 0) || isinf(w) || n == 3 || (*end && *end != ','))
			return error("'--weights': '%s', expected one to three finite numbers >= 0",
				     weights_text);
		tvloss.tv.weight[n++] = w;
		if (!*end)
			break;
		s = end + 1;
	}
	for (; n < 3; n++)
		tvloss.tv.weight[n] = tvloss.tv.weight[n - 1];
	return 0;
}

/* --scale by kind: what quantem stands for, and what a kind does not take. */
static int take_scale(void)
{
	static const enum tv_scale quantem[] = {
		[TV_SQ] = TV_NUMEL, [TV_ISO] = TV_MEAN, [TV_L1] = TV_ACTIVE, [TV_PLANE] = TV_MEAN
	};
	enum tv_kind kind = tvloss.tv.kind;
	bool root = kind == TV_ISO, plane = kind == TV_PLANE;

	if (!opt_given("scale"))
		tvloss.scale = root || plane ? TV_MEAN : TV_SUM;
	tvloss.tv.scale = tvloss.scale == 4 ? quantem[kind] : (enum tv_scale)tvloss.scale;
	if ((root && tvloss.tv.scale > TV_MEAN) || (plane && tvloss.tv.scale != TV_MEAN))
		return error("'--scale': not with --kind %s, expected %s", root ? "iso" : "plane",
			     root ? "sum or mean" : "mean");
	return 0;
}

static int check(void)
{
	bool complex_given = tvloss.layout != LAYOUT_REAL;

	if (take_weights() != 0 || take_scale() != 0 || opt_exclude("batch", "slices") != 0 ||
	    opt_exclude("grad", "output-dir") != 0)
		return -1;
	if (tvloss.tv.kind == TV_PLANE && weights_text)
		return error("'--weights': not with --kind plane");
	if (tvloss.parts.n && !complex_given)
		return error("'--parts': expected --complex pairs or halves");
	tvloss.part[PART_PHASE] = tvloss.part[PART_AMPLITUDE] = tvloss.parts.n == 0;
	for (size_t i = 0; i < tvloss.parts.n; i++)
		tvloss.part[tvloss.parts.item[i]] = true;
	if (tvloss.tv.wrap && complex_given && !tvloss.part[PART_PHASE])
		return error("'--wrap': only phases are wrapped, expected phase among --parts");
	tvloss.tv.skip = tvloss.nan == NAN_SKIP;
	return 0;
}

static int run(struct batch *b)
{
	struct dev_opts o = common_dev_opts();
	struct tvloss_tool tool = { 0 };
	int status = EXIT_FAILED;

	tool.d = dev_open(&o);
	if (tool.d)
		status = batch_run(b, &tvloss_ops, &tool, dev_name(tool.d));
	dev_free(tool.d);
	if (common_profile() != 0)
		status = EXIT_FAILED;
	return status;
}

int main(int argc, char **argv)
{
	struct batch_table table = { "-", TVLOSS_HEADER };
	struct batch_spec spec = { .operand = "VOLUME.tif",
				   .input_column = "file",
				   .output_column = "grad",
				   .suffix = "_grad.tif",
				   .tables = &table,
				   .n_tables = 1 };
	struct operands rest;
	struct batch b;
	int status;

	status = common_begin(&program, argc, argv, &rest);
	if (status != OPT_GO)
		return status;
	if (check() != 0)
		return EXIT_USAGE;
	if (common.output)
		table.path = common.output;
	if (tvloss.grad && strcmp(tvloss.grad, "-") == 0 && strcmp(table.path, "-") == 0)
		return error("'--grad': stdout takes the table, expected --output for that"),
		       EXIT_USAGE;
	common.output = tvloss.grad; /* what the runner writes for a job is its gradient */
	status = batch_open(&b, &spec, &rest);
	if (status == EXIT_DONE)
		status = run(&b);
	batch_close(&b);
	opt_clear();
	return status;
}
