/* Readers on damaged files: TIFFs of every kind and CSV tables with bytes changed, moved and cut
 * off, from a fixed seed.  Each is read or refused with exactly one message; under
 * --enable-sanitize every access is watched.  MUTATIONS=N tries N of each. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/die.h"
#include "base/mem.h"
#include "io/csvio.h"
#include "io/tiffio.h"
#include "tests/tap.h"
#include "tests/tiffgen.h"

enum { LARGEST = 1 << 16 };

static char folder[] = "unit-mutate-XXXXXX";
static uint64_t state = 20240229;
static int messages; /* stderr is this file meanwhile */

static uint64_t any(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 11) % below;
}

/* Changes s[*len] at a few places, more often near the ends, where headers and directories are. */
static void mutate(unsigned char *s, size_t *len)
{
	static const unsigned char odd[] = { 0,	   1,	 2,    3,   4,	 8,    16,  0x7f,
					     0x80, 0xfe, 0xff, '"', ',', '\n', '\r' };

	for (uint64_t n = 1 + any(6); n > 0 && *len > 1; n--) {
		size_t place = any(3), at = place == 0	 ? any(*len)
					    : place == 1 ? any(*len < 300 ? *len : 300)
							 : *len - 1 - any(*len < 300 ? *len : 300);
		size_t block = 1 + any(16), from = any(*len);

		switch (any(6)) {
		case 0:
			s[at] ^= (unsigned char)(1 << any(8));
			break;
		case 1:
		case 2:
			s[at] = odd[any(sizeof odd)];
			break;
		case 3:
			s[at] = (unsigned char)any(256);
			break;
		case 4:
			if (at + block <= *len && from + block <= *len)
				memmove(s + at, s + from, block);
			break;
		default:
			if (any(8) == 0)
				*len = 1 + any(*len);
		}
	}
}

static size_t load(const char *path, unsigned char *s)
{
	FILE *f = fopen(path, "rb");
	size_t n = f ? fread(s, 1, LARGEST, f) : 0;

	if (!f || n == LARGEST)
		die(EXIT_FAILED, "'%s': expected a small file", path);
	fclose(f);
	return n;
}

static void store(const char *path, const unsigned char *s, size_t n)
{
	unlink(path); /* a file cut to nothing and written again is flushed to disk by some file
			 systems */
	FILE *f = fopen(path, "wb");

	if (!f || fwrite(s, 1, n, f) != n || fclose(f) != 0)
		die(EXIT_FAILED, "'%s': cannot write", path);
}

/* Lines said on stderr since the last call. */
static size_t lines_said(void)
{
	char buf[65536];
	ssize_t n = pread(messages, buf, sizeof buf, 0);
	size_t lines = 0;

	for (ssize_t i = 0; i < n; i++)
		lines += buf[i] == '\n';
	if (ftruncate(messages, 0) != 0 || lseek(messages, 0, SEEK_SET) != 0)
		abort();
	return lines;
}

static int read_tiff(const char *path)
{
	static const struct tiff_select choice[] = {
		{ 0 }, { .channel = 1 }, { .first = 1, .last = 2, .channel = 2 }, { .axes = "TC" }
	};
	struct array a;
	struct tiff_meta m;
	int rc = any(4) == 0 ? tiff_read_labels(path, &choice[any(4)], &a, &m)
			     : tiff_read(path, &choice[any(4)], &a, &m);

	if (rc == 0)
		tiff_meta_clear(&m);
	array_clear(&a);
	return rc;
}

static int read_csv(const char *path)
{
	struct csv t;
	double v;
	long n;

	if (csv_read(path, any(2), &t) != 0)
		return -1;
	/* a cell that is no number is one more message, and so no verdict on the table */
	for (size_t r = 0; r < t.rows; r++)
		for (size_t c = 0; c < t.columns; c++)
			if (strlen(csv_cell(&t, r, c)) > 0 && csv_column(&t, "x") >= 0) {
				csv_double(&t, r, c, true, &v);
				csv_long(&t, r, c, 0, 9, &n);
			}
	csv_clear(&t);
	lines_said();
	return 0;
}

static void try_all(const char *what, const char *path, int (*reader)(const char *), size_t times)
{
	unsigned char *seed = mem_new(LARGEST, 1), *s = mem_new(LARGEST, 1);
	size_t len = load(path, seed), wrong = 0, read = 0;

	for (size_t i = 0; i < times; i++) {
		size_t n = len;
		int rc;

		memcpy(s, seed, len);
		mutate(s, &n);
		store(path, s, n);
		lines_said();
		rc = reader(path);
		read += rc == 0;
		wrong += lines_said() != (rc == 0 ? 0u : 1u);
	}
	ok(wrong == 0,
	   "%s: %zu damaged files, %zu of them read, the others refused in one line (%zu not)",
	   what, times, read, wrong);
	free(seed);
	free(s);
}

static void try_tiffs(size_t times)
{
	static const struct {
		const char *compression, *type;
		int predictor;
		size_t tile, samples;
		bool planar, big_endian, bigtiff;
	} kinds[] = {
		{ "none", "u16", 0, 0, 1, false, false, false },
		{ "none", "f32", 0, 16, 1, false, true, true },
		{ "lzw", "u16", 2, 0, 1, false, false, false },
		{ "deflate", "f32", 3, 0, 1, false, false, true },
		{ "zstd", "i32", 2, 16, 1, false, true, false },
		{ "lzma", "f64", 0, 0, 1, false, false, false },
		{ "packbits", "u8", 0, 0, 3, true, false, false },
		{ "jpeg", "u8", 0, 16, 3, false, false, false },
		{ "none", "u8", 0, 0, 3, false, false, false },
		{ "deflate", "u32", 0, 0, 1, false, true, false },
	};
	static const char *const descriptions[] = {
		"ImageJ=1.53t\nimages=6\nchannels=2\nslices=3\nunit=\\u00B5m\nspacing=2\nscopeline="
		"x 1\n",
		"<?xml version=\"1.0\"?><OME><Image><Pixels DimensionOrder=\"XYCZT\" SizeC=\"2\" "
		"SizeZ=\"3\" SizeT=\"1\" PhysicalSizeX=\"325\""
		" PhysicalSizeXUnit=\"nm\" PhysicalSizeZ=\"2\"><Channel "
		"SamplesPerPixel=\"1\"/></Pixels></Image></OME>",
	};

	for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
		struct tiffgen g = tiffgen_default;
		char *name = mem_printf("%s %s", kinds[k].compression, kinds[k].type);

		g.compression = kinds[k].compression;
		g.type = kinds[k].type;
		g.predictor = kinds[k].predictor;
		g.tile = kinds[k].tile;
		g.samples = kinds[k].samples;
		g.planar = kinds[k].planar;
		g.big_endian = kinds[k].big_endian;
		g.bigtiff = kinds[k].bigtiff;
		g.pages = 6;
		g.ny = 18;
		g.nx = 20;
		g.rows = g.tile ? 0 : 7;
		g.description = descriptions[k % 2];
		if (tiffgen("t.tif", &g) != 0)
			ok(false, "%s is made", name);
		else
			try_all(name, "t.tif", read_tiff, times);
		free(name);
	}
}

static void try_tables(size_t times)
{
	static const char table[] = "\xef\xbb\xbfname,x,y\r\n\"a, b\",1,2.5\r\n\"say "
				    "\"\"c\"\"\",-3e-4,nan\n\n\"two\nlines\",7,8\nd,9,10";

	store("t.csv", (const unsigned char *)table, sizeof table - 1);
	try_all("CSV", "t.csv", read_csv, times);
}

int main(void)
{
	const char *given = getenv("MUTATIONS");
	size_t times = given ? strtoul(given, NULL, 10) : 300;

	if (!mkdtemp(folder) || chdir(folder) != 0)
		die(EXIT_FAILED, "cannot make a folder");
	messages = open("messages", O_RDWR | O_CREAT | O_TRUNC, 0600);
	int terminal = dup(STDERR_FILENO);
	if (messages < 0 || dup2(messages, STDERR_FILENO) < 0)
		die(EXIT_FAILED, "cannot collect messages");
	try_tiffs(times);
	try_tables(times);
	dup2(terminal, STDERR_FILENO);
	unlink("messages");
	unlink("t.tif");
	unlink("t.csv");
	if (chdir("..") != 0 || (tap_failed == 0 && rmdir(folder) != 0))
		ok(false, "the folder is empty at the end");
	return done_testing();
}
