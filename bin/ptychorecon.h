/* bin/ptychorecon.h: the work of ptychorecon on one scan, from its files to its files. */
#ifndef BIN_PTYCHORECON_H
#define BIN_PTYCHORECON_H

#include "batch/batch.h"
#include "io/tiffio.h"
#include "ptycho/coldstart.h"
#include "ptycho_options.h"

struct denoise;

struct tool {
	struct dev *d;
	struct recon_options *o; /* [jobs], by index */
	char **text;		 /* [texts] that they point into, from a manifest */
	size_t texts;
};

/* One scan. */
struct work {
	const struct recon_options *o;
	/* from its files (ptycho_read.c) */
	struct array pages, mask, dark, flat;
	struct scan scan;
	struct frames frames;
	double (*s)[2]; /* [frames.k] windows */
	float *background; /* [n][n] photons, the beam at (0,0): given, and as it ended; NULL: none */
	size_t canvas[2], modes;
	float complex *probe;	       /* [modes][n][n]; made at computing, if it is no file */
	size_t probe_modes;	       /* that are in the file */
	struct coldstart_trial *trial; /* [trials] of --probe data:scan */
	size_t trials;
	float complex *object; /* [h][w], NULL: a constant */
	bool *known;	       /* [h][w] where the object's file has numbers; NULL: no file */
	/* what comes out (ptycho_job.c) */
	double (*end)[2], (*err)[ERR_SUMS],
		*intensity; /* [frames.k] windows, errors of the final state, w_k */
	long shift[2];
	float complex *opr;	    /* [opr][n][n] of --opr */
	double complex *opr_weight; /* [frames.k][opr + 1] */
	float *light; /* [h][w] of the final probe */
	bool diverged;
	struct denoise *tv; /* while computing, with --tv */
	struct csv_line log;
	struct {
		size_t n;
		double *R;
	} curve; /* R of each row */
};

/* Reads everything that does not need the device: stack, positions, mask, dark, flat, probe and
 * object files; windows and canvas. 0, or -1 after reporting; work_clear is fine in every case. */
int work_read(const char *input, const struct recon_options *o, struct work *w);
void work_clear(struct work *w);

/* The start probe, complete with its modes and as the options scale it, but for --probe-photons
 * data.  search: by trials, with --probe data:scan; else the data's without curvature stands for
 * what would be found. */
int work_probe(struct work *w, const char *input, struct dev *d, bool search);

/* STEM_... files.  0, or -1 after reporting. */
int work_write(const struct work *w, const struct job *j);

/* STEM_preview.png alone, of a run that goes on. */
int work_preview(const struct work *w, const struct job *j);

/* --dump-inputs, before the first iteration: probe [modes][n][n] as it starts. */
int work_dump(const struct work *w, const float complex *probe);

/* --smooth, --tv, --notch (ptycho_regular.c): begin once object and probe are on the device, step
 * after each iteration, end in every case; the bytes of the device beyond the plan.  0, or -1 after
 * reporting. */
int regular_begin(struct work *w, const char *input, struct dev *d);
int regular_step(struct work *w, struct ptycho *p);
void regular_end(struct work *w);
int regular_bytes(const struct work *w, struct dev *d, size_t *bytes);

/* --orientation=scan, --xy=scan: the table of the eight orientations to j->rows[0]
 * (ptycho_orientation.c).  0, or -1 after reporting. */
#define ORIENTATION_HEADER "rank,orientation,R,twin,tie"
#define XY_HEADER "rank,xy,R,twin,tie,orientation"
int work_orientations(const struct work *w, struct job *j, struct dev *d);

extern const struct batch_ops ptychorecon_ops;

#endif
