#include "tilt/thin.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "base/team.h"

enum { SUMS = 8 }; /* of cl/tilt.cl */

/* Stages of more than this go plane by plane. */
static const size_t stage_limit = (size_t)64 << 20;
/* Planes of h beyond this are made in chunks: a CPU gains nothing from more, and a field's memory
 * stays bounded. */
static const size_t h_limit = (size_t)96 << 20;
/* Tiles of a batch beyond this gain nothing on a CPU either. */
static const size_t batch_limit = (size_t)256 << 20;

static void bin_rows(const struct optics *o, size_t ny, size_t nx, size_t *nr, size_t *nc,
		     bool *full)
{
	*full = transfer_shift(o, ny) != 0 || transfer_shift(o, nx) != 0;
	*nr = *full || ny % 2 == 1 ? ny : ny + 1;
	*nc = *full ? nx : nx / 2 + 1;
}

/* What tilt/loss.c adds (sizes of its loss_init, from above). */
static size_t gradient_bytes(const struct optics *o, size_t ny, size_t nx, size_t bins,
			     const struct thin_size *s)
{
	size_t my = optics_pupil_size(o, ny), mx = optics_pupil_size(o, nx),
	       half = ny * (nx / 2 + 1), plane = my * mx;
	size_t tile = (ny + 1) * PUPIL_LANES * 24 + bins * 16 + half * 8 + plane * 4 +
		      my * PUPIL_LANES * 24 + 28;
	size_t slot = ny * nx * 4 + half * 8 + my * (mx / 2 + 1) * 16 +
		      (plane > 2 * bins ? plane : 2 * bins) * 8;

	return bins * 8 + s->batch * tile + s->slots * slot;
}

static size_t bytes_for(const struct optics *o, size_t nz, size_t ny, size_t nx, bool keep,
			const struct thin_size *s)
{
	size_t nr, nc, half = nx / 2 + 1, stage = nz * ny * nx * 4;
	bool full;

	bin_rows(o, ny, nx, &nr, &nc, &full);
	return transfer_bytes(o, ny, nx, s->batch, s->slots, s->chunk, keep) +
	       (stage <= stage_limit ? stage : ny * nx * 4) + s->tiles * nz * ny * half * 8 +
	       s->batch * 2 * nr * nc * 8 + (s->chunk < nz ? s->batch * SUMS * nr * nc * 8 : 0) +
	       s->slots * (ny * half * 8 + ny * nx * 4) + nz * 16 + s->batch * 4 + 8 +
	       (keep ? gradient_bytes(o, ny, nx, nr * nc, s) : 0);
}

int thin_plan(struct dev *d, const struct optics *o, size_t nz, size_t ny, size_t nx, size_t tiles,
	      bool keep, struct thin_size *size)
{
	size_t plane = 2 * optics_pupil_size(o, ny) * (nx / 2 + 2) * 8, room = dev_mem(d);
	size_t limit = dev_is_cpu(d) ? batch_limit : room;
	struct thin_size s = { .chunk = nz };

	if (!keep && nz * plane > h_limit && h_limit / plane < nz)
		s.chunk = h_limit / plane ? h_limit / plane : 1;
	for (s.tiles = tiles;; s.tiles = (s.tiles + 1) / 2) {
		s.slots = transfer_slots(d, o, ny, nx, s.tiles);
		s.batch = (s.tiles + s.slots - 1) / s.slots * s.slots;
		s.bytes = bytes_for(o, nz, ny, nx, keep, &s);
		if (s.bytes <= room && (s.bytes <= limit || s.tiles <= s.slots))
			break;
		if (s.tiles > 1)
			continue;
		if (s.bytes <= room)
			break;
		if (keep || s.chunk == 1)
			return error("'--mem': a tile of %zu x %zu x %zu needs %zu bytes on the "
				     "device, %zu are allowed",
				     nz, ny, nx, s.bytes, room);
		s.chunk = (s.chunk + 1) / 2; /* not even one tile: fewer planes at a time */
	}
	*size = s;
	return 0;
}

int thin_init(struct thin *t, struct dev *d, const struct optics *o, size_t nz, size_t ny,
	      size_t nx, const struct thin_size *size, bool keep)
{
	size_t half = nx / 2 + 1;
	struct fft_desc b = { .kind = FFT_R2C, .ny = ny, .nx = nx };
	struct fft_desc image = { .kind = FFT_C2R, .ny = ny, .nx = nx, .batch = size->slots };

	*t = (struct thin){ .d = d, .o = *o, .nz = nz, .ny = ny, .nx = nx, .tiles = size->tiles };
	if (transfer_init(&t->t, d, o, ny, nx, size->batch, size->slots, size->chunk, keep) != 0)
		return -1;
	bin_rows(o, ny, nx, &t->nr, &t->nc, &t->full);
	t->stage_planes = nz * ny * nx * 4 <= stage_limit ? nz : 1;
	b.batch = t->stage_planes;
	t->stage = buf_new(d, t->stage_planes * ny * nx * 4);
	t->b = buf_new(d, size->tiles * nz * ny * half * 8);
	t->x = buf_new(d, t->t.batch * 2 * t->nr * t->nc * 8);
	t->sums = buf_new(d, size->chunk < nz ? t->t.batch * SUMS * t->nr * t->nc * 8 : 8);
	t->planes = buf_new(d, nz * 16);
	t->tile = buf_new(d, t->t.batch * 4);
	t->half = buf_new(d, size->slots * ny * half * 8);
	t->image = buf_new(d, size->slots * ny * nx * 4);
	t->fft_b = fft_new(d, &b);
	t->fft_image = fft_new(d, &image);
	if (!t->stage || !t->b || !t->x || !t->sums || !t->planes || !t->tile || !t->half ||
	    !t->image || !t->fft_b || !t->fft_image) {
		thin_clear(t);
		return -1;
	}
	return 0;
}

void thin_clear(struct thin *t)
{
	struct buf *b[] = { t->stage, t->b, t->x, t->sums, t->planes, t->tile, t->half, t->image };

	for (size_t i = 0; i < sizeof b / sizeof *b; i++)
		buf_free(b[i]);
	fft_free(t->fft_b);
	fft_free(t->fft_image);
	transfer_clear(&t->t);
	*t = (struct thin){ 0 };
}

/* Planes of one stage. */
struct loading {
	const struct contrast *c;
	const struct tile_box *box;
	const float *from;
	size_t field_ny, field_nx;
	float *stage;
	size_t plane;
	bool *bad; /* [planes]: the mean is not positive */
};

static void load_plane(void *context, size_t k, int member)
{
	struct loading *l = context;

	(void)member;
	l->bad[k] = contrast_plane(l->c, l->box, l->from + k * l->field_ny * l->field_nx,
				   l->field_nx, l->stage + k * l->plane) != 0;
}

long thin_load(struct thin *t, size_t tile, const struct contrast *c, const struct tile_box *box,
	       const float *stack, size_t field_ny, size_t field_nx)
{
	size_t plane = t->ny * t->nx, spec = t->ny * (t->nx / 2 + 1);
	bool *bad = mem_new(t->stage_planes, sizeof *bad);
	struct loading l;

	for (size_t z = 0; z < t->nz; z += t->stage_planes) {
		float *stage = buf_map(t->stage, MAP_DISCARD);

		if (!stage) {
			free(bad);
			return -1;
		}
		l = (struct loading){ c,	box,	  stack + z * field_ny * field_nx,
				      field_ny, field_nx, stage,
				      plane,	bad };
		team_run(0, t->stage_planes, load_plane, &l);
		if (buf_unmap(t->stage) != 0) {
			free(bad);
			return -1;
		}
		for (size_t k = 0; k < t->stage_planes; k++)
			if (bad[k]) {
				free(bad);
				return (long)(z + k) + 1;
			}
		if (fft_run(t->fft_b, t->stage, 0, t->b, (tile * t->nz + z) * spec) != 0) {
			free(bad);
			return -1;
		}
	}
	free(bad);
	return 0;
}

bool thin_mirrors(double z_offset)
{
	return 2 * z_offset == rint(2 * z_offset);
}

/* Which planes of h are made and which planes of b each serves: the planes of a mirroring stack in
 * pairs z, -z. make[u] = the slice whose z is used; use[k] = (slice, u, mirrored).  Returns the
 * number of planes made. */
static size_t pair_planes(size_t nz, double z_offset, bool mirrors, size_t *make, int (*use)[4])
{
	size_t made = 0, used = 0;
	long twice = (long)rint(2 * z_offset) + 2 * (long)(nz / 2);

	for (long k = 0; k < (long)nz; k++) {
		long other = mirrors ? twice - k : k;

		if (other < k && other >= 0)
			continue; /* came as the mirror of an earlier one */
		make[made] = (size_t)k;
		memcpy(use[used++], (int[4]){ (int)k, (int)made, 0, 0 }, sizeof *use);
		if (other > k && other < (long)nz)
			memcpy(use[used++], (int[4]){ (int)other, (int)made, 1, 0 }, sizeof *use);
		made++;
	}
	return made;
}

/* Adds the planes of h made so far (uses first .. first + count - 1) to the sums; solves at the
 * last. */
static int invert(struct thin *t, size_t n, int (*use)[4], size_t first, size_t count, double reg,
		  enum inverse mode)
{
	const struct pupil *p = &t->t.pupil;
	int sy = transfer_shift(&t->o, t->ny), sx = transfer_shift(&t->o, t->nx);

	if (buf_write(t->planes, 0, use + first, count * sizeof *use) != 0)
		return -1;
	/* b, H; the answer, or the eight sums once, twice */
	return dev_run(t->d, "tilt_invert",
		       moving(n * t->nr * t->nc * 8 * (3 * count + (first ? 8 : 0) + (first + count < t->nz ? 8 : 2)),
			      NDRANGE3(dev_columns(t->d, t->nc), t->nr, n)), ARG(t->x),
		       ARG(t->sums), ARG(t->t.h), ARG(t->b), ARG(t->t.scale), ARG(t->tile),
		       ARG(t->planes), INT(count), INT(first == 0), INT(first + count == t->nz),
		       INT(t->nr), INT(t->nc), INT(t->ny), INT(t->nx), INT(t->nz), INT(p->my),
		       INT(t->t.hx), INT(t->t.batch), INT(t->full), INT(sy), INT(sx), FLOAT(reg),
		       INT(mode));
}

static int write_tiles(struct thin *t, const size_t *tile, size_t n)
{
	int *index = buf_map(t->tile, MAP_DISCARD);

	if (!index)
		return -1;
	for (size_t i = 0; i < n; i++)
		index[i] = (int)tile[i];
	return buf_unmap(t->tile);
}

int thin_solve(struct thin *t, const size_t *tile, const struct tilt *tilt, size_t n, double reg,
	       enum inverse mode, long *dark)
{
	size_t *make = mem_new(t->nz, sizeof *make), made, done = 0, used = 0;
	int(*use)[4] = mem_new(t->nz, sizeof *use), rc = -1;
	double *z = mem_new(n, sizeof *z);

	*dark = -1;
	if (write_tiles(t, tile, n) != 0 || transfer_source(&t->t, tilt, n) != 0)
		goto done;
	for (size_t i = n; i-- > 0;)
		if (transfer_dark(&t->t, i))
			*dark = (long)i;
	if (*dark >= 0) {
		rc = 0;
		goto done;
	}
	made = pair_planes(t->nz, tilt[0].z_offset, thin_mirrors(tilt[0].z_offset), make, use);
	while (done < made) {
		size_t u = 0, end = used;

		for (; u < t->t.chunk && done + u < made; u++) {
			for (size_t i = 0; i < n; i++)
				z[i] = optics_z(&t->o, t->nz, tilt[i].z_offset, make[done + u]);
			if (transfer_plane(&t->t, z, n, u) != 0)
				goto done;
		}
		while (end < t->nz && use[end][1] < (int)(done + u))
			use[end++][1] -= (int)done;
		if (invert(t, n, use, used, end - used, reg, mode) != 0)
			goto done;
		used = end;
		done += u;
	}
	rc = 0;
done:
	free(make);
	free(use);
	free(z);
	return rc;
}

int thin_fit(struct thin *t, const size_t *tile, const struct tilt *tilt, size_t n, double reg,
	     enum inverse mode)
{
	int(*use)[4] = mem_new(t->nz, sizeof *use), rc = -1;
	double *z = mem_new(n, sizeof *z);

	if (write_tiles(t, tile, n) != 0 || transfer_source(&t->t, tilt, n) != 0)
		goto done;
	for (size_t k = 0; k < t->nz; k++) {
		memcpy(use[k], (int[4]){ (int)k, (int)k, 0, 0 }, sizeof *use);
		for (size_t i = 0; i < n; i++)
			z[i] = optics_z(&t->o, t->nz, tilt[i].z_offset, k);
		if (transfer_plane(&t->t, z, n, k) != 0)
			goto done;
	}
	rc = invert(t, n, use, 0, t->nz, reg, mode);
done:
	free(use);
	free(z);
	return rc;
}

int thin_images(struct thin *t, size_t i, size_t n, enum quantity q, size_t pad, float *const *out)
{
	size_t h = t->ny - 2 * pad, w = t->nx - 2 * pad, half = t->nx / 2 + 1;
	const float *image;

	if (dev_run(t->d, "tilt_hermitian",
		    moving(n * 8 * (t->nr * t->nc + t->ny * half), NDRANGE3(half, t->ny, n)), ARG(t->half), ARG(t->x),
		    INT(t->nr), INT(t->nc), INT(t->ny), INT(t->nx), INT(i), INT(t->full), INT(q),
		    FLOAT(1 / ((double)t->ny * (double)t->nx))) != 0 ||
	    fft_run(t->fft_image, t->half, 0, t->image, 0) != 0)
		return -1;
	image = buf_map(t->image, MAP_READ);
	if (!image)
		return -1;
	for (size_t k = 0; k < n; k++)
		for (size_t y = 0; y < h; y++)
			memcpy(out[k] + y * w, image + (k * t->ny + y + pad) * t->nx + pad,
			       w * sizeof(float));
	return buf_unmap(t->image);
}
