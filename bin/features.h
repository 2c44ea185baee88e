/* bin/features.h: what granularity, zernike and intensity share: options, jobs of an image with labels and mask, and the table
 * with a row per object.
 *
 *	struct features_tool tool = { .names = names, .n = n, .measure = measure };
 *	status = features_check(&tool, &rest);			(usage, before any file is read)
 *	if (status == EXIT_DONE)
 *		status = features_run(&tool, &rest);
 */
#ifndef BIN_FEATURES_H
#define BIN_FEATURES_H

#include "base/opt.h"
#include "features/objects.h"
#include "features/pixels.h"

enum compat { COMPAT_SCOPELINE, COMPAT_CP_MEASURE, COMPAT_CP4, COMPAT_CP5, COMPAT_LEGACY };

struct features_options {
	const char *mask, *axes, *channel, *scale, *patterns, *labels;	/* NULL: not given */
	bool volume, dense, reason;
	enum compat compat;
	enum { FORMAT_CSV, FORMAT_TSV } format;
	long digits;
};
extern struct features_options features_options;

/* --mask --volume --axes --channel --scale --compat --features --labels --dense --format --digits --no-reason */
extern const struct opt feature_options[];

/* One image of a job: a page, or a volume. */
struct frame {
	struct pixels pixels;		/* data NULL: there is no image, its sizes are those of the labels */
	const struct objects *objects;	/* NULL: there are no labels */
	const char *name;		/* of the image's file, for messages */
	int threads;			/* that measure() may use */
	bool alone;			/* the only one of its job */
	struct work *work;
};

/* The image is not read any more: memory goes back where nothing else needs it.  frame->pixels.data becomes NULL. */
void features_release(struct frame *f);

struct rows;
/* Adds the row of a label, 0 for the image; labels ascend within a frame.  value: [all feature columns], or NULL: all nan.
 * reason: "" or why there are nans. */
void features_row(struct rows *r, uint32_t label, const double *value, const char *reason);

struct features_tool {
	char *const *names;		/* [n] feature columns, before --features */
	size_t n;
	bool labels_first;		/* a single operand is LABELS, not IMAGE */
	bool labels_needed;		/* two operands at least, labels in every row of a manifest */
	size_t workers;			/* jobs at a time; 0: as many as threads */
	const char *device;		/* name for --resume; NULL: the host */
	/* Measures one frame.  Called on several threads at a time unless workers is 1.  0, or -1 after reporting. */
	int (*measure)(struct frame *f, struct rows *r);
	/* bytes that measure() takes beside image and labels, of one image; for --dry-run and --mem.  May be NULL. */
	size_t (*bytes)(size_t nz, size_t ny, size_t nx, enum dtype type);
	size_t (*device_bytes)(size_t nz, size_t ny, size_t nx);	/* the same on the device; NULL: none */
};

/* Is the feature column written?  After features_check. */
bool features_wanted(size_t column);

/* Usage errors of operands and shared options; settles the columns.  EXIT_DONE or EXIT_USAGE after reporting. */
int features_check(const struct features_tool *t, const struct operands *rest);

/* Runs the jobs of operands or --list.  The exit status. */
int features_run(const struct features_tool *t, const struct operands *rest);

#endif
