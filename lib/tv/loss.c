/* Launches of cl/tv_sq.cl, tv_l1.cl, tv_iso.cl, tv_any.cl and the sums of what they leave. */
#include "tv/loss.h"

#include <math.h>
#include <stdlib.h>

#include "base/die.h"
#include "base/mem.h"

enum { BLOCK = 16, SUMS = 3, COUNTS = 5, LANES = 64, RUN = 8 }; /* of cl/tv_sum.clh, tv_loss.clh */
enum { SPACE = 960 << 10 }; /* bytes of partial sums at a time */

static void shape(struct tv *t, struct dev *d, const struct tv_opts *o, size_t ny, size_t nx)
{
	size_t bytes;

	*t = (struct tv){ .d = d, .o = *o, .ny = ny, .nx = nx };
	t->blocks = (ny + BLOCK - 1) / BLOCK;
	t->wide = dev_columns(d, 2) == 1;
	bytes = t->blocks * (SUMS * sizeof(double) + (o->skip ? COUNTS * sizeof(int) : 0)) + 20;
	t->batch = SPACE / bytes < 1 ? 1 : SPACE / bytes;
}

static size_t part_bytes(const struct tv *t)
{
	return t->batch * t->blocks * SUMS * sizeof(double);
}

static size_t count_bytes(const struct tv *t)
{
	return t->o.skip ? t->batch * t->blocks * COUNTS * sizeof(int) : sizeof(int);
}

size_t tv_bytes(struct dev *d, const struct tv_opts *o, size_t ny, size_t nx)
{
	struct tv t;

	shape(&t, d, o, ny, nx);
	return part_bytes(&t) + count_bytes(&t) + t.batch * 20;
}

int tv_init(struct tv *t, struct dev *d, const struct tv_opts *o, size_t ny, size_t nx)
{
	static const char *const program[] = {
		[TV_SQ] = "tv_sq", [TV_ISO] = "tv_iso", [TV_L1] = "tv_l1", [TV_PLANE] = "tv_sq"
	};

	shape(t, d, o, ny, nx);
	if (dev_load(d, o->wrap || o->skip ? "tv_any" : program[o->kind]) != 0)
		return -1;
	t->part = buf_new(d, part_bytes(t));
	t->counts = t->part ? buf_new(d, count_bytes(t)) : NULL;
	t->links = t->counts ? buf_new(d, t->batch * sizeof(int)) : NULL;
	t->factor = t->links ? buf_new(d, t->batch * 4 * sizeof(float)) : NULL;
	return t->factor ? 0 : -1;
}

void tv_clear(struct tv *t)
{
	buf_free(t->part);
	buf_free(t->counts);
	buf_free(t->links);
	buf_free(t->factor);
	*t = (struct tv){ 0 };
}

double tv_join(double *v, size_t n, size_t step)
{
	for (size_t d = 1; d < n; d *= 2)
		for (size_t i = 0; i + d < n; i += 2 * d)
			v[i * step] += v[(i + d) * step];
	return v[0];
}

double tv_total(const struct dev *d, const void *totals, size_t at)
{
	const float(*pair)[2] = totals;

	return dev_has_fp64(d) ? ((const double *)totals)[at]
			       : (double)pair[at][0] + (double)pair[at][1];
}

static int launch(struct tv *t, struct buf *v, size_t first, size_t to, size_t n, struct buf *grad)
{
	const struct tv_opts *o = &t->o;
	static const char *const plain[][2] = { [TV_SQ] = { "tv_sq_loss", "tv_sq" },
						[TV_ISO] = { "tv_iso_loss", "tv_iso" },
						[TV_L1] = { "tv_l1_loss", "tv_l1" },
						[TV_PLANE] = { "tv_sq_loss", "tv_sq" } };
	struct {
		float z, y, x, eps;
	} w = { (float)o->weight[0], (float)o->weight[1], (float)o->weight[2], (float)o->eps };
	size_t run = t->wide && o->kind == TV_ISO && grad ? RUN : 1;
	struct ndrange range = { .n = { t->wide ? 1 : LANES, (n + run - 1) / run, t->blocks },
				 .local = { t->wide ? 1 : LANES, 1, 1 },
				 .bytes = n * t->ny * t->nx * sizeof(float) * (grad ? 2 : 1) };
	int want = grad != NULL;
	struct buf *to_grad = grad ? grad : t->part; /* a buffer that is not written to */

#define GIVEN                                                                                      \
	ARG(t->part), ARG(t->counts), ARG(to_grad), ARG(v), ARG(t->links), ARG(t->factor), ARG(w), \
		INT(first), INT(to), INT(n), INT(t->ny), INT(t->nx)
	if (!o->wrap && !o->skip)
		return dev_run(t->d, plain[o->kind][want], range, GIVEN);
	if (o->kind == TV_ISO)
		return dev_run(t->d, "tv_iso_any", range, GIVEN, INT(o->wrap), INT(o->skip),
			       INT(want));
	return dev_run(t->d, "tv_axes_any", range, GIVEN, INT(o->kind == TV_L1 ? TV_L1 : TV_SQ),
		       INT(o->wrap), INT(o->skip), INT(want));
#undef GIVEN
}

void tv_counts(const struct tv *t, int links, struct tv_sums *s)
{
	double ny = (double)t->ny, nx = (double)t->nx;
	bool next = links & TV_NEXT;

	s->count[0] = next ? ny * nx : 0;
	s->count[1] = (ny - 1) * nx;
	s->count[2] = ny * (nx - 1);
	s->corners = next ? (ny - 1) * (nx - 1) : 0;
	s->voxels = ny * nx;
}

/* Reads what a launch has left of n planes. */
static int collect(struct tv *t, size_t n, const int *links, struct tv_sums *out)
{
	size_t each = t->blocks;
	double *sum = mem_new(each * SUMS, sizeof *sum);
	const void *part = buf_map(t->part, MAP_READ);
	const int *count = part && t->o.skip ? buf_map(t->counts, MAP_READ) : NULL;
	int rc = part && (count || !t->o.skip) ? 0 : -1;

	for (size_t p = 0; p < n && rc == 0; p++) {
		struct tv_sums *s = &out[p];
		double c[COUNTS] = { 0 };

		tv_counts(t, links[p], s);
		for (size_t i = 0, at = p * each * SUMS; i < each * SUMS; i++, at++)
			sum[i] = tv_total(t->d, part, at);
		for (int a = 0; a < SUMS; a++)
			s->sum[a] = tv_join(sum + a, each, SUMS);
		for (size_t i = 0; i < each && count; i++)
			for (int k = 0; k < COUNTS; k++)
				c[k] += count[(p * each + i) * COUNTS + (size_t)k];
		if (count)
			*s = (struct tv_sums){ { s->sum[0], s->sum[1], s->sum[2] },
					       { c[0], c[1], c[2] },
					       c[3],
					       c[4] };
	}
	if (count && buf_unmap(t->counts) != 0)
		rc = -1;
	if (part && buf_unmap(t->part) != 0)
		rc = -1;
	free(sum);
	return rc;
}

int tv_slab(struct tv *t, struct buf *v, size_t first, size_t n, const int *links,
	    const float (*factor)[4], struct buf *grad, struct tv_sums *out)
{
	for (size_t p = 0; p < n; p += t->batch) {
		size_t m = n - p < t->batch ? n - p : t->batch;

		if (buf_write(t->links, 0, links + p, m * sizeof *links) != 0 ||
		    (grad && buf_write(t->factor, 0, factor + p, m * sizeof *factor) != 0) ||
		    launch(t, v, first + p, p, m, grad) != 0 ||
		    collect(t, m, links + p, out + p) != 0)
			return -1;
	}
	return 0;
}

struct tv_sums tv_add(const struct tv_sums *s, size_t n)
{
	struct tv_sums a = { 0 }, b;

	if (n < 2)
		return n ? s[0] : a;
	a = tv_add(s, n / 2);
	b = tv_add(s + n / 2, n - n / 2);
	for (int i = 0; i < 3; i++) {
		a.sum[i] += b.sum[i];
		a.count[i] += b.count[i];
	}
	a.corners += b.corners;
	a.voxels += b.voxels;
	return a;
}

double tv_factors(const struct tv_opts *o, const struct tv_sums *s, double f[3])
{
	double loss = 0;
	int active = 0;

	if (o->kind == TV_ISO) {
		f[0] = o->scale == TV_SUM ? 1 : s->corners > 0 ? 1 / s->corners : 0;
		f[1] = f[2] = 0;
		return s->corners > 0 ? f[0] * s->sum[0] : 0;
	}
	for (int a = 0; a < 3; a++)
		active += o->weight[a] > 0 && s->count[a] > 0;
	for (int a = 0; a < 3; a++) {
		double w = o->weight[a];

		if (o->scale == TV_MEAN || o->scale == TV_ACTIVE)
			w = s->count[a] > 0 ? w / s->count[a] : 0;
		if (o->scale == TV_ACTIVE)
			w = active ? w / active : 0;
		if (o->scale == TV_NUMEL)
			w = s->voxels > 0 ? w / s->voxels : 0;
		f[a] = w;
		loss += w * s->sum[a];
	}
	return loss;
}

double tv_plane_factors(const struct tv_sums *s, size_t pages, double f[3])
{
	f[0] = 0;
	for (int a = 1; a < 3; a++)
		f[a] = s->count[a] > 0 ? 3 / (double)pages / s->count[a] : 0;
	return f[1] * s->sum[1] + f[2] * s->sum[2];
}

int tv_polar(struct dev *d, struct buf *re, struct buf *im, size_t n)
{
	uint64_t count = n;

	return dev_load(d, "tv_any") != 0
		       ? -1
		       : dev_run(d, "tv_polar", moving(16 * n, NDRANGE1(n)), ARG(re), ARG(im), ARG(count));
}

int tv_cartesian(struct dev *d, struct buf *gm, struct buf *ga, struct buf *m, struct buf *angle,
		 size_t at, size_t n, bool use_m, bool use_angle, bool skip)
{
	uint64_t from = at, count = n;

	return dev_load(d, "tv_any") != 0
		       ? -1
		       : dev_run(d, "tv_cartesian", moving(24 * n, NDRANGE1(n)), ARG(gm), ARG(ga), ARG(m),
				 ARG(angle), ARG(from), ARG(count), INT(use_m), INT(use_angle),
				 INT(skip));
}
