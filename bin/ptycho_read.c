#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "batch/common.h"
#include "ptychorecon.h"
#include "ptycho/probe.h"
#include "ptycho/regular.h"

/* A mask, dark or flat; nothing without a path. */
static int read_beside(const char *path, struct array *a)
{
	return path ? tiff_read(path, NULL, a, NULL) : 0;
}

/* Pages Re, Im of `sets` complex images to out [sets][ny][nx]. */
static void to_complex(const struct array *a, size_t sets, float complex *out)
{
	size_t area = a->ny * a->nx;
	const float *v = a->data;

	for (size_t m = 0; m < sets; m++)
		for (size_t i = 0; i < area; i++)
			out[m * area + i] = v[2 * m * area + i] + v[(2 * m + 1) * area + i] * I;
}

/* A page of photons, the beam in the middle but in the near field. */
static int read_background(struct work *w, const char *path)
{
	size_t n = w->frames.n, half = w->o->near_field ? 0 : n - n / 2;
	struct array a = { 0 };
	bool lossy;
	int rc = -1;

	if (tiff_read(path, NULL, &a, NULL) != 0 || array_to_f32(&a, &lossy) != 0)
		goto done;
	if (a.nz != 1 || a.ny != n || a.nx != n) {
		error("'%s': %zu pages of %zux%zu, expected one of %zux%zu", path, a.nz, a.ny, a.nx, n, n);
		goto done;
	}
	w->background = mem_new(n * n, sizeof *w->background);
	for (size_t y = 0; y < n; y++)
		for (size_t x = 0; x < n; x++) {
			float v = ((const float *)a.data)[y * n + x];

			if (!(v >= 0) || isinf(v)) {
				error("'%s': %g at row %zu, column %zu, expected photons >= 0", path, (double)v, y, x);
				goto done;
			}
			w->background[(y + half) % n * n + (x + half) % n] = v;
		}
	rc = 0;
done:
	array_clear(&a);
	return rc;
}

static int read_probe(struct work *w, const char *path)
{
	struct array a = { 0 };
	bool lossy;
	long bad;
	int rc = -1;

	if (tiff_read(path, NULL, &a, NULL) != 0 || array_to_f32(&a, &lossy) != 0)
		goto done;
	if (a.nz % 2 != 0) {
		error("'%s': %zu pages, expected a real and an imaginary one per mode", path, a.nz);
		goto done;
	}
	if (a.ny != w->frames.n || a.nx != w->frames.n) {
		error("'%s': the probe is %zux%zu, expected the %zux%zu of the frames", path, a.ny,
		      a.nx, w->frames.n, w->frames.n);
		goto done;
	}
	bad = array_bad_page(&a);
	if (bad >= 0) {
		error("'%s': page %ld has a pixel that is not finite, expected numbers", path,
		      bad + 1);
		goto done;
	}
	w->probe_modes = a.nz / 2;
	w->modes = w->o->modes ? w->o->modes : w->probe_modes;
	if (w->probe_modes > w->modes || (w->probe_modes < w->modes && w->o->engine.freeze_probe)) {
		error("'%s': %zu modes, expected %s the %zu of --modes%s", path, w->probe_modes,
		      w->o->engine.freeze_probe ? "" : "at most", w->modes,
		      w->o->engine.freeze_probe ? ", since the probe is frozen" : "");
		goto done;
	}
	w->probe = mem_try(path, w->modes * a.ny * a.nx, sizeof *w->probe);
	if (!w->probe)
		goto done;
	to_complex(&a, w->probe_modes, w->probe);
	rc = 0;
done:
	array_clear(&a);
	return rc;
}

/* Of each slice; the last page of STEM_object.tif, its coverage, is passed over. */
static int read_object(struct work *w, const char *path)
{
	struct array a = { 0 };
	size_t slices = w->o->slices, n = slices * w->canvas[0] * w->canvas[1];
	bool lossy;
	int rc = -1;

	if (tiff_read(path, NULL, &a, NULL) != 0 || array_to_f32(&a, &lossy) != 0)
		goto done;
	if (a.nz != 2 * slices && a.nz != 2 * slices + 1) {
		error("'%s': %zu pages, expected a real and an imaginary one%s", path, a.nz,
		      slices > 1 ? " of each slice" : "");
		goto done;
	}
	if (a.ny != w->canvas[0] || a.nx != w->canvas[1]) {
		error("'%s': the object is %zux%zu, the canvas of the scan %zux%zu, expected the "
		      "same",
		      path, a.ny, a.nx, w->canvas[0], w->canvas[1]);
		goto done;
	}
	w->object = mem_try(path, n, sizeof *w->object);
	if (!w->object)
		goto done;
	to_complex(&a, slices, w->object);
	w->known = mem_new(n, sizeof *w->known);
	for (size_t i = 0; i < n; i++) {
		float re = crealf(w->object[i]), im = cimagf(w->object[i]);

		if (isinf(re) || isinf(im)) {
			error("'%s': row %zu, column %zu is infinite, expected numbers or NaN",
			      path,
			      i / a.nx % a.ny, i % a.nx);
			goto done;
		}
		w->known[i] = !isnan(re) && !isnan(im);
		if (!w->known[i])
			w->object[i] = w->o->object_value;
	}
	rc = 0;
done:
	array_clear(&a);
	return rc;
}

/* ---- windows */

/* The first frame whose window leaves the canvas, with what it may walk. */
static int check_windows(const struct work *w, const char *input)
{
	double walk = w->o->engine.refine.on ? w->o->engine.refine.limit : 0;

	for (size_t i = 0; i < w->frames.pages; i++) {
		const double *s;

		if (w->frames.kept[i] < 0)
			continue;
		s = w->s[w->frames.kept[i]];
		for (int a = 0; a < 2; a++) {
			long first, last;
			double f;

			window_split(s[a] - walk, &first, &f);
			window_split(s[a] + walk, &last, &f);
			if (first < 0 || (size_t)last + w->frames.n > w->canvas[a])
				return error(
					"'%s': frame %zu: its window at row %.6g, column %.6g "
					"leaves the object of "
					"%zux%zu, expected a larger --object-shape or --margin",
					input, i, s[0], s[1], w->canvas[0], w->canvas[1]);
		}
	}
	return 0;
}

/* All positions of the table make the canvas, also those of frames that are not used: halves have
 * the same. */
static int place(struct work *w, const char *input)
{
	const struct recon_options *o = w->o;
	double margin = isnan(o->margin) ? ceil((double)w->frames.n / 8) : o->margin;
	size_t named = w->scan.csv.rows, n = w->frames.n;
	double(*pos)[2] = mem_new(named, sizeof *pos), (*s)[2] = mem_new(named, sizeof *s);

	if (isnan(o->margin) && o->engine.refine.on)
		margin += ceil(o->engine.refine.limit);
	for (size_t r = 0; r < named; r++)
		memcpy(pos[r], w->scan.pos[w->scan.page[r]], sizeof pos[r]);
	windows_place((const double(*)[2])pos, named, n, margin, s, w->canvas);
	if (o->shape[0])
		memcpy(w->canvas, o->shape, sizeof w->canvas);
	w->s = mem_new(w->frames.k, sizeof *w->s);
	for (size_t r = 0; r < named; r++)
		if (w->frames.kept[w->scan.page[r]] >= 0)
			memcpy(w->s[w->frames.kept[w->scan.page[r]]], s[r], sizeof s[r]);
	free(pos);
	free(s);
	if (mem_mul(w->o->slices * w->canvas[0], w->canvas[1]) > (size_t)INT32_MAX)
		return error("'%s': the object is %zux%zu, expected at most %d pixels: unit of the "
			     "positions?",
			     input, w->canvas[0], w->canvas[1], INT32_MAX);
	if (o->notch && regular_notch_check(input, (const double(*)[2])w->s, w->frames.k) != 0)
		return -1;
	return check_windows(w, input);
}

static int prepare(struct work *w, const char *input)
{
	struct frames_opts f = w->o->frames;
	double *i0 = w->o->normalise_column ? mem_new(w->pages.nz, sizeof *i0) : NULL;
	int rc = -1;

	f.mask = w->o->mask ? &w->mask : NULL;
	f.dark = w->o->dark ? &w->dark : NULL;
	f.flat = w->o->flat ? &w->flat : NULL;
	f.named = w->scan.named;
	f.i0 = i0;
	if ((i0 && scan_i0(&w->scan, i0) != 0) ||
	    frames_take(input, &w->pages, &f, &w->frames) != 0)
		goto done;
	rc = 0;
done:
	free(i0);
	array_clear(&w->pages);
	return rc;
}

int work_read(const char *input, const struct recon_options *o, struct work *w)
{
	struct tiff_select select = common_select();

	w->o = o;
	if (tiff_read(input, &select, &w->pages, NULL) != 0 ||
	    scan_read(o->positions, w->pages.nz, &o->scan,
		      o->normalise_column ? o->normalise : NULL, &w->scan) != 0 ||
	    read_beside(o->mask, &w->mask) != 0 || read_beside(o->dark, &w->dark) != 0 ||
	    read_beside(o->flat, &w->flat) != 0 || prepare(w, input) != 0 ||
	    scan_pixels(&w->scan, &o->scan, w->frames.n) != 0 || place(w, input) != 0)
		return -1;
	if (o->background_file && read_background(w, o->background) != 0)
		return -1;
	w->modes = o->modes ? o->modes : 1;
	if (o->probe_kind == PROBE_FILE && read_probe(w, o->probe) != 0)
		return -1;
	return o->object_file ? read_object(w, o->object) : 0;
}

void work_clear(struct work *w)
{
	array_clear(&w->pages);
	array_clear(&w->mask);
	array_clear(&w->dark);
	array_clear(&w->flat);
	scan_clear(&w->scan);
	frames_clear(&w->frames);
	free(w->s);
	free(w->probe);
	free(w->trial);
	free(w->background);
	free(w->object);
	free(w->known);
	free(w->end);
	free(w->err);
	free(w->intensity);
	free(w->light);
	free(w->opr);
	free(w->opr_weight);
	free(w->curve.R);
	csv_line_clear(&w->log);
	*w = (struct work){ 0 };
}

/* ---- start probes */

/* The best curvature of the far field, and what was tried. */
static int search_phase(struct work *w, const char *input, struct dev *d, double phase[3])
{
	double margin = ceil((double)w->frames.n / 8);

	w->trial = mem_new(COLDSTART_TRIALS, sizeof *w->trial);
	if (coldstart_search(d, &w->o->engine, &w->frames, (const double(*)[2])w->s, margin, phase,
			     w->trial, &w->trials) != 0)
		return -1;
	for (size_t i = 0; i < w->trials; i++)
		info("'%s': start probe, round %d: curvature %.5f, astigmatism %.5f,%.5f: R %.5f "
		     "after %ld iterations of %zu frames",
		     input, w->trial[i].round, w->trial[i].phase[0], w->trial[i].phase[1],
		     w->trial[i].phase[2], w->trial[i].R, w->trial[i].iterations,
		     w->trial[i].frames);
	info("'%s': start probe: --probe data:%.5f,%.5f,%.5f", input, phase[0], phase[1], phase[2]);
	return 0;
}

static int make_probe(struct work *w, const char *input, struct dev *d, bool search)
{
	const double *v = w->o->probe_value;
	double phase[3] = { v[0], v[1], v[2] };
	size_t n = w->frames.n;

	w->probe = mem_try(input, w->modes * n * n, sizeof *w->probe);
	if (!w->probe)
		return -1;
	w->probe_modes = 1;
	switch (w->o->probe_kind) {
	case PROBE_DISC:
		return probe_disc(d, n, v[0], v[1], v[2], w->probe);
	case PROBE_GAUSS:
		probe_gauss(n, v[0], w->probe);
		return 0;
	default:
		if (search && w->o->probe_kind == PROBE_SCAN &&
		    search_phase(w, input, d, phase) != 0)
			return -1;
		if (w->o->near_field)
			return coldstart_near(d, &w->frames, &w->o->engine.optics, w->probe);
		return coldstart_probe(d, &w->frames, phase, w->probe);
	}
}

int work_probe(struct work *w, const char *input, struct dev *d, bool search)
{
	size_t count;
	double power = 0;

	if (!w->probe && make_probe(w, input, d, search) != 0)
		return -1;
	count = w->modes * w->frames.n * w->frames.n;
	if (w->probe_modes < w->modes)
		probe_modes(w->frames.n, w->probe_modes, w->modes, w->o->mode_power, w->probe);
	if (w->o->photons <= 0)
		return 0;
	for (size_t i = 0; i < count; i++)
		power += (double)(crealf(w->probe[i]) * crealf(w->probe[i]) +
				  cimagf(w->probe[i]) * cimagf(w->probe[i]));
	if (!(power > 0))
		return error("'%s': the start probe is 0 everywhere, expected one with power",
			     input);
	for (size_t i = 0; i < count; i++)
		w->probe[i] *= (float)sqrt(w->o->photons / power);
	return 0;
}
