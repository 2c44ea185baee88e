#include "tilt_options.h"

#include <math.h>

#include "base/die.h"

struct tilt_options tilt_options;

#define T tilt_options

const struct opt optics_options[] = {
	{ OPT_HEADING, .help = "Optics" },
	{ OPT_REAL, "wavelength", .real = &T.optics.wavelength, .unit = UNIT_LENGTH,
	  .range = "(0,inf)", .note = "needed", .arg = "W",
	  .help = "vacuum wavelength of the light" },
	{ OPT_REAL, "pixel", .real = &T.optics.pixel, .unit = UNIT_LENGTH, .range = "(0,inf)",
	  .note = "from the file", .arg = "P", .help = "object-side pixel" },
	{ OPT_REAL, "z-step", .real = &T.optics.z_step, .unit = UNIT_LENGTH, .range = "(0,inf)",
	  .note = "from the file", .arg = "D", .help = "distance of the slices" },
	{ OPT_REAL, "index", .real = &T.optics.index, .range = "[1,4]", .initial = "1", .arg = "N",
	  .help = "refractive index of the medium" },
	{ OPT_REAL, "na-det", .real = &T.optics.na_det, .range = "(0,4]", .note = "needed",
	  .arg = "A", .help = "numerical aperture of the objective, at most the index" },
	{ OPT_REAL, "na-ill", .real = &T.optics.na_ill, .range = "(0,4]", .note = "needed",
	  .arg = "A", .help = "numerical aperture of the condenser, at most the index" },
	{ OPT_CHOICE, "z-order", .choice = &T.order, .choices = "descending|ascending",
	  .initial = "descending", .help = "descending: slice 0 has the highest z" },
	{ OPT_REAL, "focus-offset", .real = &T.tilt.z_offset, .unit = UNIT_SLICE, .initial = "0",
	  .arg = "S", .help = "slice Z/2 + S (whole division) is in focus" },
	{ OPT_FLAG, "invert", .flag = &T.optics.invert,
	  .help = "all z change sign: phase contrast flips" },
	{ OPT_REAL, "steepness", .real = &T.optics.steepness, .unit = UNIT_LENGTH,
	  .range = "(0,inf)", .initial = "1e4", .arg = "T",
	  .help = "slope of the objective pupil's edge" },
	{ OPT_INT, "oversample", .integer = &T.oversample, .range = "[1,8]", .choices = "auto=0",
	  .initial = "auto", .arg = "N",
	  .help = "pupil plane in units of the field's; auto: no wrap" },
	{ OPT_IGNORE, .name = "reg" }, /* presets serve both tools */
	{ OPT_IGNORE, .name = "z-pad" },
	{ OPT_END }
};

const struct opt tilt_angle_options[] = {
	{ OPT_HEADING, .help = "Tilt" },
	{ OPT_REAL, "zenith", .real = &T.tilt.zenith, .unit = UNIT_ANGLE, .range = "[0,1.2]",
	  .initial = "0", .arg = "A", .help = "tilt of the condenser's cone" },
	{ OPT_REAL, "azimuth", .real = &T.tilt.azimuth, .unit = UNIT_ANGLE, .initial = "0",
	  .arg = "A", .help = "its direction, from +x to +y" },
	{ OPT_TEXT, "tilt-csv", .text = &T.tilt_csv, .arg = "FILE",
	  .help = "tilt (and z offset) of every tile" },
	{ OPT_END }
};

const struct opt tile_options[] = {
	{ OPT_HEADING, .help = "Tiles" },
	{ OPT_SIZE, "tile", .size = T.tile, .values = 2, .repeat = true, .unit = UNIT_PIXEL,
	  .range = "[0,65536]", .initial = "0", .arg = "H[,W]",
	  .help = "size of the tiles; 0: the whole field" },
	{ OPT_SIZE, "overlap", .size = T.overlap, .values = 2, .repeat = true, .unit = UNIT_PIXEL,
	  .range = "[0,65536]", .initial = "0", .arg = "H[,W]",
	  .help = "overlap of neighbouring tiles, smaller than a tile" },
	{ OPT_SIZE, "pad", .size = &T.pad, .unit = UNIT_PIXEL, .range = "[0,65536]",
	  .note = "0, or 16 if tiled", .arg = "N",
	  .help = "reflected border around each tile, removed afterwards" },
	{ OPT_CHOICE, "blend", .choice = &T.blend, .choices = "gaussian|uniform|max|min",
	  .initial = "gaussian", .help = "how overlapping tiles are joined" },
	{ OPT_REAL, "sigma-frac", .real = &T.sigma_frac, .range = "(0,10]", .initial = "0.125",
	  .arg = "F", .help = "width of the gaussian weights as a fraction of the tile" },
	{ OPT_END }
};

int tilt_options_check(bool needs_wavelength)
{
	static const char *const axis[] = { "height", "width" };

	if (needs_wavelength &&
	    (opt_need("wavelength") != 0 || opt_need("na-det") != 0 || opt_need("na-ill") != 0))
		return -1;
	if (T.optics.na_det > T.optics.index)
		return error("'--na-det': %g exceeds the index %g", T.optics.na_det,
			     T.optics.index);
	if (T.optics.na_ill > T.optics.index)
		return error("'--na-ill': %g exceeds the index %g", T.optics.na_ill,
			     T.optics.index);
	for (int a = 0; a < 2; a++)
		if (T.tile[a] > 0 && T.overlap[a] >= T.tile[a])
			return error("'--overlap': %s %zu, expected less than the tile's %zu",
				     axis[a], T.overlap[a], T.tile[a]);
	if (!opt_given("pad")) {
		T.pad = T.tile[0] || T.tile[1] ? 16 : 0;
		for (int a = 0; a < 2; a++)
			if (T.tile[a] > 0 && T.pad >= T.tile[a])
				T.pad = T.tile[a] - 1;
	}
	for (int a = 0; a < 2; a++)
		if (T.tile[a] > 0 && T.pad >= T.tile[a])
			return error("'--pad': %zu, expected less than the tile's %s %zu", T.pad,
				     axis[a], T.tile[a]);
	T.optics.z_sign = T.order ? 1 : -1;
	T.optics.oversample = (int)T.oversample;
	return 0;
}

int tilt_optics(const char *name, const struct tiff_meta *m, size_t nz, bool clamp,
		struct optics *o)
{
	static bool warned;

	*o = T.optics;
	if (o->pixel == 0)
		o->pixel = m->pixel_um;
	if (o->z_step == 0)
		o->z_step = m->z_step_um;
	if (o->pixel == 0)
		return error("'%s': the file names no pixel size, expected --pixel", name);
	if (o->z_step == 0 && nz > 1)
		return error("'%s': the file names no distance of its slices, expected --z-step",
			     name);
	if (o->z_step == 0)
		o->z_step = 1;
	if (clamp && optics_clamp_source(o) && !warned) {
		warned = true;
		warning("condenser aperture %g is not below the objective's %g: %g is taken",
			T.optics.na_ill, o->na_det, o->na_ill);
	}
	return 0;
}

void tilt_tiles(size_t ny, size_t nx, struct tile_plan *plan)
{
	tile_plan_init(plan, (size_t[2]){ ny, nx }, T.tile, T.overlap);
}
