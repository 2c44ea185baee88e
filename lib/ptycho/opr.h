/* lib/ptycho/opr.h: a probe that changes from frame to frame (spec: variable probe; Odstrcil et al.
 * 2016): P_k = w_k0 P + sum_c w_kc V_c, V_c of norm 1, orthogonal to each other and to P.
 *
 * What each frame would change its own probe by is taken apart: its part along P goes to w_k0,
 * along V_c to w_kc, and the sum of all these residuals, weighted by w_kc*, is a step of subspace
 * iteration towards the strongest C: no probes of frames are kept. */
#ifndef PTYCHO_OPR_H
#define PTYCHO_OPR_H

#include "ptycho/engine.h"

/* With p->o.opr > 0, after the probe is written: V from its Hermite-like modes, w_k0 = 1, others 0.
 * 0, or -1 after reporting. */
int opr_init(struct ptycho *p);
void opr_clear(struct ptycho *p);

/* `to` [count][n][n] = P_k of the batch's frames, with subpixel shifted by each one's fraction.
 * One mode. */
int opr_probes(struct ptycho *p, struct buf *to);

/* With chi in p->wave and V = sum |O_k|^2 in p->V, before object and probe change; step conj(O_k)
 * chi_k count / ((1 - b) V + b max V). opr_end after the last batch of an iteration that called it.
 * Nothing without --opr. */
int opr_batch(struct ptycho *p, double b);
int opr_end(struct ptycho *p);

/* The probe was scaled by c; rolled by t. */
void opr_scale(struct ptycho *p, double c);
int opr_roll(struct ptycho *p, const long t[2]);

/* For checkpoints: modes and weights. */
int opr_visit(struct ptycho *p, ptycho_visitor *visit, void *arg);

/* modes [opr][n][n], weights [k][opr + 1] */
int opr_read(struct ptycho *p, float complex *modes, double complex *weights);

#endif
