/* Ptychography: exit waves, the detector plane, sums on canvas and probe (spec: engines).  Transforms are unnormalised, the detector
 * kernels bring the 1 / n^2.  window: (row, column, slot in `measured`, frame); par: (fraction row, column, w_k, alpha_k). */
#include "ptycho.clh"

/* wave = (or +=) w_k P_km O in each window; probes of a frame are `step` elements apart (0: all the same) */
kernel void ptycho_waves(global float2 *restrict wave, global const float2 *restrict probes,
			 global const float2 *restrict object, global const int4 *restrict window,
			 global const float4 *restrict par, int n, int modes, int width, int count, int step, int add)
{
	int l = VEC * get_global_id(0), r = get_global_id(1), b = get_global_id(2);

	if (r >= n || b >= count)
		return;
	int4 at = window[b];
	float k = par[b].z;
	size_t all = (size_t)modes * n * n;

	for (int x = l; x < n; x += 16) {
		global const float2 *from = object + (size_t)(at.x + r) * width + at.y + x;
		vc o = vc_scale(vf_set(k), vc_load(from, n - x));

		FETCH(from + AHEAD * width);
		FETCH(from + AHEAD * width + 8);
		for (int m = 0; m < modes; m++) {
			size_t i = ((size_t)m * n + r) * n + x;
			global float2 *to = wave + b * all + i;

			FETCH_WRITE(to + AHEAD * n);
			FETCH_WRITE(to + AHEAD * n + 8);
			vc v = vc_mul(vc_load(probes + (size_t)b * step + i, n - x), o);

			if (add)
				v = vc_add(v, vc_load(to, n - x));
			vc_store(to, n - x, v);
		}
	}
}

/* sum_m |F_m|^2 */
static inline vf intensity(global const float2 *wave, size_t at, int plane, int modes, int n)
{
	vf m = vf_set(0);

	for (int i = 0; i < modes; i++)
		m += vc_norm(vc_load(wave + at + (size_t)i * plane, n));
	return m;
}

static inline void scale_modes(global float2 *wave, size_t at, int plane, int modes, int n, vf k)
{
	for (int i = 0; i < modes; i++) {
		global float2 *p = wave + at + (size_t)i * plane;

		vc_store(p, n, vc_scale(k, vc_load(p, n)));
	}
}

/* Amplitude replacement: F (d / (A + 1e-9) - 1) / n^2 where valid, else 0, if update; rows [count][n][8] the sums of the errors:
 * |A - d|, d, (A - d)^2, I, deviance, valid pixels, what the beam and what the background give to m. */
kernel void ptycho_replace(global float2 *restrict wave, global const void *restrict measured,
			   global const float *restrict background, global const int4 *restrict window, global float *restrict rows, int n, int modes, int count,
			   int is16, int update, local float *part)
{
	int l = VEC * get_global_id(0), r = get_global_id(1), b = get_global_id(2), in = r < n && b < count;
	float scale = 1.0f / ((float)n * n);
	vf sum[8];

	for (int i = 0; i < 8; i++)
		sum[i] = vf_set(0);
	if (in)
		for (int x = l; x < n; x += 16) {
			size_t at = (size_t)b * modes * n * n + (size_t)r * n + x;
			vf I = frame_load(measured, is16, ((size_t)window[b].z * n + r) * n + x, n - x);
			vf beam = scale * intensity(wave, at, n * n, modes, n - x);
			vf other = background_at(background, (size_t)r * n + x, n - x), m = beam + other;
			vf A = sqrt(m), d = sqrt(max(I, vf_set(0))), e = fabs(A - d), one = vf_set(1), zero = vf_set(0);
			vf q = d / (A + 1e-9f);
			vi valid = I >= 0;

			if (update)
				scale_modes(wave, at, n * n, modes, n - x,
					    CHOOSE(valid, scale * (q - 1), zero));
			sum[0] += CHOOSE(valid, e, zero);
			sum[1] += d;
			sum[2] += CHOOSE(valid, e * e, zero);
			sum[3] += max(I, zero);
			sum[4] += CHOOSE(valid, deviance(A, d, q), zero);
			sum[5] += CHOOSE(valid, one, zero);
			sum[6] += CHOOSE(valid, beam, zero);
			sum[7] += CHOOSE(valid, other, zero);
		}
	for (int i = 0; i < 8; i++) {
		float s = lanes_sum(sum[i], part);

		if (in && l == 0)
			rows[((size_t)b * n + r) * SUMS + i] = s;
	}
}

/* ratio (+)= sum_k I / m, frames (+)= number of k, where pixels are valid: the background becomes ratio / frames times itself, which is
 * Richardson and Lucy's step to a larger likelihood. */
kernel void ptycho_background(global float *restrict ratio, global float *restrict frames,
			      global const float2 *restrict wave, global const void *restrict measured,
			      global const float *restrict background, global const int4 *restrict window, int n, int modes,
			      int count, int is16)
{
	int x = VEC * get_global_id(0), r = get_global_id(1);
	size_t at = (size_t)r * n + x;
	float scale = 1.0f / ((float)n * n);

	if (x >= n || r >= n)
		return;
	vf s = vf_load(ratio + at, n - x), c = vf_load(frames + at, n - x), other = background_at(background, at, n - x);

	for (int b = 0; b < count; b++) {
		vf I = frame_load(measured, is16, (size_t)window[b].z * n * n + at, n - x);
		vf m = other + scale * intensity(wave, (size_t)b * modes * n * n + at, n * n, modes, n - x);

		s += CHOOSE(I >= 0, I / max(m, vf_set(1e-6f)), vf_set(0));
		c += CHOOSE(I >= 0, vf_set(1), vf_set(0));
	}
	vf_store(ratio + at, n - x, s);
	vf_store(frames + at, n - x, c);
}

/* Poisson: xi = 1 - I / (m + 1e-3) where valid.  Pass 0 (after ptycho_replace without update): rows 0, 1 = sum xi^2 m and the sum of the
 * fixed point, sum xi (m - I / max(1 - alpha xi, 1e-6)); pass 1: the same with the next alpha; pass 2: F becomes -alpha xi F / n^2. */
kernel void ptycho_xi(global float2 *restrict wave, global const void *restrict measured,
		      global const float *restrict background, global const int4 *restrict window, global const float4 *restrict par, global float *restrict rows,
		      int n, int modes, int count, int is16, int pass, local float *part)
{
	int l = VEC * get_global_id(0), r = get_global_id(1), b = get_global_id(2), in = r < n && b < count;
	float scale = 1.0f / ((float)n * n), alpha = in ? par[b].w : 0;
	vf den = vf_set(0), fix = vf_set(0);

	if (in)
		for (int x = l; x < n; x += 16) {
			size_t at = (size_t)b * modes * n * n + (size_t)r * n + x;
			vf I = frame_load(measured, is16, ((size_t)window[b].z * n + r) * n + x, n - x);
			vf m = scale * intensity(wave, at, n * n, modes, n - x) +
			       background_at(background, (size_t)r * n + x, n - x);
			vf xi = CHOOSE(I >= 0, 1 - I / (m + 1e-3f), vf_set(0));

			if (pass == 2) {
				scale_modes(wave, at, n * n, modes, n - x, -alpha * scale * xi);
				continue;
			}
			den += xi * xi * m;
			fix += xi * (m - I / max(1 - alpha * xi, vf_set(1e-6f)));
		}
	if (pass == 2)
		return;
	float s = lanes_sum(den, part), t = lanes_sum(fix, part);

	if (in && l == 0) {
		rows[((size_t)b * n + r) * SUMS] = s;
		rows[((size_t)b * n + r) * SUMS + 1] = t;
	}
}

/* U (+)= sum_k w_k sum_m conj(P_km) wave_km, W (+)= sum_k w_k^2 sum_m |P_km|^2 in the tiles; what: 1 U, 2 W, 3 both */
kernel void ptycho_gather_object(global float2 *restrict U, global float *restrict W, global const float2 *restrict probes,
				 global const float2 *restrict wave, global const int4 *restrict window,
				 global const float4 *restrict par, global const int4 *restrict tile,
				 global const int *restrict cover, int tiles, int n, int modes, int height, int width,
				 int count, int step, int fresh, int what)
{
	int t = get_global_id(2);

	if (t >= tiles)
		return;
	int y = tile[t].x + ROWS * (int)get_global_id(1), x = tile[t].y + VEC * (int)get_global_id(0);
	int rows = min(ROWS, height - y);

	if (x >= width)
		return;
	size_t to = (size_t)y * width + x, next = next_tile(tile, t, tiles, width);
	gathered s;

	for (int j = 0; j < rows; j++) {
		s.u[j] = vc_zero();
		s.w[j] = vf_set(0);
		if (!fresh && (what & 1))
			s.u[j] = vc_load(U + to + (size_t)j * width, width - x);
		if (!fresh && (what & 2))
			s.w[j] = vf_load(W + to + (size_t)j * width, width - x);
	}
	gather(&s, probes, wave, window, par, tile[t], cover, y, x, n, modes, step, count, what);
	for (int j = 0; j < rows; j++, next += width) {
		if (what & 1) {
			FETCH_WRITE(U + next);
			FETCH_WRITE(U + next + 8);
			vc_store(U + to + (size_t)j * width, width - x, s.u[j]);
		}
		if (what & 2) {
			FETCH_WRITE(W + next);
			vf_store(W + to + (size_t)j * width, width - x, s.w[j]);
		}
	}
}

/* top [tiles] = max of W there */
kernel void ptycho_tile_max(global float *restrict top, global const float *restrict W, global const int4 *restrict tile,
			    int tiles, int height, int width)
{
	int t = get_global_id(2) * get_global_size(0) + get_global_id(0);
	vf most = vf_set(0);

	if (t >= tiles)
		return;
	for (int y = tile[t].x; y < min(tile[t].x + TILE, height); y++)
		for (int x = tile[t].y; x < min(tile[t].y + TILE, width); x += VEC)
			most = max(most, vf_load(W + (size_t)y * width + x, width - x));
	top[t] = vf_max(most);
}

/* g_m (+)= sum_k w_k conj(O_k) wave_km, V (+)= sum_k w_k^2 |O_k|^2; what: 1 g, 2 V, 3 both */
kernel void ptycho_gather_probe(global float2 *restrict g, global float *restrict V, global const float2 *restrict object,
				global const float2 *restrict wave, global const int4 *restrict window,
				global const float4 *restrict par, int n, int modes, int width, int count, int fresh,
				int what)
{
	int x = VEC * get_global_id(0), r = get_global_id(1);
	size_t at = (size_t)r * n + x;

	if (x >= n || r >= n)
		return;
	vf v = vf_set(0);

	if (!fresh && (what & 2))
		v = vf_load(V + at, n - x);
	for (int m = 0; m < ((what & 1) ? modes : 1); m++) {
		size_t i = (size_t)m * n * n + at;
		vc a = vc_zero();

		if (!fresh && (what & 1))
			a = vc_load(g + i, n - x);
		a = gather_probe(a, &v, object, wave, window, par, r, x, m, n, modes, width, count, what & 1);
		if (what & 1)
			vc_store(g + i, n - x, a);
	}
	if (what & 2)
		vf_store(V + at, n - x, v);
}

/* ---- sub-pixel shifts, exp(-+ 2 pi i (f_y u + f_x v)) in Fourier space */
static inline vc shift_phase(float4 par, int r, int x, int n)
{
	float u = (float)(r < (n + 1) / 2 ? r : r - n) / n;
	vi c = x + LANE;
	vf v = vi_float(CHOOSE(c < (n + 1) / 2, c, c - n)) / (float)n;

	return vp_cis(vp_of(-(par.x * u + par.y * v)));
}

/* shifted_km = F_m exp(-2 pi i ..) / n^2 */
kernel void ptycho_shift(global float2 *restrict shifted, global const float2 *restrict f, global const float4 *restrict par,
			 int n, int modes, int count)
{
	int x = VEC * get_global_id(0), r = get_global_id(1), b = get_global_id(2);

	if (x >= n || r >= n || b >= count)
		return;
	vc p = vc_scale(vf_set(1.0f / ((float)n * n)), shift_phase(par[b], r, x, n));

	for (int m = 0; m < modes; m++) {
		size_t i = ((size_t)m * n + r) * n + x;

		vc_store(shifted + (size_t)b * modes * n * n + i, n - x, vc_mul(p, vc_load(f + i, n - x)));
	}
}

/* to_km = w_k conj(O_k) wave_km; to may be wave */
kernel void ptycho_conj_object(global float2 *to, global const float2 *restrict object,
			       global const float2 *wave, global const int4 *restrict window,
			       global const float4 *restrict par, int n, int modes, int width, int count)
{
	int x = VEC * get_global_id(0), r = get_global_id(1), b = get_global_id(2);

	if (x >= n || r >= n || b >= count)
		return;
	vc o = vc_load(object + (size_t)(window[b].x + r) * width + window[b].y + x, n - x);

	o = vc_scale(vf_set(par[b].z), o);
	for (int m = 0; m < modes; m++) {
		size_t i = (((size_t)b * modes + m) * n + r) * n + x;

		vc_store(to + i, n - x, vc_cmul(o, vc_load(wave + i, n - x)));
	}
}

/* g_m (+)= sum_k exp(+2 pi i ..) T_km / n^2 */
kernel void ptycho_unshift(global float2 *restrict g, global const float2 *restrict T, global const float4 *restrict par,
			   int n, int modes, int count, int fresh)
{
	int x = VEC * get_global_id(0), r = get_global_id(1), m = get_global_id(2);

	if (x >= n || r >= n || m >= modes)
		return;
	size_t i = ((size_t)m * n + r) * n + x;
	vf scale = vf_set(1.0f / ((float)n * n));
	vc a = vc_zero();

	if (!fresh)
		a = vc_load(g + i, n - x);
	for (int b = 0; b < count; b++) {
		vc t = vc_load(T + (size_t)b * modes * n * n + i, n - x);

		a = vc_add(a, vc_scale(scale, vc_cmul(shift_phase(par[b], r, x, n), t)));
	}
	vc_store(g + i, n - x, a);
}
