#include "kplanes/field.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "base/team.h"

enum { BLOCK = 1 << 15, VOXELS = 1 << 20 }; /* points or voxels of one launch at most */
enum { TILE = 4 };			    /* of cl/kplanes.cl */

/* Channels at a time: the kernels are there for 1, 4 and 8. */
static const char *kernel(const struct kplanes_model *m, const char *name, char text[40])
{
	snprintf(text, 40, "%s_%d", name, m->channels % 8 == 0 ? 8 : m->channels % 4 == 0 ? 4 : 1);
	return text;
}

#define SHAPE(m, l)                                                                                \
	INT((m)->rotations), INT((m)->channels), INT((m)->size[l][0]), INT((m)->size[l][1])

/* ---- planes */

/* One plane of a level, [C][texels] on the host and [texels][C] on the device. */
struct turn {
	float *device, *host;
	size_t texels, c;
	bool up;
};

static void turn_plane(void *context, size_t k, int member)
{
	const struct turn *t = context;
	float *d = t->device + k * t->texels * t->c, *h = t->host + k * t->texels * t->c;

	(void)member;
	for (size_t i = 0; i < t->texels; i++)
		for (size_t j = 0; j < t->c; j++)
			if (t->up)
				d[i * t->c + j] = h[j * t->texels + i];
			else
				h[j * t->texels + i] = d[i * t->c + j];
}

static int turn(const struct kplanes_model *m, size_t level, float *host, struct buf *b, bool up)
{
	struct turn t = { buf_map(b, up ? MAP_DISCARD : MAP_READ), host,
			  m->size[level][0] * m->size[level][1], m->channels, up };

	if (!t.device)
		return -1;
	team_run(0, 3 * m->rotations, turn_plane, &t);
	return buf_unmap(b);
}

int kp_upload(const struct kplanes_model *m, size_t level, const float *from, struct buf *to)
{
	return turn(m, level, (float *)(uintptr_t)from, to, true);
}

int kp_download(const struct kplanes_model *m, size_t level, struct buf *from, float *to)
{
	return turn(m, level, to, from, false);
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
	*f = (struct kp_field){ .d = d, .m = m, .wide = dev_columns(d, 2) == 1 };
	f->gathers = !f->wide;
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

/* Points per launch, at most `cap`, such that they and `floats` a point fit; 0 after reporting. */
static size_t block_points(const struct kp_field *f, size_t n, size_t floats, size_t cap)
{
	size_t room = dev_mem(f->d) - dev_mem_used(f->d), most = room / (4 * floats);

	if (most == 0) {
		error("'--mem': a point needs %zu bytes on the device beside %zu in use, %zu are "
		      "allowed",
		      4 * floats, dev_mem_used(f->d), dev_mem(f->d));
		return 0;
	}
	most = most < cap ? most : cap;
	return most < n ? most : n;
}

int kp_features(struct kp_field *f, const float *pts, size_t n, float *out)
{
	const struct kplanes_model *m = f->m;
	size_t features = kplanes_features(m), block = n ? block_points(f, n, features + 3, BLOCK) : 0;
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
			if (dev_run(f->d, kernel(m, "kp_features", name),
				    moving(4 * kplanes_texels(m, l) + k * 4 * (3 + m->rotations * m->channels), NDRANGE1(dev_columns(f->d, k))), ARG(o), ARG(f->planes[l]), ARG(p), ARG(f->rot), ARG(k), SHAPE(m, l),
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

		if (dev_run(f->d, kernel(m, "kp_values", name),
			    moving(4 * kplanes_texels(m, l) + n * 4 * (3 + 1), NDRANGE1(dev_columns(f->d, n))),
			    ARG(out), ARG(f->planes[l]), ARG(pts), ARG(f->rot), ARG(f->weight), ARG(n),
			    SHAPE(m, l), INT(l * m->rotations * m->channels), INT(l == 0),
			    INT(activation), FLOAT(bias), FLOAT(m->offset), FLOAT(m->scale)) != 0)
			return -1;
	}
	return 0;
}

int kp_values(struct kp_field *f, const float *pts, size_t n, enum kp_value what, float *out)
{
	size_t block = n ? block_points(f, n, 4, BLOCK) : 0;
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

/* Voxels of one launch as whole planes, else whole rows of a plane, else a part of a row, so that
 * they follow one another: at most `most`, n[] of z, y, x. */
static void window(const size_t shape[3], size_t most, size_t tile, size_t n[3])
{
	n[2] = shape[2] < most ? shape[2] : most;
	n[1] = n[2] < shape[2] ? 1 : most / n[2] < shape[1] ? most / n[2] : shape[1];
	n[0] = n[1] < shape[1] ? 1 : most / n[2] / n[1] < shape[0] ? most / n[2] / n[1] : shape[0];
	for (int a = 0; a < 2; a++)
		if (n[a] > tile && n[a] < shape[a])
			n[a] -= n[a] % tile;
}

int kp_render(struct kp_field *f, const size_t shape[3], double box[3][2], float *out)
{
	const struct kplanes_model *m = f->m;
	size_t tile = f->wide ? TILE : 1, block, n[3], at[3], k[3];
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
	block = block_points(f, shape[0] * shape[1] * shape[2], 1, VOXELS);
	o = block ? buf_new(f->d, block * 4) : NULL;
	if (!o)
		goto done;
	window(shape, block, tile, n);
	for (at[0] = 0; at[0] < shape[0]; at[0] += n[0])
		for (at[1] = 0; at[1] < shape[1]; at[1] += n[1])
			for (at[2] = 0; at[2] < shape[2]; at[2] += n[2]) {
				for (int a = 0; a < 3; a++)
					k[a] = shape[a] - at[a] < n[a] ? shape[a] - at[a] : n[a];
				for (size_t l = 0; l < m->levels; l++)
					if (dev_run(f->d, kernel(m, "kp_render", name),
						    moving(4 * kplanes_texels(m, l) + k[0] * k[1] * k[2] * 4,
							   NDRANGE3(dev_columns(f->d, k[2]),
								    (k[1] + tile - 1) / tile,
								    (k[0] + tile - 1) / tile)),
						    ARG(o), ARG(f->planes[l]), ARG(axis[0]),
						    ARG(axis[1]), ARG(axis[2]), ARG(f->rot),
						    ARG(f->weight), INT(at[2]), INT(at[1]),
						    INT(at[0]), INT(k[2]), INT(k[1]), INT(k[0]),
						    SHAPE(m, l),
						    INT(l * m->rotations * m->channels),
						    INT(l == 0),
						    INT(l == m->levels - 1 ? (int)m->activation
									   : -1),
						    FLOAT(m->bias), FLOAT(m->offset),
						    FLOAT(m->scale)) != 0)
						goto done;
				if (buf_read(o, 0,
					     out + (at[0] * shape[1] + at[1]) * shape[2] + at[2],
					     k[0] * k[1] * k[2] * 4) != 0)
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
