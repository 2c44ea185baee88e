/* Total variation of a slab of planes, every pixel finite, sums of squares; see cl/tv_loss.clh.  A program
 * for each kind, since building one takes seconds. */
#include "tv_loss.clh"

kernel void tv_sq(ARGUMENTS)
{
	local total space[ITEMS];

	by_rows(PASSED, space, SQ, false, false, true, true);
}

/* without gradient */
kernel void tv_sq_loss(ARGUMENTS)
{
	local total space[ITEMS];

	by_rows(PASSED, space, SQ, false, false, false, true);
}
