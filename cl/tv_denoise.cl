/* Total variation denoising, min over u of 1/2 |u - f|^2 + lambda |w grad u|: the two half steps of
 * the accelerated primal-dual iteration of Chambolle, Pock 2011 (algorithm 2), and the duality gap.
 * Forward differences; one whose end lies outside the volume or is not finite is 0 and its dual
 * variable stays 0.  Volumes are [nz][ny][nx], nz the planes of the slab; planes z0 ... z0 + n - 1
 * are worked on.  Source of the gap's terms: lib/tv/denoise.h. */
#include "tv_sum.clh"

#define WHERE                                                                                      \
	int x = get_global_id(0) * VEC, y = get_global_id(1), z = z0 + get_global_id(2),           \
	    m = nx - x;                                                                            \
	size_t plane = (size_t)ny * nx, i = (size_t)z * plane + (size_t)y * nx + x;

static inline vf at_or_zero(global const float *p, int there, int m)
{
	return there ? vf_load(p, m) : vf_set(0);
}

/* f - (w grad)^T p */
static inline vf residual(global const float *f, global const float *pz, global const float *py,
			  global const float *px, size_t i, int z, int y, int x, int ny, int nx,
			  float4 w)
{
	int m = nx - x;
	size_t plane = (size_t)ny * nx;
	vf here = vf_load(px + i, m),
	   left = CHOOSE(x + LANE > 0, before(px + (i - x), x, nx, here), vf_set(0));
	vf dz = vf_load(pz + i, m) - at_or_zero(z > 0 ? pz + i - plane : pz, z > 0, m);
	vf dy = vf_load(py + i, m) - at_or_zero(y > 0 ? py + i - nx : py, y > 0, m);

	return vf_load(f + i, m) + (w.x * dz + w.y * dy + w.z * (here - left));
}

static inline vf held(vf u, float lo, float hi)
{
	u = CHOOSE(u < lo, vf_set(lo), u);
	return CHOOSE(u > hi, vf_set(hi), u);
}

kernel void denoise_primal(global float *restrict u, global float *restrict ahead,
			   global const float *restrict f, global const float *restrict pz,
			   global const float *restrict py, global const float *restrict px,
			   float4 w, float tau, float theta, float lo, float hi, int z0, int n,
			   int ny, int nx)
{
	WHERE

	if (x >= nx || y >= ny || z >= z0 + n)
		return;
	vf old = vf_load(u + i, m),
	   v = held((old + tau * residual(f, pz, py, px, i, z, y, x, ny, nx, w)) / (1 + tau), lo,
		    hi);

	vf_store(u + i, m, v);
	vf_store(ahead + i, m, v + theta * (v - old));
}

/* The weighted gradient of a voxel. */
static inline v3 gradient(global const float *u, size_t i, int z, int y, int x, int nz, int ny,
			  int nx, float4 w)
{
	int m = nx - x;
	size_t plane = (size_t)ny * nx;
	vf v = vf_load(u + i, m);
	v3 d;

	d.z = w.x * forward(v, z + 1 < nz ? vf_load(u + i + plane, m) : v, false, true);
	d.y = w.y * forward(v, y + 1 < ny ? vf_load(u + i + nx, m) : v, false, true);
	d.x = w.z * forward(v, after(u + (i - x), x, nx, v), false, true);
	return d;
}

kernel void denoise_dual(global float *restrict pz, global float *restrict py,
			 global float *restrict px, global const float *restrict u, float4 w,
			 float sigma, float lambda, int aniso, int z0, int n, int nz, int ny,
			 int nx)
{
	WHERE

	if (x >= nx || y >= ny || z >= z0 + n)
		return;
	v3 d = gradient(u, i, z, y, x, nz, ny, nx, w);

	d.z = vf_load(pz + i, m) + sigma * d.z;
	d.y = vf_load(py + i, m) + sigma * d.y;
	d.x = vf_load(px + i, m) + sigma * d.x;
	if (aniso) {
		d.z = clamp(d.z, -lambda, lambda);
		d.y = clamp(d.y, -lambda, lambda);
		d.x = clamp(d.x, -lambda, lambda);
	} else {
		vf s = sqrt(d.z * d.z + d.y * d.y + d.x * d.x),
		   k = CHOOSE(s > lambda, lambda / s, vf_set(1));

		d.z *= k;
		d.y *= k;
		d.x *= k;
	}
	vf_store(pz + i, m, d.z);
	vf_store(py + i, m, d.y);
	vf_store(px + i, m, d.x);
}

/* The u that belongs to p. */
kernel void denoise_answer(global float *restrict u, global const float *restrict f,
			   global const float *restrict pz, global const float *restrict py,
			   global const float *restrict px, float4 w, float lo, float hi, int z0,
			   int n, int ny, int nx)
{
	WHERE

	if (x >= nx || y >= ny || z >= z0 + n)
		return;
	vf_store(u + i, m, held(residual(f, pz, py, px, i, z, y, x, ny, nx, w), lo, hi));
}

/* part [n][blocks of BLOCK rows][SUMS]: sums of lambda |w grad u| - <p, w grad u>, of (u - f)^2 and of
 * |w grad u|, in the order of cl/tv_sum.clh; a work-item (on a GPU: a work-group of 64) takes a block */
kernel void denoise_gap(global total *restrict part, global const float *restrict u,
			global const float *restrict f, global const float *restrict pz,
			global const float *restrict py, global const float *restrict px, float4 w,
			float lambda, int aniso, int z0, int n, int nz, int ny, int nx)
{
	local total space[ITEMS];
	int item = get_local_id(0), k = get_global_id(1), block = get_global_id(2),
	    blocks = (ny + BLOCK - 1) / BLOCK, z = z0 + k, y0 = block * BLOCK,
	    y1 = min(y0 + BLOCK, ny);
	total row[SUMS][BLOCK];

	if (k >= n || block >= blocks)
		return;
	for (int y = y0; y < y1; y++) {
		vt lane[SUMS][QUADS];

		for (int x0 = 0; x0 < nx; x0 += COLUMNS) {
			vf s[SUMS][QUADS];

			for (int j = 0; j < SUMS * QUADS; j++)
				s[j / QUADS][j % QUADS] = vf_set(0);
			for (int x = x0 + item; x < min(nx, x0 + COLUMNS); x += 64 / QUADS) {
				int m = nx - x, q = QUADS == 1 ? 0 : x / 16 % QUADS;
				size_t i = ((size_t)z * ny + y) * nx + x;
				v3 d = gradient(u, i, z, y, x, nz, ny, nx, w);
				vf r = vf_load(u + i, m) - vf_load(f + i, m), gap, length;

				length = aniso ? fabs(d.z) + fabs(d.y) + fabs(d.x)
					       : sqrt(d.z * d.z + d.y * d.y + d.x * d.x);
				gap = lambda * length -
				      (vf_load(pz + i, m) * d.z + vf_load(py + i, m) * d.y +
				       vf_load(px + i, m) * d.x);
				s[0][q] += CHOOSE(gap > 0, gap, vf_set(0)); /* the rest is rounding */
				s[1][q] += CHOOSE(isfinite(r), r * r, vf_set(0));
				s[2][q] += length;
			}
			for (int j = 0; j < SUMS * QUADS; j++) {
				vf more = s[j / QUADS][j % QUADS];
				vt *to = &lane[j / QUADS][j % QUADS];

				*to = x0 == 0 ? vt_of(more) : vt_acc(*to, more);
			}
		}
		for (int a = 0; a < SUMS; a++)
			row[a][y - y0] = join_lanes(lane[a], item, space);
	}
	for (int a = 0; a < SUMS; a++) {
		total sum = join_rows(row[a], y1 - y0);

		if (item == 0)
			part[((size_t)k * blocks + block) * SUMS + a] = sum;
	}
}
