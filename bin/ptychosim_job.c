/* ptychosim's work: positions, object, probe, then frames block by block to the file. */
#include <config.h>

#include <complex.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "device.h"
#include "io/csvio.h"
#include "io/provenance.h"
#include "ptycho/probe.h"
#include "ptycho/simulate.h"
#include "ptychosim.h"

static const double start_curvature = -0.003; /* of the start probe, beside the true one's */

struct scan {
	struct dev *d;
	size_t k, n, modes, slices, canvas[2];
	double (*truth)[2], (*pos)[2], (*place)[2]; /* [k], true, with errors, windows */
	float complex *object, *probe, *start;	    /* [slices][h][w], [modes][n][n], [n][n] */
	size_t *source;				    /* [n][n] of sim_layout */
	unsigned char *mask;			    /* [n][n], NULL: all pixels are good */
	char *provenance;
};

static void scan_clear(struct scan *s)
{
	free(s->truth);
	free(s->pos);
	free(s->place);
	free(s->object);
	free(s->probe);
	free(s->start);
	free(s->source);
	free(s->mask);
	free(s->provenance);
}

/* ---- positions */

static int read_positions(struct scan *s)
{
	struct csv t = { .path = NULL };
	size_t x, y;
	long frame_column;
	bool *seen = NULL;
	int rc = -1;

	if (csv_read(opts.positions, false, &t) != 0 || csv_need(&t, "x_px", &x) != 0 ||
	    csv_need(&t, "y_px", &y) != 0)
		goto done;
	if (t.rows == 0) {
		error("'%s': no positions, expected a row for each frame", opts.positions);
		goto done;
	}
	frame_column = csv_column(&t, "frame");
	s->k = t.rows;
	s->truth = mem_new(s->k, sizeof *s->truth);
	seen = mem_new(s->k, sizeof *seen);
	for (size_t r = 0; r < t.rows; r++) {
		long k = (long)r;

		if (frame_column >= 0 &&
		    csv_long(&t, r, (size_t)frame_column, 0, (long)s->k - 1, &k) != 0)
			goto done;
		if (seen[k]) {
			error("'%s': line %zu: frame %ld for the second time, expected each once",
			      opts.positions, t.line[r], k);
			goto done;
		}
		seen[k] = true;
		if (csv_double(&t, r, y, false, &s->truth[k][0]) != 0 ||
		    csv_double(&t, r, x, false, &s->truth[k][1]) != 0)
			goto done;
	}
	rc = 0;
done:
	free(seen);
	csv_clear(&t);
	return rc;
}

static int make_positions(struct scan *s)
{
	uint64_t seed = (uint64_t)opts.seed;

	if (opts.positions) {
		if (read_positions(s) != 0)
			return -1;
	} else {
		s->k = opts.frames;
		s->truth = mem_new(s->k, sizeof *s->truth);
		(opts.scan == SCAN_SPIRAL ? sim_spiral : sim_positions)(s->k, opts.step, opts.jitter, seed,
									s->truth);
	}
	for (size_t i = 0; i < s->k && !opts.subpixel; i++)
		for (int a = 0; a < 2; a++)
			s->truth[i][a] = floor(s->truth[i][a] + 0.5);
	s->pos = mem_new(s->k, sizeof *s->pos);
	memcpy(s->pos, s->truth, s->k * sizeof *s->pos);
	if (opts.error > 0)
		sim_errors(s->k, opts.error, seed, s->pos);
	s->place = mem_new(s->k, sizeof *s->place);
	windows_place((const double(*)[2])s->truth, s->k, s->n, ceil((double)s->n / 8), s->place,
		      s->canvas);
	return 0;
}

/* ---- object and probe */

/* Pages real and imaginary of `count` arrays of ny x nx (0: square, as found), at most; *count gets
 * how many there are. */
static int read_complex(const char *path, const char *what, size_t ny, size_t nx, bool coverage,
			size_t *count, float complex *to)
{
	struct array a = { .data = NULL };
	bool lossy;
	size_t pixels = ny * nx, pages;
	const float *v;
	int rc = -1;

	if (tiff_read(path, NULL, &a, NULL) != 0 || array_to_f32(&a, &lossy) != 0)
		goto done;
	pages = coverage && a.nz == 3 ? 2 : a.nz;
	if (a.ny != ny || a.nx != nx) {
		error("'%s': %zux%zu, expected %zux%zu, the %s", path, a.ny, a.nx, ny, nx, what);
		goto done;
	}
	if (pages % 2 != 0 || pages / 2 > *count) {
		error("'%s': %zu pages, expected real and imaginary of at most %zu", path, a.nz,
		      *count);
		goto done;
	}
	*count = pages / 2;
	v = a.data;
	for (size_t i = 0; i < *count * pixels; i++) {
		float re = v[i / pixels * 2 * pixels + i % pixels],
		      im = v[(i / pixels * 2 + 1) * pixels + i % pixels];

		to[i] = isfinite(re) && isfinite(im) ? re + I * im : NAN;
	}
	rc = 0;
done:
	array_clear(&a);
	return rc;
}

static int make_object(struct scan *s)
{
	size_t pixels = mem_mul(s->canvas[0], s->canvas[1]),
	       bytes = mem_mul(mem_mul(pixels, s->slices), sizeof(float complex)), got = s->slices;

	if (bytes > dev_mem(s->d))
		return error("'%s': a canvas of %zux%zu needs %zu bytes, expected at most %zu: "
			     "fewer or closer frames",
			     opts.stem, s->canvas[0], s->canvas[1], bytes, dev_mem(s->d));
	s->object = mem_try("object", pixels * s->slices, sizeof *s->object);
	if (!s->object)
		return -1;
	if (strcmp(opts.object, "random") == 0 || strcmp(opts.object, "siemens") == 0)
		return sim_object(s->d, opts.object[0] == 'r' ? SIM_RANDOM : SIM_SIEMENS, s->slices,
				  s->canvas[0], s->canvas[1], (uint64_t)opts.seed, s->object);
	if (read_complex(opts.object, "canvas", s->canvas[0], s->canvas[1], s->slices == 1, &got,
			 s->object) != 0)
		return -1;
	if (got != s->slices)
		return error("'%s': %zu slices, expected %zu", opts.object, got, s->slices);
	for (size_t i = 0; i < s->slices * pixels; i++)
		if (isnan(crealf(s->object[i])))
			s->object[i] = 1; /* outside the coverage of a reconstruction */
	return 0;
}

static double power(const float complex *p, size_t count)
{
	double sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += (double)crealf(p[i]) * crealf(p[i]) + (double)cimagf(p[i]) * cimagf(p[i]);
	return sum;
}

static int scale(float complex *p, size_t count)
{
	double sum = power(p, count);

	if (!(sum > 0) || !isfinite(sum))
		return error("'%s': a probe of power %g, expected more than 0", opts.probe, sum);
	for (size_t i = 0; i < count; i++)
		p[i] *= (float)sqrt(opts.photons / sum);
	return 0;
}

static int make_probe(struct scan *s)
{
	size_t pixels = s->n * s->n, got = 1;
	const double *disc = opts.disc_value;

	s->probe = mem_try("probe", s->modes * pixels, sizeof *s->probe);
	s->start = mem_try("probe", pixels, sizeof *s->start);
	if (!s->probe || !s->start)
		return -1;
	if (opts.disc) {
		if (probe_disc(s->d, s->n, disc[0], disc[1], disc[2], s->probe) != 0 ||
		    probe_disc(s->d, s->n, disc[0], disc[1] + start_curvature, disc[2], s->start) !=
			    0)
			return -1;
	} else {
		got = s->modes;
		if (read_complex(opts.probe, "frames", s->n, s->n, false, &got, s->probe) != 0 ||
		    probe_defocus(s->d, s->n, start_curvature * 128 / (double)s->n, s->probe,
				  s->start) != 0)
			return -1;
	}
	probe_modes(s->n, got, s->modes, opts.mode_power, s->probe);
	return scale(s->probe, s->modes * pixels) != 0 ? -1 : scale(s->start, pixels);
}

/* ---- files */

static char *name_of(const char *end)
{
	return mem_printf("%s_%s", opts.stem, end);
}

static int write_positions(const char *end, const double (*pos)[2], size_t k)
{
	struct csv_line l = { .text = NULL };
	char *path = name_of(end);
	int rc;

	for (size_t i = 0; i < k; i++) {
		csv_put_long(&l, (long long)i);
		csv_put_double(&l, pos[i][1]);
		csv_put_double(&l, pos[i][0]);
		csv_line_end(&l);
	}
	rc = csv_save(path, "frame,x_px,y_px", l.text, l.len);
	csv_line_clear(&l);
	free(path);
	return rc;
}

static int write_array(struct scan *s, const char *end, const struct array *a)
{
	struct tiff_out o = common_tiff_out();
	char *path = name_of(end);
	int rc;

	o.provenance = s->provenance;
	if (a->type != DT_F32)
		o.predictor_float = false;
	rc = tiff_write(path, a, &o);
	free(path);
	return rc;
}

static int write_complex(struct scan *s, const char *end, const float complex *v, size_t count,
			 size_t ny, size_t nx)
{
	struct array a = { .data = NULL };
	size_t pixels = ny * nx;
	float *to;
	int rc;

	if (array_init(&a, end, DT_F32, 2 * count, ny, nx) != 0)
		return -1;
	to = a.data;
	for (size_t i = 0; i < count * pixels; i++) {
		to[i / pixels * 2 * pixels + i % pixels] = crealf(v[i]);
		to[(i / pixels * 2 + 1) * pixels + i % pixels] = cimagf(v[i]);
	}
	rc = write_array(s, end, &a);
	array_clear(&a);
	return rc;
}

static int write_mask(struct scan *s)
{
	struct array a = { .data = NULL };
	int rc;

	if (array_init(&a, "mask", DT_U8, 1, s->n, s->n) != 0)
		return -1;
	for (size_t i = 0; i < s->n * s->n; i++)
		((unsigned char *)a.data)[i] = s->mask[s->source[i]];
	rc = write_array(s, "mask.tif", &a);
	array_clear(&a);
	return rc;
}

static int write_truth(struct scan *s)
{
	if (write_positions("truth_pos.csv", (const double(*)[2])s->truth, s->k) != 0 ||
	    write_positions("pos.csv", (const double(*)[2])s->pos, s->k) != 0 ||
	    write_complex(s, "truth_object.tif", s->object, s->slices, s->canvas[0],
			  s->canvas[1]) != 0 ||
	    write_complex(s, "truth_probe.tif", s->probe, s->modes, s->n, s->n) != 0 ||
	    write_complex(s, "probe0.tif", s->start, 1, s->n, s->n) != 0)
		return -1;
	return s->mask ? write_mask(s) : 0;
}

/* ---- frames */

/* Frame k as the file has it, to page of `type`.  0; -1 after reporting; 1: too many counts for
 * u16, and --type is auto. */
static int lay_out(const struct scan *s, enum dtype type, size_t k, const float *frame, void *page)
{
	float *f32 = page;
	uint16_t *u16 = page;

	for (size_t i = 0; i < s->n * s->n; i++) {
		size_t from = s->source[i];
		float v = s->mask && !s->mask[from] ? 0 : frame[from];

		if (type == DT_F32) {
			f32[i] = v;
			continue;
		}
		v = floorf(v + 0.5f);
		if (!(v <= 65534) && opts.type == TYPE_AUTO) {
			warning("'%s': frame %zu has %.0f photons in a pixel, more than 65534: f32 "
				"instead of u16",
				opts.stem, k, (double)v);
			return 1;
		}
		if (!(v <= 65534))
			return error("'%s': frame %zu has %.0f photons in a pixel, expected at "
				     "most 65534: use --type f32",
				     opts.stem, k, (double)v);
		u16[i] = (uint16_t)v;
	}
	return 0;
}

/* Light without coherence, on frames [count][n][n] with the beam at (0,0). */
static void add_background(float *frames, size_t count, size_t n)
{
	double photons = opts.background[0], sigma = opts.background[1];

	for (size_t i = 0; i < n * n && photons > 0 && sigma > 0; i++) {
		size_t y = i / n, x = i % n;
		double qy = 2 * y < n ? (double)y : (double)y - (double)n,
		       qx = 2 * x < n ? (double)x : (double)x - (double)n;
		float more = (float)(photons * exp(-(qy * qy + qx * qx) / (2 * sigma * sigma)));

		for (size_t k = 0; k < count; k++)
			frames[k * n * n + i] += more;
	}
}

static int put_block(const struct scan *s, enum dtype type, struct simulator *sim, size_t first,
		     size_t count, float *frames, void *page, struct tiff_sink *sink)
{
	double t = profile_begin();
	int rc = 0;

	if (simulator_frames(sim, (const double(*)[2])s->place + first, count, frames) != 0)
		return -1;
	add_background(frames, count, s->n);
	if (opts.noise == NOISE_POISSON)
		sim_poisson(frames, first, count, s->n, (uint64_t)opts.seed, dev_threads(s->d));
	profile_end("compute", t, 0);
	t = profile_begin();
	for (size_t i = 0; i < count && rc == 0; i++) {
		rc = lay_out(s, type, first + i, frames + i * s->n * s->n, page);
		if (rc == 0)
			rc = tiff_sink_put(sink, page, 1);
	}
	profile_end("write", t, count * s->n * s->n * dtype_size(type));
	return rc;
}

/* 0, -1 after reporting, or 1 of lay_out. */
static int write_frames(struct scan *s, enum dtype type)
{
	struct array shape = { type, s->k, s->n, s->n, NULL };
	struct simulator sim = { .d = NULL };
	struct tiff_out o = common_tiff_out();
	struct tiff_sink *sink = NULL;
	char *path = name_of("dp.tif");
	float complex *H = NULL, *near = NULL;
	float *frames = NULL;
	void *page = mem_try("page", s->n * s->n, sizeof(float));
	int rc = -1;

	if (!page)
		goto done;
	if (s->slices > 1) {
		H = mem_try("propagator", s->n * s->n, sizeof *H);
		if (!H)
			goto done;
		propagator_make(s->n, opts.spacing, opts.wavelength, opts.pixel, H);
	}
	if (opts.near_field) {
		const struct optics *x = &opts.optics;

		near = mem_try("propagator", s->n * s->n, sizeof *near);
		if (!near)
			goto done;
		propagator_make(s->n, x->distance, x->wavelength, x->pixel, near);
	}
	if (simulator_init(&sim, s->d, s->k, s->n, s->modes, s->probe, s->slices, s->canvas[0],
			   s->canvas[1], s->object, H, near, opts.subpixel) != 0)
		goto done;
	frames = mem_try("frames", sim.room * s->n * s->n, sizeof *frames);
	o.provenance = s->provenance;
	o.predictor_float = o.predictor_float && type == DT_F32;
	if (!frames || !(sink = tiff_sink_open(path, &shape, &o)))
		goto done;
	rc = 0;
	for (size_t first = 0; first < s->k && rc == 0; first += sim.room) {
		size_t left = s->k - first;

		rc = put_block(s, type, &sim, first, left < sim.room ? left : sim.room, frames,
			       page, sink);
	}
	if (rc == 0) {
		rc = tiff_sink_commit(sink);
		sink = NULL;
	}
done:
	tiff_sink_abort(sink);
	simulator_clear(&sim);
	free(frames);
	free(H);
	free(near);
	free(page);
	free(path);
	return rc;
}

static void dry_run(const struct scan *s)
{
	size_t pixels = s->canvas[0] * s->canvas[1] * s->slices;

	printf("%s_dp.tif: %zux%zux%zu %s, canvas %zux%zu, host %zu bytes, device %zu bytes\n",
	       opts.stem, s->k, s->n, s->n, opts.type == TYPE_F32 ? "f32" : "u16", s->canvas[0],
	       s->canvas[1], 24 * pixels + (32 * s->modes + 24) * s->n * s->n + (24 << 20),
	       8 * pixels + (16 << 20));
}

int ptychosim_run(struct dev *d)
{
	struct scan s = { .d = d, .n = opts.n, .modes = opts.modes, .slices = opts.slices };
	const char *inputs[3];
	size_t n_inputs = 0;
	double t = profile_begin();
	int rc = -1, argc;
	char *const *argv = opt_command(&argc);

	if (opts.positions)
		inputs[n_inputs++] = opts.positions;
	s.provenance = provenance_text(dev_name(d), argc, argv, inputs, n_inputs);
	if (make_positions(&s) != 0)
		goto done;
	if (opts.dry_run) {
		dry_run(&s);
		rc = 0;
		goto done;
	}
	if (make_object(&s) != 0 || make_probe(&s) != 0)
		goto done;
	profile_end("make", t, 0); /* positions, object, probe */
	s.source = mem_new(s.n * s.n, sizeof *s.source);
	sim_layout(s.n, opts.turn, opts.dc == BEAM_CORNER, opts.near_field, s.source);
	if (opts.dead > 0 || opts.beam_stop > 0) {
		s.mask = mem_new(s.n * s.n, 1);
		sim_dead(s.n, opts.dead, (uint64_t)opts.seed, s.mask);
		if (opts.beam_stop > 0)
			sim_beam_stop(s.n, opts.beam_stop, s.mask);
	}
	info("%zu frames of %zux%zu on a canvas of %zux%zu, median step %.3g px", s.k, s.n, s.n,
	     s.canvas[0], s.canvas[1], windows_step((const double(*)[2])s.place, s.k));
	rc = write_frames(&s, opts.type == TYPE_F32 ? DT_F32 : DT_U16);
	if (rc == 1)
		rc = write_frames(&s, DT_F32);
	if (rc == 0)
		rc = write_truth(&s);
done:
	scan_clear(&s);
	return rc;
}
