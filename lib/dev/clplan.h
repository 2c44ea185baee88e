/* lib/dev/clplan.h: the clFFT side of fft.h.  Private to lib/dev.  Without clFFT no plan can be made. */
#ifndef DEV_CLPLAN_H
#define DEV_CLPLAN_H

#include "dev/fft.h"

struct clplan;

/* Can clFFT do this one: sizes of factors 2, 3, 5, 7, 11, 13, rows that hold whole spectra? */
bool clplan_possible(const struct fft_desc *desc, bool slow);

/* desc complete and without pruning.  NULL if clFFT refuses, said under --verbose. */
struct clplan *clplan_new(struct dev *d, const struct fft_desc *desc, bool slow);
void clplan_free(struct clplan *p);	/* fine on NULL */

/* A side's first byte and bytes in its buffer. */
struct part {
	struct buf *b;
	size_t offset, bytes;
};

/* Queues the transform; in and out are the same part or do not overlap.  0, or -1 after reporting. */
int clplan_run(struct clplan *p, const struct part *in, const struct part *out);

/* The device goes: the last one takes the library's state with it.  All its plans are freed by then. */
void clplan_close(struct dev *d);

#endif
