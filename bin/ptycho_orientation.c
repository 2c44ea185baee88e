/* bin/ptycho_orientation.c: --orientation=scan, the table in place of a reconstruction. */
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

	if (orientation_scan(d, &w->o->engine, &w->frames, (const double(*)[2])w->s, &start,
			     table) != 0)
		return -1;
	for (size_t i = 0; i < D4_COUNT; i++) {
		csv_put_long(&j->rows[0], (long long)i + 1);
		csv_put_text(&j->rows[0], d4_names[table[i].op]);
		csv_put_double(&j->rows[0], table[i].R);
		csv_put_text(&j->rows[0], d4_names[table[i].twin]);
		csv_put_long(&j->rows[0], table[i].tie);
		csv_line_end(&j->rows[0]);
	}
	if (table[0].tie)
		warning("'%s': %s and %s are conjugate twins and tie: a phase of one has the "
			"opposite sign with the other, "
			"expected a --probe whose phase is known to tell them apart",
			j->input, d4_names[table[0].op], d4_names[table[0].twin]);
	return 0;
}
