/* lib/ptycho/background.h: photons on the detector that are not of the coherent beam: air, windows, stray light, readout.  The same for
 * every frame, they add to the model intensity I_m(q) + B(q), so that no engine explains them by the object.
 *
 * Estimated, B starts as a fiftieth of the mean frame, and after each iteration from `start` on becomes
 *	B(q) mean_k I_k(q) / (I_m,k(q) + B(q))
 * over the frames where q is valid: the step of Richardson 1972 and Lucy 1974, which never lowers the Poisson likelihood of given waves. */
#ifndef PTYCHO_BACKGROUND_H
#define PTYCHO_BACKGROUND_H

#include "ptycho/state.h"

/* photons [n][n], the beam at (0,0), >= 0: given, and kept if start < 0; NULL: estimated from iteration `start` on.  Once, after
 * ptycho_init.  0, or -1 after reporting. */
int background_set(struct ptycho *p, const float *photons, long start);

/* Around an iteration that shows every frame to the detector kernels; nothing if there is nothing to estimate.  0, or -1. */
int background_begin(struct ptycho *p);
int background_end(struct ptycho *p);

#endif
