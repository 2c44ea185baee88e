#include "ptycho/background.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"

static const double first_share = 0.02; /* of the mean frame */

static void mean_frame(const struct frames *f, double share, float *to)
{
	size_t area = f->n * f->n;

	for (size_t i = 0; i < area; i++) {
		double sum = 0;
		size_t valid = 0;

		for (size_t k = 0; k < f->k; k++) {
			size_t at = k * area + i;
			double v = f->u16 ? (double)((const uint16_t *)f->data)[at] : (double)((const float *)f->data)[at];

			if (v < 0 || (f->u16 && v == UINT16_MAX))
				continue;
			sum += v;
			valid++;
		}
		to[i] = valid ? (float)(share * sum / (double)valid) : 0;
	}
}

int background_set(struct ptycho *p, const float *photons, long start)
{
	size_t bytes = p->n * p->n * sizeof(float);
	float *first = NULL;
	int rc = -1;

	if (!photons) {
		first = mem_new(p->n * p->n, sizeof *first);
		mean_frame(p->frames, first_share, first);
	}
	p->background_start = start;
	p->background = buf_new(p->d, bytes);
	if (!p->background || buf_write(p->background, 0, photons ? photons : first, bytes) != 0)
		goto done;
	if (start >= 0) {
		p->ratio = buf_new(p->d, bytes);
		p->seen = p->ratio ? buf_new(p->d, bytes) : NULL;
		if (!p->seen)
			goto done;
	}
	rc = 0;
done:
	free(first);
	return rc;
}

int background_begin(struct ptycho *p)
{
	if (!p->seen || p->iteration < p->background_start)
		return 0;
	p->estimating = true;
	return buf_zero(p->ratio) != 0 ? -1 : buf_zero(p->seen);
}

int background_end(struct ptycho *p)
{
	const float *ratio, *seen;
	float *photons;

	if (!p->estimating)
		return 0;
	p->estimating = false;
	ratio = buf_map(p->ratio, MAP_READ);
	seen = ratio ? buf_map(p->seen, MAP_READ) : NULL;
	photons = seen ? buf_map(p->background, MAP_READ | MAP_WRITE) : NULL;
	if (!photons)
		return -1;
	for (size_t i = 0; i < p->n * p->n; i++)
		if (seen[i] > 0)
			photons[i] *= ratio[i] / seen[i];
	return buf_unmap(p->background) != 0 || buf_unmap(p->seen) != 0 || buf_unmap(p->ratio) != 0 ? -1 : 0;
}
