#include "ptycho/frames.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "base/team.h"

enum { N_MIN = 8, N_MAX = 4096 };

/* All steps up to the rejection are of one pixel at a time, in the layout of the file; orientation, crop and shifts are a map from the
 * cropped square to pixels of the file. */
struct prep {
	const char *path;
	const struct array *pages;
	const struct frames_opts *o;
	size_t k, ny, nx, area;
	bool corner;
	double saturation, hot;	/* INFINITY: off */
	bool *bad;		/* [area] invalid in every frame */
	double *dark, *divisor;	/* [area] or NULL */
	double *factor;		/* [k] */
	double *total;		/* [k] before rejection */
	double *mean, *count;	/* [area] over frames in use, and how many are valid */
	size_t side;		/* of the cropped square, before binning */
	size_t *map;		/* [side][side], centred, pixels of the file */
	struct frames *f;
};

static double number(const struct array *a, size_t i)
{
	switch (a->type) {
	case DT_U8:
		return ((const uint8_t *)a->data)[i];
	case DT_U16:
		return ((const uint16_t *)a->data)[i];
	case DT_U32:
		return ((const uint32_t *)a->data)[i];
	case DT_I8:
		return ((const int8_t *)a->data)[i];
	case DT_I16:
		return ((const int16_t *)a->data)[i];
	case DT_I32:
		return ((const int32_t *)a->data)[i];
	case DT_F32:
		return (double)((const float *)a->data)[i];
	default:
		return ((const double *)a->data)[i];
	}
}

static double largest(enum dtype t)
{
	switch (t) {
	case DT_U8:
		return UINT8_MAX;
	case DT_U16:
		return UINT16_MAX;
	case DT_U32:
		return UINT32_MAX;
	case DT_I8:
		return INT8_MAX;
	case DT_I16:
		return INT16_MAX;
	case DT_I32:
		return INT32_MAX;
	default:
		return INFINITY;
	}
}

/* Photons of pixel i of page k up to the normalisation, NAN where invalid. */
static double photons(const struct prep *p, size_t k, size_t i)
{
	double v = number(p->pages, k * p->area + i);

	if (p->bad[i] || !isfinite(v) || v >= p->saturation || v > p->hot)
		return NAN;
	if (p->dark)
		v -= p->dark[i];
	if (v < 0)
		v = 0;
	if (p->divisor)
		v /= p->divisor[i];
	if (v < p->o->floor)
		v = 0;
	return v * p->factor[k];
}

/* Pixel of the file at (y, x) of the centred frame. */
static size_t centred(const struct prep *p, size_t y, size_t x)
{
	if (p->corner) {
		y = (y + p->ny - p->ny / 2) % p->ny;
		x = (x + p->nx - p->nx / 2) % p->nx;
	}
	return y * p->nx + x;
}

/* ---- the mean frame and what it tells */

static void mean_row(void *context, size_t y, int member)
{
	struct prep *p = context;

	(void)member;
	for (size_t i = y * p->nx; i < (y + 1) * p->nx; i++)
		p->mean[i] = p->count[i] = 0;
	for (size_t k = 0; k < p->k; k++)
		for (size_t i = y * p->nx; i < (y + 1) * p->nx && !*p->f->reason[k]; i++) {
			double v = photons(p, k, i);

			if (!isnan(v)) {
				p->mean[i] += v;
				p->count[i]++;
			}
		}
	for (size_t i = y * p->nx; i < (y + 1) * p->nx; i++)
		p->mean[i] /= fmax(p->count[i], 1);
}

static void find_mean(struct prep *p)
{
	team_run(0, p->ny, mean_row, p);
}

enum dc_layout frames_layout(const double *mean, size_t ny, size_t nx, double *ratio)
{
	size_t hy = ny / 2, hx = nx / 2, qy = ny / 4, qx = nx / 4, y0 = (ny - hy) / 2, x0 = (nx - hx) / 2;
	double centre = 0, corner = 0;

	for (size_t y = 0; y < ny; y++)
		for (size_t x = 0; x < nx; x++) {
			double v = mean[y * nx + x];

			if (y >= y0 && y < y0 + hy && x >= x0 && x < x0 + hx)
				centre += v;
			if ((y < qy || y >= ny - qy) && (x < qx || x >= nx - qx))
				corner += v;
		}
	*ratio = fmax(centre, corner) / fmax(fmin(centre, corner), 1e-30);
	return corner > centre ? DC_CORNER : DC_CENTRE;
}

static int find_layout(struct prep *p)
{
	struct frames *f = p->f;
	enum dc_layout found;

	find_mean(p);
	found = frames_layout(p->mean, p->ny, p->nx, &f->dc_ratio);
	f->dc = p->o->dc == DC_AUTO ? found : p->o->dc;
	if (p->o->dc == DC_AUTO && f->dc_ratio < 2)
		return error("'%s': cannot tell the layout (ratio %.2g): give --dc", p->path,
			     f->dc_ratio);
	if (f->dc != found && f->dc_ratio >= 2)
		warning("'%s': the light is at the %s (ratio %.3g), --dc says %s", p->path,
			found == DC_CORNER ? "corner" : "centre", f->dc_ratio,
			f->dc == DC_CORNER ? "corner" : "centre");
	p->corner = f->dc == DC_CORNER;
	return 0;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, size_t n)
{
	qsort(v, n, sizeof *v, by_value);
	return n == 0 ? 0 : (v[(n - 1) / 2] + v[n / 2]) / 2;
}

/* Far brighter on average than the pixels around it: broken. */
static void find_hot(struct prep *p)
{
	bool *hot = mem_new(p->area, sizeof *hot);

	for (size_t y = 0; y < p->ny; y++)
		for (size_t x = 0; x < p->nx; x++) {
			size_t i = centred(p, y, x), n = 0;
			double around[8];

			for (size_t v = y > 0 ? y - 1 : 0; v <= y + 1 && v < p->ny; v++)
				for (size_t u = x > 0 ? x - 1 : 0; u <= x + 1 && u < p->nx; u++)
					if ((v != y || u != x) && !p->bad[centred(p, v, u)])
						around[n++] = p->mean[centred(p, v, u)];
			hot[i] = p->mean[i] > 1 && n > 0 && p->mean[i] > 20 * median(around, n);
		}
	for (size_t i = 0; i < p->area; i++)
		p->bad[i] |= hot[i];
	free(hot);
}

/* ---- mask, dark, flat, gain */

static int check_shape(const struct prep *p, const struct array *a, const char *what, bool pages)
{
	if (!a)
		return 0;
	if (a->ny != p->ny || a->nx != p->nx)
		return error("'%s': frames are %zux%zu, the %s is %zux%zu, expected the same", p->path,
			     p->ny, p->nx, what, a->ny, a->nx);
	if (!pages && a->nz != 1)
		return error("'%s': the %s has %zu pages, expected one", p->path, what, a->nz);
	return 0;
}

/* Mean over the pages of a. */
static double *page_mean(const struct array *a, size_t area)
{
	double *mean = mem_new(area, sizeof *mean);

	for (size_t z = 0; z < a->nz; z++)
		for (size_t i = 0; i < area; i++)
			mean[i] += number(a, z * area + i) / (double)a->nz;
	return mean;
}

static void take_mask(struct prep *p)
{
	for (size_t i = 0; p->o->mask && i < p->area; i++) {
		double v = number(p->o->mask, i);

		p->bad[i] = v == 0 || isnan(v);
	}
}

static void take_dark(struct prep *p)
{
	if (!p->o->dark)
		return;
	p->dark = page_mean(p->o->dark, p->area);
	for (size_t i = 0; i < p->area; i++)
		p->bad[i] |= !isfinite(p->dark[i]);
}

static int take_flat(struct prep *p)
{
	double sum = 0, mean;
	size_t n = 0;

	if (!p->o->flat && p->o->gain == 1)
		return 0;
	p->divisor = p->o->flat ? page_mean(p->o->flat, p->area) : mem_new(p->area, sizeof *p->divisor);
	for (size_t i = 0; i < p->area && p->o->flat; i++)
		if (isfinite(p->divisor[i]) && p->divisor[i] > 0) {
			sum += p->divisor[i];
			n++;
		} else {
			p->bad[i] = true;
		}
	if (p->o->flat && n == 0)
		return error("'%s': the flat has no pixel above 0, expected some", p->path);
	mean = n ? sum / (double)n : 1;
	for (size_t i = 0; i < p->area; i++)
		p->divisor[i] = p->o->flat ? p->divisor[i] / mean * p->o->gain : p->o->gain;
	return 0;
}

/* ---- totals, normalisation, rejection */

static void total_page(void *context, size_t k, int member)
{
	struct prep *p = context;
	double sum = 0;

	(void)member;
	for (size_t i = 0; i < p->area; i++) {
		double v = photons(p, k, i);

		sum += isnan(v) ? 0 : v;
	}
	p->total[k] = sum;
}

/* Factors that bring all frames to the mean of `light`; `why` for frames without a usable one. */
static void normalise(struct prep *p, const double *light, const char *why)
{
	double sum = 0;
	size_t n = 0;

	for (size_t k = 0; k < p->k; k++) {
		if (*p->f->reason[k])
			continue;
		if (!(light[k] > 0) || isinf(light[k])) {
			p->f->reason[k] = why;
			continue;
		}
		sum += light[k];
		n++;
	}
	for (size_t k = 0; k < p->k; k++)
		if (!*p->f->reason[k]) {
			p->factor[k] = sum / (double)n / light[k];
			p->total[k] *= p->factor[k];
		}
}

static int reject(struct prep *p)
{
	struct frames *f = p->f;
	double *lit = mem_new(p->k, sizeof *lit), middle;
	size_t n = 0;

	for (size_t k = 0; k < p->k; k++)
		if (!*f->reason[k] && !(p->total[k] > 0))
			f->reason[k] = "empty";
		else if (!*f->reason[k])
			lit[n++] = p->total[k];
	middle = median(lit, n);
	free(lit);
	n = 0;
	for (size_t k = 0; k < p->k; k++) {
		if (*f->reason[k])
			continue;
		if (p->total[k] < p->o->reject[0] * middle || p->total[k] > p->o->reject[1] * middle)
			f->reason[k] = "rejected";
		else if ((p->o->half == 0 || p->o->half == 1) && n++ % 2 != (size_t)p->o->half)
			f->reason[k] = "half";
	}
	for (size_t k = 0; k < p->k; k++)
		f->kept[k] = *f->reason[k] ? -1 : (long)f->k++;
	return f->k ? 0 : error("'%s': all %zu frames are rejected, expected at least one", p->path, p->k);
}

/* ---- orientation, centre, crop */

/* Bounding box's centre of the largest 4-connected part of the oriented mean frame above 2 % of its peak. */
static void find_centre(const double *mean, size_t h, size_t w, long at[2])
{
	double peak = 0;
	bool *open = mem_new(h * w, sizeof *open);
	size_t *stack = mem_new(h * w, sizeof *stack), best = 0;

	at[0] = (long)(h / 2);
	at[1] = (long)(w / 2);
	for (size_t i = 0; i < h * w; i++)
		peak = fmax(peak, mean[i]);
	for (size_t i = 0; i < h * w; i++)
		open[i] = mean[i] > 0.02 * peak;
	for (size_t i = 0; i < h * w; i++) {
		size_t n = 0, count = 0, lo[2] = { h, w }, hi[2] = { 0, 0 };

		if (!open[i])
			continue;
		open[i] = false;
		for (stack[n++] = i; n > 0; count++) {
			size_t j = stack[--n], q[2] = { j / w, j % w };
			size_t next[4] = { q[0] > 0 ? j - w : j, q[0] + 1 < h ? j + w : j,
					   q[1] > 0 ? j - 1 : j, q[1] + 1 < w ? j + 1 : j };

			for (int a = 0; a < 2; a++) {
				lo[a] = q[a] < lo[a] ? q[a] : lo[a];
				hi[a] = q[a] > hi[a] ? q[a] : hi[a];
			}
			for (int d = 0; d < 4; d++)
				if (open[next[d]]) {
					open[next[d]] = false;
					stack[n++] = next[d];
				}
		}
		if (count > best) {
			best = count;
			at[0] = (long)((lo[0] + hi[0] + 1) / 2);
			at[1] = (long)((lo[1] + hi[1] + 1) / 2);
		}
	}
	free(open);
	free(stack);
}

/* Pixel of the file at (row, column) of the oriented, centred frame of h x w. */
static size_t oriented(const struct prep *p, size_t h, size_t w, size_t row, size_t column)
{
	size_t y, x;

	d4_source(p->o->orientation, h, w, row, column, &y, &x);
	return centred(p, y, x);
}

static void mean_centre(struct prep *p, size_t h, size_t w, long at[2])
{
	double *turned = mem_new(p->area, sizeof *turned);

	find_mean(p);
	for (size_t r = 0; r < h; r++)
		for (size_t c = 0; c < w; c++)
			turned[r * w + c] = p->mean[oriented(p, h, w, r, c)];
	find_centre(turned, h, w, at);
	info("'%s': beam at row %ld, column %ld", p->path, at[0], at[1]);
	free(turned);
}

static int crop(struct prep *p)
{
	const struct frames_opts *o = p->o;
	bool turned = o->orientation >= D4_TRANSPOSE;
	size_t h = turned ? p->nx : p->ny, w = turned ? p->ny : p->nx, m = o->crop ? o->crop : h;
	long at[2] = { (long)(h / 2), (long)(w / 2) }, first[2];

	if (!o->crop && h != w)
		return error("'%s': frames are %zux%zu, expected square: use --crop", p->path, p->ny,
			     p->nx);
	if (o->centre && o->centre_auto)
		mean_centre(p, h, w, at);
	else if (o->centre)
		memcpy(at, o->centre_at, sizeof at);
	for (int a = 0; a < 2; a++) {
		size_t extent = a ? w : h;

		first[a] = at[a] - (long)(m / 2);
		if (first[a] < 0 || first[a] + (long)m > (long)extent)
			return error("'%s': %zu pixels around row %ld, column %ld leave the frame of "
				     "%zux%zu, expected a smaller --crop",
				     p->path, m, at[0], at[1], h, w);
	}
	p->side = m;
	p->map = mem_try(p->path, m * m, sizeof *p->map);
	if (!p->map)
		return -1;
	for (size_t r = 0; r < m; r++)
		for (size_t c = 0; c < m; c++)
			p->map[r * m + c] = oriented(p, h, w, (size_t)first[0] + r, (size_t)first[1] + c);
	return 0;
}

/* ---- bin, pad, shift, markers */

/* The side of the prepared frames. */
static int sizes(struct prep *p)
{
	const struct frames_opts *o = p->o;
	size_t n = o->bin ? p->side / o->bin : p->side;

	if (o->bin && p->side % o->bin != 0)
		return error("'%s': frames are %zux%zu, expected a multiple of the %zu of --bin: use "
			     "--crop",
			     p->path, p->side, p->side, o->bin);
	if (o->pad && o->pad < n)
		return error("'%s': frames are %zux%zu, expected at most the %zu of --pad", p->path, n,
			     n, o->pad);
	n = o->pad ? o->pad : n;
	if (n < N_MIN || n > N_MAX)
		return error("'%s': frames are %zux%zu, expected %d to %d", p->path, n, n, N_MIN, N_MAX);
	p->f->n = n;
	return 0;
}

/* Photons of page k at (row, column) of the padded, centred frame; NAN where invalid. */
static double prepared(const struct prep *p, size_t k, size_t row, size_t column)
{
	size_t b = p->o->bin ? p->o->bin : 1, n = p->side / b, shift = p->f->n / 2 - n / 2;
	double sum = 0;

	if (row < shift || row >= shift + n || column < shift || column >= shift + n)
		return NAN;
	row = (row - shift) * b;
	column = (column - shift) * b;
	for (size_t y = row; y < row + b; y++)
		for (size_t x = column; x < column + b; x++)
			sum += photons(p, k, p->map[y * p->side + x]);
	return sum;
}

static void fill_page(void *context, size_t k, int member)
{
	struct prep *p = context;
	struct frames *f = p->f;
	size_t n = f->n, base = (size_t)f->kept[k] * n * n, invalid = 0;
	double sum = 0;

	(void)member;
	for (size_t r = 0; r < n; r++)
		for (size_t c = 0; c < n; c++) {
			double v = prepared(p, k, (r + n / 2) % n, (c + n / 2) % n);
			bool bad = isnan(v);

			invalid += bad;
			sum += bad ? 0 : v;
			if (f->kept[k] < 0)
				continue;
			if (f->u16)
				((uint16_t *)f->data)[base + r * n + c] = bad ? UINT16_MAX : (uint16_t)v;
			else
				((float *)f->data)[base + r * n + c] = bad ? -1 : (float)v;
		}
	f->invalid[k] = invalid;
	f->photons[k] = sum;
}

/* May counts stay as they are?  Not where a valid one would look like the marker. */
static bool stays_u16(const struct prep *p)
{
	const struct frames_opts *o = p->o;
	const uint16_t *v = p->pages->data;

	if ((p->pages->type != DT_U8 && p->pages->type != DT_U16) || o->dark || o->flat || o->i0 ||
	    o->normalise_total || o->gain != 1 || o->bin > 1)
		return false;
	if (p->pages->type == DT_U8 || p->saturation <= UINT16_MAX || p->hot < UINT16_MAX)
		return true;
	for (size_t i = 0; i < p->k * p->area; i++)
		if (v[i] == UINT16_MAX)
			return false;
	return true;
}

static int fill(struct prep *p)
{
	struct frames *f = p->f;
	size_t invalid = 0;

	f->u16 = stays_u16(p);
	f->data = mem_try(p->path, mem_mul(f->k, f->n * f->n), f->u16 ? sizeof(uint16_t) : sizeof(float));
	if (!f->data)
		return -1;
	team_run(0, p->k, fill_page, p);
	for (size_t k = 0; k < p->k; k++)
		if (f->kept[k] >= 0)
			invalid += f->invalid[k];
	f->masked_share = (double)invalid / ((double)f->k * (double)(f->n * f->n));
	return 0;
}

/* ---- all of it */

static void start(struct prep *p)
{
	const struct frames_opts *o = p->o;
	struct frames *f = p->f;

	f->pages = p->k;
	f->reason = mem_new(p->k, sizeof *f->reason);
	f->invalid = mem_new(p->k, sizeof *f->invalid);
	f->photons = mem_new(p->k, sizeof *f->photons);
	f->kept = mem_new(p->k, sizeof *f->kept);
	p->bad = mem_new(p->area, sizeof *p->bad);
	p->mean = mem_new(p->area, sizeof *p->mean);
	p->count = mem_new(p->area, sizeof *p->count);
	p->factor = mem_new(p->k, sizeof *p->factor);
	p->total = mem_new(p->k, sizeof *p->total);
	p->saturation = isinf(o->saturation) ? largest(p->pages->type)
			: o->saturation > 0  ? o->saturation
					     : (double)INFINITY;
	p->hot = o->hot > 0 ? o->hot : (double)INFINITY;
	for (size_t k = 0; k < p->k; k++) {
		f->reason[k] = o->named && !o->named[k] ? "no position" : "";
		p->factor[k] = 1;
	}
}

int frames_prepare(const char *path, const struct array *pages, const struct frames_opts *o,
		   struct frames *f)
{
	struct prep p = { .path = path, .pages = pages, .o = o, .k = pages->nz, .ny = pages->ny,
			  .nx = pages->nx, .area = pages->ny * pages->nx, .f = f };
	int rc = -1;

	*f = (struct frames){ 0 };
	if (check_shape(&p, o->mask, "mask", false) != 0 || check_shape(&p, o->dark, "dark", true) != 0 ||
	    check_shape(&p, o->flat, "flat", true) != 0)
		goto done;
	start(&p);
	take_mask(&p);
	if (find_layout(&p) != 0)
		goto done;
	if (isinf(o->hot) && o->hot > 0)
		find_hot(&p);
	take_dark(&p);
	if (take_flat(&p) != 0)
		goto done;
	team_run(0, p.k, total_page, &p);
	if (o->i0)
		normalise(&p, o->i0, "i0");
	if (o->normalise_total)
		normalise(&p, p.total, "empty");
	if (reject(&p) != 0 || crop(&p) != 0 || sizes(&p) != 0 || fill(&p) != 0)
		goto done;
	rc = 0;
done:
	free(p.bad);
	free(p.dark);
	free(p.divisor);
	free(p.factor);
	free(p.total);
	free(p.mean);
	free(p.count);
	free(p.map);
	if (rc != 0)
		frames_clear(f);
	return rc;
}

void frames_clear(struct frames *f)
{
	free(f->data);
	free(f->reason);
	free(f->invalid);
	free(f->photons);
	free(f->kept);
	*f = (struct frames){ 0 };
}
