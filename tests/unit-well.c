/* What a stack's place in its well says (radii, starts, iterations, order, cache), and the levels of tiles. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "io/csvio.h"
#include "tests/tap.h"
#include "tilt/levels.h"
#include "tilt/well.h"

enum { MANY = 64 };

struct manifest {
	size_t n, position[MANY];
	double y[MANY], x[MANY], time[MANY];
	const char *name[MANY];
};

static int read_manifest(const char *path, struct csv *t, struct manifest *m)
{
	size_t y, x, position, time;

	if (csv_read(path, false, t) != 0 || t->rows > MANY || csv_need(t, "y_um", &y) != 0 ||
	    csv_need(t, "x_um", &x) != 0 || csv_need(t, "position", &position) != 0 || csv_need(t, "time", &time) != 0)
		return -1;
	m->n = t->rows;
	for (size_t i = 0; i < m->n; i++) {
		m->name[i] = csv_cell(t, i, position);
		if (csv_double(t, i, y, false, &m->y[i]) != 0 || csv_double(t, i, x, false, &m->x[i]) != 0 ||
		    csv_double(t, i, time, false, &m->time[i]) != 0)
			return -1;
	}
	well_group(m->name, m->n, m->position);
	return 0;
}

/* shared/golden/tilt/well_plan.csv: zenith 0.1, radial azimuth, --recipe speed */
static void test_golden(const char *shared)
{
	const struct well_recipe speed = { true, true, 3, 25, true, 0.70 };
	char path[4096];
	struct csv t = { 0 }, want = { 0 };
	struct manifest m;
	double u[MANY], azimuth[MANY], worst = 0;
	bool full[MANY], cached[MANY];
	size_t order[MANY], wrong = 0, rim = 0;

	snprintf(path, sizeof path, "%s/data/tilt/well.csv", shared);
	if (!ok(read_manifest(path, &t, &m) == 0, "the demo well's manifest can be read"))
		return;
	snprintf(path, sizeof path, "%s/golden/tilt/well_plan.csv", shared);
	if (!ok(csv_read(path, false, &want) == 0 && want.rows == m.n, "its golden plan has a row per stack"))
		return;
	well_radii(m.y, m.x, NULL, m.n, u, azimuth);
	for (size_t i = 0; i < m.n; i++) {
		full[i] = well_rule(&speed, u[i], 8, 0.1).full;
		order[i] = i;
		rim += full[i];
	}
	well_order(m.position, m.time, order, m.n);
	well_cached(m.position, full, m.n, order, m.n, cached);
	for (size_t i = 0; i < m.n; i++) {
		struct well_rule rule = well_rule(&speed, u[i], 8, 0.1);
		double r, meniscus, iters, zenith, azi, hit;

		csv_double(&want, i, (size_t)csv_column(&want, "r_frac"), false, &r);
		csv_double(&want, i, (size_t)csv_column(&want, "meniscus"), false, &meniscus);
		csv_double(&want, i, (size_t)csv_column(&want, "iterations"), false, &iters);
		csv_double(&want, i, (size_t)csv_column(&want, "init_zenith"), false, &zenith);
		csv_double(&want, i, (size_t)csv_column(&want, "init_azimuth"), false, &azi);
		csv_double(&want, i, (size_t)csv_column(&want, "cached"), false, &hit);
		worst = fmax(worst, fmax(fabs(u[i] - r), fmax(fabs(rule.zenith - zenith), fabs(azimuth[i] - azi))));
		wrong += rule.full != (meniscus != 0) || rule.iters != (int)iters || cached[i] != (hit != 0);
	}
	ok(rim > 0 && rim < m.n, "the demo well has stacks inside and outside the meniscus (%zu of %zu outside)", rim, m.n);
	ok(worst < 1e-12, "radii, start zeniths and azimuths of the demo well are the golden ones (%.2g)", worst);
	ok(wrong == 0, "meniscus, iterations and cache hits of the demo well are the golden ones (%zu differ)", wrong);
	csv_clear(&want);
	csv_clear(&t);
}

static void test_radii(void)
{
	const char *const well[] = { "A1", "B1", "A1", "B1", "A1" };
	double y[] = { 0, 5, 3, 5, 3 }, x[] = { 0, 7, 4, 7, 0 }, u[5], a[5];
	size_t g[5];

	well_group(well, 5, g);
	ok(g[0] == 0 && g[1] == 1 && g[2] == 0 && g[3] == 1 && g[4] == 0, "equal names share the number of their first row");
	well_radii(y, x, g, 5, u, a);
	ok(u[0] == 1 && u[2] == 1 && u[4] == 1, "radii are fractions of the largest of the same well");
	ok(u[1] == 0 && u[3] == 0, "a well with one place only has u = 0");
	ok(fabs(a[2] - atan2(1.5, 2)) < 1e-15 && fabs(a[0] - atan2(-1.5, -2)) < 1e-15, "the radial azimuth points outwards");
}

static void test_rules(void)
{
	const struct well_recipe none = { 0 }, speed = { true, true, 3, 25, true, 0.70 };
	struct well_rule r = well_rule(&none, 0.9, 8, 0.1);

	ok(!r.full && r.iters == 8 && r.zenith == 0.1, "without a recipe nothing changes");
	r = well_rule(&speed, 0, 8, 0.1);
	ok(!r.full && r.iters == 3 && r.zenith == 0, "in the middle: the least iterations, no start tilt");
	r = well_rule(&speed, 0.70, 8, 0.1);
	ok(!r.full && r.iters == 18 && fabs(r.zenith - 0.07) < 1e-15, "at the threshold itself the meniscus has not begun");
	r = well_rule(&speed, nextafter(0.70, 1), 8, 0.1);
	ok(r.full && r.iters == 25 && r.zenith == 0.1, "beyond it: the most iterations and the whole start tilt");
	ok(well_rule(&(struct well_recipe){ .scale_iters = true, .iters_lo = 1, .iters_hi = 2 }, 0.5, 8, 0).iters == 2,
	   "half an iteration rounds up");
	ok(well_rule(&(struct well_recipe){ .meniscus = true, .threshold = 0.7 }, 0.8, 8, 0).iters == 8,
	   "the meniscus without scaled iterations keeps the iterations given");
}

static void test_order(void)
{
	const size_t position[] = { 0, 1, 0, 1, 0, 5 };
	const double time[] = { 2, 0, 1, 0, 0, 9 };
	const bool full[] = { false, false, false, false, false, true };
	size_t order[] = { 0, 1, 2, 3, 4, 5 }, shard[] = { 4, 2, 0 };
	bool cached[6];

	well_order(position, time, order, 6);
	ok(order[0] == 4 && order[2] == 2 && order[4] == 0, "the times of a position run in their order, in its own places");
	ok(order[1] == 1 && order[3] == 3 && order[5] == 5, "equal times and other positions keep their places");
	well_cached(position, full, 6, order, 6, cached);
	ok(!cached[4] && cached[2] && cached[0] && !cached[1] && cached[3], "the first time of a position fills the cache");
	ok(!cached[5], "a stack in the meniscus is not cached");
	well_order(position, time, shard, 3);
	ok(shard[0] == 4 && shard[1] == 2 && shard[2] == 0, "an order that is right already stays");
}

static void test_hash(void)
{
	ok(well_hash("") == UINT64_C(0xcbf29ce484222325) && well_hash("a") == UINT64_C(0xaf63dc4c8601ec8c) &&
	   well_hash("foobar") == UINT64_C(0x85944171f73967e8), "FNV-1a has its published values");
}

/* A smooth field cut into tiles, constants added to them; the largest difference between the wanted constants and the found. */
static double level_error(const struct tile_plan *p, enum blend kind, size_t nz, const double *constant, double *sum)
{
	float **image = malloc(p->count * sizeof *image);
	double *offset = malloc(p->count * sizeof *offset), mean = 0, worst = 0;

	for (size_t i = 0; i < p->count; i++) {
		image[i] = malloc(nz * p->h * p->w * sizeof **image);
		for (size_t k = 0; k < nz * p->h * p->w; k++) {
			double y = (double)(p->box[i].y + k / p->w % p->h), x = (double)(p->box[i].x + k % p->w);

			image[i][k] = (float)(0.3 * sin(y / 9) * cos(x / 7) + constant[i]);
		}
		mean += constant[i] / (double)p->count;
	}
	tile_levels(p, kind, 0.125, (const float *const *)image, nz, offset);
	*sum = 0;
	for (size_t i = 0; i < p->count; i++) {
		worst = fmax(worst, fabs(offset[i] + constant[i] - mean));
		*sum += offset[i];
		free(image[i]);
	}
	free(image);
	free(offset);
	return worst;
}

static void test_levels(void)
{
	double constant[64], sum, worst;
	struct tile_plan p;

	for (int i = 0; i < 64; i++)
		constant[i] = 0.4 * sin(3.7 * i) + 0.01 * i;
	tile_plan_init(&p, (size_t[2]){ 100, 85 }, (size_t[2]){ 32, 24 }, (size_t[2]){ 8, 6 });
	worst = level_error(&p, BLEND_GAUSSIAN, 1, constant, &sum);
	ok(p.count > 9 && worst < 1e-6, "constants added to %zu tiles of a smooth field are found to 1e-6 (%.2g)", p.count,
	   worst);
	ok(fabs(sum) < 1e-12, "the levels add up to 0");
	ok(level_error(&p, BLEND_UNIFORM, 3, constant, &sum) < 1e-6, "uniform weights and volumes as well");
	tile_plan_clear(&p);
	tile_plan_init(&p, (size_t[2]){ 64, 40 }, (size_t[2]){ 64, 40 }, (size_t[2]){ 0, 0 });
	ok(level_error(&p, BLEND_GAUSSIAN, 1, constant, &sum) < 1e-7 && sum == 0, "a single tile keeps 0");
	tile_plan_clear(&p);
	tile_plan_init(&p, (size_t[2]){ 64, 64 }, (size_t[2]){ 32, 32 }, (size_t[2]){ 0, 0 });
	level_error(&p, BLEND_GAUSSIAN, 1, constant, &sum);
	ok(p.count == 4 && sum == 0, "tiles that touch no other keep 0");
	tile_plan_clear(&p);
}

int main(void)
{
	const char *shared;

	test_radii();
	test_rules();
	test_order();
	test_hash();
	test_levels();
	shared = tap_shared();
	if (shared)
		test_golden(shared);
	return done_testing();
}
