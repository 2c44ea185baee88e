/* bin/ptycho_regular.c: what is done to the object between iterations.  The total variation is
 * lib/tv's, which lib/ptycho does not know: it stands here. */
#include <math.h>
#include <stdlib.h>

#include "base/die.h"
#include "base/mem.h"
#include "ptycho/model.h"
#include "ptycho/regular.h"
#include "ptychorecon.h"
#include "tv/denoise.h"

/* The answer is proven to a part of lambda, by which no pixel moves more than a few times; so far a
 * solve is stopped. */
enum { TV_ITERATIONS = 200 };
static const double tv_part = 0.05;

int regular_bytes(const struct work *w, struct dev *d, size_t *bytes)
{
	struct denoise_plan p;

	*bytes = 0;
	if (w->o->tv_lambda == 0)
		return 0;
	if (denoise_plan(d, "--tv", 1, w->canvas[0], w->canvas[1], &p) != 0)
		return -1;
	*bytes = p.bytes;
	return 0;
}

int regular_begin(struct work *w, const char *input, struct dev *d)
{
	struct denoise_opts o = {
		.weight = { 0, 1, 1 }, .lo = -INFINITY, .hi = INFINITY, .max_iter = TV_ITERATIONS
	};

	if (w->o->tv_lambda == 0)
		return 0;
	w->tv = denoise_new(d, input, &o, 1, w->canvas[0], w->canvas[1]);
	return w->tv ? 0 : -1;
}

void regular_end(struct work *w)
{
	denoise_free(w->tv);
	w->tv = NULL;
}

/* One part of the object, [n] from `object` in steps of two floats; NaN where no light falls. */
static int lower(struct work *w, size_t n, const float *light, float *part, float *f, float *u)
{
	struct denoise_report r;
	size_t voxels = 0;
	bool flat = true;

	for (size_t i = 0; i < n; i++) {
		f[i] = light[i] > 0 ? part[2 * i] : NAN;
		flat = flat && (!(light[i] > 0) || voxels == 0 || part[2 * i] == u[0]);
		if (light[i] > 0 && voxels++ == 0)
			u[0] = f[i];
	}
	if (flat)
		return 0;
	if (denoise_start(w->tv, f) != 0 ||
	    denoise_solve(w->tv, w->o->tv_lambda, tv_part * w->o->tv_lambda, voxels, u, &r) != 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (light[i] > 0)
			part[2 * i] = u[i];
	return 0;
}

static int lower_both(struct work *w, struct ptycho *p)
{
	size_t n = p->h * p->w;
	float complex *object = mem_try("--tv", n, sizeof *object);
	float *light = object ? mem_try("--tv", n, sizeof *light) : NULL,
	      *f = light ? mem_try("--tv", n, sizeof *f) : NULL,
	      *u = f ? mem_try("--tv", n, sizeof *u) : NULL;
	int rc = -1;

	if (!u || model_illumination(p, p->W) != 0 ||
	    buf_read(p->W, 0, light, n * sizeof *light) != 0 || ptycho_read(p, object, NULL) != 0)
		goto done;
	for (int part = 0; part < 2; part++)
		if (lower(w, n, light, (float *)object + part, f, u) != 0)
			goto done;
	rc = ptycho_write(p, object, NULL);
done:
	free(object);
	free(light);
	free(f);
	free(u);
	return rc;
}

/* The chain's last iteration.  There the notch helps as much as in all of them, or more: of twelve
 * scans of ptychosim by wasp, rpie, lsqml and dm it left 0.44 to 1.00 of the error at the end, 0.45
 * to 1.03 in every iteration. */
static bool last(const struct recon_options *o, const struct ptycho *p)
{
	long all = 0;

	for (size_t i = 0; i < o->stages; i++)
		all += o->stage[i].iterations;
	return p->iteration + 1 == all;
}

int regular_step(struct work *w, struct ptycho *p)
{
	const struct recon_options *o = w->o;

	if (p->iteration < p->o.object_start)
		return 0;
	if (o->smooth_sigma > 0 && (p->iteration + 1) % o->smooth_every == 0 &&
	    regular_smooth(p, o->smooth_sigma) != 0)
		return -1;
	if (o->tv_lambda > 0 && (p->iteration + 1) % o->tv_every == 0 && lower_both(w, p) != 0)
		return -1;
	return o->notch && last(o, p) ? regular_notch(p) : 0;
}
