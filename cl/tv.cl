/* Total variation of a slab of planes, every pixel finite; see cl/tv.clh. */
#include "tv.clh"

kernel void tv_sq(ARGUMENTS)
{
	axes_tile(PASSED, SQ, false, false, true);
}

kernel void tv_l1(ARGUMENTS)
{
	axes_tile(PASSED, L1, false, false, true);
}

kernel void tv_iso(ARGUMENTS)
{
	iso_tile(PASSED, false, false, true);
}

/* Without gradient. */
kernel void tv_sq_loss(ARGUMENTS)
{
	axes_tile(PASSED, SQ, false, false, false);
}

kernel void tv_l1_loss(ARGUMENTS)
{
	axes_tile(PASSED, L1, false, false, false);
}

kernel void tv_iso_loss(ARGUMENTS)
{
	iso_tile(PASSED, false, false, false);
}
