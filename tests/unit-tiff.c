/* TIFF in: every kind of file gives the same picture, everything else a message with file and page.
 */
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <tiffio.h>
#include <unistd.h>

#include "base/die.h"
#include "base/mem.h"
#include "io/tiffio.h"
#include "tests/capture.h"
#include "tests/tap.h"
#include "tests/tiffgen.h"

static char folder[] = "unit-tiff-XXXXXX";
static const char *const all_types[] = { "u8", "u16", "u32", "i8", "i16", "i32", "f32", "f64" };

static int read_quiet(const char *path, const struct tiff_select *s, struct array *a,
		      struct tiff_meta *m)
{
	capture_begin();
	int rc = tiff_read(path, s, a, m);
	capture_end();
	return rc;
}

/* Pixels of a that differ from what the generator says of pages first.. and the sample. */
static size_t wrong(struct array *a, const struct tiffgen *g, size_t first, size_t sample)
{
	size_t n = 0, i = 0;

	if (array_to_f64(a) != 0)
		return SIZE_MAX;
	for (size_t z = 0; z < a->nz; z++)
		for (size_t y = 0; y < a->ny; y++)
			for (size_t x = 0; x < a->nx; x++, i++) {
				double want = tiffgen_value(g, first + z, sample, y, x),
				       got = ((double *)a->data)[i];

				n += !(got == want || (isnan(got) && isnan(want)));
			}
	return n;
}

static bool reads_as_made(const struct tiffgen *g, const char *sentence)
{
	struct array a;
	bool good = tiffgen("t.tif", g) == 0 && read_quiet("t.tif", NULL, &a, NULL) == 0;
	bool shape = good && a.nz == g->pages && a.ny == g->ny && a.nx == g->nx &&
		     strcmp(dtype_name(a.type), g->type) == 0;
	size_t bad = shape ? wrong(&a, g, 0, 0) : 1;

	if (good)
		array_clear(&a);
	return ok(shape && bad == 0, "%s: %s, %s (%zu wrong) %s", sentence, g->type, g->compression,
		  bad, good ? "" : captured_text());
}

static void test_kinds(void)
{
	static const char *const packed[] = { "packbits", "lzw", "deflate", "zstd", "lzma" };
	struct tiffgen g;

	for (size_t t = 0; t < 8; t++) {
		g = tiffgen_default;
		g.pages = 2;
		g.type = all_types[t];
		reads_as_made(&g, "strips");
		g.big_endian = true;
		reads_as_made(&g, "big-endian strips");
		g.bigtiff = true;
		reads_as_made(&g, "big-endian BigTIFF");
		g.big_endian = false;
		g.tile = 32; /* hangs over both edges of 40 x 48 */
		reads_as_made(&g, "BigTIFF with tiles");
		g = tiffgen_default;
		g.type = all_types[t];
		g.rows = 7;
		for (size_t c = 0; c < 5; c++) {
			g.compression = packed[c];
			g.predictor = c >= 1 && t < 6 && c != 4 ? 2 : 0;
			reads_as_made(&g, "compressed strips");
		}
	}
	g = tiffgen_default;
	g.type = "f32";
	g.compression = "deflate";
	g.predictor = 3;
	g.nan_page = 0;
	g.nan_y = 3;
	g.nan_x = 5;
	reads_as_made(&g, "floating-point predictor and a NaN");
	g = tiffgen_default;
	g.type = "u8";
	g.compression = "jpeg";
	g.content = CONTENT_CONST;
	g.value = 77;
	reads_as_made(&g, "JPEG");
	g = tiffgen_default;
	g.ny = g.nx = 1;
	reads_as_made(&g, "one pixel");
}

static void test_samples(void)
{
	static const struct {
		bool planar;
		size_t tile;
		const char *name;
	} kinds[] = {
		{ false, 0, "interleaved strips" },
		{ true, 0, "planes in strips" },
		{ false, 16, "interleaved tiles" },
		{ true, 16, "planes in tiles" },
	};
	struct tiff_select s = { .channel = 3 };
	struct tiffgen g = tiffgen_default;
	struct array a;

	g.samples = 3;
	g.pages = 2;
	g.type = "u8";
	for (size_t k = 0; k < 4; k++) {
		g.planar = kinds[k].planar;
		g.tile = kinds[k].tile;
		tiffgen("t.tif", &g);
		ok(read_quiet("t.tif", NULL, &a, NULL) == -1 &&
			   captured("3 samples per pixel, expected 1") && captured("--channel"),
		   "3 samples are refused and --channel is named: %s", kinds[k].name);
		bool good = read_quiet("t.tif", &s, &a, NULL) == 0;
		ok(good && a.nz == 2 && wrong(&a, &g, 0, 2) == 0, "channel 3 of %s", kinds[k].name);
		array_clear(&a);
	}
	g = tiffgen_default;
	g.type = "u8";
	g.samples = 3;
	g.compression = "jpeg";
	g.content = CONTENT_CONST;
	g.value = 77;
	tiffgen("t.tif", &g);
	bool good = read_quiet("t.tif", &s, &a, NULL) == 0 && a.type == DT_U8 && a.nx == 48;
	ok(good && ((uint8_t *)a.data)[0] == 77 && ((uint8_t *)a.data)[40 * 48 - 1] == 77,
	   "YCbCr with subsampling is taken as RGB");
	array_clear(&a);
	s.channel = 4;
	ok(read_quiet("t.tif", &s, &a, NULL) == -1 && captured("3 samples per pixel"),
	   "channel 4 of 3 is refused");
}

static void test_pages(void)
{
	struct tiff_select s = { .first = 2, .last = 3 };
	struct tiffgen g = tiffgen_default;
	struct array a;

	g.pages = 5;
	tiffgen("t.tif", &g);
	ok(read_quiet("t.tif", &s, &a, NULL) == 0 && a.nz == 2 && wrong(&a, &g, 1, 0) == 0,
	   "pages 2-3 of 5");
	array_clear(&a);
	s.last = 6;
	ok(read_quiet("t.tif", &s, &a, NULL) == -1 && captured("5 pages") && captured("2-6"),
	   "pages 2-6 of 5 are refused with both numbers");
	g.odd_page = 3;
	g.odd_ny = 41;
	g.odd_nx = 48;
	tiffgen("t.tif", &g);
	ok(read_quiet("t.tif", NULL, &a, NULL) == -1 &&
		   captured("page 4: 41 x 48 pixels, expected 40 x 48"),
	   "a page of another size is named");
	s.last = 3;
	ok(read_quiet("t.tif", &s, &a, NULL) == 0 && a.nz == 2,
	   "beside the chosen pages it does not matter");
	array_clear(&a);
}

/* ---- what the file says of itself */

static bool near(double a, double b)
{
	return fabs(a - b) <= 1e-6 * fabs(b);
}

static int read_described(const char *description, double per_unit, int unit, size_t pages,
			  const struct tiff_select *s, struct array *a, struct tiff_meta *m)
{
	struct tiffgen g = tiffgen_default;

	g.pages = pages;
	g.ny = g.nx = 4;
	g.description = description;
	g.resolution = per_unit;
	g.unit = unit;
	return tiffgen("t.tif", &g) == 0 ? read_quiet("t.tif", s, a, m) : -1;
}

static void test_imagej(void)
{
	static const char hyper[] = "ImageJ=1.53t\nimages=12\nchannels=2\nslices=3\nframes="
				    "2\nhyperstack=true\nunit=micron\nspacing=-2.5\n";
	struct tiff_select s = { .channel = 2 };
	struct tiff_meta m;
	struct array a;

	ok(read_described(hyper, 4, RESUNIT_NONE, 12, NULL, &a, &m) == 0 &&
		   strcmp(m.axes, "TZC") == 0 && m.size_c == 2 && m.size_z == 3 && m.size_t_ == 2,
	   "axes and sizes of an ImageJ hyperstack");
	ok(near(m.pixel_um, 0.25) && near(m.z_step_um, 2.5), "its pixel size and spacing (%g, %g)",
	   m.pixel_um, m.z_step_um);
	array_clear(&a);
	tiff_meta_clear(&m);
	bool good = read_quiet("t.tif", &s, &a, &m) == 0;
	ok(good && a.nz == 6 && ((uint16_t *)a.data)[0] == 16 && ((uint16_t *)a.data)[16] == 48 &&
		   strcmp(m.axes, "TZ") == 0 && m.size_c == 1,
	   "channel 2 of the hyperstack: pages 2, 4, 6 ...");
	array_clear(&a);
	tiff_meta_clear(&m);
	s.channel = 3;
	ok(read_quiet("t.tif", &s, &a, &m) == -1 && captured("2 channels"),
	   "channel 3 of 2 is refused");
	s = (struct tiff_select){ .axes = "CTZYX" };
	ok(read_quiet("t.tif", &s, &a, &m) == 0 && strcmp(m.axes, "CTZ") == 0 && m.size_z == 3,
	   "another order of its axes");
	array_clear(&a);
	tiff_meta_clear(&m);
	s.axes = "TZZ";
	ok(read_quiet("t.tif", &s, &a, &m) == -1 && captured("each letter once"),
	   "an axis given twice is refused");
	s.axes = "C";
	ok(read_quiet("t.tif", &s, &a, &m) == 0 && strcmp(m.axes, "C") == 0 && m.size_c == 12,
	   "one letter takes all pages");
	array_clear(&a);
	tiff_meta_clear(&m);
	ok(read_described("ImageJ=1.53t\nimages=3\nunit=um\n", 20000, RESUNIT_CENTIMETER, 3, NULL,
			  &a, &m) == 0 &&
		   near(m.pixel_um, 0.5) && strcmp(m.axes, "Z") == 0 && m.size_z == 3,
	   "unit um with a resolution per cm; pages without axes are slices");
	array_clear(&a);
	tiff_meta_clear(&m);
	ok(read_described("ImageJ=1.53t\nimages=3\nunit=\\u00B5m\n", 8, RESUNIT_NONE, 2, NULL, &a,
			  &m) == 0 &&
		   near(m.pixel_um, 0.125),
	   "ImageJ's escaped mu");
	array_clear(&a);
	tiff_meta_clear(&m);
}

static void test_ome(void)
{
	static const char text[] =
		"<?xml version=\"1.0\"?><!-- a comment --><OME "
		"xmlns=\"http://www.openmicroscopy.org/Schemas/OME/2016-06\"><Image ID=\"Image:0\">"
		"<Pixels DimensionOrder=\"XYCZT\" Type=\"uint16\" SizeX=\"4\" SizeY=\"4\" "
		"SizeC=\"2\" SizeZ=\"3\" SizeT=\"1\" PhysicalSizeX=\"325\""
		" PhysicalSizeXUnit=\"nm\" PhysicalSizeZ=\"2\"><Channel ID=\"Channel:0:0\" "
		"SamplesPerPixel=\"1\"/><TiffData/></Pixels></Image></OME>";
	struct tiff_select s = { .channel = 1, .axes = "TC" };
	struct tiff_meta m;
	struct array a;

	ok(read_described(text, 0, 0, 6, NULL, &a, &m) == 0 && near(m.pixel_um, 0.325) &&
		   m.z_step_um == 2,
	   "OME-XML: sizes in nm and, by default, um");
	ok(strcmp(m.axes, "ZC") == 0 && m.size_c == 2 && m.size_z == 3 && m.size_t_ == 1,
	   "its axes and sizes (%s)", m.axes);
	array_clear(&a);
	tiff_meta_clear(&m);
	ok(read_quiet("t.tif", &s, &a, &m) == -1 &&
		   captured("expected the file to say their sizes"),
	   "axes that do not fill the pages are refused");
	ok(read_described(text, 0, 0, 5, NULL, &a, &m) == 0 && m.axes[0] == '\0' && m.size_c == 0 &&
		   near(m.pixel_um, 0.325),
	   "sizes that are not those of the pages are not believed");
	array_clear(&a);
	tiff_meta_clear(&m);
	ok(read_described("<?xml version=\"1.0\"?><OME><Image><Pixels SizeC=", 0, 0, 1, NULL, &a,
			  &m) == 0 &&
		   m.pixel_um == 0,
	   "a broken description is no reason to refuse a picture");
	array_clear(&a);
	tiff_meta_clear(&m);
	ok(read_described(NULL, 40000, RESUNIT_CENTIMETER, 1, NULL, &a, &m) == 0 &&
		   near(m.pixel_um, 0.25),
	   "resolution tags alone: 40000 per cm");
	array_clear(&a);
	tiff_meta_clear(&m);
	ok(read_described(NULL, 300, RESUNIT_INCH, 1, NULL, &a, &m) == 0 && m.pixel_um == 0,
	   "300 dots per inch are no pixel size");
	array_clear(&a);
	tiff_meta_clear(&m);
}

/* Sets the value of a tag of type LONG in the only directory of a big-endian file. */
static void patch(unsigned char *bytes, unsigned tag, size_t value)
{
	unsigned char *dir = bytes + ((size_t)bytes[4] << 24 | (size_t)bytes[5] << 16 |
				      (size_t)bytes[6] << 8 | bytes[7]);

	for (unsigned i = 0; i < (unsigned)(dir[0] << 8 | dir[1]); i++) {
		unsigned char *e = dir + 2 + 12 * i;

		if ((unsigned)(e[0] << 8 | e[1]) == tag)
			for (int k = 0; k < 4; k++)
				e[8 + k] = (unsigned char)(value >> (24 - 8 * k));
	}
}

/* ImageJ beyond 4 GiB: one directory, then the pixels of all pages. */
static void test_virtual(void)
{
	struct tiffgen g = tiffgen_default;
	unsigned char bytes[1024];
	uint16_t pixels[3 * 24];
	struct array a;
	size_t len;
	FILE *f;

	g.ny = 4;
	g.nx = 6;
	g.big_endian = true;
	g.description = "ImageJ=1.53t\nimages=3\nslices=3\n";
	tiffgen("t.tif", &g);
	ok(read_quiet("t.tif", NULL, &a, NULL) == 0 && a.nz == 1,
	   "one directory that says 3 images, without room for them, is one page");
	array_clear(&a);
	f = fopen("t.tif", "rb");
	len = fread(bytes, 1, sizeof bytes, f);
	fclose(f);
	patch(bytes, 273, len);
	for (int i = 0; i < 3 * 24; i++)
		pixels[i] = (uint16_t)(i << 8);
	f = fopen("t.tif", "wb");
	fwrite(bytes, 1, len, f);
	fwrite(pixels, 2, 3 * 24, f);
	fclose(f);
	bool good = read_quiet("t.tif", NULL, &a, NULL) == 0 && a.nz == 3;
	size_t bad = !good;
	for (int i = 0; good && i < 3 * 24; i++)
		bad += ((uint16_t *)a.data)[i] != i;
	ok(bad == 0, "with the pixels of 3 pages after it, it is 3 pages");
	array_clear(&a);
	ok(truncate("t.tif", (off_t)(len + sizeof pixels - 1)) == 0 &&
		   read_quiet("t.tif", NULL, &a, NULL) == 0 && a.nz == 1,
	   "one byte less, and it is not");
	array_clear(&a);
}

/* ---- refusals */

static void refused(const char *path, const char *words, const char *sentence)
{
	struct array a;
	struct tiff_meta m;
	int rc = read_quiet(path, NULL, &a, &m);

	ok(rc == -1 && captured(words) && captured(path) && !a.data && !m.provenance, "%s (%s)",
	   sentence, captured_text());
}

static void test_refusals(void)
{
	static const struct {
		const char *type, *words;
	} types[] = {
		{ "bit1", "1-bit unsigned" }, { "f16", "16-bit floating" },
		{ "u64", "64-bit unsigned" }, { "c64", "complex" },
		{ "palette", "palette" },
	};
	static const uint16_t codes[] = { 1, 5, 8, 32773, 34925, 50000 };
	struct tiffgen g = tiffgen_default;
	FILE *f;

	refused("missing.tif", "No such file", "a missing file");
	mkdir("dir.tif", 0755);
	refused("dir.tif", "directory", "a directory");
	rmdir("dir.tif");
	fclose(fopen("t.tif", "w"));
	refused("t.tif", "empty", "an empty file");
	if (geteuid() != 0) {
		chmod("t.tif", 0);
		refused("t.tif", "Permission denied", "an unreadable file");
		chmod("t.tif", 0644);
	}
	f = fopen("t.tif", "w");
	fputs("a,b\n1,2\n", f);
	fclose(f);
	refused("t.tif", "not a TIFF", "a text");
	for (size_t i = 0; i < 5; i++) {
		g.type = types[i].type;
		tiffgen("t.tif", &g);
		refused("t.tif", types[i].words, types[i].type);
		ok(captured("page 1") && captured("expected"), "page and expectation are said");
	}
	for (size_t i = 0; i < 6; i++) {
		tiffgen_claim("t.tif", 60000, 60000, codes[i]);
		refused("t.tif", "page 1: ", "14 GB of pixels in 150 bytes");
	}
	tiffgen_claim("t.tif", 2147483647, 2147483647, 1);
	refused("t.tif", "page 1", "2^31 x 2^31 pixels");
	tiffgen_claim("t.tif", 0, 5, 1);
	refused("t.tif", "page 1", "no rows");
}

/* Cut anywhere, a file is an error that names a page or the file, and never the whole picture. */
static void test_truncated(const char *compression, size_t tile)
{
	struct tiffgen g = tiffgen_default;
	size_t taken = 0, silent = 0, pageless = 0;
	struct stat st;
	struct array a;

	g.pages = 2;
	g.ny = g.nx = 16;
	g.tile = tile;
	g.compression = compression;
	g.content = CONTENT_NOISE;
	tiffgen("whole.tif", &g);
	if (stat("whole.tif", &st) != 0)
		die(EXIT_FAILED, "no file");
	rename("whole.tif", "t.tif");
	for (off_t len = st.st_size - 1; len > 0; len--) {
		if (truncate("t.tif", len) != 0)
			die(EXIT_FAILED, "cannot cut");
		taken += read_quiet("t.tif", NULL, &a, NULL) == 0;
		array_clear(&a);
		silent += !captured("'t.tif': ");
		pageless += !captured("'t.tif': page ") && len >= 8;
	}
	ok(taken == 0 && silent == 0 && pageless == 0,
	   "%s, tiles %zu, cut at each of %zu bytes: an error with a page (%zu taken, %zu silent, "
	   "%zu without)",
	   compression, tile, (size_t)st.st_size - 1, taken, silent, pageless);
}

static void test_labels(void)
{
	static const char *const good[] = { "u8", "u16", "u32", "i32" }, *const bad[] = {
		"i8", "i16", "f32", "f64"
	};
	struct tiffgen g = tiffgen_default;
	struct array a;
	int rc;

	for (size_t i = 0; i < 4; i++) {
		g.type = good[i];
		tiffgen("t.tif", &g);
		bool is = tiff_read_labels("t.tif", NULL, &a, NULL) == 0 && a.type == DT_U32;
		ok(is && wrong(&a, &g, 0, 0) == 0, "labels of type %s", good[i]);
		array_clear(&a);
		g.type = bad[i];
		tiffgen("t.tif", &g);
		capture_begin();
		rc = tiff_read_labels("t.tif", NULL, &a, NULL);
		capture_end();
		ok(rc == -1 && captured(bad[i]) && captured("expected u8, u16, u32 or i32"),
		   "labels of type %s are refused", bad[i]);
	}
	g.type = "i32";
	g.content = CONTENT_CONST;
	g.value = -3;
	tiffgen("t.tif", &g);
	capture_begin();
	rc = tiff_read_labels("t.tif", NULL, &a, NULL);
	capture_end();
	ok(rc == -1 && captured("page 1: label -3"), "a negative label is refused");
}

/* Probes and then reads "-" in a child whose stdin is a pipe. */
static void test_stdin(void)
{
	struct tiffgen g = tiffgen_default;
	pid_t pid;
	int status = 1;

	g.pages = 3;
	g.compression = "lzw";
	tiffgen("t.tif", &g);
	pid = fork();
	if (pid == 0) {
		FILE *p = popen("cat t.tif", "r");
		struct array probed, a;

		if (!p || dup2(fileno(p), STDIN_FILENO) < 0)
			_exit(9);
		if (tiff_probe("-", NULL, &probed, NULL) != 0 || probed.nz != 3 ||
		    probed.ny != 40 || probed.nx != 48 || probed.data)
			_exit(8);
		if (tiff_read("-", NULL, &a, NULL) != 0 || wrong(&a, &g, 0, 0) != 0)
			_exit(7);
		capture_begin();
		status = tiff_read("-", NULL, &a, NULL);
		capture_end();
		_exit(status == -1 && captured("'-': empty") ? 0 : 6);
	}
	waitpid(pid, &status, 0);
	ok(status == 0, "a pipe is probed, then read, and is empty then (status %d)",
	   WEXITSTATUS(status));
}

int main(void)
{
	if (!mkdtemp(folder) || chdir(folder) != 0)
		die(EXIT_FAILED, "cannot make a folder");
	test_kinds();
	test_samples();
	test_pages();
	test_imagej();
	test_ome();
	test_virtual();
	test_refusals();
	test_truncated("none", 0);
	test_truncated("deflate", 0);
	test_truncated("lzw", 16);
	test_truncated("none", 16);
	test_labels();
	test_stdin();
	unlink("t.tif");
	if (chdir("..") != 0 || (tap_failed == 0 && rmdir(folder) != 0))
		ok(false, "the folder is empty at the end");
	return done_testing();
}
