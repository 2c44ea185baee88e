#include "ptycho/state.h"

#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "ptycho/model.h"
#include "ptycho/opr.h"
#include "ptycho/positions.h"
#include "ptycho/slices.h"

struct ptycho_plan ptycho_plan(size_t k, size_t n, size_t modes, size_t h, size_t w, const char *engine, size_t batch,
			       size_t frame_bytes, size_t mem)
{
	bool lines = strcmp(engine, "lsqml") == 0 || strcmp(engine, "ml") == 0, /* steps along lines */
	     waves = strcmp(engine, "dm") == 0 || strcmp(engine, "raar") == 0;
	size_t canvas = lines ? 36 : strcmp(engine, "wasp") == 0 ? 32 : 20;
	size_t per = frame_bytes * n * n + (waves ? 8 * modes * n * n : 0);
	struct ptycho_plan p = { .fixed = canvas * h * w + 40 * modes * n * n,
				 .work = batch * n * n * (24 * modes + 12 + (lines ? 16 * modes : 0)),
				 .frames = k * per };

	if (p.fixed + p.work + p.frames <= mem) {
		p.blocks = 1;
		p.per_block = k;
		return p;
	}
	p.per_block = mem > p.fixed + p.work ? (mem - p.fixed - p.work) / (2 * per) : 0;
	if (p.per_block > k)
		p.per_block = k;
	if (p.per_block) {
		p.frames = 2 * p.per_block * per;
		p.blocks = (k + p.per_block - 1) / p.per_block;
	}
	return p;
}

size_t ptycho_canvas(const struct ptycho *p)
{
	return p->slices * p->h * p->w;
}

static struct buf *make(struct ptycho *p, size_t bytes, bool *ok)
{
	struct buf *b = *ok ? buf_new(p->d, bytes) : NULL;

	*ok = b != NULL;
	return b;
}

/* What a wave's spectrum is multiplied by on its way to a detector in the near field. */
static int make_near(struct ptycho *p)
{
	const struct optics *o = &p->o.optics;
	float complex *H;

	if (!o->near_field)
		return 0;
	p->near = buf_new(p->d, p->n * p->n * sizeof *H);
	H = p->near ? buf_map(p->near, MAP_WRITE | MAP_DISCARD) : NULL;
	if (!H)
		return -1;
	propagator_make(p->n, o->distance, o->wavelength, o->pixel, H);
	return buf_unmap(p->near) != 0 ? -1 : dev_load(p->d, "ptycho_propagate");
}

static int allocate(struct ptycho *p)
{
	size_t nn = p->n * p->n, modes = p->o.modes_most;
	size_t frame = nn * (p->frames->u16 ? sizeof(uint16_t) : sizeof(float));
	bool ok = true;

	p->object = make(p, ptycho_canvas(p) * sizeof(float complex), &ok);
	p->probe = make(p, modes * nn * sizeof(float complex), &ok);
	p->U = make(p, ptycho_canvas(p) * sizeof(float complex), &ok);
	p->W = make(p, ptycho_canvas(p) * sizeof(float), &ok);
	p->g = make(p, modes * nn * sizeof(float complex), &ok);
	p->V = make(p, nn * sizeof(float), &ok);
	p->wave = make(p, p->room * modes * nn * sizeof(float complex), &ok);
	if (p->o.subpixel || p->o.opr)
		p->shifted = make(p, p->room * modes * nn * sizeof(float complex), &ok);
	if (p->o.subpixel) {
		p->scratch = make(p, p->room * modes * nn * sizeof(float complex), &ok);
		p->probe_f = make(p, modes * nn * sizeof(float complex), &ok);
	}
	p->window = make(p, p->room * 4 * sizeof(int32_t), &ok);
	p->par = make(p, p->room * 4 * sizeof(float), &ok);
	p->rows = make(p, p->room * p->n * 8 * sizeof(float), &ok);
	p->measured = make(p, (p->resident ? p->k : p->room) * frame, &ok);
	if (ok && p->resident && buf_write(p->measured, 0, p->frames->data, p->k * frame) != 0)
		ok = false;
	return ok ? 0 : -1;
}

int ptycho_init(struct ptycho *p, struct dev *d, const struct ptycho_opts *o, const struct frames *f, const double (*s)[2],
		size_t h, size_t w, size_t modes, const float complex *probe, const float complex *object, size_t room,
		bool resident)
{
	*p = (struct ptycho){ .d = d, .o = *o, .frames = f, .k = f->k, .n = f->n, .h = h, .w = w, .modes = modes, .slices = o->optics.slices ? o->optics.slices : 1,
			      .gauge = 1, .resident = resident, .room = room < f->k ? room : f->k };
	if (p->o.modes_most < modes)
		p->o.modes_most = modes;
	p->s = mem_new(p->k, sizeof *p->s);
	p->s0 = mem_new(p->k, sizeof *p->s0);
	p->intensity = mem_new(p->k, sizeof *p->intensity);
	p->alpha = mem_new(p->k, sizeof *p->alpha);
	p->err = mem_new(p->k, sizeof *p->err);
	p->member = mem_new(p->room, sizeof *p->member);
	for (size_t k = 0; k < p->k; k++) {
		p->intensity[k] = 1;
		p->alpha[k] = 0.5;
		for (int a = 0; a < 2; a++)
			p->s[k][a] = p->s0[k][a] = s[k][a];
	}
	for (size_t i = 0; i < f->pages; i++)
		if (f->kept[i] >= 0 && f->photons[i] > p->max_photons)
			p->max_photons = f->photons[i];
	if (dev_load(d, "ptycho") != 0 || allocate(p) != 0 || make_near(p) != 0 || slices_init(p) != 0)
		return -1;
	if (!object) {
		float complex *one = buf_map(p->object, MAP_WRITE | MAP_DISCARD);

		if (!one)
			return -1;
		for (size_t i = 0; i < ptycho_canvas(p); i++)
			one[i] = 1;
		if (buf_unmap(p->object) != 0)
			return -1;
	}
	return ptycho_write(p, object, probe) != 0 ? -1 : opr_init(p);
}

void ptycho_clear(struct ptycho *p)
{
	slices_clear(p);
	opr_clear(p);

	struct buf *all[] = { p->object, p->probe, p->measured, p->window, p->par, p->wave, p->shifted, p->scratch,
			      p->probe_f, p->rows, p->top, p->tile, p->cover, p->U, p->W, p->g, p->V,
			      p->background, p->ratio, p->seen, p->near };

	positions_free(p);
	for (size_t i = 0; i < sizeof p->fft / sizeof p->fft[0]; i++) {
		fft_free(p->fft[i].forward);
		fft_free(p->fft[i].backward);
	}
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		buf_free(all[i]);
	free(p->s);
	free(p->s0);
	free(p->intensity);
	free(p->alpha);
	free(p->err);
	free(p->member);
	free(p->bins);
	free(p->work);
	*p = (struct ptycho){ 0 };
}

int ptycho_read(struct ptycho *p, float complex *object, float complex *probe)
{
	if (object && buf_read(p->object, 0, object, ptycho_canvas(p) * sizeof *object) != 0)
		return -1;
	return probe ? buf_read(p->probe, 0, probe, p->modes * p->n * p->n * sizeof *probe) : 0;
}

int ptycho_write(struct ptycho *p, const float complex *object, const float complex *probe)
{
	if (object && buf_write(p->object, 0, object, ptycho_canvas(p) * sizeof *object) != 0)
		return -1;
	return probe ? buf_write(p->probe, 0, probe, p->modes * p->n * p->n * sizeof *probe) : 0;
}
