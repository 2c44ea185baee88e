#include "ptycho/simulate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "base/team.h"
#include "math/random.h"
#include "ptycho/transform.h"

enum stream { AT_POSITION = 1, AT_PHASE, AT_ABSORPTION, AT_DEAD, AT_ERROR, AT_PHOTONS };

static double uniform(uint64_t seed, enum stream stream, uint64_t k)
{
	return (double)(rng_key(seed, stream, k) >> 11) * 0x1p-53;
}

/* Box and Muller, of counters 2k and 2k + 1 */
static double normal(uint64_t seed, enum stream stream, uint64_t k)
{
	return sqrt(-2 * log(1 - uniform(seed, stream, 2 * k))) *
	       cos(2 * M_PI * uniform(seed, stream, 2 * k + 1));
}

/* ---- the scan */

void sim_positions(size_t k, double step, double jitter, uint64_t seed, double (*pos)[2])
{
	size_t columns = (size_t)ceil(sqrt((double)k));

	for (size_t i = 0; i < k; i++) {
		pos[i][0] = (double)(i / columns) * step +
			    jitter * (2 * uniform(seed, AT_POSITION, 2 * i) - 1);
		pos[i][1] = (double)(i % columns) * step +
			    jitter * (2 * uniform(seed, AT_POSITION, 2 * i + 1) - 1);
	}
}

void sim_spiral(size_t k, double step, double jitter, uint64_t seed, double (*pos)[2])
{
	const double golden = M_PI * (3 - sqrt(5));

	for (size_t i = 0; i < k; i++) {
		double r = step * sqrt((double)i / M_PI), angle = golden * (double)i;

		pos[i][0] = r * sin(angle) + jitter * (2 * uniform(seed, AT_POSITION, 2 * i) - 1);
		pos[i][1] = r * cos(angle) + jitter * (2 * uniform(seed, AT_POSITION, 2 * i + 1) - 1);
	}
}

void sim_errors(size_t k, double sigma, uint64_t seed, double (*pos)[2])
{
	for (size_t i = 0; i < k; i++)
		for (size_t a = 0; a < 2; a++)
			pos[i][a] += sigma * normal(seed, AT_ERROR, 2 * i + a);
}

/* ---- the object */

struct field {
	size_t h, w, first; /* first: counter of pixel 0 */
	uint64_t seed;
	enum stream stream;
	float complex *a;
	const float complex *b;
	double phase, absorption, top;
};

static void normal_row(void *context, size_t y, int member)
{
	struct field *f = context;

	(void)member;
	for (size_t x = 0; x < f->w; x++)
		f->a[y * f->w + x] = (float)normal(f->seed, f->stream, f->first + y * f->w + x);
}

/* the phase's field and the absorption's to the object, in a */
static void mix_row(void *context, size_t y, int member)
{
	struct field *f = context;

	(void)member;
	for (size_t i = y * f->w; i < (y + 1) * f->w; i++) {
		double b = fmin(fmax(8 * (double)crealf(f->b[i]), 0), 1);

		f->a[i] = (float complex)((1 - f->absorption * b) *
					  cexp(I * f->phase * crealf(f->a[i]) / f->top));
	}
}

static void siemens_row(void *context, size_t y, int member)
{
	struct field *f = context;
	double dy = (double)y - (double)(f->h / 2), spoke = 2 * M_PI / 36;

	(void)member;
	for (size_t x = 0; x < f->w; x++) {
		double dx = (double)x - (double)(f->w / 2), turn = atan2(dy, dx) / spoke;
		double edge = (0.25 - fabs(turn - floor(turn) - 0.5)) * spoke *
			      hypot(dy, dx); /* px inside a spoke */
		double inside = fmin(fmax(edge + 0.5, 0), 1);

		f->a[y * f->w + x] =
			(float complex)((1 - f->absorption * inside) * cexp(I * f->phase * inside));
	}
}

static int random_slice(struct dev *d, struct field *f)
{
	size_t pixels = f->h * f->w;
	float complex *b = mem_try("object", pixels, sizeof *b), *a = f->a;
	int rc = -1;

	if (!b)
		return -1;
	f->stream = AT_PHASE;
	team_run(dev_threads(d), f->h, normal_row, f);
	f->stream = AT_ABSORPTION;
	f->a = b;
	team_run(dev_threads(d), f->h, normal_row, f);
	f->a = a;
	if (transform_smooth(d, f->h, f->w, 3, a) != 0 ||
	    transform_smooth(d, f->h, f->w, 4, b) != 0)
		goto done;
	f->top = 0;
	for (size_t i = 0; i < pixels; i++)
		f->top = fmax(f->top, fabs((double)crealf(a[i])));
	f->b = b;
	team_run(dev_threads(d), f->h, mix_row, f);
	rc = 0;
done:
	free(b);
	return rc;
}

int sim_object(struct dev *d, enum sim_object kind, size_t slices, size_t h, size_t w,
	       uint64_t seed, float complex *object)
{
	double part = 1 / (double)slices;

	for (size_t l = 0; l < slices; l++) {
		struct field f = {
			.h = h, .w = w, .first = l * h * w, .seed = seed, .a = object + l * h * w
		};

		f.phase = part * (kind == SIM_RANDOM ? 1.2 : 1);
		f.absorption = part * 0.2;
		if (kind == SIM_SIEMENS)
			team_run(dev_threads(d), h, siemens_row, &f);
		else if (random_slice(d, &f) != 0)
			return -1;
	}
	return 0;
}

/* ---- the detector */

struct keyed {
	uint64_t key;
	size_t pixel;
};

static int by_key(const void *a, const void *b)
{
	const struct keyed *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return (x->pixel > y->pixel) - (x->pixel < y->pixel);
}

void sim_dead(size_t n, size_t count, uint64_t seed, unsigned char *mask)
{
	size_t pixels = n * n;
	struct keyed *t = mem_new(pixels, sizeof *t);

	for (size_t i = 0; i < pixels; i++)
		t[i] = (struct keyed){ rng_key(seed, AT_DEAD, i), i };
	qsort(t, pixels, sizeof *t, by_key);
	memset(mask, 1, pixels);
	for (size_t i = 0; i < count && i < pixels; i++)
		mask[t[i].pixel] = 0;
	free(t);
}

void sim_beam_stop(size_t n, double radius, unsigned char *mask)
{
	for (size_t i = 0; i < n * n; i++) {
		double y = (double)(i / n), x = (double)(i % n);

		y = fmin(y, (double)n - y);
		x = fmin(x, (double)n - x);
		if (y * y + x * x <= radius * radius)
			mask[i] = 0;
	}
}

struct counting {
	float *frames;
	size_t first, pixels;
	uint64_t seed;
};

static void count_frame(void *context, size_t i, int member)
{
	struct counting *c = context;
	float *v = c->frames + i * c->pixels;
	struct rng r;

	(void)member;
	rng_init(&r, rng_key(c->seed, AT_PHOTONS, c->first + i));
	for (size_t p = 0; p < c->pixels; p++)
		v[p] = (float)rng_poisson(&r, v[p]);
}

void sim_poisson(float *frames, size_t first, size_t count, size_t n, uint64_t seed, int threads)
{
	struct counting c = { frames, first, n * n, seed };

	team_run(threads, count, count_frame, &c);
}

void sim_layout(size_t n, enum d4 op, bool corner, bool near_field, size_t *source)
{
	size_t half = near_field ? 0 : n / 2, y, x;

	for (size_t i = 0; i < n * n; i++) {
		size_t row = i / n, column = i % n;

		if (corner) {
			row = (row + half) % n;
			column = (column + half) % n;
		}
		d4_source(op, n, n, row, column, &y, &x);
		source[i] = (y + n - half) % n * n + (x + n - half) % n;
	}
}

/* ---- intensities */

/* cycles per sample of index i among n */
static double frequency(size_t i, size_t n)
{
	return (2 * i < n ? (double)i : (double)i - (double)n) / (double)n;
}

static struct fft *plan(struct simulator *s, enum fft_kind kind)
{
	struct fft_desc desc = {
		.kind = kind, .ny = s->n, .nx = s->n, .batch = s->room * s->modes
	};

	return fft_new(s->d, &desc);
}

int simulator_init(struct simulator *s, struct dev *d, size_t k, size_t n, size_t modes,
		   const float complex *probe, size_t slices, size_t h, size_t w,
		   const float complex *object, const float complex *H,
		   const float complex *near, bool subpixel)
{
	enum { AT_ONCE = 16 << 20 }; /* bytes of waves: two cores' caches, and enough for a GPU */
	size_t frame = modes * n * n * sizeof(float complex), bytes = dev_mem(d) / 4;

	*s = (struct simulator){ .d = d,
				 .n = n,
				 .modes = modes,
				 .slices = slices,
				 .h = h,
				 .w = w,
				 .object = object,
				 .probe = probe,
				 .H = H,
				 .near = near };
	if (bytes > AT_ONCE)
		bytes = AT_ONCE;
	s->room = bytes / frame ? bytes / frame : 1;
	s->room = (k + (k - 1) / s->room) /
		  ((k - 1) / s->room + 1); /* batches of nearly equal size */
	s->wave = buf_new(d, s->room * frame);
	if (!s->wave || !(s->forward = plan(s, FFT_FORWARD)))
		return -1;
	if ((subpixel || slices > 1 || near) && !(s->backward = plan(s, FFT_BACKWARD)))
		return -1;
	if (!subpixel)
		return 0;
	s->probe_f = mem_try("probe", modes * n * n, sizeof *s->probe_f);
	if (!s->probe_f)
		return -1;
	memcpy(s->probe_f, probe, frame);
	for (size_t m = 0; m < modes; m++)
		if (transform_host(d, FFT_FORWARD, n, n, s->probe_f + m * n * n) != 0)
			return -1;
	for (size_t i = 0; i < modes * n * n; i++)
		s->probe_f[i] /= (float)(n * n);
	return 0;
}

void simulator_clear(struct simulator *s)
{
	fft_free(s->backward);
	fft_free(s->forward);
	buf_free(s->wave);
	free(s->probe_f);
	*s = (struct simulator){ .d = NULL };
}

struct pass {
	const struct simulator *s;
	const double (*place)[2];
	float complex *wave;
	const float complex *slice; /* of the object, canvas */
	const float complex *H;	    /* to the next plane */
	float scale;		    /* of intensities */
	float *intensity;
};

/* wave = spectrum of the probe shifted by the frame's fraction */
static void shift_frame(void *context, size_t k, int member)
{
	struct pass *p = context;
	size_t n = p->s->n;
	float complex *wave = p->wave + k * p->s->modes * n * n;
	double fy, fx;
	long whole;

	(void)member;
	window_split(p->place[k][0], &whole, &fy);
	window_split(p->place[k][1], &whole, &fx);
	for (size_t y = 0; y < n; y++) {
		for (size_t x = 0; x < n; x++) {
			float complex turn = (float complex)cexp(
				-2 * M_PI * I * (fy * frequency(y, n) + fx * frequency(x, n)));

			for (size_t m = 0; m < p->s->modes; m++)
				wave[(m * n + y) * n + x] =
					turn * p->s->probe_f[(m * n + y) * n + x];
		}
	}
}

static void start_frame(void *context, size_t k, int member)
{
	struct pass *p = context;
	size_t frame = p->s->modes * p->s->n * p->s->n;

	(void)member;
	memcpy(p->wave + k * frame, p->s->probe, frame * sizeof *p->wave);
}

static void meet_object(void *context, size_t k, int member)
{
	struct pass *p = context;
	size_t n = p->s->n, modes = p->s->modes;
	long row, column;
	double f;

	(void)member;
	window_split(p->place[k][0], &row, &f);
	window_split(p->place[k][1], &column, &f);
	for (size_t i = 0; i < modes * n; i++) {
		const float complex *o =
			p->slice + ((size_t)row + i % n) * p->s->w + (size_t)column;
		float complex *wave = p->wave + (k * modes * n + i) * n;

		for (size_t x = 0; x < n; x++)
			wave[x] *= o[x];
	}
}

static void propagate(void *context, size_t k, int member)
{
	struct pass *p = context;
	size_t pixels = p->s->n * p->s->n;
	float scale = 1 / (float)pixels;

	(void)member;
	for (size_t m = 0; m < p->s->modes; m++)
		for (size_t i = 0; i < pixels; i++)
			p->wave[(k * p->s->modes + m) * pixels + i] *= scale * p->H[i];
}

static void detect(void *context, size_t k, int member)
{
	struct pass *p = context;
	size_t pixels = p->s->n * p->s->n;
	float *v = p->intensity + k * pixels, scale = p->scale;

	(void)member;
	for (size_t i = 0; i < pixels; i++)
		v[i] = 0;
	for (size_t m = 0; m < p->s->modes; m++) {
		const float complex *wave = p->wave + (k * p->s->modes + m) * pixels;

		for (size_t i = 0; i < pixels; i++)
			v[i] += scale * (crealf(wave[i]) * crealf(wave[i]) +
					 cimagf(wave[i]) * cimagf(wave[i]));
	}
}

/* The tasks, one after another, on the waves of the batch. */
static int on_host(struct simulator *s, struct pass *p, size_t count, enum map_mode mode,
		   void (*first)(void *, size_t, int), void (*then)(void *, size_t, int))
{
	p->wave = buf_map(s->wave, mode);
	if (!p->wave)
		return -1;
	team_run(dev_threads(s->d), count, first, p);
	if (then)
		team_run(dev_threads(s->d), count, then, p);
	return buf_unmap(s->wave);
}

/* To the next plane: two transforms, the propagator between. */
static int travel(struct simulator *s, struct pass *p, const float complex *H, size_t count)
{
	p->H = H;
	if (fft_run(s->forward, s->wave, 0, s->wave, 0) != 0 ||
	    on_host(s, p, count, MAP_READ | MAP_WRITE, propagate, NULL) != 0)
		return -1;
	return fft_run(s->backward, s->wave, 0, s->wave, 0);
}

int simulator_frames(struct simulator *s, const double (*place)[2], size_t count, float *intensity)
{
	struct pass p = { .s = s,
			  .place = place,
			  .slice = s->object,
			  .scale = s->near ? 1 : 1 / (float)(s->n * s->n),
			  .intensity = intensity };
	enum map_mode both = MAP_READ | MAP_WRITE;

	if (!s->probe_f) {
		if (on_host(s, &p, count, MAP_WRITE | MAP_DISCARD, start_frame, meet_object) != 0)
			return -1;
	} else if (on_host(s, &p, count, MAP_WRITE | MAP_DISCARD, shift_frame, NULL) != 0 ||
		   fft_run(s->backward, s->wave, 0, s->wave, 0) != 0 ||
		   on_host(s, &p, count, both, meet_object, NULL) != 0) {
		return -1;
	}
	for (size_t l = 1; l < s->slices; l++) {
		p.slice = s->object + l * s->h * s->w;
		if (travel(s, &p, s->H, count) != 0 ||
		    on_host(s, &p, count, both, meet_object, NULL) != 0)
			return -1;
	}
	if (s->near ? travel(s, &p, s->near, count) != 0
		    : fft_run(s->forward, s->wave, 0, s->wave, 0) != 0)
		return -1;
	return on_host(s, &p, count, MAP_READ, detect, NULL);
}
