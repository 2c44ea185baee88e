/* ptychorecon: object and probe from a stack of diffraction frames and their positions. */
#include <config.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "device.h"
#include "ptycho_checkpoint.h"
#include "ptychorecon.h"

static const struct opt *const tables[] = { ptycho_options, batch_options,  input_options,
					    output_options, device_options, NULL };

static const struct program program = {
	.synopsis = "[OPTION]... -p POSITIONS.csv -o STEM FRAMES.tif\n[OPTION]... --list JOBS.csv",
	.purpose =
		"Ptychography: object and probe from diffraction frames at overlapping positions.",
	.example = "ptychorecon -p scan.csv --probe probe.tif --modes 3 -o star frames.tif",
	.tables = tables,
	.features = common_features,
};

/* ---- a manifest's columns: any option of the tool's own */

enum { COLUMNS_MAX = 128 };

static void columns_of(const char **columns)
{
	size_t n = 0;

	for (const struct opt *o = ptycho_options; o->type != OPT_END && n < COLUMNS_MAX - 1; o++)
		if (o->type != OPT_HEADING)
			columns[n++] = o->name;
	columns[n] = NULL;
}

/* path as seen from the manifest's folder; the tool keeps the text */
static const char *beside(struct tool *t, const char *manifest, const char *path)
{
	const char *slash = strrchr(manifest, '/');

	if (!slash || path[0] == '/')
		return path;
	t->text = mem_grow(t->text, t->texts + 1, sizeof *t->text);
	return t->text[t->texts++] = mem_printf("%.*s/%s", (int)(slash - manifest), manifest, path);
}

/* Files that a row names. */
static void find_files(struct tool *t, const struct job *j, struct recon_options *o)
{
	struct {
		const char *name, **path;
		bool file;
	} all[] = {
		{ "positions", &o->positions, true },
		{ "mask", &o->mask, true },
		{ "dark", &o->dark, true },
		{ "background", &o->background, o->background_file },
		{ "flat", &o->flat, true },
		{ "probe", &o->probe, o->probe_kind == PROBE_FILE },
		{ "object", &o->object, o->object_file },
		{ "dump-inputs", &o->dump_inputs, true },
	};

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		long c = csv_column(j->manifest, all[i].name);

		if (c >= 0 && all[i].file && csv_cell(j->manifest, j->row, (size_t)c)[0])
			*all[i].path = beside(t, j->manifest->path, *all[i].path);
	}
}

static int row_options(struct tool *tool, const struct job *j, struct recon_options *o)
{
	const struct csv *t = j->manifest;

	for (size_t c = 0; t && c < t->columns; c++) {
		const char *cell = csv_cell(t, j->row, c);
		char subject[300];

		if (strcmp(t->names[c], "frames") == 0 || strcmp(t->names[c], "output") == 0 ||
		    !cell[0])
			continue;
		snprintf(subject, sizeof subject, "%s: line %zu: %s", t->path, t->line[j->row],
			 t->names[c]);
		if (opt_put(t->names[c], subject, cell) != 0)
			return -1;
	}
	if (!opts.positions)
		return error("'%s': no positions, expected -p FILE%s", j->input,
			     t ? " or a column positions" : "");
	if (ptycho_options_check(&opts) != 0)
		return -1;
	*o = opts;
	if (t)
		find_files(tool, j, o);
	return 0;
}

/* The options of every job, those of its row put over the command line's. */
static int job_options(struct tool *t, const struct batch *b)
{
	struct recon_options common_ones = opts;

	t->o = mem_new(b->n, sizeof *t->o);
	for (size_t i = 0; i < b->n; i++) {
		bool table;
		int rc;

		opt_mark();
		rc = row_options(t, &b->jobs[i], &t->o[i]);
		opt_back();
		opts = common_ones;
		if (rc != 0)
			return -1;
		table = t->o[i].orientations || t->o[i].xys;
		if (table && (b->n > 1 || b->spec->n_tables == 0))
			return error("'--%s': scan %s, expected it for one input and on the "
				     "command line",
				     t->o[i].xys ? "xy" : "orientation",
				     b->n > 1 ? "of several inputs" : "in a manifest");
		if (table)
			continue;
		if (!b->jobs[i].output)
			return error("'%s': no output, expected -o STEM, -O DIR or a column output",
				     b->jobs[i].input);
		if (strcmp(b->jobs[i].output, "-") == 0)
			return error("'-': several files cannot go to standard output, expected -o "
				     "STEM");
	}
	return 0;
}

static int run(struct batch *b, struct tool *t)
{
	struct dev_opts d = common_dev_opts();
	int status = EXIT_FAILED;

	t->d = dev_open(&d);
	if (t->d)
		status = batch_run(b, &ptychorecon_ops, t, dev_name(t->d));
	/* a run that was killed behind its last output has left its checkpoint, and is not done again */
	if (status == EXIT_DONE && common.resume && !common.dry_run)
		for (size_t k = 0; k < b->n_mine; k++)
			checkpoint_remove(&b->jobs[b->order[k]]);
	dev_free(t->d);
	if (common_profile() != 0)
		status = EXIT_FAILED;
	return status;
}

int main(int argc, char **argv)
{
	const char *columns[COLUMNS_MAX];
	struct batch_table table = { "-", NULL };
	struct batch_spec spec = { .operand = "FRAMES.tif",
				   .input_column = "frames",
				   .output_column = "output",
				   .columns = columns,
				   .strict = true,
				   .suffix = "",
				   .product = "_object.tif" };
	struct operands rest;
	struct tool tool = { 0 };
	struct batch b;
	int status;

	status = common_begin(&program, argc, argv, &rest);
	if (status != OPT_GO)
		return status;
	if (opt_exclude("output", "output-dir") != 0)
		return EXIT_USAGE;
	columns_of(columns);
	if (strcmp(opts.orientation, "scan") == 0 || strcmp(opts.xy, "scan") == 0) {
		table.header = strcmp(opts.xy, "scan") == 0 ? XY_HEADER : ORIENTATION_HEADER;
		spec.tables = &table;
		spec.n_tables = 1;
	}
	status = batch_open(&b, &spec, &rest);
	if (status == EXIT_DONE)
		status = job_options(&tool, &b) != 0 ? EXIT_USAGE : run(&b, &tool);
	while (tool.texts > 0)
		free(tool.text[--tool.texts]);
	free(tool.text);
	free(tool.o);
	batch_close(&b);
	opt_clear();
	return status;
}
