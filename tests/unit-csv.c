/* CSV in (quoting, line ends, errors by line and column) and out (formats, quoting). */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "base/mem.h"
#include "io/csvio.h"
#include "tests/capture.h"
#include "tests/tap.h"

static char folder[] = "unit-csv-XXXXXX";

/* Writes text to a file and reads it. */
static int read_text(const char *text, size_t len, bool headerless, struct csv *t)
{
	char *path = mem_printf("%s/t.csv", folder);
	FILE *f = fopen(path, "w");
	int rc;

	if (!f || fwrite(text, 1, len, f) != len || fclose(f) != 0)
		die(EXIT_FAILED, "'%s': cannot write", path);
	capture_begin();
	rc = csv_read(path, headerless, t);
	capture_end();
	free(path);
	return rc;
}

static int read_str(const char *text, bool headerless, struct csv *t)
{
	return read_text(text, strlen(text), headerless, t);
}

static void test_reading(void)
{
	struct csv t;
	size_t c = 9;

	ok(read_str("a,b\n1,2\n\n3,4\n", false, &t) == 0 && t.columns == 2 && t.rows == 2,
	   "a header and two rows, a blank line is none");
	ok(t.line[0] == 2 && t.line[1] == 4, "rows know their lines (2, 4; found %zu, %zu)",
	   t.line[0], t.line[1]);
	ok(csv_need(&t, "b", &c) == 0 && c == 1 && strcmp(csv_cell(&t, 1, c), "4") == 0,
	   "a cell is found by the name of its column");
	capture_begin();
	ok(csv_need(&t, "zenith", &c) == -1, "a missing column is refused");
	capture_end();
	ok(captured("t.csv") && captured("line 1") && captured("'zenith'"),
	   "the message names file, line and column");
	csv_clear(&t);

	ok(read_str("\xef\xbb\xbfname,x\r\n\"a,\"\"b\"\"\r\nc\",1\r\nd ,2", false, &t) == 0 &&
		   strcmp(t.names[0], "name") == 0,
	   "a byte order mark and \\r\\n are accepted");
	ok(strcmp(csv_cell(&t, 0, 0), "a,\"b\"\r\nc") == 0,
	   "quotes keep comma, quote and line end");
	ok(t.line[1] == 4 && strcmp(csv_cell(&t, 1, 0), "d") == 0 &&
		   strcmp(csv_cell(&t, 1, 1), "2") == 0,
	   "the row after a two-line field starts on line 4, the last line needs no end");
	csv_clear(&t);

	ok(read_str("a b.tif\n c.tif \n", true, &t) == 0 && t.rows == 2 && t.columns == 1 &&
		   strcmp(t.names[0], "1") == 0,
	   "a headerless list has a column \"1\"");
	ok(strcmp(csv_cell(&t, 1, 0), " c.tif ") == 0, "a file's name keeps its blanks");
	csv_clear(&t);
}

static void expect_refused(const char *what, const char *text, size_t len, const char *words)
{
	struct csv t;

	int rc = read_text(text, len, false, &t);

	ok(rc == -1 && captured(words), "%s is refused with '%s' (%s)", what, words,
	   captured_text());
}

static void test_refusals(void)
{
	struct csv t;

	expect_refused("a ragged row", "a,b\n1,2\n3\n", 10, "line 3: 1 field, expected 2");
	expect_refused("an open quote", "a,b\n1,\"2\n3,4\n", 13, "line 2: a quote is not closed");
	expect_refused("a stray quote", "a,b\n1,2\"x\n", 11, "line 2");
	expect_refused("a zero byte", "a,b\n1,\0002\n", 9, "line 2: a zero byte");
	expect_refused("an empty file", "", 0, "empty");
	expect_refused("a file of blank lines", "\n\n", 2, "expected a header");
	capture_begin();
	ok(csv_read(folder, false, &t) == -1, "a folder is refused");
	capture_end();
	ok(captured("directory"), "and called a directory");
	capture_begin();
	ok(csv_read("no/such.csv", false, &t) == -1, "a missing file is refused");
	capture_end();
	ok(captured("'no/such.csv'") && captured("No such file"), "by name and reason");
}

static void test_numbers(void)
{
	static const char *const bad[] = { "",	    "x",   "1x",  "inf", "-inf", "0x10",
					   "1e999", "1,5", "nan", "1 2", "--1" };
	struct csv t;
	double v;
	long n;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		char *text = mem_printf("k,v\n1,\"%s\"\n", bad[i]);
		int rc = read_str(text, false, &t);

		capture_begin();
		rc = rc == 0 ? csv_double(&t, 0, 1, false, &v) : 1;
		capture_end();
		ok(rc == -1 && captured("line 2") && captured("column 'v'"),
		   "'%s' is no number, said with line and column", bad[i]);
		csv_clear(&t);
		free(text);
	}
	read_str("a,b,c,d\n1e-3,nan,-7,2147483648\n", false, &t);
	ok(csv_double(&t, 0, 0, false, &v) == 0 && v == 1e-3, "1e-3 is a number");
	ok(csv_double(&t, 0, 1, true, &v) == 0 && isnan(v), "nan is taken where it may be");
	ok(csv_long(&t, 0, 2, -7, 7, &n) == 0 && n == -7, "an integer at the edge of its range");
	capture_begin();
	ok(csv_long(&t, 0, 2, 0, 7, &n) == -1 && csv_long(&t, 0, 0, 0, 7, &n) == -1,
	   "outside the range or with a fraction is refused");
	capture_end();
	ok(captured("an integer from 0 to 7"), "the message gives the range");
	csv_clear(&t);
	read_str("v\n\"1\n2\"\n", false, &t);
	capture_begin();
	ok(csv_double(&t, 0, 0, false, &v) == -1, "two lines in a cell are no number");
	capture_end();
	ok(captured("'1?2'"), "and the message is one line (%s)", captured_text());
	csv_clear(&t);
}

static void test_writing(void)
{
	struct csv_line l = { 0 };
	struct csv t;
	double v = 0;
	char *path = mem_printf("%s/w.csv", folder);

	csv_put_text(&l, "a,b");
	csv_put_text(&l, "say \"x\"");
	csv_put_text(&l, "plain");
	csv_put_float(&l, 0.1f);
	csv_put_double(&l, 0.1);
	csv_put_double(&l, -NAN);
	csv_put_long(&l, -5);
	csv_line_end(&l);
	ok(strcmp(l.text,
		  "\"a,b\",\"say \"\"x\"\"\",plain,0.100000001,0.10000000000000001,nan,-5\n") == 0,
	   "formats and quoting (%.*s)", (int)l.len - 1, l.text);
	csv_line_clear(&l);

	csv_put_double(&l, DBL_MIN * 3 / 7);
	csv_put_text(&l, "two\nlines");
	csv_line_end(&l);
	csv_put_double(&l, 2);
	csv_put_text(&l, "");
	csv_line_end(&l);
	ok(csv_save(path, "v,s", l.text, l.len) == 0 && csv_read(path, false, &t) == 0 &&
		   t.rows == 2,
	   "what is written is read back");
	ok(csv_double(&t, 0, 0, false, &v) == 0 && v == DBL_MIN * 3 / 7,
	   "a double comes back bit for bit");
	ok(strcmp(csv_cell(&t, 0, 1), "two\nlines") == 0 && strcmp(csv_cell(&t, 1, 1), "") == 0,
	   "text too");
	csv_clear(&t);
	csv_line_clear(&l);

	csv_put_text(&l, "");
	csv_line_end(&l);
	csv_save(path, "only", l.text, l.len);
	ok(csv_read(path, false, &t) == 0 && t.rows == 1, "a row of one empty field stays a row");
	csv_clear(&t);
	csv_line_clear(&l);
	free(path);
}

int main(void)
{
	char *rm = NULL;

	if (!mkdtemp(folder))
		die(EXIT_FAILED, "cannot make a folder");
	test_reading();
	test_refusals();
	test_numbers();
	test_writing();
	rm = mem_printf("rm -r %s", folder);
	if (tap_failed == 0 && system(rm) != 0)
		die(EXIT_FAILED, "cannot remove '%s'", folder);
	free(rm);
	return done_testing();
}
