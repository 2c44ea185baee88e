/* bin/kplanes.h: what the files of kplanes share: its options, its jobs, its files. */
#ifndef BIN_KPLANES_H
#define BIN_KPLANES_H

#include "base/array.h"
#include "batch/batch.h"
#include "kplanes/fit.h"

enum verb { VERB_EVAL, VERB_GRAD, VERB_TV, VERB_RENDER, VERB_FIT, VERB_INFO };

struct kplanes_options {
	enum verb verb;
	const char *points, *upstream, *grad_planes, *grad_points, *grad_rotations, *preview;
	bool value;
	size_t shape[3];
	double box[3][2];
	/* fit */
	size_t rotations, channels, resolution[2];
	const char *levels_text, *init_rotations, *init, *log;
	double level[KP_LEVELS]; /* parsed from levels_text */
	size_t levels;
	double value_range[2];
	enum activation activation;
	struct fit_opts fit;
	long seed;
};
extern struct kplanes_options opts;

struct kplanes_tool {
	struct dev *d;		  /* NULL: info */
	float *points, *upstream; /* [n][3], [n][features] */
	size_t n, features;
	struct kplanes_model init; /* of --init or --init-rotations; rotations 0: none */
};

extern const struct batch_ops kplanes_ops;

/* ---- kplanes_files.c; 0, or -1 after reporting */

/* A whole model; m is cleared on failure. */
int model_read(const char *path, struct kplanes_model *m);
/* Model or gradient: the planes, with `section` behind the provenance unless NULL. */
int model_write(const char *path, const struct kplanes_model *m, float *const *planes,
		const char *section, const char *provenance);

/* [n][3] as one float page or as CSV with columns x, y, z, told apart by content; the caller frees.
 */
int points_read(const char *path, float **points, size_t *n);
/* One page [n][width]; n = 0: none is expected.  The caller frees. */
int upstream_read(const char *path, size_t n, float **up, size_t *width);

/* rows x columns: as CSV if the name ends in .csv or path is NULL (stdout), else as one TIFF page.
 */
bool is_csv(const char *path);
int matrix_write(const char *path, const float *v, size_t rows, size_t columns, const char *header,
		 const char *provenance);
int rotations_write(const char *path, double (*dr)[9], size_t n);

#endif
