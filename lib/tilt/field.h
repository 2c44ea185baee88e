/* lib/tilt/field.h: 3-D phase of a whole field: tiles of full depth, each with its own tilt, blended plane by plane. */
#ifndef TILT_FIELD_H
#define TILT_FIELD_H

#include "tilt/thick.h"
#include "tilt/tiles.h"

struct field_opts {
	struct thick_opts thick;
	enum blend blend;
	double sigma_frac;
	bool match;		/* tile levels matched over the overlaps */
};

/* stack [nz][ny][nx] float32 is overwritten by the phase.  tilt[plan->count].  name is the input's, for messages.  0, or -1 after
 * reporting (mean not positive, dark field, memory, device). */
int field_thick(struct dev *d, const struct field_opts *o, const char *name, float *stack, size_t nz,
		const struct tile_plan *plan, const struct tilt *tilt);

/* Transfer functions of one tilt for a field: pages Re H_re, Im H_re, Re H_im, Im H_im of nz + 2 z_pad planes each. */
int field_thick_dump(struct dev *d, const struct thick_opts *o, size_t nz, size_t ny, size_t nx, const struct tilt *tilt,
		     float *pages);

#endif
