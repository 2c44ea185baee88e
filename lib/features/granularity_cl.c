#include "features/granularity_cl.h"

#include <stdlib.h>

#include "base/mem.h"

enum { TILE = 16 }; /* of cl/granularity.cl */

struct kernels {
	struct dev *d;
	const struct granularity_sums *s;
	struct buf *eroded, *spare, *mask, *now, *next; /* ranks [nz][ny][nx] */
	struct buf *changed, *value, *image;
	double *host; /* R_k by position */
};

#define SIZES(r) INT((r)->nz), INT((r)->ny), INT((r)->nx)

static void swap(struct buf **a, struct buf **b)
{
	struct buf *t = *a;

	*a = *b;
	*b = t;
}

static int upload(struct kernels *k)
{
	const struct ranks *r = k->s->ranks;
	size_t bytes = r->n * sizeof(int32_t);
	int32_t *e = mem_try("ranks", r->n, sizeof *e);
	int rc = -1;

	if (!e)
		return -1;
	ranks_start(r, NULL, e);
	if (buf_write(k->mask, 0, e, bytes) != 0)
		goto done;
	ranks_start(r, k->s->valid, e);
	if (buf_write(k->eroded, 0, e, bytes) != 0 ||
	    buf_write(k->value, 0, r->value, (r->n + 1) * sizeof *r->value) != 0 ||
	    buf_zero(k->image) != 0)
		goto done;
	rc = 0;
done:
	free(e);
	return rc;
}

static int rebuild(struct kernels *k, struct buf *from, struct buf *to)
{
	const struct ranks *r = k->s->ranks;
	struct ndrange range = { .n = { r->nx, r->ny, r->nz }, .local = { TILE, TILE, 1 }, .bytes = 3 * r->nx * r->ny * r->nz * sizeof(int32_t) };

	return dev_run(k->d, "granularity_rebuild", range, ARG(to), ARG(from), ARG(k->mask),
		       ARG(k->changed), SIZES(r));
}

/* mask = R_k */
static int step(struct kernels *k)
{
	const struct ranks *r = k->s->ranks;
	int32_t changed = 1;

	if (dev_run(k->d, "granularity_erode", moving(2 * r->nx * r->ny * r->nz * sizeof(int32_t), NDRANGE3(r->nx, r->ny, r->nz)), ARG(k->spare),
		    ARG(k->eroded), SIZES(r)) != 0)
		return -1;
	swap(&k->spare, &k->eroded);
	if (rebuild(k, k->eroded, k->now) != 0)
		return -1;
	while (changed) {
		if (buf_zero(k->changed) != 0 || rebuild(k, k->now, k->next) != 0 ||
		    buf_read(k->changed, 0, &changed, sizeof changed) != 0)
			return -1;
		swap(&k->now, &k->next);
	}
	swap(&k->now, &k->mask);
	return 0;
}

static int sum(struct kernels *k, int at)
{
	const struct ranks *r = k->s->ranks;
	uint64_t start = ranks_position(r, 0, 0, 0), stride_z = r->stride_z, stride_y = r->stride_y;

	if (dev_run(k->d, "granularity_values",
		    moving(r->nx * r->ny * r->nz * (sizeof(int32_t) + 2 * sizeof(uint64_t)), NDRANGE3(r->nx, r->ny, r->nz)), ARG(k->image),
		    ARG(k->mask), ARG(k->value), ARG(start), ARG(stride_z), ARG(stride_y),
		    SIZES(r)) != 0 ||
	    buf_read(k->image, 0, k->host, r->room * sizeof *k->host) != 0)
		return -1;
	granularity_add(k->s, at, k->host);
	return 0;
}

int granularity_kernels(void *user, const struct granularity_sums *s)
{
	const struct ranks *r = s->ranks;
	struct kernels k = { .d = user, .s = s };
	struct buf **ranks[] = { &k.eroded, &k.spare, &k.mask, &k.now, &k.next };
	int rc = -1;

	if (dev_load(k.d, "granularity") != 0)
		return -1;
	for (int i = 0; i < 5; i++)
		if (!(*ranks[i] = buf_new(k.d, r->n * sizeof(int32_t))))
			goto done;
	k.changed = buf_new(k.d, sizeof(int32_t));
	k.value = buf_new(k.d, (r->n + 1) * sizeof *r->value);
	k.image = buf_new(k.d, r->room * sizeof *k.host);
	k.host = mem_try("ranks", r->room, sizeof *k.host);
	if (!k.changed || !k.value || !k.image || !k.host || upload(&k) != 0)
		goto done;
	for (int i = 1; i <= s->length; i++)
		if (step(&k) != 0 || sum(&k, i) != 0)
			goto done;
	rc = 0;
done:
	for (int i = 0; i < 5; i++)
		buf_free(*ranks[i]);
	buf_free(k.changed);
	buf_free(k.value);
	buf_free(k.image);
	free(k.host);
	return rc;
}

size_t granularity_device_bytes(size_t n)
{
	return 36 * n;
}
