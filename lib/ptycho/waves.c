#include "ptycho/waves.h"

#include <stdlib.h>

#include "base/mem.h"

static size_t wave_bytes(const struct ptycho *p)
{
	return p->modes * p->n * p->n * sizeof(float complex);
}

/* Some memory is left to others: lists of tiles grow. */
static bool fits(const struct ptycho *p)
{
	size_t used = dev_mem_used(p->d), all = dev_mem(p->d), need = mem_mul(p->k, wave_bytes(p));
	size_t side = p->n / 16 + 2,
	       lists = 8 * (p->room * side * side + (p->h / 16 + 1) * (p->w / 16 + 1) * 4);

	return used < all && need < all - used && lists < all - used - need;
}

int waves_init(struct ptycho *p, struct waves *w, size_t block, enum waves_for what)
{
	*w = (struct waves){ .block = block, .blocks = (p->k + block - 1) / block };
	if (what == WAVES_SPARE || !fits(p)) {
		if (what == WAVES_STATE || mem_mul(p->k, wave_bytes(p)) <= dev_mem(p->d)) {
			w->host = mem_try("exit waves", p->k, wave_bytes(p));
			if (!w->host)
				return -1;
		}
		w->shared = what == WAVES_SPARE && block <= p->room;
		w->stage = w->shared ? p->wave : buf_new(p->d, block * wave_bytes(p));
		return w->stage ? 0 : -1;
	}
	w->on_device = mem_new(w->blocks, sizeof(struct buf *));
	for (size_t i = 0; i < w->blocks; i++) {
		size_t left = p->k - i * block;

		w->on_device[i] = buf_new(p->d, (left < block ? left : block) * wave_bytes(p));
		if (!w->on_device[i])
			return -1;
	}
	return 0;
}

void waves_free(struct waves *w)
{
	for (size_t i = 0; w->on_device && i < w->blocks; i++)
		buf_free(w->on_device[i]);
	free(w->on_device);
	free(w->host);
	if (!w->shared)
		buf_free(w->stage);
	*w = (struct waves){ 0 };
}

bool waves_kept(const struct waves *w)
{
	return w->on_device || w->host;
}

static size_t block_bytes(const struct ptycho *p, const struct waves *w, size_t first)
{
	return (p->k - first < w->block ? p->k - first : w->block) * wave_bytes(p);
}

struct buf *waves_get(struct ptycho *p, struct waves *w, size_t first, bool read)
{
	if (w->on_device)
		return w->on_device[first / w->block];
	if (read && w->host &&
	    buf_write(w->stage, 0, w->host + first * p->modes * p->n * p->n,
		      block_bytes(p, w, first)) != 0)
		return NULL;
	return w->stage;
}

int waves_put(struct ptycho *p, struct waves *w, size_t first)
{
	if (!w->host)
		return 0;
	return buf_read(w->stage, 0, w->host + first * p->modes * p->n * p->n,
			block_bytes(p, w, first));
}

int waves_visit(struct ptycho *p, struct waves *w, const char *name, ptycho_visitor *visit,
		void *arg)
{
	for (size_t first = 0, i = 0; first < p->k; first += w->block, i++) {
		size_t count = block_bytes(p, w, first) / wave_bytes(p);
		float complex *data = w->host ? w->host + first * p->modes * p->n * p->n
					      : buf_map(w->on_device[i], MAP_READ | MAP_WRITE);
		char *full = data ? mem_printf("%s%zu", name, i) : NULL;
		int rc = data ? visit(arg, full, data, DT_F32, count * p->modes, p->n, 2 * p->n)
			      : -1;

		free(full);
		if (data && w->on_device && buf_unmap(w->on_device[i]) != 0)
			rc = -1;
		if (rc != 0)
			return rc;
	}
	return 0;
}
