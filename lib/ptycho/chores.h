/* lib/ptycho/chores.h: what follows an iteration (spec: start, gauges, modes), in this order: clamps, support, recentring,
 * orthogonalising, power gauge.  On the host.  0, or -1 after reporting. */
#ifndef PTYCHO_CHORES_H
#define PTYCHO_CHORES_H

#include "ptycho/engine.h"

/* last: of its stage; the modes of dm, raar and ml are turned, and their probe recentred, only then, since they keep waves or
 * directions. */
int chores_run(struct ptycho *p, const struct stage *s, bool last);

int chores_orthogonalise(struct ptycho *p);
int chores_gauge(struct ptycho *p);	/* O / c, P c; p->W may be used; intensities' mean stays */

#endif
