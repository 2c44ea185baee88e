/* bin/tilt_well.c: what tiltrecon's manifest says of each of its rows (spec section 7). */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/die.h"
#include "base/mem.h"
#include "tiltrecon.h"

static bool wants_radius(void)
{
	return opts.zen_blend || opts.scale_iters[1] > 0 || isfinite(opts.meniscus) ||
	       isnan(opts.init[2]);
}

/* A text column, or NULL. */
static const char *text_or(const struct csv *t, const char *column, size_t row,
			   const char *otherwise)
{
	long c = csv_column(t, column);
	const char *s = c >= 0 ? csv_cell(t, row, (size_t)c) : "";

	return *s ? s : otherwise;
}

/* u and azimuth of all rows, per well. */
static int read_radii(struct well *w, const struct batch *b)
{
	const struct csv *t = &b->manifest;
	const char **name = mem_new(w->n, sizeof *name);
	size_t *group = mem_new(w->n, sizeof *group), cy, cx;
	double *y = mem_new(2 * w->n, sizeof *y), *x = y + w->n;
	int rc = -1;

	if (csv_need(t, "y_um", &cy) != 0 || csv_need(t, "x_um", &cx) != 0)
		goto done;
	for (size_t i = 0; i < w->n; i++) {
		if (csv_double(t, b->jobs[i].row, cy, false, &y[i]) != 0 ||
		    csv_double(t, b->jobs[i].row, cx, false, &x[i]) != 0)
			goto done;
		name[i] = text_or(t, "well", b->jobs[i].row, "");
	}
	well_group(name, w->n, group);
	well_radii(y, x, group, w->n, w->u, w->azimuth);
	w->radial = true;
	rc = 0;
done:
	free(name);
	free(group);
	free(y);
	return rc;
}

/* A cache that cannot be written is said before the work, not after it. */
static int check_cache(void)
{
	struct stat s;

	if (!opts.tilt_cache || opts.plan_only)
		return 0;
	if (stat(opts.tilt_cache, &s) != 0)
		return error("'%s': %s, expected a folder", opts.tilt_cache, strerror(errno));
	return S_ISDIR(s.st_mode) ? 0 : error("'%s': a file, expected a folder", opts.tilt_cache);
}

int well_open(struct well *w, const struct batch *b)
{
	struct well_recipe recipe = { opts.zen_blend,		opts.scale_iters[1] > 0,
				      (int)opts.scale_iters[0], (int)opts.scale_iters[1],
				      isfinite(opts.meniscus),	opts.meniscus };
	long focus = b->has_manifest ? csv_column(&b->manifest, "focus_offset") : -1;

	*w = (struct well){ .n = b->n };
	if (check_cache() != 0)
		return -1;
	w->position = mem_new(b->n, sizeof *w->position);
	w->time = mem_new(b->n, sizeof *w->time);
	w->focus = mem_new(3 * b->n, sizeof *w->focus);
	w->u = w->focus + b->n;
	w->azimuth = w->u + b->n;
	w->rule = mem_new(b->n, sizeof *w->rule);
	for (size_t i = 0; i < b->n; i++) {
		const struct job *j = &b->jobs[i];

		w->position[i] =
			b->has_manifest ? text_or(&b->manifest, "position", j->row, j->stem) : "";
		w->time[i] = b->has_manifest ? text_or(&b->manifest, "time", j->row, "0") : "";
		w->focus[i] = tilt_options.tilt.z_offset;
		if (focus >= 0 && *csv_cell(&b->manifest, j->row, (size_t)focus) &&
		    csv_double(&b->manifest, j->row, (size_t)focus, false, &w->focus[i]) != 0)
			return -1;
	}
	if (wants_radius() && b->has_manifest && read_radii(w, b) != 0)
		return -1;
	if (!b->has_manifest && (opts.scale_iters[1] > 0 || isfinite(opts.meniscus)))
		return error("'--%s': needs the positions of a manifest, expected --list",
			     opts.recipe	       ? "recipe"
			     : opts.scale_iters[1] > 0 ? "scale-iters"
						       : "meniscus");
	for (size_t i = 0; i < b->n; i++)
		w->rule[i] = well_rule(&recipe, w->u[i], (int)opts.iters, opts.init[1]);
	return 0;
}

void well_close(struct well *w)
{
	free(w->position);
	free(w->time);
	free(w->focus);
	free(w->rule);
	*w = (struct well){ 0 };
}

static double *times(const struct well *w)
{
	double *t = mem_new(w->n, sizeof *t);

	for (size_t i = 0; i < w->n; i++) {
		char *end;
		double v = strtod(w->time[i], &end);

		t[i] = *end || end == w->time[i]
			       ? 0
			       : v; /* times that are no numbers keep their places */
	}
	return t;
}

void well_sort(const struct well *w, struct batch *b)
{
	size_t *group;
	double *time;

	if (!opts.tilt_cache)
		return;
	group = mem_new(w->n, sizeof *group);
	time = times(w);
	well_group(w->position, w->n, group);
	well_order(group, time, b->order, b->n_mine);
	free(group);
	free(time);
}

int well_print(const struct well *w, const struct batch *b)
{
	size_t *group = mem_new(w->n, sizeof *group), *order = mem_new(w->n, sizeof *order);
	bool *full = mem_new(w->n, sizeof *full), *cached = mem_new(w->n, sizeof *cached);
	double *time = times(w);
	long stack = csv_column(&b->manifest, "stack");
	struct csv_line l = { 0 };

	well_group(w->position, w->n, group);
	for (size_t i = 0; i < b->n_mine; i++)
		order[i] = b->order[i];
	for (size_t i = 0; i < w->n; i++)
		full[i] = w->rule[i].full;
	well_order(group, time, order, b->n_mine);
	if (opts.tilt_cache)
		well_cached(group, full, w->n, order, b->n_mine, cached);
	puts("stack,position,time,r_frac,meniscus,iterations,init_zenith,init_azimuth,cached");
	for (size_t k = 0; k < b->n_mine; k++) {
		size_t i = b->order[k];

		csv_put_text(&l, stack >= 0 ? csv_cell(&b->manifest, b->jobs[i].row, (size_t)stack)
					    : b->jobs[i].input);
		csv_put_text(&l, w->position[i]);
		csv_put_text(&l, w->time[i]);
		csv_put_double(&l, w->u[i]);
		csv_put_long(&l, w->rule[i].full);
		csv_put_long(&l, w->rule[i].iters);
		csv_put_double(&l, w->rule[i].zenith);
		csv_put_double(&l, isnan(opts.init[2]) ? w->azimuth[i] : opts.init[2]);
		csv_put_long(&l, cached[i]);
		csv_line_end(&l);
	}
	fwrite(l.text, 1, l.len, stdout);
	csv_line_clear(&l);
	free(group);
	free(order);
	free(full);
	free(cached);
	free(time);
	return 0;
}
