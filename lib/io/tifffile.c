#include "io/tifffile.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "io/source.h"

/* ---- libtiff's view of the file: a descriptor or memory, read only */

int tiff_bytes(struct tiff_file *f, uint64_t at, void *to, size_t n)
{
	if (at > f->len || n > f->len - at)
		return -1;
	if (f->bytes) {
		memcpy(to, f->bytes + at, n);
		return 0;
	}
	for (size_t got = 0; got < n;) {
		ssize_t k = pread(f->fd, (char *)to + got, n - got, (off_t)(at + got));

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			f->why = errno;
		if (k <= 0)
			return -1;
		got += (size_t)k;
	}
	return 0;
}

static tmsize_t on_read(thandle_t handle, void *buf, tmsize_t n)
{
	struct tiff_file *f = (struct tiff_file *)handle;
	size_t want = (size_t)n;

	if (f->at >= f->len || n <= 0)
		return 0;
	if (want > f->len - f->at)
		want = f->len - f->at;
	if (tiff_bytes(f, f->at, buf, want) != 0)
		return -1;
	f->at += want;
	return (tmsize_t)want;
}

static tmsize_t on_write(thandle_t handle, void *buf, tmsize_t n)
{
	(void)handle, (void)buf, (void)n;
	return -1;
}

static toff_t on_seek(thandle_t handle, toff_t to, int whence)
{
	struct tiff_file *f = (struct tiff_file *)handle;

	f->at = (size_t)to + (whence == SEEK_CUR ? f->at : whence == SEEK_END ? f->len : 0);
	return f->at;
}

static int on_close(thandle_t handle)
{
	(void)handle;
	return 0;
}

static toff_t on_size(thandle_t handle)
{
	return ((struct tiff_file *)handle)->len;
}

__attribute__((format(printf, 4, 0))) static int on_error(TIFF *tif, void *user, const char *module,
							  const char *fmt, va_list ap)
{
	struct tiff_file *f = user;
	size_t n = strlen(f->path);

	(void)tif, (void)module;
	if (f->message[0])
		return 1;
	vsnprintf(f->message, sizeof f->message, fmt, ap);
	if (strncmp(f->message, f->path, n) == 0 &&
	    strncmp(f->message + n, ": ", 2) == 0) /* is said anyway */
		memmove(f->message, f->message + n + 2, strlen(f->message + n + 2) + 1);
	return 1;
}

__attribute__((format(printf, 4, 0))) static int
on_warning(TIFF *tif, void *user, const char *module, const char *fmt, va_list ap)
{
	struct tiff_file *f = user;
	char text[200];

	(void)tif, (void)module;
	if (!f->silent && verbosity >= VERBOSE) {
		vsnprintf(text, sizeof text, fmt, ap);
		info("'%s': libtiff: %s", f->path, text);
	}
	return 1;
}

/* ---- opening */

static bool has_magic(struct tiff_file *f)
{
	static const char magic[4][4] = {
		{ 'I', 'I', 42, 0 }, { 'M', 'M', 0, 42 }, { 'I', 'I', 43, 0 }, { 'M', 'M', 0, 43 }
	};
	char head[4] = "";

	if (tiff_bytes(f, 0, head, 4) != 0)
		return false;
	for (int i = 0; i < 4; i++)
		if (memcmp(head, magic[i], 4) == 0)
			return true;
	return false;
}

int tiff_open(struct tiff_file *f, const char *path, bool silent)
{
	TIFFOpenOptions *options = NULL;
	int rc = -1;

	*f = (struct tiff_file){ .path = path, .fd = -1, .silent = silent };
	if (source_open(path, &f->fd, &f->bytes, &f->len) != 0)
		return -1;
	if (!has_magic(f)) {
		if (f->why)
			return tiff_fail(f, 0, "unreadable");
		if (!silent)
			error("'%s': not a TIFF, expected one", path);
		return -1;
	}
	options = TIFFOpenOptionsAlloc();
	if (!options)
		return error("'%s': out of memory", path);
	/* what libtiff takes for itself is bounded by the file, and a tile or row of moderate size
	 * that packs well */
	TIFFOpenOptionsSetMaxSingleMemAlloc(options, (tmsize_t)(f->len + ((size_t)256 << 20)));
	TIFFOpenOptionsSetErrorHandlerExtR(options, on_error, f);
	TIFFOpenOptionsSetWarningHandlerExtR(options, on_warning, f);
	/* m: no mapping, so that a file cut while it is read is an error and no SIGBUS; c: large
	 * strips are read in one go */
	f->tif = TIFFClientOpenExt(path, "rmc", (thandle_t)f, on_read, on_write, on_seek, on_close,
				   on_size, NULL, NULL, options);
	if (!f->tif)
		tiff_fail(f, 0, "corrupt directory");
	else
		rc = 0;
	TIFFOpenOptionsFree(options);
	return rc;
}

void tiff_close(struct tiff_file *f, bool keep)
{
	if (f->tif)
		TIFFClose(f->tif);
	if (f->fd >= 0)
		close(f->fd);
	if (keep && f->bytes)
		source_keep(f->path, f->bytes, f->len);
	else
		free(f->bytes);
	free(f->page);
	free(f->description);
	*f = (struct tiff_file){ .fd = -1 };
}

int tiff_fail(struct tiff_file *f, size_t page, const char *fmt, ...)
{
	char text[300];
	va_list ap;

	if (f->silent)
		return -1;
	if (f->why)
		return error("'%s': page %zu: cannot read: %s", f->path, page + 1,
			     strerror(f->why));
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	f->message[strcspn(f->message, "\n")] = '\0';
	return error("'%s': page %zu: %s%s%s", f->path, page + 1, text, f->message[0] ? ": " : "",
		     f->message);
}
