/* lib/tilt/recon.h: a whole field from its defocus stack: tiles, each with its own tilt, reconstructed in batches that fit
 * the device and blended (spec sections 3.3 to 6). */
#ifndef TILT_RECON_H
#define TILT_RECON_H

#include "tilt/thin.h"

struct recon_opts {
	struct optics optics;	/* condenser already clamped */
	struct contrast contrast;
	double reg;
	enum inverse inverse;
	enum blend blend;
	double sigma_frac;
	bool match;		/* tile levels matched over the overlaps; phase only */
};

/* What is kept from stack to stack of one shape. */
struct recon {
	struct dev *d;
	struct recon_opts o;
	struct thin thin;
	bool ready;		/* thin is made, for this shape: */
	size_t nz, h, w, tiles;
	struct thin_size size;
};

void recon_init(struct recon *r, struct dev *d, const struct recon_opts *o);
void recon_clear(struct recon *r);

/* Makes the device side ready for stacks of nz planes cut by plan.  0, or -1 after reporting. */
int recon_prepare(struct recon *r, size_t nz, const struct tile_plan *plan);

/* stack [nz][plan->ny][plan->nx] float32; tilt[plan->count]; out[ABSORPTION], out[PHASE] [ny][nx] float32, NULL: not
 * wanted.  Needs no other order of tiles or batches to give the same bytes.  name is the input's, for messages.  0, or -1
 * after reporting (plane mean not positive, NaN, dark field, device). */
int recon_thin(struct recon *r, const char *name, const float *stack, size_t nz, const struct tile_plan *plan,
	       const struct tilt *tilt, float *const out[2]);

/* Transfer functions of one tilt for a field, pages Re Ha, Im Ha, Re Hp, Im Hp of nz planes each: [4 nz][ny][nx]. */
int recon_dump(struct recon *r, size_t nz, size_t ny, size_t nx, const struct tilt *tilt, float *pages);

#endif
