#include "tests/tiffgen.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <tiffio.h>

#include "base/die.h"
#include "base/mem.h"

const struct tiffgen tiffgen_default = {
	.type = "u16",
	.pages = 1,
	.ny = 40,
	.nx = 48,
	.samples = 1,
	.compression = "none",
	.nan_page = -1,
	.odd_page = -1,
};

static const struct {
	const char *name;
	uint16_t bits, format;
} types[] = {
	{ "u8", 8, SAMPLEFORMAT_UINT },	     { "u16", 16, SAMPLEFORMAT_UINT },
	{ "u32", 32, SAMPLEFORMAT_UINT },    { "u64", 64, SAMPLEFORMAT_UINT },
	{ "i8", 8, SAMPLEFORMAT_INT },	     { "i16", 16, SAMPLEFORMAT_INT },
	{ "i32", 32, SAMPLEFORMAT_INT },     { "f16", 16, SAMPLEFORMAT_IEEEFP },
	{ "f32", 32, SAMPLEFORMAT_IEEEFP },  { "f64", 64, SAMPLEFORMAT_IEEEFP },
	{ "bit1", 1, SAMPLEFORMAT_UINT },    { "c64", 64, SAMPLEFORMAT_COMPLEXIEEEFP },
	{ "palette", 8, SAMPLEFORMAT_UINT },
};
static const struct {
	const char *name;
	uint16_t code;
} compressions[] = {
	{ "none", COMPRESSION_NONE }, { "packbits", COMPRESSION_PACKBITS },
	{ "lzw", COMPRESSION_LZW },   { "deflate", COMPRESSION_ADOBE_DEFLATE },
	{ "zstd", COMPRESSION_ZSTD }, { "lzma", COMPRESSION_LZMA },
	{ "jpeg", COMPRESSION_JPEG },
};

double tiffgen_value(const struct tiffgen *g, size_t page, size_t sample, size_t y, size_t x)
{
	uint64_t k = ((page * g->samples + sample) * g->ny + y) * g->nx + x;

	if (g->nan_page == (long)page && g->nan_y == (long)y && g->nan_x == (long)x)
		return NAN;
	if (g->content == CONTENT_CONST)
		return g->value;
	if (g->content == CONTENT_NOISE) { /* a mixing step of splitmix64 */
		k = (k ^ k >> 30) * 0xbf58476d1ce4e5b9u;
		k ^= k >> 27;
	}
	return (double)(k % 127);
}

/* v as an element of the type at p; the odd types get zeros. */
static void store(char *p, const char *type, double v)
{
	if (strcmp(type, "f32") == 0) {
		float f = (float)v;

		memcpy(p, &f, 4);
	} else if (strcmp(type, "f64") == 0) {
		memcpy(p, &v, 8);
	} else if (strcmp(type, "u32") == 0) {
		uint32_t u = (uint32_t)v;

		memcpy(p, &u, 4);
	} else if (strcmp(type, "i32") == 0) {
		int32_t i = (int32_t)v;

		memcpy(p, &i, 4);
	} else if (strcmp(type, "u16") == 0) {
		uint16_t u = (uint16_t)v;

		memcpy(p, &u, 2);
	} else if (strcmp(type, "i16") == 0) {
		int16_t i = (int16_t)v;

		memcpy(p, &i, 2);
	} else if (strcmp(type, "u8") == 0 || strcmp(type, "palette") == 0) {
		*(uint8_t *)p = (uint8_t)v;
	} else if (strcmp(type, "i8") == 0) {
		*(int8_t *)p = (int8_t)v;
	}
}

struct page {
	const struct tiffgen *g;
	TIFF *tif;
	size_t number, ny, nx, bits;
	size_t in_pixel; /* samples side by side */
};

/* Rows y0.. and columns x0.. of h x w pixels into buf, from sample s0 on; beyond the page: zeros.
 */
static void fill(const struct page *p, char *buf, size_t y0, size_t x0, size_t h, size_t w,
		 size_t s0)
{
	size_t bytes = p->bits / 8;

	for (size_t y = 0; y < h; y++)
		for (size_t x = 0; x < w; x++)
			for (size_t s = 0; s < p->in_pixel && bytes > 0; s++)
				if (y0 + y < p->ny && x0 + x < p->nx)
					store(buf + ((y * w + x) * p->in_pixel + s) * bytes,
					      p->g->type,
					      tiffgen_value(p->g, p->number, s0 + s, y0 + y,
							    x0 + x));
}

/* libtiff's encoders may change the buffer they are given, so each strip or tile gets a new one. */
static int write_pixels(const struct page *p)
{
	bool tiled = p->g->tile > 0;
	uint32_t rows = 0;
	size_t h, w, planes = p->g->planar ? p->g->samples : 1;

	TIFFGetFieldDefaulted(p->tif, TIFFTAG_ROWSPERSTRIP, &rows);
	h = tiled ? p->g->tile : rows < p->ny ? rows : p->ny;
	w = tiled ? p->g->tile : p->nx;
	for (size_t s = 0; s < planes; s++)
		for (size_t y = 0; y < p->ny; y += h)
			for (size_t x = 0; x < p->nx; x += w) {
				size_t lines = tiled || p->ny - y > h ? h : p->ny - y;
				tmsize_t bytes = tiled ? TIFFTileSize(p->tif)
						       : TIFFVStripSize(p->tif, (uint32_t)lines);
				char *buf = mem_new((size_t)bytes, 1);
				tmsize_t put;

				fill(p, buf, y, x, lines, w, s);
				put = tiled ? TIFFWriteEncodedTile(
						      p->tif,
						      TIFFComputeTile(p->tif, (uint32_t)x,
								      (uint32_t)y, 0, (uint16_t)s),
						      buf, bytes)
					    : TIFFWriteEncodedStrip(p->tif,
								    TIFFComputeStrip(p->tif,
										     (uint32_t)y,
										     (uint16_t)s),
								    buf, bytes);
				free(buf);
				if (put < 0)
					return -1;
			}
	return 0;
}

static int set_colours(TIFF *t, const struct tiffgen *g)
{
	static uint16_t map[256];

	if (strcmp(g->type, "palette") == 0)
		return TIFFSetField(t, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_PALETTE) &&
		       TIFFSetField(t, TIFFTAG_COLORMAP, map, map, map);
	if (strcmp(g->compression, "jpeg") == 0 &&
	    g->samples == 3) /* like a camera: converted on the way */
		return TIFFSetField(t, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_YCBCR) &&
		       TIFFSetField(t, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
	return TIFFSetField(t, TIFFTAG_PHOTOMETRIC,
			    g->samples == 3 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK);
}

static int write_page(TIFF *t, const struct tiffgen *g, size_t number, uint16_t bits,
		      uint16_t format, uint16_t compression)
{
	bool odd = g->odd_page == (long)number;
	struct page p = { g,
			  t,
			  number,
			  odd ? g->odd_ny : g->ny,
			  odd ? g->odd_nx : g->nx,
			  bits,
			  g->planar ? 1 : g->samples };

	TIFFSetField(t, TIFFTAG_IMAGEWIDTH, (uint32_t)p.nx);
	TIFFSetField(t, TIFFTAG_IMAGELENGTH, (uint32_t)p.ny);
	TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, bits);
	TIFFSetField(t, TIFFTAG_SAMPLEFORMAT, format);
	TIFFSetField(t, TIFFTAG_SAMPLESPERPIXEL, (int)g->samples);
	TIFFSetField(t, TIFFTAG_PLANARCONFIG,
		     g->planar ? PLANARCONFIG_SEPARATE : PLANARCONFIG_CONTIG);
	if (!TIFFSetField(t, TIFFTAG_COMPRESSION, compression) || !set_colours(t, g))
		return -1;
	if (g->predictor)
		TIFFSetField(t, TIFFTAG_PREDICTOR, g->predictor);
	if (g->tile) {
		TIFFSetField(t, TIFFTAG_TILEWIDTH, (uint32_t)g->tile);
		TIFFSetField(t, TIFFTAG_TILELENGTH, (uint32_t)g->tile);
	} else {
		TIFFSetField(t, TIFFTAG_ROWSPERSTRIP,
			     g->rows ? (uint32_t)g->rows : TIFFDefaultStripSize(t, 0));
	}
	if (number == 0 && g->description)
		TIFFSetField(t, TIFFTAG_IMAGEDESCRIPTION, g->description);
	if (g->resolution > 0) {
		TIFFSetField(t, TIFFTAG_XRESOLUTION, g->resolution);
		TIFFSetField(t, TIFFTAG_YRESOLUTION, g->resolution);
		TIFFSetField(t, TIFFTAG_RESOLUTIONUNIT, g->unit);
	}
	return write_pixels(&p) == 0 && TIFFWriteDirectory(t) ? 0 : -1;
}

static int find_names(const char *path, const struct tiffgen *g, size_t *type, size_t *compression)
{
	size_t n_types = sizeof types / sizeof types[0],
	       n_compressions = sizeof compressions / sizeof compressions[0];

	for (*type = 0; *type < n_types && strcmp(types[*type].name, g->type) != 0; ++*type)
		;
	for (*compression = 0; *compression < n_compressions &&
			       strcmp(compressions[*compression].name, g->compression) != 0;
	     ++*compression)
		;
	if (*type == n_types || *compression == n_compressions)
		return error("'%s': type '%s', compression '%s', expected known names", path,
			     g->type, g->compression);
	return 0;
}

int tiffgen(const char *path, const struct tiffgen *g)
{
	char mode[8];
	size_t type, compression;
	struct stat st;
	TIFF *t;
	int rc = 0;

	if (find_names(path, g, &type, &compression) != 0)
		return -1;
	snprintf(mode, sizeof mode, "w%s%s", g->big_endian ? "b" : "l", g->bigtiff ? "8" : "");
	t = TIFFOpen(path, mode);
	if (!t)
		return error("'%s': cannot write", path);
	for (size_t i = 0; rc == 0 && i < g->pages; i++)
		rc = write_page(t, g, i, types[type].bits, types[type].format,
				compressions[compression].code);
	TIFFClose(t);
	if (rc != 0)
		return error("'%s': libtiff does not write this", path);
	if (g->cut && (stat(path, &st) != 0 || truncate(path, st.st_size - (off_t)g->cut) != 0))
		return error("'%s': cannot be cut by %zu bytes", path, g->cut);
	return 0;
}

int tiffgen_claim(const char *path, uint32_t ny, uint32_t nx, uint16_t compression)
{
	const uint32_t entry[][4] = {
		/* tag, type (3 short, 4 long), count, value */
		{ 256, 4, 1, nx }, { 257, 4, 1, ny }, { 258, 3, 1, 32 }, { 259, 3, 1, compression },
		{ 262, 3, 1, 1 },  { 273, 4, 1, 8 },  { 277, 3, 1, 1 },	 { 278, 4, 1, ny },
		{ 279, 4, 1, 4 },  { 339, 3, 1, 3 },
	};
	enum { ENTRIES = sizeof entry / sizeof entry[0] };
	unsigned char bytes[12 + 2 + 12 * ENTRIES + 4] = { 'I', 'I', 42, 0, 12, 0,	0,
							   0,	0,   0,	 0, 0,	ENTRIES },
						    *p = bytes + 14;
	FILE *f = fopen(path, "wb");
	bool bad;

	if (!f)
		return error("'%s': cannot write", path);
	for (size_t i = 0; i < ENTRIES; i++)
		for (int k = 0; k < 12; k++) {
			static const int field[] = { 0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3 },
					 byte[] = { 0, 1, 0, 1, 0, 1, 2, 3, 0, 1, 2, 3 };

			*p++ = (unsigned char)(entry[i][field[k]] >> (8 * byte[k]));
		}
	bad = fwrite(bytes, 1, sizeof bytes, f) != sizeof bytes;
	bad |= fclose(f) != 0;
	return bad ? error("'%s': cannot write", path) : 0;
}
