/* lib/ptycho/waves.h: waves of all frames [k][modes][n][n], kept block by block on the device or on
 * the host: the same bytes either way.  A block is the frames of one model_block. */
#ifndef PTYCHO_WAVES_H
#define PTYCHO_WAVES_H

#include "ptycho/engine.h"

struct waves {
	size_t block, blocks;	/* frames of a block, the last may have fewer */
	struct buf **on_device; /* [blocks], or NULL */
	float complex *host;	/* [k][modes][n][n], or NULL */
	struct buf *stage;	/* one block, when they are not on the device */
	bool shared;		/* it is p->wave */
};

/* WAVES_STATE: on the device when they fit its memory, else on the host.  WAVES_SPARE: of one
 * iteration, and can be computed again: on the host, since no plan counts them, and nowhere when
 * they are larger than the device's bound; a block then lies in p->wave. */
enum waves_for { WAVES_STATE, WAVES_SPARE };

/* 0, or -1 after reporting; waves_free is fine in every case. */
int waves_init(struct ptycho *p, struct waves *w, size_t block, enum waves_for what);
void waves_free(struct waves *w);

bool waves_kept(const struct waves *w); /* false: nowhere; get gives a buffer, put does nothing */

/* Waves of the block that starts at frame `first`, a multiple of `block`: a buffer to compute in,
 * until the next call; read: with what was stored.  NULL after reporting. */
struct buf *waves_get(struct ptycho *p, struct waves *w, size_t first, bool read);
/* What was computed in the buffer of waves_get stays. */
int waves_put(struct ptycho *p, struct waves *w, size_t first);

/* For an engine's visit: each block as "NAME0", "NAME1" ...; what the visitor writes is kept. */
int waves_visit(struct ptycho *p, struct waves *w, const char *name, ptycho_visitor *visit,
		void *arg);

#endif
