/* bin/tilt_options.h: the options that tiltrecon and tiltsim share: optics, tilt, tiles; their values, and what follows. */
#ifndef BIN_TILT_OPTIONS_H
#define BIN_TILT_OPTIONS_H

#include "base/opt.h"
#include "io/tiffio.h"
#include "tilt/recon.h"

struct tilt_options {
	struct optics optics;	/* pixel and z_step 0: from the file */
	int order;		/* 0 descending, 1 ascending */
	long oversample;	/* 0: auto */
	struct tilt tilt;	/* of all tiles; z_offset is --focus-offset */
	const char *tilt_csv;	/* NULL: none */
	size_t tile[2], overlap[2], pad;
	enum blend blend;
	double sigma_frac;
};
extern struct tilt_options tilt_options;

extern const struct opt optics_options[];	/* --wavelength --pixel --z-step --index --na-det --na-ill --z-order --focus-offset
						   --invert --steepness --oversample */
extern const struct opt tilt_angle_options[];	/* --zenith --azimuth --tilt-csv */
extern const struct opt tile_options[];		/* --tile --overlap --pad --blend --sigma-frac */

/* What can be checked before any file is read: apertures, tile sizes.  0, or -1 after reporting (exit 2). */
int tilt_options_check(bool needs_wavelength);

/* The optics of one input: pixel and z spacing from its metadata where the options are silent.  z_step is needed unless nz is 1.
 * clamp: the thin model's condenser, with a warning once.  0, or -1 after reporting what is missing. */
int tilt_optics(const char *name, const struct tiff_meta *m, size_t nz, bool clamp, struct optics *o);

/* Tiles of a field, by the options. */
void tilt_tiles(size_t ny, size_t nx, struct tile_plan *plan);

#endif
