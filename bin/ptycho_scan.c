#include "ptycho_scan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "ptycho/geometry.h"

static const struct {
	const char *x, *y;
	double unit_m;
} pairs[] = {
	{ "x_px", "y_px", 0 },	  { "x_nm", "y_nm", 1e-9 }, { "x_um", "y_um", 1e-6 },
	{ "x_mm", "y_mm", 1e-3 }, { "x_m", "y_m", 1 },
};
enum { PAIRS = sizeof pairs / sizeof pairs[0] };

static int axis_of(const char *s, size_t n)
{
	static const char *const words[] = { "-y", "-x", "", "x", "y" };

	for (int i = 0; i < 5; i++)
		if (n > 0 && strlen(words[i]) == n && memcmp(words[i], s, n) == 0)
			return i - 2;
	return 0;
}

int scan_axes(const char *text, int axis[2])
{
	size_t n = strcspn(text, ",");

	axis[1] = axis_of(text, n);
	axis[0] = text[n] ? axis_of(text + n + 1, strlen(text + n + 1)) : 0;
	if (axis[0] == 0 || axis[1] == 0 || abs(axis[0]) == abs(axis[1]))
		return error(
			"'--xy': '%s', expected two of x, -x, y, -y, of different axes: x,y or "
			"-y,x",
			text);
	return 0;
}

/* ---- reading */

/* The one pair of columns there is. */
static int find_pair(struct scan *s)
{
	int found = -1;

	for (int i = 0; i < PAIRS; i++) {
		if (csv_column(&s->csv, pairs[i].x) < 0 && csv_column(&s->csv, pairs[i].y) < 0)
			continue;
		if (found >= 0)
			return error("'%s': columns %s,%s and %s,%s, expected one pair",
				     s->csv.path, pairs[found].x, pairs[found].y, pairs[i].x,
				     pairs[i].y);
		found = i;
	}
	if (found < 0)
		return error("'%s': no positions, expected columns x_px,y_px, or _nm, _um, _mm, _m",
			     s->csv.path);
	s->unit_m = pairs[found].unit_m;
	return csv_need(&s->csv, pairs[found].x, &s->x) != 0 ||
			       csv_need(&s->csv, pairs[found].y, &s->y) != 0
		       ? -1
		       : 0;
}

/* Which page each row is of. */
static int find_pages(struct scan *s, bool subset)
{
	long column = csv_column(&s->csv, "frame");
	size_t unused;

	if (column >= 0 && csv_need(&s->csv, "frame", &unused) != 0)
		return -1;
	if (s->csv.rows > s->pages || (s->csv.rows < s->pages && !(subset && column >= 0)))
		return error("'%s': %zu rows, the frames have %zu pages, expected %s", s->csv.path,
			     s->csv.rows, s->pages,
			     column >= 0 && s->csv.rows < s->pages ? "a row for each, or --subset"
								   : "a row for each");
	if (s->csv.rows == 0)
		return error("'%s': no rows, expected positions", s->csv.path);
	for (size_t r = 0; r < s->csv.rows; r++) {
		long page = (long)r;

		if (column >= 0 &&
		    csv_long(&s->csv, r, (size_t)column, 0, (long)s->pages - 1, &page) != 0)
			return -1;
		if (s->named[page])
			return error(
				"'%s': line %zu: frame %ld, which line %zu has already, expected "
				"each once",
				s->csv.path, s->csv.line[r], page, s->csv.line[s->row[page]]);
		s->named[page] = true;
		s->row[page] = r;
		s->page[r] = (size_t)page;
	}
	return 0;
}

int scan_read(const char *path, size_t pages, const struct scan_opts *o, const char *i0,
	      struct scan *s)
{
	size_t column;

	*s = (struct scan){ .pages = pages, .i0 = -1 };
	if (csv_read(path, false, &s->csv) != 0)
		return -1;
	s->page = mem_new(s->csv.rows, sizeof *s->page);
	s->named = mem_new(pages, sizeof *s->named);
	s->row = mem_new(pages, sizeof *s->row);
	s->raw = mem_new(pages, sizeof *s->raw);
	s->pos = mem_new(pages, sizeof *s->pos);
	if (find_pair(s) != 0 || find_pages(s, o->subset) != 0)
		return -1;
	if (i0) {
		if (csv_need(&s->csv, i0, &column) != 0)
			return -1;
		s->i0 = (long)column;
	}
	for (size_t r = 0; r < s->csv.rows; r++)
		if (csv_double(&s->csv, r, s->x, false, &s->raw[s->page[r]][0]) != 0 ||
		    csv_double(&s->csv, r, s->y, false, &s->raw[s->page[r]][1]) != 0)
			return -1;
	return 0;
}

void scan_clear(struct scan *s)
{
	csv_clear(&s->csv);
	free(s->page);
	free(s->named);
	free(s->row);
	free(s->raw);
	free(s->pos);
	*s = (struct scan){ 0 };
}

int scan_i0(const struct scan *s, double *i0)
{
	for (size_t k = 0; k < s->pages; k++) {
		i0[k] = NAN;
		if (s->named[k] && csv_double(&s->csv, s->row[k], (size_t)s->i0, true, &i0[k]) != 0)
			return -1;
	}
	return 0;
}

/* ---- to object pixels and back */

static double pixel_of(const struct scan_opts *o, size_t n)
{
	if (o->pixel_m > 0)
		return o->pixel_m;
	if (o->wavelength_m > 0 && o->distance_m > 0 && o->detector_pixel_m > 0)
		return object_pixel(o->wavelength_m, o->distance_m, n, o->detector_pixel_m);
	return 0;
}

/* (row, column) of (x, y), --xy only */
static void turn(const int axis[2], const double xy[2], double *rc)
{
	for (int a = 0; a < 2; a++)
		rc[a] = axis[a] < 0 ? -xy[-axis[a] - 1] : xy[axis[a] - 1];
}

int scan_pixels(struct scan *s, const struct scan_opts *o, size_t n)
{
	double mean[2] = { 0, 0 }, c = cos(o->rotation_rad), v = sin(o->rotation_rad);

	s->pixel_m = pixel_of(o, n);
	if (s->unit_m > 0 && s->pixel_m == 0)
		return error(
			"'%s': positions are lengths, expected --pixel, or --energy, --distance "
			"and --detector-pixel",
			s->csv.path);
	for (size_t r = 0; r < s->csv.rows; r++) {
		size_t k = s->page[r];

		turn(o->axis, s->raw[k], s->pos[k]);
		for (int a = 0; a < 2; a++) {
			s->pos[k][a] *= s->unit_m > 0 ? s->unit_m / s->pixel_m : 1;
			mean[a] += s->pos[k][a] / (double)s->csv.rows;
		}
	}
	if (o->scale[0] == 1 && o->scale[1] == 1 && o->rotation_rad == 0)
		return 0; /* integers stay integers */
	for (size_t r = 0; r < s->csv.rows; r++) {
		double *p = s->pos[s->page[r]];
		double y = (p[0] - mean[0]) * o->scale[0], x = (p[1] - mean[1]) * o->scale[1];

		p[0] = mean[0] + y * c + x * v;
		p[1] = mean[1] + x * c - y * v;
	}
	return 0;
}

/* What (x, y) of the table change by, for a move in object pixels. */
static void unturn(const struct scan *s, const struct scan_opts *o, const double moved[2],
		   double *xy)
{
	double c = cos(o->rotation_rad), v = sin(o->rotation_rad);
	double rc[2] = { (moved[0] * c - moved[1] * v) / o->scale[0],
			 (moved[1] * c + moved[0] * v) / o->scale[1] };

	for (int a = 0; a < 2; a++) {
		int axis = o->axis[a];

		xy[abs(axis) - 1] =
			(axis < 0 ? -rc[a] : rc[a]) * (s->unit_m > 0 ? s->pixel_m / s->unit_m : 1);
	}
}

/* ---- writing */

static bool is_move(const char *name)
{
	return strcmp(name, "dx_px") == 0 || strcmp(name, "dy_px") == 0;
}

static void put_row(struct csv_line *l, const struct scan *s, const struct scan_opts *o, size_t r,
		    const double moved[2])
{
	bool moves = !isnan(moved[0]) && (moved[0] != 0 || moved[1] != 0);
	double by[2] = { 0, 0 };

	if (moves)
		unturn(s, o, moved, by);
	for (size_t c = 0; c < s->csv.columns; c++) {
		if (is_move(s->csv.names[c]))
			continue;
		if (moves && (c == s->x || c == s->y))
			csv_put_double(l, s->raw[s->page[r]][c == s->y] + by[c == s->y]);
		else
			csv_put_text(l, csv_cell(&s->csv, r, c));
	}
	csv_put_double(l, moved[1]);
	csv_put_double(l, moved[0]);
	csv_line_end(l);
}

int scan_write(const char *path, const struct scan *s, const struct scan_opts *o,
	       const double (*moved)[2])
{
	struct csv_line header = { 0 }, l = { 0 };
	int rc;

	for (size_t c = 0; c < s->csv.columns; c++)
		if (!is_move(s->csv.names[c]))
			csv_put_text(&header, s->csv.names[c]);
	csv_put_text(&header, "dx_px");
	csv_put_text(&header, "dy_px");
	for (size_t r = 0; r < s->csv.rows; r++)
		put_row(&l, s, o, r, moved[s->page[r]]);
	rc = csv_save(path, header.text, l.text, l.len);
	csv_line_clear(&header);
	csv_line_clear(&l);
	return rc;
}
