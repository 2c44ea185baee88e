/* lib/batch/progress.h: how far a run is: a bar on a terminal's stderr (count, rate, time left), or
 * with --progress always and no terminal a line every 10 s.  Thread-safe; one run at a time. */
#ifndef BATCH_PROGRESS_H
#define BATCH_PROGRESS_H

#include <stddef.h>

#include "batch/common.h"

void progress_begin(enum progress mode, size_t total);
void progress_step(void);	/* one job is over, done or failed */
void progress_end(void);

#endif
