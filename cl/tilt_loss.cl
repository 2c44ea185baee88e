/* Losses over the bins and the reverse mode through the transfer functions: spec section 5.3.  A work-item takes VEC
 * columns.  weight [2][nr][nc] float: how often the bin counts in sums over all bins (0 outside the mask), and half the share of
 * its gradient in the Hermitian part. */
#include "tilt.clh"

/* What the adjoint of image losses needs per bin.  gx [.][ny][nx/2+1] is the spectrum of dL/dx over the number of pixels;
 * q [.][2][nr][nc]: full filter q = ([[a, c*], [c, d]])^-1 (0, gx); diagonal filter gx / W, and 2 Re(gx* X_p) / W where the
 * sum is not clamped. */
kernel void tilt_adjoint(global float2 *restrict q, global const float2 *restrict x, global const float2 *restrict h,
			 global const float2 *restrict gx, global const float *restrict scale, int nr, int nc, int ny,
			 int nx, int nz, int my, int hx, int batch, int full, int sy, int sx, float reg, int mode)
{
	int j = VEC * get_global_id(0), i = get_global_id(1), t = get_global_id(2), n = nc - j;

	if (j >= nc || i >= nr)
		return;
	size_t bin = (size_t)i * nc + j, bins = (size_t)nr * nc, spec = (size_t)ny * (nx / 2 + 1);
	int ly = lag_y(i, ny, sy);
	vc g = spectra(gx + t * spec, i, j, n, ny, nx, full), q0, q1, c;
	vf a, d, det;
	struct sums s;

	s.a = s.d = s.cx = s.cy = s.ax = s.ay = s.px = s.py = vc_zero();
	for (int k = 0; k < nz; k++) {
		vc ha, hp;

		transfers(h + ((size_t)k * batch + t) * 2 * my * hx, my, hx, ly, j, n, full, nx, sx, scale[t], 0, &ha, &hp);
		add_plane(&s, ha, hp, vc_zero(), mode);
	}
	if (mode >= INVERSE_DIAG) {
		vc xp = vc_load(x + ((size_t)t * 2 + 1) * bins + bin, n);

		d = vp_value(s.d);
		det = 1 / (fmax(d, vf_set(1e-12f)) + reg);
		q0 = vc_scale(det, g);
		q1 = vp_of(CHOOSE(d > 1e-12f, 2 * det * vc_dot(g, xp), vf_set(0)));
	} else {
		det = 1 / system_of(&s, reg, &a, &d, &c);
		q0 = vc_scale(-det, vc_cmul(c, g));
		q1 = vc_scale(a * det, g);
	}
	vc_store(q + (size_t)t * 2 * bins + bin, n, q0);
	vc_store(q + ((size_t)t * 2 + 1) * bins + bin, n, q1);
}

enum { LOSS_RESIDUAL, LOSS_FULL, LOSS_DIAG, LOSS_DIAG_PEER };

/* dL/dH* of one plane (residual: without its factor -2/R); r = b - Ha Xa - Hp Xp */
static inline void bin_gradient(int kind, vc ha, vc hp, vc v, vc r, vc xa, vc xp, vc q0, vc q1, vc *ga, vc *gp)
{
	if (kind == LOSS_RESIDUAL) {
		*ga = vc_cmul(xa, r);
		*gp = vc_cmul(xp, r);
	} else if (kind == LOSS_FULL) {
		vc w = vc_add(vc_mul(q0, ha), vc_mul(q1, hp));

		*ga = vc_sub(vc_cmul(q0, r), vc_cmul(xa, w));
		*gp = vc_sub(vc_cmul(q1, r), vc_cmul(xp, w));
	} else {
		*ga = vc_zero();
		*gp = vc_sub(kind == LOSS_DIAG ? vc_cmul(q0, v) : vc_cmul(v, q0), vc_scale(q1.x, hp));
	}
}

static inline vc residual(vc v, vc ha, vc hp, vc xa, vc xp)
{
	return vc_sub(vc_sub(v, vc_mul(ha, xa)), vc_mul(hp, xp));
}

/* Partial sums over the bins of a row, lane l columns l, l + LANES ...: [tiles][nr][3][LANES] pairs of
 * R (weighted |r|^2 + reg |X|^2), E (weighted |b|^2) and Re(ga* Ha + gp* Hp). */
kernel void tilt_loss_sums(global float2 *restrict sum, global const float2 *restrict x, global const float2 *restrict q,
			   global const float2 *restrict h, global const float2 *restrict b,
			   global const float *restrict scale, global const int *restrict tile,
			   global const float *restrict weight, int nr, int nc, int ny, int nx, int nz, int my, int hx,
			   int batch, int full, int sy, int sx, float reg, int kind)
{
	int i = get_global_id(0), l = VEC * get_global_id(1), t = get_global_id(2);

	if (l >= LANES || i >= nr)
		return;
	size_t bins = (size_t)nr * nc, spec = (size_t)ny * (nx / 2 + 1);
	int ly = lag_y(i, ny, sy);
	vc rr = vc_zero(), ee = vc_zero(), gg = vc_zero();

	for (int j = l; j < nc; j += LANES) {
		size_t bin = (size_t)i * nc + j;
		int n = nc - j;
		vf w = vf_load(weight + bin, n);
		vc xa = vc_load(x + (size_t)t * 2 * bins + bin, n), xp = vc_load(x + ((size_t)t * 2 + 1) * bins + bin, n);
		vc q0 = vc_zero(), q1 = vc_zero();

		if (kind != LOSS_RESIDUAL) {
			q0 = vc_load(q + (size_t)t * 2 * bins + bin, n);
			q1 = vc_load(q + ((size_t)t * 2 + 1) * bins + bin, n);
		} else
			rr = vp_acc(rr, w * (reg * (vc_norm(xa) + vc_norm(xp))));
		for (int k = 0; k < nz; k++) {
			vc v = spectra(b + ((size_t)tile[t] * nz + k) * spec, i, j, n, ny, nx, full), ha, hp, ga, gp, r;

			transfers(h + ((size_t)k * batch + t) * 2 * my * hx, my, hx, ly, j, n, full, nx, sx, scale[t], 0, &ha,
				  &hp);
			r = residual(v, ha, hp, xa, xp);
			rr = vp_acc(rr, w * vc_norm(r));
			ee = vp_acc(ee, w * vc_norm(v));
			bin_gradient(kind, ha, hp, v, r, xa, xp, q0, q1, &ga, &gp);
			gg = vp_acc(gg, w * (vc_dot(ga, ha) + vc_dot(gp, hp)));
		}
	}
	global float2 *o = sum + ((size_t)t * nr + i) * LANES * 3 + l;

	vc_store(o, VEC, rr);
	vc_store(o + LANES, VEC, ee);
	vc_store(o + 2 * LANES, VEC, gg);
}

/* g at the bins (i, j ..), as they count in the Hermitian part over all lags. */
static inline void lag_gradient(global const float2 *x, global const float2 *q, global const float2 *h,
				global const float2 *b, float scale, global const float *weight, int i, int j, int n, int nr,
				int nc, int ny, int nx, int my, int hx, int ly, int full, int sx, int kind, vc *ga, vc *gp)
{
	size_t bins = (size_t)nr * nc, bin = (size_t)i * nc + j;
	vf w = vf_load(weight + bins + bin, n);
	vc ha, hp, v = spectra(b, i, j, n, ny, nx, full), xa = vc_load(x + bin, n), xp = vc_load(x + bins + bin, n);
	vc q0 = vc_zero(), q1 = vc_zero();

	if (kind != LOSS_RESIDUAL) {
		q0 = vc_load(q + bin, n);
		q1 = vc_load(q + bins + bin, n);
	}
	transfers(h, my, hx, ly, j, n, full, nx, sx, scale, 0, &ha, &hp);
	bin_gradient(kind, ha, hp, v, residual(v, ha, hp, xa, xp), xa, xp, q0, q1, ga, gp);
	*ga = vc_scale(w, *ga);
	*gp = vc_scale(w, *gp);
}

/* The gradient of plane k by H_a and H_p at every bin, [slots][2][nr][nc]: first part of tilt_pull under the peer's crop. */
kernel void tilt_pull_bins(global float2 *restrict g, global const float2 *restrict x, global const float2 *restrict q,
			   global const float2 *restrict h, global const float2 *restrict b,
			   global const float *restrict scale, global const int *restrict tile,
			   global const float *restrict weight, int nr, int nc, int ny, int nx, int nz, int my, int hx,
			   int batch, int first, int sy, int sx, int k, int kind)
{
	int j = VEC * get_global_id(0), i = get_global_id(1), s = get_global_id(2), t = first + s, n = nc - j;

	if (j >= nc || i >= nr)
		return;
	size_t bins = (size_t)nr * nc, spec = (size_t)ny * (nx / 2 + 1), bin = (size_t)i * nc + j;
	vc ga, gp;

	lag_gradient(x + (size_t)t * 2 * bins, q + (size_t)t * 2 * bins, h + ((size_t)k * batch + t) * 2 * my * hx,
		     b + ((size_t)tile[t] * nz + k) * spec, scale[t], weight, i, j, n, nr, nc, ny, nx, my, hx,
		     lag_y(i, ny, sy), 1, sx, kind, &ga, &gp);
	vc_store(g + (size_t)s * 2 * bins + bin, n, ga);
	vc_store(g + ((size_t)s * 2 + 1) * bins + bin, n, gp);
}

/* Bin of the full grid that stands for a lag, or -1. */
static inline int bin_of(int lag, int n, int shift)
{
	int k = lag - shift;

	return k < -(n / 2) || k > (n - 1) / 2 ? -1 : k < 0 ? k + n : k;
}

/* Second part under the peer's crop: g to all lags, half spectra, conjugate; e [slots][2][my][ex]. */
kernel void tilt_pull_lags(global float2 *restrict e, global const float2 *restrict g, int nr, int nc, int ny, int nx, int my,
			   int ex, int sy, int sx)
{
	int j = get_global_id(0), y = get_global_id(1), s = get_global_id(2);

	if (j >= ex || y >= my)
		return;
	int ly = signed_bin(y, my), i = bin_of(ly, ny, sy), im = bin_of(-ly, ny, sy);
	int jx = bin_of(j, nx, sx), jm = bin_of(-j, nx, sx);
	size_t bins = (size_t)nr * nc;

	for (int c = 0; c < 2; c++) {
		global const float2 *from = g + ((size_t)s * 2 + c) * bins;
		float2 v = 0;

		if (i >= 0 && jx >= 0)
			v += conj_(from[(size_t)i * nc + jx]);
		if (im >= 0 && jm >= 0)
			v += from[(size_t)im * nc + jm];
		e[(((size_t)2 * s + c) * my + y) * ex + j] = v;
	}
}

/* The gradient of plane k by H_a and H_p, embedded into all lags (half spectra, conjugate: a C2R transform then gives the
 * forward one): e [slots][2][my][ex]. */
kernel void tilt_pull(global float2 *restrict e, global const float2 *restrict x, global const float2 *restrict q,
		      global const float2 *restrict h, global const float2 *restrict b, global const float *restrict scale,
		      global const int *restrict tile, global const float *restrict weight, int nr, int nc, int ny, int nx,
		      int nz, int my, int hx, int ex, int batch, int first, int k, int kind)
{
	int j = VEC * get_global_id(0), y = get_global_id(1), s = get_global_id(2), t = first + s;

	if (j >= ex || y >= my)
		return;
	size_t bins = (size_t)nr * nc, spec = (size_t)ny * (nx / 2 + 1), plane = (size_t)my * ex, at = (size_t)y * ex + j;
	int ly = signed_bin(y, my), i = ly < 0 ? ly + ny : 2 * ly == ny ? ny : ly; /* +ny/2: the extra row */
	vc ga = vc_zero(), gp = vc_zero();

	if (ly >= -(ny / 2) && ly <= ny / 2 && j < nc && i < nr)
		lag_gradient(x + (size_t)t * 2 * bins, q + (size_t)t * 2 * bins, h + ((size_t)k * batch + t) * 2 * my * hx,
			     b + ((size_t)tile[t] * nz + k) * spec, scale[t], weight, i, j, nc - j, nr, nc, ny, nx, my, hx, ly,
			     0, 0, kind, &ga, &gp);
	vc_store(e + 2 * s * plane + at, ex - j, vc_conj(ga));
	vc_store(e + (2 * s + 1) * plane + at, ex - j, vc_conj(gp));
}

/* G = 2 (F_a - i F_p); c = G* B, v = G A, whose backward transforms are C and V (times my mx). */
kernel void tilt_pull_waves(global float2 *restrict c, global float2 *restrict v, global const float *restrict f,
			    global const float2 *restrict a, global const float2 *restrict b, int mx, int my, int slots,
			    int a_first, int b_first, int b_step, int with_v)
{
	int x = VEC * get_global_id(0), y = get_global_id(1), s = get_global_id(2), n = mx - x;

	if (x >= mx || y >= my || s >= slots)
		return;
	size_t plane = (size_t)my * mx, at = (size_t)y * mx + x;
	vc g;

	g.x = 2 * vf_load(f + 2 * s * plane + at, n);
	g.y = -2 * vf_load(f + (2 * s + 1) * plane + at, n);
	vc_store(c + s * plane + at, n,
		 vc_cmul(g, vc_even(b + (b_first + s * b_step) * plane + (size_t)y * mx, x, mx, mx / 2)));
	if (with_v)
		vc_store(v + s * plane + at, n, vc_mul(g, vc_load(a + (a_first + s) * plane + at, n)));
}

/* One plane's share of dL/dS (gs, packed rows, added to) and of dL/dz (partial sums, added to). */
kernel void tilt_pull_plane(global float *restrict gs, global float2 *restrict gz, global const float2 *restrict c,
			    global const float2 *restrict v, global const float *restrict source,
			    global const float *restrict p, global const float2 *restrict gamma,
			    global const float2 *restrict z, int mx, int my, int rx, int ry, int rows, int rows_lo,
			    int first, int with_z, int start)
{
	int r = get_global_id(0), l = VEC * get_global_id(1), s = get_global_id(2), t = first + s;

	if (l >= LANES || r >= rows)
		return;
	int y = row_bin(r, rows, rows_lo, my), iy = abs(signed_bin(y, my));
	size_t row = ((size_t)t * rows + r), plane = ((size_t)s * my + y) * mx;
	vc sum = start ? vc_zero() : vc_load(gz + row * LANES + l, VEC), zs = vp_spread(z[s]);

	for (int x = l; x < mx; x += LANES) {
		int n = mx - x;
		vc dc = vc_zero();

		if (iy <= ry && (x <= rx || mx - x - VEC < rx)) {
			vc g = vc_even(gamma + iy * (rx + 1), x, mx, rx);
			vf a = vf_even(p + iy * (rx + 1), x, mx, rx);
			vc d = vc_scale(a * a, vp_cis(vp_mul(g, zs)));

			dc = vc_cmul(d, vc_load(c + plane + x, n));
			/* beyond the pupil the transforms' columns are undefined */
			dc.x = CHOOSE(a > 0, dc.x, vf_set(0));
			if (with_z) {
				vc vv = vc_load(v + plane + x, n);
				vf dv = d.y * vv.x - d.x * vv.y; /* Im(D V*) */

				dv = g.x * (vf_load(source + row * mx + x, n) * dc.y - dv);
				sum = vp_acc(sum, CHOOSE(a > 0, dv, vf_set(0)));
			}
		}
		if (!start)
			dc.x += vf_load(gs + row * mx + x, n);
		vf_store(gs + row * mx + x, n, dc.x);
	}
	vc_store(gz + row * LANES + l, VEC, sum);
}

/* Partial sums of (k gs + gi P^4) dS/dzenith and dS/dazimuth, [tiles][rows][2][LANES] pairs.  turn [tiles][7]: d arg / d
 * zenith by ix, iy, gamma, d arg / d azimuth by ix, iy, then gi and k. */
kernel void tilt_pull_source(global float2 *restrict sum, global const float *restrict gs,
			     global const float *restrict source, global const float *restrict p,
			     global const float2 *restrict gamma, global const float *restrict turn, int mx, int my, int rx,
			     int ry, int rows, int rows_lo)
{
	int r = get_global_id(0), l = VEC * get_global_id(1), t = get_global_id(2);

	if (l >= LANES || r >= rows)
		return;
	int fy = signed_bin(row_bin(r, rows, rows_lo, my), my), iy = abs(fy);
	size_t row = (size_t)t * rows + r;
	global const float *c = turn + 7 * t;
	vc zen = vc_zero(), azi = vc_zero();

	for (int x = l; x < mx && iy <= ry; x += LANES) {
		int n = mx - x;
		vi i = x + LANE, k = CHOOSE(i < (mx + 1) / 2, i, i - mx);
		vf s = vf_load(source + row * mx + x, n), a = vf_even(p + iy * (rx + 1), x, mx, rx), g, fx;

#if VEC == 16
		fx = convert_float16(k);
#else
		fx = (float)k;
#endif
		a *= a;
		g = (c[6] * vf_load(gs + row * mx + x, n) + c[5] * (a * a)) * s * (1 - s);
		zen = vp_acc(zen, g * (c[0] * fx + c[1] * fy + c[2] * vc_even(gamma + iy * (rx + 1), x, mx, rx).x));
		azi = vp_acc(azi, g * (c[3] * fx + c[4] * fy));
	}
	vc_store(sum + row * 2 * LANES + l, VEC, zen);
	vc_store(sum + (row * 2 + 1) * LANES + l, VEC, azi);
}
