/* ptychofrc: Fourier ring correlation between two reconstructions. */
#include <config.h>

#include <complex.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "batch/batch.h"
#include "batch/common.h"
#include "device.h"
#include "ptycho/align.h"
#include "ptycho/frc.h"

static struct {
	size_t box[3];
	double tukey, pixel;
	bool align;
	const char *curves;
} opts;

static const struct opt options[] = {
	{ OPT_HEADING, .help = "Correlation" },
	{ OPT_SIZE, "box", 'b', .size = opts.box, .values = 3, .range = "[0,1e6]",
	  .arg = "ROW,COL,SIZE", .note = "the largest square without NaN",
	  .help = "first pixel and side of the square that counts" },
	{ OPT_REAL, "tukey", .real = &opts.tukey, .range = "[0,1]", .initial = "0.2", .arg = "T",
	  .help = "part of a side that the flanks of the window take" },
	{ OPT_SWITCH, "align", .flag = &opts.align, .initial = "yes",
	  .help = "take shift, phase ramp and factor between A and B away before" },
	{ OPT_REAL, "pixel", 'p', .real = &opts.pixel, .range = "(0,inf)", .arg = "M",
	  .note = "A's own", .help = "pixel in metres" },
	{ OPT_TEXT, "curves", 'c', .text = &opts.curves, .arg = "FILE.csv", .incidental = true,
	  .help = "correlation and both curves, ring by ring" },
	{ OPT_END }
};

static const struct opt *const tables[] = { options, table_options, device_options, NULL };

static const struct program program = {
	.synopsis = "[OPTION]... A_object.tif B_object.tif\n"
		    "[OPTION]... --list PAIRS.csv",
	.purpose = "Fourier ring correlation and resolution of two complex images as a table.",
	.example = "ptychofrc --curves curves.csv half0_object.tif half1_object.tif",
	.tables = tables,
	.features = common_features,
};

struct tool {
	struct dev *d;
	const char *second; /* NULL: the manifest names it */
};

struct picture {
	size_t h, w;
	float complex *v;
};

struct pair {
	char *path[2];
	struct picture in[2]; /* A, B as read */
	double pixel;	      /* m, NAN: unknown */
};

/* ---- reading */

/* What the manifest's row says in a column; its paths are relative to its folder.  The caller frees. */
static char *second_of(const struct tool *t, const struct job *j)
{
	const char *text, *slash = common.list ? strrchr(common.list, '/') : NULL;
	long c = j->manifest ? csv_column(j->manifest, "file_b") : -1;

	if (!j->manifest)
		return mem_strdup(t->second);
	text = c >= 0 ? csv_cell(j->manifest, j->row, (size_t)c) : "";
	if (!*text)
		return NULL;
	return slash && text[0] != '/' ? mem_printf("%.*s/%s", (int)(slash - common.list),
						    common.list, text)
				       : mem_strdup(text);
}

static struct pair *pair_new(const struct tool *t, struct job *j)
{
	struct pair *p = mem_new(1, sizeof *p);

	j->data = p;
	p->path[0] = mem_strdup(j->input);
	p->path[1] = second_of(t, j);
	if (!p->path[1])
		error("'%s': no second file, expected one in column file_b of '%s'", j->input,
		      common.list);
	return p->path[1] ? p : NULL;
}

static int check_shape(const char *path, const struct array *a)
{
	if (a->nz < 2)
		return error("'%s': 1 page, expected at least 2: real, imaginary", path);
	if (a->type != DT_F32 && a->type != DT_F64)
		return error("'%s': pixels of type %s, expected f32 or f64", path,
			     dtype_name(a->type));
	if (a->ny < 16 || a->nx < 16)
		return error("'%s': %zux%zu pixels, expected at least 16x16", path, a->ny, a->nx);
	return 0;
}

static int read_picture(const char *path, struct picture *p, double *pixel)
{
	struct tiff_select pages = { .first = 1, .last = 2 };
	struct array a = { 0 };
	struct tiff_meta m = { 0 };
	bool lossy = false;
	const float *from;
	size_t n;
	int rc = -1;

	pages.keep = true;
	if (tiff_probe(path, NULL, &a, NULL) != 0 || check_shape(path, &a) != 0 ||
	    tiff_read(path, &pages, &a, &m) != 0 || array_to_f32(&a, &lossy) != 0)
		goto done;
	p->h = a.ny;
	p->w = a.nx;
	n = a.ny * a.nx;
	p->v = mem_try(path, n, sizeof *p->v);
	if (!p->v)
		goto done;
	from = a.data;
	for (size_t i = 0; i < n; i++)
		p->v[i] = CMPLXF(from[i], from[n + i]);
	if (isnan(*pixel) && m.pixel_um > 0)
		*pixel = m.pixel_um * 1e-6;
	rc = 0;
done:
	array_clear(&a);
	tiff_meta_clear(&m);
	return rc;
}

static int read_pair(void *tool, struct job *j)
{
	struct pair *p = pair_new(tool, j);

	if (!p)
		return -1;
	p->pixel = opt_given("pixel") ? opts.pixel : NAN;
	for (int i = 0; i < 2; i++)
		if (read_picture(p->path[i], &p->in[i], &p->pixel) != 0)
			return -1;
	return 0;
}

/* ---- the square that counts, in pixels of the smaller canvas in the middle of each */

struct square {
	size_t row[2], column[2], side; /* of A, B */
};

static bool is_finite(float complex v)
{
	return isfinite(crealf(v)) && isfinite(cimagf(v));
}

/* First pixels of what A and B have in common when their middles are matched. */
static void common_area(const struct pair *p, struct square *at, size_t *h, size_t *w)
{
	*h = p->in[0].h < p->in[1].h ? p->in[0].h : p->in[1].h;
	*w = p->in[0].w < p->in[1].w ? p->in[0].w : p->in[1].w;
	for (int i = 0; i < 2; i++) {
		at->row[i] = (p->in[i].h - *h) / 2;
		at->column[i] = (p->in[i].w - *w) / 2;
	}
}

/* The first pixel of the square in picture i that is not finite, or side^2. */
static size_t first_bad(const struct pair *p, const struct square *s, int i)
{
	const struct picture *a = &p->in[i];
	size_t k = 0;

	while (k < s->side * s->side && is_finite(a->v[(s->row[i] + k / s->side) * a->w +
						       s->column[i] + k % s->side]))
		k++;
	return k;
}

static int given_square(const struct pair *p, size_t h, size_t w, struct square *s)
{
	s->side = opts.box[2];
	if (opts.box[0] + s->side > h || opts.box[1] + s->side > w)
		return error("'%s': a box of %zu pixels from row %zu, column %zu on, expected it "
			     "inside %zux%zu", p->path[0], s->side, opts.box[0], opts.box[1], h, w);
	for (int i = 0; i < 2; i++) {
		size_t k;

		s->row[i] += opts.box[0];
		s->column[i] += opts.box[1];
		k = first_bad(p, s, i);
		if (k < s->side * s->side)
			return error("'%s': row %zu, column %zu is not finite, expected a box "
				     "without NaN", p->path[i], s->row[i] + k / s->side,
				     s->column[i] + k % s->side);
	}
	return 0;
}

static int largest_square(const struct pair *p, size_t h, size_t w, struct square *s)
{
	float complex *both = mem_try(p->path[0], h * w, sizeof *both);
	const struct picture *a = &p->in[0], *b = &p->in[1];
	size_t row = 0, column = 0;

	if (!both)
		return -1;
	for (size_t y = 0; y < h; y++)
		for (size_t x = 0; x < w; x++)
			both[y * w + x] =
				a->v[(s->row[0] + y) * a->w + s->column[0] + x] +
				b->v[(s->row[1] + y) * b->w + s->column[1] + x];
	s->side = frc_box(h, w, both, &row, &column);
	free(both);
	if (s->side < 16)
		return error("'%s': the largest square without NaN has %zu pixels a side, "
			     "expected at least 16", p->path[0], s->side);
	for (int i = 0; i < 2; i++) {
		s->row[i] += row;
		s->column[i] += column;
	}
	return 0;
}

static int choose_square(const struct pair *p, struct square *s)
{
	size_t h, w;

	common_area(p, s, &h, &w);
	if (p->in[0].h != p->in[1].h || p->in[0].w != p->in[1].w)
		warning("'%s': %zux%zu pixels, '%s' %zux%zu: matched by their middles", p->path[0],
			p->in[0].h, p->in[0].w, p->path[1], p->in[1].h, p->in[1].w);
	return opt_given("box") ? given_square(p, h, w, s) : largest_square(p, h, w, s);
}

/* ---- computing */

static void cut(const struct pair *p, const struct square *s, int i, float complex *to)
{
	const struct picture *a = &p->in[i];

	for (size_t y = 0; y < s->side; y++)
		memcpy(to + y * s->side, a->v + (s->row[i] + y) * a->w + s->column[i],
		       s->side * sizeof *to);
}

/* A's square follows whole pixels of the shift, if it can: then little wraps around. */
static bool follow(const struct pair *p, struct square *s, const double shift[2], long moved[2])
{
	struct square next = *s;
	long row = (long)s->row[0] - lround(shift[0]), column = (long)s->column[0] - lround(shift[1]);

	if ((lround(shift[0]) == 0 && lround(shift[1]) == 0) || row < 0 || column < 0 ||
	    (size_t)row + s->side > p->in[0].h || (size_t)column + s->side > p->in[0].w)
		return false;
	next.row[0] = (size_t)row;
	next.column[0] = (size_t)column;
	if (first_bad(p, &next, 0) < s->side * s->side)
		return false;
	*s = next;
	moved[0] = lround(shift[0]);
	moved[1] = lround(shift[1]);
	return true;
}

static int match(const struct tool *t, const struct pair *p, struct square *s, float complex *a,
		 const float complex *b, struct align *r)
{
	long moved[2] = { 0, 0 };

	cut(p, s, 0, a);
	*r = (struct align){ .nrmse = align_distance(s->side, s->side, a, b) };
	if (!opts.align)
		return 0;
	if (align(t->d, s->side, s->side, a, b, NULL, r) != 0)
		return -1;
	if (follow(p, s, r->shift, moved))
		cut(p, s, 0, a);
	if (align(t->d, s->side, s->side, a, b, a, r) != 0)
		return -1;
	for (int k = 0; k < 2; k++)
		r->shift[k] += (double)moved[k];
	return 0;
}

static void put_rows(struct job *j, const struct pair *p, size_t side, const struct align *r,
		     const struct frc_ring *ring)
{
	double half = frc_resolution(ring, side / 2, FRC_HALF_BIT),
	       one = frc_resolution(ring, side / 2, FRC_ONE_BIT),
	       numbers[] = { r->nrmse, r->shift[0], r->shift[1], r->ramp[0], r->ramp[1], half, one,
			     p->pixel / half, p->pixel / one };

	csv_put_text(&j->rows[0], p->path[0]);
	csv_put_text(&j->rows[0], p->path[1]);
	csv_put_long(&j->rows[0], (long long)side);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		csv_put_double(&j->rows[0], numbers[i]);
	csv_line_end(&j->rows[0]);
	for (size_t i = 0; i < side / 2; i++) {
		csv_put_long(&j->rows[1], (long long)i + 1);
		csv_put_double(&j->rows[1], ring[i].cycles);
		csv_put_long(&j->rows[1], (long long)ring[i].n);
		csv_put_double(&j->rows[1], ring[i].frc);
		csv_put_double(&j->rows[1], ring[i].half_bit);
		csv_put_double(&j->rows[1], ring[i].one_bit);
		csv_line_end(&j->rows[1]);
	}
}

static int compute(void *tool, struct job *j)
{
	const struct tool *t = tool;
	struct pair *p = j->data;
	struct square s = { 0 };
	float complex *a = NULL, *b = NULL;
	struct frc_ring *ring = NULL;
	struct align r;
	int rc = -1;

	if (choose_square(p, &s) != 0)
		return -1;
	a = mem_try(p->path[0], s.side * s.side, sizeof *a);
	b = mem_try(p->path[1], s.side * s.side, sizeof *b);
	ring = mem_new(s.side / 2, sizeof *ring);
	if (!a || !b)
		goto done;
	cut(p, &s, 1, b);
	if (match(t, p, &s, a, b, &r) != 0 ||
	    frc_rings(t->d, s.side, a, b, opts.tukey, ring) != 0)
		goto done;
	if (ring[0].frc < ring[0].half_bit)
		warning("'%s' and '%s': the correlation is below the curve from the first ring on",
			p->path[0], p->path[1]);
	put_rows(j, p, s.side, &r, ring);
	rc = 0;
done:
	free(a);
	free(b);
	free(ring);
	return rc;
}

static void done(void *tool, struct job *j)
{
	struct pair *p = j->data;

	(void)tool;
	for (int i = 0; p && i < 2; i++) {
		free(p->path[i]);
		free(p->in[i].v);
	}
	free(p);
	j->data = NULL;
}

static int plan(void *tool, struct job *j, struct job_plan *plan)
{
	struct pair *p = pair_new(tool, j);
	struct array a[2] = { 0 };
	size_t side;

	if (!p)
		return -1;
	for (int i = 0; i < 2; i++)
		if (tiff_probe(p->path[i], NULL, &a[i], NULL) != 0 ||
		    check_shape(p->path[i], &a[i]) != 0)
			return -1;
	side = a[0].ny < a[0].nx ? a[0].ny : a[0].nx;
	side = opt_given("box") ? opts.box[2] : side;
	*plan = (struct job_plan){ a[0].type, 2, a[0].ny, a[0].nx, .blocks = 1 };
	plan->host_bytes = 2 * (array_count(&a[0]) + array_count(&a[1])) * sizeof(float complex);
	plan->device_bytes = align_bytes(side, side);
	return 0;
}

/* ---- */

static int check(const struct operands *rest)
{
	size_t stdins = 0;

	if (opt_exclude("list", "curves") != 0)
		return -1;
	if (common.list && rest->n > 0)
		return error("'%s': an operand beside --list, expected one of them", rest->path[0]);
	if (!common.list && rest->n != 2)
		return error("%zu operands, expected A_object.tif B_object.tif; see --help", rest->n);
	for (size_t i = 0; i < rest->n; i++)
		stdins += strcmp(rest->path[i], "-") == 0;
	if (stdins > 1)
		return error("'-': standard input is named %zu times, expected once", stdins);
	if (opt_given("box") && opts.box[2] < 16)
		return error("'--box': a side of %zu pixels, expected at least 16", opts.box[2]);
	if (opts.curves && strcmp(opts.curves, common.output) == 0)
		return error("'--curves': '%s' takes the table, expected another file",
			     common.output);
	return 0;
}

static int run(struct batch *b, struct tool *t)
{
	static const struct batch_ops ops = { .plan = plan, .read = read_pair, .compute = compute,
					      .done = done, .begin = profile_begin,
					      .end = profile_end };
	struct dev_opts o = common_dev_opts();
	int status = EXIT_FAILED;

	t->d = dev_open(&o);
	if (t->d)
		status = batch_run(b, &ops, t, dev_name(t->d));
	dev_free(t->d);
	if (common_profile() != 0)
		status = EXIT_FAILED;
	return status;
}

int main(int argc, char **argv)
{
	static const char *const columns[] = { "file_b", NULL };
	struct batch_table table[] = {
		{ "-", "file_a,file_b,size,nrmse,shift_row,shift_column,ramp_row,ramp_column,"
		       "half_bit_cycles_per_px,one_bit_cycles_per_px,half_bit_m,one_bit_m" },
		{ NULL, "ring,cycles_per_px,n,frc,half_bit,one_bit" },
	};
	struct batch_spec spec = { .operand = "A_object.tif", .input_column = "file_a",
				   .columns = columns, .tables = table, .n_tables = 2 };
	struct tool tool = { 0 };
	struct operands rest;
	struct batch b;
	int status;

	status = common_begin(&program, argc, argv, &rest);
	if (status != OPT_GO)
		return status;
	if (check(&rest) != 0)
		return EXIT_USAGE;
	table[0].path = common.output;
	table[1].path = opts.curves;
	if (rest.n == 2) {
		tool.second = rest.path[1];
		rest.n = 1;
	}
	status = batch_open(&b, &spec, &rest);
	if (status == EXIT_DONE)
		status = run(&b, &tool);
	batch_close(&b);
	opt_clear();
	return status;
}
