/* lib/io/tifffile.h: one open TIFF input behind libtiff, shared by the readers of this folder.
 * libtiff says nothing by itself: its first error of a page is kept in message, its warnings are
 * shown under --verbose. */
#ifndef IO_TIFFFILE_H
#define IO_TIFFFILE_H

#include <stdint.h>
#include <stdbool.h>
#include <stddef.h>
#include <tiffio.h>

#include "base/array.h"
#include "io/tiffio.h"

struct tiff_file {
	const char *path; /* the caller's */
	bool silent;	  /* tiff_fail says nothing */
	int fd;		  /* -1: in memory */
	char *bytes;	  /* NULL: in fd */
	size_t len, at;	  /* length, read position */
	TIFF *tif;
	char message[200];
	int why; /* errno of a read of fd that failed, and then nothing read is to be trusted; 0 */

	/* filled by tiff_scan */
	uint32_t width, height;
	enum dtype type;
	uint16_t samples; /* per pixel */
	uint64_t *page;	  /* [pages] offsets of directories; all the first one's when virtual */
	size_t pages;
	/* ImageJ's stacks beyond 4 GiB have one directory and dense pages from here; else 0 */
	uint64_t virtual_data;
	char *description;     /* of the first page, NULL: none; owned */
	float resolution;      /* x, pixels per unit, 0: none */
	uint16_t unit;	       /* RESUNIT_ */
};

/* Opens path and its first directory.  0, or -1 after reporting; tiff_close is fine then too. */
int tiff_open(struct tiff_file *f, const char *path, bool silent);
/* keep: the bytes of a pipe stay for the next tiff_open of the same path. */
void tiff_close(struct tiff_file *f, bool keep);

/* n bytes at a place of the file; 0, or -1 silently if they are not there or (see why) cannot be
 * read. */
int tiff_bytes(struct tiff_file *f, uint64_t at, void *to, size_t n);

/* Reads every directory and checks that the pages first..last (from 0) agree, have a type we take
 * and are no larger than the file can hold; the others may be anything.  0, or -1 after
 * reporting. */
int tiff_scan(struct tiff_file *f, size_t first, size_t last);
/* Makes page (from 0) current.  0 or -1 after reporting. */
int tiff_go(struct tiff_file *f, size_t page);
/* sample (from 0) of a page into dst [height][width]; 0 or -1 after reporting. */
int tiff_read_page(struct tiff_file *f, size_t page, uint16_t sample, void *dst);

/* "'path': page N: what: libtiff's own words" unless silent, or the reason in why, which comes
 * before whatever followed from it; page counts from 0.  Always -1. */
int tiff_fail(struct tiff_file *f, size_t page, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* What the scanned file says of itself, for all of its pages. */
void tiff_describe(const struct tiff_file *f, struct tiff_meta *m);

#endif
