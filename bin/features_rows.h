/* bin/features_rows.h: rows of a frame, and what the shared options say once features_check has passed.  Private to
 * bin/features*.c. */
#ifndef BIN_FEATURES_ROWS_H
#define BIN_FEATURES_ROWS_H

#include "features.h"
#include "io/csvio.h"

struct rows {
	struct csv_line line;
	const char *image;	/* the cell of column image */
	size_t page, channel;
	uint32_t next;		/* with --dense: the label after the last one written */
};

/* The header line of the table. */
const char *features_header(void);

/* Is channel c, from 0, one of --channel?  *single: the only one that was named, or -1. */
bool features_channel(size_t c);
long features_single_channel(void);
size_t features_last_channel(void);	/* largest that was named, 0 without --channel */

/* Samples of this type are divided by this. */
double features_divisor(enum dtype type);

/* Removes objects that --labels does not name. */
void features_keep(struct objects *o);

/* Is the operand or file of labels, of the mask, the standard input?  Counts users of it. */
size_t features_stdin_users(const struct features_tool *t, const struct operands *rest);

#endif
