/* Erosions and reconstructions of an image of ranks, [nz][ny][nx] int, the samples' places in the ascending order of their values: each
 * kernel is exact on any device, with or without double precision.  Rank 0 is below all. */

enum { TILE = 16 }; /* work-groups of granularity_rebuild are TILE x TILE x 1 */

/* Minimum over a sample and its face neighbours inside the image. */
kernel void granularity_erode(global int *restrict to, global const int *restrict from, int nz, int ny, int nx)
{
	int x = get_global_id(0), y = get_global_id(1), z = get_global_id(2);

	if (x >= nx || y >= ny || z >= nz)
		return;
	size_t area = (size_t)ny * nx, i = z * area + (size_t)y * nx + x;
	int v = from[i];

	v = x > 0 ? min(v, from[i - 1]) : v;
	v = x + 1 < nx ? min(v, from[i + 1]) : v;
	v = y > 0 ? min(v, from[i - nx]) : v;
	v = y + 1 < ny ? min(v, from[i + nx]) : v;
	v = z > 0 ? min(v, from[i - area]) : v;
	v = z + 1 < nz ? min(v, from[i + area]) : v;
	to[i] = v;
}

/* Geodesic dilations under the mask until nothing changes inside the tile; what lies around it is as it was before.  *changed = 1 if
 * any sample changed.  Launched until it stays 0, `to` is the reconstruction. */
kernel void granularity_rebuild(global int *restrict to, global const int *restrict from, global const int *restrict mask,
				global int *changed, int nz, int ny, int nx)
{
	local int t[(TILE + 2) * (TILE + 2)];
	local int moved;
	int x = get_global_id(0), y = get_global_id(1), z = get_global_id(2);
	int x0 = x - (int)get_local_id(0), y0 = y - (int)get_local_id(1), id = get_local_id(1) * TILE + get_local_id(0);
	int at = (get_local_id(1) + 1) * (TILE + 2) + get_local_id(0) + 1, v = 0, first = 0, most = 0;
	bool inside = x < nx && y < ny && z < nz;
	size_t area = (size_t)ny * nx, i = z * area + (size_t)y * nx + x;

	for (int k = id; k < (TILE + 2) * (TILE + 2); k += TILE * TILE) {
		int tx = x0 + k % (TILE + 2) - 1, ty = y0 + k / (TILE + 2) - 1;

		t[k] = tx >= 0 && tx < nx && ty >= 0 && ty < ny && z < nz ? from[z * area + (size_t)ty * nx + tx] : 0;
	}
	barrier(CLK_LOCAL_MEM_FENCE);
	if (inside) {
		most = mask[i];
		v = first = t[at];
		v = z > 0 ? max(v, from[i - area]) : v;
		v = z + 1 < nz ? max(v, from[i + area]) : v;
		v = min(v, most);
		t[at] = v;
	}
	for (int again = 1; again;) {
		if (id == 0)
			moved = 0;
		barrier(CLK_LOCAL_MEM_FENCE);
		int n = max(max(t[at - 1], t[at + 1]), max(t[at - TILE - 2], t[at + TILE + 2]));

		n = min(max(n, v), most);
		barrier(CLK_LOCAL_MEM_FENCE);
		if (inside && n > v) {
			t[at] = v = n;
			atomic_xchg(&moved, 1);
		}
		barrier(CLK_LOCAL_MEM_FENCE);
		again = moved;
		barrier(CLK_LOCAL_MEM_FENCE);
	}
	if (inside) {
		to[i] = v;
		if (v != first)
			atomic_xchg(changed, 1);
	}
}

/* Ranks to values, of 8 bytes whatever they mean, in an image with a border: row y of plane z begins at start + z stride_z +
 * y stride_y. */
kernel void granularity_values(global ulong *restrict to, global const int *restrict rank, global const ulong *restrict value,
			       ulong start, ulong stride_z, ulong stride_y, int nz, int ny, int nx)
{
	int x = get_global_id(0), y = get_global_id(1), z = get_global_id(2);

	if (x >= nx || y >= ny || z >= nz)
		return;
	to[start + z * stride_z + y * stride_y + x] = value[rank[((size_t)z * ny + y) * nx + x]];
}
