/* Directories and pixels of a TIFF input: the checks of tiff_scan, and reading one page. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "io/tifffile.h"

/* ---- directories */

/* Bytes of pixels that one byte of file can stand for, at the most. */
static size_t expansion(TIFF *tif)
{
	uint16_t compression = COMPRESSION_NONE;

	TIFFGetFieldDefaulted(tif, TIFFTAG_COMPRESSION, &compression);
	switch (compression) {
	case COMPRESSION_NONE:
		return 1;
	case COMPRESSION_PACKBITS:
		return 64;
	case COMPRESSION_DEFLATE:
	case COMPRESSION_ADOBE_DEFLATE:
	case COMPRESSION_PIXARLOG:
		return 1100;
	case COMPRESSION_LZW:
	case COMPRESSION_JPEG:
		return 4096;
	case COMPRESSION_LZMA:
	case COMPRESSION_ZSTD:
		return 1 << 16;
	default:
		return 1 << 20;
	}
}

static int pixel_type(uint16_t bits, uint16_t format, enum dtype *t)
{
	static const struct {
		uint16_t format, bits;
		enum dtype type;
	} types[] = {
		{ SAMPLEFORMAT_UINT, 8, DT_U8 },     { SAMPLEFORMAT_UINT, 16, DT_U16 },
		{ SAMPLEFORMAT_UINT, 32, DT_U32 },   { SAMPLEFORMAT_INT, 8, DT_I8 },
		{ SAMPLEFORMAT_INT, 16, DT_I16 },    { SAMPLEFORMAT_INT, 32, DT_I32 },
		{ SAMPLEFORMAT_IEEEFP, 32, DT_F32 }, { SAMPLEFORMAT_IEEEFP, 64, DT_F64 },
	};

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (types[i].format == format && types[i].bits == bits) {
			*t = types[i].type;
			return 0;
		}
	return -1;
}

static const char *format_name(uint16_t format)
{
	switch (format) {
	case SAMPLEFORMAT_UINT:
		return "unsigned integer";
	case SAMPLEFORMAT_INT:
		return "signed integer";
	case SAMPLEFORMAT_IEEEFP:
		return "floating-point";
	case SAMPLEFORMAT_COMPLEXINT:
	case SAMPLEFORMAT_COMPLEXIEEEFP:
		return "complex";
	default:
		return "untyped";
	}
}

/* Colours that are no plain numbers per sample. */
static int check_colours(struct tiff_file *f, size_t page, uint16_t compression)
{
	uint16_t photometric = PHOTOMETRIC_MINISBLACK;

	if (!TIFFGetField(f->tif, TIFFTAG_PHOTOMETRIC, &photometric))
		return 0;
	switch (photometric) {
	case PHOTOMETRIC_PALETTE:
		return tiff_fail(f, page, "palette colours, expected grey or separate samples");
	case PHOTOMETRIC_YCBCR:
		if (compression != COMPRESSION_JPEG)
			return tiff_fail(f, page,
					 "YCbCr colours, expected grey or separate samples");
		TIFFSetField(f->tif, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
		return 0;
	case PHOTOMETRIC_CIELAB:
	case PHOTOMETRIC_ICCLAB:
	case PHOTOMETRIC_ITULAB:
	case PHOTOMETRIC_LOGL:
	case PHOTOMETRIC_LOGLUV:
		return tiff_fail(f, page,
				 "Lab or logarithmic colours, expected grey or separate samples");
	default:
		return 0;
	}
}

/* The current directory is page number f->pages: compares it with page `like`, adds up *need bytes
 * of pixels. */
static int check_page(struct tiff_file *f, size_t like, size_t *need)
{
	uint32_t width = 0, height = 0;
	uint16_t bits = 1, format = SAMPLEFORMAT_UINT, samples = 1, compression = COMPRESSION_NONE;
	enum dtype type;
	size_t page = f->pages, bytes, hold;

	TIFFGetField(f->tif, TIFFTAG_IMAGEWIDTH, &width);
	TIFFGetField(f->tif, TIFFTAG_IMAGELENGTH, &height);
	TIFFGetFieldDefaulted(f->tif, TIFFTAG_BITSPERSAMPLE, &bits);
	TIFFGetFieldDefaulted(f->tif, TIFFTAG_SAMPLEFORMAT, &format);
	TIFFGetFieldDefaulted(f->tif, TIFFTAG_SAMPLESPERPIXEL, &samples);
	TIFFGetFieldDefaulted(f->tif, TIFFTAG_COMPRESSION, &compression);
	if (format == SAMPLEFORMAT_VOID)
		format = SAMPLEFORMAT_UINT;
	if (width == 0 || height == 0 || samples == 0)
		return tiff_fail(f, page, "%u x %u pixels, expected some", height, width);
	if (pixel_type(bits, format, &type) != 0)
		return tiff_fail(f, page,
				 "%d-bit %s pixels, expected integers of 8, 16 or 32 or "
				 "floating-point of 32 or 64 bits",
				 bits, format_name(format));
	if (!TIFFIsCODECConfigured(compression))
		return tiff_fail(f, page,
				 "compression %d, expected one that libtiff was built with",
				 compression);
	if (check_colours(f, page, compression) != 0)
		return -1;
	if (page <= like) {
		f->width = width;
		f->height = height;
		f->type = type;
		f->samples = samples;
	}
	if (width != f->width || height != f->height)
		return tiff_fail(f, page, "%u x %u pixels, expected %u x %u like page %zu", height,
				 width, f->height, f->width, like + 1);
	if (type != f->type || samples != f->samples)
		return tiff_fail(f, page, "%d samples of %s, expected %d of %s like page %zu",
				 samples, dtype_name(type), f->samples, dtype_name(f->type),
				 like + 1);
	bytes = mem_mul(mem_mul(width, height), samples * dtype_size(type));
	hold = mem_mul(f->len, expansion(f->tif));
	if (bytes > hold || *need > hold - bytes)
		return tiff_fail(
			f, page,
			"%u x %u pixels, expected no more than a file of %zu bytes can hold",
			height, width, f->len);
	*need += bytes;
	return 0;
}

/* ImageJ writes a stack beyond 4 GiB as one directory, with all pages dense after the first. */
static void find_virtual_pages(struct tiff_file *f)
{
	const char *s = f->description && strncmp(f->description, "ImageJ=", 7) == 0
				? strstr(f->description, "\nimages=")
				: NULL;
	size_t images = s ? strtoul(s + 8, NULL, 10) : 0;
	size_t bytes = mem_mul(mem_mul(f->width, f->height), dtype_size(f->type));
	uint16_t compression = COMPRESSION_NONE;
	uint64_t *offset = NULL;

	TIFFGetFieldDefaulted(f->tif, TIFFTAG_COMPRESSION, &compression);
	if (f->pages != 1 || images < 2 || f->samples != 1 || compression != COMPRESSION_NONE ||
	    TIFFIsTiled(f->tif) || !TIFFGetField(f->tif, TIFFTAG_STRIPOFFSETS, &offset) || !offset)
		return;
	if (offset[0] == 0 || offset[0] > f->len || mem_mul(images, bytes) > f->len - offset[0] ||
	    (f->page[0] > offset[0] && f->page[0] < offset[0] + images * bytes))
		return;
	f->virtual_data = offset[0];
	f->pages = images;
	f->page = mem_grow(f->page, images, sizeof *f->page);
	for (size_t i = 1; i < images; i++)
		f->page[i] = f->page[0];
}

/* libtiff takes a directory whose link to the next one is cut off for the last one. */
static bool link_is_there(struct tiff_file *f)
{
	uint64_t at = TIFFCurrentDirOffset(f->tif), entries, size;
	unsigned char n[8] = { 0 };
	bool big = TIFFIsBigTIFF(f->tif), swap = TIFFIsBigEndian(f->tif);
	size_t width = big ? 8 : 2;

	if (at > f->len || f->len - at < width || tiff_bytes(f, at, n, width) != 0)
		return false;
	entries = 0;
	for (size_t i = 0; i < width; i++)
		entries |= (uint64_t)n[swap ? width - 1 - i : i] << (8 * i);
	size = entries * (big ? 20 : 12) + (big ? 16 : 6);
	return entries < 65536 && size <= f->len - at;
}

int tiff_scan(struct tiff_file *f, size_t first, size_t last)
{
	size_t cap = 0, need = 0;
	char *text = NULL;

	if (TIFFGetField(f->tif, TIFFTAG_IMAGEDESCRIPTION, &text) && text)
		f->description = mem_strdup(text);
	if (!TIFFGetField(f->tif, TIFFTAG_XRESOLUTION, &f->resolution))
		f->resolution = 0;
	TIFFGetFieldDefaulted(f->tif, TIFFTAG_RESOLUTIONUNIT, &f->unit);
	for (;;) {
		/* the only directory may stand for the many pages of ImageJ */
		bool chosen = (f->pages >= first && f->pages <= last) ||
			      (f->pages == 0 && TIFFLastDirectory(f->tif));

		if (chosen && check_page(f, first, &need) != 0)
			return -1;
		if (f->pages == cap) {
			cap = 2 * cap + 16;
			f->page = mem_grow(f->page, cap, sizeof *f->page);
		}
		f->page[f->pages++] = TIFFCurrentDirOffset(f->tif);
		if (!link_is_there(f))
			return tiff_fail(f, f->pages - 1, "truncated directory");
		if (TIFFLastDirectory(f->tif))
			break;
		f->message[0] = '\0';
		if (!TIFFReadDirectory(f->tif))
			return tiff_fail(f, f->pages, "corrupt directory");
	}
	if (f->why) /* libtiff does without some fields it cannot read */
		return tiff_fail(f, 0, "unreadable");
	find_virtual_pages(f);
	return 0;
}

int tiff_go(struct tiff_file *f, size_t page)
{
	uint16_t compression = COMPRESSION_NONE;

	f->message[0] = '\0';
	if (TIFFCurrentDirOffset(f->tif) != f->page[page] &&
	    !TIFFSetSubDirectory(f->tif, f->page[page]))
		return tiff_fail(f, page, "corrupt directory");
	/* a property of the open directory, not of the file: it has to be set again */
	TIFFGetFieldDefaulted(f->tif, TIFFTAG_COMPRESSION, &compression);
	return check_colours(f, page, compression);
}

/* ---- pixels */

/* Every samples-th element from src to dst. */
static void pick(void *dst, const void *src, size_t n, size_t size, size_t samples)
{
	if (samples == 1) {
		memcpy(dst, src, n * size);
		return;
	}
	for (size_t i = 0; i < n; i++)
		memcpy((char *)dst + i * size, (const char *)src + i * samples * size, size);
}

static int read_strips(struct tiff_file *f, size_t page, uint16_t sample, bool planar, char *dst)
{
	size_t size = dtype_size(f->type), per_pixel = planar ? 1 : f->samples;
	size_t row = (size_t)f->width * size, stored = row * per_pixel;
	uint32_t rows = 0, strips;
	char *buf = NULL;
	int rc = -1;

	TIFFGetFieldDefaulted(f->tif, TIFFTAG_ROWSPERSTRIP, &rows);
	if (rows == 0 || rows > f->height)
		rows = f->height;
	strips = (f->height - 1) / rows + 1;
	if ((size_t)TIFFScanlineSize(f->tif) != stored ||
	    TIFFNumberOfStrips(f->tif) < strips * (planar ? f->samples : 1u))
		return tiff_fail(f, page, "rows of %zu bytes in %u strips, expected %zu in %u",
				 (size_t)TIFFScanlineSize(f->tif), TIFFNumberOfStrips(f->tif),
				 stored, strips);
	if (per_pixel > 1) {
		buf = mem_try(f->path, rows, stored);
		if (!buf)
			return -1;
	}
	for (uint32_t s = 0; s < strips; s++) {
		uint32_t n = s + 1 < strips ? rows : f->height - s * rows;
		char *to = dst + (size_t)s * rows * row;
		tmsize_t want = (tmsize_t)(n * stored);

		if (TIFFReadEncodedStrip(f->tif, planar ? sample * strips + s : s, buf ? buf : to,
					 want) != want) {
			tiff_fail(f, page, "truncated or corrupt strip %u", s + 1);
			goto done;
		}
		if (buf)
			pick(to, buf + sample * size, (size_t)n * f->width, size, per_pixel);
	}
	rc = 0;
done:
	free(buf);
	return rc;
}

static int read_tiles(struct tiff_file *f, size_t page, uint16_t sample, bool planar, char *dst)
{
	size_t size = dtype_size(f->type), per_pixel = planar ? 1 : f->samples;
	uint32_t tw = 0, th = 0;
	tmsize_t want;
	char *buf;
	int rc = -1;

	TIFFGetField(f->tif, TIFFTAG_TILEWIDTH, &tw);
	TIFFGetField(f->tif, TIFFTAG_TILELENGTH, &th);
	want = TIFFTileSize(f->tif);
	if (tw == 0 || th == 0 || want <= 0 ||
	    (size_t)want != mem_mul(mem_mul(tw, th), size * per_pixel) ||
	    (size_t)want > mem_mul(f->len, expansion(f->tif)))
		return tiff_fail(f, page,
				 "tiles of %u x %u pixels, expected no more than a file of %zu "
				 "bytes can hold",
				 th, tw, f->len);
	buf = mem_try(f->path, (size_t)want, 1);
	if (!buf)
		return -1;
	for (size_t y = 0; y < f->height; y += th)
		for (size_t x = 0; x < f->width; x += tw) {
			uint32_t tile = TIFFComputeTile(f->tif, (uint32_t)x, (uint32_t)y, 0,
							planar ? sample : 0);
			size_t w = f->width - x < tw ? f->width - x : tw,
			       h = f->height - y < th ? f->height - y : th;

			if (TIFFReadEncodedTile(f->tif, tile, buf, want) != want) {
				tiff_fail(f, page, "truncated or corrupt tile %u", tile + 1);
				goto done;
			}
			for (size_t r = 0; r < h; r++)
				pick(dst + ((y + r) * f->width + x) * size,
				     buf + (r * tw * per_pixel + (planar ? 0 : sample)) * size, w,
				     size, per_pixel);
		}
	rc = 0;
done:
	free(buf);
	return rc;
}

static int read_virtual(struct tiff_file *f, size_t page, char *dst)
{
	size_t size = dtype_size(f->type), n = (size_t)f->width * f->height;

	if (tiff_bytes(f, f->virtual_data + page * n * size, dst, n * size) != 0)
		return tiff_fail(f, page, "truncated or unreadable");
	if (TIFFIsByteSwapped(f->tif)) {
		if (size == 2)
			TIFFSwabArrayOfShort((uint16_t *)(void *)dst, (tmsize_t)n);
		else if (size == 4)
			TIFFSwabArrayOfLong((uint32_t *)(void *)dst, (tmsize_t)n);
		else if (size == 8)
			TIFFSwabArrayOfLong8((uint64_t *)(void *)dst, (tmsize_t)n);
	}
	return 0;
}

int tiff_read_page(struct tiff_file *f, size_t page, uint16_t sample, void *dst)
{
	uint16_t planar = PLANARCONFIG_CONTIG;

	if (f->virtual_data)
		return read_virtual(f, page, dst);
	if (tiff_go(f, page) != 0)
		return -1;
	TIFFGetFieldDefaulted(f->tif, TIFFTAG_PLANARCONFIG, &planar);
	if ((TIFFIsTiled(f->tif) ? read_tiles : read_strips)(
		    f, page, sample, planar == PLANARCONFIG_SEPARATE, dst) != 0)
		return -1;
	return f->why ? tiff_fail(f, page, "unreadable") : 0;
}
