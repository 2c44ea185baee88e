/* Gradients of exit waves along the windows' positions and the frames' intensities (spec:
 * positions, intensity). */
#include "ptycho.clh"

/* to [count][n][n] = the object in each window */
kernel void positions_window(global float2 *restrict to, global const float2 *restrict object,
			     global const int4 *restrict window, int n, int width, int count)
{
	int x = VEC * get_global_id(0), r = get_global_id(1), b = get_global_id(2);

	if (x >= n || r >= n || b >= count)
		return;
	vc_store(to + ((size_t)b * n + r) * n + x, n - x,
		 vc_load(object + (size_t)(window[b].x + r) * width + window[b].y + x, n - x));
}

/* to = 2 pi i u_axis exp(-2 pi^2 sigma^2 |u|^2) F / n^2 */
kernel void positions_slope(global float2 *restrict to, global const float2 *restrict F, int n,
			    int count, int axis, float sigma)
{
	int x = VEC * get_global_id(0), r = get_global_id(1), b = get_global_id(2);

	if (x >= n || r >= n || b >= count)
		return;
	size_t at = ((size_t)b * n + r) * n + x;
	float scale = 6.28318531f / ((float)n * n) / n;
	vi c = x + LANE;
	vf h = vi_float(CHOOSE(c < (n + 1) / 2, c, c - n)),
	   k = vf_set(r < (n + 1) / 2 ? r : r - n), u = axis ? h : k;
	vc v = vc_load(F + at, n - x), w;

	u = scale * u;
	if (sigma > 0)
		u *= exp(-19.7392088f * sigma * sigma / ((float)n * n) * (h * h + k * k));
	w.x = -u * v.y;
	w.y = u * v.x;
	vc_store(to + at, n - x, w);
}

/* rows 0, 1 = Re sum G* chi, sum |G|^2 over modes, G = w_k P_km D; D [count][n][n]; model: D is
 * the object, G the exit wave without w_k */
kernel void positions_sums(global float *restrict rows, global const float2 *restrict D,
			   global const float2 *restrict probes, global const float2 *restrict chi,
			   global const int4 *restrict window, global const float4 *restrict par,
			   int n, int modes, int width, int count, int step, int model,
			   local float *part)
{
	int l = VEC * get_global_id(0), r = get_global_id(1), b = get_global_id(2),
	    in = r < n && b < count;
	vf along = vf_set(0), power = vf_set(0);

	if (in) {
		global const float2 *row =
			model ? D + (size_t)(window[b].x + r) * width + window[b].y
			      : D + ((size_t)b * n + r) * n;
		vf w = vf_set(model ? 1 : par[b].z);

		for (int x = l; x < n; x += 16) {
			vc d = vc_scale(w, vc_load(row + x, n - x));

			for (int m = 0; m < modes; m++) {
				size_t i = ((size_t)m * n + r) * n + x;
				vc G = vc_mul(vc_load(probes + (size_t)b * step + i, n - x), d);

				along += vc_dot(
					G, vc_load(chi + (size_t)b * modes * n * n + i, n - x));
				power += vc_norm(G);
			}
		}
	}
	float s = lanes_sum(along, part), t = lanes_sum(power, part);

	if (in && l == 0) {
		rows[((size_t)b * n + r) * SUMS] = s;
		rows[((size_t)b * n + r) * SUMS + 1] = t;
	}
}
