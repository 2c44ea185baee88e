/* Thin-object transfer functions under a tilted condenser and their regularised inverse: spec sections 3 and 4.
 *
 * Pupil plane: my x mx bins, DC first.  Only rows that the pupil reaches are written: row r of `rows` stands for bin
 * r < rows_lo ? r : my - rows + r.  p and gamma are given for one quadrant, [ry + 1][rx + 1]. */

static inline int signed_bin(int i, int n)
{
	return i < (n + 1) / 2 ? i : i - n;
}

static inline int row_bin(int r, int rows, int rows_lo, int my)
{
	return r < rows_lo ? r : my - rows + r;
}

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

/* H_a and H_p at a lag, from the raw transforms of two planes [2][my][hx]; mirror: of the plane at -z. */
static inline void transfer(global const float2 *h, int my, int hx, int ly, int lx, float scale, int mirror, float2 *ha,
			    float2 *hp)
{
	float turn = lx < 0 ? scale : -scale;

	if (lx < 0) {
		ly = -ly;
		lx = -lx;
	}
	size_t i = (size_t)(ly < 0 ? ly + my : ly) * hx + lx;
	float2 a = h[i], p = h[(size_t)my * hx + i];

	*ha = (float2)(a.x * scale, a.y * (mirror ? -turn : turn));
	*hp = (float2)(p.x * (mirror ? -scale : scale), p.y * turn);
}

static inline float2 mul(float2 a, float2 b)
{
	return (float2)(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x);
}

static inline float2 mul_conj(float2 a, float2 b) /* a* b */
{
	return (float2)(a.x * b.x + a.y * b.y, a.x * b.y - a.y * b.x);
}

static inline float2 conj_(float2 a)
{
	return (float2)(a.x, -a.y);
}

/* Bins: nr rows and nc columns.  Half grid (full = 0): row i < ny is bin i, an extra row ny (even sizes) is lag
 * +ny/2, columns are lags 0 .. nx/2.  Full grid (the peer's crop of odd sizes): all bins, H shifted by sy, sx. */
static inline int lag_y(int i, int ny, int sy)
{
	return (i < ny ? signed_bin(i, ny) : ny / 2) + sy;
}

static inline float2 spectrum(global const float2 *b, int i, int j, int ny, int nx)
{
	int half = nx / 2 + 1, y = i < ny ? i : ny / 2;

	if (j < half)
		return b[(size_t)y * half + j];
	return conj_(b[(size_t)(y ? ny - y : 0) * half + nx - j]);
}

enum { SUM_A, SUM_D, SUM_CX, SUM_CY, SUM_AX, SUM_AY, SUM_PX, SUM_PY, SUMS };
enum { INVERSE_CONJ, INVERSE_PEER, INVERSE_DIAG };

static inline float pair_value(pair a)
{
	return a.x + a.y;
}

/* Closed 2x2 Tikhonov solution at one bin: x[0] absorption, x[1] phase. */
static inline void solve(const pair *s, float reg, int mode, float2 *xa, float2 *xp)
{
	float2 ya = (float2)(pair_value(s[SUM_AX]), pair_value(s[SUM_AY]));
	float2 yp = (float2)(pair_value(s[SUM_PX]), pair_value(s[SUM_PY]));

	if (mode == INVERSE_DIAG) {
		float sa = fmax(pair_value(s[SUM_A]), 1e-12f), sp = fmax(pair_value(s[SUM_D]), 1e-12f);
		float ra = sqrt(sa), rp = sqrt(sp);

		*xa = ya * (ra / ((ra + 1e-12f) * (sa + reg)));
		*xp = yp * (rp / ((rp + 1e-12f) * (sp + reg)));
		return;
	}
	pair a = pair_add(s[SUM_A], (pair)(reg, 0)), d = pair_add(s[SUM_D], (pair)(reg, 0));
	pair c2 = pair_add(pair_mul(s[SUM_CX], s[SUM_CX]), pair_mul(s[SUM_CY], s[SUM_CY]));
	float det = fmax(pair_value(pair_add(pair_mul(a, d), -c2)), 1e-30f);
	float2 c = (float2)(pair_value(s[SUM_CX]), pair_value(s[SUM_CY]));
	float av = pair_value(a), dv = pair_value(d);

	if (mode == INVERSE_CONJ) {
		*xa = (dv * ya - mul_conj(c, yp)) / det;
		*xp = (av * yp - mul(c, ya)) / det;
	} else {
		*xa = (dv * ya - mul(c, yp)) / det;
		*xp = (av * yp - mul_conj(c, ya)) / det;
	}
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
		float2 v = spectrum(b + ((size_t)tile[t] * nz + p.x) * spec, i, j, ny, nx), ha, hp, c, ya, yp;

		transfer(h + ((size_t)p.y * batch + t) * 2 * my * hx, my, hx, ly, lx, scale[t], p.z, &ha, &hp);
		c = mul_conj(hp, ha);
		ya = mode == INVERSE_PEER ? mul(ha, v) : mul_conj(ha, v);
		yp = mode == INVERSE_PEER ? mul(hp, v) : mul_conj(hp, v);
		s[SUM_A] = pair_acc(s[SUM_A], ha.x * ha.x + ha.y * ha.y);
		s[SUM_D] = pair_acc(s[SUM_D], hp.x * hp.x + hp.y * hp.y);
		s[SUM_CX] = pair_acc(s[SUM_CX], c.x);
		s[SUM_CY] = pair_acc(s[SUM_CY], c.y);
		s[SUM_AX] = pair_acc(s[SUM_AX], ya.x);
		s[SUM_AY] = pair_acc(s[SUM_AY], ya.y);
		s[SUM_PX] = pair_acc(s[SUM_PX], yp.x);
		s[SUM_PY] = pair_acc(s[SUM_PY], yp.y);
	}
	if (last)
		solve(s, reg, mode, &x[(size_t)t * 2 * bins + bin], &x[((size_t)t * 2 + 1) * bins + bin]);
	else
		for (int q = 0; q < SUMS; q++)
			sums[((size_t)t * SUMS + q) * bins + bin] = s[q];
}

/* The half spectrum of the real part of the image: the Hermitian part of quantity q of x, times scale. */
kernel void tilt_hermitian(global float2 *restrict out, global const float2 *restrict x, int nr, int nc, int ny, int nx,
			   int first, int full, int q, float scale)
{
	int j = get_global_id(0), i = get_global_id(1), t = get_global_id(2), half = nx / 2 + 1;

	if (j >= half || i >= ny)
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
	out[((size_t)t * ny + i) * half + j] = scale * a;
}
