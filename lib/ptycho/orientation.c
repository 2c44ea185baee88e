#include "ptycho/orientation.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "ptycho/engine.h"
#include "ptycho/order.h"

enum { MOST_FRAMES = 512, ITERATIONS = 6, BATCH = 8 };
static const double tie_share = 0.005;

void orientation_turn(enum d4 op, size_t n, size_t pixel_bytes, const void *from, void *to)
{
	const char *source = from;
	char *target = to;

	for (size_t y = 0; y < n; y++)
		for (size_t x = 0; x < n; x++) {
			size_t v, u;

			d4_source(op, n, n, (y + n / 2) % n, (x + n / 2) % n, &v, &u);
			v = (v + n - n / 2) % n;
			u = (u + n - n / 2) % n;
			memcpy(target + (y * n + x) * pixel_bytes, source + (v * n + u) * pixel_bytes, pixel_bytes);
		}
}

/* ---- one orientation */

struct scan {
	struct dev *d;
	const struct ptycho_opts *o;
	const struct orientation_start *start;
	const struct frames *all;
	size_t frame[MOST_FRAMES];
	struct frames turned; /* those chosen; data owned */
	double (*s)[2];
	size_t canvas[2];
	float complex *probe, *object;
};

static void turn_all(struct scan *c, enum d4 op)
{
	size_t n = c->all->n, bytes = c->all->u16 ? sizeof(uint16_t) : sizeof(float), area = n * n * bytes;

	for (size_t i = 0; i < c->turned.k; i++)
		orientation_turn(op, n, bytes, (const char *)c->all->data + c->frame[i] * area,
				 (char *)c->turned.data + i * area);
}

static int reconstruct(struct scan *c, enum d4 op, double *R)
{
	struct stage wasp = { .engine = &engine_wasp, .iterations = ITERATIONS, .batch = BATCH,
			      .sequential = c->o->sequential, .alpha = 2, .beta = 1 };
	struct chain_ops ops = { .watchdog = false };
	size_t bytes = c->all->u16 ? sizeof(uint16_t) : sizeof(float);
	struct ptycho_plan plan = ptycho_plan(c->turned.k, c->all->n, c->start->modes, c->canvas[0], c->canvas[1], "wasp",
					      BATCH, bytes, dev_mem(c->d));
	struct ptycho_row final = { .R = NAN };
	struct ptycho p = { 0 };
	int rc = -1;

	turn_all(c, op);
	if (c->start->probe(c->start->arg, &c->turned, c->probe) != 0 ||
	    ptycho_init(&p, c->d, c->o, &c->turned, (const double(*)[2])c->s, c->canvas[0], c->canvas[1], c->start->modes,
			c->probe, c->object, BATCH, plan.blocks == 1) != 0 ||
	    (c->start->rescale && chain_rescale_probe(&p) != 0) || chain_run(&p, &wasp, 1, &ops, &final) != 0)
		goto done;
	*R = final.R;
	rc = 0;
done:
	ptycho_clear(&p);
	return rc;
}

static int ranked(const void *a, const void *b)
{
	const struct orientation *p = a, *q = b;
	bool p_bad = !isfinite(p->R), q_bad = !isfinite(q->R);

	if (p_bad != q_bad)
		return p_bad - q_bad;
	if (!p_bad && p->R != q->R)
		return p->R < q->R ? -1 : 1;
	return (int)p->op - (int)q->op;
}

static void rank(const double R[D4_COUNT], struct orientation table[D4_COUNT])
{
	for (int op = 0; op < D4_COUNT; op++) {
		enum d4 twin = d4_twin((enum d4)op);

		table[op] = (struct orientation){ (enum d4)op, twin, R[op],
						  fabs(R[op] - R[twin]) < tie_share * R[op] };
	}
	qsort(table, D4_COUNT, sizeof *table, ranked);
}

static int scan_init(struct scan *c, const double (*pos)[2])
{
	const struct frames *f = c->all;
	size_t bytes = f->u16 ? sizeof(uint16_t) : sizeof(float), canvas;
	size_t k = f->k < MOST_FRAMES ? f->k : MOST_FRAMES;
	double(*chosen)[2] = mem_new(k, sizeof *chosen);

	order_nearest(pos, f->k, k, c->frame);
	for (size_t i = 0; i < k; i++)
		memcpy(chosen[i], pos[c->frame[i]], sizeof chosen[i]);
	c->s = mem_new(k, sizeof *c->s);
	windows_place((const double(*)[2])chosen, k, f->n, c->start->margin, c->s, c->canvas);
	free(chosen);
	canvas = c->canvas[0] * c->canvas[1];
	c->turned = *f;
	c->turned.k = k;
	c->turned.data = mem_try("orientation", k * f->n * f->n, bytes);
	c->probe = mem_try("orientation", c->start->modes * f->n * f->n, sizeof *c->probe);
	c->object = mem_try("orientation", canvas, sizeof *c->object);
	if (!c->turned.data || !c->probe || !c->object)
		return -1;
	for (size_t i = 0; i < canvas; i++)
		c->object[i] = c->start->object;
	return 0;
}

static void scan_clear(struct scan *c)
{
	free(c->turned.data);
	free(c->s);
	free(c->probe);
	free(c->object);
}

int orientation_scan(struct dev *d, const struct ptycho_opts *o, const struct frames *f, const double (*pos)[2],
		     const struct orientation_start *start, struct orientation table[D4_COUNT])
{
	struct scan c = { .d = d, .o = o, .start = start, .all = f };
	double R[D4_COUNT];
	int rc = scan_init(&c, pos);

	for (int op = 0; op < D4_COUNT && rc == 0; op++)
		rc = reconstruct(&c, (enum d4)op, &R[op]);
	if (rc == 0)
		rank(R, table);
	scan_clear(&c);
	return rc;
}

int orientation_scan_positions(struct dev *d, const struct ptycho_opts *o, const struct frames *f,
			       const double (*const pos[D4_COUNT])[2], const struct orientation_start *start,
			       struct orientation table[D4_COUNT])
{
	double R[D4_COUNT];
	int rc = 0;

	for (int op = 0; op < D4_COUNT && rc == 0; op++) {
		struct scan c = { .d = d, .o = o, .start = start, .all = f };

		rc = scan_init(&c, pos[op]);
		if (rc == 0)
			rc = reconstruct(&c, D4_IDENTITY, &R[op]);
		scan_clear(&c);
	}
	if (rc == 0)
		rank(R, table);
	return rc;
}
