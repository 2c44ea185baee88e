/* TIFF out: what is written is read back bit for bit, by plain libtiff too; same arguments, same
 * bytes; resume. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tiffio.h>
#include <unistd.h>

#include "base/die.h"
#include "base/mem.h"
#include "io/tiffio.h"
#include "tests/capture.h"
#include "tests/tap.h"

static char folder[] = "unit-tiffout-XXXXXX";
static const char *const scheme[] = { "none", "deflate", "zstd" };

/* A smooth stack with a NaN and both infinities where the type has them. */
static struct array make(enum dtype t, size_t nz, size_t ny, size_t nx)
{
	struct array a;
	size_t n;

	if (array_init(&a, "test", t, nz, ny, nx) != 0)
		exit(EXIT_FAILED);
	n = array_count(&a);
	for (size_t i = 0; i < n; i++) {
		double v = 50 * sin((double)i / 97) + 50;

		switch (t) {
		case DT_U8:
			((uint8_t *)a.data)[i] = (uint8_t)v;
			break;
		case DT_U16:
			((uint16_t *)a.data)[i] = (uint16_t)(v * 600);
			break;
		case DT_U32:
			((uint32_t *)a.data)[i] = (uint32_t)(v * 4e7);
			break;
		case DT_I8:
			((int8_t *)a.data)[i] = (int8_t)(v - 50);
			break;
		case DT_I16:
			((int16_t *)a.data)[i] = (int16_t)(v * 600 - 30000);
			break;
		case DT_I32:
			((int32_t *)a.data)[i] = (int32_t)(v * 4e7 - 2e9);
			break;
		case DT_F32:
			((float *)a.data)[i] = i == 5 ? NAN : i == 6 ? -INFINITY : (float)v;
			break;
		case DT_F64:
			((double *)a.data)[i] = i == 5 ? NAN : i == 6 ? INFINITY : v;
			break;
		}
	}
	return a;
}

static bool equal(const struct array *a, const struct array *b)
{
	return a->type == b->type && a->nz == b->nz && a->ny == b->ny && a->nx == b->nx &&
	       memcmp(a->data, b->data, array_bytes(a)) == 0;
}

static void test_round_trip(void)
{
	for (int t = DT_U8; t <= DT_F64; t++)
		for (int c = TIFF_NONE; c <= TIFF_ZSTD; c++)
			for (int p = 0; p <= (t >= DT_F32 && c != TIFF_NONE); p++) {
				struct tiff_out o = { .compress = (enum tiff_compress)c,
						      .predictor_float = p,
						      .threads = 2 };
				struct array a = make((enum dtype)t, 3, 301, 517), b = { 0 };
				bool good = tiff_write("o.tif", &a, &o) == 0 &&
					    tiff_read("o.tif", NULL, &b, NULL) == 0;

				ok(good && equal(&a, &b),
				   "%s, %s, predictor %s comes back bit for bit",
				   dtype_name((enum dtype)t), scheme[c], p ? "float" : "none");
				array_clear(&a);
				array_clear(&b);
			}
}

static char *slurp(const char *path, size_t *len)
{
	struct stat st;
	FILE *f = fopen(path, "rb");
	char *s;

	if (!f || fstat(fileno(f), &st) != 0)
		die(EXIT_FAILED, "'%s': cannot read", path);
	*len = (size_t)st.st_size;
	s = mem_new(*len + 1, 1);
	if (fread(s, 1, *len, f) != *len)
		die(EXIT_FAILED, "'%s': cannot read", path);
	fclose(f);
	return s;
}

static void test_same_bytes(void)
{
	struct array a = make(DT_F32, 2, 700, 700);
	size_t len[3];
	char *bytes[3];

	for (int c = TIFF_NONE; c <= TIFF_ZSTD; c++) {
		for (int i = 0; i < 3; i++) {
			struct tiff_out o = { .compress = (enum tiff_compress)c,
					      .predictor_float = true,
					      .threads = i == 0 ? 1 : 3,
					      .pixel_um = 0.3 };

			tiff_write("o.tif", &a, &o);
			bytes[i] = slurp("o.tif", &len[i]);
		}
		ok(len[0] == len[1] && len[1] == len[2] &&
			   memcmp(bytes[0], bytes[1], len[0]) == 0 &&
			   memcmp(bytes[1], bytes[2], len[0]) == 0,
		   "%s: 1 and 3 threads, twice, give the same bytes (%zu)", scheme[c], len[0]);
		ok(c == TIFF_NONE || len[0] < array_bytes(&a) / 10 * 9, "%s packs", scheme[c]);
		for (int i = 0; i < 3; i++)
			free(bytes[i]);
	}
	array_clear(&a);
}

static void test_tags(void)
{
	struct tiff_out o = { .pixel_um = 0.325,
			      .z_step_um = 0.1,
			      .provenance = "scopeline=x 1\ncommand=x a\n" };
	struct array a = make(DT_F32, 4, 600, 256), b;
	struct tiff_meta m;
	char *text = NULL;
	uint16_t unit = 0, spp = 0;
	uint32_t rows = 0;
	float res = 0;
	TIFF *t;

	tiff_write("o.tif", &a, &o);
	ok(tiff_probe("o.tif", NULL, &b, &m) == 0 && m.pixel_um == 0.325 && m.z_step_um == 0.1,
	   "pixel size and z step come back exactly");
	ok(strcmp(m.axes, "Z") == 0 && m.size_z == 4 && b.nz == 4, "pages are slices");
	ok(m.provenance && strcmp(m.provenance, o.provenance) == 0, "the provenance comes back");
	tiff_meta_clear(&m);
	t = TIFFOpen("o.tif", "r");
	TIFFGetField(t, TIFFTAG_IMAGEDESCRIPTION, &text);
	TIFFGetField(t, TIFFTAG_RESOLUTIONUNIT, &unit);
	TIFFGetField(t, TIFFTAG_XRESOLUTION, &res);
	TIFFGetField(t, TIFFTAG_ROWSPERSTRIP, &rows);
	TIFFGetFieldDefaulted(t, TIFFTAG_SAMPLESPERPIXEL, &spp);
	ok(text && strncmp(text, "ImageJ=", 7) == 0 && strstr(text, "\nslices=4\n") &&
		   strstr(text, "\nunit=um\n") && strstr(text, "\nspacing=0.1\n"),
	   "the description is ImageJ's");
	ok(unit == RESUNIT_CENTIMETER && fabs((double)res - 1e4 / 0.325) < 0.01,
	   "resolution per cm (%g)", (double)res);
	ok(rows == 256 && spp == 1 && TIFFNumberOfStrips(t) == 3, "strips of 256 KiB (%u rows)",
	   rows);
	ok(!TIFFGetField(t, TIFFTAG_DATETIME, &text), "no time of day");
	TIFFClose(t);
	array_clear(&a);
}

/* As ImageJ writes stacks, and as tifffile takes them without looking at a second directory. */
static void test_contiguous(void)
{
	static const struct {
		enum dtype type;
		size_t nz, ny, nx;
	} shapes[] = { { DT_F32, 2, 300, 400 }, { DT_U8, 3, 5, 7 }, { DT_U16, 5, 1, 1 } };

	for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
		struct array a = make(shapes[k].type, shapes[k].nz, shapes[k].ny, shapes[k].nx);
		uint64_t want = 8;
		bool behind = true;
		TIFF *t;

		tiff_write("o.tif", &a, NULL);
		t = TIFFOpen("o.tif", "r");
		for (size_t z = 0; t && z < a.nz; z++) {
			behind = behind && TIFFSetDirectory(t, (tdir_t)z) && TIFFCurrentDirOffset(t) >= 8 + array_bytes(&a);
			for (uint32_t i = 0; i < TIFFNumberOfStrips(t); i++) {
				behind = behind && TIFFGetStrileOffset(t, i) == want;
				want += TIFFGetStrileByteCount(t, i);
			}
		}
		ok(behind && want == 8 + array_bytes(&a), "pages of %s lie one behind the other, before all directories", dtype_name(a.type));
		TIFFClose(t);
		array_clear(&a);
	}
}

static void test_no_imagej(void)
{
	struct tiff_out o = { .provenance = "scopeline=x 1\n", .section = "[s]\nchannels = 2\n", .no_imagej = true };
	struct array a = make(DT_U8, 4, 6, 7), b;
	struct tiff_meta m;

	tiff_write("o.tif", &a, &o);
	ok(tiff_probe("o.tif", NULL, &b, &m) == 0 && !m.axes[0] && strcmp(m.provenance, o.provenance) == 0 && strcmp(m.section, o.section) == 0,
	   "without ImageJ's header the provenance and the section come back, and no axes");
	tiff_meta_clear(&m);
	array_clear(&a);
}

static void test_resume(void)
{
	struct tiff_out o = { .provenance = "scopeline=x 1\ncommand=x a\n",
			      .compress = TIFF_DEFLATE };
	struct array a = make(DT_U16, 2, 300, 300);
	struct stat st;
	FILE *f;

	tiff_write("o.tif", &a, &o);
	capture_begin();
	ok(tiff_made_by("o.tif", o.provenance) == 1, "made by this command");
	ok(tiff_made_by("o.tif", "scopeline=x 1\ncommand=x b\n") == 0, "not by another one");
	ok(tiff_made_by("absent.tif", o.provenance) == 0 && tiff_made_by(".", o.provenance) == 0,
	   "nothing and a folder are made by none");
	if (stat("o.tif", &st) != 0)
		die(EXIT_FAILED, "no file");
	for (off_t k = 1; k < 5; k++)
		ok(truncate("o.tif", st.st_size * k / 5) == 0 &&
			   tiff_made_by("o.tif", o.provenance) == 0 &&
			   tiff_write("o.tif", &a, &o) == 0,
		   "cut to %d / 5 it is not complete", (int)k);
	f = fopen("t.tif", "w");
	fputs("text", f);
	fclose(f);
	ok(tiff_made_by("t.tif", o.provenance) == 0, "a text neither");
	unlink("t.tif");
	capture_end();
	ok(!captured("tif"), "nothing of this is said");
	array_clear(&a);
}

static void refused(const char *path, const struct array *a, const char *words,
		    const char *sentence)
{
	capture_begin();
	int rc = tiff_write(path, a, NULL);
	capture_end();
	ok(rc == -1 && captured(words) && captured(path), "%s (%s)", sentence, captured_text());
}

static void test_refusals(void)
{
	struct array a = make(DT_F32, 1, 20, 20), none = { .type = DT_F32 };

	refused("no/o.tif", &a, "No such file", "a missing folder");
	if (access("/dev/full", W_OK) == 0)
		refused("/dev/full", &a, "No space left", "a full disk");
	refused("e.tif", &none, "expected some", "no pixels");
	ok(access("e.tif", F_OK) != 0, "no file is left of a refusal");
	array_clear(&a);
}

/* 4 GiB of zeros: no page of them is ever touched by more than reading */
static void test_big(void)
{
	struct tiff_out o = { .compress = TIFF_ZSTD };
	struct array a = { .type = DT_U8, .nz = 1, .ny = 65536, .nx = 65536 }, b;
	char head[4] = "";
	FILE *f;

	if (getenv("TESTS_FAST"))
		return;
	a.data = calloc(a.ny, a.nx);
	if (!a.data)
		return;
	ok(tiff_write("o.tif", &a, &o) == 0 && tiff_probe("o.tif", NULL, &b, NULL) == 0 &&
		   b.ny == 65536,
	   "4 GiB of pixels are written");
	f = fopen("o.tif", "rb");
	ok(f && fread(head, 1, 4, f) == 4 && head[2] == 43, "as BigTIFF");
	if (f)
		fclose(f);
	array_clear(&a);
}

/* Pages of several sizes, and a section behind the provenance. */
static void test_levels(void)
{
	static const char text[] = "scopeline=x 1\ncommand=x\n", section[] = "[part]\na = 1\n";
	struct array level[2] = { make(DT_F32, 3, 40, 30), make(DT_F32, 2, 7, 300) }, b;
	struct tiff_out o = { .provenance = text, .section = section, .threads = 2 };
	struct tiff_select s[3] = { { .first = 1, .last = 3 }, { .first = 4, .last = 5 }, { .first = 3, .last = 4 } };
	struct tiff_meta m;

	for (int c = TIFF_NONE; c <= TIFF_ZSTD; c++) {
		bool good;

		o.compress = (enum tiff_compress)c;
		good = tiff_write_levels("o.tif", level, 2, &o) == 0;
		for (int l = 0; l < 2; l++) {
			good = good && tiff_read("o.tif", &s[l], &b, &m) == 0;
			good = good && equal(&level[l], &b) && m.pages == 5;
			good = good && m.section && strcmp(m.section, section) == 0 && m.provenance && strcmp(m.provenance, text) == 0;
			array_clear(&b);
			tiff_meta_clear(&m);
		}
		ok(good, "%s: pages of two sizes and a section are read back", scheme[c]);
	}
	ok(tiff_made_by("o.tif", text) == 1 && tiff_made_by("o.tif", "scopeline=x 1\n") == 0, "the section is no part of the provenance");
	capture_begin();
	ok(tiff_read("o.tif", &s[2], &b, NULL) == -1, "pages of two sizes are not one stack");
	capture_end();
	ok(captured("page 4"), "and the page is named");
	array_clear(&level[0]);
	array_clear(&level[1]);
}

int main(void)
{
	struct array a = make(DT_F32, 1, 8, 8);
	char head[4] = "";
	FILE *f;

	if (!mkdtemp(folder) || chdir(folder) != 0)
		die(EXIT_FAILED, "cannot make a folder");
	tiff_write("o.tif", &a, NULL);
	f = fopen("o.tif", "rb");
	ok(f && fread(head, 1, 4, f) == 4 && head[2] + head[3] == 42,
	   "a small file is classic TIFF");
	if (f)
		fclose(f);
	array_clear(&a);
	test_round_trip();
	test_same_bytes();
	test_tags();
	test_contiguous();
	test_no_imagej();
	test_resume();
	test_refusals();
	test_big();
	test_levels();
	unlink("o.tif");
	if (chdir("..") != 0 || (tap_failed == 0 && rmdir(folder) != 0))
		ok(false, "the folder is empty at the end");
	return done_testing();
}
