/* lib/ptycho/slices.h: an object of several slices, one behind the other (spec: multislice; Maiden,
 * Humphry and Rodenburg 2012).
 *
 * All slices are one array [slices][h][w], so that a window of slice l is one l h rows further
 * down: with windows and tiles moved, and p->bottom below the slice, what serves one object serves
 * each slice.  A batch begins at slice 0; with one slice nothing here does anything but
 * slices_waves, which is model_waves. */
#ifndef PTYCHO_SLICES_H
#define PTYCHO_SLICES_H

#include "ptycho/model.h"

/* With p->slices > 1: memory and propagator; ptycho_clear frees.  0, or -1 after reporting. */
int slices_init(struct ptycho *p);
void slices_clear(struct ptycho *p);

/* Of model_batch: windows and tiles of the other slices follow those of slice 0. */
int slices_place(struct ptycho *p);

/* The slice that kernels on the canvas see. */
void slices_at(struct ptycho *p, size_t l);

/* Waves that meet the slice at hand, as model_gather_object takes them: probes, or behind another
 * slice p->incident. */
struct buf *slices_incident(struct ptycho *p, struct buf *probes);

/* p->wave = exit waves behind all slices, p->incident what meets each; the last slice is at hand.
 */
int slices_waves(struct ptycho *p, struct buf *probes);
/* The same, to the detector and back: p->wave = chi behind the last slice. */
int slices_chi(struct ptycho *p, struct buf *probes);

/* W [slices][h][w] = what model_illumination is to a thin object: on each slice the light that meets
 * it.  Changes the batch at hand and p->wave. */
int slices_illumination(struct ptycho *p, struct buf *W);

/* At slice l > 0, before it changes: from the corrections p->wave behind it those of its incident
 * waves, conj(O_k) wave count / ((1 - b) V + b max V), V = sum_k |O_k|^2.  slices_step then brings
 * them to slice l - 1, which is at hand with p->wave behind it.  At slice 0 both do nothing. */
int slices_descend(struct ptycho *p, double b);
int slices_step(struct ptycho *p);

#endif
