/* Writing TIFF stacks: strips, compressed side by side and written in order. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <tiffio.h>
#include <zlib.h>
#include <zstd.h>

#include "base/die.h"
#include "base/mem.h"
#include "base/team.h"
#include "io/out.h"
#include "io/tiffio.h"

enum { STRIP_BYTES = 256 << 10, DEFLATE_LEVEL = 6, ZSTD_LEVEL = 5, STRIPS_AT_ONCE = 64 };

struct writer {
	const char *path;
	const struct array *a;
	const struct tiff_out *o;
	const void *data; /* of the pages now written */
	bool several;	  /* sizes of pages: no stack that ImageJ knows */
	int fd, threads;
	/* Uncompressed pages lie one behind the other and all directories behind them, as ImageJ
	 * writes a stack: tifffile takes stacks of ImageJ's for that without looking at the second
	 * directory.  So libtiff, which appends, is shown two ends. */
	bool contiguous;
	off_t at, end_data, end_dirs;
	off_t *end; /* that in use; NULL: the file's own */
	TIFF *tif;
	char message[200];
	size_t row_bytes, rows, strips; /* rows per strip, strips per page */
	bool predict;
	char *packed[STRIPS_AT_ONCE]; /* [packed_cap] each */
	size_t packed_len[STRIPS_AT_ONCE], packed_cap;
};

/* ---- libtiff's view of the temporary */

static tmsize_t on_read(thandle_t handle, void *buf, tmsize_t n)
{
	struct writer *w = (struct writer *)handle;
	ssize_t k;

	do
		k = pread(w->fd, buf, (size_t)n, w->at);
	while (k < 0 && errno == EINTR);
	if (k < 0 && !w->message[0])
		snprintf(w->message, sizeof w->message, "cannot read back: %s", strerror(errno));
	w->at += k > 0 ? k : 0;
	return k;
}

static tmsize_t on_write(thandle_t handle, void *buf, tmsize_t n)
{
	struct writer *w = (struct writer *)handle;
	tmsize_t put = 0;

	while (put < n) {
		ssize_t k = pwrite(w->fd, (const char *)buf + put, (size_t)(n - put), w->at);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0) {
			if (!w->message[0])
				snprintf(w->message, sizeof w->message, "%s", strerror(errno));
			return -1;
		}
		put += k;
		w->at += k;
	}
	if (w->end && *w->end < w->at)
		*w->end = w->at;
	return put;
}

static toff_t on_seek(thandle_t handle, toff_t to, int whence)
{
	struct writer *w = (struct writer *)handle;
	struct stat st = { 0 };

	if (whence == SEEK_END && w->end)
		st.st_size = *w->end;
	else if (whence == SEEK_END && fstat(w->fd, &st) != 0)
		return (toff_t)-1;
	w->at = (off_t)to + (whence == SEEK_CUR ? w->at : whence == SEEK_END ? st.st_size : 0);
	return (toff_t)w->at;
}

static int on_close(thandle_t handle)
{
	(void)handle;
	return 0;
}

static toff_t on_size(thandle_t handle)
{
	struct stat st;

	return fstat(((struct writer *)handle)->fd, &st) == 0 ? (toff_t)st.st_size : 0;
}

__attribute__((format(printf, 4, 0))) static int on_error(TIFF *tif, void *user, const char *module,
							  const char *fmt, va_list ap)
{
	struct writer *w = user;

	(void)tif, (void)module;
	if (!w->message[0])
		vsnprintf(w->message, sizeof w->message, fmt, ap);
	return 1;
}

/* ---- tags */

/* The shortest decimal that reads back as v. */
static void put_double(FILE *f, const char *key, double v)
{
	char s[40];

	for (int digits = 15; digits <= 17; digits++) {
		snprintf(s, sizeof s, "%.*g", digits, v);
		if (strtod(s, NULL) == v)
			break;
	}
	fprintf(f, "%s=%s\n", key, s);
}

/* What ImageJ knows; other lines it leaves alone. */
static void imagej_lines(const struct writer *w, FILE *f)
{
	const struct tiff_out *o = w->o;
	size_t pages = w->a->nz;

	if (w->several || o->no_imagej)
		return;
	fputs("ImageJ=1.54f\n", f);
	if (pages > 1)
		fprintf(f, "images=%zu\nslices=%zu\n", pages, pages);
	if (o->pixel_um > 0 || o->z_step_um > 0)
		fputs("unit=um\n", f);
	if (o->z_step_um > 0)
		put_double(f, "spacing", o->z_step_um);
	fputs("loop=false\n", f);
}

static char *description(const struct writer *w)
{
	const struct tiff_out *o = w->o;
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		die(EXIT_FAILED, "out of memory");
	imagej_lines(w, f);
	if (o->pixel_um > 0)
		put_double(f, "pixel_um", o->pixel_um);
	if (o->provenance)
		fputs(o->provenance, f);
	if (o->section)
		fputs(o->section, f);
	if (fclose(f) != 0)
		die(EXIT_FAILED, "out of memory");
	return text;
}

static int set_tags(struct writer *w, size_t page)
{
	static const uint16_t schemes[] = {
		[TIFF_NONE] = COMPRESSION_NONE,
		[TIFF_DEFLATE] = COMPRESSION_ADOBE_DEFLATE,
		[TIFF_ZSTD] = COMPRESSION_ZSTD,
	};
	const struct array *a = w->a;
	TIFF *t = w->tif;
	int format = a->type == DT_F32 || a->type == DT_F64 ? SAMPLEFORMAT_IEEEFP
		     : a->type == DT_I8 || a->type == DT_I16 || a->type == DT_I32
			     ? SAMPLEFORMAT_INT
			     : SAMPLEFORMAT_UINT;
	int good = TIFFSetField(t, TIFFTAG_IMAGEWIDTH, (uint32_t)a->nx) &&
		   TIFFSetField(t, TIFFTAG_IMAGELENGTH, (uint32_t)a->ny) &&
		   TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, (int)(8 * dtype_size(a->type))) &&
		   TIFFSetField(t, TIFFTAG_SAMPLEFORMAT, format) &&
		   TIFFSetField(t, TIFFTAG_SAMPLESPERPIXEL, 1) &&
		   TIFFSetField(t, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK) &&
		   TIFFSetField(t, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG) &&
		   TIFFSetField(t, TIFFTAG_ROWSPERSTRIP, (uint32_t)w->rows) &&
		   TIFFSetField(t, TIFFTAG_COMPRESSION, (int)schemes[w->o->compress]);

	if (w->predict)
		good = good && TIFFSetField(t, TIFFTAG_PREDICTOR, PREDICTOR_FLOATINGPOINT);
	if (w->o->pixel_um > 0)
		good = good && TIFFSetField(t, TIFFTAG_RESOLUTIONUNIT, RESUNIT_CENTIMETER) &&
		       TIFFSetField(t, TIFFTAG_XRESOLUTION, 1e4 / w->o->pixel_um) &&
		       TIFFSetField(t, TIFFTAG_YRESOLUTION, 1e4 / w->o->pixel_um);
	if (page == 0) {
		char *text = description(w);

		good = good && TIFFSetField(t, TIFFTAG_IMAGEDESCRIPTION, text);
		free(text);
	}
	return good ? 0 : -1;
}

/* ---- strips */

/* Floating-point predictor (Adobe Photoshop TIFF technical note 3): the bytes of a row by
 * significance, highest first, then differences along the row. */
static void predict_row(unsigned char *to, const unsigned char *from, size_t n, size_t size)
{
	const uint16_t one = 1;
	bool little = *(const unsigned char *)&one == 1;

	for (size_t i = 0; i < n; i++)
		for (size_t b = 0; b < size; b++)
			to[b * n + i] = from[i * size + (little ? size - 1 - b : b)];
	for (size_t i = n * size; i-- > 1;)
		to[i] = (unsigned char)(to[i] - to[i - 1]);
}

static size_t strip_rows(const struct writer *w, size_t strip)
{
	size_t first = strip % w->strips * w->rows;

	return w->a->ny - first < w->rows ? w->a->ny - first : w->rows;
}

/* Strips are numbered through the pages that are written in one go. */
static const char *strip_data(const struct writer *w, size_t strip)
{
	return (const char *)w->data +
	       (strip / w->strips * w->a->ny + strip % w->strips * w->rows) * w->row_bytes;
}

/* Packs one strip into w->packed[slot]; 0 or -1. */
static int pack(struct writer *w, size_t strip, size_t slot)
{
	size_t rows = strip_rows(w, strip), bytes = rows * w->row_bytes;
	const char *from = strip_data(w, strip);
	unsigned char *predicted = NULL;
	int rc = 0;

	if (w->predict) {
		predicted = malloc(bytes);
		if (!predicted)
			return -1;
		for (size_t r = 0; r < rows; r++)
			predict_row(predicted + r * w->row_bytes,
				    (const unsigned char *)from + r * w->row_bytes, w->a->nx,
				    dtype_size(w->a->type));
		from = (const char *)predicted;
	}
	if (w->o->compress == TIFF_DEFLATE) {
		uLongf len = w->packed_cap;

		rc = compress2((Bytef *)w->packed[slot], &len, (const Bytef *)from, bytes,
			       DEFLATE_LEVEL) == Z_OK
			     ? 0
			     : -1;
		w->packed_len[slot] = len;
	} else {
		w->packed_len[slot] =
			ZSTD_compress(w->packed[slot], w->packed_cap, from, bytes, ZSTD_LEVEL);
		rc = ZSTD_isError(w->packed_len[slot]) ? -1 : 0;
	}
	free(predicted);
	return rc;
}

struct packing {
	struct writer *w;
	size_t from;
	bool *failed;
};

static void pack_one(void *context, size_t i, int member)
{
	struct packing *p = context;

	(void)member;
	p->failed[i] = pack(p->w, p->from + i, i) != 0;
}

/* Packs strips [from, from + n), n <= STRIPS_AT_ONCE; what a strip becomes does not depend on the
 * thread that packs it. */
static int pack_all(struct writer *w, size_t from, size_t n)
{
	bool failed[STRIPS_AT_ONCE] = { false };
	struct packing p = { w, from, failed };

	team_run(w->threads, n, pack_one, &p);
	for (size_t i = 0; i < n; i++)
		if (failed[i])
			return -1;
	return 0;
}

/* The next n pages of the file, of which `before` stand already. */
static int write_pages(struct writer *w, size_t before, size_t n)
{
	size_t total = n * w->strips;

	for (size_t s = 0; s < total; s++) {
		size_t slot = s % STRIPS_AT_ONCE, left = total - s,
		       bytes = strip_rows(w, s) * w->row_bytes;
		const char *data = strip_data(w, s);

		if (s % w->strips == 0 && set_tags(w, before + s / w->strips) != 0)
			return -1;
		if (w->o->compress != TIFF_NONE) {
			if (slot == 0 &&
			    pack_all(w, s, left < STRIPS_AT_ONCE ? left : STRIPS_AT_ONCE) != 0)
				return -1;
			data = w->packed[slot];
			bytes = w->packed_len[slot];
		}
		w->end = w->contiguous ? &w->end_data : NULL;
		if (TIFFWriteRawStrip(w->tif, (uint32_t)(s % w->strips), (void *)(uintptr_t)data,
				      (tmsize_t)bytes) < 0)
			return -1;
		w->end = w->contiguous ? &w->end_dirs : NULL;
		if ((s + 1) % w->strips == 0 && !TIFFWriteDirectory(w->tif))
			return -1;
	}
	return 0;
}

/* Rows per strip, buffers; -1 after reporting. */
static int plan(struct writer *w)
{
	const struct array *a = w->a;
	size_t bytes;

	if (array_count(a) == 0 || a->nx > UINT32_MAX || a->ny > UINT32_MAX)
		return error(
			"'%s': %zu pages of %zu x %zu pixels, expected some and none beyond 2^32",
			w->path, a->nz, a->ny, a->nx);
	w->row_bytes = a->nx * dtype_size(a->type);
	w->rows = STRIP_BYTES / w->row_bytes;
	w->rows = w->rows < 1 ? 1 : w->rows > a->ny ? a->ny : w->rows;
	w->strips = (a->ny - 1) / w->rows + 1;
	w->predict = w->o->predictor_float && w->o->compress != TIFF_NONE &&
		     (a->type == DT_F32 || a->type == DT_F64);
	w->threads = w->o->threads > 0 ? w->o->threads : (int)sysconf(_SC_NPROCESSORS_ONLN);
	if (w->o->compress == TIFF_NONE)
		return 0;
	bytes = w->rows * w->row_bytes;
	w->packed_cap = compressBound(bytes) > ZSTD_compressBound(bytes)
				? compressBound(bytes)
				: ZSTD_compressBound(bytes);
	for (size_t i = 0; i < STRIPS_AT_ONCE && i < a->nz * w->strips; i++) {
		free(w->packed[i]);
		w->packed[i] = mem_try(w->path, w->packed_cap, 1);
		if (!w->packed[i])
			return -1;
	}
	return 0;
}

struct tiff_sink {
	struct writer w;
	struct array shape;
	struct tiff_out o;
	struct out *out;
	char *path;
	size_t pages, done;
};

/* directories: some 300 bytes and 16 for each strip; 32-bit offsets have to reach the last of
 * them */
static size_t bytes_needed(const struct writer *w)
{
	return array_bytes(w->a) + w->a->nz * (1024 + 16 * w->strips);
}

static int open_writer(struct writer *w, struct out *out, size_t bytes)
{
	TIFFOpenOptions *options = TIFFOpenOptionsAlloc();

	if (!options)
		return -1;
	TIFFOpenOptionsSetErrorHandlerExtR(options, on_error, w);
	TIFFOpenOptionsSetWarningHandlerExtR(options, on_error, w);
	w->fd = out_fd(out);
	w->tif =
		TIFFClientOpenExt(w->path, bytes > UINT32_MAX ? "w8m" : "wm", (thandle_t)w, on_read,
				  on_write, on_seek, on_close, on_size, NULL, NULL, options);
	TIFFOpenOptionsFree(options);
	w->contiguous = !w->several && w->o->compress == TIFF_NONE;
	w->end_data = bytes > UINT32_MAX ? 16 : 8; /* behind the header */
	w->end_dirs = w->end_data + (off_t)array_bytes(w->a);
	return w->tif ? 0 : -1;
}

static int cannot_write(const struct writer *w)
{
	return error("'%s': cannot write: %s", w->path,
		     w->message[0] ? w->message : "out of memory");
}

/* Pages of the sizes of levels[n]; ready for those of the first. */
static struct tiff_sink *sink_open(const char *path, const struct array *levels, size_t n,
				   const struct tiff_out *o)
{
	static const struct tiff_out plain;
	struct tiff_sink *s = mem_new(1, sizeof *s);
	size_t bytes = 1 << 20;

	s->path = mem_strdup(path);
	s->o = o ? *o : plain;
	s->w = (struct writer){ .path = s->path, .a = &s->shape, .o = &s->o, .several = n > 1 };
	if (s->o.section)
		bytes += strlen(s->o.section);
	for (size_t l = n; l-- > 0;) {
		s->shape = levels[l];
		if (plan(&s->w) != 0)
			goto fail;
		bytes += bytes_needed(&s->w);
		s->pages += levels[l].nz;
	}
	s->out = out_open(path);
	if (!s->out)
		goto fail;
	if (open_writer(&s->w, s->out, bytes) == 0)
		return s;
	cannot_write(&s->w);
fail:
	tiff_sink_abort(s);
	return NULL;
}

struct tiff_sink *tiff_sink_open(const char *path, const struct array *shape,
				 const struct tiff_out *o)
{
	return sink_open(path, shape, 1, o);
}

struct tiff_sink *tiff_sink_open_levels(const char *path, const struct array *levels, size_t n,
					const struct tiff_out *o)
{
	return sink_open(path, levels, n, o);
}

int tiff_sink_level(struct tiff_sink *s, const struct array *shape)
{
	s->shape = *shape;
	return s->done > 0 ? plan(&s->w) : 0;
}

int tiff_sink_put(struct tiff_sink *s, const void *pages, size_t n)
{
	s->w.data = pages;
	if (write_pages(&s->w, s->done, n) != 0 || s->w.message[0])
		return cannot_write(&s->w);
	s->done += n;
	return 0;
}

int tiff_sink_commit(struct tiff_sink *s)
{
	int rc = -1;

	TIFFClose(s->w.tif);
	s->w.tif = NULL;
	if (s->done != s->pages || s->w.message[0]) {
		cannot_write(&s->w);
	} else {
		rc = out_commit(s->out);
		s->out = NULL;
	}
	tiff_sink_abort(s);
	return rc;
}

void tiff_sink_abort(struct tiff_sink *s)
{
	if (!s)
		return;
	if (s->w.tif)
		TIFFClose(s->w.tif);
	out_abort(s->out);
	for (size_t i = 0; i < STRIPS_AT_ONCE; i++)
		free(s->w.packed[i]);
	free(s->path);
	free(s);
}

int tiff_write_levels(const char *path, const struct array *levels, size_t n,
		      const struct tiff_out *o)
{
	struct tiff_sink *s = sink_open(path, levels, n, o);

	if (!s)
		return -1;
	for (size_t l = 0; l < n; l++) {
		if (tiff_sink_level(s, &levels[l]) != 0 ||
		    tiff_sink_put(s, levels[l].data, levels[l].nz) != 0) {
			tiff_sink_abort(s);
			return -1;
		}
	}
	return tiff_sink_commit(s);
}

int tiff_write(const char *path, const struct array *a, const struct tiff_out *o)
{
	return tiff_write_levels(path, a, 1, o);
}
