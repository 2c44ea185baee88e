/* lib/batch/common.h: the options that several tools share (spec: command line, devices, many
 * inputs), as tables to be concatenated with a tool's own, and the one place their values are kept. */
#ifndef BATCH_COMMON_H
#define BATCH_COMMON_H

#include "base/opt.h"
#include "io/tiffio.h"

enum progress { PROGRESS_AUTO, PROGRESS_ALWAYS, PROGRESS_NEVER };

struct common {
	/* device_options */
	const char *device, *mem;	/* NULL: default */
	long threads;			/* 0: all online */
	int fft;			/* enum fft_choice of lib/dev: auto, clfft, fftw */
	long work_group;		/* 0: each kernel's own */
	const char *profile;		/* NULL: none; "": stderr; else a CSV file */

	/* batch_options */
	const char *output, *output_dir;	/* -o, -O; NULL: not given */
	const char *list;			/* manifest; NULL: operands */
	const char *shard;			/* "I/N" or "slurm"; NULL: all jobs */
	bool resume, fail_fast, dry_run;
	enum progress progress;

	/* input_options */
	long pages[2];			/* 1-based, 0 0: all */
	long channel;			/* 1-based, 0: not given */
	const char *axes;		/* NULL: from the file */

	/* output_options */
	enum tiff_compress compress;
	enum { PREDICTOR_NONE, PREDICTOR_FLOAT } predictor;
};
extern struct common common;

/* --device --mem --threads --fft --work-group --profile */
extern const struct opt device_options[];
/* -o -O --list --shard --resume --fail-fast --progress --dry-run */
extern const struct opt batch_options[];
/* the same for tools whose only product is a table: -o, by default stdout, and no -O */
extern const struct opt table_options[];
extern const struct opt input_options[];	/* --pages --channel --axes */
extern const struct opt output_options[];	/* --compress --predictor */

/* What these options say, for tiff_read and tiff_write (sizes and provenance are left out). */
struct tiff_select common_select(void);
struct tiff_out common_tiff_out(void);

#endif
