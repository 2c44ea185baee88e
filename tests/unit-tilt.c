/* The device code of the tilt method against the same arithmetic as plain loops in double (tests/ref-tilt.h).
 *
 * Tolerances, relative to the largest value: transfer functions 2e-5 (float32 transforms; track optics divide by a small
 * source), images 1e-4 (the inverse amplifies that some tenfold), losses 2e-5, derivatives 1e-3 of the largest of their kind. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tests/ref-tilt.h"
#include "tests/tap.h"
#include "tilt/recon.h"
#include "tilt/search.h"
#include "tilt/thick.h"

static struct dev *dev;

static const struct optics pheno = { .wavelength = .45, .pixel = .325, .z_step = 2, .index = 1, .na_det = .55, .na_ill = .4,
				     .steepness = 1e4, .z_sign = -1 };
static const struct optics track = { .wavelength = .45, .pixel = 1.3, .z_step = 25, .index = 1, .na_det = .15, .na_ill = .135,
				     .steepness = 1e4, .z_sign = -1 };

static struct optics variant(struct optics o, int z_sign, bool invert, int oversample, bool peer)
{
	o.z_sign = z_sign;
	o.invert = invert;
	o.oversample = oversample;
	o.peer = peer;
	return o;
}

/* A field that no two tiles share: smooth blobs that move and fade along z, some noise. */
static float *make_stack(size_t nz, size_t ny, size_t nx)
{
	float *s = mem_new(nz * ny * nx, sizeof *s);
	unsigned v = 7;

	for (size_t i = 0; i < nz * ny * nx; i++) {
		double z = (double)(i / (ny * nx)) - (double)nz / 2, y = (double)(i / nx % ny), x = (double)(i % nx);

		v = v * 1664525u + 1013904223u;
		s[i] = (float)(1000 + 150 * sin(y / 5 + 0.1 * z) * cos(x / 4) + 30 * z * sin(x * y / 60) + (double)(v >> 24) / 8);
	}
	return s;
}

static double *box_of(const float *stack, size_t nz, size_t ny, size_t nx, const struct tile_box *b)
{
	double *out = mem_new(nz * b->h * b->w, sizeof *out);

	for (size_t i = 0; i < nz * b->h * b->w; i++) {
		size_t z = i / (b->h * b->w), y = i / b->w % b->h + b->y, x = i % b->w + b->x;

		out[i] = stack[(z * ny + y) * nx + x];
	}
	return out;
}

struct difference {
	double most, top;
};

static void differ(struct difference *d, double got, double want)
{
	double e = fabs(got - want);

	d->most = e > d->most || isnan(e) ? (isnan(e) ? INFINITY : e) : d->most;
	d->top = fmax(d->top, fabs(want));
}

static double relative(struct difference d)
{
	return d.most / fmax(d.top, 1e-300);
}

static const struct {
	const char *what;
	size_t nz, ny, nx;
	struct tilt tilt;
} fields[] = {
	{ "pheno, even", 7, 24, 30, { 0, .1, .5 } },
	{ "pheno, odd, off focus", 6, 23, 31, { .3, .08, -2.2 } },
	{ "pheno, one plane, prime by even", 1, 29, 20, { .5, .2, 3 } },
	{ "pheno, even by odd, untilted", 5, 22, 25, { 0, 0, 0 } },
	{ "track, ascending, inverted", 9, 25, 28, { -.4, .05, 2 } },
	{ "track, many planes", 21, 24, 24, { 2.5, .03, -1 } },
	{ "pheno, pupil plane 3 times the field", 4, 20, 24, { .2, .1, .5 } },
	{ "the peer's crop, odd", 5, 23, 25, { .2, .1, .5 } },
	{ "the peer's crop, even", 5, 24, 26, { .2, .1, .5 } },
};

static struct optics optics_of(size_t k)
{
	if (k == 4)
		return variant(track, 1, true, 0, false);
	if (k == 5)
		return track;
	return variant(pheno, -1, false, k == 6 ? 3 : 0, k >= 7);
}

static void test_transfer(void)
{
	for (size_t k = 0; k < sizeof fields / sizeof *fields; k++) {
		size_t nz = fields[k].nz, ny = fields[k].ny, nx = fields[k].nx, n = nz * ny * nx;
		struct recon_opts opts = { .optics = optics_of(k), .reg = 1e-3 };
		float *pages = mem_new(4 * n, sizeof *pages);
		double *z = mem_new(nz, sizeof *z);
		struct difference d = { 0, 0 };
		struct ref_grid g;
		struct ref_thin t;
		struct recon r;
		int rc;

		recon_init(&r, dev, &opts);
		rc = recon_dump(&r, nz, ny, nx, &fields[k].tilt, pages);
		for (size_t i = 0; i < nz; i++)
			z[i] = optics_z(&opts.optics, nz, fields[k].tilt.z_offset, i);
		ref_grid_init(&g, &opts.optics, ny, nx, true);
		ref_thin_init(&t, &g, nz, z, fields[k].tilt.zenith, fields[k].tilt.azimuth);
		for (size_t i = 0; i < n; i++) {
			differ(&d, pages[i], creal(t.ha[i]));
			differ(&d, pages[n + i], cimag(t.ha[i]));
			differ(&d, pages[2 * n + i], creal(t.hp[i]));
			differ(&d, pages[3 * n + i], cimag(t.hp[i]));
		}
		ok(rc == 0 && relative(d) < 2e-5, "transfer functions: %s (%.2g)", fields[k].what, relative(d));
		recon_clear(&r);
		ref_thin_clear(&t);
		ref_grid_clear(&g);
		free(z);
		free(pages);
	}
}

static void test_inverse(void)
{
	static const char *const names[] = { "conj", "peer", "diag" };
	static const enum inverse modes[] = { INVERSE_CONJ, INVERSE_PEER, INVERSE_DIAG };

	for (size_t k = 0; k < 3 * (sizeof fields / sizeof *fields); k++) {
		size_t f = k / 3, nz = fields[f].nz, ny = fields[f].ny, nx = fields[f].nx, pad = f == 2 ? 0 : 5;
		struct recon_opts opts = { .optics = optics_of(f), .reg = 1e-3, .inverse = modes[k % 3],
					   .contrast = { .pad = pad }, .sigma_frac = 0.125 };
		const size_t field[2] = { ny, nx }, none[2] = { 0, 0 };
		float *stack = make_stack(nz, ny, nx), *out[2];
		double *ref[2], *tile;
		struct difference d[2] = { { 0, 0 }, { 0, 0 } };
		struct tile_plan plan;
		struct recon r;
		int rc;

		for (int q = 0; q < 2; q++) {
			out[q] = mem_new(ny * nx, sizeof(float));
			ref[q] = mem_new(ny * nx, sizeof(double));
		}
		tile_plan_init(&plan, field, none, none);
		tile = box_of(stack, nz, ny, nx, plan.box);
		recon_init(&r, dev, &opts);
		rc = recon_thin(&r, "test", stack, nz, &plan, &fields[f].tilt, out);
		ref_reconstruct(&opts.optics, tile, nz, ny, nx, pad, &fields[f].tilt, opts.reg, opts.inverse, ref[ABSORPTION],
				ref[PHASE]);
		for (int q = 0; q < 2; q++)
			for (size_t i = 0; i < ny * nx; i++)
				differ(&d[q], out[q][i], ref[q][i]);
		ok(rc == 0 && relative(d[0]) < 1e-4 && relative(d[1]) < 1e-4, "%s: images: %s (%.2g, %.2g)", names[k % 3],
		   fields[f].what, relative(d[0]), relative(d[1]));
		for (int q = 0; q < 2; q++) {
			free(out[q]);
			free(ref[q]);
		}
		free(tile);
		free(stack);
		recon_clear(&r);
		tile_plan_clear(&plan);
	}
}

static const char *const filter_names[] = { ", full filter", "", "", ", the peer's diagonal filter" };
static const char *const loss_names[] = { "residual", "midband", "tv", "laplacian", "variance", "flatness" };

/* Four tiles, each with its own tilt, in one batch; in the second set all share a z that mirrors. */
static void test_loss(enum loss_kind kind, enum inverse inverse, const struct optics *optics, bool mirrors, size_t tile, const char *what)
{
	size_t nz = 7, ny = 37, nx = 40;
	struct loss_opts o = { .optics = *optics, .kind = kind, .band = { kind == LOSS_RESIDUAL ? 0 : .125, 1 }, .reg = 1e-3,
			       .contrast = { .pad = kind == LOSS_RESIDUAL ? 0 : 6, .taper = kind == LOSS_RESIDUAL ? .25 : 0 },
			       .inverse = inverse };
	const struct ref_opts ro = { (enum ref_loss)kind, { o.band[0], o.band[1] }, o.reg, o.contrast.taper, o.contrast.pad, inverse };
	const size_t field[2] = { ny, nx }, size[2] = { tile, tile + 1 }, overlap[2] = { tile / 2, tile / 2 };
	float *stack = make_stack(nz, ny, nx);
	double value[64], gradient[64][3], alone_g[1][3], alone_v[1];
	struct difference dv = { 0, 0 }, dg[3] = { { 0, 0 }, { 0, 0 }, { 0, 0 } };
	struct tilt tilt[64];
	struct tile_plan plan;
	struct search s;
	bool same = true;
	int rc;

	o.optics.steepness = kind == LOSS_RESIDUAL ? 1e4 : 100;
	tile_plan_init(&plan, field, size, overlap);
	for (size_t i = 0; i < plan.count; i++)
		tilt[i] = (struct tilt){ mirrors ? 1 : .1 * (double)i - .3, .02 + .01 * (double)i, .7 * (double)i };
	search_init(&s, dev, &o);
	rc = search_losses(&s, "test", stack, nz, &plan, tilt, value, gradient);
	for (size_t i = 0; i < plan.count; i++) {
		double *box = box_of(stack, nz, ny, nx, &plan.box[i]), v, g[3];
		struct ref_tile t;

		ref_tile_init(&t, &o.optics, &ro, box, nz, plan.h, plan.w);
		v = ref_tile_loss(&t, &tilt[i], g);
		differ(&dv, value[i], v);
		for (int a = 0; a < 3; a++)
			differ(&dg[a], gradient[i][a], g[a]);
		ref_tile_clear(&t);
		free(box);
		rc |= loss_eval(&s.loss, &(size_t){ i }, &tilt[i], 1, LOSS_D_Z | LOSS_D_ANGLES, alone_v, alone_g);
		same &= memcmp(alone_v, &value[i], sizeof *value) == 0 && memcmp(alone_g, gradient[i], sizeof *gradient) == 0;
	}
	ok(rc == 0 && relative(dv) < 2e-5, "%s%s, %s: %zu losses (%.2g)", loss_names[kind], filter_names[inverse], what,
	   plan.count, relative(dv));
	ok(rc == 0 && relative(dg[0]) < 1e-3 && relative(dg[1]) < 1e-3 && relative(dg[2]) < 1e-3,
	   "%s%s, %s: derivatives (%.2g %.2g %.2g)", loss_names[kind], filter_names[inverse], what, relative(dg[0]),
	   relative(dg[1]), relative(dg[2]));
	ok(same, "%s%s, %s: the same bytes alone as in a batch", loss_names[kind], filter_names[inverse], what);
	search_clear(&s);
	tile_plan_clear(&plan);
	free(stack);
}

static void test_losses(void)
{
	struct optics up = variant(track, 1, true, 0, false);

	for (int kind = LOSS_RESIDUAL; kind <= LOSS_FLATNESS; kind++) {
		test_loss((enum loss_kind)kind, INVERSE_DIAG, &pheno, false, 22, "pheno, even by odd");
		if (kind != LOSS_RESIDUAL)
			test_loss((enum loss_kind)kind, INVERSE_CONJ, &pheno, false, 23, "pheno, odd by even");
		test_loss((enum loss_kind)kind, INVERSE_DIAG, &up, false, 23, "track, ascending, inverted");
		test_loss((enum loss_kind)kind, INVERSE_DIAG, &pheno, true, 24, "pheno, shared mirrored planes");
	}
	test_loss(LOSS_MIDBAND, INVERSE_DIAG_PEER, &pheno, false, 22, "pheno, even by odd");
}

/* What a plan says is what is taken, so that a bound on device memory is known to hold before anything is computed. */
static void test_plans(void)
{
	const size_t sizes[][3] = { { 7, 40, 37 }, { 21, 33, 64 }, { 1, 25, 128 } }, none[2] = { 0, 0 };

	for (size_t k = 0; k < 3; k++) {
		const size_t field[2] = { 2 * sizes[k][1], sizes[k][2] }, tile[2] = { sizes[k][1], sizes[k][2] };
		struct recon_opts ro = { .optics = pheno, .contrast = { .pad = 3 } };
		struct loss_opts lo = { .optics = pheno, .kind = LOSS_MIDBAND, .band = { .1, .5 }, .contrast = { .pad = 4 } };
		size_t before = dev_mem_used(dev), recon, search;
		struct tile_plan plan;
		struct recon r;
		struct search s;
		int rc;

		tile_plan_init(&plan, field, tile, none);
		recon_init(&r, dev, &ro);
		rc = recon_prepare(&r, sizes[k][0], &plan);
		recon = dev_mem_used(dev) - before;
		search_init(&s, dev, &lo);
		rc |= search_prepare(&s, sizes[k][0], &plan);
		search = dev_mem_used(dev) - before - recon;
		ok(rc == 0 && recon <= r.size.bytes && (double)recon > 0.8 * (double)r.size.bytes,
		   "%zu x %zu x %zu: a reconstruction takes what its plan says (%zu of %zu bytes)", sizes[k][0], tile[0], tile[1],
		   recon, r.size.bytes);
		ok(rc == 0 && search <= s.size.bytes && (double)search > 0.8 * (double)s.size.bytes,
		   "%zu x %zu x %zu: a search takes what its plan says (%zu of %zu bytes)", sizes[k][0], tile[0], tile[1], search,
		   s.size.bytes);
		recon_clear(&r);
		search_clear(&s);
		tile_plan_clear(&plan);
		ok(dev_mem_used(dev) == before, "and gives it back");
	}
}

static void test_thick(void)
{
	static const struct {
		const char *what;
		struct optics o;
		size_t nz, ny, nx, pad;
		double zenith, azimuth, ratio;
	} t[] = {
		{ "oil", { .532, .1, .25, 1.3, 1.2, .9, 1e4, -1, false, 0, false }, 8, 24, 20, 0, .2, .6, 0 },
		{ "oil, zero padding, ascending", { .532, .1, .25, 1.3, 1.2, .9, 1e4, 1, false, 0, false }, 5, 23, 24, 7, .1, 2, .2 },
		{ "air, odd, mirrored padding", { .45, .325, 2, 1, .55, .4, 1e4, -1, false, 0, false }, 9, 21, 23, 3, .1, 2, .3 },
		{ "air, inverted", { .45, .325, 2, 1, .55, .4, 1e4, -1, true, 0, false }, 4, 20, 26, 0, 0, 0, 0 },
		{ "one slice", { .45, .325, .5, 1, .55, .4, 1e4, -1, false, 0, false }, 1, 20, 22, 0, .1, 1, 0 },
		{ "the peer's planes", { .45, .325, 2, 1, .55, .4, 1e4, -1, false, 0, true }, 9, 21, 23, 2, .1, 2, 0 },
		{ "the peer's planes, inverted", { .45, .325, 2, 1, .55, .4, 1e4, -1, true, 0, true }, 6, 20, 24, 1, .1, 2, .2 },
	};

	for (size_t k = 0; k < sizeof t / sizeof *t; k++) {
		size_t nz = t[k].nz, ny = t[k].ny, nx = t[k].nx, n = nz * ny * nx, np = (nz + 2 * t[k].pad) * ny * nx;
		struct thick_opts o = { .optics = t[k].o, .z_pad = t[k].pad, .reg = 1e-3, .ratio = t[k].ratio };
		float *stack = make_stack(nz, ny, nx), *out = mem_new(n, sizeof *out), *pages = mem_new(4 * np, sizeof *pages);
		double complex *h = mem_new(2 * np, sizeof *h);
		double *copy = mem_new(n, sizeof *copy), *ref = mem_new(n, sizeof *ref);
		struct tilt tilt = { 0, t[k].zenith, t[k].azimuth };
		struct difference d = { 0, 0 }, dh = { 0, 0 };
		struct thick thick;
		int rc;

		for (size_t i = 0; i < n; i++)
			copy[i] = stack[i];
		rc = thick_init(&thick, dev, &o, nz, ny, nx) || thick_transfer(&thick, &tilt) ||
		     thick_invert(&thick, stack, 0, 0, ny, nx, out);
		thick_clear(&thick);
		ref_thick_reconstruct(&o.optics, copy, nz, ny, nx, o.z_pad, tilt.zenith, tilt.azimuth, o.reg, o.ratio, ref);
		for (size_t i = 0; i < n; i++)
			differ(&d, out[i], ref[i]);
		o.ratio = 1;
		rc |= thick_init(&thick, dev, &o, nz, ny, nx) || thick_transfer(&thick, &tilt) || thick_dump(&thick, pages);
		ref_thick_tf(&o.optics, nz, ny, nx, o.z_pad, tilt.zenith, tilt.azimuth, h, h + np);
		for (size_t i = 0; i < np; i++) {
			differ(&dh, pages[i], creal(h[i]));
			differ(&dh, pages[np + i], cimag(h[i]));
			differ(&dh, pages[2 * np + i], creal(h[np + i]));
			differ(&dh, pages[3 * np + i], cimag(h[np + i]));
		}
		ok(rc == 0 && relative(dh) < 2e-5, "thick transfer functions: %s (%.2g)", t[k].what, relative(dh));
		ok(rc == 0 && relative(d) < 1e-4, "thick phase: %s (%.2g)", t[k].what, relative(d));
		thick_clear(&thick);
		free(stack);
		free(out);
		free(pages);
		free(h);
		free(copy);
		free(ref);
	}
}

int main(void)
{
	dev = dev_open(&(struct dev_opts){ 0 });
	if (!dev)
		return 1;
	test_transfer();
	test_inverse();
	test_losses();
	test_plans();
	test_thick();
	dev_free(dev);
	return done_testing();
}
