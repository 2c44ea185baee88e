/* lib/io/pngio.h: 8-bit PNG previews: percentiles 2 to 98, a colour map, a colour bar with unit and
 * a scale bar in the margin, NaN transparent. */
#ifndef IO_PNGIO_H
#define IO_PNGIO_H

#include "base/array.h"

enum colour_map { MAP_GREY, MAP_PHASE }; /* MAP_PHASE: diverging, for signed phase */
struct preview {
	enum colour_map map;
	const char *unit; /* "rad", "" none */
	double pixel_um;  /* 0: no scale bar */
};
/* The first page of a (any dtype) to path, atomically.  Images wider or higher than 2048 are
 * averaged down by a whole factor.  0 or -1. */
int png_preview(const char *path, const struct array *a, const struct preview *p);

/* n pictures side by side, each with its margins as png_preview draws it; behind them, with points
 * > 0, the course of the positive ones of curve [points] on a logarithmic axis, headed by `title`.
 * 0 or -1. */
int png_panels(const char *path, const struct array *a, const struct preview *p, size_t n,
	       const char *title, const double *curve, size_t points);

#endif
