#include "ptycho_options.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"

struct recon_options opts;

enum { CENTRE_AUTO = -1, CENTRE_OFF = -2 };

const struct opt ptycho_options[] = {
	{ OPT_HEADING, .help = "Algorithm" },
	{ OPT_TEXT, "positions", 'p', .text = &opts.positions, .arg = "FILE", .note = "needed",
	  .help = "table of positions, columns x_px,y_px or _nm, _um, _mm, _m; frame" },
	{ OPT_TEXT, "algorithm", 'a', .text = &opts.algorithm, .arg = "CHAIN",
	  .initial = "wasp:40:batch=8",
	  .help = "engine[:iterations[:key=value]...], more joined by commas; key modes: "
		  "of the probe from there on" },
	{ OPT_INT, "batch", 'b', .integer = &opts.batch, .range = "[1,1000000000]", .arg = "B",
	  .note = "per engine", .help = "frames per update of epie, rpie, wasp and lsqml" },
	{ OPT_CHOICE, "order", .choice = &opts.order, .choices = "random|sequential",
	  .initial = "random", .help = "order of the frames in an iteration" },
	{ OPT_INT, "seed", .integer = &opts.seed, .range = "[0,9223372036854775807]",
	  .initial = "0", .arg = "S", .help = "of the random order" },
	{ OPT_CHOICE, "subpixel", .choice = &opts.subpixel, .choices = "none|fourier",
	  .initial = "none", .help = "shift of the probe by the fraction of a position" },
	{ OPT_INT, "start-update-probe", .integer = &opts.start_probe, .range = "[0,1000000]",
	  .choices = "auto=-1", .initial = "auto", .arg = "N",
	  .help = "first iteration that changes it; auto: 1, or 2 where mlgrad comes first" },
	{ OPT_INT, "start-update-object", .integer = &opts.engine.object_start,
	  .range = "[0,1000000]", .initial = "0", .arg = "N",
	  .help = "first iteration that changes it" },
	{ OPT_FLAG, "freeze-probe", .flag = &opts.engine.freeze_probe,
	  .help = "the probe is never changed" },

	{ OPT_HEADING, .help = "Start" },
	{ OPT_TEXT, "probe", .text = &opts.probe,
	  .arg = "FILE|data[:C|:scan]|disc:R[,C[,E]]|gauss:PX", .initial = "data:scan",
	  .help = "file of real and imaginary pages, the data's mean amplitude, an aperture, a "
		  "spot" },
	{ OPT_REAL, "probe-photons", .real = &opts.photons, .range = "(0,inf)",
	  .choices = "data=-1|keep=-2", .note = "data; keep if frozen", .arg = "P",
	  .help = "its power at the start; data: as many as measured" },
	{ OPT_SIZE, "modes", .size = &opts.modes, .range = "[1,64]", .arg = "M",
	  .note = "the file's, else 1", .help = "modes of the probe, completed where they lack" },
	{ OPT_REAL, "mode-power", .real = &opts.mode_power, .range = "(0,1)", .initial = "0.05",
	  .arg = "F", .help = "share of each completed mode" },
	{ OPT_TEXT, "object", .text = &opts.object, .arg = "FILE|A[,PHASE]", .initial = "1",
	  .help = "file of real and imaginary pages, or a constant" },

	{ OPT_HEADING, .help = "Geometry" },
	{ OPT_TEXT, "xy", .text = &opts.xy, .arg = "CX,CY|scan", .initial = "x,y",
	  .help = "what columns and rows of the object follow: x, -x, y, -y" },
	{ OPT_REAL, "energy", .real = &opts.energy_kev, .unit = UNIT_ENERGY, .range = "(0,inf)",
	  .arg = "E", .note = "none",
	  .help = "of the photons; positions in lengths need a pixel size" },
	{ OPT_REAL, "wavelength", .real = &opts.scan.wavelength_m, .unit = UNIT_METRE,
	  .range = "(0,inf)", .arg = "L", .note = "none", .help = "instead of the energy" },
	{ OPT_REAL, "distance", .real = &opts.scan.distance_m, .unit = UNIT_METRE,
	  .range = "(0,inf)", .arg = "Z", .note = "none",
	  .help = "from the object to the detector" },
	{ OPT_REAL, "detector-pixel", .real = &opts.scan.detector_pixel_m, .unit = UNIT_METRE,
	  .range = "(0,inf)", .arg = "P", .note = "none",
	  .help = "of the detector, after binning" },
	{ OPT_REAL, "pixel", .real = &opts.scan.pixel_m, .unit = UNIT_METRE, .range = "(0,inf)",
	  .arg = "P", .note = "none", .help = "of the object, instead of these" },
	{ OPT_SIZE, "slices", .size = &opts.slices, .range = "[1,1000]", .initial = "1", .arg = "L",
	  .help = "of a thick object; by epie, rpie, lsqml" },
	{ OPT_REAL, "slice-spacing", .real = &opts.spacing, .unit = UNIT_METRE, .range = "(0,inf)",
	  .arg = "M", .note = "needed by --slices", .help = "between slices" },
	{ OPT_FLAG, "near-field", .flag = &opts.near_field,
	  .help = "the detector is in the near field: frames are images" },
	{ OPT_REAL, "focus-distance", .real = &opts.focus, .unit = UNIT_METRE, .range = "(0,inf)",
	  .choices = "off=inf", .initial = "off", .arg = "F",
	  .help = "of a cone, from its focus to the object; off: parallel beam" },
	{ OPT_REAL, "position-scale", .real = opts.scan.scale, .values = 2, .range = "(0,inf)",
	  .initial = "1,1", .arg = "SY,SX", .help = "factors of the positions about their mean" },
	{ OPT_REAL, "position-rotation", .real = &opts.scan.rotation_rad, .unit = UNIT_ANGLE,
	  .initial = "0", .arg = "A", .help = "then their rotation, from columns to rows" },
	{ OPT_REAL, "margin", .real = &opts.margin, .unit = UNIT_PIXEL, .range = "[0,65536]",
	  .choices = "auto=nan", .initial = "auto", .arg = "M",
	  .help = "free border; auto: an eighth of a frame and the walk of positions" },
	{ OPT_SIZE, "object-shape", .size = opts.shape, .values = 2, .range = "[8,1048576]",
	  .arg = "H,W", .note = "from the scan", .help = "canvas of the object" },

	{ OPT_HEADING, .help = "Frames" },
	{ OPT_CHOICE, "dc", .choice = &opts.frames.dc, .choices = "auto|centre|corner",
	  .initial = "auto", .help = "where the direct beam is" },
	{ OPT_TEXT, "orientation", .text = &opts.orientation, .arg = "NAME[,NAME]|scan",
	  .initial = "identity",
	  .help = "fliplr, flipud, rot180, transpose, rot90_ccw, rot90_cw, antitranspose" },
	{ OPT_TEXT, "mask", .text = &opts.mask, .arg = "FILE", .note = "none",
	  .help = "page, not zero = valid" },
	{ OPT_REAL, "saturation", .real = &opts.frames.saturation, .range = "(0,inf)",
	  .choices = "auto=inf|off=0", .initial = "auto", .arg = "N",
	  .help = "such counts are invalid; auto: the largest of an integer type" },
	{ OPT_REAL, "hot", .real = &opts.frames.hot, .range = "(0,inf)",
	  .choices = "auto=inf|off=0", .initial = "off", .arg = "N",
	  .help = "larger counts are invalid; auto: 20 times their neighbours' mean" },
	{ OPT_TEXT, "background", .text = &opts.background, .arg = "FILE|estimate[:START]",
	  .note = "none",
	  .help = "photons of each pixel that are not the beam's: a page, or estimated" },
	{ OPT_TEXT, "dark", .text = &opts.dark, .arg = "FILE", .note = "none",
	  .help = "its mean page is taken off" },
	{ OPT_TEXT, "flat", .text = &opts.flat, .arg = "FILE", .note = "none",
	  .help = "frames are divided by its mean page over that one's mean" },
	{ OPT_REAL, "gain", .real = &opts.frames.gain, .range = "(0,inf)", .initial = "1",
	  .arg = "G", .help = "counts per photon" },
	{ OPT_REAL, "floor", .real = &opts.frames.floor, .range = "[0,inf)", .initial = "0",
	  .arg = "F", .help = "less is no photon" },
	{ OPT_TEXT, "normalise", .text = &opts.normalise, .arg = "off|total|COLUMN",
	  .initial = "off", .help = "by the frame's total, or by a column of the positions" },
	{ OPT_TEXT, "reject", .text = &opts.reject, .arg = "LOW,HIGH", .initial = "0,inf",
	  .help = "frames whose total is outside, in units of the median" },
	{ OPT_INT, "centre", .integer = opts.centre, .values = 2, .range = "[0,1048576]",
	  .choices = "auto=-1|off=-2", .initial = "off", .arg = "ROW,COL",
	  .help = "the beam; auto: of the mean frame" },
	{ OPT_SIZE, "crop", .size = &opts.frames.crop, .range = "[1,65536]", .choices = "off=0",
	  .initial = "off", .arg = "N", .help = "side of the square cut out around the beam" },
	{ OPT_SIZE, "bin", .size = &opts.frames.bin, .range = "[1,65536]", .choices = "off=0",
	  .initial = "off", .arg = "B", .help = "sums of B x B pixels" },
	{ OPT_SIZE, "pad", .size = &opts.frames.pad, .range = "[1,65536]", .choices = "off=0",
	  .initial = "off", .arg = "N", .help = "side after an invalid border is added" },
	{ OPT_INT, "half", .integer = &opts.half, .range = "[0,1]", .choices = "off=-1",
	  .initial = "off", .arg = "I",
	  .help = "every second frame of those that are not rejected" },
	{ OPT_FLAG, "subset", .flag = &opts.scan.subset,
	  .help = "the column frame may name only some pages" },

	{ OPT_HEADING, .help = "Constraints" },
	{ OPT_SWITCH, "gauge", .flag = &opts.engine.gauge, .initial = "yes",
	  .help = "the object's mean square in the light stays 1" },
	{ OPT_SWITCH, "recentre", .flag = &opts.engine.recentre, .note = "on unless --probe FILE",
	  .help = "the probe is kept in the middle" },
	{ OPT_REAL, "support", .real = &opts.engine.support, .range = "(0,1]", .choices = "off=0",
	  .initial = "off", .arg = "R",
	  .help = "the probe is 0 outside a disc of this radius, in frames" },
	{ OPT_REAL, "amplitude", .real = opts.engine.amplitude, .values = 2, .range = "[0,inf)",
	  .note = "off", .arg = "MIN,MAX", .help = "bounds of the object's amplitude" },
	{ OPT_REAL, "phase-range", .real = opts.engine.phase, .values = 2, .unit = UNIT_ANGLE,
	  .range = "[-3.1416,3.1416]", .note = "off", .arg = "MIN,MAX",
	  .help = "bounds of the object's phase" },
	{ OPT_TEXT, "smooth", .text = &opts.smooth, .arg = "SIGMA[,EVERY]", .note = "off",
	  .help = "a Gaussian over the object, px, weighted by the light, after iterations" },
	{ OPT_TEXT, "tv", .text = &opts.tv, .arg = "LAMBDA[,EVERY]", .note = "off",
	  .help = "the object's total variation is lowered, as by tvdenoise, after iterations" },
	{ OPT_FLAG, "notch", .flag = &opts.notch,
	  .help = "plane waves that an exact raster leaves open are held down" },
	{ OPT_CHOICE, "orthogonalise", .choice = &opts.engine.orthogonalise,
	  .choices = "every|end|off", .initial = "every",
	  .help = "modes; dm, raar and ml: at the end of their stage at the earliest" },
	{ OPT_TEXT, "refine-positions", .text = &opts.refine, .arg = "START[,STEP[,LIMIT[,CLIP[,COARSE]]]]",
	  .note = "off", .help = "from an iteration on; step 1, walk 4 px, change 0.5 px, smoothed by 0 px" },
	{ OPT_FLAG, "refine-affine", .flag = &opts.engine.refine.affine,
	  .help = "and drawn to an affine image of those given" },
	{ OPT_FLAG, "intensity", .flag = &opts.engine.intensity,
	  .help = "a factor per frame is fitted" },
	{ OPT_SIZE, "opr", .size = &opts.engine.opr, .range = "[1,64]", .choices = "off=0",
	  .initial = "off", .arg = "C",
	  .help = "the probe changes from frame to frame along so many modes; epie, rpie, lsqml" },

	{ OPT_HEADING, .help = "Run and products" },
	{ OPT_TEXT, "dump-inputs", .text = &opts.dump_inputs, .arg = "DIR", .incidental = true,
	  .note = "none", .help = "frames.tif, windows.csv and probe.tif as the engines see them" },
	{ OPT_REAL, "coverage", .real = &opts.coverage, .range = "[0,1)", .initial = "0.001",
	  .arg = "F", .help = "the object is NaN where less light fell, in units of the most" },
	{ OPT_CHOICE, "ramp", .choice = &opts.ramp, .choices = "keep|remove", .initial = "keep",
	  .help = "linear and constant phase of the object" },
	{ OPT_FLAG, "write-phase", .flag = &opts.write_phase,
	  .help = "also STEM_phase.tif: amplitude and phase" },
	{ OPT_INT, "log-every", .integer = &opts.engine.log_every, .range = "[1,1000000]",
	  .initial = "5", .arg = "E",
	  .help = "iterations between errors that cost transforms: dm, raar" },
	{ OPT_INT, "checkpoint", .integer = &opts.checkpoint, .range = "[0,1000000]",
	  .initial = "0", .arg = "N", .incidental = true,
	  .help = "every N iterations the state is kept, --resume goes on from it; 0: never" },
	{ OPT_CHOICE, "watchdog", .choice = &opts.watchdog, .choices = "off|on", .initial = "on",
	  .help = "ends a run that diverges" },
	{ OPT_END }
};

/* ---- texts with parts */

/* "V[,V...]", at most n finite numbers, or inf with `inf`; returns how many, -1: not so. */
static int numbers(const char *text, int n, bool inf, double *v)
{
	const char *s = text;
	int k = 0;

	for (;;) {
		char *end;

		if (k == n || isspace((unsigned char)*s))
			return -1;
		v[k] = strtod(s, &end);
		if (end == s || isnan(v[k]) || (isinf(v[k]) && !inf) || (*end && *end != ','))
			return -1;
		k++;
		if (!*end)
			return k;
		s = end + 1;
	}
}

/* "data:scan", "data[:C[,A,B]]", "disc:R[,C[,E]]", "gauss:PX"; anything else is a file. */
static int take_probe(struct recon_options *o)
{
	static const char *const words[] = { NULL, "data", "disc", "gauss" };
	size_t n = strcspn(o->probe, ":");
	const char *rest = o->probe + n;
	double *v = o->probe_value;
	int kind = PROBE_GAUSS, given;

	while (kind > PROBE_FILE &&
	       (strlen(words[kind]) != n || memcmp(words[kind], o->probe, n) != 0))
		kind--;
	o->probe_kind = (enum probe_kind)kind;
	v[0] = v[1] = v[2] = 0;
	if (kind == PROBE_FILE || (kind == PROBE_DATA && !*rest))
		return 0;
	if (kind == PROBE_DATA && strcmp(rest, ":scan") == 0) {
		o->probe_kind = PROBE_SCAN;
		return 0;
	}
	given = *rest ? numbers(rest + 1, kind == PROBE_GAUSS ? 1 : 3, false, v) : -1;
	if (kind == PROBE_DATA && given != 1 && given != 3)
		return error("'--probe': '%s', expected data, data:scan, data:CURVATURE or "
			     "data:CURVATURE,A,B",
			     o->probe);
	if (kind == PROBE_DISC && (given < 0 || v[0] <= 0 || v[0] > 1 || v[2] < 0))
		return error("'--probe': '%s', expected disc:RADIUS[,CURVATURE[,EDGE]] with RADIUS "
			     "above 0 and at "
			     "most 1, EDGE at least 0",
			     o->probe);
	if (kind == PROBE_GAUSS && (given < 0 || v[0] <= 0))
		return error("'--probe': '%s', expected gauss:PIXELS above 0", o->probe);
	return 0;
}

static int take_object(struct recon_options *o)
{
	double v[2] = { 1, 0 };

	o->object_file = numbers(o->object, 2, false, v) < 0;
	if (o->object_file)
		v[0] = 1, v[1] = 0;
	if (v[0] <= 0)
		return error("'--object': '%s', expected an amplitude above 0", o->object);
	o->object_value = (float complex)(v[0] * (cos(v[1]) + I * sin(v[1])));
	return 0;
}

static int take_refine(struct recon_options *o)
{
	double v[5] = { 0, 1, 4, 0.5, 0 };

	o->engine.refine.on = o->refine != NULL;
	if (o->engine.refine.affine && !o->refine)
		return error("'--refine-affine': no --refine-positions, expected both");
	if (o->refine && (numbers(o->refine, 5, false, v) < 0 || v[0] < 0 || v[0] != floor(v[0]) ||
			  v[0] > 1e6 || v[1] <= 0 || v[2] <= 0 || v[2] > 4096 || v[3] <= 0 ||
			  v[4] < 0 || v[4] > 4096))
		return error("'--refine-positions': '%s', expected START[,STEP[,LIMIT[,CLIP[,COARSE]]]], a "
			     "whole number of 0 to "
			     "1000000 and others above 0",
			     o->refine);
	o->engine.refine.start = (long)v[0];
	o->engine.refine.step = v[1];
	o->engine.refine.limit = v[2];
	o->engine.refine.clip = v[3];
	o->engine.refine.coarse = v[4];
	return 0;
}

/* "estimate[:START]"; anything else is a file. */
static int take_background(struct recon_options *o)
{
	static const char word[] = "estimate";
	size_t n = sizeof word - 1;
	double v = 5;

	o->background_start = -1;
	o->background_file = o->background && (strncmp(o->background, word, n) != 0 ||
					       (o->background[n] && o->background[n] != ':'));
	if (!o->background || o->background_file)
		return 0;
	if (o->background[n] && (numbers(o->background + n + 1, 1, false, &v) < 0 || v < 0 || v > 1e6 || v != floor(v)))
		return error("'--background': '%s', expected a file or estimate[:START], a whole number of 0 to 1000000",
			     o->background);
	o->background_start = (long)v;
	return 0;
}

/* "VALUE[,EVERY]" */
static int take_every(const char *name, const char *text, double most, double *value, long *every)
{
	double v[2] = { 0, 1 };

	*value = 0;
	if (text && (numbers(text, 2, false, v) < 0 || v[0] <= 0 || v[0] > most || v[1] < 1 ||
		     v[1] > 1e6 || v[1] != floor(v[1])))
		return error("'--%s': '%s', expected a number above 0 and at most %g[,EVERY], a "
			     "whole number of 1 to 1000000",
			     name, text, most);
	*value = v[0];
	*every = (long)v[1];
	return 0;
}

static int take_regular(struct recon_options *o)
{
	return take_every("smooth", o->smooth, 100, &o->smooth_sigma, &o->smooth_every) != 0
		       ? -1
		       : take_every("tv", o->tv, 100, &o->tv_lambda, &o->tv_every);
}

static int take_frames(struct recon_options *o)
{
	struct frames_opts *f = &o->frames;

	o->orientations = strcmp(o->orientation, "scan") == 0;
	f->orientation = D4_IDENTITY;
	if (!o->orientations && d4_parse(o->orientation, &f->orientation) != 0)
		return -1;
	if (strchr(o->orientation, ','))
		info("orientation %s is %s", o->orientation, d4_names[f->orientation]);
	if (numbers(o->reject, 2, true, f->reject) != 2 || f->reject[0] < 0 ||
	    !(f->reject[0] <= f->reject[1]))
		return error("'--reject': '%s', expected LOW,HIGH with LOW at least 0 and not "
			     "above HIGH",
			     o->reject);
	f->normalise_total = strcmp(o->normalise, "total") == 0;
	o->normalise_column = !f->normalise_total && strcmp(o->normalise, "off") != 0;
	f->centre = o->centre[0] != CENTRE_OFF;
	f->centre_auto = o->centre[0] == CENTRE_AUTO;
	f->centre_at[0] = o->centre[0];
	f->centre_at[1] = o->centre[1];
	f->half = (int)o->half;
	return 0;
}

static int take_geometry(struct recon_options *o)
{
	o->xys = strcmp(o->xy, "scan") == 0;
	if (o->xys && o->orientations)
		return error("'--xy' and '--orientation': both scan, expected one: to turn the "
			     "positions is to turn the "
			     "frames back");
	if (opt_exclude("energy", "wavelength") != 0 ||
	    scan_axes(o->xys ? "x,y" : o->xy, o->scan.axis) != 0)
		return -1;
	if (o->energy_kev > 0)
		o->scan.wavelength_m = wavelength_of(o->energy_kev);
	return 0;
}

/* The near field: a cone is brought to the parallel beam of the same Fresnel number. */
static int take_near_field(struct recon_options *o)
{
	struct optics *x = &o->engine.optics;

	*x = (struct optics){ 0 };
	o->frames.near_field = o->near_field;
	if (!o->near_field)
		return isinf(o->focus) ? 0
				       : error("'--focus-distance': no --near-field, expected "
					       "both");
	if (opt_exclude("near-field", "pixel") != 0 || opt_exclude("near-field", "dc") != 0)
		return -1;
	if (!(o->scan.wavelength_m > 0 && o->scan.distance_m > 0 && o->scan.detector_pixel_m > 0))
		return error("'--near-field': expected --distance, --detector-pixel, and --energy "
			     "or --wavelength");
	if (o->orientations || o->xys)
		return error("'--%s': scan in the near field, expected one by name",
			     o->xys ? "xy" : "orientation");
	if (opt_given("recentre") && o->engine.recentre)
		return error("'--recentre': in the near field, expected no such option: the frames "
			     "show where the probe is");
	if ((o->probe_kind == PROBE_DATA && strchr(o->probe, ':')) ||
	    (o->probe_kind == PROBE_SCAN && opt_given("probe")))
		return error("'--probe': '%s' in the near field, expected data, a file, disc or "
			     "gauss",
			     o->probe);
	if (o->probe_kind == PROBE_SCAN)
		o->probe_kind = PROBE_DATA;
	*x = optics_near(o->scan.distance_m, o->focus, o->scan.detector_pixel_m,
			 o->scan.wavelength_m);
	o->scan.pixel_m = x->pixel;
	return 0;
}

/* A probe that changes from frame to frame, once the chain is known. */
static int take_opr(const struct recon_options *o)
{
	const struct ptycho_opts *e = &o->engine;

	for (size_t i = 0; i < o->stages && e->opr; i++)
		if (!o->stage[i].engine->opr)
			return error("'--opr': engine %s, expected epie, rpie or lsqml",
				     o->stage[i].engine->name);
	if (e->opr && (e->modes_most > 1 || e->intensity || e->support > 0 ||
		       e->freeze_probe || o->slices > 1 || o->orientations))
		return error("'--opr' and '--%s': expected one of the two",
			     e->modes_most > 1	  ? "modes"
			     : e->intensity	  ? "intensity"
			     : e->support > 0	  ? "support"
			     : e->freeze_probe	  ? "freeze-probe"
			     : o->slices > 1	  ? "slices"
						  : "orientation=scan");
	return 0;
}

/* Thick objects, once the chain is known. */
static int take_slices(struct recon_options *o)
{
	static const char *const thin[] = { "refine-positions", "intensity", "ramp", "orientation",
					    "xy",		"smooth",    "tv",   "notch" };
	struct optics *x = &o->engine.optics;

	x->slices = o->slices;
	x->spacing = o->spacing;
	if (o->slices == 1)
		return opt_given("slice-spacing") ? error("'--slice-spacing': one slice, expected "
							  "--slices of 2 or more")
						  : 0;
	if (opt_need("slice-spacing") != 0)
		return -1;
	if (!(o->scan.wavelength_m > 0 &&
	      (o->scan.pixel_m > 0 ||
	       (o->scan.distance_m > 0 && o->scan.detector_pixel_m > 0))))
		return error("'--slices': expected --energy or --wavelength, and --pixel or "
			     "--distance and --detector-pixel");
	x->wavelength = o->scan.wavelength_m;
	for (size_t i = 0; i < o->stages; i++) {
		if (!o->stage[i].engine->slices)
			return error("'--slices': engine %s, expected epie, rpie or lsqml",
				     o->stage[i].engine->name);
		if (o->stage[i].compact)
			return error("'--slices': compact=1 of lsqml, expected batches that move "
				     "the object");
	}
	for (size_t i = 0; i < sizeof thin / sizeof thin[0]; i++)
		if (opt_given(thin[i]) &&
		    (strcmp(thin[i], "ramp") != 0 || o->ramp == RAMP_REMOVE) &&
		    (strcmp(thin[i], "orientation") != 0 || o->orientations) &&
		    (strcmp(thin[i], "xy") != 0 || o->xys) &&
		    (strcmp(thin[i], "intensity") != 0 || o->engine.intensity))
			return error("'--slices' and '--%s': expected one of the two", thin[i]);
	return 0;
}

/* The most modes that the chain has, and what does not go with a change of their number. */
static int take_modes(struct recon_options *o)
{
	size_t most = o->modes;

	for (size_t i = 0; i < o->stages; i++) {
		if (o->stage[i].modes && o->engine.freeze_probe)
			return error("'--freeze-probe' and '--algorithm': modes %zu of %s, expected "
				     "one of the two",
				     o->stage[i].modes, o->stage[i].engine->name);
		if (o->stage[i].modes > most)
			most = o->stage[i].modes;
	}
	if (most > 1 && o->mode_power * (double)(most - 1) >= 1)
		return error("'--mode-power': %g in each of %zu modes, expected less than 1 in all",
			     o->mode_power, most - 1);
	o->engine.modes_most = most;
	o->engine.mode_power = o->mode_power;
	return 0;
}

static int take_bounds(const struct recon_options *o)
{
	const struct ptycho_opts *e = &o->engine;

	if (opt_given("amplitude") && e->amplitude[0] >= e->amplitude[1])
		return error("'--amplitude': %g,%g, expected MIN below MAX", e->amplitude[0],
			     e->amplitude[1]);
	if (opt_given("phase-range") && e->phase[0] >= e->phase[1])
		return error("'--phase-range': %g,%g, expected MIN below MAX", e->phase[0],
			     e->phase[1]);
	return 0;
}

int ptycho_options_check(struct recon_options *o)
{
	struct ptycho_opts *e = &o->engine;

	e->seed = (uint64_t)o->seed;
	e->sequential = o->order;
	e->subpixel = o->subpixel;
	if ((o->slices > 1 || e->opr) && !opt_given("algorithm"))
		o->algorithm = "epie:40:batch=8";
	if (take_probe(o) != 0 || take_object(o) != 0 || take_refine(o) != 0 ||
	    take_background(o) != 0 || take_regular(o) != 0 || take_frames(o) != 0 ||
	    take_geometry(o) != 0 || take_near_field(o) != 0 || take_bounds(o) != 0 ||
	    chain_parse(o->algorithm, o->batch, e->sequential, o->stage, &o->stages) != 0 ||
	    take_modes(o) != 0 || take_slices(o) != 0 || take_opr(o) != 0)
		return -1;
	e->probe_start = o->start_probe >= 0			? o->start_probe
			 : o->stage[0].engine == &engine_mlgrad ? 2
								: 1;
	if (!opt_given("recentre"))
		e->recentre = o->probe_kind != PROBE_FILE && !o->near_field;
	if (o->photons == 0)
		o->photons = e->freeze_probe ? PHOTONS_KEEP : PHOTONS_DATA;
	if (e->freeze_probe && o->photons != PHOTONS_KEEP)
		return error("'--freeze-probe' and '--probe-photons': a frozen probe keeps its "
			     "power, expected keep");
	return 0;
}
