/* lib/io/tiffio.h: TIFF stacks in and out (libtiff): classic and BigTIFF, strips and tiles, any compression, either byte order, "-" for
 * stdin (read to memory first) and stdout.  common.md section 2 and 5 are the contract; sizes are checked against the file's
 * length before anything is allocated. */
#ifndef IO_TIFFIO_H
#define IO_TIFFIO_H

#include "base/array.h"

/* What the file says of itself (OME-XML, ImageJ description, resolution tags), 0 or "" where it says nothing. */
struct tiff_meta {
	double pixel_um;	/* x spacing */
	double z_step_um;
	size_t size_c, size_z, size_t_;	/* 0: unknown; product equals the pages when known */
	char axes[8];		/* page axes, slow to fast, of the pages read, e.g. "TCZ"; "" unknown */
	char *provenance;	/* the "scopeline=" part of ImageDescription (see tiff_write), NULL if none; owned */
};
void tiff_meta_clear(struct tiff_meta *m);

struct tiff_select {
	long first, last;	/* 1-based pages of --pages A-B; 0,0: all */
	long channel;		/* 1-based --channel; 0: not given.  Of a multi-sample page, or of axis C of a hyperstack */
	const char *axes;	/* --axes override, NULL: from the file */
};

/* Shape and type only (a is filled but for data); reads every page's header.  0, or -1 after reporting. */
int tiff_probe(const char *path, const struct tiff_select *s, struct array *a, struct tiff_meta *m);
/* The pages, in native type.  a and m are the caller's, cleared on failure.  Stage "read". m may be NULL. */
int tiff_read(const char *path, const struct tiff_select *s, struct array *a, struct tiff_meta *m);
/* Labels: u8, u16, u32, i32 >= 0 to u32 in a; a negative or a float is an error naming page and value. */
int tiff_read_labels(const char *path, const struct tiff_select *s, struct array *a, struct tiff_meta *m);

enum tiff_compress { TIFF_NONE, TIFF_DEFLATE, TIFF_ZSTD };
struct tiff_out {
	enum tiff_compress compress;
	bool predictor_float;
	double pixel_um, z_step_um;	/* 0: not written */
	const char *provenance;		/* text after the ImageJ header: program, version, device, command line, inputs; see provenance_text */
	int threads;			/* strips compressed in parallel */
};
/* Writes a (any dtype) atomically; BigTIFF above 4 GiB.  Same arguments, same bytes.  0, or -1 after reporting.  Stage "write". */
int tiff_write(const char *path, const struct array *a, const struct tiff_out *o);

/* Is there a complete TIFF at path whose provenance equals text?  1 yes, 0 no (absent, unreadable, other).  Never reports. */
int tiff_made_by(const char *path, const char *provenance);

#endif
