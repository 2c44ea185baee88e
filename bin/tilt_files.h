/* bin/tilt_files.h: tilts of tiles as files, which both tools read and write: the tilt table (spec section 8) and the cache of a
 * position's tilts (7.3).  It stands here because lib/tilt knows no files and lib/io no tilts. */
#ifndef BIN_TILT_FILES_H
#define BIN_TILT_FILES_H

#include "io/csvio.h"
#include "math/optim.h"
#include "tilt/loss.h"
#include "tilt/tiles.h"

/* Whose tilts: stack is the file's stem.  position NULL or "": the stem stands for it when rows are looked up, and
 * nothing is written.  time NULL: nothing. */
struct tilt_owner {
	const char *stack, *position, *time;
};

/* ---- the tilt table: one row per tile */
#define TILT_TABLE_HEADER "stack,position,time,tile,y,x,z_offset,zenith,azimuth,loss,iterations,skipped"

/* Adds one row.  z_offset of tilt is the total one, focus offset included. */
void tilt_table_put(struct csv_line *l, const struct tilt_owner *who, size_t tile, const struct tile_box *box,
		    const struct tilt *tilt, double loss, int iterations, bool skipped);

struct tilt_table {
	struct csv csv;
	size_t tile, zenith, azimuth;		/* columns */
	long z_offset, position, stack;		/* -1: there is none */
};

/* Reads --tilt-csv or --warm-start; needs columns tile, zenith, azimuth.  0, or -1 after reporting. */
int tilt_table_read(const char *path, struct tilt_table *t);
void tilt_table_clear(struct tilt_table *t);	/* fine on a zeroed one */

/* Rows of a job: those whose position (or, where that is empty, stack) is the job's, and those with neither.  tilt[tiles] =
 * exactly one row per tile; z_offset is left alone where the table has none.  0, or -1 after reporting the numbers
 * found and expected. */
int tilt_table_pick(const struct tilt_table *t, const struct tilt_owner *who, size_t tiles, struct tilt *tilt);

/* ---- the cache: DIR/<position>-<16 hex digits>.csv, a tilt table with z_offset relative to the row's focus offset and two
 * more columns, so that a reader of the same focus offset gets the very bits */

/* Everything that the tilts of a position depend on but its data, in the order of the options; start: relative to the focus
 * offset.  The caller frees. */
char *tilt_cache_text(size_t nz, const struct tile_plan *plan, const struct loss_opts *o, const struct optim_stage *stage,
		      size_t stages, bool z_shared, const struct tilt *start);

/* The file's name; the caller frees. */
char *tilt_cache_path(const char *dir, const struct tilt_owner *who, const char *text);

/* True: tilt[plan->count] is the cached one, z_offset total.  False, tilt untouched: without a word if there is no such file,
 * with a warning if it is unreadable or not of this position and plan. */
bool tilt_cache_read(const char *path, const struct tilt_owner *who, const struct tile_plan *plan, double focus_offset,
		     struct tilt *tilt);

/* Writes it whole (temporary, fsync, rename; of two writers either stays).  0, or -1 after reporting. */
int tilt_cache_write(const char *path, const struct tilt_owner *who, const struct tile_plan *plan, double focus_offset,
		     const struct tilt *tilt);

#endif
