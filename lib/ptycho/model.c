#include "ptycho/model.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "ptycho/geometry.h"
#include "ptycho/opr.h"
#include "ptycho/slices.h"

enum { TILE = 16, SUMS = 8 }; /* of cl/ptycho.clh */
enum { OWN_WORK = 2 }; /* of a tile, in windows that touch it */

/* ---- the batch */

/* A buffer of at least so many bytes, that grows by halves. */
static int grow(struct ptycho *p, struct buf **b, size_t bytes)
{
	if (*b && buf_bytes(*b) >= bytes)
		return 0;
	bytes += bytes / 2;
	buf_free(*b);
	*b = buf_new(p->d, bytes);
	return *b ? 0 : -1;
}

/* Lists, for each tile that a window touches, the windows in the batch's order. */
static int list_tiles(struct ptycho *p, const int32_t (*at)[4])
{
	size_t rows = (p->h + TILE - 1) / TILE, columns = (p->w + TILE - 1) / TILE, covered = 0, entries = 0;
	int32_t *count, (*tile)[4] = NULL, *cover = NULL;
	int rc = -1;

	if (!p->bins)
		p->bins = mem_new(rows * columns, sizeof *p->bins);
	count = p->bins;
	memset(count, 0, rows * columns * sizeof *count);
	for (size_t b = 0; b < p->count; b++)
		for (size_t y = (size_t)at[b][0] / TILE; y <= ((size_t)at[b][0] + p->n - 1) / TILE; y++)
			for (size_t x = (size_t)at[b][1] / TILE; x <= ((size_t)at[b][1] + p->n - 1) / TILE; x++) {
				covered += count[y * columns + x]++ == 0;
				entries++;
			}
	p->tiles = covered;
	if (grow(p, &p->tile, covered * sizeof *tile) != 0 || grow(p, &p->cover, entries * sizeof *cover) != 0)
		return -1;
	p->work = mem_grow(p->work, covered + 1, sizeof *p->work);
	tile = buf_map(p->tile, MAP_WRITE | MAP_DISCARD);
	cover = buf_map(p->cover, MAP_WRITE | MAP_DISCARD);
	if (!tile || !cover)
		goto done;
	covered = entries = 0;
	for (size_t i = 0; i < rows * columns; i++) {
		if (!count[i])
			continue;
		tile[covered][0] = (int32_t)(i / columns * TILE);
		tile[covered][1] = (int32_t)(i % columns * TILE);
		tile[covered][2] = (int32_t)entries;
		tile[covered][3] = 0;
		p->work[covered] = entries + covered * OWN_WORK;
		entries += (size_t)count[i];
		count[i] = (int32_t)covered++;
	}
	p->work[covered] = entries + covered * OWN_WORK;
	for (size_t b = 0; b < p->count; b++)
		for (size_t y = (size_t)at[b][0] / TILE; y <= ((size_t)at[b][0] + p->n - 1) / TILE; y++)
			for (size_t x = (size_t)at[b][1] / TILE; x <= ((size_t)at[b][1] + p->n - 1) / TILE; x++) {
				int32_t *t = tile[count[y * columns + x]];

				cover[t[2] + t[3]++] = (int32_t)b;
			}
	rc = 0;
done:
	if ((tile && buf_unmap(p->tile) != 0) || (cover && buf_unmap(p->cover) != 0))
		rc = -1;
	return rc;
}

static int write_par(struct ptycho *p)
{
	float(*par)[4] = buf_map(p->par, MAP_WRITE | MAP_DISCARD);

	if (!par)
		return -1;
	for (size_t b = 0; b < p->count; b++) {
		size_t k = p->member[b];
		double f[2];
		long i;

		for (int a = 0; a < 2; a++)
			window_split(p->s[k][a], &i, &f[a]);
		par[b][0] = (float)f[0];
		par[b][1] = (float)f[1];
		par[b][2] = (float)p->intensity[k];
		par[b][3] = (float)p->alpha[k];
	}
	return buf_unmap(p->par);
}

static int stage_frames(struct ptycho *p)
{
	size_t bytes = p->n * p->n * (p->frames->u16 ? sizeof(uint16_t) : sizeof(float));
	char *to;

	if (p->resident)
		return 0;
	to = buf_map(p->measured, MAP_WRITE | MAP_DISCARD);
	if (!to)
		return -1;
	for (size_t b = 0; b < p->count; b++)
		memcpy(to + b * bytes, (const char *)p->frames->data + p->member[b] * bytes, bytes);
	return buf_unmap(p->measured);
}

int model_batch(struct ptycho *p, const size_t *frames, size_t count)
{
	int32_t(*at)[4];

	if (count > p->room)
		return error("a batch of %zu frames, expected at most %zu", count, p->room);
	p->count = count;
	slices_at(p, 0);
	memcpy(p->member, frames, count * sizeof *frames);
	at = buf_map(p->window, MAP_WRITE | MAP_DISCARD);
	if (!at)
		return -1;
	for (size_t b = 0; b < count; b++) {
		size_t k = frames[b];

		for (int a = 0; a < 2; a++) {
			double f;
			long i;

			window_split(p->s[k][a], &i, &f);
			if (i < 0 || (size_t)i + p->n > (a ? p->w : p->h)) {
				buf_unmap(p->window);
				return error("frame %zu: its window at row %g, column %g leaves the canvas of "
					     "%zu x %zu",
					     k, p->s[k][0], p->s[k][1], p->h, p->w);
			}
			at[b][a] = (int32_t)i;
		}
		at[b][2] = (int32_t)(p->resident ? k : b);
		at[b][3] = (int32_t)k;
	}
	if (list_tiles(p, (const int32_t(*)[4])at) != 0 || buf_unmap(p->window) != 0 || slices_place(p) != 0)
		return -1;
	return write_par(p) != 0 || stage_frames(p) != 0 ? -1 : 0;
}

int model_block(struct ptycho *p, size_t first, size_t count)
{
	size_t *list = mem_new(count, sizeof *list);
	int rc;

	for (size_t i = 0; i < count; i++)
		list[i] = first + i;
	rc = model_batch(p, list, count);
	free(list);
	return rc;
}

/* ---- launches */

static size_t complex_planes(const struct ptycho *p, double planes)
{
	return (size_t)(planes * (double)(p->n * p->n * sizeof(float complex)));
}

struct ndrange over_planes(const struct ptycho *p, size_t planes, double moved)
{
	return (struct ndrange){ .n = { dev_columns(p->d, p->n), p->n, planes }, .local = { 0, 8, 1 }, .bytes = complex_planes(p, moved) };
}

struct ndrange over_rows(const struct ptycho *p, double moved)
{
	size_t lanes = dev_columns(p->d, 16);

	return (struct ndrange){ .n = { lanes, p->n, p->count }, .local = { lanes, 8, 1 }, .bytes = complex_planes(p, moved) };
}

struct ndrange over_tiles(const struct ptycho *p, size_t per_pixel, double moved)
{
	size_t side = dev_columns(p->d, TILE);

	return (struct ndrange){ .n = { side, side, p->tiles },
				 .local = { side, side, 1 },
				 .work = moved > 0 ? p->work : NULL,
				 .bytes = p->tiles * TILE * TILE * per_pixel + complex_planes(p, moved) };
}

double model_waves_moved(const struct ptycho *p)
{
	return (double)(p->count * p->modes);
}

double model_frames_moved(const struct ptycho *p)
{
	return (double)p->count * (p->frames->u16 ? 0.25 : 0.5);
}

/* Probes of the batch, which may be one for all frames. */
static double probes_moved(const struct ptycho *p, const struct buf *probes)
{
	return buf_bytes(probes) == buf_bytes(p->probe) ? (double)p->modes : model_waves_moved(p);
}

static int step(const struct ptycho *p, const struct buf *probes)
{
	return probes == p->probe || buf_bytes(probes) == buf_bytes(p->probe) ? 0 :
									      (int)(p->modes * p->n * p->n);
}

static struct fft *transform(struct ptycho *p, size_t batch, enum fft_kind kind)
{
	struct fft_desc desc = { .kind = kind, .ny = p->n, .nx = p->n, .batch = batch };
	size_t i = 0, sizes = sizeof p->fft / sizeof p->fft[0];
	struct fft **f;

	while (i < sizes && p->fft[i].batch && p->fft[i].batch != batch)
		i++;
	if (i == sizes) {
		i = sizes - 1;
		fft_free(p->fft[i].forward);
		fft_free(p->fft[i].backward);
		p->fft[i].forward = p->fft[i].backward = NULL;
	}
	if (p->fft[i].batch != batch)
		p->fft[i].batch = batch;
	f = kind == FFT_FORWARD ? &p->fft[i].forward : &p->fft[i].backward;
	if (!*f)
		*f = fft_new(p->d, &desc);
	return *f;
}

static int run_transform(struct ptycho *p, struct buf *b, size_t batch, enum fft_kind kind)
{
	struct fft *f = transform(p, batch, kind);

	return f ? fft_run(f, b, 0, b, 0) : -1;
}

static int copy(struct buf *from, struct buf *to)
{
	const void *a = buf_map(from, MAP_READ);
	void *b = a ? buf_map(to, MAP_WRITE | MAP_DISCARD) : NULL;

	if (b)
		memcpy(b, a, buf_bytes(from));
	return !b || buf_unmap(to) != 0 || buf_unmap(from) != 0 ? -1 : 0;
}

struct buf *model_probes(struct ptycho *p, struct buf *probe, struct buf *shifted)
{
	if (p->opr && probe == p->probe)
		return opr_probes(p, shifted) == 0 ? shifted : NULL;
	if (!p->o.subpixel)
		return probe;
	if (copy(probe, p->probe_f) != 0 || run_transform(p, p->probe_f, p->modes, FFT_FORWARD) != 0 ||
	    dev_run(p->d, "ptycho_shift", over_planes(p, p->count, model_waves_moved(p) + (double)p->modes), ARG(shifted), ARG(p->probe_f), ARG(p->par), INT(p->n),
		    INT(p->modes), INT(p->count)) != 0 ||
	    run_transform(p, shifted, p->count * p->modes, FFT_BACKWARD) != 0)
		return NULL;
	return shifted;
}

int model_waves(struct ptycho *p, struct buf *probes, struct buf *object, struct buf *wave, bool add)
{
	double moved = (add ? 2 : 1) * model_waves_moved(p) + probes_moved(p, probes) + (double)p->count;

	return dev_run(p->d, "ptycho_waves", over_rows(p, moved), ARG(wave), ARG(probes), ARG(object), ARG(p->window),
		       ARG(p->par), INT(p->n), INT(p->modes), INT(p->w), INT(p->count), INT(step(p, probes)), INT(add));
}

int model_propagate(struct ptycho *p, struct buf *wave, struct buf *H, bool back, double scale)
{
	size_t planes = p->count * p->modes;

	if (run_transform(p, wave, planes, FFT_FORWARD) != 0 ||
	    dev_run(p->d, "ptycho_propagate", over_planes(p, planes, 2 * (double)planes + 1), ARG(wave), ARG(H), INT(p->n), INT(planes), INT(back),
		    FLOAT(scale)) != 0)
		return -1;
	return run_transform(p, wave, planes, FFT_BACKWARD);
}

/* In the near field n times the unitary wave, both ways, as a transform gives in the far field. */
int model_forward(struct ptycho *p, struct buf *wave)
{
	return p->near ? model_propagate(p, wave, p->near, false, 1 / (double)p->n)
		       : run_transform(p, wave, p->count * p->modes, FFT_FORWARD);
}

int model_backward(struct ptycho *p, struct buf *wave)
{
	return p->near ? model_propagate(p, wave, p->near, true, 1 / (double)p->n)
		       : run_transform(p, wave, p->count * p->modes, FFT_BACKWARD);
}

int model_planes(struct ptycho *p, struct buf *b, enum fft_kind kind)
{
	return run_transform(p, b, p->count, kind);
}

/* ---- the detector plane */

int model_rows(struct ptycho *p, int sums, double (*out)[SUMS])
{
	const float(*rows)[SUMS] = buf_map(p->rows, MAP_READ);

	if (!rows)
		return -1;
	for (size_t b = 0; b < p->count; b++) {
		double sum[SUMS] = { 0 }; /* of all: their number is known, so that they run side by side */

		for (size_t r = 0; r < p->n; r++)
			for (int i = 0; i < SUMS; i++)
				sum[i] += (double)rows[b * p->n + r][i];
		memcpy(out[b], sum, (size_t)sums * sizeof *sum);
	}
	return buf_unmap(p->rows);
}

/* p->ratio, from which the background follows at the end of the iteration */
static int background_ratio(struct ptycho *p, struct buf *wave)
{
	return dev_run(p->d, "ptycho_background", over_planes(p, 1, model_waves_moved(p) + model_frames_moved(p)), ARG(p->ratio), ARG(p->seen), ARG(wave),
		       ARG(p->measured), ARG(p->background), ARG(p->window), INT(p->n), INT(p->modes),
		       INT(p->count), INT(p->frames->u16));
}

/* Sums of the errors to p->rows; update: the wave is replaced */
static int compare(struct ptycho *p, struct buf *wave, bool update)
{
	double moved = (update ? 2 : 1) * model_waves_moved(p) + model_frames_moved(p);

	if (p->estimating && background_ratio(p, wave) != 0)
		return -1;
	return dev_run(p->d, "ptycho_replace", over_rows(p, moved), ARG(wave), ARG(p->measured), ARG(p->background), ARG(p->window),
		       ARG(p->rows), INT(p->n), INT(p->modes), INT(p->count), INT(p->frames->u16), INT(update),
		       LOCAL(8 * 16 * sizeof(float)));
}

/* p->rows to p->err */
static int take_errors(struct ptycho *p)
{
	double(*sum)[SUMS] = mem_new(p->count, sizeof *sum);
	int rc = model_rows(p, ERR_SUMS, sum);

	for (size_t b = 0; b < p->count && rc == 0; b++)
		memcpy(p->err[p->member[b]], sum[b], sizeof *p->err);
	free(sum);
	return rc;
}

static int replace(struct ptycho *p, struct buf *wave, bool update)
{
	return compare(p, wave, update) != 0 ? -1 : take_errors(p);
}

int model_errors(struct ptycho *p, struct buf *wave)
{
	return replace(p, wave, false);
}

int model_replace(struct ptycho *p, struct buf *wave)
{
	return replace(p, wave, true);
}

struct chi {
	struct ptycho *p;
	struct buf *probes, *object, *wave;
};

/* Nothing here but the background's ratio depends on another frame. */
static int chi_of_layers(void *context)
{
	struct chi *c = context;

	return model_waves(c->p, c->probes, c->object, c->wave, false) != 0 || model_forward(c->p, c->wave) != 0 ||
	       compare(c->p, c->wave, true) != 0 || model_backward(c->p, c->wave) != 0 ? -1 : 0;
}

int model_chi(struct ptycho *p, struct buf *probes, struct buf *object, struct buf *wave)
{
	struct chi c = { p, probes, object, wave };
	size_t planes = p->count * p->modes;

	if (!transform(p, planes, FFT_FORWARD) || !transform(p, planes, FFT_BACKWARD)) /* made by one thread */
		return -1;
	/* a background is summed over the frames */
	if ((p->estimating ? chi_of_layers(&c) : dev_layers(p->d, p->count, chi_of_layers, &c)) != 0)
		return -1;
	return take_errors(p);
}

static int xi(struct ptycho *p, struct buf *wave, int pass)
{
	return dev_run(p->d, "ptycho_xi", over_rows(p, (pass == 2 ? 2 : 1) * model_waves_moved(p) + model_frames_moved(p)), ARG(wave), ARG(p->measured), ARG(p->background), ARG(p->window),
		       ARG(p->par), ARG(p->rows), INT(p->n), INT(p->modes), INT(p->count), INT(p->frames->u16), INT(pass),
		       LOCAL(8 * 16 * sizeof(float)));
}

/* alpha <- clamp01(alpha / 2 + num / den / 2) */
static void next_alpha(struct ptycho *p, const double (*sum)[SUMS], const double *den, bool together)
{
	double all = 0, below = 0;

	for (size_t b = 0; b < p->count; b++) {
		all += sum[b][1];
		below += den[b];
	}
	for (size_t b = 0; b < p->count; b++) {
		double *a = &p->alpha[p->member[b]], t = together ? all : sum[b][1], u = together ? below : den[b];

		*a = fmin(fmax(0.5 * *a + 0.5 * t / fmax(u, 1e-30), 0), 1);
	}
}

int model_xi(struct ptycho *p, struct buf *wave, bool poisson, bool block_alpha)
{
	double(*sum)[SUMS], *den;
	int rc = -1;

	if (!poisson)
		return replace(p, wave, true);
	if (replace(p, wave, false) != 0)
		return -1;
	sum = mem_new(p->count, sizeof *sum);
	den = mem_new(p->count, sizeof *den);
	if (xi(p, wave, 0) != 0 || model_rows(p, 2, sum) != 0)
		goto done;
	for (size_t b = 0; b < p->count; b++)
		den[b] = sum[b][0];
	next_alpha(p, (const double(*)[SUMS])sum, den, block_alpha);
	if (write_par(p) != 0 || xi(p, wave, 1) != 0 || model_rows(p, 2, sum) != 0)
		goto done;
	next_alpha(p, (const double(*)[SUMS])sum, den, block_alpha);
	rc = write_par(p) != 0 ? -1 : xi(p, wave, 2);
done:
	free(sum);
	free(den);
	return rc;
}

/* ---- sums on canvas and probe */

int model_gather_object(struct ptycho *p, struct buf *probes, struct buf *wave, struct buf *U, struct buf *W, bool fresh)
{
	size_t per_pixel = (fresh ? 1 : 2) * ((U ? sizeof(float complex) : 0) + (W ? sizeof(float) : 0));

	return dev_run(p->d, "ptycho_gather_object", over_tiles(p, per_pixel, model_waves_moved(p) + probes_moved(p, probes)), ARG(U), ARG(W), ARG(probes), ARG(wave), ARG(p->window),
		       ARG(p->par), ARG(p->tile), ARG(p->cover), INT(p->tiles), INT(p->n), INT(p->modes), INT(p->bottom),
		       INT(p->w), INT(p->count), INT(step(p, probes)), INT(fresh), INT((U ? 1 : 0) | (W ? 2 : 0)));
}

int model_gather_probe(struct ptycho *p, struct buf *object, struct buf *wave, struct buf *g, struct buf *V, bool fresh)
{
	struct buf *direct = p->o.subpixel ? NULL : g;

	if ((direct || V) &&
	    dev_run(p->d, "ptycho_gather_probe", over_planes(p, 1, (direct ? model_waves_moved(p) : 0) + (double)p->count), ARG(direct), ARG(V), ARG(object), ARG(wave),
		    ARG(p->window), ARG(p->par), INT(p->n), INT(p->modes), INT(p->w), INT(p->count), INT(fresh),
		    INT((direct ? 1 : 0) | (V ? 2 : 0))) != 0)
		return -1;
	if (!p->o.subpixel || !g)
		return 0;
	if (dev_run(p->d, "ptycho_conj_object", over_planes(p, p->count, 2 * model_waves_moved(p) + (double)p->count), ARG(p->scratch), ARG(object), ARG(wave),
		    ARG(p->window), ARG(p->par), INT(p->n), INT(p->modes), INT(p->w), INT(p->count)) != 0 ||
	    run_transform(p, p->scratch, p->count * p->modes, FFT_FORWARD) != 0)
		return -1;
	return dev_run(p->d, "ptycho_unshift", over_planes(p, p->modes, model_waves_moved(p) + (double)p->modes), ARG(g), ARG(p->scratch), ARG(p->par), INT(p->n),
		       INT(p->modes), INT(p->count), INT(fresh));
}

int model_gather_probe_end(struct ptycho *p, struct buf *g)
{
	return p->o.subpixel ? run_transform(p, g, p->modes, FFT_BACKWARD) : 0;
}

int model_blocks(struct ptycho *p, int (*visit)(struct ptycho *, struct buf *probes, void *), void *arg)
{
	for (size_t k = 0; k < p->k; k += p->room) {
		size_t count = p->k - k < p->room ? p->k - k : p->room;
		struct buf *probes = model_block(p, k, count) == 0 ? model_probes(p, p->probe, p->shifted) : NULL;

		if (!probes || visit(p, probes, arg) != 0)
			return -1;
	}
	return 0;
}

static int add_light(struct ptycho *p, struct buf *probes, void *W)
{
	return model_gather_object(p, probes, p->wave, NULL, W, false);
}

int model_illumination(struct ptycho *p, struct buf *W)
{
	return buf_zero(W) != 0 ? -1 : model_blocks(p, add_light, W);
}

static int block_errors(struct ptycho *p, struct buf *probes, void *unused)
{
	(void)unused;
	return slices_waves(p, probes) != 0 || model_forward(p, p->wave) != 0 || model_errors(p, p->wave) != 0 ? -1 : 0;
}

int model_all_errors(struct ptycho *p)
{
	return model_blocks(p, block_errors, NULL);
}

int model_tile_max(struct ptycho *p, struct buf *W, double *most)
{
	size_t lanes = dev_columns(p->d, TILE);
	struct ndrange range = { .n = { lanes, 1, (p->tiles + lanes - 1) / lanes }, .local = { lanes, 1, 1 }, .bytes = p->tiles * TILE * TILE * sizeof(float) };
	const float *top;

	*most = 0;
	if (grow(p, &p->top, p->tiles * sizeof *top) != 0 ||
	    dev_run(p->d, "ptycho_tile_max", range, ARG(p->top), ARG(W), ARG(p->tile), INT(p->tiles), INT(p->bottom), INT(p->w)) != 0)
		return -1;
	top = buf_map(p->top, MAP_READ);
	if (!top)
		return -1;
	for (size_t t = 0; t < p->tiles; t++)
		*most = fmax(*most, (double)top[t]);
	return buf_unmap(p->top);
}
