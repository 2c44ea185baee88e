/* lib/ptycho/orientation.h: which of the eight orientations of the detector explains the frames best (spec: orientation).
 *
 * The frames nearest to the middle of the scan, at most 512, are reconstructed in each orientation by `wasp:6:batch=8`, and the final
 * R of each is ranked.  An orientation and its twin (followed by rot180) are told apart by the phase of the probe alone: they tie
 * where their R differ by less than 0.5 %. */
#ifndef PTYCHO_ORIENTATION_H
#define PTYCHO_ORIENTATION_H

#include <complex.h>
#include <stdbool.h>

#include "dev/dev.h"
#include "ptycho/geometry.h"
#include "ptycho/state.h"

struct orientation {
	enum d4 op, twin;
	double R;	/* NAN: not finite */
	bool tie;
};

struct orientation_start {
	/* Start probe [modes][n][n] for the frames as they are turned.  0, or -1 after reporting. */
	int (*probe)(void *arg, const struct frames *turned, float complex *probe);
	void *arg;
	size_t modes;
	bool rescale;		/* to the photons of the frames */
	float complex object;
	double margin;		/* free border of the canvas, px */
};

/* f: frames as prepared in the orientation of the file; pos [k] their positions, px.  table: R ascending, ties in the order of enum
 * d4.  Blocks.  0, or -1 after reporting. */
int orientation_scan(struct dev *d, const struct ptycho_opts *o, const struct frames *f, const double (*pos)[2],
		     const struct orientation_start *start, struct orientation table[D4_COUNT]);

/* The same for the eight ways to read a table of positions, frames as they are: pos[op] [k] are the positions turned by op.  An object
 * is turned with its positions: op here is d4_inverse(op) of the frames there, but for a probe that is not symmetric. */
int orientation_scan_positions(struct dev *d, const struct ptycho_opts *o, const struct frames *f,
			       const double (*const pos[D4_COUNT])[2], const struct orientation_start *start,
			       struct orientation table[D4_COUNT]);

/* Frame [n][n] with the beam at (0, 0), of 2 or 4 bytes a pixel, turned as it would be with the beam in the middle. */
void orientation_turn(enum d4 op, size_t n, size_t pixel_bytes, const void *from, void *to);

#endif
