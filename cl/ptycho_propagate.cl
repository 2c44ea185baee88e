/* Ptychography: waves from plane to plane (spec: multislice, near field). */
#include "ptycho.clh"

/* F *= scale H, or with `back` its conjugate; F [planes][n][n], H [n][n] */
kernel void ptycho_propagate(global float2 *restrict F, global const float2 *restrict H, int n,
			     int planes, int back, float scale)
{
	int x = VEC * get_global_id(0), r = get_global_id(1), p = get_global_id(2);

	if (x >= n || r >= n || p >= planes)
		return;
	global float2 *f = F + ((size_t)p * n + r) * n + x;
	vc h = vc_scale(vf_set(scale), vc_load(H + (size_t)r * n + x, n - x)),
	   v = vc_load(f, n - x);

	vc_store(f, n - x, back ? vc_cmul(h, v) : vc_mul(h, v));
}

/* to_km = conj(O_k) wave_km count / ((1 - b) V + b most), 0 where nothing is below the line */
kernel void ptycho_descend(global float2 *restrict to, global const float2 *restrict wave,
			   global const float2 *restrict object, global const float *restrict V,
			   global const int4 *restrict window, int n, int modes, int width,
			   int count, float b, float most)
{
	int x = VEC * get_global_id(0), r = get_global_id(1), k = get_global_id(2);

	if (x >= n || r >= n || k >= count)
		return;
	vc o = vc_load(object + (size_t)(window[k].x + r) * width + window[k].y + x, n - x);
	vf den = (1 - b) * vf_load(V + (size_t)r * n + x, n - x) + b * most;
	vf by = CHOOSE(den > 0, (float)count / CHOOSE(den > 0, den, vf_set(1)), vf_set(0));

	for (int m = 0; m < modes; m++) {
		size_t i = (((size_t)k * modes + m) * n + r) * n + x;

		vc_store(to + i, n - x, vc_scale(by, vc_cmul(o, vc_load(wave + i, n - x))));
	}
}

/* to_k = w_k0 P + sum_c w_kc V_c; weight [count][modes + 1] */
kernel void ptycho_opr_probes(global float2 *restrict to, global const float2 *restrict P,
			      global const float2 *restrict V, global const float2 *restrict weight,
			      int n, int modes, int count)
{
	int x = VEC * get_global_id(0), r = get_global_id(1), k = get_global_id(2);

	if (x >= n || r >= n || k >= count)
		return;
	size_t i = (size_t)r * n + x, area = (size_t)n * n;
	vc sum = vc_mul(vp_spread(weight[k * (modes + 1)]), vc_load(P + i, n - x));

	for (int c = 0; c < modes; c++)
		sum = vc_add(sum, vc_mul(vp_spread(weight[k * (modes + 1) + c + 1]),
					 vc_load(V + c * area + i, n - x)));
	vc_store(to + k * area + i, n - x, sum);
}

/* F_k *= exp(-2 pi i (f_y u + f_x v)) / n^2, or with `back` its conjugate; F [count][n][n] */
kernel void ptycho_opr_shift(global float2 *restrict F, global const float4 *restrict par, int n,
			     int count, int back)
{
	int x = VEC * get_global_id(0), r = get_global_id(1), k = get_global_id(2);

	if (x >= n || r >= n || k >= count)
		return;
	global float2 *f = F + ((size_t)k * n + r) * n + x;
	vi c = x + LANE;
	vf u = vf_set((float)(r < (n + 1) / 2 ? r : r - n) / n),
	   v = vi_float(CHOOSE(c < (n + 1) / 2, c, c - n)) / (float)n,
	   cycles = (back ? 1 : -1) * (par[k].x * u + par[k].y * v);
	vc by = vc_scale(vf_set(1.0f / ((float)n * n)), vp_cis(vp_of(cycles)));

	vc_store(f, n - x, vc_mul(by, vc_load(f, n - x)));
}
