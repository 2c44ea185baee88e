#include "tilt/field.h"

#include <stdlib.h>

#include "base/die.h"
#include "base/mem.h"
#include "tilt/levels.h"

static int tile(struct thick *t, const char *name, const float *stack, const struct tile_plan *plan,
		size_t i, const struct tilt *tilt, float *out)
{
	const struct tile_box *b = &plan->box[i];
	int rc = thick_transfer(t, tilt);

	if (rc > 0)
		return error("'%s': tile %zu: zenith %g rad leaves no light in the objective (dark "
			     "field)",
			     name, i, tilt->zenith);
	if (rc == 0)
		rc = thick_invert(t, stack, b->y, b->x, plan->ny, plan->nx, out);
	return rc > 0 ? error("'%s': the mean of tile %zu is not positive and finite", name, i)
		      : rc;
}

int field_thick(struct dev *d, const struct field_opts *o, const char *name, float *stack,
		size_t nz, const struct tile_plan *plan, const struct tilt *tilt)
{
	size_t n = plan->count, pixels = plan->h * plan->w;
	float *store = NULL;
	const float **image = mem_new(n, sizeof *image);
	double *offset = mem_new(n, sizeof *offset);
	struct thick t;
	int rc = -1;

	if (thick_init(&t, d, &o->thick, nz, plan->h, plan->w) != 0) {
		free(image);
		free(offset);
		return -1;
	}
	if (n == 1) {
		rc = tile(&t, name, stack, plan, 0, tilt, stack);
		goto done;
	}
	store = mem_try("tile volumes", mem_mul(n, nz * pixels), sizeof *store);
	if (!store)
		goto done;
	for (size_t i = 0; i < n; i++) {
		image[i] = store + i * nz * pixels;
		if (tile(&t, name, stack, plan, i, &tilt[i], store + i * nz * pixels) != 0)
			goto done;
	}
	if (o->match)
		tile_levels(plan, o->blend, o->sigma_frac, image, nz, offset);
	for (size_t z = 0; z < nz; z++) {
		tile_blend(plan, o->blend, o->sigma_frac, image, offset,
			   stack + z * plan->ny * plan->nx);
		for (size_t i = 0; i < n; i++)
			image[i] += pixels;
	}
	rc = 0;
done:
	thick_clear(&t);
	free(store);
	free(image);
	free(offset);
	return rc;
}

int field_thick_dump(struct dev *d, const struct thick_opts *o, size_t nz, size_t ny, size_t nx,
		     const struct tilt *tilt, float *pages)
{
	struct thick_opts both = *o;
	struct thick t;
	int rc;

	both.pad = 0;
	both.ratio = 1; /* H_im is wanted too */
	if (thick_init(&t, d, &both, nz, ny, nx) != 0)
		return -1;
	rc = thick_transfer(&t, tilt);
	if (rc > 0)
		rc = error("zenith %g rad leaves no light in the objective (dark field)",
			   tilt->zenith);
	if (rc == 0)
		rc = thick_dump(&t, pages);
	thick_clear(&t);
	return rc;
}
