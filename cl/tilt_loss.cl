/* Losses over the bins and the reverse mode through the transfer functions: spec section 5.3.
 * weight[bin] = (times the bin counts in sums over all bins, 0 outside the mask; twice its share of the Hermitian part). */
#include "tilt.clh"

/* Per bin: the sums again, X, and what the adjoint needs.  For the residual: nothing but X.  For image losses gx [.][ny][nx/2+1]
 * is the spectrum of dL/dx over the number of pixels; q[.][2][nr][nc]: full filter q = ([[a, c*], [c, d]])^-1 (0, gx); diagonal
 * filter (gx / W, 2 Re(gx* X_p) / W where the sum is not clamped). */
kernel void tilt_adjoint(global float2 *restrict q, global const float2 *restrict x, global const float2 *restrict h,
			 global const float2 *restrict gx, global const float *restrict scale, int nr, int nc, int ny,
			 int nx, int nz, int my, int hx, int batch, int full, int sy, int sx, float reg, int mode)
{
	int j = get_global_id(0), i = get_global_id(1), t = get_global_id(2);

	if (j >= nc || i >= nr)
		return;
	size_t bin = (size_t)i * nc + j, bins = (size_t)nr * nc, spec = (size_t)ny * (nx / 2 + 1);
	int ly = lag_y(i, ny, sy), lx = full ? signed_bin(j, nx) + sx : j;
	float2 g = spectrum(gx + t * spec, i, j, ny, nx), q0, q1;
	pair s[SUMS];

	for (int k = 0; k < SUMS; k++)
		s[k] = 0;
	for (int k = 0; k < nz; k++) {
		float2 ha, hp;

		transfer(h + ((size_t)k * batch + t) * 2 * my * hx, my, hx, ly, lx, scale[t], 0, &ha, &hp);
		add_plane(s, ha, hp, 0, mode);
	}
	if (mode >= INVERSE_DIAG) {
		float sum = pair_value(s[SUM_D]), w = fmax(sum, 1e-12f) + reg;
		float2 xp = x[((size_t)t * 2 + 1) * bins + bin];

		q0 = g / w;
		q1 = (float2)(sum > 1e-12f ? 2 * (g.x * xp.x + g.y * xp.y) / w : 0, 0);
	} else {
		pair a = pair_add(s[SUM_A], (pair)(reg, 0)), d = pair_add(s[SUM_D], (pair)(reg, 0));
		pair c2 = pair_add(pair_mul(s[SUM_CX], s[SUM_CX]), pair_mul(s[SUM_CY], s[SUM_CY]));
		float det = fmax(pair_value(pair_add(pair_mul(a, d), -c2)), 1e-30f);
		float2 c = (float2)(pair_value(s[SUM_CX]), pair_value(s[SUM_CY]));

		q0 = -mul_conj(c, g) / det;
		q1 = pair_value(a) * g / det;
	}
	q[(size_t)t * 2 * bins + bin] = q0;
	q[((size_t)t * 2 + 1) * bins + bin] = q1;
}

enum { LOSS_RESIDUAL, LOSS_FULL, LOSS_DIAG, LOSS_DIAG_PEER };

/* dL/dH* of one plane at one bin (residual: without its factor -2/R). */
static inline void bin_gradient(int kind, float2 ha, float2 hp, float2 v, float2 xa, float2 xp, float2 q0, float2 q1,
				float2 *ga, float2 *gp)
{
	float2 r = v - mul(ha, xa) - mul(hp, xp);

	if (kind == LOSS_RESIDUAL) {
		*ga = mul_conj(xa, r);
		*gp = mul_conj(xp, r);
	} else if (kind == LOSS_FULL) {
		float2 w = mul(q0, ha) + mul(q1, hp);

		*ga = mul_conj(q0, r) - mul_conj(xa, w);
		*gp = mul_conj(q1, r) - mul_conj(xp, w);
	} else {
		*ga = 0;
		*gp = (kind == LOSS_DIAG ? mul_conj(q0, v) : mul_conj(v, q0)) - q1.x * hp;
	}
}

/* Partial sums over the bins of a row, lane l columns l, l + LANES ...: [tiles][nr][LANES][3] pairs of
 * R (weighted |r|^2 + reg |X|^2), E (weighted |b|^2) and Re(ga* Ha + gp* Hp). */
kernel void tilt_loss_sums(global float2 *restrict sum, global const float2 *restrict x, global const float2 *restrict q,
			   global const float2 *restrict h, global const float2 *restrict b,
			   global const float *restrict scale, global const int *restrict tile,
			   global const uchar2 *restrict weight, int nr, int nc, int ny, int nx, int nz, int my, int hx,
			   int batch, int full, int sy, int sx, float reg, int kind)
{
	int l = get_global_id(0), i = get_global_id(1), t = get_global_id(2);

	if (l >= LANES || i >= nr)
		return;
	size_t bins = (size_t)nr * nc, spec = (size_t)ny * (nx / 2 + 1);
	pair rr = 0, ee = 0, gg = 0;

	for (int j = l; j < nc; j += LANES) {
		size_t bin = (size_t)i * nc + j;
		int w = weight[bin].x;
		int ly = lag_y(i, ny, sy), lx = full ? signed_bin(j, nx) + sx : j;
		float2 xa = x[(size_t)t * 2 * bins + bin], xp = x[((size_t)t * 2 + 1) * bins + bin], q0 = 0, q1 = 0;

		if (w == 0)
			continue;
		if (kind != LOSS_RESIDUAL) {
			q0 = q[(size_t)t * 2 * bins + bin];
			q1 = q[((size_t)t * 2 + 1) * bins + bin];
		} else
			rr = pair_acc(rr, w * reg * (xa.x * xa.x + xa.y * xa.y + xp.x * xp.x + xp.y * xp.y));
		for (int k = 0; k < nz; k++) {
			float2 v = spectrum(b + ((size_t)tile[t] * nz + k) * spec, i, j, ny, nx), ha, hp, ga, gp, r;

			transfer(h + ((size_t)k * batch + t) * 2 * my * hx, my, hx, ly, lx, scale[t], 0, &ha, &hp);
			r = v - mul(ha, xa) - mul(hp, xp);
			rr = pair_acc(rr, w * (r.x * r.x + r.y * r.y));
			ee = pair_acc(ee, w * (v.x * v.x + v.y * v.y));
			bin_gradient(kind, ha, hp, v, xa, xp, q0, q1, &ga, &gp);
			gg = pair_acc(gg, w * (ga.x * ha.x + ga.y * ha.y + gp.x * hp.x + gp.y * hp.y));
		}
	}
	global float2 *o = sum + (((size_t)t * nr + i) * LANES + l) * 3;

	o[0] = rr;
	o[1] = ee;
	o[2] = gg;
}

/* g at the lag (ly, lx), lx >= 0, as the Hermitian part over all lags; 0 where no bin stands for it. */
static inline void lag_gradient(global const float2 *x, global const float2 *q, global const float2 *h,
				global const float2 *b, float scale, global const uchar2 *weight, int i, int j, int nr,
				int nc, int ny, int nx, int my, int hx, int ly, int lx, int kind, float2 *ga, float2 *gp)
{
	size_t bins = (size_t)nr * nc, bin = (size_t)i * nc + j;
	int w = weight[bin].y;
	float2 ha, hp, q0 = 0, q1 = 0;

	*ga = *gp = 0;
	if (w == 0)
		return;
	if (kind != LOSS_RESIDUAL) {
		q0 = q[bin];
		q1 = q[bins + bin];
	}
	transfer(h, my, hx, ly, lx, scale, 0, &ha, &hp);
	bin_gradient(kind, ha, hp, spectrum(b, i, j, ny, nx), x[bin], x[bins + bin], q0, q1, ga, gp);
	*ga *= 0.5f * w;
	*gp *= 0.5f * w;
}

/* Bin of the full grid that stands for a lag, or -1. */
static inline int bin_of(int lag, int n, int shift)
{
	int k = lag - shift;

	return k < -(n / 2) || k > (n - 1) / 2 ? -1 : k < 0 ? k + n : k;
}

/* The gradient of plane k by H_a and H_p, embedded into all lags (hcols spectra, conjugate: a C2R transform then gives the
 * forward one): e [slots][2][my][ex]. */
kernel void tilt_pull(global float2 *restrict e, global const float2 *restrict x, global const float2 *restrict q,
		      global const float2 *restrict h, global const float2 *restrict b, global const float *restrict scale,
		      global const int *restrict tile, global const uchar2 *restrict weight, int nr, int nc, int ny, int nx,
		      int nz, int my, int hx, int ex, int batch, int first, int full, int sy, int sx, int k, int kind)
{
	int j = get_global_id(0), y = get_global_id(1), s = get_global_id(2), t = first + s;

	if (j >= ex || y >= my)
		return;
	size_t bins = (size_t)nr * nc, spec = (size_t)ny * (nx / 2 + 1);
	int ly = signed_bin(y, my), i;
	float2 ga = 0, gp = 0;

	x += (size_t)t * 2 * bins;
	q += (size_t)t * 2 * bins;
	h += ((size_t)k * batch + t) * 2 * my * hx;
	b += ((size_t)tile[t] * nz + k) * spec;
	if (!full) {
		i = ly < 0 ? ly + ny : ly;
		if (ly >= -(ny / 2) && ly <= ny / 2 && j < nc) {
			if (2 * ly == ny)
				i = ny; /* the extra row */
			if (i < nr)
				lag_gradient(x, q, h, b, scale[t], weight, i, j, nr, nc, ny, nx, my, hx, ly, j, kind, &ga,
					     &gp);
		}
	} else {
		float2 ua, up;
		int jx = bin_of(j, nx, sx), jm = bin_of(-j, nx, sx), im = bin_of(-ly, ny, sy);

		i = bin_of(ly, ny, sy);
		if (i >= 0 && jx >= 0)
			lag_gradient(x, q, h, b, scale[t], weight, i, jx, nr, nc, ny, nx, my, hx, ly, j, kind, &ga, &gp);
		if (im >= 0 && jm >= 0) {
			lag_gradient(x, q, h, b, scale[t], weight, im, jm, nr, nc, ny, nx, my, hx, -ly, -j, kind, &ua, &up);
			ga += conj_(ua);
			gp += conj_(up);
		}
	}
	size_t plane = (size_t)my * ex, at = (size_t)y * ex + j;

	e[2 * s * plane + at] = conj_(ga);
	e[(2 * s + 1) * plane + at] = conj_(gp);
}

/* G = 2 (F_a - i F_p); c = G* B, v = G A, whose backward transforms are C and V (times my mx). */
kernel void tilt_pull_waves(global float2 *restrict c, global float2 *restrict v, global const float *restrict f,
			    global const float2 *restrict a, global const float2 *restrict b, int mx, int my, int slots,
			    int a_first, int b_first, int b_step, int with_v)
{
	int x = get_global_id(0), y = get_global_id(1), s = get_global_id(2);

	if (x >= mx || y >= my || s >= slots)
		return;
	size_t plane = (size_t)my * mx, at = (size_t)y * mx + x;
	float2 g = 2 * (float2)(f[2 * s * plane + at], -f[(2 * s + 1) * plane + at]);
	float2 bv = b[(b_first + s * b_step) * plane + (size_t)y * mx + min(x, mx - x)];

	c[s * plane + at] = mul_conj(g, bv);
	if (with_v)
		v[s * plane + at] = mul(g, a[(a_first + s) * plane + at]);
}

/* One plane's share of dL/dS (gs, packed rows, added to) and of dL/dz (partial sums, added to). */
kernel void tilt_pull_plane(global float *restrict gs, global float2 *restrict gz, global const float2 *restrict c,
			    global const float2 *restrict v, global const float *restrict source,
			    global const float *restrict p, global const float2 *restrict gamma,
			    global const float2 *restrict z, int mx, int my, int rx, int ry, int rows, int rows_lo,
			    int first, int with_z, int start)
{
	int l = get_global_id(0), r = get_global_id(1), s = get_global_id(2), t = first + s;

	if (l >= LANES || r >= rows)
		return;
	int y = row_bin(r, rows, rows_lo, my), iy = abs(signed_bin(y, my));
	size_t row = ((size_t)t * rows + r), plane = ((size_t)s * my + y) * mx;
	pair sum = start ? (pair)(0) : gz[row * LANES + l];

	for (int x = l; x < mx; x += LANES) {
		int ix = abs(signed_bin(x, mx));
		float2 dc = 0;

		if (ix <= rx && iy <= ry) {
			int k = iy * (rx + 1) + ix;
			float2 d = p[k] * p[k] * cis_cycles(pair_mul(gamma[k], z[s]));

			dc = mul_conj(d, c[plane + x]);
			if (with_z) {
				float2 vv = v[plane + x];
				float dv = d.y * vv.x - d.x * vv.y; /* Im(D V*) */

				sum = pair_acc(sum, gamma[k].x * (source[row * mx + x] * dc.y - dv));
			}
		}
		gs[row * mx + x] = start ? dc.x : gs[row * mx + x] + dc.x;
	}
	gz[row * LANES + l] = sum;
}

/* Partial sums of (gs k + gi P^4) dS/dzenith and dS/dazimuth, [tiles][rows][LANES][2] pairs.  coef as in tilt_source; turn
 * [tiles][6]: d arg / d zenith by ix, iy, gamma, d arg / d azimuth by ix, iy, and gi; k = gs_scale[tile]. */
kernel void tilt_pull_source(global float2 *restrict sum, global const float *restrict gs,
			     global const float *restrict source, global const float *restrict p,
			     global const float2 *restrict gamma, global const float *restrict turn, int mx, int my, int rx,
			     int ry, int rows, int rows_lo)
{
	int l = get_global_id(0), r = get_global_id(1), t = get_global_id(2);

	if (l >= LANES || r >= rows)
		return;
	int fy = signed_bin(row_bin(r, rows, rows_lo, my), my), iy = abs(fy);
	size_t row = (size_t)t * rows + r;
	global const float *c = turn + 7 * t;
	pair zen = 0, azi = 0;

	for (int x = l; x < mx; x += LANES) {
		int fx = signed_bin(x, mx), ix = abs(fx);

		if (ix > rx || iy > ry)
			continue;
		int k = iy * (rx + 1) + ix;
		float s = source[row * mx + x], pp = p[k] * p[k];
		float g = (c[6] * gs[row * mx + x] + c[5] * pp * pp) * s * (1 - s);

		zen = pair_acc(zen, g * (c[0] * fx + c[1] * fy + c[2] * gamma[k].x));
		azi = pair_acc(azi, g * (c[3] * fx + c[4] * fy));
	}
	sum[(row * LANES + l) * 2] = zen;
	sum[(row * LANES + l) * 2 + 1] = azi;
}
