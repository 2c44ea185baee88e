/* lib/ptycho/frames_prep.h: frames on their way to photons, shared by frames.c (pixels) and
 * frames_mean.c (what the mean frame tells).
 *
 * All steps up to the rejection are of one pixel at a time, in the layout of the file; orientation,
 * crop and shifts are a map from the cropped square to pixels of the file. */
#ifndef PTYCHO_FRAMES_PREP_H
#define PTYCHO_FRAMES_PREP_H

#include "ptycho/frames.h"

struct prep {
	const char *path;
	const struct array *pages;
	struct array *own; /* the same where its memory may be taken, else NULL */
	const struct frames_opts *o;
	size_t k, ny, nx, area;
	bool corner;
	double saturation, hot; /* INFINITY: off */
	bool *bad;		/* [area] invalid in every frame */
	double *dark, *divisor; /* [area] or NULL */
	double *factor;		/* [k] */
	double *total;		/* [k] before rejection */
	double *mean, *count;	/* [area] over frames in use, and how many are valid */
	bool counts; /* u16 that stays as it is, up to most: the quick way of all loops */
	uint16_t most;
	size_t side; /* of the cropped square, before binning */
	size_t *map; /* [side][side], centred, pixels of the file */
	struct frames *f;
};

/* Photons of pixel i of page k up to the normalisation, NAN where invalid. */
double prep_photons(const struct prep *p, size_t k, size_t i);

/* Pixel of the file at (row, column) of the oriented, centred frame of h x w. */
size_t prep_oriented(const struct prep *p, size_t h, size_t w, size_t row, size_t column);

/* f->dc and the ratio, from the mean frame.  0, or -1 after reporting. */
int prep_layout(struct prep *p);

/* Pixels far brighter on average than those around them are bad; the mean frame is that of
 * prep_layout. */
void prep_hot(struct prep *p);

/* The beam in the oriented mean frame of the frames in use. */
void prep_centre(struct prep *p, size_t h, size_t w, long at[2]);

/* v is sorted; the mean of the two in the middle where n is even, 0 for none */
double prep_median(double *v, size_t n);

#endif
