#include "ptycho/frames_prep.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "base/team.h"

enum { N_MIN = 8, N_MAX = 4096 };

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

double prep_photons(const struct prep *p, size_t k, size_t i)
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

/* ---- mask, dark, flat, gain */

static int check_shape(const struct prep *p, const struct array *a, const char *what, bool pages)
{
	if (!a)
		return 0;
	if (a->ny != p->ny || a->nx != p->nx)
		return error("'%s': frames are %zux%zu, the %s is %zux%zu, expected the same",
			     p->path, p->ny, p->nx, what, a->ny, a->nx);
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
	p->divisor =
		p->o->flat ? page_mean(p->o->flat, p->area) : mem_new(p->area, sizeof *p->divisor);
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
	const uint16_t *counts = p->pages->data;
	uint64_t whole = 0;
	double sum = 0;

	(void)member;
	for (size_t i = 0; i < p->area && p->counts; i++) {
		uint16_t v = counts[k * p->area + i];

		whole += v <= p->most && !p->bad[i] ? v : 0;
	}
	p->total[k] = (double)whole;
	if (p->counts)
		return;
	for (size_t i = 0; i < p->area; i++) {
		double v = prep_photons(p, k, i);

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
	middle = prep_median(lit, n);
	free(lit);
	n = 0;
	for (size_t k = 0; k < p->k; k++) {
		if (*f->reason[k])
			continue;
		if (p->total[k] < p->o->reject[0] * middle ||
		    p->total[k] > p->o->reject[1] * middle)
			f->reason[k] = "rejected";
		else if ((p->o->half == 0 || p->o->half == 1) && n++ % 2 != (size_t)p->o->half)
			f->reason[k] = "half";
	}
	for (size_t k = 0; k < p->k; k++)
		f->kept[k] = *f->reason[k] ? -1 : (long)f->k++;
	return f->k ? 0
		    : error("'%s': all %zu frames are rejected, expected at least one", p->path,
			    p->k);
}

/* ---- orientation, centre, crop */

static int crop(struct prep *p)
{
	const struct frames_opts *o = p->o;
	bool turned = o->orientation >= D4_TRANSPOSE;
	size_t h = turned ? p->nx : p->ny, w = turned ? p->ny : p->nx, m = o->crop ? o->crop : h;
	long at[2] = { (long)(h / 2), (long)(w / 2) }, first[2];

	if (!o->crop && h != w)
		return error("'%s': frames are %zux%zu, expected square: use --crop", p->path,
			     p->ny, p->nx);
	if (o->centre && o->centre_auto)
		prep_centre(p, h, w, at);
	else if (o->centre)
		memcpy(at, o->centre_at, sizeof at);
	for (int a = 0; a < 2; a++) {
		size_t extent = a ? w : h;

		first[a] = at[a] - (long)(m / 2);
		if (first[a] < 0 || first[a] + (long)m > (long)extent)
			return error(
				"'%s': %zu pixels around row %ld, column %ld leave the frame of "
				"%zux%zu, expected a smaller --crop",
				p->path, m, at[0], at[1], h, w);
	}
	p->side = m;
	p->map = mem_try(p->path, m * m, sizeof *p->map);
	if (!p->map)
		return -1;
	for (size_t r = 0; r < m; r++)
		for (size_t c = 0; c < m; c++)
			p->map[r * m + c] =
				prep_oriented(p, h, w, (size_t)first[0] + r, (size_t)first[1] + c);
	return 0;
}

/* ---- bin, pad, shift, markers */

/* The side of the prepared frames. */
static int sizes(struct prep *p)
{
	const struct frames_opts *o = p->o;
	size_t n = o->bin ? p->side / o->bin : p->side;

	if (o->bin && p->side % o->bin != 0)
		return error(
			"'%s': frames are %zux%zu, expected a multiple of the %zu of --bin: use "
			"--crop",
			p->path, p->side, p->side, o->bin);
	if (o->pad && o->pad < n)
		return error("'%s': frames are %zux%zu, expected at most the %zu of --pad", p->path,
			     n, n, o->pad);
	n = o->pad ? o->pad : n;
	if (n < N_MIN || n > N_MAX)
		return error("'%s': frames are %zux%zu, expected %d to %d", p->path, n, n, N_MIN,
			     N_MAX);
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
			sum += prep_photons(p, k, p->map[y * p->side + x]);
	return sum;
}

/* Counts that are neither binned nor padded.  In place, a page is read from a copy. */
static void fill_counts(struct prep *p, size_t k)
{
	struct frames *f = p->f;
	const uint16_t *page = (const uint16_t *)p->pages->data + k * p->area;
	uint16_t *copy = p->own ? mem_new(p->area, sizeof *copy) : NULL;
	const uint16_t *from = copy ? memcpy(copy, page, p->area * sizeof *copy) : page;
	uint16_t *to =
		f->kept[k] < 0 ? NULL : (uint16_t *)f->data + (size_t)f->kept[k] * f->n * f->n;
	size_t n = f->n, shift = f->near_field ? 0 : n / 2, invalid = 0;
	uint64_t sum = 0;

	for (size_t r = 0; r < n; r++)
		for (size_t c = 0; c < n; c++) {
			const size_t *row = p->map + (r + shift) % n * n;
			size_t i = row[c + shift < n ? c + shift : c + shift - n];
			bool good = from[i] <= p->most && !p->bad[i];

			sum += good ? from[i] : 0;
			invalid += !good;
			if (to)
				to[r * n + c] = good ? from[i] : UINT16_MAX;
		}
	f->invalid[k] = invalid;
	f->photons[k] = (double)sum;
	free(copy);
}

static void fill_page(void *context, size_t k, int member)
{
	struct prep *p = context;
	struct frames *f = p->f;
	size_t n = f->n, shift = f->near_field ? 0 : n / 2, base = (size_t)f->kept[k] * n * n,
	       invalid = 0;
	double sum = 0;

	(void)member;
	if (p->counts && p->side == n) {
		fill_counts(p, k);
		return;
	}
	for (size_t r = 0; r < n; r++)
		for (size_t c = 0; c < n; c++) {
			double v = prepared(p, k, (r + shift) % n, (c + shift) % n);
			bool bad = isnan(v);

			invalid += bad;
			sum += bad ? 0 : v;
			if (f->kept[k] < 0)
				continue;
			if (f->u16)
				((uint16_t *)f->data)[base + r * n + c] =
					bad ? UINT16_MAX : (uint16_t)v;
			else
				((float *)f->data)[base + r * n + c] = bad ? -1 : (float)v;
		}
	f->invalid[k] = invalid;
	f->photons[k] = sum;
}

static int fill(struct prep *p)
{
	struct frames *f = p->f;
	size_t invalid = 0;

	if (!p->counts || p->side != f->n)
		p->own = NULL;
	f->data = p->own ? p->own->data
			 : mem_try(p->path, mem_mul(f->k, f->n * f->n),
				   f->u16 ? sizeof(uint16_t) : sizeof(float));
	if (!f->data)
		return -1;
	if (!p->own || (f->k == p->k && f->n * f->n == p->area))
		team_run(0, p->k, fill_page, p);
	else /* frames move towards the front, over pages that are done */
		for (size_t k = 0; k < p->k; k++)
			fill_page(p, k, 0);
	if (p->own)
		p->own->data = NULL;
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
	f->u16 = stays_u16(p);
	if (f->u16 && p->pages->type == DT_U16 && o->floor == 0) {
		double below = isinf(p->saturation) ? UINT16_MAX : ceil(p->saturation) - 1;

		p->counts = true;
		p->most = (uint16_t)fmin(fmin(below, floor(fmin(p->hot, UINT16_MAX))), UINT16_MAX);
	}
	for (size_t k = 0; k < p->k; k++) {
		f->reason[k] = o->named && !o->named[k] ? "no position" : "";
		p->factor[k] = 1;
	}
}

static int prepare(const char *path, const struct array *pages, struct array *own,
		   const struct frames_opts *o, struct frames *f)
{
	struct prep p = { .path = path,
			  .pages = pages,
			  .own = own,
			  .o = o,
			  .k = pages->nz,
			  .ny = pages->ny,
			  .nx = pages->nx,
			  .area = pages->ny * pages->nx,
			  .f = f };
	int rc = -1;

	*f = (struct frames){ 0 };
	if (check_shape(&p, o->mask, "mask", false) != 0 ||
	    check_shape(&p, o->dark, "dark", true) != 0 ||
	    check_shape(&p, o->flat, "flat", true) != 0)
		goto done;
	start(&p);
	take_mask(&p);
	if (prep_layout(&p) != 0)
		goto done;
	if (isinf(o->hot) && o->hot > 0)
		prep_hot(&p);
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

int frames_prepare(const char *path, const struct array *pages, const struct frames_opts *o,
		   struct frames *f)
{
	return prepare(path, pages, NULL, o, f);
}

int frames_take(const char *path, struct array *pages, const struct frames_opts *o,
		struct frames *f)
{
	return prepare(path, pages, pages, o, f);
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
