/* lib/io/tiffio.h: TIFF stacks in and out (libtiff): classic and BigTIFF, strips and tiles, any
 * compression, either byte order, "-" for stdin (read to memory first) and stdout.  Sizes are
 * checked against what a file of its length can hold before anything is allocated; a message names
 * file and page. */
#ifndef IO_TIFFIO_H
#define IO_TIFFIO_H

#include "base/array.h"

/* What the file says of itself (OME-XML, ImageJ description, resolution tags), 0 or "" where it
 * says nothing. */
struct tiff_meta {
	double pixel_um; /* x spacing */
	double z_step_um;
	/* of the pages read; 0: unknown; the product equals the pages when known */
	size_t size_c, size_z, size_t_;
	/* page axes longer than 1, slow to fast, of the pages read; "": one page, unknown */
	char axes[8];
	/* ImageDescription from "scopeline=" on (see tiff_write) up to its section, NULL if none;
	 * owned */
	char *provenance;
	/* ImageDescription from its first line that begins with '[' on, NULL if none; owned */
	char *section;
	size_t pages; /* of the whole file */
};
void tiff_meta_clear(struct tiff_meta *m);

struct tiff_select {
	/* 1-based pages of the file, of --pages A-B; 0,0: all.  Pages beside them may be of any
	 * size and type */
	long first, last;
	/* 1-based --channel, of a page of several samples or of axis C; 0: not given */
	long channel;
	/* --axes, page axes slow to fast, "TCZ" or "TCZYX"; NULL: from the file.  One letter
	 * takes all pages; several take their sizes from the file, -1 if it does not say them */
	const char *axes;
	bool from_zero; /* messages count channels from 0: the tool's --channel does */
	/* of a pipe: its bytes stay for one more reading */
	bool keep;
};

/* s may be NULL: all pages, one sample per pixel.  Resolution tags alone, without OME-XML or
 * ImageJ's unit, count as a pixel size only below 20 um: above, they are dots per inch of a
 * printer.
 * Shape and type only (a is filled but for data); reads every page's header.  0, or -1
 * after reporting. */
int tiff_probe(const char *path, const struct tiff_select *s, struct array *a, struct tiff_meta *m);
/* The pages, in native type.  a and m are the caller's, cleared on failure.  m may be NULL. */
int tiff_read(const char *path, const struct tiff_select *s, struct array *a, struct tiff_meta *m);
/* The same page by page, for stacks larger than memory: shape and meta as tiff_probe, then
 * tiff_in_page(in, i, to) reads page i of those chosen, in native type, to [ny][nx].  NULL or -1
 * after reporting.  One thread at a time. */
struct tiff_in;
struct tiff_in *tiff_in_open(const char *path, const struct tiff_select *s, struct array *shape,
			     struct tiff_meta *m);
int tiff_in_page(struct tiff_in *in, size_t page, void *to);
void tiff_in_close(struct tiff_in *in); /* fine on NULL */
/* Labels: u8, u16, u32, i32 >= 0 to u32 in a; a negative or a float is an error naming page and
 * value. */
int tiff_read_labels(const char *path, const struct tiff_select *s, struct array *a,
		     struct tiff_meta *m);

enum tiff_compress { TIFF_NONE, TIFF_DEFLATE, TIFF_ZSTD };
struct tiff_out {
	enum tiff_compress compress;
	bool predictor_float;	    /* with a compression and floating-point pixels only */
	double pixel_um, z_step_um; /* 0: not written */
	/* of provenance_text, follows the ImageJ header of ImageDescription; NULL: none */
	const char *provenance;
	/* lines behind the provenance, the first of them "[NAME]", each ending in a line end; NULL:
	 * none */
	const char *section;
	/* the pages are no stack, and a section's "channels = 8" must not be taken for ImageJ's: no
	 * such header.  Nor has a file of pages of several sizes one */
	bool no_imagej;
	int threads;		    /* strips compressed in parallel; 0: all online */
};
/* Writes a (any dtype) atomically; BigTIFF above 4 GiB.  Same arguments, same bytes, whatever the
 * threads.  The pixel size stands in the resolution tags (per cm) and, exactly, in a line pixel_um
 * of the description.  0, or -1 after reporting. */
int tiff_write(const char *path, const struct array *a, const struct tiff_out *o);
/* The same with the pages of levels[n] one after another, each level of a size of its own; to be
 * read back level by level, by tiff_select. */
int tiff_write_levels(const char *path, const struct array *levels, size_t n,
		      const struct tiff_out *o);

/* The same page by page: the type and the sizes of shape are those of the whole file, `pages` holds n
 * further pages.  tiff_sink_commit takes as many as the shape has, tiff_sink_abort leaves no file
 * (fine on NULL); both free.  NULL or -1 after reporting; the strings of o are the caller's until then.
 * One thread at a time. */
struct tiff_sink;
struct tiff_sink *tiff_sink_open(const char *path, const struct array *shape,
				 const struct tiff_out *o);
/* The same for the pages of levels[n] (whose data is not looked at) one after another: tiff_sink_level says that the next level's pages
 * follow. */
struct tiff_sink *tiff_sink_open_levels(const char *path, const struct array *levels, size_t n,
					const struct tiff_out *o);
int tiff_sink_level(struct tiff_sink *s, const struct array *shape);
int tiff_sink_put(struct tiff_sink *s, const void *pages, size_t n);
int tiff_sink_commit(struct tiff_sink *s);
void tiff_sink_abort(struct tiff_sink *s);

/* Is there a complete TIFF at path whose provenance equals text?  1 yes, 0 no (absent, unreadable,
 * other).  Never reports. */
int tiff_made_by(const char *path, const char *provenance);

#endif
