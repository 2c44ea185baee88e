/* lib/batch/journal.h: the rows of finished jobs, kept in a file beside a table until the table is
 * written.  One line per job, appended and synced when the job is done; a line that a kill has torn
 * is recognised by its checksum and dropped.
 * Line: hashes of job and command, then the escaped rows of each table, then a checksum. */
#ifndef BATCH_JOURNAL_H
#define BATCH_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/csvio.h"

struct journal;

struct journal_key {
	uint64_t job;		/* of input and output */
	uint64_t command;	/* of all that decides the bytes */
};

/* FNV-1a 64 over the text and its final zero, going on from h; start with h = 0. */
uint64_t journal_hash(uint64_t h, const char *text);

/* Opens or makes path.  keep: what it holds is kept, else it starts empty.  NULL after
 * reporting. */
struct journal *journal_open(const char *path, bool keep);

/* Rows of a job of an earlier run, put into rows[n_tables]: 1 found, 0 unknown, -1 known but from
 * another command or another number of tables.  Does not report. */
int journal_find(const struct journal *j, struct journal_key key, struct csv_line *rows,
		 size_t n_tables);

/* 0, or -1 after reporting */
int journal_append(struct journal *j, struct journal_key key, const struct csv_line *rows,
		   size_t n_tables);

/* Closes; done: removes the file.  Fine on NULL. */
void journal_close(struct journal *j, bool done);

#endif
