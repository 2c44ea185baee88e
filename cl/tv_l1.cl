/* Total variation of a slab of planes, every pixel finite, sums of magnitudes; see cl/tv_loss.clh.  A program
 * for each kind, since building one takes seconds. */
#include "tv_loss.clh"

kernel void tv_l1(ARGUMENTS)
{
	local total space[ITEMS];

	by_rows(PASSED, space, L1, false, false, true, true);
}

/* without gradient */
kernel void tv_l1_loss(ARGUMENTS)
{
	local total space[ITEMS];

	by_rows(PASSED, space, L1, false, false, false, true);
}
