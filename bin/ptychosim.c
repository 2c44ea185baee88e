/* ptychosim: ptychographic scans of a known object by a known probe. */
#include <config.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "device.h"
#include "ptychosim.h"

struct ptychosim_options opts;

static const struct opt options[] = {
	{ OPT_HEADING, .help = "Output" },
	{ OPT_TEXT, "output", 'o', .text = &opts.stem, .arg = "STEM", .incidental = true,
	  .note = "needed",
	  .help = "beginning of the names: STEM_dp.tif, STEM_pos.csv, STEM_truth_object.tif ..." },
	{ OPT_FLAG, "dry-run", .flag = &opts.dry_run, .incidental = true,
	  .help = "print shapes and memory, do nothing" },

	{ OPT_HEADING, .help = "Scan" },
	{ OPT_SIZE, "frames", .size = &opts.frames, .range = "[1,1e7]", .initial = "500",
	  .arg = "K", .help = "number of frames" },
	{ OPT_SIZE, "size", .size = &opts.n, .range = "[8,4096]", .unit = UNIT_PIXEL,
	  .initial = "128", .arg = "N", .help = "side of a frame" },
	{ OPT_CHOICE, "scan", .choice = &opts.scan, .choices = "raster|spiral",
	  .initial = "raster", .help = "order of the positions" },
	{ OPT_REAL, "step", .real = &opts.step, .range = "[0,1e6]", .unit = UNIT_PIXEL,
	  .initial = "12", .arg = "PX", .help = "between frames of the raster; the spiral is as dense" },
	{ OPT_REAL, "jitter", .real = &opts.jitter, .range = "[0,1e6]", .unit = UNIT_PIXEL,
	  .initial = "3", .arg = "PX", .help = "largest distance from the raster, per axis" },
	{ OPT_TEXT, "positions", .text = &opts.positions, .arg = "FILE", .note = "a raster",
	  .help = "CSV with the columns x_px and y_px, perhaps frame" },
	{ OPT_FLAG, "subpixel", .flag = &opts.subpixel,
	  .help = "positions between pixels, or they are rounded" },
	{ OPT_REAL, "position-error", .real = &opts.error, .range = "[0,1e6]", .unit = UNIT_PIXEL,
	  .initial = "0", .arg = "SIGMA", .help = "normal error of the positions in STEM_pos.csv" },

	{ OPT_HEADING, .help = "Object and probe" },
	{ OPT_TEXT, "object", .text = &opts.object, .arg = "random|siemens|FILE",
	  .initial = "random", .help = "FILE: pages real and imaginary, of the canvas's shape" },
	{ OPT_TEXT, "probe", .text = &opts.probe, .arg = "disc:RADIUS[,CURVATURE[,EDGE]]|FILE",
	  .initial = "disc:0.15625,0.012,1.5",
	  .help = "aperture in the far field; FILE: pages real and imaginary of each mode" },
	{ OPT_REAL, "photons", .real = &opts.photons, .range = "(0,1e15]", .initial = "1e6",
	  .arg = "P", .help = "of the probe" },
	{ OPT_SIZE, "modes", .size = &opts.modes, .range = "[1,64]", .initial = "1", .arg = "M",
	  .help = "of the probe" },
	{ OPT_REAL, "mode-power", .real = &opts.mode_power, .range = "(0,1)", .initial = "0.1",
	  .arg = "F", .help = "part of the power in each mode but the first" },

	{ OPT_HEADING, .help = "Detector" },
	{ OPT_CHOICE, "noise", .choice = &opts.noise, .choices = "poisson|none",
	  .initial = "poisson", .help = "counting noise" },
	{ OPT_REAL, "background", .real = opts.background, .values = 2, .range = "[0,1e9]",
	  .initial = "0,0", .arg = "B,SIGMA",
	  .help = "photons that are not the beam's, B exp(-q^2 / 2 / SIGMA^2) of q pixels from its middle" },
	{ OPT_SIZE, "dead", .size = &opts.dead, .range = "[0,16777216]", .initial = "0",
	  .arg = "COUNT", .help = "pixels that always read 0, and STEM_mask.tif" },
	{ OPT_REAL, "beam-stop", .real = &opts.beam_stop, .range = "[0,4096]", .unit = UNIT_PIXEL,
	  .initial = "0", .arg = "R", .help = "pixels within R of the beam read 0, and STEM_mask.tif" },
	{ OPT_TEXT, "orientation", .text = &opts.orientation, .arg = "NAME[,NAME]...",
	  .initial = "identity",
	  .help = "turn the frames by identity, fliplr, flipud, rot180, transpose, rot90_ccw, "
		  "rot90_cw, antitranspose" },
	{ OPT_CHOICE, "dc", .choice = &opts.dc, .choices = "centre|corner", .initial = "centre",
	  .help = "where the direct beam is" },
	{ OPT_CHOICE, "type", .choice = &opts.type, .choices = "auto|u16|f32", .initial = "auto",
	  .help = "type of the pixels; auto: u16, or f32 where counts exceed it" },
	{ OPT_INT, "seed", .integer = &opts.seed, .range = "[0,9223372036854775807]",
	  .initial = "1", .arg = "S",
	  .help = "of positions, object, errors, dead pixels, photons" },

	{ OPT_HEADING, .help = "Thick objects and the near field" },
	{ OPT_SIZE, "slices", .size = &opts.slices, .range = "[1,1000]", .initial = "1", .arg = "L",
	  .help = "of the object" },
	{ OPT_REAL, "slice-spacing", .real = &opts.spacing, .range = "(0,1e3]", .unit = UNIT_METRE,
	  .arg = "M", .note = "needed by --slices", .help = "between slices" },
	{ OPT_FLAG, "near-field", .flag = &opts.near_field,
	  .help = "the detector is in the near field" },
	{ OPT_REAL, "focus-distance", .real = &opts.focus, .range = "(0,1e6]", .unit = UNIT_METRE,
	  .choices = "off=inf", .initial = "off", .arg = "M",
	  .help = "of a cone, from its focus to the object; off: parallel beam" },
	{ OPT_REAL, "energy", .real = &opts.energy, .range = "(0,1e6]", .unit = UNIT_ENERGY,
	  .arg = "KEV", .help = "of the photons; or --wavelength" },
	{ OPT_REAL, "wavelength", .real = &opts.wavelength, .range = "(0,1]", .unit = UNIT_METRE,
	  .arg = "M", .help = "of the light" },
	{ OPT_REAL, "distance", .real = &opts.distance, .range = "(0,1e6]", .unit = UNIT_METRE,
	  .arg = "M", .help = "from object to detector" },
	{ OPT_REAL, "detector-pixel", .real = &opts.detector_pixel, .range = "(0,1]",
	  .unit = UNIT_METRE, .arg = "M", .help = "side of a detector pixel" },
	{ OPT_REAL, "pixel", .real = &opts.pixel, .range = "(0,1]", .unit = UNIT_METRE, .arg = "M",
	  .help = "side of an object pixel, instead of --distance and --detector-pixel" },
	{ OPT_END }
};

static const struct opt *const tables[] = { options, output_options, device_options, NULL };

static const struct program program = {
	.synopsis = "[OPTION]... -o STEM",
	.purpose = "Ptychographic scans of a known object by a known probe: the forward model of "
		   "ptychorecon.",
	.example = "ptychosim --frames 200 --size 64 --step 6 --photons 1e6 --seed 3 -o scan",
	.tables = tables,
	.features = common_features,
};

/* disc:RADIUS[,CURVATURE[,EDGE]]; 0, or -1 after reporting */
static int parse_disc(const char *text)
{
	double value[3] = { 0, 0, 0 };
	int n = 0;
	const char *at = text + 5;
	char *end = NULL;

	for (;; at = end + 1) {
		value[n++] = strtod(at, &end);
		if (end == at || !isfinite(value[n - 1]))
			break;
		if (*end == '\0') {
			if (!(value[0] > 0 && value[0] <= 1 && value[2] >= 0))
				break;
			opts.disc = true;
			memcpy(opts.disc_value, value, sizeof value);
			return 0;
		}
		if (*end != ',' || n == 3)
			break;
	}
	return error("'--probe': '%s', expected disc:RADIUS[,CURVATURE[,EDGE]] with RADIUS in "
		     "(0,1] and EDGE >= 0",
		     text);
}

/* Of thick objects and the near field: wavelength and object pixel follow from the options
 * given. */
static int check_optics(void)
{
	static const char *const only[] = { "energy",	      "wavelength", "distance",
					    "detector-pixel", "pixel" };

	if (!opts.near_field && opt_given("focus-distance"))
		return error("'--focus-distance': expected --near-field");
	if (opts.slices == 1 && opt_given("slice-spacing"))
		return error("'--slice-spacing': expected --slices of 2 or more");
	if (opts.slices == 1 && !opts.near_field) {
		for (size_t i = 0; i < sizeof only / sizeof only[0]; i++)
			if (opt_given(only[i]))
				return error("'--%s': expected --slices of 2 or more, or "
					     "--near-field",
					     only[i]);
		return 0;
	}
	if ((opts.slices > 1 && opt_need("slice-spacing") != 0) ||
	    opt_exclude("energy", "wavelength") != 0 || opt_exclude("pixel", "distance") != 0 ||
	    opt_exclude("pixel", "detector-pixel") != 0 ||
	    opt_exclude("near-field", "pixel") != 0 ||
	    opt_exclude("near-field", "dc") != 0)
		return -1;
	if (opt_given("energy"))
		opts.wavelength = wavelength_of(opts.energy);
	else if (opt_need("wavelength") != 0)
		return -1;
	if (opt_given("pixel"))
		return 0;
	if (opt_need("distance") != 0 || opt_need("detector-pixel") != 0)
		return -1;
	opts.optics = optics_near(opts.distance, opts.focus, opts.detector_pixel, opts.wavelength);
	opts.pixel = opts.near_field ? opts.optics.pixel
				     : object_pixel(opts.wavelength, opts.distance, opts.n,
						    opts.detector_pixel);
	return 0;
}

/* Usage errors that the option table cannot know. */
static int check(const struct operands *rest)
{
	if (rest->n > 0)
		return error("'%s': an operand, expected options only", rest->path[0]);
	if (opt_need("output") != 0 || opt_exclude("positions", "frames") != 0 ||
	    opt_exclude("positions", "step") != 0 || opt_exclude("positions", "jitter") != 0)
		return -1;
	if (opts.stem[0] == '\0' || strcmp(opts.stem, "-") == 0)
		return error("'--output': '%s', expected the beginning of several files' names",
			     opts.stem);
	if (opts.mode_power * (double)(opts.modes - 1) >= 1)
		return error("'--mode-power': %g for each of %zu extra modes, expected less than 1 "
			     "in all",
			     opts.mode_power, opts.modes - 1);
	if (opts.beam_stop > 0 && opts.near_field)
		return error("'--beam-stop' and '--near-field': there is no beam to stop, expected one of them");
	if (opts.dead >= opts.n * opts.n)
		return error("'--dead': %zu of %zu pixels, expected fewer", opts.dead,
			     opts.n * opts.n);
	if (d4_parse(opts.orientation, &opts.turn) != 0 || check_optics() != 0)
		return -1;
	return strncmp(opts.probe, "disc:", 5) == 0 ? parse_disc(opts.probe) : 0;
}

int main(int argc, char **argv)
{
	struct dev_opts o;
	struct dev *d;
	struct operands rest;
	int status;

	status = common_begin(&program, argc, argv, &rest);
	if (status != OPT_GO)
		return status;
	if (check(&rest) != 0)
		return EXIT_USAGE;
	o = common_dev_opts();
	d = dev_open(&o);
	status = d && ptychosim_run(d) == 0 ? EXIT_DONE : EXIT_FAILED;
	if (d && common_profile() != 0)
		status = EXIT_FAILED;
	dev_free(d);
	opt_clear();
	return status;
}
