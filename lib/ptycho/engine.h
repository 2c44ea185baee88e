/* lib/ptycho/engine.h: the engines, one iteration each, and the chain that runs them (spec: engines).
 *
 * An iteration updates object and probe (the probe only if may_change_probe), p->alpha and what the engine keeps, and fills R, chi,
 * fmag, nll, alpha, step_object, step_probe of the row (NAN: not evaluated).  What follows an iteration (clamps, support, recentring,
 * orthogonalising, gauge, positions, counting) is the chain's, not the engine's. */
#ifndef PTYCHO_ENGINE_H
#define PTYCHO_ENGINE_H

#include "ptycho/model.h"

/* One stage of the chain: "lsqml:200:noise=poisson:batch=32". */
enum noise { NOISE_GAUSS, NOISE_POISSON, NOISE_EUCLID };
struct stage {
	const struct engine *engine;
	long iterations;
	size_t batch;
	bool sequential;
	bool refine;		/* key pos: positions may move, where the options say so */
	bool probe_fixed;	/* key probe=0 */
	size_t modes;		/* of the probe from here on, at most p->o.modes_most; 0: as many as before */
	double alpha, beta;	/* epie, rpie, wasp; beta also dm, raar */
	enum noise noise;	/* lsqml, mlgrad, ml */
	double step, delta, damp, momentum;
	bool compact;		/* lsqml */
	double norm;		/* mlgrad */
	bool per_batch;
	double relax;		/* dm, raar */
	long inner;		/* er, dm, raar */
	double average;		/* dm, raar: key avg */
	double floor;		/* ml */
};

/* Sees, or fills, one array [nz][ny][nx] of type DT_F32 or DT_F64 (complex64: pairs along x).  0, or -1 to stop. */
typedef int ptycho_visitor(void *arg, const char *name, void *data, enum dtype type, size_t nz, size_t ny, size_t nx);

struct engine {
	const char *name;
	/* Before the first and after the last iteration of a stage; NULL: nothing.  What the engine keeps between is at *kept, NULL at first. */
	int (*begin)(struct ptycho *p, const struct stage *s, void **kept);
	int (*iterate)(struct ptycho *p, const struct stage *s, long j, void *kept, struct ptycho_row *row);
	void (*end)(struct ptycho *p, void *kept);
	/* Arrays and numbers of `kept` that an iteration hands to the next, for checkpoints; NULL: none.  Called after begin. */
	int (*visit)(struct ptycho *p, void *kept, ptycho_visitor *visit, void *arg);
	bool gauge;		/* false: ml, whose directions would not follow */
	bool keeps;		/* dm, raar, ml: waves or directions live on, modes are turned and recentred at the stage's end */
	bool sequential_updates; /* --batch applies */
	bool slices;		/* it knows objects of several slices */
	bool opr;		/* it knows probes that change from frame to frame */
	bool errors_cost;	/* --log-every applies */
};
extern const struct engine engine_epie, engine_rpie, engine_wasp,	/* pie.c */
	engine_lsqml,							/* lsqml.c */
	engine_mlgrad,							/* mlgrad.c */
	engine_er, engine_dm, engine_raar,				/* projection.c */
	engine_ml;							/* ml.c */

/* By name, NULL if there is none. */
const struct engine *engine_find(const char *name);

/* May this iteration change the probe, the object? */
bool may_change_probe(const struct ptycho *p, const struct stage *s);
bool may_change_object(const struct ptycho *p);

/* ---- the chain */
/* Where a run stands between two iterations. */
struct chain_point {
	struct ptycho *p;
	size_t stage;
	const struct stage *s;
	struct run *run;	/* private */
};
struct chain_ops {
	/* after each iteration, before its chores, so that bounds and gauge hold after it; may change the object.  NULL: nothing.  0, or -1 after reporting */
	int (*object)(void *arg, struct ptycho *p);
	/* after each iteration, chores done; not 0 ends the run */
	int (*row)(void *arg, struct ptycho *p, const struct ptycho_row *row);
	/* after that, except after the last iteration of a stage; NULL: nothing.  Saves what chain_visit shows, when it likes to */
	int (*checkpoint)(void *arg, struct chain_point *at);
	/* p->iteration > 0 at the start: fills what chain_visit shows, before the first iteration; else not called */
	int (*restore)(void *arg, struct chain_point *at);
	void *arg;
	bool watchdog;
};
/* Shows all arrays whose content decides how the run goes on.  0, or -1. */
int chain_visit(struct chain_point *at, ptycho_visitor *visit, void *arg);

/* Runs the stages from iteration p->iteration on.  0; CHAIN_DIVERGED after reporting, the last good state restored; -1 after reporting.
 * `final` gets the errors of the final state over all frames. */
enum { CHAIN_DIVERGED = 1 };
int chain_run(struct ptycho *p, const struct stage *stages, size_t n, const struct chain_ops *ops, struct ptycho_row *final);

/* P *= sqrt(sum I / sum I_m) over all frames (spec: power). */
int chain_rescale_probe(struct ptycho *p);

#endif
