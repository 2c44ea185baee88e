/* Maximum likelihood of ptychography: gradient weights and the line search (spec: ml; Thibault &
 * Guizar-Sicairos 2012).  Transforms are raw, F = n Psi. */
#include "ptycho.clh"

enum { GAUSS, POISSON, EUCLID }; /* of lib/ptycho/engine.h */

/* xi of the model intensity m: half the derivative of the likelihood by |Psi|^2 */
static inline vf ml_xi(vf I, vf m, int noise, float low)
{
	if (noise == POISSON)
		return 1 - I / (m + low);
	if (noise == GAUSS)
		return (m - I) / (1 + I);
	return 1 - sqrt(I) / sqrt(m + low);
}

/* F becomes 2 xi F / n^2, 0 where invalid */
kernel void ml_weight(global float2 *restrict wave, global const void *restrict measured,
		      global const float *restrict background, global const int4 *restrict window, int n, int modes, int count, int is16,
		      int noise, float low)
{
	int x = VEC * get_global_id(0), r = get_global_id(1), b = get_global_id(2);

	if (x >= n || r >= n || b >= count)
		return;
	size_t at = (size_t)b * modes * n * n + (size_t)r * n + x;
	float scale = 1.0f / ((float)n * n);
	vf I = frame_load(measured, is16, ((size_t)window[b].z * n + r) * n + x, n - x),
	   m = vf_set(0), k;

	for (int i = 0; i < modes; i++)
		m += vc_norm(vc_load(wave + at + (size_t)i * n * n, n - x));
	m = scale * m + background_at(background, (size_t)r * n + x, n - x);
	k = ml_xi(max(I, vf_set(0)), m, noise, low);
	k = 2 * scale * CHOOSE(I >= 0, k, vf_set(0));
	for (int i = 0; i < modes; i++) {
		global float2 *p = wave + at + (size_t)i * n * n;

		vc_store(p, n - x, vc_scale(k, vc_load(p, n - x)));
	}
}

/* h = beta h - k g [total] */
kernel void ml_direction(global float2 *restrict h, global const float2 *restrict g, ulong total,
			 float beta, float k)
{
	size_t i = (size_t)VEC * get_global_id(0);

	if (i >= total)
		return;
	int left = (int)min(total - i, (ulong)VEC);
	vc v = vc_scale(vf_set(k), vc_load(g + i, left));

	vc_store(h + i, left, vc_sub(vc_scale(vf_set(beta), vc_load(h + i, left)), v));
}

/* x += t h [total] */
kernel void ml_step(global float2 *restrict x, global const float2 *restrict h, ulong total,
		    float t)
{
	size_t i = (size_t)VEC * get_global_id(0);

	if (i >= total)
		return;
	int left = (int)min(total - i, (ulong)VEC);

	vc_store(x + i, left,
		 vc_add(vc_load(x + i, left), vc_scale(vf_set(t), vc_load(h + i, left))));
}

/* a = w_k (P h_O + h_P O), b = w_k h_P h_O; both = 0: h_P is 0 and b is not written */
kernel void ml_change(global float2 *restrict a, global float2 *restrict b,
		      global const float2 *restrict probes, global const float2 *restrict h_probes,
		      global const float2 *restrict object, global const float2 *restrict h_object,
		      global const int4 *restrict window, global const float4 *restrict par, int n,
		      int modes, int width, int count, int step, int both)
{
	int x = VEC * get_global_id(0), r = get_global_id(1), k = get_global_id(2);

	if (x >= n || r >= n || k >= count)
		return;
	size_t at = (size_t)(window[k].x + r) * width + window[k].y + x;
	vf w = vf_set(par[k].z);
	vc o = vc_scale(w, vc_load(object + at, n - x)),
	   ho = vc_scale(w, vc_load(h_object + at, n - x));

	for (int m = 0; m < modes; m++) {
		size_t i = ((size_t)m * n + r) * n + x, to = (size_t)k * modes * n * n + i;
		vc v = vc_mul(vc_load(probes + (size_t)k * step + i, n - x), ho), hp;

		if (both) {
			hp = vc_load(h_probes + (size_t)k * step + i, n - x);
			v = vc_add(v, vc_mul(hp, o));
			vc_store(b + to, n - x, vc_mul(hp, ho));
		}
		vc_store(a + to, n - x, v);
	}
}

/* Of the likelihood along the line, in rows 0, 1, 2: sum x A1, sum (x A2 + c), sum (|x A2| + c)
 * with A0 = |f|^2, A1 = 2 Re f a*, A2 = |a|^2 + 2 Re f b*, summed over modes. */
kernel void ml_line(global const float2 *restrict f, global const float2 *restrict a,
		    global const float2 *restrict b, global const void *restrict measured,
		    global const float *restrict background, global const int4 *restrict window, global float *restrict rows, int n,
		    int modes, int count, int is16, int noise, float low, int both,
		    local float *part)
{
	int l = VEC * get_global_id(0), r = get_global_id(1), k = get_global_id(2),
	    in = r < n && k < count;
	float scale = 1.0f / ((float)n * n);
	vf sum[3];

	for (int i = 0; i < 3; i++)
		sum[i] = vf_set(0);
	if (in)
		for (int x = l; x < n; x += 16) {
			size_t at = (size_t)k * modes * n * n + (size_t)r * n + x;
			vf I = frame_load(measured, is16, ((size_t)window[k].z * n + r) * n + x,
					  n - x),
			   zero = vf_set(0);
			vf A0 = zero, A1 = zero, A2 = zero, w, c, q;
			vi valid = I >= 0;

			I = max(I, zero);
			for (int m = 0; m < modes; m++, at += (size_t)n * n) {
				vc u = vc_load(f + at, n - x), v = vc_load(a + at, n - x);

				A0 += vc_norm(u);
				A1 += 2 * vc_dot(u, v);
				A2 += vc_norm(v);
				if (both)
					A2 += 2 * vc_dot(u, vc_load(b + at, n - x));
			}
			A0 = scale * A0 + background_at(background, (size_t)r * n + x, n - x);
			A1 *= scale;
			A2 *= scale;
			w = ml_xi(I, A0, noise, low);
			q = A1 / (A0 + low);
			if (noise == POISSON) {
				c = 0.5f * I * q * q;
			} else if (noise == GAUSS) {
				w = 2 * w;
				c = A1 * A1 / (1 + I);
			} else {
				c = 0.25f * sqrt(I) * q * q * sqrt(A0 + low);
			}
			sum[0] += CHOOSE(valid, w * A1, zero);
			sum[1] += CHOOSE(valid, w * A2 + c, zero);
			sum[2] += CHOOSE(valid, fabs(w * A2) + c, zero);
		}
	for (int i = 0; i < 3; i++) {
		float s = lanes_sum(sum[i], part);

		if (in && l == 0)
			rows[((size_t)k * n + r) * SUMS + i] = s;
	}
}
