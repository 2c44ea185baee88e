/* lib/io/csvio.h: CSV tables in (libcsv, RFC 4180) and out.  Errors name file, line (1 = header)
 * and column. A UTF-8 byte order mark, "\r\n" and blank lines are accepted.  Blanks around unquoted
 * fields are dropped, but in a headerless list, where a file's name may have some. */
#ifndef IO_CSVIO_H
#define IO_CSVIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct csv {
	char *path; /* for messages */
	size_t columns, rows;
	char **names; /* [columns] */
	char **cells; /* [rows][columns] */
	size_t *line; /* [rows], line of the file where the row starts */
	char *text;   /* what cells point into */
};

/* Reads path ("-": stdin).  headerless: no header line is taken, columns are named "1", "2" ...  A
 * ragged row is an error.  0 or -1. */
int csv_read(const char *path, bool headerless, struct csv *t);
void csv_clear(struct csv *t);

/* Makes the first row of a headerless table its header. */
void csv_take_header(struct csv *t);

long csv_column(const struct csv *t, const char *name); /* index or -1, silent */
/* 0, or -1 after reporting the missing column, or that there are two of the name */
int csv_need(const struct csv *t, const char *name, size_t *column);
const char *csv_cell(const struct csv *t, size_t row, size_t column);
/* A finite number, or with nan_ok also "nan"; 0, or -1 after reporting file, line, column and text.
 * Whole: an integer in [lo, hi]. */
int csv_double(const struct csv *t, size_t row, size_t column, bool nan_ok, double *v);
int csv_long(const struct csv *t, size_t row, size_t column, long lo, long hi, long *v);

/* ---- out: a growing line of text, quoted as needed; formats per common.md (%.9g, %.17g, "nan") */
struct csv_line {
	char *text; /* ends in "\n" after csv_line_end; owned */
	size_t len, cap;
	bool started;
	char separator; /* 0: comma, with quotes as needed; else that character, without quotes */
};
void csv_put_text(struct csv_line *l, const char *s);
void csv_put_long(struct csv_line *l, long long v);
void csv_put_float(struct csv_line *l, float v);   /* %.9g */
void csv_put_double(struct csv_line *l, double v); /* %.17g */
void csv_put_digits(struct csv_line *l, double v, int digits); /* %.*g */
void csv_line_end(struct csv_line *l);		   /* next put starts a new line in the same text */
void csv_line_clear(struct csv_line *l);

/* header (comma-joined names) and text to path, atomically. 0 or -1.  (libcsv has taken the name
 * csv_write.) */
int csv_save(const char *path, const char *header, const char *text, size_t len);

#endif
