#include "tilt/loss.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "base/team.h"

/* kinds of cl/tilt_loss.cl */
enum { KIND_RESIDUAL, KIND_FULL, KIND_DIAG, KIND_DIAG_PEER };

static int kind_of(const struct loss_opts *o)
{
	if (o->kind == LOSS_RESIDUAL)
		return KIND_RESIDUAL;
	return o->inverse == INVERSE_DIAG	 ? KIND_DIAG
	       : o->inverse == INVERSE_DIAG_PEER ? KIND_DIAG_PEER
						 : KIND_FULL;
}

int loss_plan(struct dev *d, const struct loss_opts *o, size_t nz, size_t h, size_t w, size_t tiles,
	      struct thin_size *size)
{
	return thin_plan(d, &o->optics, nz, h + 2 * o->contrast.pad, w + 2 * o->contrast.pad, tiles,
			 true, size);
}

/* Of every bin, how often it counts and half its share in the Hermitian part: see cl/tilt_loss.cl.
 * Residual: 0 outside the band. */
static size_t make_weights(const struct loss *l, float *times, float *share)
{
	const struct thin *t = &l->thin;
	size_t ny = t->ny, nx = t->nx, count = 0;
	double c = 2 * l->o.optics.na_det / l->o.optics.wavelength;

	for (size_t i = 0; i < t->nr * t->nc; i++) {
		size_t r = i / t->nc, x = i % t->nc;
		bool extra = r == ny, edge_y = extra || (ny % 2 == 0 && r == ny / 2),
		     edge_x = nx % 2 == 0 && x == nx / 2;
		double fy = r < (ny + 1) / 2 || extra ? (double)(extra ? ny / 2 : r)
						      : (double)r - (double)ny;
		double fx = x < (nx + 1) / 2 || !t->full ? (double)x : (double)x - (double)nx, f;

		f = sqrt(pow(fy / ((double)ny * t->o.pixel), 2) +
			 pow(fx / ((double)nx * t->o.pixel), 2));
		times[i] = t->full ? 1 : 2;
		share[i] = t->full ? 0.5f : 1;
		if (!t->full && edge_x) {
			times[i] = edge_y && !extra ? 0 : 1;
			share[i] = 0.5f * times[i];
		} else if (!t->full && x == 0) {
			times[i] = extra ? 0 : 1;
			share[i] = edge_y ? 0.5f : 1;
		} else if (!t->full && edge_y) {
			times[i] = 1;
			share[i] = 0.5f;
		}
		if (l->o.kind == LOSS_RESIDUAL && !(f > c * l->o.band[0] && f < c * l->o.band[1]))
			times[i] = share[i] = 0;
		count += times[i] > 0;
	}
	return count;
}

static int make_plans(struct loss *l)
{
	struct thin *t = &l->thin;
	const struct pupil *p = &t->t.pupil;
	struct dev *d = t->d;
	size_t slots = t->t.slots;
	struct fft_desc crop = { .kind = FFT_R2C, .ny = l->h, .nx = l->w, .batch = slots };
	struct fft_desc gx = { .kind = FFT_R2C, .ny = t->ny, .nx = t->nx, .batch = slots };
	struct fft_desc e = { .kind = FFT_C2R, .ny = p->my, .nx = p->mx, .batch = 2 * slots };
	struct fft_desc back = { .kind = FFT_BACKWARD, .ny = p->my, .nx = p->mx, .batch = slots };

	l->fft_crop = fft_new(d, &crop);
	crop.kind = FFT_C2R;
	l->fft_uncrop = fft_new(d, &crop);
	l->fft_gx = fft_new(d, &gx);
	e.cols_lo = t->t.hx;
	l->fft_e = fft_new(d, &e);
	back.cols_lo = p->rx + 1 < (p->mx + 1) / 2 ? p->rx + 1 : 0;
	back.cols_hi = back.cols_lo ? p->rx : 0;
	l->fft_back = fft_new(d, &back);
	return l->fft_crop && l->fft_uncrop && l->fft_gx && l->fft_e && l->fft_back ? 0 : -1;
}

int loss_init(struct loss *l, struct dev *d, const struct loss_opts *o, size_t nz, size_t h,
	      size_t w, const struct thin_size *size)
{
	struct thin *t = &l->thin;
	const struct pupil *p = &t->t.pupil;
	double c = 2 * o->optics.na_det / o->optics.wavelength;
	size_t batch, slots, half = w / 2 + 1, plane;
	float *weight;

	*l = (struct loss){ .o = *o, .h = h, .w = w };
	if (dev_load(d, "tilt_loss") != 0 ||
	    thin_init(t, d, &o->optics, nz, h + 2 * o->contrast.pad, w + 2 * o->contrast.pad, size,
		      true) != 0)
		return -1;
	batch = t->t.batch;
	slots = t->t.slots;
	plane = p->my * p->mx;
	l->weight = buf_new(d, t->nr * t->nc * 2 * sizeof(float));
	l->sums = buf_new(d, batch * t->nr * PUPIL_LANES * 3 * 8);
	l->q = buf_new(d, batch * 2 * t->nr * t->nc * 8);
	l->gx = buf_new(d, batch * t->ny * (t->nx / 2 + 1) * 8);
	l->gs = buf_new(d, batch * p->rows * p->mx * 4);
	l->gz = buf_new(d, batch * p->rows * PUPIL_LANES * 8);
	l->turn = buf_new(d, batch * 7 * 4);
	l->tilt_sums = buf_new(d, batch * p->rows * PUPIL_LANES * 2 * 8);
	l->crop = buf_new(d, slots * h * w * 4);
	l->crop_spec = buf_new(d, slots * h * half * 8);
	l->e = buf_new(d, slots * 2 * p->my * (p->mx / 2 + 1) * 8);
	l->v = buf_new(d, slots * (plane > 2 * t->nr * t->nc ? plane : 2 * t->nr * t->nc) * 8);
	l->mask = mem_new(h * half, 1);
	l->image = mem_try("tile images", batch * h * w, sizeof(float));
	weight = l->weight ? buf_map(l->weight, MAP_DISCARD) : NULL;
	if (!weight || !l->sums || !l->q || !l->gx || !l->gs || !l->gz || !l->turn ||
	    !l->tilt_sums || !l->crop || !l->crop_spec || !l->e || !l->v || !l->image ||
	    make_plans(l) != 0)
		goto failed;
	imageloss_mask(l->mask, h, w, o->optics.pixel, c * o->band[0], c * o->band[1]);
	if (make_weights(l, weight, weight + t->nr * t->nc) == 0) {
		error("'--band': the band %g to %g holds no frequency of a %zu x %zu tile",
		      o->band[0], o->band[1], h, w);
		buf_unmap(l->weight);
		goto failed;
	}
	if (buf_unmap(l->weight) == 0)
		return 0;
failed:
	loss_clear(l);
	return -1;
}

void loss_clear(struct loss *l)
{
	struct buf *b[] = { l->weight, l->sums, l->q,	      l->gx, l->gs, l->gz,
			    l->turn,   l->crop, l->crop_spec, l->e,  l->v,  l->tilt_sums };
	struct fft *f[] = { l->fft_crop, l->fft_uncrop, l->fft_gx, l->fft_e, l->fft_back };

	for (size_t i = 0; i < sizeof b / sizeof *b; i++)
		buf_free(b[i]);
	for (size_t i = 0; i < sizeof f / sizeof *f; i++)
		fft_free(f[i]);
	free(l->mask);
	free(l->image);
	thin_clear(&l->thin);
	*l = (struct loss){ 0 };
}

long loss_load(struct loss *l, size_t tile, const struct tile_box *box, const float *stack,
	       size_t field_ny, size_t field_nx)
{
	return thin_load(&l->thin, tile, &l->o.contrast, box, stack, field_ny, field_nx);
}

/* Images of one group and what becomes of them. */
struct group {
	const struct loss *l;
	float (*spectrum)[2]; /* in, and with gradient out */
	bool gradient;
	const float *image;
	float *gradients; /* NULL: not wanted */
	double *value;
};

static void judge_spectrum(void *context, size_t i, int member)
{
	struct group *g = context;
	const struct loss *l = g->l;

	(void)member;
	g->value[i] = imageloss_spectrum(l->o.kind, g->spectrum + i * l->h * (l->w / 2 + 1),
					 l->mask, l->h, l->w, g->gradient);
}

static void judge_pixels(void *context, size_t i, int member)
{
	struct group *g = context;
	const struct loss *l = g->l;
	size_t at = i * l->h * l->w;

	(void)member;
	g->value[i] = imageloss_pixels(l->o.kind, g->image + at, l->h, l->w,
				       g->gradients ? g->gradients + at : NULL);
}

/* The spectral losses of the images of one group: through the device's transforms, gradients back
 * into the images. */
static int spectral_group(struct loss *l, float *image, size_t n, bool gradient, double *value)
{
	size_t pixels = l->h * l->w;
	struct group g;
	float(*q)[2];

	if (buf_write(l->crop, 0, image, n * pixels * 4) != 0 ||
	    fft_run(l->fft_crop, l->crop, 0, l->crop_spec, 0) != 0)
		return -1;
	q = buf_map(l->crop_spec, MAP_READ | MAP_WRITE);
	if (!q)
		return -1;
	g = (struct group){ .l = l, .spectrum = q, .gradient = gradient, .value = value };
	team_run(0, n, judge_spectrum, &g);
	if (buf_unmap(l->crop_spec) != 0)
		return -1;
	if (!gradient)
		return 0;
	return fft_run(l->fft_uncrop, l->crop_spec, 0, l->crop, 0) != 0 ||
			       buf_read(l->crop, 0, image, n * pixels * 4) != 0
		       ? -1
		       : 0;
}

/* Spectra of dL/dx of one group into gx: zero border, over the number of pixels. */
static int gradient_spectra(struct loss *l, const float *image, size_t first, size_t n)
{
	struct thin *t = &l->thin;
	size_t pad = l->o.contrast.pad, spec = t->ny * (t->nx / 2 + 1), pixels = t->ny * t->nx;
	float *stage = buf_map(t->image, MAP_DISCARD), k = 1 / (float)pixels;

	if (!stage)
		return -1;
	memset(stage, 0, n * pixels * sizeof *stage);
	for (size_t i = 0; i < n; i++)
		for (size_t y = 0; y < l->h; y++)
			for (size_t x = 0; x < l->w; x++)
				stage[i * pixels + (y + pad) * t->nx + x + pad] =
					k * image[(i * l->h + y) * l->w + x];
	if (buf_unmap(t->image) != 0)
		return -1;
	return fft_run(l->fft_gx, t->image, 0, l->gx, first * spec);
}

/* Values of the image losses of all positions; with gradient also gx. */
static int image_losses(struct loss *l, size_t n, bool gradient, double *value)
{
	struct thin *t = &l->thin;
	size_t pixels = l->h * l->w, slots = t->t.slots;
	float *to[64],
		*g = gradient ? mem_try("gradient images", slots * pixels, sizeof(float)) : NULL;
	int rc = -1;

	if (gradient && !g)
		return -1;
	for (size_t i = 0; i < n; i += slots) {
		size_t count = n - i < slots ? n - i : slots;
		float *image = l->image + i * pixels;

		for (size_t k = 0; k < count; k++)
			to[k] = image + k * pixels;
		if (thin_images(t, i, count, PHASE, l->o.contrast.pad, to) != 0)
			goto done;
		if (imageloss_spectral(l->o.kind)) {
			if (spectral_group(l, image, count, gradient, value + i) != 0)
				goto done;
			if (gradient)
				memcpy(g, image, count * pixels * sizeof *g);
		} else {
			struct group group = {
				.l = l, .image = image, .gradients = g, .value = value + i
			};

			team_run(0, count, judge_pixels, &group);
		}
		if (gradient && gradient_spectra(l, g, i, count) != 0)
			goto done;
	}
	rc = 0;
done:
	free(g);
	return rc;
}

struct bin_sums {
	double residual, energy, product; /* R, E, Re(ga* Ha + gp* Hp) */
};

static int bin_sums(struct loss *l, size_t n, struct bin_sums *out)
{
	struct thin *t = &l->thin;
	const struct pupil *p = &t->t.pupil;
	int sy = transfer_shift(&t->o, t->ny), sx = transfer_shift(&t->o, t->nx);
	const float *s;

	if (dev_run(t->d, "tilt_loss_sums",
		    moving(n * t->nr * t->nc * 8 * (3 * t->nz + 4), NDRANGE3(t->nr, dev_columns(t->d, PUPIL_LANES), n)),
		    ARG(l->sums), ARG(t->x), ARG(l->q), ARG(t->t.h), ARG(t->b), ARG(t->t.scale),
		    ARG(t->tile), ARG(l->weight), INT(t->nr), INT(t->nc), INT(t->ny), INT(t->nx),
		    INT(t->nz), INT(p->my), INT(t->t.hx), INT(t->t.batch), INT(t->full), INT(sy),
		    INT(sx), FLOAT(l->o.reg), INT(kind_of(&l->o))) != 0)
		return -1;
	s = buf_map(l->sums, MAP_READ);
	if (!s)
		return -1;
	for (size_t i = 0; i < n; i++) {
		double sum[3] = { 0, 0, 0 };

		for (size_t r = 0; r < t->nr; r++)
			for (int c = 0; c < 3; c++)
				for (int k = 0; k < PUPIL_LANES; k++, s += 2)
					sum[c] += (double)s[0] + s[1];
		out[i] = (struct bin_sums){ sum[0], sum[1], sum[2] };
	}
	return buf_unmap(l->sums);
}

/* The gradient by H_a and H_p of plane k of positions first .. first + n - 1, at all lags: e. */
static int pull(struct loss *l, size_t first, size_t n, size_t k)
{
	struct thin *t = &l->thin;
	struct transfer *f = &t->t;
	const struct pupil *p = &f->pupil;
	int sy = transfer_shift(&t->o, t->ny), sx = transfer_shift(&t->o, t->nx),
	    kind = kind_of(&l->o);
	size_t ex = p->mx / 2 + 1, bins = n * t->nr * t->nc * 8, lags = n * p->my * ex * 16;

	if (!t->full)
		return dev_run(t->d, "tilt_pull", moving(7 * bins + lags, NDRANGE3(dev_columns(t->d, ex), p->my, n)),
			       ARG(l->e), ARG(t->x), ARG(l->q), ARG(f->h), ARG(t->b), ARG(f->scale),
			       ARG(t->tile), ARG(l->weight), INT(t->nr), INT(t->nc), INT(t->ny),
			       INT(t->nx), INT(t->nz), INT(p->my), INT(f->hx), INT(ex),
			       INT(f->batch), INT(first), INT(k), INT(kind));
	/* v is free until the waves are made */
	return dev_run(t->d, "tilt_pull_bins", moving(9 * bins, NDRANGE3(dev_columns(t->d, t->nc), t->nr, n)),
		       ARG(l->v), ARG(t->x), ARG(l->q), ARG(f->h), ARG(t->b), ARG(f->scale),
		       ARG(t->tile), ARG(l->weight), INT(t->nr), INT(t->nc), INT(t->ny), INT(t->nx),
		       INT(t->nz), INT(p->my), INT(f->hx), INT(f->batch), INT(first), INT(sy),
		       INT(sx), INT(k), INT(kind)) != 0 ||
			       dev_run(t->d, "tilt_pull_lags", moving(2 * bins + lags, NDRANGE3(ex, p->my, n)), ARG(l->e),
				       ARG(l->v), INT(t->nr), INT(t->nc), INT(t->ny), INT(t->nx),
				       INT(p->my), INT(ex), INT(sy), INT(sx)) != 0
		       ? -1
		       : 0;
}

/* The adjoint of all positions' planes: gs and gz. */
static int pull_planes(struct loss *l, const struct tilt *tilt, size_t n, int want)
{
	struct thin *t = &l->thin;
	struct transfer *f = &t->t;
	const struct pupil *p = &f->pupil;
	int with_z = (want & LOSS_D_Z) != 0;
	float(*zp)[2] = mem_new(f->slots, sizeof *zp);
	double *z = mem_new(n, sizeof *z);
	int rc = -1;

	for (size_t k = 0; k < t->nz; k++) {
		bool shared = true;

		for (size_t i = 0; i < n; i++) {
			z[i] = optics_z(&t->o, t->nz, tilt[i].z_offset, k);
			shared &= z[i] == z[0];
		}
		for (size_t i = 0; i < n; i += f->slots) {
			size_t count = n - i < f->slots ? n - i : f->slots, at = k * f->batch;

			for (size_t s = 0; s < count; s++)
				pupil_pair(z[i + s], zp[s]);
			if (pull(l, i, count, k) != 0 || fft_run(l->fft_e, l->e, 0, f->w, 0) != 0 ||
			    dev_run(t->d, "tilt_pull_waves",
				    moving(count * p->my * p->mx * (with_z ? 36 : 20),
					   NDRANGE3(dev_columns(t->d, p->mx), p->my, count)), ARG(l->e),
				    ARG(l->v), ARG(f->w), ARG(f->a), ARG(f->wave), INT(p->mx),
				    INT(p->my), INT(count), INT(at + i), INT(shared ? at : at + i),
				    INT(shared ? 0 : 1), INT(with_z)) != 0 ||
			    fft_run(l->fft_back, l->e, 0, l->e, 0) != 0 ||
			    (with_z && fft_run(l->fft_back, l->v, 0, l->v, 0) != 0) ||
			    buf_write(f->zbuf, 0, zp, count * sizeof *zp) != 0 ||
			    dev_run(t->d, "tilt_pull_plane",
				    moving(count * p->rows * p->mx * (size_t)(with_z ? 28 : 20),
					   NDRANGE3(p->rows, dev_columns(t->d, PUPIL_LANES), count)),
				    ARG(l->gs), ARG(l->gz), ARG(l->e), ARG(l->v), ARG(f->source),
				    ARG(p->p), ARG(p->gamma), ARG(f->zbuf), INT(p->mx), INT(p->my),
				    INT(p->rx), INT(p->ry), INT(p->rows), INT(p->rows_lo), INT(i),
				    INT(with_z), INT(k == 0)) != 0)
				goto done;
		}
	}
	rc = 0;
done:
	free(z);
	free(zp);
	return rc;
}

/* The adjoint of the condenser: dL/dzenith and dL/dazimuth.  k[i] scales gs, gi[i] is dL/dI0. */
static int pull_source(struct loss *l, const struct tilt *tilt, size_t n, const double *k,
		       const double *gi, double (*gradient)[3])
{
	struct thin *t = &l->thin;
	struct transfer *f = &t->t;
	const struct pupil *p = &f->pupil;
	double ratio = (double)p->nx / (double)p->ny, slope = 4 * (double)p->nx * t->o.pixel;
	float(*turn)[7] = buf_map(l->turn, MAP_DISCARD);
	const float *s;

	if (!turn)
		return -1;
	for (size_t i = 0; i < n; i++) {
		double st = sin(tilt[i].zenith), ct = cos(tilt[i].zenith),
		       sp = sin(tilt[i].azimuth), cp = cos(tilt[i].azimuth);
		double c[7] = { 4 * ct * cp,  4 * ct * sp * ratio, -slope * st,
				-4 * st * sp, 4 * st * cp * ratio, gi[i],
				k[i] };

		for (int j = 0; j < 7; j++)
			turn[i][j] = (float)c[j];
	}
	if (buf_unmap(l->turn) != 0 ||
	    dev_run(t->d, "tilt_pull_source",
		    moving(n * p->rows * p->mx * 8, NDRANGE3(p->rows, dev_columns(t->d, PUPIL_LANES), n)),
		    ARG(l->tilt_sums), ARG(l->gs), ARG(f->source), ARG(p->p), ARG(p->gamma),
		    ARG(l->turn), INT(p->mx), INT(p->my), INT(p->rx), INT(p->ry), INT(p->rows),
		    INT(p->rows_lo)) != 0)
		return -1;
	s = buf_map(l->tilt_sums, MAP_READ);
	if (!s)
		return -1;
	for (size_t i = 0; i < n; i++)
		for (size_t r = 0; r < p->rows; r++)
			for (int c = 1; c <= 2; c++)
				for (int j = 0; j < PUPIL_LANES; j++, s += 2)
					gradient[i][c] += (double)s[0] + s[1];
	return buf_unmap(l->tilt_sums);
}

/* Derivatives of all positions from X, H, the waves and, for image losses, gx. */
static int gradients(struct loss *l, const struct tilt *tilt, size_t n, int want,
		     const struct bin_sums *sums, double (*gradient)[3])
{
	struct thin *t = &l->thin;
	struct transfer *f = &t->t;
	const struct pupil *p = &f->pupil;
	double total = (double)(p->my * p->mx), *k = mem_new(2 * n, sizeof *k), *gi = k + n;
	const float *gz;
	int rc = -1;

	if (pull_planes(l, tilt, n, want) != 0)
		goto done;
	for (size_t i = 0; i < n; i++) {
		double outer = l->o.kind == LOSS_RESIDUAL ? -2 / sums[i].residual : 1;

		if (l->o.kind == LOSS_RESIDUAL && !(sums[i].residual > 0))
			outer = 0;
		k[i] = outer / (total * f->i0[i]);
		gi[i] = -outer * sums[i].product / f->i0[i];
		memset(gradient[i], 0, sizeof gradient[i]);
	}
	if (want & LOSS_D_Z) {
		gz = buf_map(l->gz, MAP_READ);
		if (!gz)
			goto done;
		for (size_t i = 0; i < n; i++)
			gradient[i][0] =
				2 * M_PI * k[i] * pupil_sum(p, gz, i) * optics_z_rate(&t->o);
		if (buf_unmap(l->gz) != 0)
			goto done;
	}
	rc = want & LOSS_D_ANGLES ? pull_source(l, tilt, n, k, gi, gradient) : 0;
done:
	free(k);
	return rc;
}

/* q of cl/tilt_loss.cl from gx */
static int adjoint(struct loss *l, size_t n, enum inverse mode)
{
	struct thin *t = &l->thin;
	const struct pupil *p = &t->t.pupil;
	int sy = transfer_shift(&t->o, t->ny), sx = transfer_shift(&t->o, t->nx);

	return dev_run(t->d, "tilt_adjoint",
		       moving(n * t->nr * t->nc * 8 * (2 * t->nz + 5), NDRANGE3(dev_columns(t->d, t->nc), t->nr, n)),
		       ARG(l->q), ARG(t->x), ARG(t->t.h), ARG(l->gx), ARG(t->t.scale), INT(t->nr),
		       INT(t->nc), INT(t->ny), INT(t->nx), INT(t->nz), INT(p->my), INT(t->t.hx),
		       INT(t->t.batch), INT(t->full), INT(sy), INT(sx), FLOAT(l->o.reg), INT(mode));
}

int loss_eval(struct loss *l, const size_t *tile, const struct tilt *tilt, size_t n, int want,
	      double *value, double (*gradient)[3])
{
	bool residual = l->o.kind == LOSS_RESIDUAL;
	enum inverse mode = residual ? INVERSE_CONJ : l->o.inverse;
	struct bin_sums *sums = mem_new(n, sizeof *sums);
	int rc = -1;

	if (thin_fit(&l->thin, tile, tilt, n, l->o.reg, mode) != 0)
		goto done;
	if (!residual &&
	    (image_losses(l, n, want != 0, value) != 0 || (want && adjoint(l, n, mode) != 0)))
		goto done;
	if ((residual || want) && bin_sums(l, n, sums) != 0)
		goto done;
	if (residual)
		for (size_t i = 0; i < n; i++)
			value[i] =
				log(fmax(sums[i].residual, 1e-300) / fmax(sums[i].energy, 1e-300));
	if (want && gradients(l, tilt, n, want, sums, gradient) != 0)
		goto done;
	for (size_t i = 0; i < n; i++)
		if (transfer_dark(&l->thin.t, i))
			value[i] = NAN;
	rc = 0;
done:
	free(sums);
	return rc;
}
