#include "io/pngio.h"

#include <math.h>
#include <png.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "io/out.h"
#include "io/pngfont.h"

enum { LARGEST = 2048 };

struct canvas {
	size_t w, h;
	uint8_t *rgba; /* [h][w][4] */
};

struct range {
	double lo, hi;
};

/* ---- values */

/* The first page, averaged over factor x factor pixels where they are finite; NaN where none is.
 * Integers are exact. */
static int first_page(const struct array *a, size_t factor, struct array *page)
{
	struct array one = { 0 };
	size_t h = (a->ny - 1) / factor + 1, w = (a->nx - 1) / factor + 1;
	const double *from;
	float *to;
	int rc = -1;

	*page = (struct array){ 0 };
	if (array_init(&one, "preview", a->type, 1, a->ny, a->nx) != 0)
		return -1;
	memcpy(one.data, a->data, array_bytes(&one));
	if (array_to_f64(&one) != 0 || array_init(page, "preview", DT_F32, 1, h, w) != 0)
		goto done;
	from = one.data;
	to = page->data;
	for (size_t y = 0; y < h; y++)
		for (size_t x = 0; x < w; x++) {
			double sum = 0;
			size_t n = 0;

			for (size_t v = y * factor; v < (y + 1) * factor && v < a->ny; v++)
				for (size_t u = x * factor; u < (x + 1) * factor && u < a->nx; u++)
					if (isfinite(from[v * a->nx + u])) {
						sum += from[v * a->nx + u];
						n++;
					}
			to[y * w + x] = n ? (float)(sum / (double)n) : NAN;
		}
	rc = 0;
done:
	array_clear(&one);
	return rc;
}

/* The k-th smallest of v[n] (from 0), after Hoare; v is reordered. */
static float select_kth(float *v, ptrdiff_t n, ptrdiff_t k)
{
	ptrdiff_t lo = 0, hi = n - 1;

	while (lo < hi) {
		ptrdiff_t i = lo, j = hi;
		float pivot = v[k];

		do {
			while (v[i] < pivot)
				i++;
			while (pivot < v[j])
				j--;
			if (i <= j) {
				float t = v[i];

				v[i++] = v[j];
				v[j--] = t;
			}
		} while (i <= j);
		if (j < k)
			lo = i;
		if (k < i)
			hi = j;
	}
	return v[k];
}

/* Percentiles 2 and 98 of what is finite; around zero for a diverging map.  0 to 0 if none. */
static int find_range(const struct array *page, enum colour_map map, struct range *r)
{
	const float *from = page->data;
	float *v = mem_try("preview", array_count(page), sizeof *v);
	ptrdiff_t n = 0;

	*r = (struct range){ 0, 0 };
	if (!v)
		return -1;
	for (size_t i = 0; i < array_count(page); i++)
		if (isfinite(from[i]))
			v[n++] = from[i];
	if (n > 0) {
		r->lo = (double)select_kth(v, n, lround(0.02 * (double)(n - 1)));
		r->hi = (double)select_kth(v, n, lround(0.98 * (double)(n - 1)));
	}
	free(v);
	if (map == MAP_PHASE) {
		r->hi = fmax(fabs(r->lo), fabs(r->hi));
		r->lo = -r->hi;
	}
	return 0;
}

/* ---- drawing */

/* t in [0, 1] to a colour.  The diverging map goes from dark blue over white to dark red with even
 * steps of lightness. */
static void colour(enum colour_map map, double t, uint8_t rgb[3])
{
	static const double diverging[5][3] = {
		{ 22, 50, 120 },   { 106, 152, 206 }, { 246, 246, 246 },
		{ 222, 128, 104 }, { 126, 18, 30 },
	};
	int i;

	t = t < 0 ? 0 : t > 1 ? 1 : t;
	if (map == MAP_GREY) {
		memset(rgb, (int)lround(255 * t), 3);
		return;
	}
	i = t >= 1 ? 3 : (int)(4 * t);
	for (int k = 0; k < 3; k++)
		rgb[k] = (uint8_t)lround(diverging[i][k] +
					 (4 * t - i) * (diverging[i + 1][k] - diverging[i][k]));
}

static void fill(struct canvas *c, size_t x0, size_t y0, size_t w, size_t h, const uint8_t rgb[3])
{
	for (size_t y = y0; y < y0 + h && y < c->h; y++)
		for (size_t x = x0; x < x0 + w && x < c->w; x++) {
			uint8_t *p = c->rgba + (y * c->w + x) * 4;

			memcpy(p, rgb, 3);
			p[3] = 255;
		}
}

static const uint8_t black[3] = { 0, 0, 0 };

/* Text with its top left corner at x, y; each dot is scale x scale pixels. */
static void text(struct canvas *c, size_t x, size_t y, size_t scale, const char *s)
{
	for (; *s; x += FONT_ADVANCE * scale) {
		const unsigned char *rows = font_glyph(&s);

		for (size_t r = 0; r < FONT_HEIGHT; r++)
			for (size_t k = 0; k < FONT_WIDTH; k++)
				if (rows[r] >> (FONT_WIDTH - 1 - k) & 1)
					fill(c, x + k * scale, y + r * scale, scale, scale, black);
	}
}

static void draw_page(struct canvas *c, const struct array *page, enum colour_map map,
		      struct range r)
{
	const float *v = page->data;

	for (size_t y = 0; y < page->ny; y++)
		for (size_t x = 0; x < page->nx; x++) {
			double t = (double)v[y * page->nx + x];
			uint8_t *p = c->rgba + (y * c->w + x) * 4;

			memset(p, 0, 4); /* transparent */
			if (!isfinite(t))
				continue;
			colour(map, r.hi > r.lo ? (t - r.lo) / (r.hi - r.lo) : 0.5, p);
			p[3] = 255;
		}
}

/* Sizes of the margins; all lengths in pixels. */
struct layout {
	size_t scale, gap;	/* pixels of a dot of the font, space */
	size_t bar, bar_height; /* width and height of the colour bar */
	char label[3][32];	/* top, middle, bottom of the bar */
	size_t right, below;
	size_t ruler; /* length of the scale bar, 0: none */
	char ruler_label[32];
};

/* A round length of at most a third of the picture. */
static void plan_ruler(struct layout *l, const struct array *page, double pixel_um)
{
	double most = pixel_um * (double)page->nx / 3, um = pow(10, floor(log10(most)));

	um *= most >= 5 * um ? 5 : most >= 2 * um ? 2 : 1;
	l->ruler = (size_t)lround(um / pixel_um);
	if (um >= 999)
		snprintf(l->ruler_label, sizeof l->ruler_label, "%.3g mm", um / 1000);
	else if (um < 0.99)
		snprintf(l->ruler_label, sizeof l->ruler_label, "%.3g nm", um * 1000);
	else
		snprintf(l->ruler_label, sizeof l->ruler_label, "%.3g \xc2\xb5m", um);
}

static void plan(struct layout *l, const struct array *page, const struct preview *p,
		 struct range r, double pixel_um)
{
	size_t edge = page->nx < page->ny ? page->nx : page->ny, widest = 0, line;

	*l = (struct layout){ .scale = edge >= 1200 ? 3 : edge >= 400 ? 2 : 1 };
	l->gap = 4 * l->scale;
	l->bar = 12 * l->scale;
	line = (FONT_HEIGHT + 2) * l->scale;
	l->bar_height = page->ny > 5 * line ? page->ny - line : 4 * line;
	for (int i = 0; i < 3; i++) {
		double v = r.hi + (r.lo - r.hi) * i / 2;

		snprintf(l->label[i], sizeof l->label[i], "%.3g",
			 fabs(v) < 1e-6 * (r.hi - r.lo) ? 0 : v);
		if (font_length(l->label[i]) > widest)
			widest = font_length(l->label[i]);
	}
	if (p->unit && font_length(p->unit) > widest)
		widest = font_length(p->unit);
	l->right = l->gap + l->bar + l->gap + widest * FONT_ADVANCE * l->scale;
	if (pixel_um > 0)
		plan_ruler(l, page, pixel_um);
	if (l->ruler > 0)
		l->below = l->gap + 2 * l->scale + l->gap + line;
}

/* The unit heads the bar, its largest value stands at its top, its smallest at its foot. */
static void draw_bar(struct canvas *c, const struct array *page, enum colour_map map,
		     const struct layout *l, const char *unit)
{
	size_t x = page->nx + l->gap, top = unit && *unit ? (FONT_HEIGHT + 2) * l->scale : 0,
	       h = l->bar_height;
	uint8_t rgb[3];

	if (top)
		text(c, x, 0, l->scale, unit);
	fill(c, x, top, l->bar, h, black);
	for (size_t y = 1; y + 1 < h; y++) {
		colour(map, 1 - (double)y / (double)(h - 1), rgb);
		fill(c, x + 1, top + y, l->bar - 2, 1, rgb);
	}
	for (size_t i = 0; i < 3; i++)
		text(c, x + l->bar + l->gap, top + i * (h - 7 * l->scale) / 2, l->scale,
		     l->label[i]);
}

static int draw(const struct array *page, const struct preview *p, double pixel_um,
		struct canvas *c)
{
	static const uint8_t white[3] = { 255, 255, 255 };
	struct layout l;
	struct range r;
	size_t height, width;

	if (find_range(page, p->map, &r) != 0)
		return -1;
	plan(&l, page, p, r, pixel_um);
	height = l.bar_height + (p->unit && *p->unit ? (FONT_HEIGHT + 2) * l.scale : 0);
	width = l.ruler ? font_length(l.ruler_label) * FONT_ADVANCE * l.scale : 0;
	c->h = (page->ny > height ? page->ny : height) + l.below;
	c->w = (page->nx > width ? page->nx : width) + l.right;
	c->rgba = mem_try("preview", c->h, c->w * 4);
	if (!c->rgba)
		return -1;
	fill(c, 0, 0, c->w, c->h, white);
	draw_page(c, page, p->map, r);
	draw_bar(c, page, p->map, &l, p->unit);
	if (l.ruler > 0) {
		size_t y = c->h - l.below + l.gap;

		fill(c, 0, y, l.ruler, 2 * l.scale, black);
		text(c, 0, y + 2 * l.scale + l.gap, l.scale, l.ruler_label);
	}
	return 0;
}

static int save(const char *path, const struct canvas *c)
{
	png_image image = { .version = PNG_IMAGE_VERSION, .format = PNG_FORMAT_RGBA };
	struct out *out = out_open(path);

	if (!out)
		return -1;
	image.width = (png_uint_32)c->w;
	image.height = (png_uint_32)c->h;
	if (png_image_write_to_stdio(&image, out_file(out), 0, c->rgba, 0, NULL))
		return out_commit(out);
	error("'%s': cannot write: %s", path, image.message);
	out_abort(out);
	return -1;
}

/* The picture with its margins; the caller frees c->rgba. */
static int draw_array(const char *path, const struct array *a, const struct preview *p,
		      struct canvas *c)
{
	struct array page = { 0 };
	size_t factor, longest = a->ny > a->nx ? a->ny : a->nx;
	int rc = -1;

	if (array_count(a) == 0)
		return error("'%s': no pixels to show, expected some", path);
	factor = (longest - 1) / LARGEST + 1;
	if (first_page(a, factor, &page) == 0)
		rc = draw(&page, p, p->pixel_um * (double)factor, c);
	array_clear(&page);
	return rc;
}

int png_preview(const char *path, const struct array *a, const struct preview *p)
{
	struct canvas c = { 0 };
	int rc = -1;

	if (draw_array(path, a, p, &c) == 0)
		rc = save(path, &c);
	free(c.rgba);
	return rc;
}

/* ---- several pictures and a curve */

static void curve_range(const double *v, size_t n, struct range *r)
{
	*r = (struct range){ INFINITY, -INFINITY };
	for (size_t i = 0; i < n; i++)
		if (v[i] > 0 && isfinite(v[i])) {
			r->lo = fmin(r->lo, log(v[i]));
			r->hi = fmax(r->hi, log(v[i]));
		}
}

/* Values over their number, the axes' ends labelled. */
static int draw_curve(const char *title, const double *v, size_t n, size_t size, struct canvas *c)
{
	static const uint8_t white[3] = { 255, 255, 255 };
	size_t scale = size >= 1200  ? 3
		       : size >= 400 ? 2
				     : 1,
	       line = (FONT_HEIGHT + 2) * scale, left = 9 * FONT_ADVANCE * scale, dot = scale + 1,
	       last = SIZE_MAX;
	struct range r;
	char label[32];

	*c = (struct canvas){ left + size, size + 2 * line, NULL };
	c->rgba = mem_try("preview", c->h, c->w * 4);
	if (!c->rgba)
		return -1;
	fill(c, 0, 0, c->w, c->h, white);
	text(c, left, 0, scale, title);
	fill(c, left - scale, line, scale, size, black);
	fill(c, left - scale, line + size, size, scale, black);
	curve_range(v, n, &r);
	for (int i = 0; i < 2 && r.hi >= r.lo; i++) {
		snprintf(label, sizeof label, "%.3g", exp(i ? r.lo : r.hi));
		text(c, 0, i ? size : line, scale, label);
	}
	snprintf(label, sizeof label, "%zu", n);
	text(c, c->w - font_length(label) * FONT_ADVANCE * scale, line + size + 2 * scale, scale,
	     label);
	for (size_t x = 0; x + dot < size && n > 0 && r.hi >= r.lo; x++) {
		double u = v[x * n / size], t;
		size_t y, top;

		if (!(u > 0) || !isfinite(u))
			continue;
		t = r.hi > r.lo ? (r.hi - log(u)) / (r.hi - r.lo) : 0.5;
		y = line + (size_t)lround(t * (double)(size - dot));
		top = last == SIZE_MAX ? y : y < last ? y : last;
		fill(c, left + x, top, dot,
		     dot + (last == SIZE_MAX ? 0
			    : y < last	     ? last - y
					     : y - last),
		     black);
		last = y;
	}
	return 0;
}

/* Side by side, the tops level. */
static int join(const struct canvas *part, size_t n, struct canvas *c)
{
	static const uint8_t white[3] = { 255, 255, 255 };
	size_t gap = 16, x = 0;

	*c = (struct canvas){ 0 };
	for (size_t i = 0; i < n; i++) {
		c->w += part[i].w + (i ? gap : 0);
		c->h = part[i].h > c->h ? part[i].h : c->h;
	}
	c->rgba = mem_try("preview", c->h, c->w * 4);
	if (!c->rgba)
		return -1;
	fill(c, 0, 0, c->w, c->h, white);
	for (size_t i = 0; i < n; i++) {
		for (size_t y = 0; y < part[i].h; y++)
			memcpy(c->rgba + (y * c->w + x) * 4, part[i].rgba + y * part[i].w * 4,
			       part[i].w * 4);
		x += part[i].w + gap;
	}
	return 0;
}

int png_panels(const char *path, const struct array *a, const struct preview *p, size_t n,
	       const char *title, const double *curve, size_t points)
{
	struct canvas *part = mem_new(n + 1, sizeof *part), c = { 0 };
	size_t parts = 0;
	int rc = -1;

	for (; parts < n; parts++)
		if (draw_array(path, &a[parts], &p[parts], &part[parts]) != 0)
			goto done;
	if (points > 0 &&
	    draw_curve(title, curve, points, n == 0 || part[0].h < 160 ? 120 : part[0].h * 3 / 4,
		       &part[parts++]) != 0)
		goto done;
	if (join(part, parts, &c) == 0)
		rc = save(path, &c);
done:
	for (size_t i = 0; i <= n; i++)
		free(part[i].rgba);
	free(part);
	free(c.rgba);
	return rc;
}
