/* Updates of the sequential engines (spec: epie, rpie, wasp, lsqml).  Tiles as in ptycho_gather_object. */
#include "ptycho.clh"

/* O += U / ((1 - a) W + a most) where W > 0 */
kernel void ptycho_pie_object(global float2 *restrict object, global const float2 *restrict U, global const float *restrict W,
			      global const int4 *restrict tile, int tiles, int height, int width, float a, float most)
{
	int t = get_global_id(2);

	if (t >= tiles)
		return;
	int y = tile[t].x + ROWS * (int)get_global_id(1), x = tile[t].y + VEC * (int)get_global_id(0);
	int end = min(y + ROWS, height);

	if (x >= width)
		return;
	size_t next = next_tile(tile, t, tiles, width);

	for (; y < end; y++) {
		size_t i = (size_t)y * width + x;

		FETCH_WRITE(object + next);
		FETCH_WRITE(object + next + 8);
		next += width;
		vf w = vf_load(W + i, width - x), den = (1 - a) * w + a * most;
		vf k = CHOOSE(w > 0, 1 / CHOOSE(den > 0, den, vf_set(1)), vf_set(0));

		vc_store(object + i, width - x, vc_add(vc_load(object + i, width - x), vc_scale(k, vc_load(U + i, width - x))));
	}
}

/* P_m += g_m / ((1 - b) V + b most) */
kernel void ptycho_pie_probe(global float2 *restrict probe, global const float2 *restrict g, global const float *restrict V,
			     int n, int modes, float b, float most)
{
	int x = VEC * get_global_id(0), r = get_global_id(1);

	if (x >= n || r >= n)
		return;
	size_t at = (size_t)r * n + x;
	vf den = (1 - b) * vf_load(V + at, n - x) + b * most, k = 1 / CHOOSE(den > 0, den, vf_set(1));

	for (int m = 0; m < modes; m++) {
		global float2 *p = probe + (size_t)m * n * n + at;

		FETCH_WRITE(p + AHEAD * n);
		FETCH_WRITE(p + AHEAD * n + 8);
		vc_store(p, n - x, vc_add(vc_load(p, n - x), vc_scale(k, vc_load(g + (size_t)m * n * n + at, n - x))));
	}
}

/* wasp, U and W as of ptycho_gather_object with the O of the batch's start: nO += U + O W (which is sum P* psi'), dO += W; then
 * O += U / 2 / (mean + W) if update */
kernel void ptycho_wasp_object(global float2 *restrict object, global float2 *restrict nO, global float *restrict dO,
			       global const float2 *restrict probes, global const float2 *restrict wave,
			       global const int4 *restrict window, global const float4 *restrict par,
			       global const int4 *restrict tile, global const int *restrict cover, int tiles, int n, int modes,
			       int height, int width, int count, int step, float mean, int update)
{
	int t = get_global_id(2);

	if (t >= tiles)
		return;
	int y = tile[t].x + ROWS * (int)get_global_id(1), x = tile[t].y + VEC * (int)get_global_id(0);
	int end = min(y + ROWS, height);

	if (x >= width)
		return;
	size_t next = next_tile(tile, t, tiles, width);
	gathered s;

	for (int j = 0; j < ROWS; j++) {
		s.u[j] = vc_zero();
		s.w[j] = vf_set(0);
	}
	gather(&s, probes, wave, window, par, tile[t], cover, y, x, n, modes, step, count, 3);
	for (int j = 0; y + j < end; j++) {
		size_t i = (size_t)(y + j) * width + x;
		vc u = s.u[j], o = vc_load(object + i, width - x);
		vf w = s.w[j];

		FETCH_WRITE(object + next);
		FETCH_WRITE(object + next + 8);
		FETCH_WRITE(nO + next);
		FETCH_WRITE(nO + next + 8);
		FETCH_WRITE(dO + next);
		next += width;
		vc_store(nO + i, width - x, vc_add(vc_load(nO + i, width - x), vc_add(u, vc_scale(w, o))));
		vf_store(dO + i, width - x, vf_load(dO + i, width - x) + w);
		if (update)
			vc_store(object + i, width - x, vc_add(o, vc_scale(0.5f / (mean + w), u)));
	}
}

/* wasp, with the O and P of the batch's start, g = sum_k w_k conj(O_k) wave_km, V = sum_k w_k^2 |O_k|^2: nP += g + P V, dP += V,
 * next_m = P_m + g_m / (V + c), c beta times the frames of the batch */
kernel void ptycho_wasp_probe(global float2 *restrict nP, global float *restrict dP, global float2 *restrict next,
			      global const float2 *restrict probe, global const float2 *restrict object,
			      global const float2 *restrict wave, global const int4 *restrict window,
			      global const float4 *restrict par, int n, int modes, int width, int count, float c)
{
	int x = VEC * get_global_id(0), r = get_global_id(1);

	if (x >= n || r >= n)
		return;
	size_t at = (size_t)r * n + x;
	vf v = vf_set(0), k;

	for (int m = 0; m < modes; m++) {
		size_t i = (size_t)m * n * n + at;
		vc old = vc_load(probe + i, n - x);

		FETCH_WRITE(next + i);
		FETCH_WRITE(next + i + 8);
		vc g = gather_probe(vc_zero(), &v, object, wave, window, par, r, x, m, n, modes, width, count, 1);

		if (m == 0) {
			k = 1 / CHOOSE(v + c > 0, v + c, vf_set(1));
			vf_store(dP + at, n - x, vf_load(dP + at, n - x) + v);
		}
		vc_store(nP + i, n - x, vc_add(vc_load(nP + i, n - x), vc_add(g, vc_scale(v, old))));
		vc_store(next + i, n - x, vc_add(old, vc_scale(k, g)));
	}
}

/* The same with g and V at hand, where sub-pixel shifts make the product P V wrong: nP += g, and next, which holds g, becomes the probe. */
kernel void ptycho_wasp_shifted(global float2 *restrict nP, global float *restrict dP, global float2 *restrict next,
				global const float2 *restrict probe, global const float *restrict V, int n, int modes, float c)
{
	int x = VEC * get_global_id(0), r = get_global_id(1);

	if (x >= n || r >= n)
		return;
	size_t at = (size_t)r * n + x;
	vf v = vf_load(V + at, n - x), k = 1 / CHOOSE(v + c > 0, v + c, vf_set(1));

	vf_store(dP + at, n - x, vf_load(dP + at, n - x) + v);
	for (int m = 0; m < modes; m++) {
		size_t i = (size_t)m * n * n + at;
		vc g = vc_load(next + i, n - x);

		vc_store(nP + i, n - x, vc_add(vc_load(nP + i, n - x), g));
		vc_store(next + i, n - x, vc_add(vc_load(probe + i, n - x), vc_scale(k, g)));
	}
}

/* a = nominator / (denominator + floor) where denominator > least, planes of n elements */
kernel void ptycho_quotient(global float2 *restrict a, global const float2 *restrict num, global const float *restrict den,
			    int n, int planes, float floor, float least)
{
	int x = VEC * get_global_id(0), m = get_global_id(1);

	if (x >= n || m >= planes)
		return;
	size_t i = (size_t)m * n + x;
	vf d = vf_load(den + x, n - x), k = 1 / CHOOSE(d > least, d + floor, vf_set(1));
	vc old = vc_load(a + i, n - x), v = vc_scale(k, vc_load(num + i, n - x));

	v.x = CHOOSE(d > least, v.x, old.x);
	v.y = CHOOSE(d > least, v.y, old.y);
	vc_store(a + i, n - x, v);
}

/* ---- lsqml */

/* U /= sqrt(W^2 + (delta most)^2) in the tiles: the direction of the object */
kernel void ptycho_lsq_direction(global float2 *restrict U, global const float *restrict W, global const int4 *restrict tile,
				 int tiles, int height, int width, float floor)
{
	int t = get_global_id(2);

	if (t >= tiles)
		return;
	int y = tile[t].x + ROWS * (int)get_global_id(1), x = tile[t].y + VEC * (int)get_global_id(0);
	int end = min(y + ROWS, height);

	if (x >= width)
		return;
	for (; y < end; y++) {
		size_t i = (size_t)y * width + x;
		vf w = vf_load(W + i, width - x), k = 1 / sqrt(w * w + floor * floor);

		vc_store(U + i, width - x, vc_scale(k, vc_load(U + i, width - x)));
	}
}

/* to += k U in the tiles */
kernel void ptycho_add_tiles(global float2 *restrict to, global const float2 *restrict U, global const int4 *restrict tile,
			     int tiles, int height, int width, float k)
{
	int t = get_global_id(2);

	if (t >= tiles)
		return;
	int y = tile[t].x + ROWS * (int)get_global_id(1), x = tile[t].y + VEC * (int)get_global_id(0);
	int end = min(y + ROWS, height);

	if (x >= width)
		return;
	for (; y < end; y++) {
		size_t i = (size_t)y * width + x;

		vc_store(to + i, width - x, vc_add(vc_load(to + i, width - x), vc_scale(vf_set(k), vc_load(U + i, width - x))));
	}
}

/* P += k g, n elements */
kernel void ptycho_add(global float2 *restrict to, global const float2 *restrict g, int n, float k)
{
	int x = VEC * get_global_id(0);

	if (x < n)
		vc_store(to + x, n - x, vc_add(vc_load(to + x, n - x), vc_scale(vf_set(k), vc_load(g + x, n - x))));
}

/* With x = w_k dO P and y = w_k scale dP O, rows [count][n][8] = sum |x|^2, |y|^2, Re x y*, Im x y*, Re x* chi, Re y* chi over modes. */
kernel void ptycho_lsq_rows(global float *restrict rows, global const float2 *restrict wave,
			    global const float2 *restrict probes, global const float2 *restrict dP,
			    global const float2 *restrict object, global const float2 *restrict dO,
			    global const int4 *restrict window, global const float4 *restrict par, int n, int modes,
			    int width, int count, int step, int step_dP, float scale, local float *part)
{
	int l = VEC * get_global_id(0), r = get_global_id(1), b = get_global_id(2), in = r < n && b < count;
	vf sum[6];

	for (int i = 0; i < 6; i++)
		sum[i] = vf_set(0);
	if (in)
		for (int c = l; c < n; c += 16) {
			size_t at = (size_t)(window[b].x + r) * width + window[b].y + c;
			vc d = vc_scale(vf_set(par[b].z), vc_load(dO + at, n - c));
			vc o = vc_scale(vf_set(par[b].z * scale), vc_load(object + at, n - c));

			for (int m = 0; m < modes; m++) {
				size_t i = ((size_t)m * n + r) * n + c;
				vc chi = vc_load(wave + (size_t)b * modes * n * n + i, n - c);
				vc x = vc_mul(d, vc_load(probes + (size_t)b * step + i, n - c));
				vc y = vc_mul(o, vc_load(dP + (size_t)b * step_dP + i, n - c));

				sum[0] += vc_norm(x);
				sum[1] += vc_norm(y);
				sum[2] += vc_dot(x, y);
				sum[3] += x.y * y.x - x.x * y.y;
				sum[4] += vc_dot(x, chi);
				sum[5] += vc_dot(y, chi);
			}
		}
	for (int i = 0; i < 6; i++) {
		float s = lanes_sum(sum[i], part);

		if (in && l == 0)
			rows[((size_t)b * n + r) * SUMS + i] = s;
	}
}
