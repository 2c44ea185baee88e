#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/die.h"
#include "base/mem.h"
#include "batch/common.h"
#include "io/pngio.h"
#include "ptychorecon.h"
#include "ptycho/probe.h"

#define LOG_HEADER                                                                                 \
	"iteration,stage,engine,R,chi,fmag,nll,dO,dP,step_object,step_probe,alpha,position_rms_"   \
	"px,shift_row,"                                                                            \
	"shift_column,seconds"
#define FRAMES_HEADER "frame,used,reason,row_px,column_px,R,photons,intensity,invalid_pixels"

/* STEM + suffix; the caller frees */
static char *product(const struct job *j, const char *suffix)
{
	return mem_printf("%s%s", j->output, suffix);
}

static struct tiff_out how(const struct work *w, const struct job *j)
{
	struct tiff_out o = common_tiff_out();

	o.provenance = j->provenance;
	o.pixel_um = w->scan.pixel_m * 1e6;
	return o;
}

static int write_table(const struct job *j, const char *suffix, const char *header,
		       const struct csv_line *l)
{
	char *path = product(j, suffix);
	int rc = csv_save(path, header, l->text, l->len);

	free(path);
	return rc;
}

/* ---- tables */

/* Of --opr, real and imaginary: what frame k has of the probe, and of each mode. */
static void put_weights(const struct work *w, long k, struct csv_line *l)
{
	size_t each = w->o->engine.opr + 1;

	for (size_t c = 0; w->opr && c < each; c++) {
		double complex v = k >= 0 ? w->opr_weight[(size_t)k * each + c]
					  : (double complex)NAN;

		csv_put_double(l, creal(v));
		if (c > 0)
			csv_put_double(l, k >= 0 ? cimag(v) : (double)NAN);
	}
}

static char *frames_header(const struct work *w)
{
	char *text = mem_strdup(w->opr ? FRAMES_HEADER ",opr_0" : FRAMES_HEADER);

	for (size_t c = 1; w->opr && c <= w->o->engine.opr; c++) {
		char *longer = mem_printf("%s,opr_%zu_re,opr_%zu_im", text, c, c);

		free(text);
		text = longer;
	}
	return text;
}

static int write_frames(const struct work *w, const struct job *j)
{
	const struct frames *f = &w->frames;
	struct csv_line l = { 0 };
	char *header = frames_header(w);
	int rc;

	for (size_t i = 0; i < f->pages; i++) {
		long k = f->kept[i];

		csv_put_long(&l, (long long)i);
		csv_put_long(&l, k >= 0);
		csv_put_text(&l, f->reason[i]);
		csv_put_double(&l, k >= 0 ? w->end[k][0] : (double)NAN);
		csv_put_double(&l, k >= 0 ? w->end[k][1] : (double)NAN);
		csv_put_double(&l, k >= 0 ? w->err[k][ERR_ABS] / w->err[k][ERR_D] : (double)NAN);
		csv_put_double(&l, f->photons[i]);
		csv_put_double(&l, k >= 0 ? w->intensity[k] : (double)NAN);
		csv_put_long(&l, (long long)f->invalid[i]);
		put_weights(w, k, &l);
		csv_line_end(&l);
	}
	rc = write_table(j, "_frames.csv", header, &l);
	csv_line_clear(&l);
	free(header);
	return rc;
}

static int write_positions(const struct work *w, const struct job *j)
{
	const struct frames *f = &w->frames;
	double(*moved)[2] = mem_new(f->pages, sizeof *moved);
	char *path = product(j, "_positions.csv");
	int rc;

	for (size_t i = 0; i < f->pages; i++)
		for (int a = 0; a < 2; a++)
			moved[i][a] = f->kept[i] >= 0
					      ? w->end[f->kept[i]][a] + (double)w->shift[a] -
							w->s[f->kept[i]][a]
					      : (double)NAN;
	rc = scan_write(path, &w->scan, &w->o->scan, (const double(*)[2])moved);
	free(path);
	free(moved);
	return rc;
}

/* ---- images */

/* sets complex images to pages Re, Im; `extra` more pages are left to the caller. */
static int to_pages(const char *what, const float complex *v, size_t sets, size_t ny, size_t nx,
		    size_t extra, struct array *a)
{
	size_t area = ny * nx;
	float *p;

	if (array_init(a, what, DT_F32, 2 * sets + extra, ny, nx) != 0)
		return -1;
	p = a->data;
	for (size_t m = 0; m < sets; m++)
		for (size_t i = 0; i < area; i++) {
			p[2 * m * area + i] = crealf(v[m * area + i]);
			p[(2 * m + 1) * area + i] = cimagf(v[m * area + i]);
		}
	return 0;
}

/* Shares of the modes in percent, as a section of the description; the caller frees. */
static char *shares(const struct work *w)
{
	size_t area = w->frames.n * w->frames.n;
	double *power = mem_new(w->modes, sizeof *power), sum = 0;
	char *text = mem_strdup("[modes]\npower_percent=");

	for (size_t m = 0; m < w->modes; m++) {
		for (size_t i = m * area; i < (m + 1) * area; i++)
			power[m] += (double)(crealf(w->probe[i]) * crealf(w->probe[i]) +
					     cimagf(w->probe[i]) * cimagf(w->probe[i]));
		sum += power[m];
	}
	for (size_t m = 0; m < w->modes; m++) {
		char *longer = mem_printf("%s%s%.6g", text, m ? "," : "", 100 * power[m] / sum);

		free(text);
		text = longer;
	}
	free(power);
	info("modes hold %s %% of the light", strrchr(text, '=') + 1);
	{
		char *longer = mem_printf("%s\n", text);

		free(text);
		return longer;
	}
}

static int write_probe(const struct work *w, const struct job *j)
{
	struct tiff_out o = how(w, j);
	char *path = product(j, "_probe.tif"), *section = shares(w);
	struct array a = { 0 };
	int rc = -1;

	o.section = section;
	if (to_pages(path, w->probe, w->modes, w->frames.n, w->frames.n, 0, &a) == 0)
		rc = tiff_write(path, &a, &o);
	array_clear(&a);
	free(section);
	free(path);
	return rc;
}

/* The beam in the middle. */
static int write_background(const struct work *w, const struct job *j)
{
	struct tiff_out o = how(w, j);
	size_t n = w->frames.n;
	size_t half = w->o->near_field ? 0 : n / 2;
	char *path;
	struct array a = { 0 };
	int rc = -1;

	if (!w->background)
		return 0;
	path = product(j, "_background.tif");
	if (array_init(&a, path, DT_F32, 1, n, n) == 0) {
		for (size_t y = 0; y < n; y++)
			for (size_t x = 0; x < n; x++)
				((float *)a.data)[(y + half) % n * n + (x + half) % n] =
					w->background[y * n + x];
		rc = tiff_write(path, &a, &o);
	}
	array_clear(&a);
	free(path);
	return rc;
}

/* Modes of --opr: pages Re, Im of each. */
static int write_opr(const struct work *w, const struct job *j)
{
	struct tiff_out o = how(w, j);
	struct array a = { 0 };
	char *path;
	int rc = -1;

	if (!w->opr)
		return 0;
	path = product(j, "_opr.tif");
	if (to_pages(path, w->opr, w->o->engine.opr, w->frames.n, w->frames.n, 0, &a) == 0)
		rc = tiff_write(path, &a, &o);
	array_clear(&a);
	free(path);
	return rc;
}

/* Is pixel i of the canvas in a window? */
static bool *inside(const struct work *w)
{
	bool *in = mem_new(w->canvas[0] * w->canvas[1], sizeof *in);
	size_t n = w->frames.n;

	for (size_t k = 0; k < w->frames.k; k++) {
		long first[2];
		double f;

		for (int a = 0; a < 2; a++)
			window_split(w->end[k][a], &first[a], &f);
		for (size_t r = 0; r < n; r++)
			memset(in + ((size_t)first[0] + r) * w->canvas[1] + (size_t)first[1], true,
			       n);
	}
	return in;
}

/* Re, Im of each slice, coverage; NaN where too little light fell, unless the start object was
 * known there: nothing erases it. */
static int object_pages(const struct work *w, const char *what, struct array *a)
{
	size_t area = w->canvas[0] * w->canvas[1], slices = w->o->slices;
	bool *in = inside(w);
	float most = 0, *v, *cover;
	int rc = to_pages(what, w->object, slices, w->canvas[0], w->canvas[1], 1, a);

	for (size_t i = 0; i < area; i++)
		most = fmaxf(most, w->light[i]);
	v = a->data;
	cover = v + 2 * slices * area;
	for (size_t i = 0; rc == 0 && i < area; i++) {
		cover[i] = most > 0 ? w->light[i] / most : 0;
		for (size_t l = 0; l < slices; l++)
			if ((!in[i] || (double)cover[i] < w->o->coverage) &&
			    !(w->known && w->known[l * area + i]))
				v[2 * l * area + i] = v[(2 * l + 1) * area + i] = NAN;
	}
	free(in);
	return rc;
}

/* Amplitude and phase of the object, of several slices their product. */
static int phase_pages(const struct array *object, const char *what, struct array *a)
{
	size_t area = object->ny * object->nx;
	const float *v = object->data;
	float *p;

	if (array_init(a, what, DT_F32, 2, object->ny, object->nx) != 0)
		return -1;
	p = a->data;
	for (size_t i = 0; i < area; i++) {
		float re = v[i], im = v[area + i];

		for (size_t l = 2; l + 1 < object->nz; l += 2) {
			float x = v[l * area + i], y = v[(l + 1) * area + i], t = re * x - im * y;

			im = re * y + im * x;
			re = t;
		}
		p[i] = hypotf(re, im);
		p[area + i] = isnan(re) ? NAN : atan2f(im, re);
	}
	return 0;
}

/* Amplitudes of the modes side by side, each pixel `times` times. */
static int mode_picture(const struct work *w, const char *what, size_t times, struct array *a)
{
	size_t n = w->frames.n;
	float *v;

	if (array_init(a, what, DT_F32, 1, n * times, w->modes * n * times) != 0)
		return -1;
	v = a->data;
	for (size_t y = 0; y < a->ny; y++)
		for (size_t x = 0; x < a->nx; x++) {
			size_t m = x / (n * times), c = x / times % n;

			v[y * a->nx + x] = cabsf(w->probe[(m * n + y / times) * n + c]);
		}
	return 0;
}

/* Amplitude and phase of the object, modes, and the course of R. */
static int write_preview(const struct work *w, const struct job *j, const struct array *polar)
{
	size_t area = polar->ny * polar->nx, times = polar->ny / (2 * w->frames.n) + 1;
	struct preview p[3] = { { MAP_GREY, "", w->scan.pixel_m * 1e6 },
				{ MAP_PHASE, "rad", w->scan.pixel_m * 1e6 },
				{ MAP_GREY, "", 0 } };
	struct array a[3] = { *polar, *polar, { 0 } };
	char *path = product(j, "_preview.png");
	int rc = -1;

	a[0].nz = a[1].nz = 1;
	a[1].data = (float *)polar->data + area;
	if (mode_picture(w, path, times, &a[2]) == 0)
		rc = png_panels(path, a, p, 3, "R", w->curve.R, w->curve.n);
	array_clear(&a[2]);
	free(path);
	return rc;
}

int work_preview(const struct work *w, const struct job *j)
{
	char *path = product(j, "_preview.png");
	struct array object = { 0 }, polar = { 0 };
	int rc = object_pages(w, path, &object) != 0 || phase_pages(&object, path, &polar) != 0
			 ? -1
			 : write_preview(w, j, &polar);

	array_clear(&object);
	array_clear(&polar);
	free(path);
	return rc;
}

/* The object comes last: where it is, the others are. */
static int write_object(const struct work *w, const struct job *j)
{
	struct tiff_out o = how(w, j);
	char *path = product(j, "_object.tif"), *phase = product(j, "_phase.tif");
	char *broken = w->diverged ? mem_printf("%sdiverged=yes\n", j->provenance) : NULL;
	struct array object = { 0 }, polar = { 0 };
	int rc = -1;

	if (broken)
		o.provenance = broken;
	if (object_pages(w, path, &object) != 0 || phase_pages(&object, phase, &polar) != 0 ||
	    write_preview(w, j, &polar) != 0 ||
	    (w->o->write_phase && tiff_write(phase, &polar, &o) != 0))
		goto done;
	rc = tiff_write(path, &object, &o);
done:
	array_clear(&object);
	array_clear(&polar);
	free(path);
	free(phase);
	free(broken);
	return rc;
}

/* What the search for a start probe tried. */
static int write_trials(const struct work *w, const struct job *j)
{
	struct csv_line l = { 0 };
	int rc;

	for (size_t i = 0; i < w->trials; i++) {
		const struct coldstart_trial *t = &w->trial[i];

		csv_put_long(&l, t->round);
		for (int a = 0; a < 3; a++)
			csv_put_double(&l, t->phase[a]);
		csv_put_long(&l, (long long)t->frames);
		csv_put_long(&l, t->iterations);
		csv_put_double(&l, t->R);
		csv_line_end(&l);
	}
	rc = write_table(j, "_start.csv",
			 "round,curvature,astigmatism_a,astigmatism_b,frames,iterations,R", &l);
	csv_line_clear(&l);
	return rc;
}

int work_write(const struct work *w, const struct job *j)
{
	if (w->trials && write_trials(w, j) != 0)
		return -1;
	return write_table(j, "_log.csv", LOG_HEADER, &w->log) != 0 || write_frames(w, j) != 0 ||
			       write_positions(w, j) != 0 || write_probe(w, j) != 0 ||
			       write_opr(w, j) != 0 || write_background(w, j) != 0 ||
			       write_object(w, j) != 0
		       ? -1
		       : 0;
}

/* ---- --dump-inputs */

static int dump_frames(const struct work *w, const char *path)
{
	const struct frames *f = &w->frames;
	struct tiff_out o = common_tiff_out();
	struct array a = { 0 };
	size_t count = f->k * f->n * f->n;
	int rc = -1;

	if (array_init(&a, path, DT_F32, f->k, f->n, f->n) != 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		uint16_t v = f->u16 ? ((const uint16_t *)f->data)[i] : 0;

		((float *)a.data)[i] = !f->u16		 ? ((const float *)f->data)[i]
				       : v == UINT16_MAX ? -1
							 : (float)v;
	}
	rc = tiff_write(path, &a, &o);
	array_clear(&a);
	return rc;
}

static int dump_windows(const struct work *w, const char *path)
{
	struct csv_line l = { 0 };
	int rc;

	for (size_t i = 0; i < w->frames.pages; i++) {
		long k = w->frames.kept[i];

		if (k < 0)
			continue;
		csv_put_long(&l, (long long)i);
		csv_put_double(&l, w->s[k][0]);
		csv_put_double(&l, w->s[k][1]);
		csv_line_end(&l);
	}
	rc = csv_save(path, "frame,row,column", l.text, l.len);
	csv_line_clear(&l);
	return rc;
}

int work_dump(const struct work *w, const float complex *probe)
{
	const char *dir = w->o->dump_inputs;
	char *frames = mem_printf("%s/frames.tif", dir),
	     *windows = mem_printf("%s/windows.csv", dir);
	char *start = mem_printf("%s/probe.tif", dir);
	struct tiff_out o = common_tiff_out();
	struct array a = { 0 };
	int rc = -1;

	mkdir(dir, 0777); /* if it cannot be, the first file says so */
	if (dump_frames(w, frames) != 0 || dump_windows(w, windows) != 0 ||
	    to_pages(start, probe, w->modes, w->frames.n, w->frames.n, 0, &a) != 0)
		goto done;
	rc = tiff_write(start, &a, &o);
done:
	array_clear(&a);
	free(frames);
	free(windows);
	free(start);
	return rc;
}
