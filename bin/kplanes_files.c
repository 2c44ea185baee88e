/* The files of kplanes: models, points, gradients. */
#include <config.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "batch/common.h"
#include "io/source.h"
#include "io/tiffio.h"
#include "kplanes.h"

/* ---- models */

static int read_level(const char *path, struct kplanes_model *m, size_t l)
{
	size_t pages = 3 * m->rotations * m->channels;
	struct tiff_select s = { .first = (long)(l * pages) + 1,
				 .last = (long)((l + 1) * pages),
				 .keep = l + 1 < m->levels };
	struct array a;
	bool lossy;
	long bad;

	if (tiff_read(path, &s, &a, NULL) != 0)
		return -1;
	if (a.ny != m->size[l][0] || a.nx != m->size[l][1]) {
		error("'%s': pages %ld to %ld of %zu x %zu pixels, expected %zu x %zu of level %zu",
		      path, s.first, s.last, a.ny, a.nx, m->size[l][0], m->size[l][1], l);
		goto fail;
	}
	bad = array_bad_page(&a);
	if (bad >= 0) {
		error("'%s': page %ld holds NaN or Inf, expected finite planes", path,
		      s.first + bad);
		goto fail;
	}
	if (array_to_f32(&a, &lossy) != 0)
		goto fail;
	m->planes[l] = a.data;
	return 0;
fail:
	array_clear(&a);
	return -1;
}

int model_read(const char *path, struct kplanes_model *m)
{
	struct tiff_select first = { .first = 1, .last = 1 };
	struct tiff_meta meta = { 0 };
	struct array a;
	size_t pages;
	int rc = -1;

	*m = (struct kplanes_model){ 0 };
	if (tiff_probe(path, &first, &a, &meta) != 0 || kplanes_parse(path, meta.section, m) != 0)
		goto done;
	pages = 3 * kplanes_features(m);
	if (meta.pages != pages) {
		error("'%s': %zu pages, expected %zu: %zu levels of 3 x %zu x %zu", path,
		      meta.pages, pages, m->levels, m->rotations, m->channels);
		goto done;
	}
	for (size_t l = 0; l < m->levels; l++)
		if (read_level(path, m, l) != 0)
			goto done;
	for (size_t t = 0; t < m->rotations; t++)
		if (kplanes_skew(m->rot[t]) > 1e-4)
			info("'%s': rotation %zu is no rotation, its rows are off by %.2g", path, t,
			     kplanes_skew(m->rot[t]));
	rc = 0;
done:
	tiff_meta_clear(&meta);
	if (rc != 0)
		kplanes_clear(m);
	return rc;
}

int model_write(const char *path, const struct kplanes_model *m, float *const *planes,
		const char *section, const char *provenance)
{
	struct tiff_out o = common_tiff_out();
	struct array level[KP_LEVELS];

	for (size_t l = 0; l < m->levels; l++)
		level[l] = (struct array){ DT_F32, 3 * m->rotations * m->channels, m->size[l][0],
					   m->size[l][1], planes[l] };
	o.provenance = provenance;
	o.section = section;
	o.no_imagej = true;
	return tiff_write_levels(path, level, m->levels, &o);
}

/* ---- points */

/* The first four bytes; a pipe is kept for the reader.  -1 after reporting. */
static int is_tiff(const char *path, bool *yes)
{
	char head[4] = "", *bytes = NULL;
	size_t len = 0;
	int fd;
	FILE *f;

	if (source_open(path, &fd, &bytes, &len) != 0)
		return -1;
	if (fd >= 0) {
		f = fdopen(fd, "rb");
		if (!f || (fread(head, 1, 4, f) != 4 && ferror(f)))
			error("'%s': cannot read", path);
		if (f)
			fclose(f);
	} else {
		memcpy(head, bytes, len < 4 ? len : 4);
		source_keep(path, bytes, len);
	}
	*yes = (head[0] == 'I' && head[1] == 'I' && (head[2] == 42 || head[2] == 43)) ||
	       (head[0] == 'M' && head[1] == 'M' && (head[3] == 42 || head[3] == 43));
	return 0;
}

/* One finite page of float32; what: of its shape */
static int read_page(const char *path, struct array *a, const char *what)
{
	bool lossy;

	if (tiff_read(path, NULL, a, NULL) != 0)
		return -1;
	if (a->nz != 1) {
		error("'%s': %zu pages, expected 1: %s", path, a->nz, what);
		goto fail;
	}
	if (array_to_f32(a, &lossy) != 0)
		goto fail;
	for (size_t i = 0; i < array_count(a); i++)
		if (!isfinite(((const float *)a->data)[i])) {
			error("'%s': row %zu, column %zu is %g, expected finite numbers", path,
			      i / a->nx, i % a->nx, (double)((const float *)a->data)[i]);
			goto fail;
		}
	return 0;
fail:
	array_clear(a);
	return -1;
}

static int points_csv(const char *path, float **points, size_t *n)
{
	static const char *const axis[3] = { "x", "y", "z" };
	size_t column[3];
	struct csv t;
	int rc = -1;

	if (csv_read(path, false, &t) != 0)
		return -1;
	for (int a = 0; a < 3; a++)
		if (csv_need(&t, axis[a], &column[a]) != 0)
			goto done;
	*points = mem_try(path, t.rows ? t.rows : 1, 3 * sizeof **points);
	if (!*points)
		goto done;
	for (size_t i = 0; i < t.rows; i++)
		for (int a = 0; a < 3; a++) {
			double v;

			if (csv_double(&t, i, column[a], false, &v) != 0)
				goto done;
			(*points)[3 * i + a] = (float)v;
			if (!isfinite((*points)[3 * i + a])) {
				error("'%s': line %zu: %s is %g, expected a float32 number", path,
				      t.line[i], axis[a], v);
				goto done;
			}
		}
	*n = t.rows;
	rc = 0;
done:
	csv_clear(&t);
	if (rc != 0) {
		free(*points);
		*points = NULL;
	}
	return rc;
}

int points_read(const char *path, float **points, size_t *n)
{
	struct array a;
	bool tiff;

	*points = NULL;
	if (is_tiff(path, &tiff) != 0)
		return -1;
	if (!tiff)
		return points_csv(path, points, n);
	if (read_page(path, &a, "points, 3 columns") != 0)
		return -1;
	if (a.nx != 3) {
		error("'%s': %zu x %zu numbers, expected 3 columns x, y, z", path, a.ny, a.nx);
		array_clear(&a);
		return -1;
	}
	*points = a.data;
	*n = a.ny;
	return 0;
}

int upstream_read(const char *path, size_t n, float **up, size_t *width)
{
	struct array a;

	*up = NULL;
	if (read_page(path, &a, "a row for each point, a column for each feature") != 0)
		return -1;
	if (a.ny != n) {
		error("'%s': %zu x %zu numbers, expected %zu rows, one for each point", path, a.ny,
		      a.nx, n);
		array_clear(&a);
		return -1;
	}
	*up = a.data;
	*width = a.nx;
	return 0;
}

/* ---- products */

bool is_csv(const char *path)
{
	size_t n = path ? strlen(path) : 0;

	return !path || (n >= 4 && strcmp(path + n - 4, ".csv") == 0);
}

int matrix_write(const char *path, const float *v, size_t rows, size_t columns, const char *header,
		 const char *provenance)
{
	struct tiff_out o = common_tiff_out();
	struct array a = { DT_F32, 1, rows, columns, (void *)(uintptr_t)v };
	struct csv_line l = { 0 };
	int rc;

	if (!is_csv(path)) {
		o.provenance = provenance;
		return rows ? tiff_write(path, &a, &o)
			    : error("'%s': no point, expected some for a TIFF", path);
	}
	for (size_t i = 0; i < rows; i++) {
		for (size_t j = 0; j < columns; j++)
			csv_put_float(&l, v[i * columns + j]);
		csv_line_end(&l);
	}
	rc = csv_save(path ? path : "-", header, l.text ? l.text : "", l.len);
	csv_line_clear(&l);
	return rc;
}

int rotations_write(const char *path, double (*dr)[9], size_t n)
{
	struct csv_line l = { 0 };
	int rc;

	for (size_t t = 0; t < n; t++) {
		csv_put_long(&l, (long long)t);
		for (int i = 0; i < 9; i++)
			csv_put_double(&l, dr[t][i]);
		csv_line_end(&l);
	}
	rc = csv_save(path, "t,r00,r01,r02,r10,r11,r12,r20,r21,r22", l.text, l.len);
	csv_line_clear(&l);
	return rc;
}
