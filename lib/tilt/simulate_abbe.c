#include "tilt/simulate_abbe.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "math/random.h"

/* Points at once: as many as a CPU's cache holds, or as keep a GPU busy; at most a quarter of the
 * memory. */
static size_t batch_of(struct dev *d, size_t plane)
{
	size_t cache = (size_t)2 << 20, room = dev_mem(d) / 4, n;

	if (dev_is_cpu(d) && room > cache)
		room = cache;
	n = room / (plane * 8);
	return n < 1 ? 1 : n > 64 ? 64 : n;
}

size_t abbe_bytes(struct dev *d, const struct optics *o, size_t ny, size_t nx)
{
	size_t plane = optics_pupil_size(o, ny) * optics_pupil_size(o, nx);

	/* source, spec, d, fine, sum, waves, points */
	return plane * (4 + 8 + 8 + 8 + 8 + 8 * batch_of(d, plane) + 12);
}

int abbe_init(struct abbe *a, struct dev *d, const struct optics *o, size_t ny, size_t nx)
{
	struct pupil *p = &a->pupil;
	size_t plane, half;

	*a = (struct abbe){ .batch = 0 };
	if (pupil_init(p, d, o, ny, nx) != 0)
		return -1;
	plane = p->my * p->mx;
	half = p->my * (p->mx / 2 + 1);
	a->batch = batch_of(d, plane);
	struct fft_desc object = { .kind = FFT_C2R, .ny = p->my, .nx = p->mx, .batch = 2 };
	struct fft_desc spec = { .kind = FFT_FORWARD, .ny = p->my, .nx = p->mx, .batch = 1 };
	struct fft_desc wave = { .kind = FFT_BACKWARD,
				 .ny = p->my,
				 .nx = p->mx,
				 .batch = a->batch,
				 .rows_lo = p->rows_lo,
				 .rows_hi = p->rows - p->rows_lo };
	struct fft_desc intensity = { .kind = FFT_R2C, .ny = p->my, .nx = p->mx, .batch = 1 };

	object.cols_lo = nx / 2 + 1;
	a->source = buf_new(d, p->rows * p->mx * 4);
	a->coef = buf_new(d, 32);
	a->zbuf = buf_new(d, 8);
	a->spec = buf_new(d, plane * 8);
	a->d = buf_new(d, plane * 8);
	a->fine = buf_new(d, 2 * half * 8);
	a->wave = buf_new(d, a->batch * plane * 8);
	a->sum = buf_new(d, plane * 8);
	a->fft_object = fft_new(d, &object);
	a->fft_spec = fft_new(d, &spec);
	a->fft_wave = fft_new(d, &wave);
	a->fft_intensity = fft_new(d, &intensity);
	if (!a->source || !a->coef || !a->zbuf || !a->spec || !a->d || !a->fine || !a->wave ||
	    !a->sum || !a->fft_object || !a->fft_spec || !a->fft_wave || !a->fft_intensity) {
		abbe_clear(a);
		return -1;
	}
	return 0;
}

void abbe_clear(struct abbe *a)
{
	struct buf *b[] = { a->source, a->coef, a->zbuf, a->spec,  a->d,
			    a->fine,   a->wave, a->sum,	 a->point, a->weight };
	struct fft *f[] = { a->fft_object, a->fft_spec, a->fft_wave, a->fft_intensity };

	for (size_t i = 0; i < sizeof b / sizeof *b; i++)
		buf_free(b[i]);
	for (size_t i = 0; i < sizeof f / sizeof *f; i++)
		fft_free(f[i]);
	pupil_clear(&a->pupil);
	*a = (struct abbe){ 0 };
}

int abbe_object(struct abbe *a, struct buf *object)
{
	const struct pupil *p = &a->pupil;
	size_t pixels = p->my * p->mx;
	struct dev *d = p->d;

	if (dev_run(d, "tilt_sim_finer", moving(32 * (p->mx / 2 + 1) * p->my, NDRANGE3(p->mx / 2 + 1, p->my, 2)), ARG(a->fine),
		    ARG(object), INT(p->ny), INT(p->nx), INT(p->my), INT(p->mx),
		    FLOAT(1 / ((double)p->ny * (double)p->nx))) != 0 ||
	    fft_run(a->fft_object, a->fine, 0, a->wave, 0) != 0 ||
	    dev_run(d, "tilt_sim_field", moving(pixels * 16, NDRANGE1(pixels)), ARG(a->spec), ARG(a->wave), INT(pixels),
		    FLOAT(1 / (double)pixels)) != 0)
		return -1;
	return fft_run(a->fft_spec, a->spec, 0, a->spec, 0);
}

struct point {
	int x, y;
	float weight, through; /* S, S P^2 */
};

/* Every bin with S [P > 1e-6] > 1e-3, row by row; NULL after reporting. */
static struct point *live_points(struct abbe *a, const struct tilt *tilt, size_t *count)
{
	const struct pupil *p = &a->pupil;
	const float *s, *pupil;
	struct point *point = NULL;
	size_t n = 0, cap = 0;

	if (pupil_source(p, tilt, 1, a->coef, a->source) != 0)
		return NULL;
	s = buf_map(a->source, MAP_READ);
	pupil = s ? buf_map(p->p, MAP_READ) : NULL;
	if (!pupil)
		return NULL;
	for (size_t r = 0; r < p->rows; r++) {
		size_t y = r < p->rows_lo ? r : p->my - p->rows + r,
		       iy = y < (p->my + 1) / 2 ? y : p->my - y;

		for (size_t x = 0; x < p->mx; x++) {
			size_t ix = x < (p->mx + 1) / 2 ? x : p->mx - x;
			float w = s[r * p->mx + x],
			      t = iy <= p->ry && ix <= p->rx ? pupil[iy * (p->rx + 1) + ix] : 0;

			if (!(t > 1e-6f && w > 1e-3f))
				continue;
			if (n == cap) {
				cap = cap ? 2 * cap : 256;
				point = mem_grow(point, cap, sizeof *point);
			}
			point[n++] = (struct point){ (int)x, (int)y, w, w * t * t };
		}
	}
	*count = n;
	if (buf_unmap(a->source) != 0 || buf_unmap(p->p) != 0) {
		free(point);
		return NULL;
	}
	return point ? point : mem_new(1, sizeof *point);
}

static double through(const struct point *point, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += point[i].through;
	return sum;
}

static int upload_points(struct abbe *a, const struct point *point)
{
	struct dev *d = a->pupil.d;
	int(*at)[2];
	float *w;

	buf_free(a->point);
	buf_free(a->weight);
	a->point = buf_new(d, a->points * sizeof *at);
	a->weight = buf_new(d, a->points * sizeof *w);
	at = a->point && a->weight ? buf_map(a->point, MAP_DISCARD) : NULL;
	w = at ? buf_map(a->weight, MAP_DISCARD) : NULL;
	if (!w)
		return -1;
	for (size_t i = 0; i < a->points; i++) {
		at[i][0] = point[i].x;
		at[i][1] = point[i].y;
		w[i] = point[i].weight;
	}
	return buf_unmap(a->point) != 0 || buf_unmap(a->weight) != 0 ? -1 : 0;
}

int abbe_source(struct abbe *a, const struct tilt *tilt, size_t most, uint64_t seed, size_t tile,
		bool *dark)
{
	/* apart from the streams of the slices' noise, which are seeded by seed + slice */
	static const uint64_t stream = 0x706f696e74730000;
	struct tilt upright = { 0, 0, 0 };
	struct point *point = NULL;
	size_t *pick = NULL, n;
	struct rng r;
	int rc = -1;

	if (a->bright == 0) {
		point = live_points(a, &upright, &n);
		if (!point)
			goto done;
		a->bright = through(point, n);
		free(point);
	}
	point = live_points(a, tilt, &n);
	if (!point)
		goto done;
	*dark = n == 0 || through(point, n) < 1e-6 * a->bright;
	if (*dark) {
		rc = 0;
		goto done;
	}
	if (most > 0 && most < n) {
		pick = mem_new(most, sizeof *pick);
		rng_init(&r, (seed ^ stream) + tile);
		rng_choose(&r, n, most, pick);
		for (size_t i = 0; i < most; i++)
			point[i] = point[pick[i]]; /* ascending: none is overwritten before it is
						      read */
		n = most;
	}
	a->points = n;
	a->norm = through(point, n);
	rc = upload_points(a, point);
done:
	free(pick);
	free(point);
	return rc;
}

int abbe_plane(struct abbe *a, double z, size_t nr, size_t nc, struct buf *x)
{
	const struct pupil *p = &a->pupil;
	size_t rows = fft_prunes(p->d) ? p->rows : p->my, pixels = p->my * p->mx;
	struct dev *d = p->d;

	if (pupil_wave(p, &z, 1, 1, a->zbuf, a->d, 0) != 0)
		return -1;
	for (size_t i = 0; i < a->points; i += a->batch) {
		size_t n = a->points - i < a->batch ? a->points - i : a->batch;

		if (dev_run(d, "tilt_sim_shift",
			    moving(n * rows * p->mx * 24, NDRANGE3(p->mx, rows, n)), ARG(a->wave),
			    ARG(a->spec), ARG(a->d), ARG(a->point), INT(p->mx), INT(p->my),
			    INT(rows), INT(p->rows_lo), INT(i), INT(n)) != 0 ||
		    fft_run(a->fft_wave, a->wave, 0, a->wave, 0) != 0 ||
		    dev_run(d, "tilt_sim_add", moving(pixels * 8 * (n + 2), NDRANGE1(pixels)), ARG(a->sum), ARG(a->wave),
			    ARG(a->weight), INT(pixels), INT(i), INT(n)) != 0)
			return -1;
	}
	if (dev_run(d, "tilt_sim_intensity", moving(pixels * 12, NDRANGE1(pixels)), ARG(a->wave), ARG(a->sum),
		    INT(pixels), FLOAT(1 / a->norm)) != 0 ||
	    fft_run(a->fft_intensity, a->wave, 0, a->fine, 0) != 0)
		return -1;
	return dev_run(d, "tilt_sim_crop", moving(16 * nc * nr, NDRANGE2(nc, nr)), ARG(x), ARG(a->fine), INT(nr), INT(nc),
		       INT(p->ny), INT(p->my), INT(p->mx));
}
