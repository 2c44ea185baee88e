/* zernike: Zernike moments of the shape of objects and of the image in them. */
#include <config.h>

#include <stdlib.h>
#include <unistd.h>

#include "base/die.h"
#include "base/mem.h"
#include "batch/common.h"
#include "device.h"
#include "features.h"
#include "features/zernike.h"

enum { SET_SHAPE, SET_RADIAL, SET_BOTH };
enum { CIRCLE_EXACT, CIRCLE_CP };
enum { BLOCK = 1024 };	/* objects whose values are held at a time */

static struct {
	long degree;
	int set, circle, normalise;
	bool circle_columns;
} opts;

static struct zernike_opts method;

static const struct opt options[] = {
	{ OPT_HEADING, .help = "Moments" },
	{ OPT_INT, "degree", 'd', .integer = &opts.degree, .range = "[0,30]", .initial = "9", .arg = "N", .help = "largest n" },
	{ OPT_CHOICE, "set", .choice = &opts.set, .choices = "shape|radial|both", .initial = "both",
	  .note = "both; shape without IMAGE", .help = "shape: of the labels alone; radial: weighted by the image" },
	{ OPT_CHOICE, "circle", .choice = &opts.circle, .choices = "exact|cp", .initial = "exact",
	  .note = "exact; cp under --compat", .help = "exact: every pixel counts; cp: as CellProfiler rounds" },
	{ OPT_CHOICE, "normalise", .choice = &opts.normalise, .choices = "cp|textbook", .initial = "cp",
	  .help = "cp: CellProfiler's numbers; textbook: A_nm = (n+1)/pi sum f conj(V) / r^2" },
	{ OPT_FLAG, "circle-columns", .flag = &opts.circle_columns,
	  .help = "adds Circle_Y, Circle_X, Circle_Radius, in pixels" },
	{ OPT_END }
};

static const struct opt *const tables[] = { options, feature_options, table_options, device_options, NULL };

static const struct program program = {
	.synopsis = "[OPTION]... [IMAGE] LABELS\n[OPTION]... --list PAIRS.csv",
	.purpose = "Zernike moments of labelled objects, one row of a table per object.",
	.example = "zernike --degree 9 -o moments.csv dna.tif nuclei.tif",
	.tables = tables,
	.features = common_features,
};

static char **column_names(size_t *n)
{
	static const char *const circle[] = { "Circle_Y", "Circle_X", "Circle_Radius" };
	char **names = mem_new(zernike_columns(&method), sizeof *names);
	size_t terms = zernike_terms(method.degree);
	int a, b;

	*n = 0;
	for (size_t i = 0; method.shape && i < terms; i++) {
		zernike_term(i, &a, &b);
		names[(*n)++] = mem_printf("Zernike_%d_%d", a, b);
	}
	for (size_t i = 0; method.radial && i < terms; i++) {
		zernike_term(i, &a, &b);
		names[(*n)++] = mem_printf("RadialDistribution_ZernikeMagnitude_%d_%d", a, b);
		names[(*n)++] = mem_printf("RadialDistribution_ZernikePhase_%d_%d", a, b);
	}
	for (size_t i = 0; method.circle && i < 3; i++)
		names[(*n)++] = mem_strdup(circle[i]);
	return names;
}

/* Is one of the radial columns written? */
static bool wants_radial(void)
{
	size_t terms = zernike_terms(method.degree), first = method.shape ? terms : 0;
	bool wanted = false;

	for (size_t i = 0; method.radial && i < 2 * terms; i++)
		wanted |= features_wanted(first + i);
	return wanted;
}

static int measure(struct frame *f, struct rows *r)
{
	size_t n = f->objects->n, columns = zernike_columns(&method), block = n < BLOCK ? n : BLOCK;
	double *value = mem_new(block * columns, sizeof *value);
	const char **reason = mem_new(block, sizeof *reason);
	int rc = -1;

	for (size_t first = 0; first < n; first += block) {
		size_t m = n - first < block ? n - first : block;

		if (zernike_measure(&method, &f->pixels, f->objects, first, m, f->threads, value, reason) != 0)
			goto done;
		for (size_t i = 0; i < m; i++)
			features_row(r, f->objects->object[first + i].label, value + i * columns, reason[i]);
	}
	rc = 0;
done:
	free(value);
	free(reason);
	return rc;
}

static size_t bytes(size_t nz, size_t ny, size_t nx, enum dtype type)
{
	int threads = common.threads > 0 ? (int)common.threads : (int)sysconf(_SC_NPROCESSORS_ONLN);

	(void)nz;
	(void)type;
	return zernike_bytes(&method, ny, nx, threads) + BLOCK * zernike_columns(&method) * sizeof(double);
}

/* Usage errors of this tool, and what hangs on operands and other options. */
static int settle(const struct operands *rest)
{
	bool image = common.list || rest->n != 1;

	if (features_options.volume)
		return error("'--volume': moments are those of pages, expected none or a tool that takes volumes");
	if (!image && opt_given("set") && opts.set != SET_SHAPE)
		return error("'--set': radial moments need an image, expected IMAGE LABELS");
	if (!image)
		opts.set = SET_SHAPE;
	if (!opt_given("circle") && features_options.compat != COMPAT_SCOPELINE)
		opts.circle = CIRCLE_CP;
	method = (struct zernike_opts){ .degree = (int)opts.degree,
					.shape = opts.set != SET_RADIAL,
					.radial = opts.set != SET_SHAPE,
					.circle = opts.circle_columns,
					.drop = opts.circle == CIRCLE_CP,
					.textbook = opts.normalise };
	return 0;
}

int main(int argc, char **argv)
{
	struct features_tool tool = { .labels_first = true, .measure = measure, .bytes = bytes };
	struct operands rest;
	char **names = NULL;
	int status;

	status = common_begin(&program, argc, argv, &rest);
	if (status != OPT_GO)
		return status;
	if (settle(&rest) != 0)
		return EXIT_USAGE;
	tool.names = names = column_names(&tool.n);
	status = features_check(&tool, &rest);
	if (status == EXIT_DONE) {
		method.no_radial = !wants_radial();
		status = features_run(&tool, &rest);
	}
	for (size_t i = 0; i < tool.n; i++)
		free(names[i]);
	free(names);
	opt_clear();
	return status;
}
