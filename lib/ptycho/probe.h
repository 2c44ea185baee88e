/* lib/ptycho/probe.h: start probes and modes (spec: start, gauges, modes).  A probe is [n][n]
 * complex64 in real space, centred at (n/2, n/2), re and im interleaved; modes [m][n][n].  All on
 * the host, the transforms by the device's FFT layer. */
#ifndef PTYCHO_PROBE_H
#define PTYCHO_PROBE_H

#include <complex.h>
#include <stddef.h>

#include "dev/dev.h"

/* Aperture in the far field: 1 where q^2 < (radius n)^2, smoothed with a periodic Gaussian of
 * `edge` px, times exp(i curvature (128 / n) q^2), unitary inverse transform, centred.  0, or -1
 * after reporting. */
int probe_disc(struct dev *d, size_t n, double radius, double curvature, double edge,
	       float complex *probe);

/* Cold start from mean_d [n][n], the mean of the measured amplitudes with the beam at (0,0): P =
 * fftshift(ifft2(mean_d n)), unitary, its far field times exp(i curvature q^2), q in detector
 * pixels. */
int probe_data(struct dev *d, size_t n, const float *mean_d, double curvature,
	       float complex *probe);

/* The probe with its far field times exp(i curvature q^2), q in detector pixels: another defocus.
 * 0, or -1 after reporting. */
int probe_defocus(struct dev *d, size_t n, double curvature, const float complex *from,
		  float complex *probe);

/* The same with the phase c (y^2 + x^2) + a (y^2 - x^2) + 2 b y x of the far field, phase = (c, a,
 * b). */
int probe_far(struct dev *d, size_t n, const float *mean_d, const double phase[3],
	      float complex *probe);

/* Gaussian amplitude of full width at half maximum `fwhm` px of the intensity. */
void probe_gauss(size_t n, double fwhm, float complex *probe);

/* Completes modes [have] to [want] by Hermite-like products with mode 0, Gram-Schmidt twice against
 * all before: with have = 1 extra modes carry `power` of the total each and mode 0 the rest; with
 * more, the given ones keep their shares of the rest. */
void probe_modes(size_t n, size_t have, size_t want, double power, float complex *modes);

/* To the eigenbasis of A_ij = <P_i, P_j>, strongest first, phases as the spec says; power[m] (may
 * be NULL) gets the share of each mode. Jacobi in double. */
void probe_orthogonalise(size_t n, size_t m, float complex *modes, double *power);

/* modes [m][n][n] moved by t rows and columns, what leaves comes in on the other side. */
void probe_roll(size_t n, size_t m, const long t[2], float complex *modes);

/* Diameter of the disc around the centroid of sum |P|^2 that holds 90 % of the power, px. */
double probe_diameter(size_t n, size_t m, const float complex *modes);

#endif
