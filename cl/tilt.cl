/* Thin-object transfer functions under a tilted condenser and their regularised inverse: spec sections 3 and 4.
 *
 * Pupil plane: my x mx bins, DC first.  Only rows that the pupil reaches are written: row r of `rows` stands for bin
 * r < rows_lo ? r : my - rows + r.  p and gamma are given for one quadrant, [ry + 1][rx + 1]. */
#include "tilt.clh"


/* d = p^power exp(2 pi i z gamma) for each slot's z */
kernel void tilt_wave(global float2 *restrict d, global const float *restrict p, global const float2 *restrict gamma,
		      global const float2 *restrict z, int mx, int my, int rx, int ry, int rows, int rows_lo, int slots,
		      int d_first, int power)
{
	int x = get_global_id(0), r = get_global_id(1), s = get_global_id(2);

	if (x >= mx || r >= rows || s >= slots)
		return;
	int y = row_bin(r, rows, rows_lo, my);
	int ix = abs(signed_bin(x, mx)), iy = abs(signed_bin(y, my));
	float2 v = 0;

	if (ix <= rx && iy <= ry) {
		int q = iy * (rx + 1) + ix;
		float a = power == 2 ? p[q] * p[q] : p[q];

		v = a * cis_cycles(pair_mul(gamma[q], z[s]));
	}
	d[((size_t)(d_first + s) * my + y) * mx + x] = v;
}

/* S = 1 / (1 + exp(-arg)) inside the sphere of propagating waves; arg = c0 ix + c1 iy + c2 gamma + c3 (pairs, per
 * slot: the tilted direction times 4 / df).  Rows are packed: [slots][rows][mx]. */
kernel void tilt_source(global float *restrict source, global const float2 *restrict gamma,
			global const float2 *restrict coef, int mx, int my, int rx, int ry, int rows, int rows_lo,
			int slots)
{
	int x = get_global_id(0), r = get_global_id(1), s = get_global_id(2);

	if (x >= mx || r >= rows || s >= slots)
		return;
	int fx = signed_bin(x, mx), fy = signed_bin(row_bin(r, rows, rows_lo, my), my);
	int ix = abs(fx), iy = abs(fy);
	float v = 0;

	if (ix <= rx && iy <= ry) {
		pair g = gamma[iy * (rx + 1) + ix];
		global const float2 *c = coef + 4 * s;
		pair a = pair_add(pair_mul(c[0], (pair)(fx, 0)), pair_mul(c[1], (pair)(fy, 0)));

		a = pair_add(pair_add(a, pair_mul(c[2], g)), c[3]);
		v = g.x > 0 ? 1 / (1 + exp(-(a.x + a.y))) : 0;
	}
	source[((size_t)s * rows + r) * mx + x] = v;
}

/* Partial sums of S P^4 (power 4) or S P^2: lane l of a row adds columns l, l + LANES ...; the host adds lanes and rows. */
kernel void tilt_source_sum(global float2 *restrict sum, global const float *restrict source,
			    global const float *restrict p, int mx, int my, int rx, int ry, int rows, int rows_lo,
			    int slots, int power)
{
	int l = get_global_id(0), r = get_global_id(1), s = get_global_id(2);

	if (l >= LANES || r >= rows || s >= slots)
		return;
	int iy = abs(signed_bin(row_bin(r, rows, rows_lo, my), my));
	pair a = 0;

	if (iy <= ry)
		for (int x = l; x < mx; x += LANES) {
			int ix = abs(signed_bin(x, mx));

			if (ix <= rx) {
				float v = p[iy * (rx + 1) + ix];

				v *= v;
				a = pair_acc(a, source[((size_t)s * rows + r) * mx + x] * (power == 4 ? v * v : v));
			}
		}
	sum[((size_t)s * rows + r) * LANES + l] = a;
}

/* a = S d for the slots from a_first, s_first, d_first; all share one d if d_step is 0.  S is packed to `packed` rows,
 * of which those beyond are zero. */
kernel void tilt_source_wave(global float2 *restrict a, global const float *restrict source,
			     global const float2 *restrict d, int mx, int my, int rows, int rows_lo, int slots,
			     int a_first, int s_first, int d_first, int d_step, int packed)
{
	int x = get_global_id(0), r = get_global_id(1), s = get_global_id(2);

	if (x >= mx || r >= rows || s >= slots)
		return;
	int y = row_bin(r, rows, rows_lo, my), k = r;
	float v = 0;

	if (rows > packed) /* every row is written: find the packed one */
		k = y < rows_lo ? y : y - (my - packed);
	if (rows == packed || y < rows_lo || y >= my - (packed - rows_lo))
		v = source[((size_t)(s_first + s) * packed + k) * mx + x];
	a[((size_t)(a_first + s) * my + y) * mx + x] = v * d[((size_t)(d_first + s * d_step) * my + y) * mx + x];
}

/* w[0] = 2 Re(A* B), w[1] = -2 Im(A* B): their transforms are H_a and H_p (times I0, before the conjugate).
 * B is even: only columns up to mx / 2 are read. */
kernel void tilt_correlate(global float *restrict w, global const float2 *restrict a, global const float2 *restrict b,
			   int mx, int my, int slots, int a_first, int b_first, int b_step)
{
	int x = get_global_id(0), y = get_global_id(1), s = get_global_id(2);

	if (x >= mx || y >= my || s >= slots)
		return;
	size_t plane = (size_t)my * mx;
	float2 u = a[(a_first + s) * plane + (size_t)y * mx + x];
	float2 v = b[(b_first + s * b_step) * plane + (size_t)y * mx + min(x, mx - x)];

	w[2 * s * plane + (size_t)y * mx + x] = 2 * (u.x * v.x + u.y * v.y);
	w[(2 * s + 1) * plane + (size_t)y * mx + x] = -2 * (u.x * v.y - u.y * v.x);
}

/* Adds the planes of one chunk to the sums of every bin and, at the last chunk, solves.  plane[k] = (plane of b, plane
 * of h, mirrored).  h [chunk][batch][2][my][hx]; b [.][nz][ny][nx/2+1], of which tile[t] is position t's;
 * x [.][2][nr][nc]; sums [.][SUMS][nr][nc] are only read and written across chunks. */
kernel void tilt_invert(global float2 *restrict x, global float2 *restrict sums, global const float2 *restrict h,
			global const float2 *restrict b, global const float *restrict scale, global const int *restrict tile,
			global const int4 *restrict plane, int planes, int first, int last, int nr, int nc, int ny,
			int nx, int nz, int my, int hx, int batch, int full, int sy, int sx, float reg, int mode)
{
	int j = get_global_id(0), i = get_global_id(1), t = get_global_id(2);

	if (j >= nc || i >= nr)
		return;
	size_t bin = (size_t)i * nc + j, bins = (size_t)nr * nc, spec = (size_t)ny * (nx / 2 + 1);
	int ly = lag_y(i, ny, sy), lx = full ? signed_bin(j, nx) + sx : j;
	pair s[SUMS];

	for (int q = 0; q < SUMS; q++)
		s[q] = first ? (pair)(0) : sums[((size_t)t * SUMS + q) * bins + bin];
	for (int k = 0; k < planes; k++) {
		int4 p = plane[k];
		float2 v = spectrum(b + ((size_t)tile[t] * nz + p.x) * spec, i, j, ny, nx), ha, hp;

		transfer(h + ((size_t)p.y * batch + t) * 2 * my * hx, my, hx, ly, lx, scale[t], p.z, &ha, &hp);
		add_plane(s, ha, hp, v, mode);
	}
	if (last) {
		float2 xa, xp;

		solve(s, reg, mode, &xa, &xp);
		x[(size_t)t * 2 * bins + bin] = xa;
		x[((size_t)t * 2 + 1) * bins + bin] = xp;
	} else
		for (int q = 0; q < SUMS; q++)
			sums[((size_t)t * SUMS + q) * bins + bin] = s[q];
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
