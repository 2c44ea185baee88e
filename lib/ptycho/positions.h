/* lib/ptycho/positions.h: what the frames may be given besides their waves: refined window
 * positions (spec: positions) and intensities (spec: intensity).
 *
 * An engine with sequential updates calls for each batch, before it changes object or probe,
 * positions_batch and intensity_batch, and once at the end of the iteration positions_apply and
 * intensity_apply.  chi [count][modes][n][n] are the corrections of the exit waves in real space,
 * probes what model_probes gave.  Each does nothing where the options leave it off.  0, or -1 after
 * reporting. */
#ifndef PTYCHO_POSITIONS_H
#define PTYCHO_POSITIONS_H

#include "ptycho/model.h"

/* G_a = w_k P ifft(2 pi i u_a fft(O window)); keeps n_ka = Re sum G* chi and p_ka = sum |G|^2 of
 * the batch's frames.  From iteration o.refine.start on.  Coarse to fine: the object is smoothed by
 * a Gaussian of o.refine.coarse px there, half as wide every 20 iterations, none below 0.3. */
int positions_batch(struct ptycho *p, struct buf *chi, struct buf *probes);

/* d = step 2 n / (p + max_k p), clipped to min(clip, 10 MAD) per axis, minus its mean without 5 %
 * at each end; s += d, at most `limit` from s0 and never off the canvas.  With o.refine.affine then
 * s moves a tenth of its way to the affine image of s0. */
int positions_apply(struct ptycho *p);

/* s - mean = A (s0 - mean) + t by least squares, frames weighted by p_ka (1 before there are any);
 * A = rotation * [1 shear; 0 1] * diag(scale), (row, column), angle from column to row.  -1,
 * silent: the positions lie on a line. */
struct positions_affine {
	double scale[2], rotation_deg, shear;
};
int positions_affine(const struct ptycho *p, struct positions_affine *a);

/* w_k += 0.1 Re sum (P O)* chi / sum |P O|^2 for the batch's frames; apply: w_k /= their mean. */
int intensity_batch(struct ptycho *p, struct buf *chi, struct buf *probes);
int intensity_apply(struct ptycho *p);

void positions_free(struct ptycho *p); /* p->positions; fine on NULL */

#endif
