/* Gradients of features by planes, points, rotations, weights; the total variation of planes. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "base/team.h"
#include "kplanes/field.h"

enum { CHUNK = 32 }; /* of cl/kplanes.cl */

size_t kp_lanes(const struct kplanes_model *m)
{
	return m->channels % 8 == 0 ? 8 : m->channels % 4 == 0 ? 4 : 1;
}

static const char *kernel(const struct kplanes_model *m, const char *name, char text[40])
{
	snprintf(text, 40, "%s_%zu", name, kp_lanes(m));
	return text;
}

#define SHAPE(m, l)                                                                                \
	INT((m)->rotations), INT((m)->channels), INT((m)->size[l][0]), INT((m)->size[l][1])

static size_t rows_of(const struct kplanes_model *m)
{
	size_t rows = 0;

	for (size_t l = 0; l < m->levels; l++)
		rows = m->size[l][0] > rows ? m->size[l][0] : rows;
	return rows;
}

/* Numbers in bins become the first place of each bin. */
static void count_up(uint32_t *count, size_t bins)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < bins; i++) {
		uint32_t c = count[i];

		count[i] = sum;
		sum += c;
	}
}

/* ---- a batch on the device */

static size_t largest_level(const struct kplanes_model *m)
{
	size_t n = 0;

	for (size_t l = 0; l < m->levels; l++)
		n = kplanes_texels(m, l) > n ? kplanes_texels(m, l) : n;
	return n;
}

/* Work-items of kp_backward, and how many texels each has of its own: sums of three planes of V
 * channels and a row. */
static size_t items_of(const struct kplanes_model *m)
{
	return m->rotations * m->channels / kp_lanes(m);
}

static size_t space_texels(const struct kplanes_model *m)
{
	size_t n = 0;

	for (size_t l = 0; l < m->levels; l++) {
		size_t k = (3 * m->size[l][0] + 1) * m->size[l][1];

		n = k > n ? k : n;
	}
	return n;
}

static size_t space_bytes(const struct kplanes_model *m)
{
	return space_texels(m) * kp_lanes(m) * sizeof(double);
}

/* How many of them at a time: such that these take at most as much as the planes and 64 bytes for
 * each point and rotation. */
static size_t most_slots(const struct kplanes_model *m, size_t cap, int want)
{
	size_t each = want & KP_WANT_PLANES ? space_bytes(m) : 12 * (cap ? cap : 1),
	       n = (64 * cap * m->rotations + 4 * largest_level(m)) / each;

	return n < 1 ? 1 : n < items_of(m) ? n : items_of(m);
}

enum { BUFFERS = 13 };

/* Bytes of each buffer, in the order of the struct; 0: not made.  slots 0: the gather. */
static void sizes(const struct kplanes_model *m, size_t cap, int want, size_t slots,
		  size_t n[BUFFERS])
{
	size_t t = m->rotations, f = t * m->channels, chunks = (cap + CHUNK - 1) / CHUNK;
	bool planes = want & KP_WANT_PLANES, sorts = planes && !slots;

	n[0] = cap * 12;
	n[1] = n[2] = cap * 4;
	n[3] = want & KP_WANT_POINTS ? cap * 12 : 0;
	n[4] = slots ? items_of(m) * 72 : chunks * t * 36;
	n[5] = slots ? f * 8 : want & KP_WANT_WEIGHTS ? chunks * f * 4 : 0;
	n[6] = n[7] = sorts ? (cap ? cap : 1) * t * 12 : 0;
	n[8] = sorts ? 3 * t * (rows_of(m) + 1) * 4 : 0;
	n[9] = planes ? 3 * items_of(m) * rows_of(m) * 16 : 0;
	n[10] = planes ? slots * space_bytes(m) : 0;
	n[11] = want & KP_WANT_POINTS ? slots * cap * 12 : 0;
	n[12] = planes && (sorts || !(want & KP_STEPS)) ? largest_level(m) * 4 : 0;
}

size_t kp_batch_bytes(const struct kplanes_model *m, size_t cap, int want)
{
	size_t n[BUFFERS], sum[2] = { 0, 0 };

	for (int way = 0; way < 2; way++) {
		sizes(m, cap, want, way ? most_slots(m, cap, want) : 0, n);
		for (int i = 0; i < BUFFERS; i++)
			sum[way] += n[i];
	}
	return sum[0] > sum[1] ? sum[0] : sum[1];
}

int kp_batch_init(struct kp_batch *b, struct kp_field *f, size_t cap, int want)
{
	struct buf **to[BUFFERS] = { &b->pts,	&b->value, &b->da,   &b->dp,   &b->dr,
				     &b->dw,	&b->key,   &b->order, &b->start, &b->sums,
				     &b->space, &b->part,  &b->grad };
	size_t n[BUFFERS], threads = (size_t)dev_threads(f->d);

	*b = (struct kp_batch){ .f = f, .cap = cap, .want = want };
	if (cap > UINT32_MAX)
		return error("%zu points in one batch, expected fewer than 2^32", cap);
	if (!f->gathers) {
		b->slots = most_slots(f->m, cap, want);
		b->slots = b->slots < threads ? b->slots : threads;
	}
	sizes(f->m, cap, want, b->slots, n);
	for (int i = 0; i < BUFFERS; i++) {
		if (n[i] == 0 && i > 2)
			continue;
		*to[i] = buf_new(f->d, n[i]);
		if (!*to[i]) {
			kp_batch_clear(b);
			return -1;
		}
	}
	return 0;
}

void kp_batch_clear(struct kp_batch *b)
{
	struct buf *all[BUFFERS] = { b->pts,   b->value, b->da,	   b->dp,    b->dr,   b->dw,  b->key,
				     b->order, b->start, b->sums, b->space, b->part, b->grad };

	for (size_t i = 0; i < BUFFERS; i++)
		buf_free(all[i]);
	*b = (struct kp_batch){ 0 };
}

/* ---- places in space */

enum { BITS = 5 }; /* of a box's number along an axis */

/* The bits of a box's number, three places apart. */
static uint32_t spread(float g)
{
	static const uint16_t bits[1 << BITS] = {
		0,    1,    8,	  9,	64,   65,   72,	  73,	512,  513,  520,
		521,  576,  577,  584,	585,  4096, 4097, 4104, 4105, 4160, 4161,
		4168, 4169, 4608, 4609, 4616, 4617, 4672, 4673, 4680, 4681
	};
	float i = (g + 1) * (1 << (BITS - 1));

	return bits[i > 0 ? i < (1 << BITS) - 1 ? (int)i : (1 << BITS) - 1 : 0];
}

struct boxes {
	const float *pts;
	uint16_t *key;
	size_t n;
};

enum { ROWS = 4096 }; /* of a task */

static void box_points(void *context, size_t i, int member)
{
	struct boxes *b = context;
	size_t end = b->n - i * ROWS < ROWS ? b->n : (i + 1) * ROWS;

	(void)member;
	for (size_t k = i * ROWS; k < end; k++) {
		const float *p = b->pts + 3 * k;

		b->key[k] = (uint16_t)(spread(p[0]) | spread(p[1]) << 1 | spread(p[2]) << 2);
	}
}

void kp_order(const float *pts, size_t n, uint32_t *order)
{
	uint32_t *count = mem_new((size_t)1 << 3 * BITS, sizeof *count);
	uint16_t *key = mem_new(n ? n : 1, sizeof *key);

	team_run(0, (n + ROWS - 1) / ROWS, box_points, &(struct boxes){ pts, key, n });
	for (size_t i = 0; i < n; i++)
		count[key[i]]++;
	count_up(count, (size_t)1 << 3 * BITS);
	for (size_t i = 0; i < n; i++)
		order[count[key[i]]++] = (uint32_t)i;
	free(key);
	free(count);
}

/* ---- the gather: points, rotations, weights; planes */

/* sum [w] += the rows of b [parts][w]. */
static int add_up(struct buf *b, size_t parts, size_t w, double *sum)
{
	const float *p = buf_map(b, MAP_READ);

	if (!p)
		return -1;
	for (size_t k = 0; k < parts; k++)
		for (size_t i = 0; i < w; i++)
			sum[i] += (double)p[k * w + i];
	return buf_unmap(b);
}

static int gather_points(struct kp_batch *b, size_t level, const struct kp_up *u, double (*dr)[9],
			 double *dw)
{
	struct kp_field *f = b->f;
	const struct kplanes_model *m = f->m;
	size_t chunks = (b->n + CHUNK - 1) / CHUNK, t = m->rotations, tc = t * m->channels;
	uint64_t n = b->n, block = u->block;
	char name[40];

	for (size_t i = 0; i < tc && b->want & KP_WANT_WEIGHTS; i++)
		dw[i] = 0;
	if (n == 0)
		return 0;
	if (dev_run(f->d, kernel(m, "kp_points", name),
		    moving(4 * (kplanes_texels(m, level) + n * (6 + tc)), NDRANGE1(chunks)), ARG(b->dp), ARG(b->dr),
		    ARG(b->dw), ARG(f->planes[level]), ARG(b->pts), ARG(f->rot), ARG(u->up),
		    ARG(b->da), ARG(n), SHAPE(m, level), ARG(block), INT(u->point),
		    INT(level * tc), INT(u->scaled), INT(level == 0), INT(b->want)) != 0 ||
	    add_up(b->dr, chunks, 9 * t, dr[0]) != 0)
		return -1;
	return b->want & KP_WANT_WEIGHTS ? add_up(b->dw, chunks, tc, dw) : 0;
}

struct sort {
	uint32_t *key, *order, *start; /* [3T][n], [3T][n], [3T][H + 1] */
	size_t n, h, w;
	uint32_t **scratch; /* [members][2 n + bins] */
};

/* Stable counting sort of one plane's points by column, then by row. */
static void sort_plane(void *context, size_t plane, int member)
{
	struct sort *s = context;
	size_t n = s->n;
	uint32_t *key = s->key + plane * n, *order = s->order + plane * n,
		 *start = s->start + plane * (s->h + 1);
	uint32_t *k1 = s->scratch[member], *o1 = k1 + n, *count = o1 + n;

	memset(count, 0, s->w * sizeof *count);
	for (size_t i = 0; i < n; i++)
		count[key[i] & 0xffff]++;
	count_up(count, s->w);
	for (size_t i = 0; i < n; i++) {
		uint32_t to = count[key[i] & 0xffff]++;

		k1[to] = key[i];
		o1[to] = (uint32_t)i;
	}
	memset(count, 0, (s->h + 1) * sizeof *count);
	for (size_t i = 0; i < n; i++)
		count[k1[i] >> 16]++;
	count_up(count, s->h + 1);
	memcpy(start, count, (s->h + 1) * sizeof *count);
	for (size_t i = 0; i < n; i++) {
		uint32_t to = count[k1[i] >> 16]++;

		key[to] = k1[i];
		order[to] = o1[i];
	}
}

static int sort_points(struct kp_batch *b, size_t level)
{
	struct kp_field *f = b->f;
	const struct kplanes_model *m = f->m;
	size_t h = m->size[level][0], w = m->size[level][1], planes = 3 * m->rotations;
	int threads = dev_threads(f->d), rc = -1;
	uint64_t n = b->n;
	struct sort s = { .n = b->n, .h = h, .w = w };

	if (n && dev_run(f->d, "kp_cells",
			 moving(n * (12 + 12 * m->rotations), NDRANGE2(dev_columns(f->d, n), m->rotations)), ARG(b->key), ARG(b->pts),
			 ARG(f->rot), ARG(n), INT(m->rotations), INT(h), INT(w)) != 0)
		return -1;
	s.scratch = mem_new((size_t)threads, sizeof *s.scratch);
	for (int i = 0; i < threads; i++) {
		s.scratch[i] = mem_try("cells", 2 * b->n + (h > w ? h : w) + 1, sizeof **s.scratch);
		if (!s.scratch[i])
			goto done;
	}
	s.key = buf_map(b->key, MAP_READ | MAP_WRITE);
	s.order = s.key ? buf_map(b->order, MAP_DISCARD) : NULL;
	s.start = s.order ? buf_map(b->start, MAP_DISCARD) : NULL;
	if (!s.start)
		goto done;
	team_run(threads, planes, sort_plane, &s);
	if (buf_unmap(b->key) != 0 || buf_unmap(b->order) != 0 || buf_unmap(b->start) != 0)
		goto done;
	rc = 0;
done:
	for (int i = 0; i < threads; i++)
		free(s.scratch[i]);
	free(s.scratch);
	return rc;
}

static int gather_planes(struct kp_batch *b, size_t level, const struct kp_up *u,
			 const struct kp_down *to, float fy, float fx)
{
	struct kp_field *f = b->f;
	const struct kplanes_model *m = f->m;
	size_t t = m->rotations, c = m->channels;
	uint64_t n = b->n, block = u->block, texels = kplanes_texels(m, level);
	char name[40];

	if (sort_points(b, level) != 0 ||
	    dev_run(f->d, kernel(m, "kp_planes", name),
		    moving(4 * (2 * kplanes_texels(m, level) + n * (3 + 6 * t + t * c)),
			   NDRANGE3(m->size[level][0], 3 * t, c / kp_lanes(m))), ARG(b->grad), ARG(b->sums),
		    ARG(f->planes[level]), ARG(b->pts), ARG(f->rot), ARG(b->order), ARG(b->key),
		    ARG(b->start), ARG(u->up), ARG(b->da), ARG(n), SHAPE(m, level), ARG(block),
		    INT(u->point), INT(level * t * c), INT(u->scaled), FLOAT(fy), FLOAT(fx)) != 0)
		return -1;
	return !to->first ? 0 :
			    dev_run(f->d, "kp_update", moving(28 * texels, NDRANGE1(texels)), ARG(f->planes[level]),
				    ARG(b->grad), ARG(to->first), ARG(to->second), ARG(texels),
				    FLOAT(to->step.cg), FLOAT(to->step.cm), FLOAT(to->step.cv));
}

/* ---- the scatter: all at once */

static int scatter(struct kp_batch *b, size_t level, const struct kp_up *u,
		   const struct kp_down *to, float fy, float fx)
{
	struct kp_field *f = b->f;
	const struct kplanes_model *m = f->m;
	size_t all = items_of(m), tc = m->rotations * m->channels;
	uint64_t n = b->n, three = 3 * n, block = u->block,
		 stride = b->want & KP_WANT_PLANES ? space_texels(m) : 0;
	const float(*turn)[2], (*weight)[2];
	char name[40];
	/* planes, and their gradient, or planes and moments read and written; points, upstream, the points' gradient */
	size_t arrays = to->first ? 6 : b->want & KP_WANT_PLANES ? 2 : 1,
	       numbers = 3 + kp_lanes(m) + (b->want & KP_WANT_POINTS ? 3 : 0);

	for (size_t i = 0; i < all; i += b->slots) {
		size_t items = all - i < b->slots ? all - i : b->slots;
		size_t bytes = 4 * (items * kplanes_texels(m, level) / all * arrays + items * b->n * numbers);

		if (dev_run(f->d, kernel(m, "kp_backward", name),
			    ((struct ndrange){ .n = { items, 1, 1 }, .local = { 1, 1, 1 }, .bytes = bytes }), ARG(b->grad),
			    ARG(to->first), ARG(to->second), ARG(b->sums), ARG(b->space),
			    ARG(b->part), ARG(b->dr), ARG(b->dw), ARG(f->planes[level]),
			    ARG(b->pts), ARG(f->rot), ARG(u->up), ARG(b->da), ARG(n),
			    ARG(stride), INT(i == 0 && !b->zero), INT(i), INT(items),
			    SHAPE(m, level), ARG(block), INT(u->point), INT(level * tc),
			    INT(u->scaled), INT(b->want), FLOAT(fy), FLOAT(fx),
			    FLOAT(to->step.cg), FLOAT(to->step.cm), FLOAT(to->step.cv)) != 0)
			return -1;
		if (b->want & KP_WANT_POINTS && n &&
		    dev_run(f->d, "kp_join", moving(12 * n * (items + 1), NDRANGE1(dev_columns(f->d, three))), ARG(b->dp),
			    ARG(b->part), ARG(three), INT(items), INT(level == 0 && i == 0)) != 0)
			return -1;
	}
	b->zero = true;
	turn = buf_map(b->dr, MAP_READ);
	if (!turn)
		return -1;
	for (size_t i = 0; i < 9 * all; i++)
		to->dr[i / 9 / (all / m->rotations)][i % 9] += (double)turn[i][0] + (double)turn[i][1];
	if (buf_unmap(b->dr) != 0)
		return -1;
	weight = buf_map(b->dw, MAP_READ);
	if (!weight)
		return -1;
	for (size_t i = 0; i < tc && b->want & KP_WANT_WEIGHTS; i++)
		to->dw[i] = (double)weight[i][0] + (double)weight[i][1];
	return buf_unmap(b->dw);
}

int kp_batch_backward(struct kp_batch *b, size_t level, const struct kp_up *u,
		      const struct kp_down *to)
{
	const struct kplanes_model *m = b->f->m;
	size_t h = m->size[level][0], w = m->size[level][1],
	       rows = b->want & KP_WANT_PLANES ? 3 * items_of(m) * h : 0;
	double pages = 3 * (double)m->rotations * (double)m->channels,
	       county = (double)(h - 1) * (double)w, countx = (double)h * (double)(w - 1), sy = 0,
	       sx = 0;
	float fy = (float)(county > 0 ? 6 * to->tv_weight / pages / county : 0),
	      fx = (float)(countx > 0 ? 6 * to->tv_weight / pages / countx : 0);
	const float(*sums)[4];

	if (b->slots ? scatter(b, level, u, to, fy, fx) != 0
		     : gather_points(b, level, u, to->dr, to->dw) != 0 ||
			       (rows && gather_planes(b, level, u, to, fy, fx) != 0))
		return -1;
	if (!rows)
		return 0;
	sums = buf_map(b->sums, MAP_READ);
	if (!sums)
		return -1;
	for (size_t i = 0; i < rows; i++) {
		sy += (double)sums[i][0] + (double)sums[i][1];
		sx += (double)sums[i][2] + (double)sums[i][3];
	}
	*to->tv = 3 / pages * ((county > 0 ? sy / county : 0) + (countx > 0 ? sx / countx : 0));
	return buf_unmap(b->sums);
}

/* ---- the whole */

size_t kp_gradient_bytes(const struct kplanes_model *m, size_t n)
{
	return kp_field_bytes(m) + kp_batch_bytes(m, n, KP_WANT_POINTS | KP_WANT_PLANES) +
	       n * kplanes_features(m) * 4;
}

/* Numbers of the points, in the caller's rows [n][blocks width] and in a buffer [blocks][n][width] in
 * the points' order. */
struct rows {
	const uint32_t *order;
	float *device, *host;
	size_t n, blocks, width;
	bool up; /* to the device */
};

enum { AHEAD = 16 }; /* rows between asking for memory and its use */

static void permute_rows(void *context, size_t i, int member)
{
	const struct rows *r = context;
	size_t end = r->n - i * ROWS < ROWS ? r->n : (i + 1) * ROWS, w = r->width;

	(void)member;
	for (size_t k = i * ROWS; k < end; k++) {
		float *row = r->host + r->order[k] * r->blocks * w,
		      *ahead = r->host + r->order[k + AHEAD < end ? k + AHEAD : k] * r->blocks * w;

		for (size_t j = 0; j < r->blocks; j++) {
			float *d = r->device + (j * r->n + k) * w, *h = row + j * w;

			__builtin_prefetch(ahead + j * w);
			memcpy(r->up ? d : h, r->up ? h : d, w * sizeof *d);
		}
	}
}

static int permute(struct dev *d, struct buf *b, struct rows r)
{
	r.device = buf_map(b, r.up ? MAP_DISCARD : MAP_READ);
	if (!r.device)
		return -1;
	team_run(dev_threads(d), (r.n + ROWS - 1) / ROWS, permute_rows, &r);
	return buf_unmap(b);
}

int kp_gradient(struct kp_field *f, const float *pts, size_t n, const float *up,
		float *const *planes, float *points, double (*rot)[9])
{
	const struct kplanes_model *m = f->m;
	size_t features = kplanes_features(m), need = kp_gradient_bytes(m, n);
	double unused[KP_ROTATIONS][9], tv;
	struct kp_batch b = { 0 };
	size_t width = kp_lanes(m);
	struct kp_up u = { .block = n * width, .point = width };
	struct kp_down to = { .dr = rot ? rot : unused, .tv = &tv };
	uint32_t *order = NULL;
	int rc = -1;

	if (need > dev_mem(f->d))
		return error("'--mem': the gradients of %zu points need %zu bytes on the device, "
			     "%zu are allowed",
			     n, need, dev_mem(f->d));
	for (size_t t = 0; t < m->rotations; t++)
		memset(to.dr[t], 0, sizeof to.dr[t]);
	if (kp_batch_init(&b, f, n,
			  (points ? KP_WANT_POINTS : 0) | (planes ? KP_WANT_PLANES : 0)) != 0)
		goto done;
	b.n = n;
	u.up = buf_new(f->d, n * features * 4);
	order = mem_try("points", n ? n : 1, sizeof *order);
	if (!u.up || !order)
		goto done;
	kp_order(pts, n, order);
	if (permute(f->d, b.pts,
		    (struct rows){ order, NULL, (float *)(uintptr_t)pts, n, 1, 3, true }) != 0 ||
	    permute(f->d, u.up,
		    (struct rows){ order, NULL, (float *)(uintptr_t)up, n, features / width, width,
				   true }) != 0)
		goto done;
	for (size_t l = 0; l < m->levels; l++)
		if (kp_batch_backward(&b, l, &u, &to) != 0 ||
		    (planes && kp_download(m, l, b.grad, planes[l]) != 0))
			goto done;
	if (points && permute(f->d, b.dp, (struct rows){ order, NULL, points, n, 3, 1, false }) != 0)
		goto done;
	rc = 0;
done:
	free(order);
	buf_free(u.up);
	kp_batch_clear(&b);
	return rc;
}

int kp_plane_tv(struct kp_field *f, double *value, float *const *planes)
{
	const struct kplanes_model *m = f->m;
	double unused[KP_ROTATIONS][9] = { { 0 } };
	struct kp_batch b = { 0 };
	struct kp_up u = { .up = f->weight };
	int rc = -1;

	if (kp_batch_init(&b, f, 0, KP_WANT_PLANES) != 0)
		goto done;
	for (size_t l = 0; l < m->levels; l++) {
		struct kp_down to = { .dr = unused, .tv_weight = 1, .tv = &value[l] };

		if (kp_batch_backward(&b, l, &u, &to) != 0 ||
		    (planes && kp_download(m, l, b.grad, planes[l]) != 0))
			goto done;
	}
	rc = 0;
done:
	kp_batch_clear(&b);
	return rc;
}
