/* Total variation of a slab of planes, every pixel finite, of corners; see cl/tv_loss.clh.  A program
 * for each kind, since building one takes seconds. */
#include "tv_loss.clh"

kernel void tv_iso(ARGUMENTS)
{
	local total space[ITEMS];

	iso_walk(PASSED, space, false, false, true);
}

/* without gradient */
kernel void tv_iso_loss(ARGUMENTS)
{
	local total space[ITEMS];

	by_rows(PASSED, space, ISO, false, false, false, true);
}
