#include "ptycho/slices.h"

#include <stdlib.h>

#include "base/mem.h"

struct slices {
	struct buf *H;		     /* [n][n] complex64, from slice to slice */
	struct buf **incident;	     /* [slices][room][modes][n][n] complex64; NULL for slice 0 */
	struct buf *down;	     /* [room][modes][n][n] complex64 */
	struct buf **window, **tile; /* [slices]; of slice 0 the batch's own */
	size_t at;
};

int slices_init(struct ptycho *p)
{
	const struct optics *o = &p->o.optics;
	struct slices *s;
	float complex *H;

	p->bottom = p->h;
	if (p->slices < 2)
		return 0;
	p->thick = s = mem_new(1, sizeof *s);
	s->incident = mem_new(p->slices, sizeof *s->incident);
	s->window = mem_new(p->slices, sizeof *s->window);
	s->tile = mem_new(p->slices, sizeof *s->tile);
	s->window[0] = p->window;
	for (size_t l = 1; l < p->slices; l++) {
		s->incident[l] = buf_new(p->d, buf_bytes(p->wave));
		s->window[l] = s->incident[l] ? buf_new(p->d, buf_bytes(p->window)) : NULL;
		if (!s->window[l])
			return -1;
	}
	s->down = buf_new(p->d, buf_bytes(p->wave));
	s->H = s->down ? buf_new(p->d, p->n * p->n * sizeof *H) : NULL;
	H = s->H ? buf_map(s->H, MAP_WRITE | MAP_DISCARD) : NULL;
	if (!H)
		return -1;
	propagator_make(p->n, o->spacing, o->wavelength, o->pixel, H);
	return buf_unmap(s->H) != 0 ? -1 : dev_load(p->d, "ptycho_propagate");
}

void slices_clear(struct ptycho *p)
{
	struct slices *s = p->thick;

	if (!s)
		return;
	if (s->at > 0)
		slices_at(p, 0);
	for (size_t l = 1; l < p->slices; l++) {
		buf_free(s->incident[l]);
		buf_free(s->window[l]);
		buf_free(s->tile[l]);
	}
	buf_free(s->down);
	buf_free(s->H);
	free(s->incident);
	free(s->window);
	free(s->tile);
	free(s);
	p->thick = NULL;
}

void slices_at(struct ptycho *p, size_t l)
{
	struct slices *s = p->thick;

	if (!s)
		return;
	s->at = l;
	p->window = s->window[l];
	p->tile = s->tile[l];
	p->bottom = (l + 1) * p->h;
}

/* rows [n] of four numbers, the first of each moved by `by` */
static int moved(struct buf *from, struct buf *to, size_t n, size_t by)
{
	const int32_t(*a)[4] = buf_map(from, MAP_READ);
	int32_t(*b)[4] = a ? buf_map(to, MAP_WRITE | MAP_DISCARD) : NULL;

	for (size_t i = 0; i < n && b; i++) {
		b[i][0] = a[i][0] + (int32_t)by;
		for (int c = 1; c < 4; c++)
			b[i][c] = a[i][c];
	}
	return !b || buf_unmap(to) != 0 || buf_unmap(from) != 0 ? -1 : 0;
}

int slices_place(struct ptycho *p)
{
	struct slices *s = p->thick;

	if (!s)
		return 0;
	s->tile[0] = p->tile; /* it may have grown */
	for (size_t l = 1; l < p->slices; l++) {
		if (!s->tile[l] || buf_bytes(s->tile[l]) < buf_bytes(p->tile)) {
			buf_free(s->tile[l]);
			s->tile[l] = buf_new(p->d, buf_bytes(p->tile));
			if (!s->tile[l])
				return -1;
		}
		if (moved(p->window, s->window[l], p->count, l * p->h) != 0 ||
		    moved(p->tile, s->tile[l], p->tiles, l * p->h) != 0)
			return -1;
	}
	return 0;
}

struct buf *slices_incident(struct ptycho *p, struct buf *probes)
{
	struct slices *s = p->thick;

	return s && s->at > 0 ? s->incident[s->at] : probes;
}

int slices_waves(struct ptycho *p, struct buf *probes)
{
	struct slices *s = p->thick;

	if (!s)
		return model_waves(p, probes, p->object, p->wave, false);
	for (size_t l = 0; l < p->slices; l++) {
		bool last = l + 1 == p->slices;

		slices_at(p, l);
		if (model_waves(p, slices_incident(p, probes), p->object,
				last ? p->wave : s->incident[l + 1], false) != 0 ||
		    (!last && model_propagate(p, s->incident[l + 1], s->H, false,
					      1 / (double)(p->n * p->n)) != 0))
			return -1;
	}
	return 0;
}

int slices_chi(struct ptycho *p, struct buf *probes)
{
	if (!p->thick)
		return model_chi(p, probes, p->object, p->wave);
	return slices_waves(p, probes) != 0 || model_forward(p, p->wave) != 0 ||
			       model_replace(p, p->wave) != 0 || model_backward(p, p->wave) != 0
		       ? -1
		       : 0;
}

static int add_light(struct ptycho *p, struct buf *probes, void *W)
{
	if (slices_waves(p, probes) != 0)
		return -1;
	for (size_t l = 0; l < p->slices; l++) {
		slices_at(p, l);
		if (model_gather_object(p, slices_incident(p, probes), p->wave, NULL, W, false) != 0)
			return -1;
	}
	return 0;
}

int slices_illumination(struct ptycho *p, struct buf *W)
{
	if (!p->thick)
		return model_illumination(p, W);
	return buf_zero(W) != 0 ? -1 : model_blocks(p, add_light, W);
}

int slices_descend(struct ptycho *p, double b)
{
	struct slices *s = p->thick;
	double most;

	if (!s || s->at == 0)
		return 0;
	if (model_gather_probe(p, p->object, p->wave, NULL, p->V, true) != 0 ||
	    model_max(p->V, p->n * p->n, &most) != 0)
		return -1;
	return dev_run(p->d, "ptycho_descend", over_planes(p, p->count, 2 * model_waves_moved(p) + (double)p->count), ARG(s->down), ARG(p->wave),
		       ARG(p->object), ARG(p->V), ARG(p->window), INT(p->n), INT(p->modes),
		       INT(p->w), INT(p->count), FLOAT(b), FLOAT(most));
}

int slices_step(struct ptycho *p)
{
	struct slices *s = p->thick;
	struct buf *wave = p->wave;

	if (!s || s->at == 0)
		return 0;
	p->wave = s->down;
	s->down = wave;
	slices_at(p, s->at - 1);
	return model_propagate(p, p->wave, s->H, true, 1 / (double)(p->n * p->n));
}
