/* Partial sums of values or of their squares.  A row is ROW values; lane l of a row adds values l, l + LANES ... in this order, so that
 * neither the work-group size nor the device decides the order; the host adds lanes and rows. */
#include "pair.clh"

enum { LANES = 64, ROW = 4096 };	/* of lib/math/sum.c */

kernel void sum_part(global float2 *restrict part, global const float *restrict x, ulong offset, ulong dist, ulong n,
		     int rows, int items, int squares)
{
	int l = get_global_id(0), r = get_global_id(1), t = get_global_id(2);

	if (l >= LANES || r >= rows || t >= items)
		return;
	ulong end = min(n, (ulong)(r + 1) * ROW);
	pair s = 0;

	x += offset + t * dist;
	for (ulong i = (ulong)r * ROW + l; i < end; i += LANES) {
		float v = x[i], p = v * v;

		s = pair_acc(s, squares ? p : v);
		s.y += squares ? fma(v, v, -p) : 0;
	}
	part[((size_t)t * rows + r) * LANES + l] = s;
}
