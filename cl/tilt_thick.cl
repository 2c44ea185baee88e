/* Transfer functions and inverse of thick objects: spec section 3.4. */
#include "tilt.clh"

/* a = S w with w = P^2 E, and w *= -i/(4 pi) / (gamma + (1 - P) + 1e-15) in place. */
kernel void thick_waves(global float2 *restrict a, global float2 *restrict w, global const float *restrict source,
			global const float *restrict p, global const float2 *restrict gamma, int mx, int my, int rx, int ry,
			int rows, int rows_lo, int packed)
{
	int x = VEC * get_global_id(0), r = get_global_id(1), n = mx - x;

	if (x >= mx || r >= rows)
		return;
	int y = row_bin(r, rows, rows_lo, my), k = r, iy = abs(signed_bin(y, my));
	size_t at = (size_t)y * mx + x;
	vf s = vf_set(0), g = vf_set(0);
	vc v = vc_load(w + at, n), turned;

	if (rows > packed)
		k = y < rows_lo ? y : y - (my - packed);
	if (rows == packed || y < rows_lo || y >= my - (packed - rows_lo))
		s = vf_load(source + (size_t)k * mx + x, n);
	if (iy <= ry) {
		vf q = vf_even(p + iy * (rx + 1), x, mx, rx);

		g = 0.0795774715f / (vc_even(gamma + iy * (rx + 1), x, mx, rx).x + (1 - q) + 1e-15f);
	}
	turned.x = v.y;
	turned.y = -v.x;
	vc_store(a + at, n, vc_scale(s, v));
	vc_store(w + at, n, vc_scale(g, turned));
}

/* Keeps the lags that are needed: h [lags][hx] from raw [my][hcols], row i = lag i - lags / 2; the conjugate gives H. */
kernel void thick_keep(global float2 *restrict h, global const float2 *restrict raw, int lags, int hx, int my, int hcols,
		       ulong first, float scale)
{
	int x = get_global_id(0), i = get_global_id(1), q = get_global_id(2);

	if (x >= hx || i >= lags)
		return;
	int ly = i - lags / 2, y = ly < 0 ? ly + my : ly;
	float2 v = raw[((size_t)q * my + y % my) * hcols + x];

	h[first + ((size_t)q * lags + i) * hx + x] = scale * conj_(v);
}

/* H along z of a block of rows: hz [n][2][rows][hcols]; set 0 at the lag of each bin, set 1 at minus the lag of the mirrored
 * bin (they differ at Nyquist bins and under the peer's crop).  plane_of[j] = (plane of h, mirrored). */
kernel void thick_stack(global float2 *restrict hz, global const float2 *restrict h, global const int2 *restrict plane_of,
			global const float *restrict weight, int n, int row0, int rows, int hcols, int ny, int nx, int lags,
			int hx, int both, int sy, int sx, int mirror_sets, float k_re, float k_im)
{
	int j = get_global_id(0), r = get_global_id(1), k = get_global_id(2), set = k % mirror_sets, z = k / mirror_sets;

	if (j >= hcols || r >= rows || z >= n)
		return;
	int i = row0 + r, ly = signed_bin(i, ny), lx = j;
	float2 v = 0;

	if (i < ny) {
		if (set == 0) {
			ly += sy;
			lx += sx;
		} else {
			ly = (2 * i == ny ? ny / 2 : ly) - sy;
			lx -= sx;
		}
		int2 p = plane_of[z];
		int turn = lx < 0; /* only set 0, column 0 under the peer's crop, which the filter does not read */
		size_t at = ((size_t)p.x * both * lags + (turn ? 0 : ly + lags / 2)) * hx + (turn ? 0 : lx);
		float2 re = h[at], im = both == 2 ? h[at + (size_t)lags * hx] : 0;

		if (p.y) {
			re = (float2)(-re.x, re.y);
			im = conj_(im);
		}
		v = weight[z] * (k_re * re + k_im * im);
	}
	hz[(((size_t)z * mirror_sets + set) * rows + r) * hcols + j] = v;
}

static inline float2 filter(float2 h, float reg)
{
	return (float2)(h.x, -h.y) / (h.x * h.x + h.y * h.y + reg);
}

/* b *= H* / (|H|^2 + reg), as the Hermitian part of the whole spectrum: columns 0 and nx/2 only hold their mirror's filter,
 * whose Hermitian part thick_real_columns takes; the others average both where they differ. */
kernel void thick_filter(global float2 *restrict bz, global const float2 *restrict hz, global const int2 *restrict crop,
			 int zp, int rows, int hcols, int nx, int mirror_sets, float reg, float scale)
{
	int j = get_global_id(0), r = get_global_id(1), k = get_global_id(2);

	if (j >= hcols || r >= rows || k >= zp)
		return;
	int2 c = crop[k];
	size_t at = (size_t)r * hcols + j, set = (size_t)rows * hcols;
	float2 f = filter(hz[((size_t)c.y * mirror_sets + mirror_sets - 1) * set + at], reg);

	if (j > 0 && 2 * j != nx)
		f = 0.5f * (f + filter(hz[(size_t)c.x * mirror_sets * set + at], reg));
	bz[((size_t)k * rows + r) * hcols + j] = scale * mul(f, bz[((size_t)k * rows + r) * hcols + j]);
}

/* A block of rows of b [zp][ny][hcols] to bz [zp][rows][hcols], and back. */
kernel void thick_gather(global float2 *restrict bz, global const float2 *restrict b, int zp, int row0, int rows, int ny,
			 int hcols)
{
	int j = get_global_id(0), r = get_global_id(1), k = get_global_id(2);

	if (j >= hcols || r >= rows || k >= zp)
		return;
	bz[((size_t)k * rows + r) * hcols + j] = row0 + r < ny ? b[((size_t)k * ny + row0 + r) * hcols + j] : 0;
}

kernel void thick_scatter(global float2 *restrict b, global const float2 *restrict bz, int zp, int row0, int rows, int ny,
			  int hcols)
{
	int j = get_global_id(0), r = get_global_id(1), k = get_global_id(2);

	if (j >= hcols || r >= rows || row0 + r >= ny || k >= zp)
		return;
	b[((size_t)k * ny + row0 + r) * hcols + j] = bz[((size_t)k * rows + r) * hcols + j];
}

/* Columns 0 and nx/2 (even nx) of every plane: the Hermitian part, so that the image is real. */
kernel void thick_real_columns(global float2 *restrict b, int zp, int ny, int nx)
{
	int c = get_global_id(0), i = get_global_id(1), k = get_global_id(2), hcols = nx / 2 + 1;

	if (c > 1 || (c == 1 && nx % 2) || 2 * i > ny || k >= zp)
		return;
	size_t at = ((size_t)k * ny + i) * hcols + (c ? nx / 2 : 0), mirror = at + (size_t)(i ? ny - 2 * i : 0) * hcols;
	float2 v = 0.5f * (b[at] + conj_(b[mirror]));

	b[at] = v;
	b[mirror] = conj_(v);
}
