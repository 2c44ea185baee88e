/* lib/ptycho/frames.h: measured frames to photons (spec: frames to photons), on the host, in the
 * order of the spec's 4.2.
 *
 * A prepared frame is [n][n] with the beam at (0,0): uint16 counts with 65535 = invalid when
 * nothing but markers was done to u8 or u16 input, else float32 photons with negative = invalid. */
#ifndef PTYCHO_FRAMES_H
#define PTYCHO_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/array.h"
#include "ptycho/geometry.h"

enum dc_layout { DC_AUTO, DC_CENTRE, DC_CORNER };

struct frames_opts {
	enum dc_layout dc;
	bool near_field; /* frames are images: no beam to find, nothing is shifted */
	enum d4 orientation;
	double saturation; /* such counts and larger are invalid; <= 0: off; INFINITY: auto, the
			      largest value of an integer type */
	double hot; /* larger counts are invalid; <= 0: off; INFINITY: auto, by the mean frame */
	const struct array *mask, *dark,
		*flat; /* NULL: none; raw orientation and layout of the frames */
	double gain, floor;
	const double *i0; /* [pages]; NULL: not normalised */
	bool normalise_total;
	const bool *named; /* [pages] those that have a position; NULL: all */
	double reject[2];  /* of the median total */
	int half;	   /* 0, 1: frames of that rank mod 2 among those not rejected; else all */
	bool centre, centre_auto;
	long centre_at[2];     /* row, column; with `centre` and not `centre_auto` */
	size_t crop, bin, pad; /* 0: off */
};

struct frames {
	size_t k, n; /* frames kept, side */
	bool u16;
	void *data; /* [k][n][n] uint16_t or float, owned */
	/* of the pages given, [pages]: */
	size_t pages;
	const char **reason; /* "" used; else "no position", "i0", "empty", "rejected", "half":
				constant texts */
	size_t *invalid;     /* invalid pixels of [n][n] */
	double *photons;     /* sum over the valid ones */
	long *kept;	     /* index among the k, -1: not used */
	/* of all */
	bool near_field;   /* as told: then the next two say nothing */
	enum dc_layout dc; /* as found, or as told */
	double dc_ratio;
	double masked_share; /* of all pixels of the frames kept */
};

/* pages [pages][ny][nx] of any type, left as they are; messages begin with `path`.  Frames keep the
 * order of the pages.  0, or -1 after reporting; f is cleared on failure. */
int frames_prepare(const char *path, const struct array *pages, const struct frames_opts *o,
		   struct frames *f);
/* The same, but the memory of `pages` may become that of the frames: then its data is NULL.  Counts
 * that stay counts need no second copy. */
int frames_take(const char *path, struct array *pages, const struct frames_opts *o,
		struct frames *f);
void frames_clear(struct frames *f);

/* Layout by the light in the central quarter against the four corners; *ratio max / min of them.
 * mean [ny][nx] double. */
enum dc_layout frames_layout(const double *mean, size_t ny, size_t nx, double *ratio);

#endif
