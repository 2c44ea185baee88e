/* Total variation with holes and wrapped phases, complex volumes; a program of its own since
 * building it takes a while. */
#include "tv_loss.clh"

kernel void tv_axes_any(ARGUMENTS, int kind, int wrapped, int skip, int want)
{
	local total space[ITEMS];

	by_rows(PASSED, space, kind == L1 ? L1 : SQ, wrapped, skip, want, false);
}

kernel void tv_iso_any(ARGUMENTS, int wrapped, int skip, int want)
{
	local total space[ITEMS];

	if (want)
		iso_walk(PASSED, space, wrapped, skip, false);
	else
		by_rows(PASSED, space, ISO, wrapped, skip, false, false);
}

/* re becomes the modulus, im the angle; both NaN where either is not finite. */
kernel void tv_polar(global float *restrict re, global float *restrict im, ulong n)
{
	ulong i = get_global_id(0);

	if (i >= n)
		return;
	float a = re[i], b = im[i], m = hypot(a, b), phase = m > 0 ? atan2(b, a) : 0;
	int good = isfinite(a) && isfinite(b);

	re[i] = good ? m : NAN;
	im[i] = good ? phase : NAN;
}

/* Gradients by modulus and angle become gradients by real and imaginary part: o / m gm + i o / m^2
 * ga, 0 where o = 0; with skip also where o is not finite.  m, angle: of tv_polar, from element
 * `at` on. */
kernel void tv_cartesian(global float *restrict gm, global float *restrict ga,
			 global const float *restrict m, global const float *restrict angle,
			 ulong at, ulong n, int use_m, int use_a, int skip)
{
	ulong i = get_global_id(0);

	if (i >= n)
		return;
	float r = m[at + i], t = angle[at + i], c = cos(t), s = sin(t);
	float a = use_m ? gm[i] : 0, b = use_a ? ga[i] / r : 0;
	int none = r == 0 || (skip && !isfinite(r));

	gm[i] = none ? 0 : c * a - s * b;
	ga[i] = none ? 0 : s * a + c * b;
}
