/* The forward model: stacks of a known object under a tilted condenser, linear in the object or
 * without that assumption (spec section 13).  Bins as in tilt.cl. */
#include "tilt.clh"

/* x[t][0] = H_a A + H_p Phi at every bin, for one plane: h [.][2][my][hx] raw, object
 * [.][2][ny][nx/2+1] the spectra of absorption and phase. */
kernel void tilt_sim_weak(global float2 *restrict x, global const float2 *restrict h,
			  global const float2 *restrict object, global const float *restrict scale,
			  int nr, int nc, int ny, int nx, int my, int hx, int tiles)
{
	int j = get_global_id(0), i = get_global_id(1), t = get_global_id(2);

	if (j >= nc || i >= nr || t >= tiles)
		return;
	size_t spec = (size_t)ny * (nx / 2 + 1);
	float2 ha, hp, a = spectrum(object + 2 * t * spec, i, j, ny, nx);
	float2 phi = spectrum(object + (2 * t + 1) * spec, i, j, ny, nx);

	transfer(h + (size_t)t * 2 * my * hx, my, hx, lag_y(i, ny, 0), j, scale[t], 0, &ha, &hp);
	x[(size_t)t * 2 * nr * nc + (size_t)i * nc + j] = mul(ha, a) + mul(hp, phi);
}

/* Half spectra [2][ny][nx/2+1] to the finer grid's [2][my][mx/2+1], zero-filled: bin -n/2 alone is
 * filled and the real part taken, so half of it stands at either sign; times scale. */
kernel void tilt_sim_finer(global float2 *restrict out, global const float2 *restrict in, int ny,
			   int nx, int my, int mx, float scale)
{
	int x = get_global_id(0), y = get_global_id(1), q = get_global_id(2), hcols = nx / 2 + 1;

	if (x > mx / 2 || y >= my || q >= 2)
		return;
	int ly = signed_bin(y, my);
	int edge_y = my > ny && 2 * abs(ly) == ny, edge_x = mx > nx && 2 * x == nx;
	float2 v = 0;

	if (my == ny)
		ly = y;
	if (x < hcols && (my == ny || 2 * abs(ly) <= ny) && !(edge_x && edge_y && ly < 0)) {
		v = in[((size_t)q * ny + (ly < 0 ? ly + ny : ly)) * hcols + x];
		v *= edge_x || edge_y ? 0.5f * scale : scale;
	}
	out[((size_t)q * my + y) * (mx / 2 + 1) + x] = v;
}

/* field = exp(absorption + i phase) scale; object [2][pixels] */
kernel void tilt_sim_field(global float2 *restrict field, global const float *restrict object,
			   int pixels, float scale)
{
	int i = get_global_id(0);

	if (i >= pixels)
		return;
	float phi = object[(size_t)pixels + i], a = scale * exp(object[i]);

	field[i] = a * (float2)(cos(phi), sin(phi));
}

/* wave[p](y, x) = spec(y - sy, x - sx) d(y, x) for each point p of the source; rows that the pupil
 * reaches. */
kernel void tilt_sim_shift(global float2 *restrict wave, global const float2 *restrict spec,
			   global const float2 *restrict d, global const int2 *restrict point,
			   int mx, int my, int rows, int rows_lo, int first, int points)
{
	int x = get_global_id(0), r = get_global_id(1), p = get_global_id(2);

	if (x >= mx || r >= rows || p >= points)
		return;
	int y = row_bin(r, rows, rows_lo, my), fx = x - point[first + p].x,
	    fy = y - point[first + p].y;
	size_t from = (size_t)(fy < 0 ? fy + my : fy) * mx + (fx < 0 ? fx + mx : fx),
	       at = (size_t)y * mx + x;

	wave[(size_t)p * my * mx + at] = mul(spec[from], d[at]);
}

/* sum += weight |wave|^2, the points one after another: pairs, so that their number does not
 * matter. */
kernel void tilt_sim_add(global float2 *restrict sum, global const float2 *restrict wave,
			 global const float *restrict weight, int pixels, int first, int points)
{
	int i = get_global_id(0);

	if (i >= pixels)
		return;
	pair s = first ? sum[i] : (pair)(0);

	for (int p = 0; p < points; p++) {
		float2 v = wave[(size_t)p * pixels + i];

		s = pair_acc(s, weight[first + p] * (v.x * v.x + v.y * v.y));
	}
	sum[i] = s;
}

/* intensity = sum scale - 1 */
kernel void tilt_sim_intensity(global float *restrict intensity, global const float2 *restrict sum,
			       int pixels, float scale)
{
	int i = get_global_id(0);

	if (i < pixels)
		intensity[i] = fma(sum[i].x, scale, -1.0f) + sum[i].y * scale;
}

/* The bins of the camera out of the finer half spectrum [my][mx/2+1]. */
kernel void tilt_sim_crop(global float2 *restrict x, global const float2 *restrict fine, int nr,
			  int nc, int ny, int my, int mx)
{
	int j = get_global_id(0), i = get_global_id(1);

	if (j >= nc || i >= nr)
		return;
	int ly = lag_y(i, ny, 0);

	x[(size_t)i * nc + j] = fine[(size_t)(ly < 0 ? ly + my : ly) * (mx / 2 + 1) + j];
}
