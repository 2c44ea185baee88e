/* granularity: granular spectra of labelled objects and of whole images. */
#include <config.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "device.h"
#include "features.h"
#include "features/granularity_cl.h"
#include "io/out.h"

enum level { LEVEL_OBJECT, LEVEL_IMAGE, LEVEL_BOTH };
enum algorithm { ALGORITHM_AUTO, ALGORITHM_TREE, ALGORITHM_KERNELS };

static struct {
	const char *subsample, *background;
	long radius, length;
	enum level level;
	enum algorithm algorithm;
	const char *dump;
} opts;

static const struct opt options[] = {
	{ OPT_HEADING, .help = "Granular spectrum" },
	{ OPT_TEXT, "subsample", 's', .text = &opts.subsample, .arg = "S[,S,S]", .initial = "0.25",
	  .help = "> 0; factor of the grid the spectrum is measured on, of all axes or each; from "
		  "1 on: full" },
	{ OPT_TEXT, "background", 'b', .text = &opts.background, .arg = "S[,S,S]",
	  .initial = "0.25",
	  .help = "> 0; further factor of the grid the background is estimated on" },
	{ OPT_INT, "radius", 'r', .integer = &opts.radius, .range = "[1,512]", .initial = "10",
	  .arg = "R", .help = "of the background's disk, in samples of its grid" },
	{ OPT_INT, "length", 'n', .integer = &opts.length, .range = "[1,254]", .initial = "16",
	  .arg = "K", .help = "length of the spectrum" },
	{ OPT_CHOICE, "level", 'l', .choice = &opts.level, .choices = "object|image|both",
	  .note = "object, without LABELS image",
	  .help = "rows for the objects, for the image as a whole (label 0), or both" },
	{ OPT_CHOICE, "algorithm", .choice = &opts.algorithm, .choices = "auto|tree|kernels",
	  .initial = "auto", .incidental = true,
	  .help = "one tree on the host, or kernels on the device; auto: kernels if a GPU is asked "
		  "for" },
	{ OPT_TEXT, "dump-stage", .text = &opts.dump, .arg = "NAME=FILE", .incidental = true,
	  .help = "write background, pixels, eroded:K or reconstructed:K as a TIFF" },
	{ OPT_END }
};

static const struct opt *const tables[] = { options, feature_options, table_options, device_options,
					    NULL };

static const struct program program = {
	.synopsis = "[OPTION]... IMAGE [LABELS]\n[OPTION]... --list PAIRS.csv",
	.purpose = "Granular spectra of labelled objects and whole images, as CellProfiler and "
		   "cp_measure define them.",
	.example = "granularity --level both -o spectra.csv dna.tif nuclei.tif",
	.tables = tables,
	.features = common_features,
};

static struct granularity_opts spectrum;
static struct granularity_dump dump;
static const char *dump_path;
static struct dev *device; /* of the kernels; NULL: the tree */

/* Up to three factors, for z y x or y x; one for all axes. */
static int parse_factors(const char *option, const char *text, double factor[3])
{
	size_t n = 0, axes = features_options.volume ? 3 : 2;
	const char *s = text;
	char *end;

	do {
		double v = strtod(s, &end);

		if (n == 3 || !strchr("0123456789.", *s) || end == s ||
		    strspn(s, "0123456789.eE+-") < (size_t)(end - s) || !isfinite(v) || v <= 0 ||
		    (*end && *end != ','))
			return error("'--%s': '%s', expected one number above 0 or one per axis",
				     option, text);
		factor[n++] = v;
		s = end + 1;
	} while (*end);
	if (n != 1 && n != axes)
		return error("'--%s': %zu factors, expected 1 or %zu", option, n, axes);
	for (size_t a = 3; a-- > 0;)
		factor[a] = n == 1 ? factor[0] : a < 3 - n ? 1 : factor[a - (3 - n)];
	return 0;
}

/* --dump-stage: a name, its K, and behind '=' the file. */
static int parse_dump(void)
{
	static const struct {
		const char *name;
		enum granularity_stage stage;
		bool numbered;
	} names[] = { { "background", STAGE_BACKGROUND, false },
		      { "pixels", STAGE_PIXELS, false },
		      { "eroded:", STAGE_ERODED, true },
		      { "reconstructed:", STAGE_RECONSTRUCTED, true } };
	const char *file = opts.dump ? strchr(opts.dump, '=') : NULL;

	for (size_t i = 0; file && file[1] && i < sizeof names / sizeof *names; i++) {
		size_t n = strlen(names[i].name),
		       digits = strspn(opts.dump + n * (strncmp(opts.dump, names[i].name, n) == 0),
				       "0123456789");

		if (strncmp(opts.dump, names[i].name, n) != 0 || opts.dump + n + digits != file ||
		    (digits > 0) != names[i].numbered)
			continue;
		dump.stage = names[i].stage;
		dump.k = digits > 0 && digits < 4 ? atoi(opts.dump + n) : 1;
		dump_path = file + 1;
		if (digits < 4 && dump.k >= 1 && dump.k <= MAXTREE_LENGTH)
			break;
		dump.stage = STAGE_NONE;
	}
	if (opts.dump && dump.stage == STAGE_NONE)
		return error("'--dump-stage': '%s', expected background, pixels, eroded:K or "
			     "reconstructed:K with K from 1 to %d, "
			     "then =FILE",
			     opts.dump, MAXTREE_LENGTH);
	if (opts.dump && common.list)
		return error("'--dump-stage': takes one image, expected no --list");
	return opts.dump ? out_check_binary(dump_path) : 0;
}

static int check(const struct operands *rest)
{
	static const enum granularity_like like[] = { [COMPAT_SCOPELINE] = LIKE_SCOPELINE,
						      [COMPAT_CP_MEASURE] = LIKE_CP_MEASURE,
						      [COMPAT_CP4] = LIKE_CP4,
						      [COMPAT_CP5] = LIKE_CP5,
						      [COMPAT_LEGACY] = LIKE_CP_MEASURE };

	spectrum = (struct granularity_opts){ .volume = features_options.volume,
					      .radius = (int)opts.radius,
					      .like = like[features_options.compat] };
	if (parse_factors("subsample", opts.subsample, spectrum.subsample) != 0 ||
	    parse_factors("background", opts.background, spectrum.background) != 0 ||
	    parse_dump() != 0)
		return -1;
	for (int a = 0; a < 3; a++)
		if (spectrum.subsample[a] > 1) {
			warning("'--subsample': %g above 1 is full resolution",
				spectrum.subsample[a]);
			break;
		}
	if (!common.list && rest->n == 1 && opt_given("level") && opts.level != LEVEL_IMAGE)
		return error("'--level': objects need labels, expected IMAGE LABELS");
	return 0;
}

/* Only as many steps as columns are wanted. */
static int wanted_length(void)
{
	int length = 1;

	for (int k = 0; k < opts.length; k++)
		if (features_wanted((size_t)k))
			length = k + 1;
	return length;
}

/* Said once: a disk as large as the image takes its background for its maximum. */
static void warn_radius(const struct pixels *p)
{
	static bool said;
	const size_t n[3] = { p->nz, p->ny, p->nx };

	for (int a = features_options.volume ? 0 : 1; a < 3; a++) {
		double s = fmin(spectrum.subsample[a], 1) * fmin(spectrum.background[a], 1);

		if ((double)opts.radius > s * (double)n[a] / 2 &&
		    !__atomic_exchange_n(&said, true, __ATOMIC_RELAXED))
			warning("'--radius': %ld samples of the background's grid exceed half of "
				"the image's %g",
				opts.radius, s * (double)n[a]);
	}
}

static const char *reason_text(enum granularity_reason r)
{
	return r == GRANULARITY_COLLAPSED ? "collapsed" : r == GRANULARITY_MASKED ? "masked" : "";
}

static void release(void *frame)
{
	features_release(frame);
}

/* The stage as it would be of divided samples. */
static int write_dump(const struct frame *f)
{
	const struct grid *g = &dump.image;
	struct array a = { .data = NULL };
	size_t n = g->nz * g->ny * g->nx;
	int rc = -1;

	if (!g->data)
		return error("'%s': fewer than 2 samples on an axis, expected a stage to write",
			     f->name);
	if (array_init(&a, dump_path, DT_F32, g->nz, g->ny, g->nx) != 0)
		goto done;
	for (size_t i = 0; i < n; i++)
		((float *)a.data)[i] = (float)(g->data[i] / f->pixels.divisor);
	rc = tiff_write(dump_path, &a, &(struct tiff_out){ .compress = TIFF_NONE });
done:
	array_clear(&a);
	free(dump.image.data);
	dump.image.data = NULL;
	return rc;
}

static int measure(struct frame *f, struct rows *r)
{
	struct granularity_opts o = spectrum;
	struct granularity g = { 0 };
	bool objects = f->objects && opts.level != LEVEL_IMAGE, level = opt_given("level");
	double *value = mem_new((size_t)opts.length, sizeof *value);
	size_t bytes = (size_t)o.length * sizeof *value;
	int rc = -1;

	o.image = opts.level != LEVEL_OBJECT || (!level && !f->objects);
	o.threads = f->threads;
	if (level && opts.level != LEVEL_IMAGE && !f->objects) { /* a row of a manifest */
		error("'%s': no labels, expected some for --level %s", f->name,
		      opts.level == LEVEL_BOTH ? "both" : "object");
		goto done;
	}
	if (opts.dump && !f->alone) {
		error("'%s': several frames or channels, expected one for --dump-stage", f->name);
		goto done;
	}
	o.dump = opts.dump ? &dump : NULL;
	warn_radius(&f->pixels);
	if (granularity(&g, &o, &f->pixels, objects ? f->objects : NULL,
			device ? granularity_kernels : granularity_tree, device, release, f) != 0)
		goto done;
	if (opts.dump && write_dump(f) != 0)
		goto done;
	if (o.image) {
		memcpy(value, g.image, bytes);
		features_row(r, 0, value, reason_text(g.image_reason));
	}
	for (size_t i = 0; objects && i < f->objects->n; i++) {
		memcpy(value, g.spectrum + i * (size_t)o.length, bytes);
		features_row(r, f->objects->object[i].label, value, reason_text(g.reason[i]));
	}
	rc = 0;
done:
	granularity_clear(&g);
	free(value);
	return rc;
}

static size_t bytes_of(size_t nz, size_t ny, size_t nx, enum dtype type)
{
	(void)type;
	return granularity_bytes(&spectrum, nz, ny, nx);
}

static size_t device_bytes_of(size_t nz, size_t ny, size_t nx)
{
	return device ? granularity_device_bytes(granularity_samples(&spectrum, nz, ny, nx)) : 0;
}

/* Opens the device if the kernels are to be used: a device that nobody asked for is not even looked
 * at, which costs more than a spectrum.  0, or -1 after reporting. */
static int choose_way(struct features_tool *t)
{
	struct dev_opts o = common_dev_opts();
	const char *spec = o.device ? o.device : getenv("SCOPELINE_DEVICE");

	if (opts.algorithm == ALGORITHM_TREE || (opts.algorithm == ALGORITHM_AUTO && !spec))
		return 0;
	device = dev_open(&o);
	if (!device)
		return -1;
	if (opts.algorithm == ALGORITHM_AUTO && dev_is_cpu(device)) {
		dev_free(device);
		device = NULL;
		return 0;
	}
	t->workers = 1;
	return 0;
}

int main(int argc, char **argv)
{
	struct features_tool tool = { .measure = measure,
				      .bytes = bytes_of,
				      .device_bytes = device_bytes_of };
	struct operands rest;
	char **names;
	int status;

	status = common_begin(&program, argc, argv, &rest);
	if (status != OPT_GO)
		return status;
	names = mem_new((size_t)opts.length, sizeof *names);
	for (long k = 0; k < opts.length; k++)
		names[k] = mem_printf("Granularity_%ld", k + 1);
	tool.names = names;
	tool.n = (size_t)opts.length;
	status = check(&rest) != 0 ? EXIT_USAGE : features_check(&tool, &rest);
	if (status == EXIT_DONE) {
		spectrum.length = wanted_length();
		status = choose_way(&tool) != 0 ? EXIT_FAILED : features_run(&tool, &rest);
	}
	dev_free(device);
	for (long k = 0; k < opts.length; k++)
		free(names[k]);
	free(names);
	opt_clear();
	return status;
}
