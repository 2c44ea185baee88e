/* bin/ptycho_scan.h: the positions of a scan: a CSV in, windows in object pixels, the refined CSV
 * out (spec: inputs).  It stands here because lib/ptycho knows no files and lib/io no scans. */
#ifndef BIN_PTYCHO_SCAN_H
#define BIN_PTYCHO_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "io/csvio.h"

struct scan_opts {
	int axis[2];	     /* of --xy: what row and column are: +-1 x, +-2 y */
	double scale[2];     /* row, column; about the mean, before the rotation */
	double rotation_rad; /* from the column's axis to the row's */
	double pixel_m;	     /* of the object; 0: from the next */
	double wavelength_m, distance_m, detector_pixel_m; /* 0: not known */
	bool subset; /* a column frame may name only some pages */
};

struct scan {
	struct csv csv;
	size_t pages, x, y; /* pages of the stack; columns of the pair */
	long i0;	    /* column of --normalise, -1: none */
	double unit_m;	    /* of the pair; 0: object pixels */
	size_t *page;	    /* [rows] */
	bool *named;	    /* [pages] has a row */
	size_t *row;	    /* [pages] where named */
	double (*raw)[2];   /* [pages] x, y as they stand */
	double (*pos)[2];   /* [pages] row, column in object pixels, after scan_pixels; 0 where not
			       named */
	double pixel_m;	    /* after scan_pixels; 0: not known */
};

/* "x,y", "-y,x" ...: how column and row follow.  0, or -1 after reporting (usage). */
int scan_axes(const char *text, int axis[2]);

/* Reads and checks a table for a stack of so many pages; i0: column that must be there too, NULL:
 * none.  0, or -1 after reporting; scan_clear is fine in every case. */
int scan_read(const char *path, size_t pages, const struct scan_opts *o, const char *i0,
	      struct scan *s);
void scan_clear(struct scan *s);

/* Fills i0 [pages], NAN where not named.  0, or -1 after reporting. */
int scan_i0(const struct scan *s, double *i0);

/* Object pixel for frames of side n, and positions in it.  0, or -1 after reporting that lengths
 * need a pixel size. */
int scan_pixels(struct scan *s, const struct scan_opts *o, size_t n);

/* The table with x and y moved by moved [pages] (row, column, object pixels; NAN: not used), and
 * columns dx_px, dy_px.  0 or -1. */
int scan_write(const char *path, const struct scan *s, const struct scan_opts *o,
	       const double (*moved)[2]);

#endif
