/* The optimisers as state machines: hand-made vectors, a curved valley, and a table made with an independent program.
 *
 * "valley" below is a Rosenbrock-like loss of the tilt; its expected minima and paths were made with a transcription of
 * the published algorithms in Python (numpy, float64), printed with %.17g.  Tolerance 1e-9: the same double arithmetic in
 * another order of operations, over at most 71 steps. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "math/optim.h"
#include "tests/tap.h"

#define HAND 1e-9

struct problem {
	double (*f)(const double p[3], double g[3]);
	double z_limit;
};

static double valley(const double p[3], double g[3])
{
	double st = sin(p[1]), ct = cos(p[1]), sa = sin(p[2]), ca = cos(p[2]);
	double a = p[0] - 0.4, b = 10 * (st * ca - 0.08), c = 10 * (st * sa + 0.05), w = b - a * a;
	double gx = 10 * (10 * w + 0.3 * c), gy = 10 * (2 * c + 0.3 * b);

	g[0] = 2 * a - 20 * w * a;
	g[1] = gx * ct * ca + gy * ct * sa;
	g[2] = st * (-gx * sa + gy * ca);
	return a * a + 5 * w * w + c * c + 0.3 * b * c;
}

/* Not finite beyond z = 1. */
static double cliff(const double p[3], double g[3])
{
	g[0] = -1;
	g[1] = g[2] = 0;
	return p[0] > 1 ? NAN : -p[0];
}

static double slope_broken(const double p[3], double g[3])
{
	g[0] = g[2] = 1;
	g[1] = p[1] == 0.05 ? INFINITY : 1;
	return p[0];
}

static int evaluations;

static void search_traced(struct optim *o, struct problem q, const struct optim_stage *stage, size_t stages,
			  const double p0[3], optim_trace *trace, void *arg)
{
	double p[3], g[3];
	enum optim_need need;

	optim_init(o, stage, stages, p0, q.z_limit, trace, arg);
	for (evaluations = 0; (need = optim_ask(o, p)) != OPTIM_DONE; evaluations++) {
		double loss = q.f(p, g);

		optim_tell(o, loss, need == OPTIM_GRADIENT ? g : NULL);
	}
}

static void search(struct optim *o, struct problem q, const struct optim_stage *stage, const double p0[3])
{
	search_traced(o, q, stage, 1, p0, NULL, NULL);
}

static bool near(const struct optim *o, const double want[4])
{
	return fabs(o->p[0] - want[0]) < HAND && fabs(o->p[1] - want[1]) < HAND && fabs(o->p[2] - want[2]) < HAND &&
	       fabs(o->loss - want[3]) < HAND;
}

static const struct problem hill = { valley, 3 };

static void test_vectors(void)
{
	static const double g[3] = { 1, 2, -1 };
	static const struct { enum optim_method method; double p[3]; } want[2] = {
		{ OPTIM_NADAM, { -0.105645177, -0.201939911, -0.164508636 } },
		{ OPTIM_ADAM, { -0.1, -0.196518201, -0.238527131 } },
	};

	for (int k = 0; k < 2; k++) {
		struct optim_stage s = { .method = want[k].method, .iters = 3, .lr = { 0.1, 0.1, 0.1 } };
		struct optim o;
		double worst = 0, p[3], same = 0;

		optim_init(&o, &s, 1, (double[3]){ 0 }, 10, NULL, NULL);
		for (int t = 0; t < 3; t++) {
			optim_tell(&o, 0, (double[3]){ g[t], g[t], g[t] });
			optim_ask(&o, p);
			worst = fmax(worst, fabs(p[0] - want[k].p[t]));
			same += p[1] == p[0] && p[2] == p[0];
		}
		ok(worst < 1e-9 && same == 3, "%s from 0 with gradients 1, 2, -1 and rate 0.1 takes the published steps",
		   k == 0 ? "NAdam" : "Adam");
	}
}

static void test_table(void)
{
	static const struct {
		const char *what;
		struct optim_stage s;
		double p0[3], z_limit, want[4];
		int used;
	} t[] = {
		{ "bfgs from no tilt at all",
		  { .method = OPTIM_BFGS, .iters = 40, .lr = { .2, .02, .02 }, .tol = 1e-6 },
		  { 0, 0, 0 }, 3,
		  { 0.39995568103828921, 0.094480340804237756, -0.55859288422060782, 2.0539907121671482e-09 }, 16 },
		{ "bfgs out of evaluations",
		  { .method = OPTIM_BFGS, .iters = 6, .lr = { .2, .02, .02 }, .tol = 1e-6 },
		  { 0, 0, 0 }, 3,
		  { 0.37305561402521625, 0.088657825422960676, -0.30545209064136369, 0.068024107428425989 }, 6 },
		{ "bfgs from far, azimuth 3.4 rad off",
		  { .method = OPTIM_BFGS, .iters = 40, .lr = { .2, .02, .02 }, .tol = 1e-6 },
		  { -1, .5, 2.8 }, 3,
		  { 0.4000755917071076, 0.094473794757433213, -0.5585734200716661, 1.6908588708223097e-08 }, 30 },
		{ "bfgs to the bottom",
		  { .method = OPTIM_BFGS, .iters = 200, .lr = { .2, .02, .02 }, .tol = 1e-12 },
		  { -1, .5, 2.8 }, 3,
		  { 0.39999999996097096, 0.094480312146817277, -0.55859931537889762, 3.737451794063879e-21 }, 33 },
		{ "bfgs with z frozen",
		  { .method = OPTIM_BFGS, .iters = 40, .lr = { 0, .02, .02 }, .tol = 1e-6 },
		  { .1, .3, -2 }, 3,
		  { 0.1, 0.10297129392171578, -0.52316371898696601, 0.08981692617233844 }, 10 },
		{ "bfgs with both angles frozen",
		  { .method = OPTIM_BFGS, .iters = 40, .lr = { .2, 0, 0 }, .tol = 1e-6 },
		  { .1, .3, -2 }, 3,
		  { 0.39999999965237865, 0.3, -2, 26.715904401278976 }, 5 },
		{ "bfgs with one plane: z has no room",
		  { .method = OPTIM_BFGS, .iters = 40, .lr = { .2, .02, .02 }, .tol = 1e-6 },
		  { 0, 0, 0 }, 0,
		  { 0, 0.10592530784453263, -0.51250304476306097, 0.16710466622452219 }, 11 },
		{ "nadam",
		  { .method = OPTIM_NADAM, .iters = 12, .lr = { .1, .01, .02 } },
		  { 0, .05, .3 }, 3,
		  { 0.39685660941815482, 0.079926235556041045, 0.11437471434595642, 0.34845716989665532 }, 12 },
		{ "nadam with zenith frozen",
		  { .method = OPTIM_NADAM, .iters = 12, .lr = { .1, 0, .02 } },
		  { 0, .05, .3 }, 3,
		  { 0.43603057893298369, 0.05, 0.12431423552698251, 0.73208132320121777 }, 12 },
		{ "nadam stopped early",
		  { .method = OPTIM_NADAM, .iters = 100, .lr = { .1, .01, .02 }, .tol = 1e-3, .patience = 3 },
		  { 0, .05, .3 }, 3,
		  { 0.40000361603800594, 0.093350269414249079, -0.53570614715915044, 0.00060852266452072915 }, 71 },
		{ "adam",
		  { .method = OPTIM_ADAM, .iters = 12, .lr = { .1, .01, .02 } },
		  { 0, .05, .3 }, 3,
		  { 0.67192778217263693, 0.084369041612146631, 0.06309741624654315, 0.39213269782139165 }, 12 },
		{ "adam with zenith frozen",
		  { .method = OPTIM_ADAM, .iters = 12, .lr = { .1, 0, .02 } },
		  { 0, .05, .3 }, 3,
		  { 0.54993175041867004, 0.05, 0.069301945720884467, 0.78446121713215022 }, 12 },
		{ "adam along z alone",
		  { .method = OPTIM_ADAM, .iters = 3, .lr = { .5, 0, 0 } },
		  { 2.9, .05, .3 }, 3,
		  { 1.5050832000743992, 0.05, 0.3, 13.493711823394834 }, 3 },
		{ "newton",
		  { .method = OPTIM_NEWTON, .iters = 4, .lr = { .05, .005, .01 } },
		  { 0, .05, .3 }, 3,
		  { 0.10528764691766068, 0.093931735415656775, -0.7706993474217454, 0.34512557411397726 }, 4 },
		{ "newton with zenith frozen",
		  { .method = OPTIM_NEWTON, .iters = 4, .lr = { .05, 0, .01 } },
		  { 0, .05, .3 }, 3,
		  { 0.39999999713144263, 0.05, -0.22362936100536443, 0.603706065243102 }, 4 },
	};

	for (size_t k = 0; k < sizeof t / sizeof *t; k++) {
		struct optim o;

		search(&o, (struct problem){ valley, t[k].z_limit }, &t[k].s, t[k].p0);
		ok(near(&o, t[k].want) && o.used == t[k].used && !o.broken, "%s: %.12g %.12g %.12g, loss %.6g, after %d", t[k].what,
		   o.p[0], o.p[1], o.p[2], o.loss, o.used);
	}
}

static void test_frozen_bits(void)
{
	static const enum optim_method all[] = { OPTIM_BFGS, OPTIM_NADAM, OPTIM_ADAM, OPTIM_NEWTON, OPTIM_GRID };
	const double p0[3] = { 0.1 + DBL_EPSILON / 16, 0.3 + DBL_EPSILON / 4, -7.7 };	/* an azimuth beyond pi as well */
	bool z = true, angles = true;

	for (size_t k = 0; k < 5; k++) {
		struct optim_stage s = { .method = all[k], .iters = 9, .lr = { 0, .02, .02 }, .tol = 1e-6,
					 .grid = { { 1, 1, 3 }, { .1, .1, 3 }, { 0, 1, 3 } } };
		struct optim o;

		search(&o, hill, &s, p0);
		z &= memcmp(&o.p[0], &p0[0], sizeof *p0) == 0 && o.p[1] != p0[1] && o.p[2] != p0[2];
		s.lr[0] = .1;
		s.lr[1] = s.lr[2] = 0;
		search(&o, hill, &s, p0);
		angles &= memcmp(&o.p[1], &p0[1], 2 * sizeof *p0) == 0 && o.p[0] != p0[0];
	}
	ok(z, "a frozen z comes back bit for bit from every method, the angles move");
	ok(angles, "frozen angles come back bit for bit from every method, z moves");
}

static void test_limits(void)
{
	struct optim_stage s = { .method = OPTIM_ADAM, .iters = 50, .lr = { .5, 0, 0 } };
	struct optim o;

	search(&o, (struct problem){ cliff, 0.75 }, &s, (double[3]){ 0 });
	ok(o.p[0] == 0.75 && !o.broken && o.loss == -0.75, "z stays within its limit and the loss belongs to it");
	search(&o, (struct problem){ cliff, 3 }, &s, (double[3]){ 0.3, 0, 0 });
	ok(o.broken && o.p[0] > 0.3 && o.p[0] <= 1 && o.loss == -o.p[0],
	   "a loss that is not finite ends the search at the last finite state");
	ok(o.used == 2, "the evaluation that was not finite is not counted as an iteration (found %d)", o.used);
	s.method = OPTIM_NADAM;
	s.lr[1] = 0.01;
	search(&o, (struct problem){ slope_broken, 3 }, &s, (double[3]){ 0, 0.05, 0 });
	ok(o.broken && o.p[1] == 0.05 && isnan(o.loss), "a first gradient that is not finite returns the start, loss nan");
	s.lr[1] = 0;
	search(&o, (struct problem){ slope_broken, 3 }, &s, (double[3]){ 0, 0.05, 0 });
	ok(!o.broken && o.used == 50, "the gradient of a frozen parameter may be anything");
	s = (struct optim_stage){ .method = OPTIM_BFGS, .iters = 30, .lr = { .2, .02, .02 }, .tol = 1e-9 };
	search(&o, (struct problem){ cliff, 3 }, &s, (double[3]){ 0.3, 0, 0 });
	ok(!o.broken && o.p[0] > 0.9 && o.p[0] <= 1, "bfgs shortens a step into losses that are not finite");
	search(&o, (struct problem){ cliff, 3 }, &s, (double[3]){ 2, 0.1, 9 });
	ok(o.broken && isnan(o.loss) && o.p[0] == 2 && o.p[1] == 0.1 && o.p[2] == 9,
	   "bfgs from a start without a finite loss returns the start");
}

static double ring(const double p[3], double g[3])	/* depends on the tilt vector alone, no minimum inside 0.9 */
{
	g[0] = 0;
	g[1] = -cos(p[1]);
	g[2] = 0;
	return -sin(p[1]);
}

static double quadratic(const double p[3], double g[3])
{
	g[0] = 4 * (p[0] - 1);
	g[1] = 60 * (p[1] - 0.2);
	g[2] = 10 * (p[2] + 0.5);
	return 2 * pow(p[0] - 1, 2) + 30 * pow(p[1] - 0.2, 2) + 5 * pow(p[2] + 0.5, 2);
}

static void test_shapes(void)
{
	struct optim_stage s = { .method = OPTIM_NEWTON, .iters = 1, .lr = { .05, .005, .01 } };
	struct optim o;
	double a[3], b[3];

	search(&o, (struct problem){ quadratic, 3 }, &s, (double[3]){ 0.5, 0.1, -0.2 });
	ok(fabs(o.p[0] - 1) < 1e-9 && fabs(o.p[1] - 0.2) < 1e-9 && fabs(o.p[2] + 0.5) < 1e-9 && evaluations == 8,
	   "newton reaches the minimum of a quadratic in one step: 1 + 6 gradients and the last loss");
	s = (struct optim_stage){ .method = OPTIM_BFGS, .iters = 60, .lr = { .2, .02, .02 }, .tol = 1e-9 };
	search(&o, (struct problem){ ring, 3 }, &s, (double[3]){ 0, 0.1, 1 });
	ok(fabs(sin(o.p[1]) - 0.9) < 1e-9, "bfgs does not tilt beyond sin zenith 0.9 (found %.12g)", sin(o.p[1]));
	search(&o, hill, &s, (double[3]){ 0, 0.05, 2.5 });
	memcpy(a, o.p, sizeof a);
	search(&o, hill, &s, (double[3]){ 0, 0.05, 2.5 + 2 * M_PI });
	memcpy(b, o.p, sizeof b);
	ok(fabs(a[1] - b[1]) < 1e-6 && fabs(a[2] - b[2]) < 1e-6, "azimuth and azimuth + 2 pi start the same search");
	search(&o, hill, &s, (double[3]){ 0, -0.05, 2.5 - M_PI });
	ok(fabs(a[1] - o.p[1]) < 1e-6 && fabs(a[2] - o.p[2]) < 1e-6,
	   "a negative zenith is the opposite azimuth; zenith >= 0 and azimuth in (-pi, pi] come back");
	optim_to_cartesian((double[3]){ 1, 0.2, 3 }, a);
	optim_from_cartesian(a, b);
	ok(b[0] == 1 && fabs(b[1] - 0.2) < 1e-15 && fabs(b[2] - 3) < 1e-15, "polar to cartesian and back");
	optim_from_cartesian((double[3]){ 0, 0, 0 }, b);
	ok(b[1] == 0 && b[2] == 0, "no tilt has azimuth 0");
}

static void test_grid(void)
{
	struct optim_stage s[2] = {
		{ .method = OPTIM_GRID, .lr = { 1, 1, 1 }, .grid = { { 0, 1, 5 }, { .08, .08, 5 }, { 0, 2.5, 6 } } },
		{ .method = OPTIM_BFGS, .iters = 40, .lr = { .2, .02, .02 }, .tol = 1e-6 },
	};
	struct optim o;
	double p[3], loss;

	search(&o, hill, s, (double[3]){ 0 });
	ok(o.p[0] == 0.5 && fabs(o.p[1] - 0.08) < 1e-15 && fabs(o.p[2] + 0.5) < 1e-15 &&
	   fabs(o.loss - 0.0792579079483703) < HAND && o.used == 150, "the grid finds its best of 150 points");
	loss = o.loss;
	search_traced(&o, hill, s, 2, (double[3]){ 0 }, NULL, NULL);
	ok(o.loss < 1e-6 && o.loss < loss && fabs(o.p[0] - 0.4) < 1e-3 && o.used > 150,
	   "grid, bfgs: the second goes on from the first's result");
	optim_init(&o, s, 1, (double[3]){ 0 }, 3, NULL, NULL);
	while (optim_ask(&o, p) == OPTIM_LOSS)
		optim_tell(&o, 7, NULL);
	ok(o.p[0] == -1 && o.p[1] == 0 && o.p[2] == -2.5, "of equal losses the first point wins");
	s[0].grid[1].n = s[0].grid[2].n = 0;
	optim_init(&o, s, 1, (double[3]){ 0.3, 0.2, 0.1 }, 3, NULL, NULL);
	for (int i = 0; optim_ask(&o, p) == OPTIM_LOSS; i++)
		optim_tell(&o, i == 2 ? 1 : NAN, NULL);
	ok(o.p[0] == 0 && o.p[1] == 0.2 && o.p[2] == 0.1 && o.used == 5 && !o.broken,
	   "an axis without a grid stays at the start; losses that are not finite lose");
	optim_init(&o, s, 1, (double[3]){ 0.3, 0.2, 0.1 }, 3, NULL, NULL);
	while (optim_ask(&o, p) == OPTIM_LOSS)
		optim_tell(&o, NAN, NULL);
	ok(o.broken && o.p[0] == 0.3 && isnan(o.loss), "a grid without a finite loss returns the start");
}

struct rows {
	int n, last;
	double p[8][3], loss[8], g[8][3];
};

static void keep_row(void *arg, int iteration, const double p[3], double loss, const double grad[3])
{
	struct rows *r = arg;

	r->last = iteration;
	if (r->n < 8) {
		memcpy(r->p[r->n], p, sizeof r->p[0]);
		memcpy(r->g[r->n], grad, sizeof r->g[0]);
		r->loss[r->n] = loss;
	}
	r->n++;
}

static void test_trace(void)
{
	static const double want[5][3] = {	/* made like the table above */
		{ 0, 9.9999999999999995e-07, 0 },
		{ 0.13333666665594718, 0.014907373839488511, -0.080251721195533365 },
		{ 0.29024423584227654, 0.057704011507950327, -0.1217952195606051 },
		{ 0.33605660078402266, 0.078271777182394101, -0.16362472614352794 },
		{ 0.34994869131617695, 0.08302113358388212, -0.20696155589014023 },
	};
	struct optim_stage s[2] = { { .method = OPTIM_BFGS, .iters = 5, .lr = { .2, .02, .02 }, .tol = 1e-6 },
				    { .method = OPTIM_NADAM, .iters = 2, .lr = { .1, .01, .02 } } };
	struct rows r = { 0 };
	struct optim o;
	double worst = 0;

	search_traced(&o, hill, s, 1, (double[3]){ 0 }, keep_row, &r);
	for (int i = 0; i < 5; i++)
		for (int a = 0; a < 3; a++)
			worst = fmax(worst, fabs(r.p[i][a] - want[i][a]));
	ok(r.n == 5 && worst < HAND, "bfgs evaluates where it should, zenith 0 at 1e-6 (largest difference %.2g)", worst);
	ok(fabs(r.loss[4] - 0.1126932848612959) < HAND && fabs(r.g[4][0] + 0.091037036159449206) < HAND,
	   "a trace row carries the loss and the gradient of its point");
	r.n = 0;
	search_traced(&o, hill, s, 2, (double[3]){ 0 }, keep_row, &r);
	ok(r.n == 7 && r.last == 7 && o.used == 7, "the trace counts iterations through a chain");
}

static void test_side_by_side(void)
{
	struct optim_stage s = { .method = OPTIM_BFGS, .iters = 40, .lr = { .2, .02, .02 }, .tol = 1e-6 };
	struct optim alone[3], o[3];
	size_t live = 3;
	bool same = true;

	for (int i = 0; i < 3; i++) {
		search(&alone[i], hill, &s, (double[3]){ 0.1 * i, 0.1 * i, i });
		optim_init(&o[i], &s, 1, (double[3]){ 0.1 * i, 0.1 * i, i }, 3, NULL, NULL);
	}
	while (live > 0) {
		live = 0;
		for (int i = 2; i >= 0; i--) {
			double p[3], g[3];

			if (optim_ask(&o[i], p) == OPTIM_DONE)
				continue;
			optim_tell(&o[i], valley(p, g), g);
			live++;
		}
	}
	for (int i = 0; i < 3; i++)
		same &= memcmp(o[i].p, alone[i].p, sizeof o[i].p) == 0 && o[i].loss == alone[i].loss;
	ok(same, "three searches side by side end with the bytes of each alone");
}

/* Rounds of a group with one z; returns the number of rounds. */
static int share(struct optim *o, size_t n, bool *always)
{
	struct optim *group[4];
	int rounds = 0;
	bool live = true;

	for (size_t i = 0; i < n; i++)
		group[i] = &o[i];
	*always = true;
	for (; live && rounds < 1000; rounds++) {
		live = false;
		for (size_t i = 0; i < n; i++) {
			double p[3], g[3], loss;

			if (optim_ask(&o[i], p) == OPTIM_DONE)
				continue;
			loss = valley(p, g) + (double)i * p[0];
			g[0] += (double)i;
			optim_tell(&o[i], loss, g);
			live = true;
		}
		optim_share_z(group, n);
		for (size_t i = 1; i < n; i++)
			*always &= o[i].p[0] == o[0].p[0];
	}
	return rounds;
}

static void test_share(void)
{
	static const enum optim_method all[] = { OPTIM_NADAM, OPTIM_NEWTON, OPTIM_BFGS };
	static const char *name[] = { "nadam", "newton", "bfgs" };

	for (int k = 0; k < 3; k++) {
		struct optim_stage s = { .method = all[k], .iters = 6, .lr = { .1, .02, .02 }, .tol = 1e-6 };
		struct optim o[3];
		double g[3], worst = 0;
		bool always, end = true;
		int rounds;

		for (int i = 0; i < 3; i++)
			optim_init(&o[i], &s, 1, (double[3]){ 0.1, 0.05 * (1 + i), 0.4 * i }, 3, NULL, NULL);
		rounds = share(o, 3, &always);
		for (int i = 0; i < 3; i++) {
			end &= o[i].p[0] == o[0].p[0];
			worst = fmax(worst, fabs(o[i].loss - valley(o[i].p, g) - i * o[i].p[0]));
		}
		ok(end && worst < 1e-14 && rounds < 100, "%s: a group with one z ends with one z, each loss is its tile's there",
		   name[k]);
		if (all[k] != OPTIM_BFGS)
			ok(always, "%s: z is one in every iteration", name[k]);
	}
	struct optim_stage s = { .method = OPTIM_NADAM, .iters = 4, .lr = { 0, .02, .02 } };
	struct optim o[2];
	bool always;

	optim_init(&o[0], &s, 1, (double[3]){ 0.1, 0.1, 0 }, 3, NULL, NULL);
	optim_init(&o[1], &s, 1, (double[3]){ 0.7, 0.1, 0 }, 3, NULL, NULL);
	share(o, 2, &always);
	ok(o[0].p[0] == 0.1 && o[1].p[0] == 0.7, "a frozen z is not shared");
}

int main(void)
{
	test_vectors();
	test_table();
	test_frozen_bits();
	test_limits();
	test_shapes();
	test_grid();
	test_trace();
	test_side_by_side();
	test_share();
	return done_testing();
}
