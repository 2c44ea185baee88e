/* lib/math/optim.h: the minimum of a loss over p = (z, zenith, azimuth) by NAdam, Adam, Newton, BFGS or a grid, as a state
 * machine: the caller asks for the point to be evaluated and tells what was found there.  Many of them advance side by
 * side, their points evaluated as one batch; none knows of the others, so none depends on them.
 *
 *	while ((need = optim_ask(&o, p)) != OPTIM_DONE)
 *		optim_tell(&o, loss(p), gradient(p));	(the gradient only if need == OPTIM_GRADIENT)
 *
 * All in double.  Sources: Kingma & Ba 2015 (Adam), Dozat 2016 (NAdam), Nocedal & Wright 2006 ch. 6 (BFGS).
 *
 * nadam, adam	per parameter, rate lr; one gradient per iteration and the loss at the end
 * newton	per parameter -g / max(h, lr), at most 100 lr; h from central differences of the gradient, 1e-2 and 1e-3
 * bfgs		in u = (z / lr, sin zenith (cos, sin) azimuth / lr of zenith): zenith 0 is no singular point; Armijo
 *		steps; moves zenith and azimuth together; sin zenith <= 0.9; iterations are evaluations
 * grid		all points z x zenith x azimuth, azimuth fastest; the first smallest loss wins; no gradients */
#ifndef MATH_OPTIM_H
#define MATH_OPTIM_H

#include <stdbool.h>
#include <stddef.h>

enum optim_method { OPTIM_BFGS, OPTIM_NADAM, OPTIM_ADAM, OPTIM_NEWTON, OPTIM_GRID };

/* Points centre - half + 2 half i / (n - 1); n = 1: the centre; n = 0: where the search stands. */
struct optim_axis {
	double centre, half;
	size_t n;
};

/* One stage of a search.  Stages run one after another, each from the last one's result. */
struct optim_stage {
	enum optim_method method;
	int iters;	/* >= 1; not for the grid */
	double lr[3];	/* 0 freezes: that value is returned bit for bit.  bfgs: both angles or none */
	double tol;	/* bfgs: the least gain of a step; else see patience */
	int patience;	/* nadam, adam, newton: so many losses not below best - tol end the stage; 0: off */
	struct optim_axis grid[3];
};

/* A row of the trace: iteration counts from 1 through all stages; grad is NaN where it was not asked for.  Every
 * evaluation is a row, but those of newton's differences and the last loss of nadam, adam and newton. */
typedef void optim_trace(void *arg, int iteration, const double p[3], double loss, const double grad[3]);

enum optim_need { OPTIM_DONE, OPTIM_LOSS, OPTIM_GRADIENT };

struct optim {
	/* the result, once optim_ask says OPTIM_DONE */
	double p[3], loss;	/* loss at p; NaN if none was finite */
	int used;		/* iterations (bfgs: evaluations; grid: points) of all stages */
	bool broken;		/* a loss or gradient was not finite: the last finite state is returned */

	/* private */
	const struct optim_stage *stage;
	size_t left;		/* stages, this one included */
	double z_limit;
	optim_trace *trace;
	void *trace_arg;
	enum { AT_STEP, AT_DIFFERENCE, AT_END, AT_LINE, AT_GRID, AT_DONE } at;
	int t;			/* of this stage */
	double good[3];		/* last finite state; bfgs: the start, for frozen values */
	double good_loss;
	double best;		/* of the early stop, or of the grid */
	int bad;
	double m[3], v[3], prod;			/* moments */
	double g[3], step[3], ahead;			/* newton; g also bfgs */
	int side;					/* parameter 0..2 ahead, + 3: behind */
	double u[3], h[3][3], d[3], slope, len, un[3];	/* bfgs */
	bool first, levelled;
	size_t i[3];					/* grid */
};

/* Starts at p0.  stage[stages] (at least one) and the trace's argument stay the caller's and must outlive the search; z
 * is held to +-z_limit after each step of nadam, adam, newton and bfgs; trace may be NULL. */
void optim_init(struct optim *o, const struct optim_stage *stage, size_t stages, const double p0[3], double z_limit,
		optim_trace *trace, void *arg);

/* The point whose loss (and gradient) is wanted next; p is the result when done. */
enum optim_need optim_ask(const struct optim *o, double p[3]);

/* grad may be NULL where only the loss was asked for. */
void optim_tell(struct optim *o, double loss, const double grad[3]);

/* One z for a group: to be called after every round of tells.  When all of the group that still move stand between two
 * steps, each gets the mean of their z; when all are done, each gets the mean of all and, if that changes one, it asks
 * for its loss once more (bfgs and grid share only then).  Nothing happens where z is frozen. */
void optim_share_z(struct optim *const *group, size_t n);

/* Tilt (q = z, sin zenith cos azimuth, sin zenith sin azimuth) from polar and back; then zenith in [0, pi/2]. */
void optim_to_cartesian(const double p[3], double q[3]);
void optim_from_cartesian(const double q[3], double p[3]);

#endif
