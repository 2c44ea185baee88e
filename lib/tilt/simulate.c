#include "tilt/simulate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "base/team.h"
#include "math/random.h"
#include "tilt/contrast.h"
#include "tilt/simulate_abbe.h"

/* Device side of both forward models for tiles of one padded shape. */
struct sim {
	struct dev *d;
	const struct simulate_opts *o;
	size_t nz, ny, nx;  /* of the padded tile */
	size_t slots;	    /* tiles at once */
	size_t nr, nc;	    /* bins of x */
	struct transfer t;  /* weak */
	struct abbe abbe;   /* abbe */
	struct buf *stage;  /* [slots][2][ny][nx] float32: absorption and phase */
	struct buf *object; /* [slots][2][ny][nx/2+1] complex64: their spectra */
	struct buf *x;	   /* [slots][2][nr][nc] complex64, quantity 0: spectrum of the image - 1 */
	struct buf *half;  /* [slots][ny][nx/2+1] complex64 */
	struct buf *image; /* [slots][ny][nx] float32 */
	struct fft *fft_object, *fft_image;
};

static size_t bytes_for(struct dev *d, const struct simulate_opts *o, size_t ny, size_t nx,
			size_t slots)
{
	size_t half = nx / 2 + 1;
	size_t own = slots * (ny * nx * 12 + ny * half * 24 + 2 * (ny + 1) * half * 8);

	if (o->forward == FORWARD_ABBE)
		return own + abbe_bytes(d, &o->optics, ny, nx);
	return own + transfer_bytes(&o->optics, ny, nx, slots, slots, 1, false);
}

/* Tiles at once: what the transfer functions are fastest with, or what fits. */
static size_t slots_of(struct dev *d, const struct simulate_opts *o, size_t ny, size_t nx,
		       size_t tiles)
{
	size_t slots = transfer_slots(d, &o->optics, ny, nx, tiles);

	if (o->forward == FORWARD_ABBE)
		return 1;
	while (slots > 1 && bytes_for(d, o, ny, nx, slots) > dev_mem(d))
		slots /= 2;
	return slots;
}

size_t simulate_bytes(struct dev *d, const struct simulate_opts *o, size_t h, size_t w,
		      size_t tiles)
{
	size_t ny = h + 2 * o->pad, nx = w + 2 * o->pad;

	return bytes_for(d, o, ny, nx, slots_of(d, o, ny, nx, tiles));
}

size_t simulate_host_bytes(const struct tile_plan *plan, size_t nz)
{
	return plan->count > 1 ? plan->count * nz * plan->h * plan->w * sizeof(float) : 0;
}

static void sim_clear(struct sim *s)
{
	struct buf *b[] = { s->stage, s->object, s->x, s->half, s->image };

	for (size_t i = 0; i < sizeof b / sizeof *b; i++)
		buf_free(b[i]);
	fft_free(s->fft_object);
	fft_free(s->fft_image);
	if (s->o->forward == FORWARD_ABBE)
		abbe_clear(&s->abbe);
	else
		transfer_clear(&s->t);
}

static int sim_init(struct sim *s, struct dev *d, const struct simulate_opts *o, size_t nz,
		    const struct tile_plan *plan)
{
	size_t ny = plan->h + 2 * o->pad, nx = plan->w + 2 * o->pad, half = nx / 2 + 1;
	size_t slots = slots_of(d, o, ny, nx, plan->count);
	struct fft_desc object = { .kind = FFT_R2C, .ny = ny, .nx = nx, .batch = 2 * slots };
	struct fft_desc image = { .kind = FFT_C2R, .ny = ny, .nx = nx, .batch = slots };

	*s = (struct sim){
		.d = d, .o = o, .nz = nz, .ny = ny, .nx = nx, .slots = slots, .nc = half
	};
	s->nr = ny % 2 ? ny : ny + 1;
	if (dev_load(d, "tilt_sim") != 0 ||
	    (o->forward == FORWARD_ABBE
		     ? abbe_init(&s->abbe, d, &o->optics, ny, nx)
		     : transfer_init(&s->t, d, &o->optics, ny, nx, slots, slots, 1, false)) != 0)
		return -1;
	s->stage = buf_new(d, slots * 2 * ny * nx * 4);
	s->object = buf_new(d, slots * 2 * ny * half * 8);
	s->x = buf_new(d, slots * 2 * s->nr * s->nc * 8);
	s->half = buf_new(d, slots * ny * half * 8);
	s->image = buf_new(d, slots * ny * nx * 4);
	s->fft_object = fft_new(d, &object);
	s->fft_image = fft_new(d, &image);
	if (!s->stage || !s->object || !s->x || !s->half || !s->image || !s->fft_object ||
	    !s->fft_image) {
		sim_clear(s);
		return -1;
	}
	return 0;
}

/* Spectra of the objects of n tiles. */
static int load(struct sim *s, const struct tile_box *box, size_t n, size_t stride,
		const float *phase, const float *absorption)
{
	size_t pixels = s->ny * s->nx;
	float *stage = buf_map(s->stage, MAP_DISCARD);

	if (!stage)
		return -1;
	memset(stage, 0, s->slots * 2 * pixels * sizeof *stage);
	for (size_t i = 0; i < n; i++) {
		if (absorption)
			contrast_pad(&box[i], s->o->pad, absorption, stride,
				     stage + 2 * i * pixels);
		contrast_pad(&box[i], s->o->pad, phase, stride, stage + (2 * i + 1) * pixels);
	}
	if (buf_unmap(s->stage) != 0)
		return -1;
	return fft_run(s->fft_object, s->stage, 0, s->object, 0);
}

/* out[i] [h][w] = 1 + the images of x, without their border; scale undoes the transforms. */
static int images(struct sim *s, size_t n, double scale, float *const *out)
{
	size_t pad = s->o->pad, h = s->ny - 2 * pad, w = s->nx - 2 * pad;
	const float *image;

	if (dev_run(s->d, "tilt_hermitian",
		    moving(n * 8 * (s->nr * s->nc + s->ny * (s->nx / 2 + 1)), NDRANGE3(s->nx / 2 + 1, s->ny, n)), ARG(s->half),
		    ARG(s->x), INT(s->nr), INT(s->nc), INT(s->ny), INT(s->nx), INT(0), INT(0),
		    INT(0), FLOAT(scale)) != 0 ||
	    fft_run(s->fft_image, s->half, 0, s->image, 0) != 0)
		return -1;
	image = buf_map(s->image, MAP_READ);
	if (!image)
		return -1;
	for (size_t i = 0; i < n; i++)
		for (size_t y = 0; y < h; y++) {
			const float *from = image + (i * s->ny + y + pad) * s->nx + pad;

			for (size_t x = 0; x < w; x++)
				out[i][y * w + x] = 1 + from[x];
		}
	return buf_unmap(s->image);
}

static int dark(const char *name, size_t tile, const struct tilt *t)
{
	return error("'%s': tile %zu: at zenith %g no light reaches the objective, expected a "
		     "smaller tilt",
		     name, tile, t->zenith);
}

/* All planes of n tiles from `first` on; plane k of tile i goes to out + (i nz + k) h w. */
static int weak_tiles(struct sim *s, const char *name, size_t first, size_t n,
		      const struct tilt *tilt, float *out)
{
	const struct pupil *p = &s->t.pupil;
	size_t pixels = (s->ny - 2 * s->o->pad) * (s->nx - 2 * s->o->pad);
	float **to = mem_new(n, sizeof *to);
	double *z = mem_new(n, sizeof *z);
	int rc = -1;

	if (transfer_source(&s->t, tilt + first, n) != 0)
		goto done;
	for (size_t i = 0; i < n; i++)
		if (transfer_dark(&s->t, i)) {
			dark(name, first + i, &tilt[first + i]);
			goto done;
		}
	for (size_t k = 0; k < s->nz; k++) {
		for (size_t i = 0; i < n; i++) {
			z[i] = optics_z(&s->o->optics, s->nz, tilt[first + i].z_offset, k);
			to[i] = out + ((first + i) * s->nz + k) * pixels;
		}
		if (transfer_plane(&s->t, z, n, 0) != 0 ||
		    dev_run(s->d, "tilt_sim_weak",
			    moving(n * s->nr * s->nc * (8 + 16 + 16), NDRANGE3(s->nc, s->nr, n)), ARG(s->x),
			    ARG(s->t.h), ARG(s->object), ARG(s->t.scale), INT(s->nr), INT(s->nc),
			    INT(s->ny), INT(s->nx), INT(p->my), INT(s->t.hx), INT(n)) != 0 ||
		    images(s, n, 1 / ((double)s->ny * (double)s->nx), to) != 0)
			goto done;
	}
	rc = 0;
done:
	free(to);
	free(z);
	return rc;
}

static int abbe_tile(struct sim *s, const char *name, size_t tile, const struct tilt *tilt,
		     float *out)
{
	const struct pupil *p = &s->abbe.pupil;
	size_t pixels = (s->ny - 2 * s->o->pad) * (s->nx - 2 * s->o->pad);
	bool no_light;

	if (abbe_object(&s->abbe, s->object) != 0 ||
	    abbe_source(&s->abbe, &tilt[tile], s->o->points, s->o->seed, tile, &no_light) != 0)
		return -1;
	if (no_light)
		return dark(name, tile, &tilt[tile]);
	for (size_t k = 0; k < s->nz; k++) {
		float *to = out + (tile * s->nz + k) * pixels;

		if (abbe_plane(&s->abbe, optics_z(&s->o->optics, s->nz, tilt[tile].z_offset, k),
			       s->nr, s->nc, s->x) != 0 ||
		    images(s, 1, 1 / ((double)p->my * (double)p->mx), &to) != 0)
			return -1;
	}
	return 0;
}

static void blend(const struct simulate_opts *o, const struct tile_plan *plan, size_t nz,
		  const float *tiles, float *stack)
{
	const float **image = mem_new(plan->count, sizeof *image);

	for (size_t k = 0; k < nz; k++) {
		for (size_t i = 0; i < plan->count; i++)
			image[i] = tiles + (i * nz + k) * plan->h * plan->w;
		tile_blend(plan, o->blend, o->sigma_frac, image, NULL,
			   stack + k * plan->ny * plan->nx);
	}
	free(image);
}

int simulate_stack(struct dev *d, const struct simulate_opts *o, const char *name,
		   const float *phase, const float *absorption, const struct tile_plan *plan,
		   const struct tilt *tilt, size_t nz, float *stack)
{
	size_t bytes = simulate_bytes(d, o, plan->h, plan->w, plan->count);
	struct sim s;
	float *tiles = stack;
	int rc = -1;

	if (bytes > dev_mem(d))
		return error("'--mem': tiles of %zu x %zu need %zu bytes on the device, %zu are "
			     "allowed",
			     plan->h, plan->w, bytes, dev_mem(d));
	if (plan->count > 1) {
		tiles = mem_try(name, mem_mul(plan->count * nz, plan->h * plan->w), sizeof *tiles);
		if (!tiles)
			return -1;
	}
	if (sim_init(&s, d, o, nz, plan) != 0)
		goto done;
	rc = 0;
	for (size_t i = 0; i < plan->count && rc == 0; i += s.slots) {
		size_t n = plan->count - i < s.slots ? plan->count - i : s.slots;

		rc = load(&s, plan->box + i, n, plan->nx, phase, absorption);
		if (rc == 0)
			rc = o->forward == FORWARD_ABBE ? abbe_tile(&s, name, i, tilt, tiles)
							: weak_tiles(&s, name, i, n, tilt, tiles);
	}
	sim_clear(&s);
	if (rc == 0 && plan->count > 1)
		blend(o, plan, nz, tiles, stack);
done:
	if (tiles != stack)
		free(tiles);
	return rc;
}

struct counting {
	float *stack;
	size_t pixels;
	double brightness;
	enum noise noise;
	double sd;
	uint64_t seed;
};

static void count_plane(void *context, size_t k, int member)
{
	const struct counting *c = context;
	float *plane = c->stack + k * c->pixels;
	struct rng r;

	(void)member;
	rng_init(&r, c->seed + k);
	for (size_t i = 0; i < c->pixels; i++) {
		double mean = c->brightness * (double)plane[i];

		if (c->noise == NOISE_POISSON)
			mean = rng_poisson(&r, mean);
		else if (c->noise == NOISE_GAUSS)
			mean += c->sd * rng_normal(&r);
		plane[i] = (float)mean;
	}
}

void simulate_counts(float *stack, size_t nz, size_t pixels, double brightness, enum noise noise,
		     double sd, uint64_t seed, int threads)
{
	struct counting c = { stack, pixels, brightness, noise, sd, seed };

	team_run(threads, nz, count_plane, &c);
}

void simulate_u16(const float *counts, size_t n, uint16_t *out)
{
	for (size_t i = 0; i < n; i++)
		out[i] = (uint16_t)fmin(fmax(rint((double)counts[i]), 0), 65535);
}
