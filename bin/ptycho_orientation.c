/* bin/ptycho_orientation.c: --orientation=scan and --xy=scan: a table, no reconstruction. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "ptycho/orientation.h"
#include "ptychorecon.h"

struct given {
	struct dev *d;
	const char *input;
	const struct work *w;
};

/* The start probe as the options say, from a file or from the frames as they are turned. */
static int start_probe(void *arg, const struct frames *turned, float complex *probe)
{
	const struct given *g = arg;
	size_t bytes = g->w->modes * turned->n * turned->n * sizeof *probe;
	struct work w = *g->w;
	int rc = -1;

	w.frames = *turned;
	w.probe = NULL;
	if (g->w->probe) {
		w.probe = mem_try(g->input, 1, bytes);
		if (!w.probe)
			return -1;
		memcpy(w.probe, g->w->probe, bytes);
	}
	if (work_probe(&w, g->input, g->d, false) == 0) {
		memcpy(probe, w.probe, bytes);
		rc = 0;
	}
	free(w.probe);
	return rc;
}

static void put(struct csv_line *row, size_t i, const struct orientation *o,
		const char *const names[D4_COUNT])
{
	csv_put_long(row, (long long)i + 1);
	csv_put_text(row, names[o->op]);
	csv_put_double(row, o->R);
	csv_put_text(row, names[o->twin]);
	csv_put_long(row, o->tie);
}

static void say_tie(const char *input, const struct orientation *o,
		    const char *const names[D4_COUNT])
{
	if (o->tie)
		warning("'%s': %s and %s are conjugate twins and tie: a phase of one has the "
			"opposite sign with the other, "
			"expected a --probe whose phase is known to tell them apart",
			input, names[o->op], names[o->twin]);
}

/* --xy, by what it does to positions read as x,y */
static const char *const xy_names[D4_COUNT] = { "x,y", "-x,y", "x,-y", "-x,-y",
						"y,x", "y,-x", "-y,x", "-y,-x" };

/* Positions [frames.k] of those used, as read by each --xy. */
static int positions(const struct work *w, double (*pos[D4_COUNT])[2])
{
	struct scan scan = w->scan;
	struct scan_opts o = w->o->scan;
	int rc = 0;

	scan.pos = mem_new(scan.pages, sizeof *scan.pos);
	for (int op = 0; op < D4_COUNT && rc == 0; op++) {
		pos[op] = mem_new(w->frames.k, sizeof *pos[op]);
		rc = scan_axes(xy_names[op], o.axis) != 0 ? -1
							  : scan_pixels(&scan, &o, w->frames.n);
		for (size_t i = 0; i < w->frames.pages; i++)
			if (w->frames.kept[i] >= 0)
				memcpy(pos[op][w->frames.kept[i]], scan.pos[i], sizeof scan.pos[i]);
	}
	free(scan.pos);
	return rc;
}

static int scan_xy(const struct work *w, struct job *j, struct dev *d,
		   const struct orientation_start *start)
{
	double(*pos[D4_COUNT])[2] = { NULL };
	struct orientation table[D4_COUNT];
	int rc = -1;

	if (positions(w, pos) != 0 ||
	    orientation_scan_positions(d, &w->o->engine, &w->frames, (const double(*const *)[2])pos,
				       start, table) != 0)
		goto done;
	for (size_t i = 0; i < D4_COUNT; i++) {
		put(&j->rows[0], i, &table[i], xy_names);
		csv_put_text(&j->rows[0],
			     d4_names[d4_then(w->o->frames.orientation, d4_inverse(table[i].op))]);
		csv_line_end(&j->rows[0]);
	}
	say_tie(j->input, &table[0], xy_names);
	rc = 0;
done:
	for (int op = 0; op < D4_COUNT; op++)
		free(pos[op]);
	return rc;
}

int work_orientations(const struct work *w, struct job *j, struct dev *d)
{
	struct given g = { d, j->input, w };
	struct orientation_start start = { .probe = start_probe,
					   .arg = &g,
					   .modes = w->modes,
					   .rescale = w->o->photons == PHOTONS_DATA,
					   .object = w->o->object_value,
					   .margin = isnan(w->o->margin)
							     ? ceil((double)w->frames.n / 8)
							     : w->o->margin };
	struct orientation table[D4_COUNT];

	if (w->o->xys)
		return scan_xy(w, j, d, &start);
	if (orientation_scan(d, &w->o->engine, &w->frames, (const double(*)[2])w->s, &start,
			     table) != 0)
		return -1;
	for (size_t i = 0; i < D4_COUNT; i++) {
		put(&j->rows[0], i, &table[i], d4_names);
		csv_line_end(&j->rows[0]);
	}
	say_tie(j->input, &table[0], d4_names);
	return 0;
}
