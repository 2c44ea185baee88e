#include "ptycho/coldstart.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ptycho/engine.h"
#include "ptycho/order.h"
#include "ptycho/probe.h"
#include "ptycho/transform.h"

/* Frames and iterations of the rounds. */
enum { BATCH = 8, COARSE_FRAMES = 48, COARSE_ITERATIONS = 4, FINE_FRAMES = 96, FINE_ITERATIONS = 8, STEPS_MOST = 64 };

/* What trials share. */
struct search {
	struct dev *d;
	struct ptycho_opts o;
	const struct frames *f;
	const double (*pos)[2];
	double margin;
	const float *mean_d;
	struct coldstart_trial *trial;
	size_t n;
};

static size_t pixel_bytes(const struct frames *f)
{
	return f->u16 ? sizeof(uint16_t) : sizeof(float);
}

void coldstart_mean_amplitude(const struct frames *f, float *mean_d)
{
	size_t area = f->n * f->n;
	const uint16_t *counts = f->data;
	const float *photons = f->data;

	for (size_t i = 0; i < area; i++) {
		double sum = 0;
		size_t valid = 0;

		for (size_t k = 0; k < f->k; k++) {
			size_t at = k * area + i;
			double v = f->u16 ? (counts[at] == UINT16_MAX ? -1 : (double)counts[at]) : (double)photons[at];

			if (v < 0)
				continue;
			sum += sqrt(v);
			valid++;
		}
		mean_d[i] = valid ? (float)(sum / (double)valid) : 0;
	}
}

/* Radius around the beam that holds 95 % of the light, px. */
static double radius_of(const float *mean_d, size_t n)
{
	double *ring = mem_new(n + 1, sizeof *ring), all = 0, sum = 0;
	size_t r = 0;

	for (size_t y = 0; y < n; y++)
		for (size_t x = 0; x < n; x++) {
			double dy = 2 * y < n ? (double)y : (double)y - (double)n, dx = 2 * x < n ? (double)x : (double)x - (double)n;
			double light = (double)mean_d[y * n + x] * (double)mean_d[y * n + x];

			ring[(size_t)sqrt(dy * dy + dx * dx)] += light;
			all += light;
		}
	while (r < n && sum < 0.95 * all)
		sum += ring[r++];
	free(ring);
	return r < 4 ? 4 : (double)r;
}

/* The frames nearest to the middle of the scan, and their windows. */
static void choose(const struct search *s, size_t want, struct frames *sub, double (**at)[2], size_t canvas[2])
{
	size_t k = want < s->f->k ? want : s->f->k, area = s->f->n * s->f->n * pixel_bytes(s->f);
	size_t *frame = mem_new(k, sizeof *frame);
	double(*pos)[2] = mem_new(k, sizeof *pos);

	order_nearest(s->pos, s->f->k, k, frame);
	*sub = *s->f;
	sub->k = k;
	sub->data = mem_new(k, area);
	*at = mem_new(k, sizeof **at);
	for (size_t i = 0; i < k; i++) {
		memcpy((char *)sub->data + i * area, (const char *)s->f->data + frame[i] * area, area);
		memcpy(pos[i], s->pos[frame[i]], sizeof pos[i]);
	}
	windows_place((const double(*)[2])pos, k, s->f->n, s->margin, *at, canvas);
	free(pos);
	free(frame);
}

/* R of one phase, from a short run. */
static int try_phase(struct search *s, int round, const double phase[3], double *R)
{
	struct stage wasp = { .engine = &engine_wasp, .iterations = round == 1 ? COARSE_ITERATIONS : FINE_ITERATIONS,
			      .batch = BATCH, .sequential = s->o.sequential, .alpha = 2, .beta = 1 };
	struct chain_ops ops = { .watchdog = false };
	struct ptycho_row final = { .R = NAN };
	struct ptycho p = { 0 };
	struct frames sub;
	float complex *probe = mem_new(s->f->n * s->f->n, sizeof *probe);
	double(*at)[2];
	size_t canvas[2];
	int rc = -1;

	choose(s, round == 1 ? COARSE_FRAMES : FINE_FRAMES, &sub, &at, canvas);
	if (probe_far(s->d, s->f->n, s->mean_d, phase, probe) == 0 &&
	    ptycho_init(&p, s->d, &s->o, &sub, (const double(*)[2])at, canvas[0], canvas[1], 1, probe, NULL, BATCH, true) == 0 &&
	    chain_rescale_probe(&p) == 0)
		rc = chain_run(&p, &wasp, 1, &ops, &final);
	*R = isfinite(final.R) ? final.R : INFINITY;
	if (rc == 0 && s->n < COLDSTART_TRIALS)
		s->trial[s->n++] = (struct coldstart_trial){ round, { phase[0], phase[1], phase[2] }, sub.k, wasp.iterations,
							     final.R };
	ptycho_clear(&p);
	free(sub.data);
	free(at);
	free(probe);
	return rc;
}

/* The best three of the first round, best first; a place in the grid each. */
static void best_three(const double *R, int steps, int best[3])
{
	for (int b = 0; b < 3; b++) {
		best[b] = -1;
		for (int i = -steps; i <= steps; i++)
			if (i != best[0] && (b < 2 || i != best[1]) && (best[b] < -steps || R[i + steps] < R[best[b] + steps]))
				best[b] = i;
	}
}

/* Moves phase[axis] by +-by, then by half of that, as long as R falls by the share `gain`. */
static int refine(struct search *s, int round, double phase[3], int axis, double by, int halvings, double gain, double *R)
{
	for (int h = 0; h <= halvings; h++, by /= 2) {
		double centre = phase[axis];

		for (int sign = -1; sign <= 1; sign += 2) {
			double next[3] = { phase[0], phase[1], phase[2] }, r;

			next[axis] = centre + sign * by;
			if (try_phase(s, round, next, &r) != 0)
				return -1;
			if (r < (1 - gain) * *R) {
				*R = r;
				phase[axis] = next[axis];
			}
		}
	}
	return 0;
}

static int search(struct search *s, double phase[3])
{
	double Q = radius_of(s->mean_d, s->f->n), step = M_PI / (Q * Q), R[2 * STEPS_MOST + 1], least = INFINITY;
	int steps = (int)ceil(Q / 2), best[3];

	if (steps > STEPS_MOST) {
		step *= (double)steps / STEPS_MOST;
		steps = STEPS_MOST;
	}
	for (int i = -steps; i <= steps; i++)
		if (try_phase(s, 1, (double[3]){ i * step, 0, 0 }, &R[i + steps]) != 0)
			return -1;
	best_three(R, steps, best);
	for (int b = 0; b < 3; b++) {
		double at[3] = { best[b] * step, 0, 0 }, r;

		if (try_phase(s, 2, at, &r) != 0)
			return -1;
		if (r < least) {
			least = r;
			memcpy(phase, at, sizeof at);
		}
	}
	if (refine(s, 2, phase, 0, step / 2, 2, 0, &least) != 0)
		return -1;
	for (int axis = 1; axis < 3; axis++)
		if (refine(s, 3, phase, axis, step / 2, 0, 0.005, &least) != 0)
			return -1;
	return 0;
}

int coldstart_search(struct dev *d, const struct ptycho_opts *o, const struct frames *f, const double (*pos)[2], double margin,
		     double phase[3], struct coldstart_trial *trial, size_t *n)
{
	struct search s = { .d = d, .o = { .subpixel = o->subpixel, .sequential = o->sequential, .seed = o->seed,
					   .probe_start = 1, .gauge = true, .recentre = true },
			    .f = f, .pos = pos, .margin = margin, .trial = trial };
	float *mean_d = mem_new(f->n * f->n, sizeof *mean_d);
	int rc;

	coldstart_mean_amplitude(f, mean_d);
	s.mean_d = mean_d;
	rc = search(&s, phase);
	*n = s.n;
	free(mean_d);
	return rc;
}

int coldstart_probe(struct dev *d, const struct frames *f, const double phase[3], float complex *probe)
{
	float *mean_d = mem_new(f->n * f->n, sizeof *mean_d);
	int rc;

	coldstart_mean_amplitude(f, mean_d);
	rc = probe_far(d, f->n, mean_d, phase, probe);
	free(mean_d);
	return rc;
}

int coldstart_near(struct dev *d, const struct frames *f, const struct optics *o,
		   float complex *probe)
{
	size_t n = f->n, area = n * n;
	float *mean_d = mem_new(area, sizeof *mean_d);
	float complex *H = mem_new(area, sizeof *H);
	int rc = -1;

	coldstart_mean_amplitude(f, mean_d);
	propagator_make(n, o->distance, o->wavelength, o->pixel, H);
	for (size_t i = 0; i < area; i++)
		probe[i] = mean_d[i];
	if (transform_host(d, FFT_FORWARD, n, n, probe) == 0) {
		for (size_t i = 0; i < area; i++)
			probe[i] *= conjf(H[i]) / (float)area;
		rc = transform_host(d, FFT_BACKWARD, n, n, probe);
	}
	free(mean_d);
	free(H);
	return rc;
}
