/* bin/ptycho_options.h: the values of ptychorecon's options, as the table fills them and as the
 * reconstruction takes them. */
#ifndef BIN_PTYCHO_OPTIONS_H
#define BIN_PTYCHO_OPTIONS_H

#include <complex.h>

#include "base/opt.h"
#include "ptycho/engine.h"
#include "ptycho_scan.h"

enum { MAX_STAGES = 16, MODES_MAX = 64 }; /* MODES_MAX also in the range of --modes */
enum probe_kind { PROBE_FILE, PROBE_DATA, PROBE_DISC, PROBE_GAUSS, PROBE_SCAN };
enum ramp { RAMP_KEEP, RAMP_REMOVE };
#define PHOTONS_DATA -1.0
#define PHOTONS_KEEP -2.0

struct recon_options {
	/* as given */
	const char *positions, *algorithm, *probe, *object, *xy, *orientation, *normalise, *reject,
		*refine;
	const char *mask, *dark, *flat; /* files; NULL: none */
	long batch, seed;		/* batch 0: each engine's own */
	int order, watchdog;		/* 1: sequential; 1: on */
	int subpixel;			/* 1: fourier */
	long start_probe;		/* -1: by the first engine */
	double energy_kev;		/* 0: not given */
	double photons; /* of --probe-photons, PHOTONS_DATA, PHOTONS_KEEP; 0: not given */
	size_t modes;	/* 0: the file's, else one */
	double mode_power;
	double margin;	 /* NAN: by the size of the frames */
	size_t shape[2]; /* canvas; 0: from the scan */
	long centre[2], half;
	size_t slices;	/* of the object */
	double spacing; /* between them, metres */
	bool near_field;
	double focus; /* before the object, metres; INFINITY: parallel beam */
	bool orientations, xys; /* --orientation=scan, --xy=scan: the table only */
	double coverage;
	enum ramp ramp;
	bool write_phase;
	long checkpoint;	 /* iterations between them; 0: none */
	const char *background;	 /* FILE or estimate[:START]; NULL: none */
	const char *dump_inputs; /* folder; NULL: none */

	const char *smooth, *tv; /* SIGMA[,EVERY], LAMBDA[,EVERY]; NULL: off */
	bool notch;

	/* as taken */
	struct stage stage[MAX_STAGES];
	size_t stages;
	struct ptycho_opts engine;
	struct scan_opts scan;
	struct frames_opts frames; /* without arrays */
	bool normalise_column;	   /* `normalise` is a column */
	enum probe_kind probe_kind;
	double probe_value[3];	    /* disc: radius, curvature, edge; data: curvature, astigmatism;
				       gauss: width */
	bool background_file;
	double smooth_sigma, tv_lambda; /* 0: off */
	long smooth_every, tv_every;
	long background_start;	    /* -1: a file, kept as it is */
	bool object_file;	    /* `object` is a file */
	float complex object_value; /* constant, also where the file is NaN */
};
extern struct recon_options opts;
extern const struct opt ptycho_options[];

/* Brings what was given into the form in which it is taken.  0, or -1 after reporting (usage). */
int ptycho_options_check(struct recon_options *o);

/* "engine[:iterations[:key=value]...]" joined by ','.  0, or -1 after reporting; an unknown key
 * names the engine's. */
int chain_parse(const char *text, long batch, bool sequential, struct stage *stage, size_t *n);

#endif
