/* tvdenoise: total variation denoising with a proven distance to the answer. */
#include <config.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "batch/batch.h"
#include "batch/common.h"
#include "device.h"
#include "io/pngio.h"
#include "tv/denoise.h"

enum { NAN_REFUSE, NAN_SKIP };

static struct {
	struct denoise_opts solve;
	int aniso, nan;
	double lambda, tol, noise; /* noise: 0 auto */
	const char *weights, *range, *noise_text, *report, *preview;
	bool slices, strict;
} opts;

static const struct opt options[] = {
	{ OPT_HEADING, .help = "Problem" },
	{ OPT_REAL, "lambda", 'l', .real = &opts.lambda, .range = "[0,inf)", .arg = "L",
	  .note = "needed, or --noise",
	  .help = "weight of the total variation, in units of the data" },
	{ OPT_TEXT, "noise", .text = &opts.noise_text, .arg = "S|auto", .note = "none",
	  .help = "find the lambda that takes away so much, rms; auto: from the data" },
	{ OPT_CHOICE, "norm", .choice = &opts.aniso, .choices = "iso|aniso", .initial = "iso",
	  .help = "length of the gradient, or sum of its components' magnitudes" },
	{ OPT_TEXT, "weights", 'w', .text = &opts.weights, .arg = "WZ,WY,WX", .note = "1",
	  .help = "of the axes, >= 0; WZ,WXY or one for all will do" },
	{ OPT_TEXT, "range", .text = &opts.range, .arg = "LO,HI", .note = "none",
	  .help = "bounds of the answer, inf and -inf allowed" },
	{ OPT_FLAG, "slices", .flag = &opts.slices, .help = "every page is an image of its own" },
	{ OPT_CHOICE, "nan", .choice = &opts.nan, .choices = "refuse|skip", .initial = "refuse",
	  .help = "NaN and Inf: an error, or voxels outside that stay NaN" },

	{ OPT_HEADING, .help = "Accuracy" },
	{ OPT_REAL, "tol", .real = &opts.tol, .range = "(0,inf)", .initial = "3e-3", .arg = "T",
	  .help = "proven rms distance to the answer, in standard deviations of the data" },
	{ OPT_INT, "max-iter", .integer = &opts.solve.max_iter, .range = "[1,1000000]",
	  .initial = "5000", .arg = "N", .help = "iterations at most" },
	{ OPT_FLAG, "strict", .flag = &opts.strict,
	  .help = "fail where they do not suffice, instead of a warning" },
	{ OPT_TEXT, "report", .text = &opts.report, .arg = "FILE", .incidental = true,
	  .help = "table of bounds and objectives" },
	{ OPT_TEXT, "preview", .text = &opts.preview, .arg = "FILE", .incidental = true,
	  .help = "PNG picture of the first page" },
	{ OPT_END }
};

static const struct opt *const tables[] = { options,	    batch_options,  input_options,
					    output_options, device_options, NULL };

static const struct program program = {
	.synopsis = "[OPTION]... --lambda L -o OUT.tif INPUT.tif\n[OPTION]... --lambda L -O DIR "
		    "INPUT.tif...",
	.purpose = "Total variation denoising of volumes and images that knows how far it is from "
		   "the exact answer.",
	.example = "tvdenoise --noise auto --weights 0.16,1,1 -o clean.tif noisy.tif",
	.tables = tables,
	.features = common_features,
};

/* ---- usage */

/* One to three finite numbers >= 0; the last stands for those that lack. */
static int take_weights(const char *text)
{
	const char *s = text;
	int n = 0;

	for (;;) {
		char *end;
		double w = strtod(s, &end);

		if (end == s || !(w >= 0) || isinf(w) || n == 3 || (*end && *end != ','))
			return error("'--weights': '%s', expected one to three finite numbers >= 0",
				     text);
		opts.solve.weight[n++] = w;
		if (!*end)
			break;
		s = end + 1;
	}
	for (; n < 3; n++)
		opts.solve.weight[n] = opts.solve.weight[n - 1];
	return 0;
}

static int take_range(const char *text)
{
	char *end, *last;

	opts.solve.lo = -INFINITY;
	opts.solve.hi = INFINITY;
	if (!text)
		return 0;
	opts.solve.lo = strtod(text, &end);
	if (end == text || *end != ',')
		return error("'--range': '%s', expected LO,HI", text);
	opts.solve.hi = strtod(end + 1, &last);
	if (last == end + 1 || *last || !(opts.solve.lo <= opts.solve.hi))
		return error("'--range': '%s', expected LO,HI with LO not above HI", text);
	return 0;
}

static int check(void)
{
	char *end;

	if (take_weights(opts.weights ? opts.weights : "1") != 0 || take_range(opts.range) != 0 ||
	    opt_exclude("lambda", "noise") != 0 || opt_exclude("output", "output-dir") != 0)
		return -1;
	if (!opt_given("noise"))
		return opt_need("lambda");
	if (strcmp(opts.noise_text, "auto") == 0)
		return 0;
	opts.noise = strtod(opts.noise_text, &end);
	if (end == opts.noise_text || *end || !(opts.noise > 0) || isinf(opts.noise))
		return error("'--noise': '%s', expected a number above 0 or auto", opts.noise_text);
	return 0;
}

/* ---- the work on one file */

struct work {
	struct array in, out;
	struct tiff_meta meta;
};

struct tool {
	struct dev *d;
};

static void done(void *tool, struct job *j)
{
	struct work *w = j->data;

	(void)tool;
	if (!w)
		return;
	array_clear(&w->in);
	array_clear(&w->out);
	tiff_meta_clear(&w->meta);
	free(w);
	j->data = NULL;
}

static int read_volume(void *tool, struct job *j)
{
	struct tiff_select select = common_select();
	struct work *w = mem_new(1, sizeof *w);
	size_t area;
	float *v;
	bool lossy;

	(void)tool;
	j->data = w;
	if (tiff_read(j->input, &select, &w->in, &w->meta) != 0 ||
	    array_to_f32(&w->in, &lossy) != 0)
		return -1;
	if (lossy)
		info("'%s': wide pixels are rounded to float32", j->input);
	v = w->in.data;
	area = w->in.ny * w->in.nx;
	for (size_t i = 0; i < array_count(&w->in); i++)
		if (!isfinite(v[i])) {
			if (opts.nan == NAN_REFUSE)
				return error("'%s': page %zu, row %zu, column %zu is %s, expected "
					     "finite",
					     j->input, i / area, i % area / w->in.nx, i % w->in.nx,
					     isnan(v[i]) ? "nan"
					     : v[i] > 0	 ? "inf"
							 : "-inf");
			v[i] = NAN;
		}
	return 0;
}

/* Number, mean and standard deviation of the finite voxels. */
static size_t spread(const float *v, size_t n, double *std)
{
	double sum = 0, squares = 0, mean;
	size_t finite = 0;

	for (size_t i = 0; i < n; i++)
		if (isfinite(v[i])) {
			sum += v[i];
			finite++;
		}
	mean = finite ? sum / (double)finite : 0;
	for (size_t i = 0; i < n; i++)
		if (isfinite(v[i]))
			squares += (v[i] - mean) * (v[i] - mean);
	*std = finite ? sqrt(squares / (double)finite) : 0;
	return finite;
}

/* What is left of the volume where nothing is to be done: itself within bounds. */
static void copy(const float *f, float *u, size_t n, double *fidelity)
{
	*fidelity = 0;
	for (size_t i = 0; i < n; i++) {
		u[i] = f[i] < opts.solve.lo   ? (float)opts.solve.lo
		       : f[i] > opts.solve.hi ? (float)opts.solve.hi
					      : f[i];
		*fidelity += isfinite(f[i]) ? 0.5 * ((double)u[i] - (double)f[i]) *
						      ((double)u[i] - (double)f[i])
					    : 0;
	}
}

/* lambda so that rms(u - f) = noise within 1 %: regula falsi on log lambda between two that enclose
 * it, each solved from the last p. */
static int find_lambda(const struct job *j, struct denoise *s, double noise, double std,
		       size_t voxels, float *u, double *lambda, struct denoise_report *r)
{
	double rms = fmin(opts.tol * std, 0.003 * noise), lo = -INFINITY, hi = INFINITY, below = 0,
	       above = 0;

	if (!(noise < std))
		return error("'%s': noise %g, expected less than the data's standard deviation %g",
			     j->input, noise, std);
	*lambda = noise;
	for (int k = 0; k < 60; k++) {
		double got, at = log(*lambda);

		if (denoise_solve(s, *lambda, rms, voxels, u, r) != 0)
			return -1;
		got = sqrt(2 * r->fidelity / (double)voxels);
		info("'%s': lambda %g takes away %g after %ld iterations", j->input, *lambda, got,
		     r->iterations);
		if (fabs(got / noise - 1) <= 0.008)
			return 0;
		if (got < noise) {
			lo = at;
			below = log(got / noise);
		} else {
			hi = at;
			above = log(got / noise);
		}
		if (isinf(lo) || isinf(hi))
			at -= fmax(fmin(log(got / noise), 1.4), -1.4);
		else if (k % 3 == 2 || isinf(below))
			at = (lo + hi) / 2;
		else
			at = lo + (hi - lo) * fmin(fmax(-below / (above - below), 0.1), 0.9);
		*lambda = exp(at);
	}
	return error("'%s': no lambda takes away %g to 1 %%, expected one within 60 trials",
		     j->input, noise);
}

static void report(const struct job *j, double lambda, double std, const struct denoise_report *r)
{
	struct csv_line *l = &j->rows[0];

	csv_put_text(l, j->input);
	csv_put_text(l, opts.aniso ? "aniso" : "iso");
	csv_put_double(l, lambda);
	csv_put_long(l, r->iterations);
	csv_put_double(l, r->bound);
	csv_put_double(l, std > 0 ? r->bound / std : 0);
	csv_put_double(l, r->fidelity + lambda * r->tv);
	csv_put_double(l, r->fidelity);
	csv_put_double(l, r->tv);
	csv_put_long(l, r->converged);
	csv_line_end(l);
}

/* One volume or page: f to u, a row of the report. */
static int solve(const struct job *j, struct denoise *s, const float *f, float *u, size_t nz,
		 size_t ny, size_t nx)
{
	struct denoise_report r = { .converged = true };
	double std, lambda = opts.lambda, noise;
	size_t n = nz * ny * nx, voxels = spread(f, n, &std);
	const double *w = opts.solve.weight;
	bool flat = (nz == 1 || w[0] == 0) && (ny == 1 || w[1] == 0) && (nx == 1 || w[2] == 0);

	if (std == 0 || flat || (!opts.noise_text && lambda == 0)) {
		copy(f, u, n, &r.fidelity);
		lambda = opts.noise_text ? 0 : lambda;
		if (std > 0 && !flat &&
		    (denoise_start(s, u) != 0 || denoise_measure(s, &r.tv) != 0))
			return -1;
		report(j, lambda, std, &r);
		return 0;
	}
	noise = opts.noise_text && opts.noise == 0 ? denoise_sigma(f, nz, ny, nx) : opts.noise;
	if (opts.noise_text && !(noise > 0))
		return error("'%s': no noise is found, expected --noise S or --lambda L", j->input);
	if (denoise_start(s, f) != 0)
		return -1;
	if (opts.noise_text ? find_lambda(j, s, noise, std, voxels, u, &lambda, &r) != 0
			    : denoise_solve(s, lambda, opts.tol * std, voxels, u, &r) != 0)
		return -1;
	if (!r.converged && opts.strict)
		return error("'%s': proven to %.3g standard deviations after %ld iterations, "
			     "expected %g",
			     j->input, r.bound / std, r.iterations, opts.tol);
	if (!r.converged)
		warning("'%s': proven to %.3g standard deviations after %ld iterations, expected "
			"%g",
			j->input, r.bound / std, r.iterations, opts.tol);
	report(j, lambda, std, &r);
	return 0;
}

static int compute(void *tool, struct job *j)
{
	struct tool *t = tool;
	struct work *w = j->data;
	size_t nz = opts.slices ? 1 : w->in.nz, ny = w->in.ny, nx = w->in.nx, n = nz * ny * nx;
	struct denoise *s = denoise_new(t->d, j->input, &opts.solve, nz, ny, nx);
	int rc = -1;

	if (!s || array_init(&w->out, j->input, DT_F32, w->in.nz, ny, nx) != 0)
		goto done;
	for (size_t z = 0; z < w->in.nz; z += nz)
		if (solve(j, s, (const float *)w->in.data + z / nz * n,
			  (float *)w->out.data + z / nz * n, nz, ny, nx) != 0)
			goto done;
	rc = 0;
done:
	denoise_free(s);
	return rc;
}

static int write_volume(void *tool, struct job *j)
{
	struct work *w = j->data;
	struct tiff_out o = common_tiff_out();
	struct preview p = { .map = MAP_GREY, .unit = "", .pixel_um = w->meta.pixel_um };

	(void)tool;
	o.pixel_um = w->meta.pixel_um;
	o.z_step_um = w->meta.z_step_um;
	o.provenance = j->provenance;
	if (opts.preview && png_preview(opts.preview, &w->out, &p) != 0)
		return -1;
	return j->output ? tiff_write(j->output, &w->out, &o) : 0;
}

static int plan(void *tool, struct job *j, struct job_plan *p)
{
	struct tool *t = tool;
	struct tiff_select select = common_select();
	struct array a;
	struct denoise_plan of;
	size_t nz;

	if (tiff_probe(j->input, &select, &a, NULL) != 0)
		return -1;
	nz = opts.slices ? 1 : a.nz;
	if (denoise_plan(t->d, j->input, nz, a.ny, a.nx, &of) != 0)
		return -1;
	*p = (struct job_plan){
		a.type, a.nz, a.ny, a.nx, 0, of.bytes, (nz + of.slab - 1) / of.slab * (a.nz / nz)
	};
	p->host_bytes =
		mem_mul(array_count(&a), 8) + mem_mul(nz * a.ny * a.nx, of.slab < nz ? 36 : 4);
	return 0;
}

static const struct batch_ops ops = {
	plan, read_volume, compute, write_volume, done, profile_begin, profile_end, 1,
};

/* ---- the run */

static int check_products(const struct batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (!b->jobs[i].output && !opts.report && !opts.preview)
			return error("'%s': no output, expected -o, -O or --report",
				     b->jobs[i].input);
	if (opts.preview && b->n > 1)
		return error("'--preview': takes one input, found %zu", b->n);
	return 0;
}

static int run(struct batch *b)
{
	struct dev_opts o = common_dev_opts();
	struct tool tool = { dev_open(&o) };
	int status = EXIT_FAILED;

	if (tool.d)
		status = batch_run(b, &ops, &tool, dev_name(tool.d));
	dev_free(tool.d);
	if (common_profile() != 0)
		status = EXIT_FAILED;
	return status;
}

int main(int argc, char **argv)
{
	struct batch_table table = { NULL, "file,norm,lambda,iterations,rms_bound,rms_bound_rel,"
					   "objective,fidelity,tv,converged" };
	struct batch_spec spec = { .operand = "INPUT.tif",
				   .input_column = "file",
				   .output_column = "output",
				   .suffix = "_tv.tif",
				   .tables = &table,
				   .n_tables = 1 };
	struct operands rest;
	struct batch b;
	int status;

	status = common_begin(&program, argc, argv, &rest);
	if (status != OPT_GO)
		return status;
	if (check() != 0)
		return EXIT_USAGE;
	opts.solve.aniso = opts.aniso;
	table.path = opts.report;
	status = batch_open(&b, &spec, &rest);
	if (status == EXIT_DONE)
		status = check_products(&b) != 0 ? EXIT_USAGE : run(&b);
	batch_close(&b);
	opt_clear();
	return status;
}
