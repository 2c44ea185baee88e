#include "tilt/thick.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "tilt/contrast.h"
#include "tilt/transfer.h"

size_t thick_factor(const struct optics *o)
{
	double k = o->index / o->wavelength, a = o->na_det / o->wavelength;
	double f = ceil(2 * o->z_step * (k - sqrt(fmax(k * k - a * a, 0))) - 1e-9);

	return f < 1 ? 1 : (size_t)f;
}

static size_t z_planes(const struct thick_opts *o, size_t nz)
{
	size_t f = thick_factor(&o->optics);

	return o->optics.peer ? nz * f + 2 * o->z_pad : (nz + 2 * o->z_pad) * f;
}

/* Rows of a block: some 4 MiB of H along z. */
static size_t block_rows(size_t n, size_t ny, size_t nx)
{
	size_t row = n * 2 * (nx / 2 + 1) * 8, rows = ((size_t)4 << 20) / row;

	return rows < 1 ? 1 : rows > ny ? ny : rows;
}

static void shape(struct thick *t, size_t nz, size_t h, size_t w)
{
	const struct optics *o = &t->o.optics;
	size_t top;

	t->nz = nz;
	t->ny = h + 2 * t->o.pad;
	t->nx = w + 2 * t->o.pad;
	t->zp = nz + 2 * t->o.z_pad;
	t->n = z_planes(&t->o, nz);
	t->step = o->z_step / (double)thick_factor(o);
	t->made = t->n / 2 + 1;
	t->both = t->o.ratio != 0 ? 2 : 1;
	t->lags = t->ny / 2 * 2 + 3; /* -ny/2 - 1 .. ny/2 + 1 */
	top = optics_pupil_size(o, t->nx) / 2 + 1;
	t->hx = t->nx / 2 + 2 < top ? t->nx / 2 + 2 : top;
	t->rows = block_rows(t->n, t->ny, t->nx);
}

static size_t bytes_of(const struct thick *t)
{
	size_t my = optics_pupil_size(&t->o.optics, t->ny),
	       mx = optics_pupil_size(&t->o.optics, t->nx);
	size_t half = t->nx / 2 + 1;

	return t->zp * t->ny * half * 8 + t->made * t->both * t->lags * t->hx * 8 +
	       t->ny * t->nx * 4 + my * mx * (3 * 8 + 4) + t->both * my * (mx / 2 + 1) * 8 +
	       t->rows * half * 8 * (2 * t->n + t->zp);
}

size_t thick_bytes(const struct thick_opts *o, size_t nz, size_t ny, size_t nx)
{
	struct thick t = { .o = *o };

	shape(&t, nz, ny, nx);
	return bytes_of(&t);
}

/* Lags under the peer's crop, y and x shift, along an axis. */
static int shift_y(const struct thick *t)
{
	return transfer_shift(&t->o.optics, t->ny);
}

static int shift_x(const struct thick *t)
{
	return transfer_shift(&t->o.optics, t->nx);
}

/* Sets that a block needs: 2 if a lag of it differs from its mirror's. */
static int mirror_sets(const struct thick *t, size_t row0)
{
	size_t nyquist = t->ny / 2;

	return shift_y(t) || shift_x(t) ||
			       (t->ny % 2 == 0 && row0 <= nyquist && nyquist < row0 + t->rows)
		       ? 2
		       : 1;
}

/* z of plane j in steps: DFT order, the sign that of z; the peer reverses the list to invert. */
static long plane_z(const struct thick *t, size_t j)
{
	const struct optics *o = &t->o.optics;
	long n = (long)t->n, k = o->peer && o->invert ? n - 1 - (long)j : (long)j,
	     z = k < (n + 1) / 2 ? k : k - n;

	if (!o->peer && (o->z_sign > 0) != o->invert)
		z = -z;
	return z;
}

static int write_tables(struct thick *t)
{
	int(*plane)[2] = mem_new(t->n, sizeof *plane), (*crop)[2] = mem_new(t->zp, sizeof *crop);
	float *weight = mem_new(t->n, sizeof *weight);
	long n = (long)t->n, zp = (long)t->zp;
	int sz = t->o.optics.peer && zp % 2 == 1 && n % 2 == 0 ? -1 : 0, rc;

	for (long j = 0; j < n; j++) {
		long z = plane_z(t, (size_t)j), m = (j < (n + 1) / 2 ? j : j - n) + n / 2;

		plane[j][0] = (int)labs(z);
		plane[j][1] = z < 0;
		weight[j] = (float)(n > 1 ? 0.5 - 0.5 * cos(2 * M_PI * (double)m / (double)(n - 1))
					  : 1);
	}
	for (long k = 0; k < zp; k++) {
		long l = k < (zp + 1) / 2 ? k : k - zp, m = 2 * k == zp ? zp / 2 : l;

		crop[k][0] = (int)((l + sz + n) % n);
		crop[k][1] = (int)((m - sz + n) % n);
	}
	rc = buf_write(t->plane_of, 0, plane, t->n * sizeof *plane) != 0 ||
			     buf_write(t->weight, 0, weight, t->n * sizeof *weight) != 0 ||
			     buf_write(t->crop, 0, crop, t->zp * sizeof *crop) != 0
		     ? -1
		     : 0;
	free(plane);
	free(crop);
	free(weight);
	return rc;
}

static int make_plans(struct thick *t)
{
	const struct pupil *p = &t->pupil;
	struct dev *d = t->d;
	size_t half = t->nx / 2 + 1;
	struct fft_desc b = { .kind = FFT_R2C, .ny = t->ny, .nx = t->nx, .batch = 1 };
	struct fft_desc c = {
		.kind = FFT_FORWARD, .ny = p->my, .nx = p->mx, .batch = 1, .rows_lo = p->rows_lo
	};
	struct fft_desc w = { .kind = FFT_R2C, .ny = p->my, .nx = p->mx, .batch = t->both };

	t->fft_b = fft_new(d, &b);
	b.kind = FFT_C2R;
	t->fft_image = fft_new(d, &b);
	c.rows_hi = p->rows - p->rows_lo;
	t->fft_a = fft_new(d, &c);
	c.cols_lo = p->mx / 2 + 1;
	t->fft_wave = fft_new(d, &c);
	w.out_row = p->mx / 2 + 1;
	w.out_dist = p->my * w.out_row;
	w.cols_lo = t->hx;
	t->fft_w = fft_new(d, &w);
	for (size_t sets = 1; sets <= 2; sets++)
		t->fft_hz[sets - 1] = fft_slow_new(d, FFT_FORWARD, t->n, sets * t->rows * half);
	t->fft_bz = fft_slow_new(d, FFT_FORWARD, t->zp, t->rows * half);
	t->fft_back = fft_slow_new(d, FFT_BACKWARD, t->zp, t->rows * half);
	return t->fft_b && t->fft_image && t->fft_a && t->fft_wave && t->fft_w && t->fft_hz[0] &&
			       t->fft_hz[1] && t->fft_bz && t->fft_back
		       ? 0
		       : -1;
}

int thick_init(struct thick *t, struct dev *d, const struct thick_opts *o, size_t nz, size_t h,
	       size_t w)
{
	const struct pupil *p = &t->pupil;
	size_t plane, half, need;

	*t = (struct thick){ .d = d, .o = *o };
	shape(t, nz, h, w);
	need = bytes_of(t);
	if (need > dev_mem(d))
		return error("'--mem': a tile of %zu x %zu x %zu needs %zu bytes on the device, "
			     "%zu are allowed",
			     nz, h, w, need, dev_mem(d));
	if (dev_load(d, "tilt_thick") != 0 ||
	    pupil_init(&t->pupil, d, &o->optics, t->ny, t->nx) != 0)
		return -1;
	plane = p->my * p->mx;
	half = t->nx / 2 + 1;
	t->b = buf_new(d, t->zp * t->ny * half * 8);
	t->h = buf_new(d, t->made * t->both * t->lags * t->hx * 8);
	t->stage = buf_new(d, t->ny * t->nx * 4);
	t->wave = buf_new(d, plane * 8);
	t->a = buf_new(d, plane * 8);
	t->w = buf_new(d, plane * 8);
	t->raw = buf_new(d, t->both * p->my * (p->mx / 2 + 1) * 8);
	t->source = buf_new(d, p->rows * p->mx * 4);
	t->zbuf = buf_new(d, 8);
	t->coef = buf_new(d, 32);
	t->part = buf_new(d, p->rows * PUPIL_LANES * 8);
	t->hz = buf_new(d, t->n * 2 * t->rows * half * 8);
	t->bz = buf_new(d, t->zp * t->rows * half * 8);
	t->plane_of = buf_new(d, t->n * 8);
	t->weight = buf_new(d, t->n * 4);
	t->crop = buf_new(d, t->zp * 8);
	if (!t->b || !t->h || !t->stage || !t->wave || !t->a || !t->w || !t->raw || !t->source ||
	    !t->zbuf || !t->coef || !t->part || !t->hz || !t->bz || !t->plane_of || !t->weight ||
	    !t->crop || make_plans(t) != 0 || write_tables(t) != 0) {
		thick_clear(t);
		return -1;
	}
	return 0;
}

void thick_clear(struct thick *t)
{
	struct buf *b[] = { t->b,   t->h,	 t->stage,  t->wave, t->a,    t->w,
			    t->raw, t->source,	 t->zbuf,   t->coef, t->part, t->hz,
			    t->bz,  t->plane_of, t->weight, t->crop };
	struct fft *f[] = { t->fft_b,	  t->fft_image, t->fft_a,  t->fft_wave, t->fft_w,
			    t->fft_hz[0], t->fft_hz[1], t->fft_bz, t->fft_back };

	for (size_t i = 0; i < sizeof b / sizeof *b; i++)
		buf_free(b[i]);
	for (size_t i = 0; i < sizeof f / sizeof *f; i++)
		fft_free(f[i]);
	pupil_clear(&t->pupil);
	*t = (struct thick){ 0 };
}

int thick_transfer(struct thick *t, const struct tilt *tilt)
{
	const struct pupil *p = &t->pupil;
	struct tilt own = *tilt, upright = { 0, 0, 0 };
	size_t rows = fft_prunes(t->d) ? p->rows : p->my;
	double sum, bright, scale;

	if (!t->o.optics.peer)
		own.azimuth += M_PI; /* then a thin sheet gives the planes of the thin model */
	if (pupil_source(p, &upright, 1, t->coef, t->source) != 0 ||
	    pupil_source_sum(p, t->source, 1, 2, t->part, &bright) != 0 ||
	    pupil_source(p, &own, 1, t->coef, t->source) != 0 ||
	    pupil_source_sum(p, t->source, 1, 2, t->part, &sum) != 0)
		return -1;
	if (!(sum >= 1e-6 * bright))
		return 1;
	scale = t->step / sum / (double)(p->my * p->mx);
	for (size_t u = 0; u < t->made; u++) {
		double z = (double)u * t->step;

		if (pupil_wave(p, &z, 1, 2, t->zbuf, t->wave, 0) != 0 ||
		    dev_run(t->d, "thick_waves",
			    moving(rows * p->mx * 28, NDRANGE2(dev_columns(t->d, p->mx), rows)),
			    ARG(t->a), ARG(t->wave), ARG(t->source), ARG(p->p), ARG(p->gamma),
			    INT(p->mx), INT(p->my), INT(p->rx), INT(p->ry), INT(rows),
			    INT(p->rows_lo), INT(p->rows)) != 0 ||
		    fft_run(t->fft_wave, t->wave, 0, t->wave, 0) != 0 ||
		    fft_run(t->fft_a, t->a, 0, t->a, 0) != 0 ||
		    dev_run(t->d, "tilt_correlate",
			    moving(p->my * p->mx * 20, NDRANGE3(dev_columns(t->d, p->mx), p->my, 1)),
			    ARG(t->w), ARG(t->a), ARG(t->wave), INT(p->mx), INT(p->my), INT(1),
			    INT(0), INT(0), INT(0)) != 0 ||
		    fft_run(t->fft_w, t->w, 0, t->raw, 0) != 0 ||
		    dev_run(t->d, "thick_keep",
			    moving(t->hx * t->lags * t->both * 16, NDRANGE3(t->hx, t->lags, t->both)), ARG(t->h),
			    ARG(t->raw), INT(t->lags), INT(t->hx), INT(p->my), INT(p->mx / 2 + 1),
			    ARG((uint64_t){ u * t->both * t->lags * t->hx }), FLOAT(scale)) != 0)
			return -1;
	}
	return 0;
}

/* k_re H_re + k_im H_im of the rows from row0 on, along z, transformed. */
static int stack_block(struct thick *t, size_t row0, int sets, double k_re, double k_im)
{
	if (dev_run(t->d, "thick_stack",
		    moving((t->nx / 2 + 1) * t->rows * t->n * (size_t)sets * 16,
			   NDRANGE3(t->nx / 2 + 1, t->rows, t->n * (size_t)sets)),
		    ARG(t->hz), ARG(t->h), ARG(t->plane_of), ARG(t->weight), INT(t->n), INT(row0),
		    INT(t->rows), INT(t->nx / 2 + 1), INT(t->ny), INT(t->nx), INT(t->lags),
		    INT(t->hx), INT(t->both), INT(shift_y(t)), INT(shift_x(t)), INT(sets),
		    FLOAT(k_re), FLOAT(k_im)) != 0)
		return -1;
	return fft_run(t->fft_hz[sets - 1], t->hz, 0, t->hz, 0);
}

static int filter_block(struct thick *t, size_t row0)
{
	size_t half = t->nx / 2 + 1, block = half * t->rows * t->zp * 16;
	int sets = mirror_sets(t, row0);

	if (stack_block(t, row0, sets, 1, t->o.ratio) != 0 ||
	    dev_run(t->d, "thick_gather", moving(block, NDRANGE3(half, t->rows, t->zp)), ARG(t->bz), ARG(t->b),
		    INT(t->zp), INT(row0), INT(t->rows), INT(t->ny), INT(half)) != 0 ||
	    fft_run(t->fft_bz, t->bz, 0, t->bz, 0) != 0 ||
	    dev_run(t->d, "thick_filter", moving(block + half * t->rows * t->n * (size_t)sets * 8, NDRANGE3(half, t->rows, t->zp)), ARG(t->bz), ARG(t->hz),
		    ARG(t->crop), INT(t->zp), INT(t->rows), INT(half), INT(t->nx), INT(sets),
		    FLOAT(t->o.reg),
		    FLOAT(1 / ((double)t->zp * (double)t->ny * (double)t->nx))) != 0 ||
	    fft_run(t->fft_back, t->bz, 0, t->bz, 0) != 0)
		return -1;
	return dev_run(t->d, "thick_scatter", moving(block, NDRANGE3(half, t->rows, t->zp)), ARG(t->b), ARG(t->bz),
		       INT(t->zp), INT(row0), INT(t->rows), INT(t->ny), INT(half));
}

/* Slice of the stack that plane k of the padded one repeats (mirrored with the edge), or -1: zeros.
 */
static long source_slice(const struct thick *t, size_t k)
{
	long z = (long)k - (long)t->o.z_pad, n = (long)t->nz;

	if (z >= 0 && z < n)
		return z;
	if (t->o.z_pad >= t->nz)
		return -1;
	return z < 0 ? -1 - z : 2 * n - 1 - z;
}

/* Mean of the padded tile, in double. */
static double padded_mean(const struct thick *t, const struct tile_box *box, const float *stack,
			  size_t ny, size_t nx, float *plane)
{
	double *part = mem_new(t->nz, sizeof *part), sum = 0;

	for (size_t z = 0; z < t->nz; z++) {
		contrast_pad(box, t->o.pad, stack + z * ny * nx, nx, plane);
		for (size_t i = 0; i < t->ny * t->nx; i++)
			part[z] += plane[i];
	}
	for (size_t k = 0; k < t->zp; k++) {
		long z = source_slice(t, k);

		sum += z < 0 ? 0 : part[z];
	}
	free(part);
	return sum / ((double)t->zp * (double)t->ny * (double)t->nx);
}

static int load_planes(struct thick *t, const struct tile_box *box, const float *stack, size_t ny,
		       size_t nx)
{
	size_t pixels = t->ny * t->nx, spec = t->ny * (t->nx / 2 + 1);
	float *plane = buf_map(t->stage, MAP_DISCARD);
	double mean;

	if (!plane)
		return -1;
	mean = padded_mean(t, box, stack, ny, nx, plane);
	if (buf_unmap(t->stage) != 0)
		return -1;
	if (!(mean > 0) || !isfinite(mean))
		return 1;
	for (size_t k = 0; k < t->zp; k++) {
		long z = source_slice(t, k);
		double scale = 1 / mean;

		plane = buf_map(t->stage, MAP_DISCARD);
		if (!plane)
			return -1;
		if (z < 0)
			memset(plane, 0, pixels * sizeof *plane);
		else
			contrast_pad(box, t->o.pad, stack + (size_t)z * ny * nx, nx, plane);
		for (size_t i = 0; i < pixels; i++)
			plane[i] = (float)(plane[i] * scale - 1);
		if (buf_unmap(t->stage) != 0 || fft_run(t->fft_b, t->stage, 0, t->b, k * spec) != 0)
			return -1;
	}
	return 0;
}

int thick_invert(struct thick *t, const float *stack, size_t y, size_t x, size_t field_ny,
		 size_t field_nx, float *out)
{
	struct tile_box box = { y, x, t->ny - 2 * t->o.pad, t->nx - 2 * t->o.pad };
	size_t spec = t->ny * (t->nx / 2 + 1);
	int rc = load_planes(t, &box, stack, field_ny, field_nx);

	if (rc != 0)
		return rc;
	for (size_t row = 0; row < t->ny; row += t->rows)
		if (filter_block(t, row) != 0)
			return -1;
	if (dev_run(t->d, "thick_real_columns", moving(2 * t->ny * t->zp * 16, NDRANGE3(2, t->ny / 2 + 1, t->zp)), ARG(t->b),
		    INT(t->zp), INT(t->ny), INT(t->nx)) != 0)
		return -1;
	for (size_t z = 0; z < t->nz; z++) {
		const float *image;

		if (fft_run(t->fft_image, t->b, (z + t->o.z_pad) * spec, t->stage, 0) != 0 ||
		    !(image = buf_map(t->stage, MAP_READ)))
			return -1;
		for (size_t r = 0; r < box.h; r++)
			memcpy(out + (z * box.h + r) * box.w,
			       image + (r + t->o.pad) * t->nx + t->o.pad, box.w * 4);
		if (buf_unmap(t->stage) != 0)
			return -1;
	}
	return 0;
}

/* Bins whose lags are in the right half come from set 0; the others are conjugates of their
 * mirrors' set 1. */
static void expand_block(const struct thick *t, const float (*hz)[2], int (*crop)[2], size_t row0,
			 float *re, float *im)
{
	size_t half = t->nx / 2 + 1, ny = t->ny, nx = t->nx;

	for (size_t k = 0; k < t->zp; k++)
		for (size_t i = 0; i < t->rows * half; i++) {
			size_t r = i / half, x = i % half, y = row0 + r, at, mirror;
			const float *v = hz[((size_t)crop[k][0] * 2 * t->rows + r) * half + x];
			const float *m =
				hz[(((size_t)crop[k][1] * 2 + 1) * t->rows + r) * half + x];

			if (y >= ny)
				continue;
			at = (k * ny + y) * nx + x;
			mirror = ((k ? t->zp - k : 0) * ny + (y ? ny - y : 0)) * nx +
				 (x ? nx - x : 0);
			if (x > 0 && 2 * x < nx) {
				re[at] = v[0];
				im[at] = v[1];
			}
			re[mirror] = m[0];
			im[mirror] = -m[1];
		}
}

int thick_dump(struct thick *t, float *pages)
{
	size_t n = t->zp * t->ny * t->nx;
	int(*crop)[2] = mem_new(t->zp, sizeof *crop), rc = -1;

	if (buf_read(t->crop, 0, crop, t->zp * sizeof *crop) != 0)
		goto done;
	for (int q = 0; q < 2; q++)
		for (size_t row0 = 0; row0 < t->ny; row0 += t->rows) {
			const float(*hz)[2];

			if (stack_block(t, row0, 2, 1 - q, q) != 0 ||
			    !(hz = buf_map(t->hz, MAP_READ)))
				goto done;
			expand_block(t, hz, crop, row0, pages + (size_t)2 * q * n,
				     pages + (size_t)(2 * q + 1) * n);
			if (buf_unmap(t->hz) != 0)
				goto done;
		}
	rc = 0;
done:
	free(crop);
	return rc;
}
