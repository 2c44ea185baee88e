/* intensity: brightness of objects, its place and its distribution. */
#include <config.h>

#include <stdlib.h>
#include <unistd.h>

#include "base/die.h"
#include "base/mem.h"
#include "batch/common.h"
#include "device.h"
#include "features.h"
#include "features/intensity.h"

enum { BLOCK = 1024 };	/* objects whose values are held at a time */

static struct {
	int quantiles, ties;
	bool edge;
} opts;

static struct intensity_opts method;

static const struct opt options[] = {
	{ OPT_HEADING, .help = "Intensities" },
	{ OPT_CHOICE, "quantiles", .choice = &opts.quantiles, .choices = "linear|legacy", .initial = "linear",
	  .note = "linear; legacy under --compat cp4, cp5, legacy", .help = "position of a quantile q among n: (n-1)q or nq" },
	{ OPT_CHOICE, "ties", .choice = &opts.ties, .choices = "first|last", .initial = "first",
	  .help = "which of several maxima gives its place" },
	{ OPT_SWITCH, "edge", .flag = &opts.edge, .initial = "yes", .help = "the five columns of edge pixels" },
	{ OPT_END }
};

static const struct opt *const tables[] = { options, feature_options, table_options, device_options, NULL };

static const struct program program = {
	.synopsis = "[OPTION]... IMAGE LABELS\n[OPTION]... --list PAIRS.csv",
	.purpose = "Brightness of labelled objects, its place and its distribution, one row of a table per object.",
	.example = "intensity -o brightness.csv dna.tif nuclei.tif",
	.tables = tables,
	.features = common_features,
};

static int measure(struct frame *f, struct rows *r)
{
	size_t n = f->objects->n, block = n < BLOCK ? n : BLOCK;
	double *value = mem_new(block * INTENSITY_COLUMNS, sizeof *value);
	const char **reason = mem_new(block, sizeof *reason);
	int rc = -1;

	for (size_t first = 0; first < n; first += block) {
		size_t m = n - first < block ? n - first : block;

		if (intensity_measure(&method, &f->pixels, f->objects, first, m, f->threads, value, reason) != 0)
			goto done;
		for (size_t i = 0; i < m; i++)
			features_row(r, f->objects->object[first + i].label, value + i * INTENSITY_COLUMNS, reason[i]);
	}
	rc = 0;
done:
	free(value);
	free(reason);
	return rc;
}

/* At worst one object is the whole image. */
static size_t bytes(size_t nz, size_t ny, size_t nx, enum dtype type)
{
	(void)type;
	return mem_mul(nz, mem_mul(ny, nx)) * (sizeof(double) + 1) + BLOCK * INTENSITY_COLUMNS * sizeof(double);
}

/* What hangs on other options. */
static void settle(void)
{
	enum compat c = features_options.compat;

	if (!opt_given("quantiles"))
		opts.quantiles = c == COMPAT_CP4 || c == COMPAT_CP5 || c == COMPAT_LEGACY;
	method = (struct intensity_opts){ .legacy = opts.quantiles,
					  .last = opts.ties,
					  .zeros = c == COMPAT_CP_MEASURE || c == COMPAT_LEGACY,
					  .edge = opts.edge };
}

int main(int argc, char **argv)
{
	struct features_tool tool = { .names = (char *const *)intensity_names, .labels_needed = true, .measure = measure,
				      .bytes = bytes };
	struct operands rest;
	int status;

	status = common_begin(&program, argc, argv, &rest);
	if (status != OPT_GO)
		return status;
	settle();
	tool.n = opts.edge ? INTENSITY_COLUMNS : INTENSITY_EDGE_SUM;
	status = features_check(&tool, &rest);
	if (status == EXIT_DONE) {
		method.quantiles = features_wanted(INTENSITY_LOWER) || features_wanted(INTENSITY_MEDIAN) ||
				   features_wanted(INTENSITY_MAD) || features_wanted(INTENSITY_UPPER);
		status = features_run(&tool, &rest);
	}
	opt_clear();
	return status;
}
