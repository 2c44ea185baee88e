/* lib/ptycho/model.h: the steps that engines are made of, on the batch of frames at hand.  All queue kernels and return 0, or -1 after
 * reporting; sums run in the batch's order, pixel by pixel, so that they do not depend on work-groups or on how frames are cut into
 * batches.  Transforms are unnormalised both ways: detector kernels bring the 1 / n^2. */
#ifndef PTYCHO_MODEL_H
#define PTYCHO_MODEL_H

#include "ptycho/state.h"

/* Index spaces of kernels: columns and rows of planes; 16 lanes of each row of each of the batch's frames; the batch's tiles.  moved: what
 * a launch moves, in complex planes of n x n; per_pixel: bytes for each pixel of a tile. */
struct ndrange over_planes(const struct ptycho *p, size_t planes, double moved);
struct ndrange over_rows(const struct ptycho *p, double moved);
struct ndrange over_tiles(const struct ptycho *p, size_t per_pixel, double moved);
/* Of such planes: those of the batch's waves, and what its measured frames come to. */
double model_waves_moved(const struct ptycho *p);
double model_frames_moved(const struct ptycho *p);

/* Makes frames[count] the batch: windows, tiles, and the measured frames if they are staged. */
int model_batch(struct ptycho *p, const size_t *frames, size_t count);

/* Frames first .. first + count - 1, ascending: for engines that go through all. */
int model_block(struct ptycho *p, size_t first, size_t count);
/* All frames, block by block: visit sees each as the batch at hand, with its probes.  0 or -1 */
int model_blocks(struct ptycho *p, int (*visit)(struct ptycho *, struct buf *probes, void *), void *arg);

/* Probes of the batch's frames: probe [modes][n][n] itself, or with subpixel its copies shifted by each frame's fraction, with p->opr each frame's own, written to
 * `shifted`.  NULL after reporting.  What follows takes the result as `probes`. */
struct buf *model_probes(struct ptycho *p, struct buf *probe, struct buf *shifted);

/* wave = probes * object in each window, times w_k; add: added to what is there */
int model_waves(struct ptycho *p, struct buf *probes, struct buf *object, struct buf *wave, bool add);
int model_forward(struct ptycho *p, struct buf *wave);	/* to the detector, in place */
int model_backward(struct ptycho *p, struct buf *wave);
/* From plane to plane by H [n][n] (propagate.h), or back, in place; at scale 1 / n^2 the two transforms are unitary ones. */
int model_propagate(struct ptycho *p, struct buf *wave, struct buf *H, bool back, double scale);
int model_planes(struct ptycho *p, struct buf *b, enum fft_kind kind);	/* [count][n][n], one for each frame */

/* Detector plane.  Each takes the raw forward transform F (Psi = F / n), fills p->err of the batch's frames. */
int model_errors(struct ptycho *p, struct buf *wave);	/* the wave stays */
int model_replace(struct ptycho *p, struct buf *wave);	/* F (d / (A + 1e-9) - 1) / n^2 where valid, else 0: backward gives chi */
/* wave = chi: model_waves, model_forward, model_replace and model_backward in one. */
int model_chi(struct ptycho *p, struct buf *probes, struct buf *object, struct buf *wave);
/* xi and alpha_k (kept in p->alpha): -alpha_k xi F / n^2: backward gives chi.  poisson: xi = 1 - I / (I_m + 1e-3), else
 * 1 - d / (A + 1e-9), alpha 1.  block_alpha: one alpha for the batch, numerators and denominators summed. */
int model_xi(struct ptycho *p, struct buf *wave, bool poisson, bool block_alpha);

/* U (+)= sum_k sum_m conj(P_km) wave_km, W (+)= sum_k sum_m |P_km|^2 (either may be NULL) on the canvas, times w_k and w_k^2.  fresh:
 * tiles that the batch covers are overwritten, all others left; else added. */
int model_gather_object(struct ptycho *p, struct buf *probes, struct buf *wave, struct buf *U, struct buf *W, bool fresh);

/* g_m (+)= sum_k w_k conj(O_k) wave_km (shifted back with subpixel), V (+)= sum_k w_k^2 |O_k|^2 (either may be NULL).  With subpixel g is in
 * Fourier space until model_gather_probe_end, to be called once after the last block. */
int model_gather_probe(struct ptycho *p, struct buf *object, struct buf *wave, struct buf *g, struct buf *V, bool fresh);
int model_gather_probe_end(struct ptycho *p, struct buf *g);

/* W = sum over all frames of sum_m |P_km|^2 with the probe as it is, w_k^2 counted; overwritten.  Changes the batch at hand. */
int model_illumination(struct ptycho *p, struct buf *W);

/* Errors of the present state over all frames, to p->err.  Changes the batch at hand. */
int model_all_errors(struct ptycho *p);

/* The first `sums` of p->rows [count][n][8], as a detector kernel left them, added over rows to out [count][8].  Blocks. */
int model_rows(struct ptycho *p, int sums, double (*out)[8]);

/* Largest of W >= 0 in the tiles that the batch covers; of x >= 0 [n] float; Re sum a* b of complex64 [n], in double.  Block. */
int model_tile_max(struct ptycho *p, struct buf *W, double *most);
int model_max(struct buf *x, size_t n, double *most);
int model_dot(struct buf *a, struct buf *b, size_t n, double *dot);

/* R, chi, fmag and nll from p->err. */
void model_errors_row(const struct ptycho *p, struct ptycho_row *row);

#endif
