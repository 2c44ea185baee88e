/* Ptychography: waves from plane to plane (spec: multislice, near field). */
#include "vec.clh"

/* F *= scale H, or with `back` its conjugate; F [planes][n][n], H [n][n] */
kernel void ptycho_propagate(global float2 *restrict F, global const float2 *restrict H, int n, int planes, int back,
			     float scale)
{
	int x = VEC * get_global_id(0), r = get_global_id(1), p = get_global_id(2);

	if (x >= n || r >= n || p >= planes)
		return;
	global float2 *f = F + ((size_t)p * n + r) * n + x;
	vc h = vc_scale(vf_set(scale), vc_load(H + (size_t)r * n + x, n - x)), v = vc_load(f, n - x);

	vc_store(f, n - x, back ? vc_cmul(h, v) : vc_mul(h, v));
}
