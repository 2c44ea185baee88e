/* Thin-object transfer functions under a tilted condenser and their regularised inverse: spec sections 3 and 4.  A
 * work-item takes VEC columns. */
#include "tilt.clh"

/* d = p^power exp(2 pi i z gamma) for each slot's z */
kernel void tilt_wave(global float2 *restrict d, global const float *restrict p, global const float2 *restrict gamma,
		      global const float2 *restrict z, int mx, int my, int rx, int ry, int rows, int rows_lo, int slots,
		      int d_first, int power)
{
	int x = VEC * get_global_id(0), r = get_global_id(1), s = get_global_id(2);

	if (x >= mx || r >= rows || s >= slots)
		return;
	int y = row_bin(r, rows, rows_lo, my), iy = abs(signed_bin(y, my));
	vc v = vc_zero();

	if (iy <= ry) {
		vf a = vf_even(p + iy * (rx + 1), x, mx, rx);

		v = vp_cis(vp_mul(vc_even(gamma + iy * (rx + 1), x, mx, rx), vp_spread(z[s])));
		v = vc_scale(power == 2 ? a * a : a, v);
	}
	vc_store(d + ((size_t)(d_first + s) * my + y) * mx + x, mx - x, v);
}

/* S = 1 / (1 + exp(-arg)) inside the sphere of propagating waves; arg = c0 ix + c1 iy + c2 gamma + c3 (pairs, per
 * slot: the tilted direction times 4 / df).  Rows are packed: [slots][rows][mx]. */
kernel void tilt_source(global float *restrict source, global const float2 *restrict gamma,
			global const float2 *restrict coef, int mx, int my, int rx, int ry, int rows, int rows_lo,
			int slots)
{
	int x = VEC * get_global_id(0), r = get_global_id(1), s = get_global_id(2);

	if (x >= mx || r >= rows || s >= slots)
		return;
	int fy = signed_bin(row_bin(r, rows, rows_lo, my), my), iy = abs(fy);
	vf v = vf_set(0);

	if (iy <= ry) {
		vc g = vc_even(gamma + iy * (rx + 1), x, mx, rx), a;
		global const float2 *c = coef + 4 * s;
		vi i = x + LANE, fx = CHOOSE(i < (mx + 1) / 2, i, i - mx);
		float2 row = pair_add(pair_mul(c[1], (pair)(fy, 0)), c[3]);

#if VEC == 16
		a = vp_of(convert_float16(fx));
#else
		a = vp_of((float)fx);
#endif
		a = vp_add(vp_mul(vp_spread(c[0]), a), vp_spread(row));
		a = vp_add(vp_mul(vp_spread(c[2]), g), a);
		v = CHOOSE(g.x > 0, 1 / (1 + exp(-vp_value(a))), vf_set(0));
	}
	vf_store(source + ((size_t)s * rows + r) * mx + x, mx - x, v);
}

/* Partial sums of S P^4 (power 4) or S P^2: lane l of a row adds columns l, l + LANES ...; the host adds lanes and rows. */
kernel void tilt_source_sum(global float2 *restrict sum, global const float *restrict source,
			    global const float *restrict p, int mx, int my, int rx, int ry, int rows, int rows_lo,
			    int slots, int power)
{
	int r = get_global_id(0), l = VEC * get_global_id(1), s = get_global_id(2);

	if (l >= LANES || r >= rows || s >= slots)
		return;
	int iy = abs(signed_bin(row_bin(r, rows, rows_lo, my), my));
	size_t row = (size_t)s * rows + r;
	vc a = vc_zero();

	if (iy <= ry)
		for (int x = l; x < mx; x += LANES) {
			vf v = vf_even(p + iy * (rx + 1), x, mx, rx);

			v *= v;
			a = vp_acc(a, vf_load(source + row * mx + x, mx - x) * (power == 4 ? v * v : v));
		}
	vc_store(sum + row * LANES + l, VEC, a);
}

/* a = S d for the slots from a_first, s_first, d_first; all share one d if d_step is 0.  S is packed to `packed` rows,
 * of which those beyond are zero. */
kernel void tilt_source_wave(global float2 *restrict a, global const float *restrict source,
			     global const float2 *restrict d, int mx, int my, int rows, int rows_lo, int slots,
			     int a_first, int s_first, int d_first, int d_step, int packed)
{
	int x = VEC * get_global_id(0), r = get_global_id(1), s = get_global_id(2);

	if (x >= mx || r >= rows || s >= slots)
		return;
	int y = row_bin(r, rows, rows_lo, my), k = r;
	vf v = vf_set(0);

	if (rows > packed) /* every row is written: find the packed one */
		k = y < rows_lo ? y : y - (my - packed);
	if (rows == packed || y < rows_lo || y >= my - (packed - rows_lo))
		v = vf_load(source + ((size_t)(s_first + s) * packed + k) * mx + x, mx - x);
	vc_store(a + ((size_t)(a_first + s) * my + y) * mx + x, mx - x,
		 vc_scale(v, vc_load(d + ((size_t)(d_first + s * d_step) * my + y) * mx + x, mx - x)));
}

/* w[0] = 2 Re(A* B), w[1] = -2 Im(A* B): their transforms are H_a and H_p (times I0, before the conjugate).
 * B is even: only columns up to mx / 2 are read. */
kernel void tilt_correlate(global float *restrict w, global const float2 *restrict a, global const float2 *restrict b,
			   int mx, int my, int slots, int a_first, int b_first, int b_step)
{
	int x = VEC * get_global_id(0), y = get_global_id(1), s = get_global_id(2);

	if (x >= mx || y >= my || s >= slots)
		return;
	size_t plane = (size_t)my * mx, at = (size_t)y * mx + x;
	vc u = vc_load(a + (a_first + s) * plane + at, mx - x);
	vc v = vc_even(b + (b_first + s * b_step) * plane + (size_t)y * mx, x, mx, mx / 2);

	u = vc_cmul(u, v);
	vf_store(w + 2 * s * plane + at, mx - x, 2 * u.x);
	vf_store(w + (2 * s + 1) * plane + at, mx - x, -2 * u.y);
}

static inline void load_sums(struct sums *s, global const float2 *p, size_t bins, int n)
{
	s->a = vc_load(p, n);
	s->d = vc_load(p + bins, n);
	s->cx = vc_load(p + 2 * bins, n);
	s->cy = vc_load(p + 3 * bins, n);
	s->ax = vc_load(p + 4 * bins, n);
	s->ay = vc_load(p + 5 * bins, n);
	s->px = vc_load(p + 6 * bins, n);
	s->py = vc_load(p + 7 * bins, n);
}

static inline void store_sums(const struct sums *s, global float2 *p, size_t bins, int n)
{
	vc_store(p, n, s->a);
	vc_store(p + bins, n, s->d);
	vc_store(p + 2 * bins, n, s->cx);
	vc_store(p + 3 * bins, n, s->cy);
	vc_store(p + 4 * bins, n, s->ax);
	vc_store(p + 5 * bins, n, s->ay);
	vc_store(p + 6 * bins, n, s->px);
	vc_store(p + 7 * bins, n, s->py);
}

/* Adds the planes of one chunk to the sums of every bin and, at the last chunk, solves.  plane[k] = (plane of b, plane
 * of h, mirrored).  h [chunk][batch][2][my][hx]; b [.][nz][ny][nx/2+1], of which tile[t] is position t's;
 * x [.][2][nr][nc]; sums [.][8][nr][nc] are only read and written across chunks. */
kernel void tilt_invert(global float2 *restrict x, global float2 *restrict sums, global const float2 *restrict h,
			global const float2 *restrict b, global const float *restrict scale, global const int *restrict tile,
			global const int4 *restrict plane, int planes, int first, int last, int nr, int nc, int ny,
			int nx, int nz, int my, int hx, int batch, int full, int sy, int sx, float reg, int mode)
{
	int j = VEC * get_global_id(0), i = get_global_id(1), t = get_global_id(2), n = nc - j;

	if (j >= nc || i >= nr)
		return;
	size_t bin = (size_t)i * nc + j, bins = (size_t)nr * nc, spec = (size_t)ny * (nx / 2 + 1);
	int ly = lag_y(i, ny, sy);
	struct sums s;

	if (first)
		s.a = s.d = s.cx = s.cy = s.ax = s.ay = s.px = s.py = vc_zero();
	else
		load_sums(&s, sums + (size_t)t * 8 * bins + bin, bins, n);
	for (int k = 0; k < planes; k++) {
		int4 p = plane[k];
		vc v = spectra(b + ((size_t)tile[t] * nz + p.x) * spec, i, j, n, ny, nx, full), ha, hp;

		transfers(h + ((size_t)p.y * batch + t) * 2 * my * hx, my, hx, ly, j, n, full, nx, sx, scale[t], p.z, &ha,
			  &hp);
		add_plane(&s, ha, hp, v, mode);
	}
	if (last) {
		vc xa, xp;

		solve(&s, reg, mode, &xa, &xp);
		vc_store(x + (size_t)t * 2 * bins + bin, n, xa);
		vc_store(x + ((size_t)t * 2 + 1) * bins + bin, n, xp);
	} else
		store_sums(&s, sums + (size_t)t * 8 * bins + bin, bins, n);
}

/* The half spectrum of the real part of the image: the Hermitian part of quantity q of x, times scale. */
kernel void tilt_hermitian(global float2 *restrict out, global const float2 *restrict x, int nr, int nc, int ny, int nx,
			   int first, int full, int q, float scale)
{
	int j = get_global_id(0), i = get_global_id(1), t = get_global_id(2), hcols = nx / 2 + 1;

	if (j >= hcols || i >= ny)
		return;
	global const float2 *v = x + ((size_t)(first + t) * 2 + q) * nr * nc;
	int minus = i ? ny - i : 0, nyquist_y = ny % 2 == 0 && i == ny / 2, nyquist_x = nx % 2 == 0 && j == nx / 2;
	float2 a;

	if (full) {
		a = 0.5f * (v[(size_t)i * nc + j] + conj_(v[(size_t)minus * nc + (j ? nx - j : 0)]));
	} else if (j == 0 || nyquist_x) {
		/* at the Nyquist column row -ny/2 is stored as lag +ny/2, in the extra row */
		int k = nyquist_x && nyquist_y ? ny : i;

		a = 0.5f * (v[(size_t)k * nc + j] + conj_(v[(size_t)(nyquist_y ? k : minus) * nc + j]));
	} else {
		a = v[(size_t)i * nc + j];
		if (nyquist_y)
			a = 0.5f * (a + v[(size_t)ny * nc + j]);
	}
	out[((size_t)t * ny + i) * hcols + j] = scale * a;
}
