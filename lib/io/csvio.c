#include "io/csvio.h"

#include <csv.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "io/digits.h"
#include "io/out.h"
#include "io/source.h"

/* ---- reading */

/* What the parser's callbacks fill.  Cells lie one after another, each ended by 0, in one text that
 * struct csv's first cell points to; offsets become pointers when it has stopped growing. */
struct reading {
	struct csv *t;
	bool headerless, have_names;
	char *text;
	size_t len, cap;
	size_t *at, cells, cells_cap; /* offsets of cells in text */
	size_t row_begin;	      /* first cell of the row being read */
	size_t row_line;	      /* line it started on */
	size_t rows_cap, ended;
	bool failed;
};

static void take_cell(void *cell, size_t len, void *user)
{
	struct reading *r = user;

	if (r->failed)
		return;
	if (len > 0 && memchr(cell, '\0', len)) {
		error("'%s': line %zu: a zero byte, expected text", r->t->path, r->row_line);
		r->failed = true;
		return;
	}
	if (r->cap - r->len < len + 1) {
		r->cap = 2 * r->cap + len + 1;
		r->text = mem_grow(r->text, r->cap, 1);
	}
	if (r->cells == r->cells_cap) {
		r->cells_cap = 2 * r->cells_cap + 64;
		r->at = mem_grow(r->at, r->cells_cap, sizeof *r->at);
	}
	r->at[r->cells++] = r->len;
	if (len > 0)
		memcpy(r->text + r->len, cell, len);
	r->text[r->len + len] = '\0';
	r->len += len + 1;
}

static void take_row(int terminator, void *user)
{
	struct reading *r = user;
	struct csv *t = r->t;
	size_t n = r->cells - r->row_begin;

	(void)terminator;
	r->ended++;
	if (r->failed)
		return;
	if (t->columns == 0)
		t->columns = n;
	if (n != t->columns) {
		error("'%s': line %zu: %zu field%s, expected %zu", t->path, r->row_line, n,
		      n == 1 ? "" : "s", t->columns);
		r->failed = true;
		return;
	}
	r->row_begin = r->cells;
	if (!r->headerless && !r->have_names) {
		r->have_names = true;
		return;
	}
	if (t->rows == r->rows_cap) {
		r->rows_cap = 2 * r->rows_cap + 16;
		t->line = mem_grow(t->line, r->rows_cap, sizeof *t->line);
	}
	t->line[t->rows++] = r->row_line;
}

static int no_space(unsigned char c)
{
	(void)c;
	return 0;
}

/* Line by line, so that a row knows where it started: a row goes on over a line end inside quotes,
 * blank lines are none. */
static int parse(struct reading *r, const char *s, size_t len)
{
	struct csv_parser p;
	size_t line = 1;
	bool in_row = false;
	int rc = -1;

	if (csv_init(&p, CSV_STRICT | CSV_STRICT_FINI) != 0)
		return error("'%s': the CSV parser does not start", r->t->path);
	if (r->headerless) /* file names may begin or end in blanks */
		csv_set_space_func(&p, no_space);
	for (size_t i = 0; i < len; line++) {
		const char *end = memchr(s + i, '\n', len - i);
		size_t n = end ? (size_t)(end + 1 - (s + i)) : len - i;
		size_t ended = r->ended, blank = 0;

		while (blank < n && strchr(" \t\r\n", s[i + blank]) && s[i + blank])
			blank++;
		if (!in_row)
			r->row_line = line;
		size_t parsed = csv_parse(&p, s + i, n, take_cell, take_row, r);

		if (r->failed)
			goto done;
		if (parsed != n) {
			error("'%s': line %zu: a stray quote, expected quotes around a whole field "
			      "and doubled within it",
			      r->t->path, line);
			goto done;
		}
		in_row = r->ended == ended && (in_row || blank < n);
		i += n;
	}
	if (csv_fini(&p, take_cell, take_row, r) != 0) {
		error("'%s': line %zu: a quote is not closed, expected its end", r->t->path,
		      r->row_line);
		goto done;
	}
	rc = r->failed ? -1 : 0;
done:
	csv_free(&p);
	return rc;
}

/* Offsets to pointers; names of a headerless table. */
static void settle(struct reading *r)
{
	struct csv *t = r->t;
	size_t first = r->have_names ? t->columns : 0;

	t->text = r->text;
	r->text = NULL;
	t->names = mem_new(t->columns, sizeof *t->names);
	t->cells = mem_new(r->cells - first, sizeof *t->cells);
	for (size_t c = 0; c < t->columns; c++)
		t->names[c] =
			r->have_names ? mem_strdup(t->text + r->at[c]) : mem_printf("%zu", c + 1);
	for (size_t i = first; i < r->cells; i++)
		t->cells[i - first] = t->text + r->at[i];
}

int csv_read(const char *path, bool headerless, struct csv *t)
{
	struct reading r = { .t = t, .headerless = headerless };
	char *bytes = NULL;
	const char *s;
	size_t len;
	int rc = -1;

	*t = (struct csv){ .path = mem_strdup(path) };
	if (source_slurp(path, &bytes, &len) != 0)
		goto done;
	s = bytes;
	if (len >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0) {
		s += 3;
		len -= 3;
	}
	if (parse(&r, s, len) != 0)
		goto done;
	if (!headerless && !r.have_names) {
		error("'%s': no line, expected a header with the names of the columns", path);
		goto done;
	}
	settle(&r);
	rc = 0;
done:
	free(bytes);
	free(r.text);
	free(r.at);
	if (rc != 0)
		csv_clear(t);
	return rc;
}

void csv_clear(struct csv *t)
{
	for (size_t c = 0; t->names && c < t->columns; c++)
		free(t->names[c]);
	free(t->names);
	free(t->cells);
	free(t->text);
	free(t->line);
	free(t->path);
	*t = (struct csv){ 0 };
}

void csv_take_header(struct csv *t)
{
	if (t->rows == 0)
		return;
	for (size_t c = 0; c < t->columns; c++) {
		free(t->names[c]);
		t->names[c] = mem_strdup(t->cells[c]);
	}
	t->rows--;
	memmove(t->cells, t->cells + t->columns, t->rows * t->columns * sizeof *t->cells);
	memmove(t->line, t->line + 1, t->rows * sizeof *t->line);
}

long csv_column(const struct csv *t, const char *name)
{
	for (size_t c = 0; c < t->columns; c++)
		if (strcmp(t->names[c], name) == 0)
			return (long)c;
	return -1;
}

int csv_need(const struct csv *t, const char *name, size_t *column)
{
	long c = csv_column(t, name);

	if (c < 0)
		return error("'%s': line 1: no column '%s', expected it in the header", t->path,
			     name);
	for (size_t d = (size_t)c + 1; d < t->columns; d++)
		if (strcmp(t->names[d], name) == 0)
			return error("'%s': line 1: two columns '%s', expected one", t->path, name);
	*column = (size_t)c;
	return 0;
}

const char *csv_cell(const struct csv *t, size_t row, size_t column)
{
	return t->cells[row * t->columns + column];
}

/* error() with file, line and column of the cell */
static int bad_cell(const struct csv *t, size_t row, size_t column, const char *expected)
{
	return error("'%s': line %zu: column '%s': '%.60s', expected %s", t->path, t->line[row],
		     t->names[column], csv_cell(t, row, column), expected);
}

int csv_double(const struct csv *t, size_t row, size_t column, bool nan_ok, double *v)
{
	const char *s = csv_cell(t, row, column);
	char *end;

	if (nan_ok && (strcmp(s, "nan") == 0 || strcmp(s, "NaN") == 0)) {
		*v = NAN;
		return 0;
	}
	/* strtod also takes hexadecimal, "inf" and leading blanks: a table has none */
	if (!*s || s[strspn(s, "0123456789.+-eE")])
		return bad_cell(t, row, column, nan_ok ? "a number or nan" : "a number");
	*v = strtod(s, &end);
	if (*end || !isfinite(*v))
		return bad_cell(t, row, column, nan_ok ? "a number or nan" : "a number");
	return 0;
}

int csv_long(const struct csv *t, size_t row, size_t column, long lo, long hi, long *v)
{
	const char *s = csv_cell(t, row, column);
	char expected[96], *end;

	errno = 0;
	*v = strtol(s, &end, 10);
	if (!*s || s[strspn(s, "0123456789+-")] || *end || errno || *v < lo || *v > hi) {
		snprintf(expected, sizeof expected, "an integer from %ld to %ld", lo, hi);
		return bad_cell(t, row, column, expected);
	}
	return 0;
}

/* ---- writing */

/* Makes room for n bytes and the 0 behind them. */
static void reserve(struct csv_line *l, size_t n)
{
	if (l->cap - l->len < n + 1) {
		l->cap = 2 * l->cap + n + 64;
		l->text = mem_grow(l->text, l->cap, 1);
	}
}

static void put_bytes(struct csv_line *l, const char *s, size_t n)
{
	reserve(l, n);
	memcpy(l->text + l->len, s, n);
	l->len += n;
	l->text[l->len] = '\0';
}

static void begin_cell(struct csv_line *l)
{
	if (l->started)
		put_bytes(l, l->separator ? &l->separator : ",", 1);
	l->started = true;
}

void csv_put_text(struct csv_line *l, const char *s)
{
	size_t n = strlen(s);
	/* blanks at the ends would be lost on readers that trim */
	bool quote = !l->separator && (s[strcspn(s, ",\"\r\n")] ||
		     (n > 0 && (strchr(" \t", s[0]) || strchr(" \t", s[n - 1]))));

	begin_cell(l);
	if (!quote) {
		put_bytes(l, s, n);
		return;
	}
	put_bytes(l, "\"", 1);
	for (const char *q; (q = strchr(s, '"')); s = q + 1) {
		put_bytes(l, s, (size_t)(q - s));
		put_bytes(l, "\"\"", 2);
	}
	put_bytes(l, s, strlen(s));
	put_bytes(l, "\"", 1);
}

void csv_put_digits(struct csv_line *l, double v, int digits)
{
	reserve(l, 1 + DIGITS_SPACE);
	if (l->started)
		l->text[l->len++] = l->separator ? l->separator : ',';
	l->started = true;
	l->len += digits_put(l->text + l->len, digits, v);
	l->text[l->len] = '\0';
}

void csv_put_long(struct csv_line *l, long long v)
{
	char s[32];

	begin_cell(l);
	put_bytes(l, s, (size_t)snprintf(s, sizeof s, "%lld", v));
}

void csv_put_float(struct csv_line *l, float v)
{
	csv_put_digits(l, (double)v, 9);
}

void csv_put_double(struct csv_line *l, double v)
{
	csv_put_digits(l, v, 17);
}

void csv_line_end(struct csv_line *l)
{
	/* one empty field would be a blank line, which is no row */
	if (l->started && !l->separator && (l->len == 0 || l->text[l->len - 1] == '\n'))
		put_bytes(l, "\"\"", 2);
	put_bytes(l, "\n", 1);
	l->started = false;
}

void csv_line_clear(struct csv_line *l)
{
	free(l->text);
	*l = (struct csv_line){ 0 };
}

int csv_save(const char *path, const char *header, const char *text, size_t len)
{
	struct out *o = out_open(path);

	if (!o)
		return -1;
	/* a failed write shows in the stream's error flag, which out_commit looks at */
	fprintf(out_file(o), "%s\n", header);
	if (len > 0)
		fwrite(text, 1, len, out_file(o));
	return out_commit(o);
}
