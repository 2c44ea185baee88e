/* lib/tilt/optics.h: what the microscope is, in micrometres and radians, and the sizes that follow from it.
 * Source: weak-object transfer functions of partially coherent imaging (Streibl 1985; Soto, Rodrigo, Alieva 2017). */
#ifndef TILT_OPTICS_H
#define TILT_OPTICS_H

#include <stdbool.h>
#include <stddef.h>

struct optics {
	double wavelength;	/* vacuum, um */
	double pixel, z_step;	/* object side, um */
	double index;		/* of the medium */
	double na_det, na_ill;	/* 0 < NA <= index */
	double steepness;	/* slope of the objective's pupil edge, um */
	int z_sign;		/* -1: slice 0 has the highest z (descending), +1: ascending */
	bool invert;		/* all z change sign */
	int oversample;		/* 0: no wrap at the wanted bins; 1..8: the pupil plane has that many times the field's bins */
	bool peer;		/* --compat waveorder: the peer's oversampling, crop and z planes */
};

/* A tile's unknowns: defocus in slices, and the tilt of the condenser's cone in radians. */
struct tilt {
	double z_offset, zenith, azimuth;
};

/* z of slice k of n, um: sign (k - n div 2 - offset) z_step; the slice n div 2 + offset is in focus. */
double optics_z(const struct optics *o, size_t n, double offset, size_t k);

/* d z / d offset, um per slice */
double optics_z_rate(const struct optics *o);

/* The thin model's condenser: na_ill >= na_det would make the phase transfer vanish, so it becomes 0.9 na_det.
 * True if it was changed. */
bool optics_clamp_source(struct optics *o);

/* Whole factor by which the pupil plane exceeds the field so that the correlation of the pupils cannot wrap; the
 * peer's own with o->peer. */
int optics_factor(const struct optics *o);

/* Half width of the objective's pupil on an axis of n pixels, in bins, with the part of its soft edge that matters. */
size_t optics_reach(const struct optics *o, size_t n);

/* Size of the pupil plane for an axis of n pixels: the smallest fast size at which no wanted lag wraps, or n times the
 * given factor; the peer's own where that wraps, and so differs. */
size_t optics_pupil_size(const struct optics *o, size_t n);

#endif
