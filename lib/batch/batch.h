/* lib/batch/batch.h: the runner of every tool: jobs from operands or a manifest, shards, resume,
 * isolation of failed inputs, reading ahead and writing behind, tables, progress (spec: many inputs,
 * many machines).  The options are those of batch/common.h, already parsed.
 *
 *	struct batch b;
 *	int status = batch_open(&b, &spec, &operands);	(jobs are known, nothing is done)
 *	if (status == EXIT_DONE)
 *		status = batch_run(&b, &ops, &tool, dev_name(d));
 *	batch_close(&b); */
#ifndef BATCH_BATCH_H
#define BATCH_BATCH_H

#include "base/array.h"
#include "base/opt.h"
#include "io/csvio.h"

struct job {
	size_t index;			/* in the whole list, before sharding */
	const char *input;		/* to be opened; "-" stdin; NULL if the tool generates */
	const char *stem;		/* file name without folder and extension; "stdin" for "-" */
	const char *output;		/* NULL: none was asked for */
	const struct csv *manifest;	/* NULL without --list */
	size_t row;			/* of the manifest */
	const char *provenance;		/* text for tiff_write, set by batch_run */
	void *data;			/* the tool's, from read to compute to write to done */
	struct csv_line *rows;		/* [tables of the spec], empty at first: what the job adds */

	bool mine;			/* of this shard */
	int state;			/* the runner's */
};

struct batch_table {
	const char *path;		/* NULL: not wanted, rows are dropped; "-": stdout */
	const char *header;		/* comma-joined names, without line end */
};

struct batch_spec {
	const char *operand;		/* name in messages: "STACK.tif" */
	const char *input_column;	/* of a manifest with header; without one: a list of files */
	const char *output_column;	/* outputs that the manifest names, relative to -O DIR or, without
					 * it, to the manifest; NULL: it names none */
	const char *const *columns;	/* other known columns, NULL-terminated; unknown ones are
					 * noted under --verbose */
	bool strict;			/* or refused, and a header is needed */
	const char *suffix;		/* -O DIR: DIR/stem + suffix.  NULL: jobs have no output of
					 * their own, -o is the tool's to use */
	const char *product;		/* what stands behind an output's name in the file that shows its job
					 * done; NULL: nothing */
	bool generates;			/* no operand, no manifest: one job without input */
	const struct batch_table *tables;
	size_t n_tables;
};

struct batch {
	const struct batch_spec *spec;
	struct csv manifest;
	bool has_manifest;
	struct job *jobs;		/* [n], all of them, in list order */
	size_t n;
	size_t *order;			/* [n_mine] this shard's jobs as they will run: the tool may
					 * sort it, tables keep the list's order */
	size_t n_mine;
	size_t shard, shards;
};

/* Finds the jobs from rest or --list, names their outputs, refuses two products of one name, binary
 * output on a terminal, a wrong --shard.  Touches nothing but the manifest.  EXIT_DONE, or
 * EXIT_USAGE or EXIT_FAILED after reporting; batch_close is fine in every case. */
int batch_open(struct batch *b, const struct batch_spec *spec, const struct operands *rest);
void batch_close(struct batch *b);

/* A file's name without folder and extension, "stdin" for "-"; the caller frees. */
char *batch_stem(const char *path);

/* Shown by --dry-run. */
struct job_plan {
	enum dtype type;
	size_t nz, ny, nx;		/* of the input */
	size_t host_bytes, device_bytes, blocks;
};

/* Each returns 0, or -1 after reporting with the input's name: the job has failed, its rows are
 * dropped, the others go on.  A NULL function does nothing.  read and write run on a thread of their
 * own each, compute and plan on the caller's; each sees the jobs one after another in `order`, while
 * the other stages work on neighbouring ones: at most two jobs are read or being read and wait for
 * compute, at most two are computed and not written.  With `workers` above 1 that many threads
 * read and compute different jobs, which are then written as they are done. */
struct batch_ops {
	int (*plan)(void *tool, struct job *j, struct job_plan *p);
	int (*read)(void *tool, struct job *j);
	int (*compute)(void *tool, struct job *j);
	int (*write)(void *tool, struct job *j);
	/* frees j->data; once for each job that was begun, on any of the threads */
	void (*done)(void *tool, struct job *j);
	/* profile_begin and profile_end of lib/dev time the stages; or NULL */
	double (*begin)(void);
	void (*end)(const char *stage, double start, size_t bytes);
	size_t workers;	/* jobs computed at a time, each on a thread of its own; 0, 1: the caller's */
};

/* Runs the jobs, or with --dry-run prints one line each.  Tables grow beside their targets in list order as
 * jobs end, and appear whole at the end with the rows of the jobs that did not fail.  With --resume a job is skipped if its
 * output is complete and was made by the same command (options that matter, input, manifest row,
 * device) and, where there are tables, its rows are in the journal FIRST_TABLE.journal, which every
 * run of several jobs keeps and removes at full success.  EXIT_DONE, or EXIT_FAILED after "3 of 120
 * inputs failed". */
int batch_run(struct batch *b, const struct batch_ops *ops, void *tool, const char *device);

#endif
