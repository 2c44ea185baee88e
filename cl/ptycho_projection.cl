/* Ptychography with the exit waves of all frames: difference map, relaxed reflections, and the
 * updates of object and probe from sums over all frames (spec: mlgrad; er, dm, raar). */
#include "ptycho.clh"

/* wave = 2 w_k P_km O - psi */
kernel void projection_reflect(global float2 *restrict wave, global const float2 *restrict psi,
			       global const float2 *restrict probes,
			       global const float2 *restrict object,
			       global const int4 *restrict window,
			       global const float4 *restrict par, int n, int modes, int width,
			       int count, int step)
{
	int x = VEC * get_global_id(0), r = get_global_id(1), b = get_global_id(2);

	if (x >= n || r >= n || b >= count)
		return;
	vc o = vc_scale(
		vf_set(2 * par[b].z),
		vc_load(object + (size_t)(window[b].x + r) * width + window[b].y + x, n - x));

	for (int m = 0; m < modes; m++) {
		size_t i = ((size_t)m * n + r) * n + x, at = (size_t)b * modes * n * n + i;
		vc v = vc_mul(vc_load(probes + (size_t)b * step + i, n - x), o);

		vc_store(wave + at, n - x, vc_sub(v, vc_load(psi + at, n - x)));
	}
}

/* psi = kept psi + (mixed wave + model w_k P_km O) */
kernel void projection_update(global float2 *restrict psi, global const float2 *restrict wave,
			      global const float2 *restrict probes,
			      global const float2 *restrict object,
			      global const int4 *restrict window, global const float4 *restrict par,
			      int n, int modes, int width, int count, int step, float kept,
			      float mixed, float model)
{
	int x = VEC * get_global_id(0), r = get_global_id(1), b = get_global_id(2);

	if (x >= n || r >= n || b >= count)
		return;
	vc o = vc_scale(
		vf_set(par[b].z),
		vc_load(object + (size_t)(window[b].x + r) * width + window[b].y + x, n - x));

	for (int m = 0; m < modes; m++) {
		size_t i = ((size_t)m * n + r) * n + x, at = (size_t)b * modes * n * n + i;
		vc v = vc_scale(vf_set(model),
				vc_mul(vc_load(probes + (size_t)b * step + i, n - x), o));
		vc q = vc_scale(vf_set(mixed), vc_load(wave + at, n - x));

		vc_store(psi + at, n - x,
			 vc_add(vc_scale(vf_set(kept), vc_load(psi + at, n - x)), vc_add(q, v)));
	}
}

/* A = sqrt(sum_m |F_m|^2 / n^2 + background) of the pixels from `pixel` on, whose waves begin at `at` */
static inline vf amplitude(global const float2 *wave, global const float *background, size_t at,
			   int pixel, int n, int modes, int left)
{
	vf m = vf_set(0);

	for (int i = 0; i < modes; i++)
		m += vc_norm(vc_load(wave + at + (size_t)i * n * n, left));
	return sqrt(m * (1.0f / ((float)n * n)) + background_at(background, pixel, left));
}

/* rows 0, 1 = sum (A - d)^2 and number of valid pixels */
kernel void projection_deviation(global const float2 *restrict wave,
				 global const void *restrict measured,
				 global const float *restrict background,
				 global const int4 *restrict window, global float *restrict rows,
				 int n, int modes, int count, int is16, local float *part)
{
	int l = VEC * get_global_id(0), r = get_global_id(1), b = get_global_id(2),
	    in = r < n && b < count;
	vf square = vf_set(0), pixels = vf_set(0);

	if (in)
		for (int x = l; x < n; x += 16) {
			vf I = frame_load(measured, is16, ((size_t)window[b].z * n + r) * n + x,
					  n - x);
			vf A = amplitude(wave, background,
					 (size_t)b * modes * n * n + (size_t)r * n + x, r * n + x,
					 n, modes, n - x);
			vf e = A - sqrt(max(I, vf_set(0))), zero = vf_set(0), one = vf_set(1);

			square += CHOOSE(I >= 0, e * e, zero);
			pixels += CHOOSE(I >= 0, one, zero);
		}
	float s = lanes_sum(square, part), c = lanes_sum(pixels, part);

	if (in && l == 0) {
		rows[((size_t)b * n + r) * SUMS] = s;
		rows[((size_t)b * n + r) * SUMS + 1] = c;
	}
}

/* F becomes F A' / (A + 1e-9) / n^2, A' = A + (A - d)(f - 1) where valid, else A; f [count] */
kernel void projection_relax(global float2 *restrict wave, global const void *restrict measured,
			     global const float *restrict background, global const int4 *restrict window, global const float *restrict f,
			     int n, int modes, int count, int is16)
{
	int x = VEC * get_global_id(0), r = get_global_id(1), b = get_global_id(2);

	if (x >= n || r >= n || b >= count)
		return;
	size_t at = (size_t)b * modes * n * n + (size_t)r * n + x;
	vf I = frame_load(measured, is16, ((size_t)window[b].z * n + r) * n + x, n - x);
	vf A = amplitude(wave, background, at, r * n + x, n, modes, n - x);
	vf e = (A - sqrt(max(I, vf_set(0)))) * (f[b] - 1), k = A + CHOOSE(I >= 0, e, vf_set(0));

	k = k / (A + 1e-9f) * (1.0f / ((float)n * n));
	for (int m = 0; m < modes; m++) {
		global float2 *p = wave + at + (size_t)m * n * n;

		vc_store(p, n - x, vc_scale(k, vc_load(p, n - x)));
	}
}

/* ---- from sums over all frames, x and num [items][total], den [total] */

/* num = (c x + num) / (c + den) where den > 0, else x */
kernel void projection_blend(global float2 *restrict num, global const float2 *restrict x,
			     global const float *restrict den, ulong total, int items, float c)
{
	size_t i = (size_t)VEC * get_global_id(0);
	int m = get_global_id(1);

	if (i >= total || m >= items)
		return;
	int left = (int)min(total - i, (ulong)VEC);
	size_t at = m * total + i;
	vf d = vf_load(den + i, left), zero = vf_set(0), one = vf_set(1);
	vi any = d > 0;
	vf k = 1 / CHOOSE(any, c + d, one);
	vc old = vc_load(x + at, left), s = vc_load(num + at, left), v;

	v.x = CHOOSE(any, (c * old.x + s.x) * k, old.x);
	v.y = CHOOSE(any, (c * old.y + s.y) * k, old.y);
	vc_store(num + at, left, v);
}

/* num = x + num / (c + den), c > 0 */
kernel void projection_add(global float2 *restrict num, global const float2 *restrict x,
			   global const float *restrict den, ulong total, int items, float c)
{
	size_t i = (size_t)VEC * get_global_id(0);
	int m = get_global_id(1);

	if (i >= total || m >= items)
		return;
	int left = (int)min(total - i, (ulong)VEC);
	size_t at = m * total + i;
	vf k = 1 / (c + vf_load(den + i, left));

	vc_store(num + at, left,
		 vc_add(vc_load(x + at, left), vc_scale(k, vc_load(num + at, left))));
}
