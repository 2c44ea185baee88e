#include "tilt/recon.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "tilt/levels.h"

void recon_init(struct recon *r, struct dev *d, const struct recon_opts *o)
{
	*r = (struct recon){ .d = d, .o = *o };
}

void recon_clear(struct recon *r)
{
	if (r->ready)
		thin_clear(&r->thin);
	r->ready = false;
}

int recon_prepare(struct recon *r, size_t nz, const struct tile_plan *plan)
{
	size_t pad = 2 * r->o.contrast.pad, h = plan->h + pad, w = plan->w + pad;

	if (r->ready && r->nz == nz && r->h == h && r->w == w && r->tiles == plan->count)
		return 0;
	recon_clear(r);
	if (thin_plan(r->d, &r->o.optics, nz, h, w, plan->count, false, &r->size) != 0 ||
	    thin_init(&r->thin, r->d, &r->o.optics, nz, h, w, &r->size, false) != 0)
		return -1;
	r->nz = nz;
	r->h = h;
	r->w = w;
	r->tiles = plan->count;
	r->ready = true;
	return 0;
}

/* Tiles whose planes mirror come first, by their offset; the others follow in their order. */
struct order {
	size_t tile;
	double offset;
	bool mirrors;
};

static int by_offset(const void *pa, const void *pb)
{
	const struct order *a = pa, *b = pb;

	if (a->mirrors != b->mirrors)
		return a->mirrors ? -1 : 1;
	if (a->mirrors && a->offset != b->offset)
		return a->offset < b->offset ? -1 : 1;
	return a->tile < b->tile ? -1 : 1;
}

static struct order *order_tiles(const struct tilt *tilt, size_t n)
{
	struct order *o = mem_new(n, sizeof *o);

	for (size_t i = 0; i < n; i++)
		o[i] = (struct order){ i, tilt[i].z_offset, thin_mirrors(tilt[i].z_offset) };
	qsort(o, n, sizeof *o, by_offset);
	return o;
}

/* How many tiles from o on may share a batch. */
static size_t run_length(const struct order *o, size_t n, size_t most)
{
	size_t k = 1;

	while (k < n && k < most && o[k].mirrors == o[0].mirrors &&
	       (!o[0].mirrors || o[k].offset == o[0].offset))
		k++;
	return k;
}

/* One batch: order[0 .. n-1] of the plan's tiles, images to image[quantity][tile]. */
static int batch(struct recon *r, const char *name, const float *stack,
		 const struct tile_plan *plan, const struct tilt *tilt, const struct order *order,
		 size_t n, float **image[2])
{
	struct thin *t = &r->thin;
	size_t *slot = mem_new(n, sizeof *slot);
	struct tilt *own = mem_new(n, sizeof *own);
	float **to = mem_new(n, sizeof *to);
	long bad, dark;
	int rc = -1;

	for (size_t i = 0; i < n; i++) {
		slot[i] = i;
		own[i] = tilt[order[i].tile];
		bad = thin_load(t, i, &r->o.contrast, &plan->box[order[i].tile], stack, plan->ny,
				plan->nx);
		if (bad > 0)
			error("'%s': page %ld: the mean of tile %zu is not positive and finite",
			      name, bad, order[i].tile);
		if (bad != 0)
			goto done;
	}
	if (thin_solve(t, slot, own, n, r->o.reg, r->o.inverse, &dark) != 0)
		goto done;
	if (dark >= 0) {
		error("'%s': tile %zu: zenith %g rad leaves no light in the objective (dark field)",
		      name, order[dark].tile, own[dark].zenith);
		goto done;
	}
	for (int q = 0; q < 2; q++)
		for (size_t i = 0; image[q] && i < n; i += t->t.slots) {
			size_t count = n - i < t->t.slots ? n - i : t->t.slots;

			for (size_t k = 0; k < count; k++)
				to[k] = image[q][order[i + k].tile];
			if (thin_images(t, i, count, q, r->o.contrast.pad, to) != 0)
				goto done;
		}
	rc = 0;
done:
	free(slot);
	free(own);
	free(to);
	return rc;
}

/* Puts the tiles of one quantity together. */
static void join(struct recon *r, const struct tile_plan *plan, enum quantity q, float **image,
		 float *out)
{
	double *offset = NULL;

	if (r->o.match && q == PHASE && plan->count > 1) {
		offset = mem_new(plan->count, sizeof *offset);
		tile_levels(plan, r->o.blend, r->o.sigma_frac, (const float *const *)image, 1,
			    offset);
	}
	tile_blend(plan, r->o.blend, r->o.sigma_frac, (const float *const *)image, offset, out);
	free(offset);
}

int recon_thin(struct recon *r, const char *name, const float *stack, size_t nz,
	       const struct tile_plan *plan, const struct tilt *tilt, float *const out[2])
{
	size_t n = plan->count, pixels = plan->h * plan->w, used;
	struct order *order = NULL;
	float **image[2] = { NULL, NULL }, *store[2] = { NULL, NULL };
	int rc = -1;

	if (recon_prepare(r, nz, plan) != 0)
		return -1;
	for (int q = 0; q < 2; q++) {
		if (!out[q])
			continue;
		image[q] = mem_new(n, sizeof *image[q]);
		if (n > 1 && !(store[q] = mem_try("tile images", n * pixels, sizeof(float))))
			goto done;
		for (size_t i = 0; i < n; i++) /* a single tile is the field itself */
			image[q][i] = n > 1 ? store[q] + i * pixels : out[q];
	}
	order = order_tiles(tilt, n);
	for (size_t i = 0; i < n; i += used) {
		used = run_length(order + i, n - i, r->size.tiles);
		if (batch(r, name, stack, plan, tilt, order + i, used, image) != 0)
			goto done;
	}
	for (int q = 0; q < 2; q++)
		if (out[q] && n > 1)
			join(r, plan, q, image[q], out[q]);
	rc = 0;
done:
	free(order);
	for (int q = 0; q < 2; q++) {
		free(image[q]);
		free(store[q]);
	}
	return rc;
}

int recon_dump(struct recon *r, size_t nz, size_t ny, size_t nx, const struct tilt *tilt,
	       float *pages)
{
	size_t n = ny * nx;
	float(*ha)[2] = mem_try("transfer function", 2 * n, sizeof *ha), (*hp)[2];
	struct transfer t;
	int rc = -1;

	if (!ha)
		return -1;
	hp = ha + n;
	if (transfer_init(&t, r->d, &r->o.optics, ny, nx, 1, 1, 1, false) != 0) {
		free(ha);
		return -1;
	}
	if (transfer_source(&t, tilt, 1) != 0)
		goto done;
	if (transfer_dark(&t, 0)) {
		error("zenith %g rad leaves no light in the objective (dark field)", tilt->zenith);
		goto done;
	}
	for (size_t k = 0; k < nz; k++) {
		double z = optics_z(&r->o.optics, nz, tilt->z_offset, k);

		if (transfer_plane(&t, &z, 1, 0) != 0 ||
		    transfer_read(&t, 0, 0, false, ha, hp) != 0)
			goto done;
		for (size_t i = 0; i < n; i++)
			for (int c = 0; c < 2; c++) {
				pages[((size_t)c * nz + k) * n + i] = ha[i][c];
				pages[((size_t)(2 + c) * nz + k) * n + i] = hp[i][c];
			}
	}
	rc = 0;
done:
	transfer_clear(&t);
	free(ha);
	return rc;
}
