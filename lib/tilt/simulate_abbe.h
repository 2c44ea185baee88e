/* lib/tilt/simulate_abbe.h: imaging of a thin object by Abbe's sum over the points of a tilted
 * condenser; the object is exp(absorption + i phase) on a grid `oversample` times finer than the
 * camera's.  For tilt/simulate.h. */
#ifndef TILT_SIMULATE_ABBE_H
#define TILT_SIMULATE_ABBE_H

#include <stdint.h>

#include "dev/fft.h"
#include "tilt/pupil.h"

struct abbe {
	struct pupil pupil; /* my x mx is the finer grid */
	size_t batch;	    /* points imaged at once; the result does not depend on it */
	size_t points;
	double norm;	    /* sum S P^2 over the points */
	double bright;	    /* the same without tilt; 0: not known yet */
	struct buf *source; /* [rows][mx] float32, packed */
	struct buf *coef, *zbuf;
	struct buf *spec;   /* [my][mx] complex64, spectrum of the field */
	struct buf *d;	    /* [my][mx] complex64, P exp(2 pi i z gamma) */
	struct buf *fine;   /* [2][my][mx/2+1] complex64 */
	struct buf *wave;   /* [batch][my][mx] complex64; also float32 [2][my][mx] */
	struct buf *sum;    /* [my][mx] pairs */
	struct buf *point;  /* [points] int2 (x, y), bins */
	struct buf *weight; /* [points] float32 */
	struct fft *fft_object, *fft_spec, *fft_wave, *fft_intensity;
};

size_t abbe_bytes(struct dev *d, const struct optics *o, size_t ny, size_t nx);

/* o->oversample > 0; the programs "tilt" and "tilt_sim" are loaded.  0, or -1 after reporting. */
int abbe_init(struct abbe *a, struct dev *d, const struct optics *o, size_t ny, size_t nx);
void abbe_clear(struct abbe *a);

/* object [2][ny][nx/2+1] complex64: half spectra of absorption and phase */
int abbe_object(struct abbe *a, struct buf *object);

/* The condenser's points at this tilt, row by row in DFT order; at most `most` of them (0: all),
 * drawn by seed and tile.  *dark: next to no light passes the objective; then there is nothing to
 * image. */
int abbe_source(struct abbe *a, const struct tilt *tilt, size_t most, uint64_t seed, size_t tile,
		bool *dark);

/* x [nr][nc] complex64 (half grid of tilt/thin.h) = spectrum of the intensity - 1 at z um, times my
 * mx. */
int abbe_plane(struct abbe *a, double z, size_t nr, size_t nc, struct buf *x);

#endif
