#include "tilt/transfer.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

int transfer_shift(const struct optics *o, size_t n)
{
	return o->peer && n % 2 == 1 && optics_factor(o) % 2 == 0 ? -1 : 0;
}

/* Lags of the columns that are read: 0 .. nx/2, one more for the peer's shift. */
static size_t h_columns(size_t nx, size_t mx)
{
	size_t c = nx / 2 + 2, top = mx / 2 + 1;

	return c < top ? c : top;
}

size_t transfer_bytes(const struct optics *o, size_t ny, size_t nx, size_t batch, size_t slots,
		      size_t chunk, bool keep)
{
	size_t my = optics_pupil_size(o, ny), mx = optics_pupil_size(o, nx), plane = my * mx;
	size_t kept = keep ? chunk * batch : slots;

	return plane * (8 * 2 * kept + 8 * slots) + batch * plane * 4 +
	       chunk * batch * 2 * my * h_columns(nx, mx) * 8 +
	       batch * (my * PUPIL_LANES * 8 + 44) + (my / 2 + 1) * (mx / 2 + 1) * 12;
}

size_t transfer_slots(struct dev *d, const struct optics *o, size_t ny, size_t nx, size_t tiles)
{
	size_t plane = optics_pupil_size(o, ny) * optics_pupil_size(o, nx) * 8, most = 64, n;

	if (dev_is_cpu(d))
		most = plane > (4 << 20) ? 1 : 4;
	n = tiles < most ? tiles : most;
	return n ? n : 1;
}

static int make_plans(struct transfer *t)
{
	const struct pupil *p = &t->pupil;
	struct fft_desc c = { .kind = FFT_FORWARD, .ny = p->my, .nx = p->mx, .batch = t->slots };
	struct fft_desc w = { .kind = FFT_R2C, .ny = p->my, .nx = p->mx, .batch = 2 * t->slots };

	c.rows_lo = p->rows_lo;
	c.rows_hi = p->rows - p->rows_lo;
	t->fft_a = fft_new(p->d, &c);
	c.cols_lo = p->mx / 2 + 1;
	t->fft_b = fft_new(p->d, &c);
	c.batch = 1;
	t->fft_b1 = fft_new(p->d, &c);
	w.cols_lo = t->hx;
	w.out_row = t->hx;
	w.out_dist = p->my * t->hx;
	if (!fft_prunes(p->d) && t->hx < p->mx / 2 + 1)
		w.cols_lo = 0;
	t->fft_w = fft_new(p->d, &w);
	return t->fft_a && t->fft_b && t->fft_b1 && t->fft_w ? 0 : -1;
}

int transfer_init(struct transfer *t, struct dev *d, const struct optics *o, size_t ny, size_t nx,
		  size_t batch, size_t slots, size_t chunk, bool keep)
{
	struct pupil *p = &t->pupil;
	size_t plane, kept;

	*t = (struct transfer){ .slots = slots, .chunk = chunk, .keep = keep, .wave_z = NAN };
	t->batch = (batch + slots - 1) / slots * slots;
	if (pupil_init(p, d, o, ny, nx) != 0)
		return -1;
	plane = p->my * p->mx;
	kept = keep ? chunk * t->batch : slots;
	t->hx = fft_prunes(d) ? h_columns(nx, p->mx) : p->mx / 2 + 1;
	t->i0 = mem_new(t->batch, sizeof *t->i0);
	t->source = buf_new(d, t->batch * p->rows * p->mx * sizeof(float));
	t->scale = buf_new(d, t->batch * sizeof(float));
	t->zbuf = buf_new(d, t->batch * 2 * sizeof(float));
	t->coef = buf_new(d, t->batch * 8 * sizeof(float));
	t->part = buf_new(d, t->batch * p->rows * PUPIL_LANES * 2 * sizeof(float));
	t->wave = buf_new(d, kept * plane * 8);
	t->a = buf_new(d, kept * plane * 8);
	t->w = buf_new(d, slots * plane * 8);
	t->h = buf_new(d, chunk * t->batch * 2 * p->my * t->hx * 8);
	if (!t->source || !t->scale || !t->zbuf || !t->coef || !t->part || !t->wave || !t->a ||
	    !t->w || !t->h || make_plans(t) != 0) {
		transfer_clear(t);
		return -1;
	}
	return 0;
}

void transfer_clear(struct transfer *t)
{
	struct buf *b[] = { t->source, t->scale, t->wave, t->a,	  t->w,
			    t->h,      t->zbuf,	 t->coef, t->part };
	struct fft *f[] = { t->fft_a, t->fft_b, t->fft_b1, t->fft_w };

	for (size_t i = 0; i < sizeof b / sizeof *b; i++)
		buf_free(b[i]);
	for (size_t i = 0; i < sizeof f / sizeof *f; i++)
		fft_free(f[i]);
	free(t->i0);
	pupil_clear(&t->pupil);
	*t = (struct transfer){ 0 };
}

int transfer_source(struct transfer *t, const struct tilt *tilt, size_t n)
{
	const struct pupil *p = &t->pupil;
	struct tilt upright = { 0, 0, 0 };
	double total = (double)(p->my * p->mx);
	float *scale;

	if (t->bright == 0 && (pupil_source(p, &upright, 1, t->coef, t->source) != 0 ||
			       pupil_source_sum(p, t->source, 1, 4, t->part, &t->bright) != 0))
		return -1;
	if (pupil_source(p, tilt, n, t->coef, t->source) != 0 ||
	    pupil_source_sum(p, t->source, n, 4, t->part, t->i0) != 0)
		return -1;
	scale = buf_map(t->scale, MAP_DISCARD);
	if (!scale)
		return -1;
	for (size_t i = 0; i < n; i++)
		scale[i] = (float)(1 / (total * t->i0[i]));
	return buf_unmap(t->scale);
}

bool transfer_dark(const struct transfer *t, size_t i)
{
	return !(t->i0[i] >= 1e-6 * t->bright);
}

static bool all_equal(const double *z, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (z[i] != z[0])
			return false;
	return true;
}

/* D of positions i .. i + count - 1 into w (of one, if they share it), and B from it at place b,
 * unless it stands there already. */
static int make_waves(struct transfer *t, const double *z, size_t i, size_t count, bool shared,
		      size_t b)
{
	const struct pupil *p = &t->pupil;
	bool stands = shared && (i > 0 || (!t->keep && t->shared && z[0] == t->wave_z));

	if (pupil_wave(p, z + i, shared ? 1 : count, 2, t->zbuf, t->w, 0) != 0)
		return -1;
	if (stands)
		return 0;
	t->wave_z = z[0];
	return fft_run(shared ? t->fft_b1 : t->fft_b, t->w, 0, t->wave, b * p->my * p->mx);
}

int transfer_plane(struct transfer *t, const double *z, size_t n, size_t u)
{
	const struct pupil *p = &t->pupil;
	size_t plane = p->my * p->mx, rows = fft_prunes(p->d) ? p->rows : p->my,
	       base = t->keep ? u * t->batch : 0;
	size_t columns = dev_columns(p->d, p->mx);
	bool shared = all_equal(z, n);

	for (size_t i = 0; i < n; i += t->slots) {
		size_t count = n - i < t->slots ? n - i : t->slots, a = base + (t->keep ? i : 0),
		       b = shared ? base : a;

		if (make_waves(t, z, i, count, shared, b) != 0 ||
		    dev_run(p->d, "tilt_source_wave",
			    moving(count * rows * p->mx * (8 + 8 + 4), NDRANGE3(columns, rows, count)), ARG(t->a),
			    ARG(t->source), ARG(t->w), INT(p->mx), INT(p->my), INT(rows),
			    INT(p->rows_lo), INT(count), INT(a), INT(i), INT(0),
			    INT(shared ? 0 : 1), INT(p->rows)) != 0 ||
		    fft_run(t->fft_a, t->a, a * plane, t->a, a * plane) != 0 ||
		    dev_run(p->d, "tilt_correlate",
			    moving(count * p->my * p->mx * (8 + 4 + 8), NDRANGE3(columns, p->my, count)), ARG(t->w),
			    ARG(t->a), ARG(t->wave), INT(p->mx), INT(p->my), INT(count), INT(a),
			    INT(b), INT(shared ? 0 : 1)) != 0 ||
		    fft_run(t->fft_w, t->w, 0, t->h, (u * t->batch + i) * 2 * p->my * t->hx) != 0)
			return -1;
	}
	t->shared = shared;
	return 0;
}

int transfer_read(struct transfer *t, size_t i, size_t u, bool mirror, float (*ha)[2],
		  float (*hp)[2])
{
	const struct pupil *p = &t->pupil;
	size_t plane = p->my * t->hx, ny = p->ny, nx = p->nx;
	int sy = transfer_shift(&p->o, ny), sx = transfer_shift(&p->o, nx);
	const float(*h)[2] = buf_map(t->h, MAP_READ);
	double scale = 1 / ((double)(p->my * p->mx) * t->i0[i]);

	if (!h)
		return -1;
	h += (u * t->batch + i) * 2 * plane;
	for (size_t k = 0; k < ny * nx; k++) {
		long y = (long)(k / nx), x = (long)(k % nx);
		bool turn;
		size_t at;

		y = (y < (long)(ny + 1) / 2 ? y : y - (long)ny) + sy;
		x = (x < (long)(nx + 1) / 2 ? x : x - (long)nx) + sx;
		turn = x < 0; /* the left half is the conjugate of the right one; h itself is stored
				 conjugate */
		if (turn) {
			y = -y;
			x = -x;
		}
		at = (size_t)(y < 0 ? y + (long)p->my : y) * t->hx + (size_t)x;
		ha[k][0] = (float)(h[at][0] * scale);
		ha[k][1] = (float)((turn != mirror ? scale : -scale) * h[at][1]);
		hp[k][0] = (float)((mirror ? -scale : scale) * h[plane + at][0]);
		hp[k][1] = (float)((turn ? scale : -scale) * h[plane + at][1]);
	}
	return buf_unmap(t->h);
}
