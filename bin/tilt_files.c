#include "tilt_files.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "base/mem.h"
#include "tilt/well.h"

static const char *position_of(const struct tilt_owner *who)
{
	return who->position && *who->position ? who->position : who->stack;
}

/* ---- table */

static void put_row(struct csv_line *l, const struct tilt_owner *who, size_t tile,
		    const struct tile_box *box, double z, const struct tilt *tilt, double loss,
		    int iterations, bool skipped)
{
	csv_put_text(l, who->stack);
	csv_put_text(l, who->position ? who->position : "");
	csv_put_text(l, who->time ? who->time : "");
	csv_put_long(l, (long long)tile);
	csv_put_long(l, (long long)box->y);
	csv_put_long(l, (long long)box->x);
	csv_put_double(l, z);
	csv_put_double(l, tilt->zenith);
	csv_put_double(l, tilt->azimuth);
	csv_put_double(l, loss);
	csv_put_long(l, iterations);
	csv_put_long(l, skipped);
}

void tilt_table_put(struct csv_line *l, const struct tilt_owner *who, size_t tile,
		    const struct tile_box *box, const struct tilt *tilt, double loss,
		    int iterations, bool skipped)
{
	put_row(l, who, tile, box, tilt->z_offset, tilt, loss, iterations, skipped);
	csv_line_end(l);
}

int tilt_table_read(const char *path, struct tilt_table *t)
{
	*t = (struct tilt_table){ 0 };
	if (csv_read(path, false, &t->csv) != 0)
		return -1;
	if (csv_need(&t->csv, "tile", &t->tile) != 0 ||
	    csv_need(&t->csv, "zenith", &t->zenith) != 0 ||
	    csv_need(&t->csv, "azimuth", &t->azimuth) != 0) {
		tilt_table_clear(t);
		return -1;
	}
	t->z_offset = csv_column(&t->csv, "z_offset");
	t->position = csv_column(&t->csv, "position");
	t->stack = csv_column(&t->csv, "stack");
	return 0;
}

void tilt_table_clear(struct tilt_table *t)
{
	csv_clear(&t->csv);
}

static const char *cell_or_empty(const struct tilt_table *t, size_t row, long column)
{
	return column < 0 ? "" : csv_cell(&t->csv, row, (size_t)column);
}

static bool applies(const struct tilt_table *t, size_t row, const struct tilt_owner *who)
{
	const char *position = cell_or_empty(t, row, t->position),
		   *stack = cell_or_empty(t, row, t->stack);

	if (*position)
		return strcmp(position, position_of(who)) == 0;
	return !*stack || strcmp(stack, who->stack) == 0;
}

static int take(const struct tilt_table *t, size_t row, struct tilt *tilt)
{
	if (csv_double(&t->csv, row, t->zenith, false, &tilt->zenith) != 0 ||
	    csv_double(&t->csv, row, t->azimuth, false, &tilt->azimuth) != 0)
		return -1;
	return t->z_offset < 0
		       ? 0
		       : csv_double(&t->csv, row, (size_t)t->z_offset, false, &tilt->z_offset);
}

int tilt_table_pick(const struct tilt_table *t, const struct tilt_owner *who, size_t tiles,
		    struct tilt *tilt)
{
	const char *path = t->csv.path;
	bool *seen = mem_new(tiles, sizeof *seen);
	size_t found = 0;
	int rc = -1;

	for (size_t row = 0; row < t->csv.rows; row++)
		found += applies(t, row, who);
	if (found != tiles || tiles == 0) {
		error("'%s': %zu rows for '%s', expected %zu, one per tile", path, found,
		      position_of(who), tiles);
		goto done;
	}
	for (size_t row = 0; row < t->csv.rows; row++) {
		long tile;

		if (!applies(t, row, who))
			continue;
		if (csv_long(&t->csv, row, t->tile, 0, (long)tiles - 1, &tile) != 0)
			goto done;
		if (seen[tile]) {
			error("'%s': line %zu: tile %ld a second time for '%s', expected one row "
			      "per tile",
			      path, t->csv.line[row], tile, position_of(who));
			goto done;
		}
		seen[tile] = true;
		if (take(t, row, &tilt[tile]) != 0)
			goto done;
	}
	rc = 0;
done:
	free(seen);
	return rc;
}

/* ---- cache */

static const char *const loss_names[] = { "residual",  "midband",  "tv",
					  "laplacian", "variance", "flatness" };
static const char *const method_names[] = { "bfgs", "nadam", "adam", "newton", "grid" };

static void put_number(FILE *f, const char *name, double v)
{
	fprintf(f, "%s=%.17g\n", name, v);
}

static void put_tiles(FILE *f, size_t nz, const struct tile_plan *plan)
{
	fprintf(f, "field=%zu,%zu,%zu\ntile=%zu,%zu\nat=", nz, plan->ny, plan->nx, plan->h,
		plan->w);
	for (size_t i = 0; i < plan->count; i++)
		fprintf(f, "%zu,%zu;", plan->box[i].y, plan->box[i].x);
	fputc('\n', f);
}

static void put_stage(FILE *f, const struct optim_stage *s)
{
	fprintf(f, "optimize=%s\niters=%d\nlr=%.17g,%.17g,%.17g\ntol=%.17g\npatience=%d\n",
		method_names[s->method], s->iters, s->lr[0], s->lr[1], s->lr[2], s->tol,
		s->patience);
	for (int a = 0; a < 3; a++)
		fprintf(f, "grid=%.17g,%.17g,%zu\n", s->grid[a].centre, s->grid[a].half,
			s->grid[a].n);
}

char *tilt_cache_text(size_t nz, const struct tile_plan *plan, const struct loss_opts *o,
		      const struct optim_stage *stage, size_t stages, bool z_shared,
		      const struct tilt *start)
{
	const struct optics *p = &o->optics;
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		die(EXIT_FAILED, "cannot allocate the text of the tilt cache");
	put_number(f, "wavelength", p->wavelength);
	put_number(f, "pixel", p->pixel);
	put_number(f, "z-step", p->z_step);
	put_number(f, "index", p->index);
	put_number(f, "na-det", p->na_det);
	put_number(f, "na-ill", p->na_ill);
	put_number(f, "z-order", p->z_sign);
	put_number(f, "invert", p->invert);
	put_number(f, "oversample", p->oversample);
	put_number(f, "compat", p->peer);
	put_number(f, "reg", o->reg);
	put_number(f, "flatten", (double)o->contrast.flatten);
	put_tiles(f, nz, plan);
	fprintf(f, "loss=%s\nband=%.17g,%.17g\n", loss_names[o->kind], o->band[0], o->band[1]);
	put_number(f, "taper", o->contrast.taper);
	put_number(f, "opt-pad", (double)o->contrast.pad);
	put_number(f, "opt-inverse", o->inverse);
	put_number(f, "opt-steepness", p->steepness);
	for (size_t i = 0; i < stages; i++)
		put_stage(f, &stage[i]);
	fprintf(f, "init=%.17g,%.17g,%.17g\n", start->z_offset, start->zenith, start->azimuth);
	put_number(f, "z-shared", z_shared);
	if (fclose(f) != 0)
		die(EXIT_FAILED, "cannot allocate the text of the tilt cache");
	return text;
}

char *tilt_cache_path(const char *dir, const struct tilt_owner *who, const char *text)
{
	char *name = mem_strdup(position_of(who)), *path;

	for (char *s = name; *s; s++)
		if (*s == '/')
			*s = '_';
	path = mem_printf("%s/%s-%016" PRIx64 ".csv", dir, name, well_hash(text));
	free(name);
	return path;
}

static bool same_text(const struct csv *t, size_t row, const char *column, const char *want)
{
	long c = csv_column(t, column);

	return c >= 0 && strcmp(csv_cell(t, row, (size_t)c), want) == 0;
}

static bool same_number(const struct csv *t, size_t row, const char *column, size_t want)
{
	char text[32];

	snprintf(text, sizeof text, "%zu", want);
	return same_text(t, row, column, text);
}

/* Row i of the cache as tile i's tilt; false if it is another's or does not make sense. */
static bool take_cached(const struct csv *t, size_t i, const struct tilt_owner *who,
			const struct tile_box *box, double focus_offset, struct tilt *tilt)
{
	static const char *const names[] = { "z_offset", "zenith", "azimuth", "z_total",
					     "focus_offset" };
	double v[5];

	if (!same_text(t, i, "position", position_of(who)) || !same_number(t, i, "tile", i) ||
	    !same_number(t, i, "y", box->y) || !same_number(t, i, "x", box->x))
		return false;
	for (int k = 0; k < 5; k++) {
		long c = csv_column(t, names[k]);
		char *end;

		if (c < 0)
			return false;
		v[k] = strtod(csv_cell(t, i, (size_t)c), &end);
		if (end == csv_cell(t, i, (size_t)c) || *end || !isfinite(v[k]))
			return false;
	}
	*tilt = (struct tilt){ v[4] == focus_offset ? v[3] : v[0] + focus_offset, v[1], v[2] };
	return true;
}

bool tilt_cache_read(const char *path, const struct tilt_owner *who, const struct tile_plan *plan,
		     double focus_offset, struct tilt *tilt)
{
	struct csv t = { 0 };
	struct tilt *found;
	bool good;

	if (access(path, F_OK) != 0)
		return false;
	found = mem_new(plan->count, sizeof *found);
	good = csv_read(path, false, &t) == 0 && t.rows == plan->count;
	for (size_t i = 0; i < plan->count && good; i++)
		good = take_cached(&t, i, who, &plan->box[i], focus_offset, &found[i]);
	if (good)
		memcpy(tilt, found, plan->count * sizeof *found);
	else
		warning("'%s': does not hold the %zu tilts of '%s', they are searched anew", path,
			plan->count, position_of(who));
	free(found);
	csv_clear(&t);
	return good;
}

int tilt_cache_write(const char *path, const struct tilt_owner *who, const struct tile_plan *plan,
		     double focus_offset, const struct tilt *tilt)
{
	struct tilt_owner named = { who->stack, position_of(who), who->time };
	struct csv_line l = { 0 };
	int rc;

	for (size_t i = 0; i < plan->count; i++) {
		put_row(&l, &named, i, &plan->box[i], tilt[i].z_offset - focus_offset, &tilt[i],
			NAN, 0, true);
		csv_put_double(&l, tilt[i].z_offset);
		csv_put_double(&l, focus_offset);
		csv_line_end(&l);
	}
	rc = csv_save(path, TILT_TABLE_HEADER ",z_total,focus_offset", l.text, l.len);
	csv_line_clear(&l);
	return rc;
}
