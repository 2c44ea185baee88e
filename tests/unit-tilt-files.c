/* The tilt table and the cache of a position's tilts as files. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "bin/tilt_files.h"
#include "tests/capture.h"
#include "tests/tap.h"

static char folder[] = "/tmp/unit-tilt-files-XXXXXX";
static char path[128];

static const char *in_folder(const char *name)
{
	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static const char *write_file(const char *name, const char *text)
{
	FILE *f = fopen(in_folder(name), "w");

	fputs(text, f);
	fclose(f);
	return path;
}

/* Picks 2 tiles for a job from a table's text: 0 or -1; what was said is captured. */
static int pick(const char *text, const struct tilt_owner *who, struct tilt tilt[2])
{
	struct tilt_table t = { 0 };
	int rc;

	capture_begin();
	rc = tilt_table_read(write_file("table.csv", text), &t);
	if (rc == 0)
		rc = tilt_table_pick(&t, who, 2, tilt);
	capture_end();
	tilt_table_clear(&t);
	return rc;
}

static const struct tilt_owner p00 = { "p00_t1", "p00", "1" };

static void test_rows(void)
{
	struct tilt tilt[2] = { { 9, 9, 9 }, { 9, 9, 9 } };

	ok(pick("tile,zenith,azimuth\n1,0.25,-3\n0,-0.1,1e-3\n", &p00, tilt) == 0 && tilt[0].zenith == -0.1 &&
	   tilt[0].azimuth == 1e-3 && tilt[1].zenith == 0.25 && tilt[1].azimuth == -3, "rows without owner apply to every job, in any order");
	ok(tilt[0].z_offset == 9 && tilt[1].z_offset == 9, "without a column z_offset the caller's is kept");
	ok(pick("azimuth,z_offset,zenith,tile,stack,position\n1,2,3,0,,p00\n4,5,6,1,else,p00\n0,0,0,0,p00_t1,p01\n", &p00, tilt) == 0 && tilt[0].z_offset == 2 && tilt[1].azimuth == 4,
	   "rows are those of the position, whatever their stack");
	ok(pick("azimuth,zenith,tile,stack,position\n1,3,0,p00_t1,\n4,6,1,p00_t1,\n0,0,0,p00_t0,\n", &p00, tilt) ==
	   0 && tilt[0].zenith == 3 && tilt[1].zenith == 6, "without a position the stack's name decides");
	ok(pick("tile,zenith,azimuth,position\n0,1,2,p00_t1\n1,3,4,p00_t1\n", &(struct tilt_owner){ "p00_t1", NULL, NULL }, tilt) == 0 && tilt[1].zenith == 3, "a job without a position goes by its stack's name");
}

static void test_lengths(void)
{
	struct tilt tilt[2];

	ok(pick("tile,zenith,azimuth\n0,1,2\n", &p00, tilt) != 0 && captured("1 rows for 'p00', expected 2"),
	   "a short table is refused with the numbers found and expected");
	ok(pick("tile,zenith,azimuth\n0,1,2\n1,1,1\n2,1,1\n", &p00, tilt) != 0 &&
	   captured("3 rows for 'p00', expected 2"), "a long one as well");
	ok(pick("tile,zenith,azimuth\n", &p00, tilt) != 0, "an empty one as well");
	ok(pick("tile,zenith,azimuth,position\n0,1,2,q\n1,1,1,q\n", &p00, tilt) != 0 &&
	   captured("0 rows for 'p00'"), "a table of other positions as well");
	ok(pick("tile,zenith,azimuth\n0,1,2\n0,1,1\n", &p00, tilt) != 0 && captured("line 3"),
	   "a tile given twice is refused with its line");
	ok(pick("tile,zenith,azimuth\n0,1,2\n2,1,1\n", &p00, tilt) != 0 && captured("tile"),
	   "a tile beyond the last is refused");
	ok(pick("tile,zenith,azimuth\n0,1,2\n1,nan,1\n", &p00, tilt) != 0 && captured("zenith"),
	   "a tilt that is no number is refused with its column");
	ok(pick("tile,zenith\n0,1\n1,1\n", &p00, tilt) != 0 && captured("azimuth"),
	   "a missing column is named");
}

static void test_round_trip(void)
{
	const struct tile_box box = { 3, 4, 5, 6 };
	const struct tilt a = { 0.1 + 1e-17, 1.0 / 3, -2.0 / 3 };
	struct csv_line l = { 0 };
	struct tilt_table t;
	struct tilt b[2];

	for (size_t i = 0; i < 2; i++)
		tilt_table_put(&l, &p00, i, &box, &a, NAN, 7, true);
	csv_save(in_folder("out.csv"), TILT_TABLE_HEADER, l.text, l.len);
	ok(strncmp(l.text, "p00_t1,p00,1,0,3,4,0.1", 22) == 0 && strstr(l.text, ",nan,7,1\n"), "a row has the columns of the header");
	ok(tilt_table_read(path, &t) == 0 && tilt_table_pick(&t, &p00, 2, b) == 0 && memcmp(&a, &b[1], sizeof a) == 0,
	   "a table that was written is read with the same bits");
	csv_line_clear(&l);
	tilt_table_clear(&t);
}

static void test_cache(void)
{
	const struct tilt_owner later = { "p00_t9", "p00", "9" }, other = { "p01_t1", "p01", "1" };
	struct tile_plan plan, wider;
	struct tilt a[4], b[4], cached;
	bool same = true, moved = true;

	tile_plan_init(&plan, (size_t[2]){ 40, 40 }, (size_t[2]){ 24, 24 }, (size_t[2]){ 8, 8 });
	tile_plan_init(&wider, (size_t[2]){ 40, 41 }, (size_t[2]){ 24, 24 }, (size_t[2]){ 8, 8 });
	for (int i = 0; i < 4; i++)
		a[i] = (struct tilt){ 0.1 * i + 1.0 / 3, 0.01 * i, -1.0 / 7 * i };
	capture_begin();
	ok(!tilt_cache_read(in_folder("none.csv"), &p00, &plan, 3.1, b), "no cache file is no hit");
	capture_end();
	ok(*captured_text() == '\0', "and nothing is said about it");
	ok(tilt_cache_write(in_folder("c.csv"), &p00, &plan, 3.1, a) == 0 && tilt_cache_read(path, &later, &plan, 3.1, b),
	   "another time of the position finds its tilts");
	for (int i = 0; i < 4; i++)
		same &= memcmp(&a[i], &b[i], sizeof *a) == 0;
	ok(same, "with the same focus offset they are the same bits");
	tilt_cache_read(path, &later, &plan, 1.1, b);
	for (int i = 0; i < 4; i++)
		moved &= fabs(b[i].z_offset - (a[i].z_offset - 2)) < 1e-14 && b[i].zenith == a[i].zenith;
	ok(moved, "with another focus offset z moves along");
	capture_begin();
	cached = b[0];
	ok(!tilt_cache_read(write_file("cut.csv", "stack,position,time,tile,y,x,z_offset,zenith,azimuth,loss,iterations,skipped,"
				       "z_total,focus_offset\np,p00,0,0,0,0,7,7,7,nan,0,1,7,0\n1,p00,0,1,0,9,7,7,7,nan,0,1,7,0\n"
				       "p,p00,0,2,9,9,7,7,7,nan,0,1,7,0\np,p00,0,3,9,9,7,7,7,nan,0,1,7,0\n"),
			    &p00, &plan, 0, b) && memcmp(&cached, &b[0], sizeof cached) == 0,
	   "a cache of other tiles leaves the start as it was");
	tilt_cache_write(in_folder("c.csv"), &p00, &plan, 3.1, a);
	ok(!tilt_cache_read(path, &other, &plan, 3.1, b), "a cache of another position is not taken");
	capture_end();
	ok(captured("warning: "), "and a warning is given");
	verbosity = QUIET;
	capture_begin();
	ok(!tilt_cache_read(path, &p00, &wider, 3.1, b), "nor one of other tiles");
	ok(!tilt_cache_read(write_file("bad.csv", "stack,position\n1,2,3\n\"x"), &p00, &plan, 0, b), "nor a file that is no table");
	ok(!tilt_cache_read(write_file("bad.csv", ""), &p00, &plan, 0, b), "nor an empty one");
	capture_end();
	verbosity = NORMAL;
	tile_plan_clear(&plan);
	tile_plan_clear(&wider);
}

static void test_key(void)
{
	struct loss_opts o = { .kind = LOSS_RESIDUAL, .band = { 0, 1 }, .reg = 1e-3, .optics = { .wavelength = .45 } }, other = o;
	struct optim_stage s = { .method = OPTIM_BFGS, .iters = 20, .lr = { .2, .02, .02 } }, slow = s;
	struct tilt start = { 0 };
	struct tile_plan plan;
	char *a, *b, *c, *d, *pa, *pb;

	tile_plan_init(&plan, (size_t[2]){ 40, 40 }, (size_t[2]){ 24, 24 }, (size_t[2]){ 8, 8 });
	other.band[1] = nextafter(1, 2);
	slow.iters = 21;
	a = tilt_cache_text(7, &plan, &o, &s, 1, false, &start);
	b = tilt_cache_text(7, &plan, &o, &s, 1, false, &start);
	c = tilt_cache_text(7, &plan, &other, &s, 1, false, &start);
	d = tilt_cache_text(7, &plan, &o, &slow, 1, false, &start);
	ok(strcmp(a, b) == 0 && strcmp(a, c) != 0 && strcmp(a, d) != 0, "the key's text holds band and iterations to the last bit");
	pa = tilt_cache_path("dir", &(struct tilt_owner){ "s", "a/b", NULL }, a);
	pb = tilt_cache_path("dir", &(struct tilt_owner){ "s", NULL, NULL }, c);
	ok(strncmp(pa, "dir/a_b-", 8) == 0 && strlen(pa) == 8 + 16 + 4 && strncmp(pb, "dir/s-", 6) == 0 && strcmp(pa + 8, pb + 6) != 0,
	   "a cache file is named by position, or stem, and key");
	free(a);
	free(b);
	free(c);
	free(d);
	free(pa);
	free(pb);
	tile_plan_clear(&plan);
}

int main(void)
{
	if (!mkdtemp(folder))
		return 1;
	test_rows();
	test_lengths();
	test_round_trip();
	test_cache();
	test_key();
	for (size_t i = 0; i < 5; i++)
		unlink(in_folder((const char *[]){ "cut.csv", "table.csv", "out.csv", "c.csv", "bad.csv" }[i]));
	rmdir(folder);
	return done_testing();
}
