/* tiltrecon: phase from brightfield z-stacks under tilted illumination. */
#include <config.h>

#include <math.h>
#include <stdio.h>

#include "base/die.h"
#include "device.h"
#include "tiltrecon.h"

struct tiltrecon_options opts;

static const struct opt options[] = {
	{ OPT_HEADING, .help = "Reconstruction" },
	{ OPT_CHOICE, "model", .choice = &opts.model, .choices = "thin|thick", .initial = "thin",
	  .help = "thin: one phase and one absorption image; thick: 3-D phase" },
	{ OPT_CHOICE, "outputs", .choice = &opts.outputs, .choices = "phase|absorption|both",
	  .initial = "phase", .help = "thin only; both: page 1 phase, page 2 absorption" },
	{ OPT_REAL, "reg", .real = &opts.reg, .range = "[0,inf)", .initial = "1e-3", .arg = "L",
	  .help = "Tikhonov constant" },
	{ OPT_CHOICE, "inverse", .choice = &opts.inverse, .choices = "conj|waveorder|diag",
	  .initial = "conj", .help = "filter: least squares, the peer's, each quantity alone" },
	{ OPT_INT, "flatten", .integer = &opts.flatten, .range = "[1,65536]",
	  .choices = "auto=-1|off=0", .initial = "off", .unit = UNIT_PIXEL, .arg = "N",
	  .help = "divide planes by their running mean of N pixels; auto: half the width" },
	{ OPT_REAL, "absorption-ratio", .real = &opts.ratio, .range = "[0,inf)", .initial = "0",
	  .arg = "R", .help = "thick only: the object is (1 + iR) times a real potential" },
	{ OPT_SIZE, "z-pad", .size = &opts.z_pad, .range = "[0,4096]", .initial = "0", .arg = "N",
	  .help = "thick only: slices added at both ends" },
	{ OPT_CHOICE, "match", .choice = &opts.match, .choices = "none|offset", .initial = "none",
	  .help = "offset: one constant per tile removes seams of the phase" },
	{ OPT_CHOICE, "compat", .choice = &opts.peer, .choices = "none|waveorder",
	  .initial = "none", .help = "the peer's conventions in one switch" },
	{ OPT_CHOICE, "azimuth-from", .choice = &opts.peer_azimuth, .choices = "none|waveorder",
	  .initial = "none", .help = "given azimuths are the peer's: half a turn is added" },

	{ OPT_HEADING, .help = "Finding the tilt" },
	{ OPT_LIST, "optimize", .list = &opts.optimize, .choices = "bfgs|nadam|adam|newton|grid",
	  .arg = "METHOD[,METHOD]", .note = "none",
	  .help = "search tilt and focus of every tile; one after another" },
	{ OPT_CHOICE, "loss", .choice = &opts.loss,
	  .choices = "residual|midband|tv|laplacian|variance|flatness", .initial = "residual",
	  .help = "what is minimised; only residual finds the true tilt" },
	{ OPT_REAL, "band", .real = opts.band, .values = 2, .range = "[0,16]",
	  .note = "0,1 residual; 0.125,0.25 else", .arg = "LO,HI",
	  .help = "frequencies used, as fractions of 2 na-det / wavelength" },
	{ OPT_REAL, "taper", .real = &opts.taper, .range = "[0,1]", .note = "0.25 residual; 0 else",
	  .arg = "F", .help = "Tukey taper of the tile while optimising" },
	{ OPT_SIZE, "opt-pad", .size = &opts.opt_pad, .unit = UNIT_PIXEL, .range = "[0,65536]",
	  .note = "0 residual; 16 else", .arg = "N", .help = "reflected border while optimising" },
	{ OPT_CHOICE, "opt-inverse", .choice = &opts.opt_full, .choices = "diag|full",
	  .initial = "diag", .help = "filter of the five image losses" },
	{ OPT_REAL, "opt-steepness", .real = &opts.opt_steepness, .unit = UNIT_LENGTH,
	  .range = "(0,inf)", .note = "1e4 residual; 100 else", .arg = "T",
	  .help = "pupil slope while optimising" },
	{ OPT_INT, "iters", .integer = &opts.iters, .range = "[1,10000]",
	  .note = "bfgs 20, nadam and adam 8, newton 4", .arg = "N",
	  .help = "iterations (bfgs: evaluations)" },
	{ OPT_REAL, "lr-z", .real = &opts.lr[0], .range = "[0,inf)", .unit = UNIT_SLICE,
	  .note = "bfgs .2, nadam and adam .1, newton .05", .arg = "R",
	  .help = "step size of z; 0 freezes it" },
	{ OPT_REAL, "lr-zenith", .real = &opts.lr[1], .range = "[0,inf)",
	  .note = "bfgs .02, nadam and adam .01, newton .005", .unit = UNIT_ANGLE, .arg = "R",
	  .help = "step size of the zenith; 0 freezes it" },
	{ OPT_REAL, "lr-azimuth", .real = &opts.lr[2], .range = "[0,inf)",
	  .note = "bfgs, nadam, adam .02, newton .01", .unit = UNIT_ANGLE, .arg = "R",
	  .help = "step size of the azimuth; 0 freezes it" },
	{ OPT_LIST, "freeze", .list = &opts.freeze, .choices = "z|zenith|azimuth|angles",
	  .arg = "LIST", .note = "none", .help = "parameters that keep their start value" },
	{ OPT_REAL, "init-z", .real = &opts.init[0], .unit = UNIT_SLICE, .initial = "0", .arg = "V",
	  .help = "start of z, added to the focus offset" },
	{ OPT_REAL, "init-zenith", .real = &opts.init[1], .unit = UNIT_ANGLE, .range = "[0,1.2]",
	  .initial = "0", .arg = "V", .help = "start of the zenith" },
	{ OPT_REAL, "init-azimuth", .real = &opts.init[2], .unit = UNIT_ANGLE,
	  .choices = "radial=nan", .initial = "0", .arg = "V",
	  .help = "start of the azimuth; radial: away from the middle of the well" },
	{ OPT_REAL, "tol", .real = &opts.tol, .range = "[0,inf)", .note = "bfgs 1e-6; else off",
	  .arg = "T", .help = "least gain of a step" },
	{ OPT_INT, "patience", .integer = &opts.patience, .range = "[1,10000]", .initial = "5",
	  .arg = "N", .help = "so many losses without that gain end a search (with --tol)" },
	{ OPT_GRID, "grid-z", .grid = &opts.grid[0], .note = "the start",
	  .help = "grid of N z offsets around C, in slices" },
	{ OPT_GRID, "grid-zenith", .grid = &opts.grid[1], .unit = UNIT_ANGLE, .note = "the start",
	  .help = "grid of zeniths" },
	{ OPT_GRID, "grid-azimuth", .grid = &opts.grid[2], .unit = UNIT_ANGLE, .note = "the start",
	  .help = "grid of azimuths" },
	{ OPT_FLAG, "z-shared", .flag = &opts.z_shared,
	  .help = "one z for tiles of one focus offset, as the peer has it" },

	{ OPT_HEADING, .help = "Whole wells" },
	{ OPT_TEXT, "warm-start", .text = &opts.warm_start, .arg = "FILE",
	  .help = "tilt table whose tilts the search starts from" },
	{ OPT_FLAG, "skip-warm", .flag = &opts.skip_warm,
	  .help = "take the warm tilts as they are" },
	{ OPT_TEXT, "tilt-cache", .text = &opts.tilt_cache, .arg = "DIR",
	  .help = "one search per position: later times take its tilts from here" },
	{ OPT_CHOICE, "recipe", .choice = &opts.recipe, .choices = "none|speed", .initial = "none",
	  .help = "speed: --zen-blend --meniscus 0.7 --scale-iters 3,25 --freeze angles --optimize "
		  "nadam --loss midband" },
	{ OPT_SWITCH, "zen-blend", .flag = &opts.zen_blend, .note = "by the recipe",
	  .help = "start zenith grows from the middle of the well to its rim" },
	{ OPT_REAL, "meniscus", .real = &opts.meniscus, .range = "[0,1]", .choices = "off=inf",
	  .note = "by the recipe", .arg = "T",
	  .help = "positions beyond this fraction of the radius get the full search" },
	{ OPT_INT, "scale-iters", .integer = opts.scale_iters, .values = 2, .range = "[1,10000]",
	  .note = "by the recipe", .arg = "LO,HI",
	  .help = "iterations from the middle of the well to its rim" },

	{ OPT_HEADING, .help = "Products" },
	{ OPT_TEXT, "tilt-out", .text = &opts.tilt_out, .arg = "FILE", .incidental = true,
	  .help = "table of tilts and losses, one row per tile" },
	{ OPT_TEXT, "trace", .text = &opts.trace, .arg = "FILE", .incidental = true,
	  .help = "table of all evaluations" },
	{ OPT_TEXT, "loss-only", .text = &opts.loss_only, .arg = "FILE", .incidental = true,
	  .help = "loss and derivatives at the given tilts" },
	{ OPT_TEXT, "dump-tf", .text = &opts.dump_tf, .arg = "FILE", .incidental = true,
	  .help = "transfer functions as TIFF" },
	{ OPT_TEXT, "preview", .text = &opts.preview, .arg = "FILE", .incidental = true,
	  .help = "PNG picture of the first page" },
	{ OPT_FLAG, "plan-only", .flag = &opts.plan_only,
	  .help = "print tiles, or with --list the plan of the well" },
	{ OPT_SIZE, "image", .size = opts.image, .values = 2, .separator = 'x',
	  .range = "[1,1048576]", .arg = "HxW", .note = "none",
	  .help = "field to plan without a stack" },
	{ OPT_END }
};

static const struct opt *const tables[] = { options,	    optics_options, tilt_angle_options,
					    tile_options,   batch_options,  input_options,
					    output_options, device_options, NULL };

static const struct program program = {
	.synopsis = "[OPTION]... -o OUT.tif STACK.tif\n[OPTION]... -O DIR "
		    "STACK.tif...\n[OPTION]... --list WELL.csv -O DIR",
	.purpose = "Phase from brightfield z-stacks whose illumination is tilted, by a tilt per "
		   "tile that is given or found.",
	.example = "tiltrecon --config pheno --tile 128 --overlap 32 --optimize bfgs --tilt-out "
		   "tilts.csv -o cells.tif stack.tif",
	.tables = tables,
	.features = common_features,
};

/* What --recipe speed stands for; options that were given win. */
static void apply_recipe(void)
{
	if (!opts.recipe) {
		if (!opt_given("meniscus"))
			opts.meniscus = INFINITY;
		return;
	}
	if (!opt_given("zen-blend"))
		opts.zen_blend = true;
	if (!opt_given("meniscus"))
		opts.meniscus = 0.7;
	if (!opt_given("scale-iters")) {
		opts.scale_iters[0] = 3;
		opts.scale_iters[1] = 25;
	}
	if (!opt_given("freeze"))
		opts.freeze = (struct opt_list){ 1, { FREEZE_ANGLES } };
	if (!opt_given("optimize"))
		opts.optimize = (struct opt_list){ 1, { OPTIM_NADAM } };
	if (!opt_given("loss"))
		opts.loss = LOSS_MIDBAND;
}

/* Defaults that hang on the loss. */
static void apply_loss(void)
{
	bool residual = opts.loss == LOSS_RESIDUAL;

	if (!opt_given("band")) {
		opts.band[0] = residual ? 0 : 0.125;
		opts.band[1] = residual ? 1 : 0.25;
	}
	if (!opt_given("taper"))
		opts.taper = residual ? 0.25 : 0;
	if (!opt_given("opt-pad"))
		opts.opt_pad = residual ? 0 : 16;
	if (!opt_given("opt-steepness"))
		opts.opt_steepness = residual ? 1e4 : 100;
	if (opts.peer && !opt_given("inverse"))
		opts.inverse = INVERSE_PEER;
	tilt_options.optics.peer = opts.peer;
	if (opts.peer_azimuth) {
		tilt_options.tilt.azimuth += M_PI;
		opts.init[2] += M_PI;
	}
}

/* Every parameter of every stage frozen, or bfgs with one angle frozen: usage. */
static int check_stages(void)
{
	struct optim_stage stage[MAX_STAGES];
	size_t n = tilt_stages(stage, 0, false);

	for (size_t i = 0; i < n; i++) {
		const double *lr = stage[i].lr;

		if (stage[i].method == OPTIM_GRID)
			continue;
		if (lr[0] == 0 && lr[1] == 0 && lr[2] == 0)
			return error("'--freeze': z, zenith and azimuth are all frozen, expected "
				     "one that moves");
		if (stage[i].method == OPTIM_BFGS && (lr[1] == 0) != (lr[2] == 0))
			return error("'--freeze': bfgs moves zenith and azimuth together, expected "
				     "both or neither frozen");
	}
	return 0;
}

/* Usage errors that the option table cannot know. */
static int check(void)
{
	bool optimises = opts.optimize.n > 0, thick = opts.model == MODEL_THICK;

	if (tilt_options_check(!opts.plan_only) != 0 || opt_exclude("output", "output-dir") != 0 ||
	    opt_exclude("tilt-csv", "optimize") != 0)
		return -1;
	if (opts.band[0] >= opts.band[1])
		return error("'--band': %g,%g, expected LO below HI", opts.band[0], opts.band[1]);
	for (int a = 0; a < 2; a++)
		if (tilt_options.tile[a] > 0 && opts.opt_pad >= tilt_options.tile[a])
			return error("'--opt-pad': %zu, expected less than the tile's %zu",
				     opts.opt_pad, tilt_options.tile[a]);
	if (opts.match && tilt_options.overlap[0] == 0 && tilt_options.overlap[1] == 0)
		return error("'--match': offset needs tiles that overlap, expected --overlap");
	if (opts.skip_warm && !opts.warm_start)
		return error("'--skip-warm': expected --warm-start");
	if (opts.warm_start && !optimises && !opts.skip_warm)
		return error("'--warm-start': expected --optimize or --skip-warm");
	if (opts.tilt_cache && !optimises)
		return error("'--tilt-cache': expected --optimize");
	if (opts.trace && !optimises)
		return error("'--trace': expected --optimize");
	if (thick && optimises)
		return error(
			"'--optimize': the thick model takes given tilts, expected --model thin");
	if (thick && (opts.outputs != OUTPUT_PHASE || opts.loss_only))
		return error("'--%s': the thick model has phase only",
			     opts.loss_only ? "loss-only" : "outputs");
	if (opts.scale_iters[0] > opts.scale_iters[1])
		return error("'--scale-iters': %ld,%ld, expected LO not above HI",
			     opts.scale_iters[0], opts.scale_iters[1]);
	if (opt_given("image") && !opts.plan_only)
		return error("'--image': expected --plan-only");
	return check_stages();
}

/* What needs one input, and at least one product. */
static int check_products(const struct batch *b)
{
	const char *one[] = { opts.trace, opts.loss_only, opts.dump_tf, opts.preview };
	const char *name[] = { "trace", "loss-only", "dump-tf", "preview" };
	bool some = common.output || common.output_dir || opts.tilt_out || opts.loss_only ||
		    opts.dump_tf || opts.plan_only || opts.preview || opts.trace;

	for (size_t i = 0; i < b->n; i++)
		some |= b->jobs[i].output != NULL;
	if (!some)
		return error("nothing to do, expected -o, -O, --tilt-out, --dump-tf, --loss-only "
			     "or --plan-only; see --help");
	for (int i = 0; i < 4; i++)
		if (one[i] && b->n > 1)
			return error("'--%s': takes one stack, found %zu", name[i], b->n);
	return 0;
}

static int print_tiles(size_t ny, size_t nx)
{
	struct tile_plan p;

	tilt_tiles(ny, nx, &p);
	puts("tile,y,x,height,width");
	for (size_t i = 0; i < p.count; i++)
		printf("%zu,%zu,%zu,%zu,%zu\n", i, p.box[i].y, p.box[i].x, p.box[i].h, p.box[i].w);
	tile_plan_clear(&p);
	return 0;
}

/* --plan-only: the tiles of every stack. */
static int print_plans(const struct batch *b)
{
	struct tiff_select select = common_select();
	struct array a;
	int rc = 0;

	for (size_t i = 0; i < b->n_mine; i++)
		if (tiff_probe(b->jobs[b->order[i]].input, &select, &a, NULL) != 0)
			rc = -1;
		else
			print_tiles(a.ny, a.nx);
	return rc;
}

static int run(struct batch *b)
{
	struct dev_opts d = common_dev_opts();
	struct tool tool = { .batch = b };
	int status = EXIT_FAILED;

	if (well_open(&tool.well, b) != 0)
		goto done;
	if (opts.plan_only && b->has_manifest) {
		status = well_print(&tool.well, b) == 0 ? EXIT_DONE : EXIT_FAILED;
		goto done;
	}
	if (opts.plan_only) {
		status = print_plans(b) == 0 ? EXIT_DONE : EXIT_FAILED;
		goto done;
	}
	well_sort(&tool.well, b);
	if ((tilt_options.tilt_csv && tilt_table_read(tilt_options.tilt_csv, &tool.given) != 0) ||
	    (opts.warm_start && tilt_table_read(opts.warm_start, &tool.warm) != 0))
		goto done;
	tool.d = dev_open(&d);
	if (!tool.d)
		goto done;
	status = batch_run(b, &tiltrecon_ops, &tool, dev_name(tool.d));
	if (tool.broken)
		warning("the search of %zu tiles ended early at a loss that was not finite",
			tool.broken);
done:
	if (tool.recon_made)
		recon_clear(&tool.recon);
	if (tool.search_made)
		search_clear(&tool.search);
	tilt_table_clear(&tool.given);
	tilt_table_clear(&tool.warm);
	well_close(&tool.well);
	dev_free(tool.d);
	if (common_profile() != 0)
		status = EXIT_FAILED;
	return status;
}

int main(int argc, char **argv)
{
	static const char *const columns[] = { "position",     "time", "y_um", "x_um",
					       "focus_offset", "well", NULL };
	struct batch_table table[TABLES];
	struct batch_spec spec = { .operand = "STACK.tif",
				   .input_column = "stack",
				   .output_column = "output",
				   .columns = columns,
				   .suffix = "_phase.tif",
				   .tables = table,
				   .n_tables = TABLES };
	struct operands rest;
	struct batch b;
	int status;

	status = common_begin(&program, argc, argv, &rest);
	if (status != OPT_GO)
		return status;
	apply_recipe();
	apply_loss();
	if (check() != 0)
		return EXIT_USAGE;
	if (opts.plan_only && opts.image[0])
		return print_tiles(opts.image[0], opts.image[1]) == 0 ? EXIT_DONE : EXIT_FAILED;
	table[TABLE_TILTS] = (struct batch_table){ opts.tilt_out, TILT_TABLE_HEADER };
	table[TABLE_TRACE] = (struct batch_table){
		opts.trace,
		"tile,iteration,z_offset,zenith,azimuth,loss,d_z_offset,d_zenith,d_azimuth"
	};
	table[TABLE_LOSS] =
		(struct batch_table){ opts.loss_only,
				      "loss_name,tile,loss,d_z_offset,d_zenith,d_azimuth" };
	status = batch_open(&b, &spec, &rest);
	if (status == EXIT_DONE)
		status = check_products(&b) != 0 ? EXIT_USAGE : run(&b);
	batch_close(&b);
	opt_clear();
	return status;
}
