/* bin/tiltrecon.h: the values of tiltrecon's own options, and the work on one stack. */
#ifndef BIN_TILTRECON_H
#define BIN_TILTRECON_H

#include "batch/batch.h"
#include "batch/common.h"
#include "tilt/search.h"
#include "tilt/well.h"
#include "tilt_files.h"
#include "tilt_options.h"

enum model { MODEL_THIN, MODEL_THICK };
enum outputs { OUTPUT_PHASE, OUTPUT_ABSORPTION, OUTPUT_BOTH };
enum frozen { FREEZE_Z, FREEZE_ZENITH, FREEZE_AZIMUTH, FREEZE_ANGLES };
enum { MAX_STAGES = 8 };

struct tiltrecon_options {
	enum model model;
	enum outputs outputs;
	double reg;
	enum inverse inverse;
	long flatten;			/* -1: auto */
	double ratio;
	size_t z_pad;
	int match;			/* 1: offset */
	int peer, peer_azimuth;	/* --compat, --azimuth-from */

	struct opt_list optimize;	/* enum optim_method */
	enum loss_kind loss;
	double band[2], taper, opt_steepness;
	size_t opt_pad;
	int opt_full;
	long iters, patience;
	double lr[3];
	struct opt_list freeze;
	double init[3];			/* z, zenith, azimuth; azimuth NAN: radial */
	double tol;
	struct opt_grid grid[3];
	bool z_shared;

	const char *warm_start;
	bool skip_warm;
	const char *tilt_cache;
	int recipe;			/* 1: speed */
	bool zen_blend;
	double meniscus;		/* INFINITY: off */
	long scale_iters[2];

	const char *tilt_out, *trace, *loss_only, *dump_tf, *preview;
	bool plan_only;
	size_t image[2];
};
extern struct tiltrecon_options opts;

/* The tables of a run, in the order of the batch's. */
enum { TABLE_TILTS, TABLE_TRACE, TABLE_LOSS, TABLES };

/* What a manifest says of a row: its well's geometry and its position (bin/tilt_well.c). */
struct well {
	size_t n;
	const char **position, **time;	/* [n] */
	double *focus, *u, *azimuth;	/* [n]; azimuth radial */
	struct well_rule *rule;		/* [n] */
	bool radial;			/* u and azimuth are known */
};

/* Rows of the batch's jobs.  0, or -1 after reporting (missing coordinates for what was asked). */
int well_open(struct well *w, const struct batch *b);
void well_close(struct well *w);

/* Sorts the batch's order so that the times of a position follow one another. */
void well_sort(const struct well *w, struct batch *b);

/* --plan-only with a manifest: one line per row of this shard. */
int well_print(const struct well *w, const struct batch *b);

struct tool {
	struct dev *d;
	struct batch *batch;
	struct well well;
	struct tilt_table given, warm;	/* --tilt-csv, --warm-start */
	struct recon recon;
	struct search search;
	bool recon_made, search_made;
	bool turns;			/* the device has no room for both: each leaves it to the other */
	struct optics recon_optics, search_optics;
	size_t broken;			/* tiles whose search ended early */
};

extern const struct batch_ops tiltrecon_ops;

/* Stages of the search for so many iterations (0: the method's own); full: nothing frozen.  Returns their number. */
size_t tilt_stages(struct optim_stage *stage, long iters, bool full);

#endif
