#include "features/intensity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/team.h"
#include "features/order.h"

enum { TALLY = 65536 };	/* greatest range of whole numbers that is counted */

const char *const intensity_names[INTENSITY_COLUMNS] = {
	"Intensity_IntegratedIntensity", "Intensity_MeanIntensity", "Intensity_StdIntensity", "Intensity_MinIntensity",
	"Intensity_MaxIntensity", "Intensity_MassDisplacement", "Intensity_LowerQuartileIntensity", "Intensity_MedianIntensity",
	"Intensity_MADIntensity", "Intensity_UpperQuartileIntensity", "Location_CenterMassIntensity_X",
	"Location_CenterMassIntensity_Y", "Location_CenterMassIntensity_Z", "Location_MaxIntensity_X", "Location_MaxIntensity_Y",
	"Location_MaxIntensity_Z", "Intensity_IntegratedIntensityEdge", "Intensity_MeanIntensityEdge",
	"Intensity_StdIntensityEdge", "Intensity_MinIntensityEdge", "Intensity_MaxIntensityEdge",
};

typedef double quad __attribute__((vector_size(32)));

/* One thread's memory. */
struct scratch {
	double *v;		/* values of the object */
	uint8_t *edge;		/* and whether they are at its edge */
	uint32_t *x;		/* columns of a run's valid pixels, from the box's left side on */
	uint32_t *count;	/* [TALLY] */
};

struct measure {
	const struct intensity_opts *opts;
	const struct pixels *p;
	const struct objects *o;
	struct scratch *scratch;
	size_t first;
	double *value;
	const char **reason;
};

/* Sums over an object's valid pixels; coordinates z y x from the box's corner. */
struct sums {
	size_t n;
	bool any_masked_in;	/* did the mask let a pixel through? */
	double total, rest, moment[3], place[3];	/* total: sum of v, exact but for `rest` until gathered */
	double min, max;
	uint32_t at[3];		/* of the maximum, in the image */
};

/* ---- neighbours: runs of the same object in the lines beside */

/* First run that ends behind column x0 of line (z, y), from *cursor on: calls come in raster order. */
static bool before(const struct run *r, uint32_t z, uint32_t y, uint32_t x0)
{
	return r->z != z ? r->z < z : r->y != y ? r->y < y : r->x1 <= x0;
}

/* Adds 1 to cover[] where the object goes on in line (z, y). */
static void cover_by(const struct object *o, const struct run *run, size_t *cursor, uint32_t z, uint32_t y, const struct run *r,
		     uint8_t *cover)
{
	while (*cursor < o->count && before(&run[*cursor], z, y, r->x0))
		++*cursor;
	for (size_t i = *cursor; i < o->count && run[i].z == z && run[i].y == y && run[i].x0 < r->x1; i++) {
		uint32_t a = run[i].x0 > r->x0 ? run[i].x0 : r->x0, b = run[i].x1 < r->x1 ? run[i].x1 : r->x1;

		for (uint32_t x = a; x < b; x++)
			cover[x - r->x0]++;
	}
}

/* edge[i] = 1 for the pixels of run[k] that have a neighbour of another label, else 0. */
static void find_edge(const struct objects *all, const struct object *o, const struct run *run, size_t k, size_t cursor[4],
		      uint8_t *edge)
{
	static const int step[4][2] = { { 0, -1 }, { 0, 1 }, { -1, 0 }, { 1, 0 } };
	const struct run *r = &run[k];
	uint32_t n = r->x1 - r->x0;
	uint8_t sides = 0;

	memset(edge, 0, n);
	for (int s = 0; s < 4; s++) {
		/* below 0 wraps around to beyond the last */
		uint32_t z = r->z + (uint32_t)step[s][0], y = r->y + (uint32_t)step[s][1];

		if (z >= all->nz || y >= all->ny)
			continue;
		sides++;
		cover_by(o, run, &cursor[s], z, y, r, edge);
	}
	for (uint32_t i = 0; i < n; i++)
		edge[i] = edge[i] != sides;
	if (r->x0 > 0)
		edge[0] = 1;
	if (r->x1 < all->nx)
		edge[n - 1] = 1;
}

/* ---- gathering */

/* Leaves the valid of n values, their flags and their columns; returns how many. */
static size_t keep_valid(const struct pixels *p, size_t at, uint32_t left, size_t n, struct scratch *s, size_t to,
			 struct sums *sum)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		if (p->mask && !p->mask[at + i])
			continue;
		sum->any_masked_in = true;
		if (!isfinite(s->v[to + i]))
			continue;
		s->v[to + kept] = s->v[to + i];
		s->edge[to + kept] = s->edge[to + i];
		s->x[kept++] = left + (uint32_t)i;
	}
	return kept;
}

/* Adds v to the pair hi + lo, and what rounding took from hi to lo (Knuth's two-sum). */
static void add_to(double *hi, double *lo, double v)
{
	double s = *hi + v, b = s - *hi;

	*lo += (*hi - (s - b)) + (v - b);
	*hi = s;
}

/* Sum of v, added to sum->total and sum->rest, so that values that cancel leave exactly 0; returned with that of x v in *moment.  In
 * four lanes whose order hangs on n alone. */
static double line_sums(const double *v, const uint32_t *x, size_t n, struct sums *sum, double *moment)
{
	quad t = { 0 }, lost = { 0 }, m = { 0 };
	double line = 0;
	size_t i = 0;

	for (; i + 4 <= n; i += 4) {
		quad a = { v[i], v[i + 1], v[i + 2], v[i + 3] }, b = { x[i], x[i + 1], x[i + 2], x[i + 3] };
		quad s = t + a, c = s - t;

		lost += (t - (s - c)) + (a - c);
		t = s;
		m += a * b;
	}
	*moment = (m[0] + m[1]) + (m[2] + m[3]);
	for (int k = 0; k < 4; k++) {
		add_to(&sum->total, &sum->rest, t[k]);
		sum->rest += lost[k];
		line += t[k];
	}
	for (; i < n; i++) {
		add_to(&sum->total, &sum->rest, v[i]);
		line += v[i];
		*moment += v[i] * x[i];
	}
	return line;
}

static void find_extremes(const struct measure *m, const double *v, const uint32_t *x, size_t n, const struct object *o,
			  const struct run *r, struct sums *sum)
{
	double min = v[0], max = v[0];

	for (size_t i = 1; i < n; i++) {
		min = v[i] < min ? v[i] : min;
		max = v[i] > max ? v[i] : max;
	}
	if (sum->n == 0 || min < sum->min)
		sum->min = min;
	if (sum->n == 0 || max > sum->max || (max == sum->max && m->opts->last)) {
		size_t i = m->opts->last ? n - 1 : 0;

		while (v[i] != max)
			i = m->opts->last ? i - 1 : i + 1;
		sum->max = max;
		sum->at[0] = r->z;
		sum->at[1] = r->y;
		sum->at[2] = o->low[2] + x[i];
	}
}

/* Exact, whether the columns are in one piece or not. */
static double columns_sum(const uint32_t *x, size_t n)
{
	uint64_t sum = 0;

	if (x[n - 1] - x[0] == n - 1)
		return (double)((uint64_t)x[0] + x[n - 1]) * (double)n / 2;
	for (size_t i = 0; i < n; i++)
		sum += x[i];
	return (double)sum;
}

static void gather(const struct measure *m, const struct object *o, struct scratch *s, struct sums *sum)
{
	const struct run *run = m->o->run + o->first;
	bool edge = m->opts->edge, all = !m->p->mask && m->p->type != DT_F32 && m->p->type != DT_F64;
	size_t cursor[4] = { 0 };

	*sum = (struct sums){ 0 };
	for (size_t k = 0; k < o->count; k++) {
		const struct run *r = &run[k];
		size_t at = ((size_t)r->z * m->p->ny + r->y) * m->p->nx + r->x0, n = r->x1 - r->x0;
		double line, moment, z = r->z - o->low[0], y = r->y - o->low[1];
		double *v = s->v + sum->n;

		pixels_raw(m->p, at, n, v);
		if (edge)
			find_edge(m->o, o, run, k, cursor, s->edge + sum->n);
		for (size_t i = 0; all && i < n; i++)
			s->x[i] = r->x0 - o->low[2] + (uint32_t)i;
		if (!all)
			n = keep_valid(m->p, at, r->x0 - o->low[2], n, s, sum->n, sum);
		if (n == 0)
			continue;
		find_extremes(m, v, s->x, n, o, r, sum);
		line = line_sums(v, s->x, n, sum, &moment);
		sum->n += n;
		sum->moment[0] += z * line;
		sum->moment[1] += y * line;
		sum->moment[2] += moment;
		sum->place[0] += z * (double)n;
		sum->place[1] += y * (double)n;
		sum->place[2] += columns_sum(s->x, n);
	}
	sum->total += sum->rest;
}

/* ---- the columns */

/* Sum of (v - mean)^2, in four lanes whose order hangs on n alone. */
static double squares(const double *v, size_t n, double mean)
{
	quad s = { 0 }, c = { mean, mean, mean, mean };
	size_t i = 0;
	double sum;

	for (; i + 4 <= n; i += 4) {
		quad d = { v[i], v[i + 1], v[i + 2], v[i + 3] };

		d -= c;
		s += d * d;
	}
	sum = (s[0] + s[1]) + (s[2] + s[3]);
	for (; i < n; i++)
		sum += (v[i] - mean) * (v[i] - mean);
	return sum;
}

/* The next pixel of the edge from i on, n if there is none: mostly eight and more are not of it. */
static size_t next_edge(const struct scratch *s, size_t i, size_t n)
{
	for (uint64_t eight = 0; i + 8 <= n; i += 8) {
		memcpy(&eight, s->edge + i, 8);
		if (eight)
			break;
	}
	while (i < n && !s->edge[i])
		i++;
	return i;
}

static bool put_edge(const struct scratch *s, size_t n, double by, double *to)
{
	double total = 0, sum = 0, mean, min = INFINITY, max = -INFINITY;
	size_t m = 0;

	for (size_t i = next_edge(s, 0, n); i < n; i = next_edge(s, i + 1, n)) {
		total += s->v[i];
		min = s->v[i] < min ? s->v[i] : min;
		max = s->v[i] > max ? s->v[i] : max;
		m++;
	}
	if (m == 0)
		return false;
	mean = total / (double)m;
	for (size_t i = next_edge(s, 0, n); i < n; i = next_edge(s, i + 1, n))
		sum += (s->v[i] - mean) * (s->v[i] - mean);
	to[INTENSITY_EDGE_SUM] = total / by;
	to[INTENSITY_EDGE_MEAN] = mean / by;
	to[INTENSITY_EDGE_STD] = sqrt(sum / (double)m) / by;
	to[INTENSITY_EDGE_MIN] = min / by;
	to[INTENSITY_EDGE_MAX] = max / by;
	return true;
}

static void put_places(const struct object *o, const struct sums *sum, double *to)
{
	double far = 0;

	for (int a = 0; a < 3; a++) {
		double centre = sum->moment[a] / sum->total, d = centre - sum->place[a] / (double)sum->n;

		far += d * d;
		/* columns are X, Y, Z */
		to[INTENSITY_MASS_Z - a] = sum->total != 0 ? o->low[a] + centre : NAN;
		to[INTENSITY_MAX_Z - a] = sum->at[a];
	}
	to[INTENSITY_DISPLACEMENT] = sum->total != 0 ? sqrt(far) : NAN;
}

/* Permutes s->v. */
static void put_quantiles(const struct measure *m, struct scratch *s, const struct sums *sum, double by, double *to)
{
	bool legacy = m->opts->legacy, whole = m->p->type != DT_F32 && m->p->type != DT_F64;
	size_t n = sum->n;
	struct quantile lower = quantile_at(n, 0.25, legacy), upper = quantile_at(n, 0.75, legacy);
	struct quantile middle = quantile_at(n, 0.5, legacy), spread = middle;
	double range = sum->max - sum->min + 1, median;

	if (legacy && m->o->nz > 1)
		spread = quantile_at(n, 1.0 / 3, true);
	if (whole && range <= TALLY && range <= 16.0 * (double)n + 256) {
		struct tally t = { s->count, (size_t)range, sum->min };

		memset(s->count, 0, t.size * sizeof *s->count);
		for (size_t i = 0; i < n; i++)
			s->count[(size_t)(s->v[i] - sum->min)]++;
		median = tally_quantile(&t, middle);
		to[INTENSITY_LOWER] = tally_quantile(&t, lower) / by;
		to[INTENSITY_UPPER] = tally_quantile(&t, upper) / by;
		to[INTENSITY_MAD] = tally_deviation(&t, median, spread) / by;
	} else {
		median = quantile_select(s->v, n, middle);
		to[INTENSITY_LOWER] = quantile_select(s->v, n, lower) / by;
		to[INTENSITY_UPPER] = quantile_select(s->v, n, upper) / by;
		for (size_t i = 0; i < n; i++)
			s->v[i] = fabs(s->v[i] - median);
		to[INTENSITY_MAD] = quantile_select(s->v, n, spread) / by;
	}
	to[INTENSITY_MEDIAN] = median / by;
}

static void measure_object(void *context, size_t i, int member)
{
	const struct measure *m = context;
	struct scratch *s = &m->scratch[member];
	const struct object *o = &m->o->object[m->first + i];
	double *to = m->value + i * INTENSITY_COLUMNS, nothing = m->opts->zeros ? 0 : NAN, by = m->p->divisor, mean;
	struct sums sum;
	bool edge = true;

	gather(m, o, s, &sum);
	for (int c = 0; c < INTENSITY_COLUMNS; c++)
		to[c] = sum.n == 0 || c >= INTENSITY_EDGE_SUM ? nothing : NAN;
	if (sum.n == 0) {
		m->reason[i] = m->p->mask && !sum.any_masked_in ? "masked" : "no-finite";
		return;
	}
	mean = sum.total / (double)sum.n;
	to[INTENSITY_SUM] = sum.total / by;
	to[INTENSITY_MEAN] = mean / by;
	to[INTENSITY_STD] = sqrt(squares(s->v, sum.n, mean) / (double)sum.n) / by;
	to[INTENSITY_MIN] = sum.min / by;
	to[INTENSITY_MAX] = sum.max / by;
	put_places(o, &sum, to);
	if (m->opts->edge)
		edge = put_edge(s, sum.n, by, to);
	if (m->opts->quantiles)
		put_quantiles(m, s, &sum, by, to);
	m->reason[i] = sum.total != 0 ? (edge ? "" : "no-edge") : edge ? "zero-sum" : "zero-sum;no-edge";
}

/* ---- all of them */

int intensity_measure(const struct intensity_opts *opts, const struct pixels *p, const struct objects *o, size_t first, size_t n,
		      int threads, double *value, const char **reason)
{
	struct measure m = { .opts = opts, .p = p, .o = o, .first = first, .value = value, .reason = reason };
	size_t largest = 1;
	int rc = -1;

	for (size_t i = first; i < first + n; i++)
		if (o->object[i].pixels > largest)
			largest = o->object[i].pixels;
	m.scratch = mem_new((size_t)threads, sizeof *m.scratch);
	for (int i = 0; i < threads; i++) {
		struct scratch *s = &m.scratch[i];

		s->v = mem_try("object", largest, sizeof *s->v);
		s->edge = mem_try("object", largest, sizeof *s->edge);
		s->x = mem_try("row", o->nx, sizeof *s->x);
		s->count = mem_try("counts", TALLY, sizeof *s->count);
		if (!s->v || !s->edge || !s->x || !s->count)
			goto done;
	}
	team_run(threads, n, measure_object, &m);
	rc = 0;
done:
	for (int i = 0; i < threads; i++) {
		free(m.scratch[i].v);
		free(m.scratch[i].edge);
		free(m.scratch[i].x);
		free(m.scratch[i].count);
	}
	free(m.scratch);
	return rc;
}
