#include "math/optim.h"

#include <math.h>
#include <string.h>

static const double difference[3] = { 1e-2, 1e-3, 1e-3 }; /* newton's steps: slices, rad, rad */
static const double least_zenith = 1e-6; /* polar coordinates have no direction below */
static const double widest_tilt = 0.9;

static void start_stage(struct optim *o);

static double limited(double v, double limit)
{
	return fmin(fmax(v, -limit), limit);
}

static bool is_free(const struct optim *o, int i)
{
	return o->stage->lr[i] != 0;
}

static double dot(const double a[3], const double b[3])
{
	return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

static void copy(double to[3], const double from[3])
{
	memmove(to, from, 3 * sizeof *to);
}

static void note(const struct optim *o, const double p[3], double loss, const double *grad)
{
	static const double none[3] = { NAN, NAN, NAN };

	if (o->trace)
		o->trace(o->trace_arg, o->used, p, loss, grad ? grad : none);
}

/* The stage's result is p and loss. */
static void end_stage(struct optim *o, const double p[3], double loss)
{
	copy(o->p, p);
	o->loss = loss;
	o->at = AT_DONE;
	if (--o->left > 0) {
		o->stage++;
		start_stage(o);
	}
}

static void end_broken(struct optim *o)
{
	o->broken = true;
	end_stage(o, o->good, o->good_loss);
}

/* ---- nadam, adam, newton: p is where the next iteration evaluates */

static bool stops_early(struct optim *o)
{
	const struct optim_stage *s = o->stage;

	if (s->patience == 0)
		return false;
	if (o->good_loss < o->best - s->tol) {
		o->best = o->good_loss;
		o->bad = 0;
	} else {
		o->bad++;
	}
	return o->bad >= s->patience;
}

static void take_step(struct optim *o, const double step[3])
{
	for (int i = 0; i < 3; i++)
		if (is_free(o, i))
			o->p[i] += step[i];
	if (is_free(o, 0))
		o->p[0] = limited(o->p[0], o->z_limit);
	o->at = stops_early(o) || o->t == o->stage->iters ? AT_END : AT_STEP;
}

static double nadam_mu(int t)
{
	return 0.9 * (1 - 0.5 * pow(0.96, 0.004 * t));
}

static void moment_step(struct optim *o, const double g[3])
{
	double step[3] = { 0 }, mu = nadam_mu(o->t), next = nadam_mu(o->t + 1);

	o->prod *= mu;
	for (int i = 0; i < 3; i++) {
		double d, lr = o->stage->lr[i];

		if (lr == 0)
			continue;
		o->m[i] = 0.9 * o->m[i] + 0.1 * g[i];
		o->v[i] = 0.999 * o->v[i] + 0.001 * g[i] * g[i];
		d = sqrt(o->v[i] / (1 - pow(0.999, o->t))) + 1e-8;
		if (o->stage->method == OPTIM_ADAM)
			step[i] = -lr * o->m[i] / (1 - pow(0.9, o->t)) / d;
		else
			step[i] = -lr * ((1 - mu) / (1 - o->prod) * g[i] / d +
					 next / (1 - o->prod * next) * o->m[i] / d);
	}
	take_step(o, step);
}

/* The next difference newton needs, from parameter `from` on; the step once there is none. */
static void newton_next(struct optim *o, int from)
{
	o->side = from;
	while (o->side < 3 && !is_free(o, o->side))
		o->side++;
	o->at = AT_DIFFERENCE;
	if (o->side == 3)
		take_step(o, o->step);
}

static void tell_difference(struct optim *o, const double g[3])
{
	int i = o->side % 3;
	double h, lr = o->stage->lr[i];

	if (o->side < 3) {
		o->ahead = g[i];
		o->side += 3;
		return;
	}
	h = (o->ahead - g[i]) / (2 * difference[i]);
	if (!isfinite(h)) {
		end_broken(o);
		return;
	}
	o->step[i] = limited(-o->g[i] / fmax(h, lr), 100 * lr);
	newton_next(o, i + 1);
}

static void tell_step(struct optim *o, double loss, const double g[3])
{
	bool finite = isfinite(loss);

	for (int i = 0; i < 3; i++)
		finite = finite && (!is_free(o, i) || isfinite(g[i]));
	if (!finite) {
		end_broken(o);
		return;
	}
	o->t++;
	o->used++;
	copy(o->good, o->p);
	o->good_loss = loss;
	note(o, o->p, loss, g);
	if (o->stage->method != OPTIM_NEWTON) {
		moment_step(o, g);
		return;
	}
	copy(o->g, g);
	o->step[0] = o->step[1] = o->step[2] = 0;
	newton_next(o, 0);
}

static void tell_end(struct optim *o, double loss)
{
	if (isfinite(loss))
		end_stage(o, o->p, loss);
	else
		end_broken(o);
}

/* ---- bfgs: u is the best point so far, un the one being evaluated */

void optim_to_cartesian(const double p[3], double q[3])
{
	q[0] = p[0];
	q[1] = sin(p[1]) * cos(p[2]);
	q[2] = sin(p[1]) * sin(p[2]);
}

void optim_from_cartesian(const double q[3], double p[3])
{
	double s = fmin(hypot(q[1], q[2]), 1);

	p[0] = q[0];
	p[1] = asin(s);
	p[2] = s > 0 ? atan2(q[2], q[1]) : 0;
}

/* Zenith and azimuth share a rate. */
static double rate(const struct optim *o, int i)
{
	return o->stage->lr[i == 0 ? 0 : 1];
}

static double scale(const struct optim *o, int i)
{
	return rate(o, i) != 0 ? rate(o, i) : 1;
}

static void bfgs_point(const struct optim *o, const double u[3], double p[3])
{
	double q[3];

	for (int i = 0; i < 3; i++)
		q[i] = u[i] * scale(o, i);
	optim_from_cartesian(q, p);
	for (int i = 0; i < 3; i++)
		if (rate(o, i) == 0)
			p[i] = o->good[i];
}

static void bfgs_evaluated(const struct optim *o, double p[3])
{
	bfgs_point(o, o->un, p);
	if (rate(o, 1) != 0 && p[1] < least_zenith)
		p[1] = least_zenith;
}

/* Gradient by u from the one by p. */
static void bfgs_gradient(const struct optim *o, const double p[3], const double g[3], double gu[3])
{
	double st = sin(p[1]), ct = cos(p[1]), ca = cos(p[2]), sa = sin(p[2]);

	gu[0] = rate(o, 0) != 0 ? g[0] * scale(o, 0) : 0;
	gu[1] = gu[2] = 0;
	if (rate(o, 1) == 0)
		return;
	gu[1] = (g[1] * ca / ct - g[2] * sa / st) * scale(o, 1);
	gu[2] = (g[1] * sa / ct + g[2] * ca / st) * scale(o, 2);
}

static void bfgs_end(struct optim *o)
{
	double p[3];

	if (!isfinite(o->good_loss)) { /* not even at the start */
		o->good_loss = NAN;
		end_broken(o);
		return;
	}
	bfgs_point(o, o->u, p);
	end_stage(o, p, o->good_loss);
}

static void bfgs_identity(struct optim *o, double v)
{
	memset(o->h, 0, sizeof o->h);
	for (int i = 0; i < 3; i++)
		o->h[i][i] = v;
}

/* The trial at len along d, inside z's range and the widest tilt. */
static void bfgs_trial(struct optim *o)
{
	double r;

	for (int i = 0; i < 3; i++)
		o->un[i] = o->u[i] + o->len * o->d[i];
	if (rate(o, 0) != 0)
		o->un[0] = limited(o->un[0], o->z_limit / scale(o, 0));
	r = rate(o, 1) != 0 ? hypot(o->un[1], o->un[2]) * scale(o, 1) : 0;
	if (r > widest_tilt) {
		o->un[1] *= widest_tilt / r;
		o->un[2] *= widest_tilt / r;
	}
}

/* A new direction from u, where the loss is good_loss and the gradient g. */
static void bfgs_direction(struct optim *o)
{
	double norm = sqrt(dot(o->g, o->g)), top = 0;

	o->broken |= !isfinite(norm);
	if (o->t >= o->stage->iters || !isfinite(norm)) {
		bfgs_end(o);
		return;
	}
	for (int i = 0; i < 3; i++)
		o->d[i] = -dot(o->h[i], o->g) / (o->first ? fmax(norm, 1e-300) : 1);
	if (dot(o->d, o->g) >= 0) {
		bfgs_identity(o, 1);
		for (int i = 0; i < 3; i++)
			o->d[i] = -o->g[i] / fmax(norm, 1e-300);
	}
	for (int i = 0; i < 3; i++)
		top = fmax(top, fabs(o->d[i]));
	for (int i = 0; i < 3; i++)
		o->d[i] *= fmin(1, 5 / fmax(top, 1e-300));
	o->slope = dot(o->d, o->g);
	o->len = 1;
	bfgs_trial(o);
}

/* H := V H V^T + s s^T / sy, V = 1 - s y^T / sy */
static void bfgs_update(struct optim *o, const double s[3], const double y[3])
{
	double sy = dot(s, y), v[3][3], vh[3][3];

	if (!(sy > 1e-10 * sqrt(dot(s, s)) * sqrt(dot(y, y))))
		return;
	if (o->first)
		bfgs_identity(o, sy / dot(y, y));
	o->first = false;
	for (int i = 0; i < 3; i++)
		for (int j = 0; j < 3; j++)
			v[i][j] = (i == j) - s[i] * y[j] / sy;
	for (int i = 0; i < 3; i++)
		for (int j = 0; j < 3; j++)
			vh[i][j] =
				v[i][0] * o->h[0][j] + v[i][1] * o->h[1][j] + v[i][2] * o->h[2][j];
	for (int i = 0; i < 3; i++)
		for (int j = 0; j < 3; j++)
			o->h[i][j] = dot(vh[i], v[j]) + s[i] * s[j] / sy;
}

/* The trial was good enough: it becomes u. */
static void bfgs_accept(struct optim *o, double loss, const double g[3])
{
	double s[3], y[3], gain = o->good_loss - loss;

	for (int i = 0; i < 3; i++) {
		s[i] = o->un[i] - o->u[i];
		y[i] = g[i] - o->g[i];
	}
	copy(o->u, o->un);
	copy(o->g, g);
	o->good_loss = loss;
	bfgs_update(o, s, y);
	if (gain < o->stage->tol)
		bfgs_end(o);
	else
		bfgs_direction(o);
}

static void tell_line(struct optim *o, double loss, const double grad[3])
{
	double p[3], g[3];

	o->t++;
	o->used++;
	bfgs_evaluated(o, p);
	note(o, p, loss, grad);
	bfgs_gradient(o, p, grad, g);
	if (o->t == 1) {
		o->good_loss = loss;
		copy(o->g, g);
		bfgs_direction(o);
		return;
	}
	if (isfinite(loss) && loss <= o->good_loss + 1e-4 * o->len * o->slope) {
		bfgs_accept(o, loss, g);
		return;
	}
	o->len *= 0.3;
	if (o->len < 1e-3 || o->t >= o->stage->iters)
		bfgs_end(o);
	else
		bfgs_trial(o);
}

/* ---- grid */

static size_t grid_count(const struct optim *o, int a)
{
	return is_free(o, a) && o->stage->grid[a].n > 0 ? o->stage->grid[a].n : 1;
}

static double grid_value(const struct optim *o, int a)
{
	const struct optim_axis *x = &o->stage->grid[a];

	if (x->n == 0 || !is_free(o, a))
		return o->p[a];
	return x->n == 1 ? x->centre
			 : x->centre - x->half + 2 * x->half * (double)o->i[a] / (double)(x->n - 1);
}

static void tell_grid(struct optim *o, double loss)
{
	double p[3];
	int a = 2;

	optim_ask(o, p);
	o->used++;
	note(o, p, loss, NULL);
	if (loss < o->best) {
		o->best = o->good_loss = loss;
		copy(o->good, p);
	}
	while (a >= 0 && ++o->i[a] == grid_count(o, a))
		o->i[a--] = 0;
	if (a >= 0)
		return;
	o->broken |= !isfinite(o->good_loss);
	end_stage(o, o->good, o->good_loss);
}

/* ---- all */

static void start_stage(struct optim *o)
{
	o->t = o->bad = 0;
	o->good_loss = NAN;
	o->best = INFINITY;
	copy(o->good, o->p);
	memset(o->m, 0, sizeof o->m);
	memset(o->v, 0, sizeof o->v);
	memset(o->i, 0, sizeof o->i);
	o->prod = 1;
	o->first = true;
	o->at = o->stage->method == OPTIM_GRID	 ? AT_GRID
		: o->stage->method == OPTIM_BFGS ? AT_LINE
						 : AT_STEP;
	if (o->at != AT_LINE)
		return;
	bfgs_identity(o, 1);
	optim_to_cartesian(o->p, o->u);
	for (int i = 0; i < 3; i++)
		o->u[i] /= scale(o, i);
	copy(o->un, o->u);
}

void optim_init(struct optim *o, const struct optim_stage *stage, size_t stages, const double p0[3],
		double z_limit, optim_trace *trace, void *arg)
{
	*o = (struct optim){ .loss = NAN,
			     .stage = stage,
			     .left = stages,
			     .z_limit = z_limit,
			     .trace = trace,
			     .trace_arg = arg };
	copy(o->p, p0);
	start_stage(o);
}

enum optim_need optim_ask(const struct optim *o, double p[3])
{
	copy(p, o->p);
	switch (o->at) {
	case AT_STEP:
		return OPTIM_GRADIENT;
	case AT_DIFFERENCE:
		p[o->side % 3] += (o->side < 3 ? 1 : -1) * difference[o->side % 3];
		return OPTIM_GRADIENT;
	case AT_LINE:
		bfgs_evaluated(o, p);
		return OPTIM_GRADIENT;
	case AT_GRID:
		for (int a = 0; a < 3; a++)
			p[a] = grid_value(o, a);
		return OPTIM_LOSS;
	case AT_END:
		return OPTIM_LOSS;
	default:
		return OPTIM_DONE;
	}
}

void optim_tell(struct optim *o, double loss, const double grad[3])
{
	switch (o->at) {
	case AT_STEP:
		tell_step(o, loss, grad);
		break;
	case AT_DIFFERENCE:
		tell_difference(o, grad);
		break;
	case AT_LINE:
		tell_line(o, loss, grad);
		break;
	case AT_GRID:
		tell_grid(o, loss);
		break;
	case AT_END:
		tell_end(o, loss);
		break;
	case AT_DONE:
		break;
	}
}

static bool between_steps(const struct optim *o)
{
	return (o->at == AT_STEP && o->t > 0) || o->at == AT_END;
}

void optim_share_z(struct optim *const *group, size_t n)
{
	size_t live = 0, members = 0;
	double sum = 0, first = NAN;
	bool same = true;

	for (size_t i = 0; i < n; i++)
		live += group[i]->at != AT_DONE;
	for (size_t i = 0; i < n; i++) {
		const struct optim *o = group[i];

		if (!is_free(o, 0) || (o->at != AT_DONE && !between_steps(o)))
			return;
		if (live > 0 && o->at == AT_DONE)
			continue;
		if (members++ == 0)
			first = o->p[0];
		same = same && o->p[0] == first;
		sum += o->p[0];
	}
	for (size_t i = 0; i < n && !same; i++) {
		struct optim *o = group[i];

		if (o->at == AT_DONE && (live > 0 || o->levelled))
			continue;
		if (o->at == AT_DONE) {
			copy(o->good, o->p);
			o->good_loss = o->loss;
			o->left = 1;
			o->at = AT_END;
			o->levelled = true;
		}
		o->p[0] = sum / (double)members;
	}
}
