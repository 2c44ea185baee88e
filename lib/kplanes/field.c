#include "kplanes/field.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"

enum { BLOCK = 1 << 18 }; /* points of one launch, where the caller's may be any number */

/* Channels at a time: the kernels are there for 1, 4 and 8. */
static const char *kernel(const struct kplanes_model *m, const char *name, char text[40])
{
	snprintf(text, 40, "%s_%d", name, m->channels % 8 == 0 ? 8 : m->channels % 4 == 0 ? 4 : 1);
	return text;
}

#define SHAPE(m, l)                                                                                \
	INT((m)->rotations), INT((m)->channels), INT((m)->size[l][0]), INT((m)->size[l][1])

/* ---- planes */

int kp_upload(const struct kplanes_model *m, size_t level, const float *from, struct buf *to)
{
	size_t texels = m->size[level][0] * m->size[level][1], c = m->channels;
	float *p = buf_map(to, MAP_DISCARD);

	if (!p)
		return -1;
	for (size_t k = 0; k < 3 * m->rotations; k++)
		for (size_t i = 0; i < texels; i++)
			for (size_t j = 0; j < c; j++)
				p[(k * texels + i) * c + j] = from[(k * c + j) * texels + i];
	return buf_unmap(to);
}

int kp_download(const struct kplanes_model *m, size_t level, struct buf *from, float *to)
{
	size_t texels = m->size[level][0] * m->size[level][1], c = m->channels;
	const float *p = buf_map(from, MAP_READ);

	if (!p)
		return -1;
	for (size_t k = 0; k < 3 * m->rotations; k++)
		for (size_t i = 0; i < texels; i++)
			for (size_t j = 0; j < c; j++)
				to[(k * c + j) * texels + i] = p[(k * texels + i) * c + j];
	return buf_unmap(from);
}

size_t kp_field_bytes(const struct kplanes_model *m)
{
	size_t n = m->rotations * 36 + kplanes_features(m) * 4;

	for (size_t l = 0; l < m->levels; l++)
		n += kplanes_texels(m, l) * 4;
	return n;
}

int kp_field_init(struct kp_field *f, struct dev *d, const struct kplanes_model *m)
{
	*f = (struct kp_field){ .d = d, .m = m };
	if (kp_field_bytes(m) > dev_mem(d))
		return error("'--mem': the planes of the model need %zu bytes on the device, %zu "
			     "are allowed",
			     kp_field_bytes(m), dev_mem(d));
	if (dev_load(d, "kplanes") != 0)
		return -1;
	f->rot = buf_new(d, m->rotations * 36);
	f->weight = buf_new(d, kplanes_features(m) * 4);
	if (!f->rot || !f->weight || buf_write(f->rot, 0, m->rot, m->rotations * 36) != 0 ||
	    buf_write(f->weight, 0, m->weight, kplanes_features(m) * 4) != 0)
		goto fail;
	for (size_t l = 0; l < m->levels; l++) {
		f->planes[l] = buf_new(d, kplanes_texels(m, l) * 4);
		if (!f->planes[l] || kp_upload(m, l, m->planes[l], f->planes[l]) != 0)
			goto fail;
	}
	return 0;
fail:
	kp_field_clear(f);
	return -1;
}

void kp_field_clear(struct kp_field *f)
{
	for (size_t l = 0; l < KP_LEVELS; l++)
		buf_free(f->planes[l]);
	buf_free(f->rot);
	buf_free(f->weight);
	*f = (struct kp_field){ 0 };
}

/* ---- features and values, in blocks of points */

/* Points per launch such that they and `floats` a point fit; 0 after reporting. */
static size_t block_points(const struct kp_field *f, size_t n, size_t floats)
{
	size_t room = dev_mem(f->d) - dev_mem_used(f->d), most = room / (4 * floats);

	if (most == 0) {
		error("'--mem': a point needs %zu bytes on the device beside %zu in use, %zu are "
		      "allowed",
		      4 * floats, dev_mem_used(f->d), dev_mem(f->d));
		return 0;
	}
	most = most < BLOCK ? most : BLOCK;
	return most < n ? most : n;
}

int kp_features(struct kp_field *f, const float *pts, size_t n, float *out)
{
	const struct kplanes_model *m = f->m;
	size_t features = kplanes_features(m), block = n ? block_points(f, n, features + 3) : 0;
	struct buf *p = NULL, *o = NULL;
	char name[40];
	int rc = -1;

	if (n == 0)
		return 0;
	p = block ? buf_new(f->d, block * 12) : NULL;
	o = p ? buf_new(f->d, block * features * 4) : NULL;
	if (!o)
		goto done;
	for (size_t i = 0; i < n; i += block) {
		uint64_t k = n - i < block ? n - i : block;

		if (buf_write(p, 0, pts + 3 * i, k * 12) != 0)
			goto done;
		for (size_t l = 0; l < m->levels; l++)
			if (dev_run(f->d, kernel(m, "kp_features", name), NDRANGE1(k), ARG(o),
				    ARG(f->planes[l]), ARG(p), ARG(f->rot), ARG(k), SHAPE(m, l),
				    INT(features), INT(l * m->rotations * m->channels)) != 0)
				goto done;
		if (buf_read(o, 0, out + i * features, k * features * 4) != 0)
			goto done;
	}
	rc = 0;
done:
	buf_free(p);
	buf_free(o);
	return rc;
}

/* The launches of one block: every level adds its share. */
static int run_values(struct kp_field *f, struct buf *out, struct buf *pts, uint64_t n,
		      enum kp_value what, float bias)
{
	const struct kplanes_model *m = f->m;
	char name[40];

	for (size_t l = 0; l < m->levels; l++) {
		int activation = what == KP_VALUE && l == m->levels - 1 ? (int)m->activation : -1;

		if (dev_run(f->d, kernel(m, "kp_values", name), NDRANGE1(n), ARG(out),
			    ARG(f->planes[l]), ARG(pts), ARG(f->rot), ARG(f->weight), ARG(n),
			    SHAPE(m, l), INT(l * m->rotations * m->channels), INT(l == 0),
			    INT(activation), FLOAT(bias), FLOAT(m->offset), FLOAT(m->scale)) != 0)
			return -1;
	}
	return 0;
}

int kp_values(struct kp_field *f, const float *pts, size_t n, enum kp_value what, float *out)
{
	size_t block = n ? block_points(f, n, 4) : 0;
	struct buf *p = NULL, *o = NULL;
	int rc = -1;

	if (n == 0)
		return 0;
	p = block ? buf_new(f->d, block * 12) : NULL;
	o = p ? buf_new(f->d, block * 4) : NULL;
	if (!o)
		goto done;
	for (size_t i = 0; i < n; i += block) {
		size_t k = n - i < block ? n - i : block;

		if (buf_write(p, 0, pts + 3 * i, k * 12) != 0 ||
		    run_values(f, o, p, k, what, f->m->bias) != 0 ||
		    buf_read(o, 0, out + i, k * 4) != 0)
			goto done;
	}
	rc = 0;
done:
	buf_free(p);
	buf_free(o);
	return rc;
}

float kp_grid(double lo, double hi, size_t n, size_t i)
{
	return (float)(n > 1 ? lo + (hi - lo) * (double)i / (double)(n - 1) : (lo + hi) / 2);
}

int kp_render(struct kp_field *f, const size_t shape[3], double box[3][2], float *out)
{
	const struct kplanes_model *m = f->m;
	size_t n = shape[0] * shape[1] * shape[2], block;
	uint64_t nx = shape[2], ny = shape[1];
	struct buf *axis[3] = { NULL, NULL, NULL }, *o = NULL;
	char name[40];
	int rc = -1;

	for (int a = 0; a < 3; a++) {
		size_t count = shape[2 - a];
		float *v;

		axis[a] = buf_new(f->d, count * 4);
		v = axis[a] ? buf_map(axis[a], MAP_DISCARD) : NULL;
		if (!v)
			goto done;
		for (size_t i = 0; i < count; i++)
			v[i] = kp_grid(box[a][0], box[a][1], count, i);
		if (buf_unmap(axis[a]) != 0)
			goto done;
	}
	block = block_points(f, n, 1);
	o = block ? buf_new(f->d, block * 4) : NULL;
	if (!o)
		goto done;
	for (uint64_t i = 0; i < n; i += block) {
		uint64_t k = n - i < block ? n - i : block;

		for (size_t l = 0; l < m->levels; l++)
			if (dev_run(f->d, kernel(m, "kp_render", name), NDRANGE1(k), ARG(o),
				    ARG(f->planes[l]), ARG(axis[0]), ARG(axis[1]), ARG(axis[2]),
				    ARG(f->rot), ARG(f->weight), ARG(i), ARG(k), ARG(nx), ARG(ny),
				    SHAPE(m, l), INT(l * m->rotations * m->channels), INT(l == 0),
				    INT(l == m->levels - 1 ? (int)m->activation : -1),
				    FLOAT(m->bias), FLOAT(m->offset), FLOAT(m->scale)) != 0)
				goto done;
		if (buf_read(o, 0, out + i, k * 4) != 0)
			goto done;
	}
	rc = 0;
done:
	for (int a = 0; a < 3; a++)
		buf_free(axis[a]);
	buf_free(o);
	return rc;
}

int kp_batch_values(struct kp_batch *b, float bias)
{
	return run_values(b->f, b->value, b->pts, b->n, KP_SUM, bias);
}
