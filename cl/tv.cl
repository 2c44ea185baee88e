/* Total variation of a slab of planes, every pixel finite; see cl/tv_loss.clh. */
#include "tv_loss.clh"

kernel void tv_sq(ARGUMENTS)
{
	local total space[ITEMS];

	by_rows(PASSED, space, SQ, false, false, true, true);
}

kernel void tv_l1(ARGUMENTS)
{
	local total space[ITEMS];

	by_rows(PASSED, space, L1, false, false, true, true);
}

kernel void tv_iso(ARGUMENTS)
{
	local total space[ITEMS];

	iso_walk(PASSED, space, false, false, true);
}

/* Without gradient. */
kernel void tv_sq_loss(ARGUMENTS)
{
	local total space[ITEMS];

	by_rows(PASSED, space, SQ, false, false, false, true);
}

kernel void tv_l1_loss(ARGUMENTS)
{
	local total space[ITEMS];

	by_rows(PASSED, space, L1, false, false, false, true);
}

kernel void tv_iso_loss(ARGUMENTS)
{
	local total space[ITEMS];

	by_rows(PASSED, space, ISO, false, false, false, true);
}
