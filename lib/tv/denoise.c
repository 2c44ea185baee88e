/* The iteration of lib/tv/denoise.h on volumes that fit the device and on slabs of those that do
 * not. */
#include "tv/denoise.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "tv/loss.h"

enum { BLOCK = 16, SUMS = 3, LANES = 64 }; /* of cl/tv_sum.clh */
enum { EVERY = 10 };		    /* iterations from one bound to the next */
enum { U, PZ, PY, PX, STATE, AHEAD = STATE, F, VOLUMES };
enum { CACHE = 8 << 20 }; /* bytes that the two half steps share in the processor's cache */

/* The accelerated steps tau fall as 1 / k and sigma grows, until the rounding of u shows in p: from
 * here on they stay.  On the 12 x 24 x 26 blocks of the tests a bound of 1e-3 takes 550 iterations;
 * 1560 with 0.05, 650 with 0.005, and is not reached in 5000 with 0. */
static const double LEAST_TAU = 0.02;

struct weights {
	float z, y, x, none;
};

struct denoise {
	struct dev *d;
	char *what;
	struct denoise_opts o;
	struct denoise_plan plan;
	size_t nz, ny, nx, area;
	const float *f;
	struct buf *v[VOLUMES], *part;
	float *now[STATE], *then[STATE]; /* in slabs: the state before and after a pass */
	float *candidate;		 /* [nz][ny][nx] */
	double *sums;			 /* [nz][3] of the last bound */
	double squares;			 /* norm of w grad, squared, at most */
	double tau, sigma;
};

static size_t blocks_of(size_t ny)
{
	return (ny + BLOCK - 1) / BLOCK;
}

static size_t part_bytes(size_t planes, size_t ny)
{
	return planes * blocks_of(ny) * SUMS * sizeof(double);
}

int denoise_plan(struct dev *d, const char *what, size_t nz, size_t ny, size_t nx,
		 struct denoise_plan *p)
{
	size_t plane = mem_mul(mem_mul(ny, nx), VOLUMES * sizeof(float)),
	       part = part_bytes(1, ny), mem = dev_mem(d);
	size_t each = plane > SIZE_MAX - part ? SIZE_MAX : plane + part, most = mem / each;

	*p = (struct denoise_plan){ mem_mul(each, nz), nz, EVERY };
	if (p->bytes <= mem)
		return 0;
	if (most < 5)
		return error("'%s': %zu bytes of device memory, expected at least %zu for five "
			     "planes: give more with --mem",
			     what, mem, mem_mul(each, nz < 5 ? nz : 5));
	p->steps = most / 4 < 2 ? 1 : most / 4 - 1 > EVERY ? EVERY : most / 4 - 1;
	p->slab = most - 2 * (p->steps + 1);
	p->bytes = most * each;
	return 0;
}

struct denoise *denoise_new(struct dev *d, const char *what, const struct denoise_opts *o,
			    size_t nz, size_t ny, size_t nx)
{
	struct denoise *s = mem_new(1, sizeof *s);
	size_t n[3] = { nz, ny, nx }, held, count = nz * ny * nx;

	*s = (struct denoise){ .d = d,
			       .what = mem_strdup(what),
			       .o = *o,
			       .nz = nz,
			       .ny = ny,
			       .nx = nx,
			       .area = ny * nx };
	for (int a = 0; a < 3; a++)
		s->squares += n[a] > 1 ? 4 * o->weight[a] * o->weight[a] : 0;
	s->sums = mem_new(nz, 3 * sizeof *s->sums);
	if (denoise_plan(d, what, nz, ny, nx, &s->plan) != 0 || dev_load(d, "tv_denoise") != 0)
		goto fail;
	held = s->plan.slab == nz ? nz : s->plan.slab + 2 * (s->plan.steps + 1);
	for (int i = 0; i < VOLUMES; i++) {
		s->v[i] = buf_new(d, held * s->area * sizeof(float));
		if (!s->v[i])
			goto fail;
	}
	s->part = buf_new(d, part_bytes(s->plan.slab, ny));
	s->candidate = mem_try(what, count, sizeof(float));
	if (!s->part || !s->candidate)
		goto fail;
	for (int i = 0; i < STATE && s->plan.slab < nz; i++) {
		s->now[i] = mem_try(what, count, sizeof(float));
		s->then[i] = s->now[i] ? mem_try(what, count, sizeof(float)) : NULL;
		if (!s->then[i])
			goto fail;
	}
	return s;
fail:
	denoise_free(s);
	return NULL;
}

void denoise_free(struct denoise *s)
{
	if (!s)
		return;
	for (int i = 0; i < VOLUMES; i++)
		buf_free(s->v[i]);
	for (int i = 0; i < STATE; i++) {
		free(s->now[i]);
		free(s->then[i]);
	}
	buf_free(s->part);
	free(s->candidate);
	free(s->sums);
	free(s->what);
	free(s);
}

int denoise_start(struct denoise *s, const float *f)
{
	size_t bytes = s->nz * s->area * sizeof(float);

	s->f = f;
	if (s->plan.slab < s->nz) {
		memcpy(s->now[U], f, bytes);
		for (int i = PZ; i < STATE; i++)
			memset(s->now[i], 0, bytes);
		return 0;
	}
	if (buf_write(s->v[F], 0, f, bytes) != 0 || buf_write(s->v[U], 0, f, bytes) != 0)
		return -1;
	for (int i = PZ; i < STATE; i++)
		if (buf_zero(s->v[i]) != 0)
			return -1;
	return 0;
}

/* ---- the device: m planes of the slab */

static struct weights weights(const struct denoise *s)
{
	return (struct weights){ (float)s->o.weight[0], (float)s->o.weight[1],
				 (float)s->o.weight[2], 0 };
}

/* n planes, so many of whose volumes are read or written. */
static struct ndrange over(const struct denoise *s, size_t n, size_t volumes)
{
	return moving(volumes * n * s->area * sizeof(float), NDRANGE3(dev_columns(s->d, s->nx), s->ny, n));
}

static int primal(struct denoise *s, double tau, double theta, size_t from, size_t n)
{
	struct weights w = weights(s);

	return dev_run(s->d, "denoise_primal", over(s, n, 7),
		       ARG(s->v[U]), ARG(s->v[AHEAD]), ARG(s->v[F]), ARG(s->v[PZ]), ARG(s->v[PY]),
		       ARG(s->v[PX]), ARG(w), FLOAT(tau), FLOAT(theta), FLOAT(s->o.lo),
		       FLOAT(s->o.hi), INT(from), INT(n), INT(s->ny), INT(s->nx));
}

static int dual(struct denoise *s, double sigma, double lambda, size_t from, size_t n, size_t m)
{
	struct weights w = weights(s);

	return dev_run(s->d, "denoise_dual", over(s, n, 7),
		       ARG(s->v[PZ]), ARG(s->v[PY]), ARG(s->v[PX]), ARG(s->v[AHEAD]), ARG(w),
		       FLOAT(sigma), FLOAT(lambda), INT(s->o.aniso), INT(from), INT(n), INT(m),
		       INT(s->ny), INT(s->nx));
}

/* One iteration.  The dual half step of planes follows their primal one while they are in the
 * cache, a plane behind. */
static int step(struct denoise *s, double lambda, double tau, double theta, double sigma, size_t m)
{
	size_t some = CACHE / (VOLUMES * sizeof(float)) / s->area, behind = 0;

	if (some < 4)
		some = 4;
	for (size_t z = 0; z < m; z += some) {
		size_t end = m - z < some ? m : z + some, upto = end == m ? m : end - 1;

		if (primal(s, tau, theta, z, end - z) != 0 ||
		    dual(s, sigma, lambda, behind, upto - behind, m) != 0)
			return -1;
		behind = upto;
	}
	return 0;
}

/* Leaves u(p) in AHEAD and the sums of planes [from, from + n) of the slab in `sums`. */
static int bound(struct denoise *s, double lambda, size_t from, size_t n, size_t m,
		 double (*sums)[3])
{
	struct weights w = weights(s);
	size_t blocks = blocks_of(s->ny), items = dev_columns(s->d, 2) == 1 ? 1 : LANES;
	struct ndrange range = { .n = { items, n, blocks }, .local = { items, 1, 1 }, .bytes = 5 * n * s->area * sizeof(float) };
	double *sum;
	const void *part;

	if (dev_run(s->d, "denoise_answer", over(s, m, 5),
		    ARG(s->v[AHEAD]), ARG(s->v[F]), ARG(s->v[PZ]), ARG(s->v[PY]), ARG(s->v[PX]),
		    ARG(w), FLOAT(s->o.lo), FLOAT(s->o.hi), INT(0), INT(m), INT(s->ny),
		    INT(s->nx)) != 0 ||
	    dev_run(s->d, "denoise_gap", range, ARG(s->part),
		    ARG(s->v[AHEAD]), ARG(s->v[F]), ARG(s->v[PZ]), ARG(s->v[PY]), ARG(s->v[PX]),
		    ARG(w), FLOAT(lambda), INT(s->o.aniso), INT(from), INT(n), INT(m), INT(s->ny),
		    INT(s->nx)) != 0)
		return -1;
	part = buf_map(s->part, MAP_READ);
	if (!part)
		return -1;
	sum = mem_new(blocks * SUMS, sizeof *sum);
	for (size_t z = 0; z < n; z++) {
		for (size_t i = 0, at = z * blocks * SUMS; i < blocks * SUMS; i++, at++)
			sum[i] = tv_total(s->d, part, at);
		for (size_t k = 0; k < SUMS; k++)
			sums[z][k] = tv_join(sum + k, blocks, SUMS);
	}
	free(sum);
	return buf_unmap(s->part);
}

/* ---- passes of several iterations over the volume */

struct pass {
	double lambda, tau, sigma; /* at its first iteration */
	size_t steps;
	bool check; /* ends with a bound */
};

static int on_device(struct denoise *s, const struct pass *p, size_t m)
{
	double tau = p->tau, sigma = p->sigma;

	for (size_t k = 0; k < p->steps; k++) {
		double theta = tau > LEAST_TAU ? 1 / sqrt(1 + 2 * tau) : 1, next = sigma / theta;

		if (step(s, p->lambda, tau, theta, next, m) != 0)
			return -1;
		tau *= theta;
		sigma = next;
	}
	return 0;
}

static int copy_planes(struct denoise *s, size_t first, size_t m)
{
	size_t at = first * s->area, bytes = m * s->area * sizeof(float);

	for (int i = 0; i < STATE; i++)
		if (buf_write(s->v[i], 0, s->now[i] + at, bytes) != 0)
			return -1;
	return buf_write(s->v[F], 0, s->f + at, bytes);
}

/* Planes [from, to) with their halos: state before to state after. */
static int one_slab(struct denoise *s, const struct pass *p, size_t from, size_t to)
{
	size_t halo = p->steps + 1, first = from > halo ? from - halo : 0,
	       last = to + halo < s->nz ? to + halo : s->nz;
	size_t skip = (from - first) * s->area * sizeof(float),
	       bytes = (to - from) * s->area * sizeof(float), at = from * s->area;

	if (copy_planes(s, first, last - first) != 0 || on_device(s, p, last - first) != 0)
		return -1;
	for (int i = 0; i < STATE; i++)
		if (buf_read(s->v[i], skip, s->then[i] + at, bytes) != 0)
			return -1;
	if (!p->check)
		return 0;
	if (bound(s, p->lambda, from - first, to - from, last - first,
		  (double(*)[3])s->sums + from) != 0)
		return -1;
	return buf_read(s->v[AHEAD], skip, s->candidate + at, bytes);
}

static int whole_pass(struct denoise *s, const struct pass *p)
{
	if (s->plan.slab == s->nz) {
		if (on_device(s, p, s->nz) != 0)
			return -1;
		return p->check ? bound(s, p->lambda, 0, s->nz, s->nz, (double(*)[3])s->sums) : 0;
	}
	for (size_t from = 0; from < s->nz; from += s->plan.slab)
		if (one_slab(s, p, from,
			     from + s->plan.slab < s->nz ? from + s->plan.slab : s->nz) != 0)
			return -1;
	for (int i = 0; i < STATE; i++) {
		float *t = s->now[i];

		s->now[i] = s->then[i];
		s->then[i] = t;
	}
	return 0;
}

static double total(const double *sums, size_t n)
{
	return n == 1 ? sums[0] : total(sums, n / 2) + total(sums + n / 2 * 3, n - n / 2);
}

int denoise_solve(struct denoise *s, double lambda, double rms, size_t voxels, float *u,
		  struct denoise_report *r)
{
	size_t bytes = s->nz * s->area * sizeof(float);
	struct pass p = { .lambda = lambda,
			  .tau = 1,
			  .sigma = s->squares > 0 ? 1 / s->squares : 1 };
	long k = 0;

	*r = (struct denoise_report){ .bound = INFINITY };
	while (k < s->o.max_iter && !r->converged) {
		long next = k == 0 ? 1 : (k / EVERY + 1) * EVERY;
		double b;

		if (next > s->o.max_iter)
			next = s->o.max_iter;
		p.steps = (size_t)(next - k) < s->plan.steps ? (size_t)(next - k) : s->plan.steps;
		k += (long)p.steps;
		p.check = k == next;
		if (whole_pass(s, &p) != 0)
			return -1;
		for (size_t i = 0; i < p.steps; i++) {
			double theta = p.tau > LEAST_TAU ? 1 / sqrt(1 + 2 * p.tau) : 1;

			p.tau *= theta;
			p.sigma /= theta;
		}
		if (!p.check)
			continue;
		b = sqrt(2 * total(s->sums, s->nz) / (double)voxels);
		if (isnan(b))
			return error("'%s': the bound is not a number after %ld iterations, "
				     "expected a finite one",
				     s->what, k);
		r->iterations = k;
		if (b >= r->bound)
			continue;
		r->bound = b;
		r->fidelity = total(s->sums + 1, s->nz) / 2;
		r->tv = total(s->sums + 2, s->nz);
		r->converged = b <= rms;
		if (s->plan.slab < s->nz)
			memcpy(u, s->candidate, bytes);
		else if (buf_read(s->v[AHEAD], 0, u, bytes) != 0)
			return -1;
	}
	return 0;
}

int denoise_measure(struct denoise *s, double *tv)
{
	struct pass p = { .check = true }; /* without a step p is 0 and u is f */

	if (whole_pass(s, &p) != 0)
		return -1;
	*tv = total(s->sums + 2, s->nz);
	return 0;
}

/* ---- noise */

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, size_t n)
{
	if (n == 0)
		return NAN;
	qsort(v, n, sizeof *v, by_value);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

double denoise_sigma(const float *f, size_t nz, size_t ny, size_t nx)
{
	double *page = mem_new(nz, sizeof *page),
	       *detail = mem_new((ny / 2) * (nx / 2) + 1, sizeof *detail), sigma;
	size_t pages = 0;

	for (size_t z = 0; z < nz; z++) {
		size_t n = 0;

		for (size_t y = 0; y + 1 < ny; y += 2)
			for (size_t x = 0; x + 1 < nx; x += 2) {
				const float *a = f + (z * ny + y) * nx + x;
				double d = fabs((double)a[0] - (double)a[1] - (double)a[nx] +
						(double)a[nx + 1]) /
					   2;

				if (isfinite(d))
					detail[n++] = d;
			}
		if (n > 0)
			page[pages++] = median(detail, n) / 0.6745;
	}
	sigma = median(page, pages);
	free(page);
	free(detail);
	return sigma;
}
