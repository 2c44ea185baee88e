/* bin/ptycho_checkpoint.h: the state of a chain between two iterations in a folder STEM.ckpt:
 * state.tif with all arrays as pages (f32, f64), which says of which command on which inputs it is;
 * state.json with the iteration; log.csv with the rows so far.
 *
 * The folder is written beside its place and put there by one rename; a run that is killed leaves
 * the old or the new one whole. */
#ifndef BIN_PTYCHO_CHECKPOINT_H
#define BIN_PTYCHO_CHECKPOINT_H

#include "batch/batch.h"
#include "ptycho/engine.h"

/* 0, or -1 after reporting. */
int checkpoint_save(const struct job *j, struct chain_point *at, const struct csv_line *log);

/* Is there a checkpoint of the job's own command and inputs?  Its iteration and rows; 0: none
 * (said, if there is one of another command); -1 after reporting. */
long checkpoint_find(const struct job *j, struct csv_line *log);

/* Fills what chain_visit shows.  0, or -1 after reporting. */
int checkpoint_load(const struct job *j, struct chain_point *at);

/* The folder, and what killed runs left of others, goes. */
void checkpoint_remove(const struct job *j);

#endif
