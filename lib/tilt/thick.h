/* lib/tilt/thick.h: 3-D phase from a defocus stack of a thick, weakly scattering object (spec section 3.4).
 *
 *   t(f, z) = correlation of S P^2 E and P^2 E (-i/4 pi)/(gamma + (1 - P) + 1e-15), E = exp(2 pi i z gamma), on N z-planes
 *   H_re = FFTz(w (t + t~)) / I dz/z_f, H_im = FFTz(w i (t - t~)) / I dz/z_f, I = sum S P^2; H = H_re + R H_im
 *   phase = Re IFFT3(b H* / (|H|^2 + L)), in cycles per voxel
 *
 * t(-z) = -t*(z): half of the planes are made.  Planes hold lags -ny/2 .. ny/2 and 0 .. nx/2; the z transforms, the filter
 * and its way back go through blocks of rows, so that besides the data's half spectrum nothing of its size is held. */
#ifndef TILT_THICK_H
#define TILT_THICK_H

#include "dev/fft.h"
#include "tilt/pupil.h"

struct thick_opts {
	struct optics optics;	/* condenser as given, not clamped */
	size_t z_pad;
	size_t pad;		/* reflected border in y and x */
	double reg;
	double ratio;		/* absorption ratio R */
};

struct thick {
	struct dev *d;
	struct thick_opts o;
	struct pupil pupil;
	size_t nz, ny, nx;	/* of the padded tile, z without its padding */
	size_t zp;		/* nz + 2 z_pad */
	size_t n;		/* z planes of the transfer function */
	double step;		/* um between them */
	size_t made;		/* distinct |z| */
	size_t lags, hx;	/* rows and columns of a plane of h */
	size_t both;		/* 2: H_re and H_im are kept; 1: H_re alone */
	size_t rows;		/* of a block */
	struct buf *b;		/* [zp][ny][nx/2+1] complex64 */
	struct buf *h;		/* [made][both][lags][hx] complex64, windowless */
	struct buf *stage;	/* [ny][nx] float32 */
	struct buf *wave, *a, *w, *raw;	/* [my][mx] complex64 each; raw [both][my][mx/2+1] */
	struct buf *source, *zbuf, *coef, *part;
	struct buf *hz;		/* [n][sets][rows][nx/2+1]: a block's H along z, at the lags of its bins and of their mirrors */
	struct buf *bz;		/* [zp][rows][nx/2+1] */
	struct buf *plane_of;	/* [n] int2 (plane of h, mirrored), [n] float weight follows in `weight` */
	struct buf *weight;
	struct buf *crop;	/* [zp] int2: index along n of the z lag of bin k, and of its mirror */
	struct fft *fft_b, *fft_image, *fft_a, *fft_wave, *fft_w, *fft_hz[2], *fft_bz, *fft_back;
};

/* Smallest z oversampling without wrap. */
size_t thick_factor(const struct optics *o);

/* Device bytes for one tile. */
size_t thick_bytes(const struct thick_opts *o, size_t nz, size_t ny, size_t nx);

/* Tiles of nz x h x w before padding.  0, or -1 after reporting (also if it does not fit dev_mem). */
int thick_init(struct thick *t, struct dev *d, const struct thick_opts *o, size_t nz, size_t h, size_t w);
void thick_clear(struct thick *t);

/* Transfer functions for a tilt (z_offset is not used).  0; 1: dark field; -1 after reporting. */
int thick_transfer(struct thick *t, const struct tilt *tilt);

/* One tile of stack [nz][field_ny][field_nx] float32 at (y, x) -> out [nz][h][w] float32; out may be the stack itself if the
 * tile is the field.  0; 1: the mean is not positive; -1 after reporting. */
int thick_invert(struct thick *t, const float *stack, size_t y, size_t x, size_t field_ny, size_t field_nx, float *out);

/* Made with ratio != 0: H_re and H_im, all bins in DFT order: pages Re H_re, Im H_re, Re H_im, Im H_im of nz + 2 z_pad planes each. */
int thick_dump(struct thick *t, float *pages);

#endif
