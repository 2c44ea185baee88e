/* K-Planes (Fridovich-Keil et al. 2023; Yi et al. 2023): a volume as products of bilinear samples
 * of planes in rotated frames. */
#include "pair.clh"
#include "vec.clh"

enum { CHUNK = 32, WANT_POINTS = 1, WANT_WEIGHTS = 2 }; /* of lib/kplanes/field.c */

/* Where a point falls in one plane: fractions and d(index)/d(coordinate) along W and H; steps to
 * the right and lower texel. */
struct corner {
	float tw, th, sw, sh;
	int dx, dy;
};

struct spots {
	struct corner c[3];
	size_t at[3]; /* of the upper left texel */
};

/* q = R p, its coordinates turned `turn` times (zxy, yzx), so that plane `turn` takes the place of
 * XY. */
static inline float3 rotate3(global const float *r, float3 p, int turn)
{
	global const float *a = r + 3 * ((3 - turn) % 3), *b = r + 3 * ((4 - turn) % 3),
			   *c = r + 3 * ((5 - turn) % 3);

	return (float3)(a[0] * p.x + (a[1] * p.y + a[2] * p.z),
			b[0] * p.x + (b[1] * p.y + b[2] * p.z),
			c[0] * p.x + (c[1] * p.y + c[2] * p.z));
}

/* Planes (x, y), (z, x), (y, z) as (W, H).  Lanes: W of the three, -, H of the three, -. */
static inline struct spots locate(float3 q, int H, int W, int C)
{
	float w = W - 1, h = H - 1;
	float8 top = (float8)(w, w, w, 0, h, h, h, 0), half_top = 0.5f * top;
	float8 i = ((float8)(q.x, q.z, q.y, 0, q.y, q.x, q.z, 0) + 1) * half_top;
	float8 slope = select((float8)(0), half_top, (i > 0) & (i < top));

	i = fmin(fmax(i, (float8)(0)), top);
	float8 lo = fmax(fmin(floor(i), top - 1), (float8)(0)), f = i - lo;
	int8 at = convert_int8(lo);
	int dx = W > 1 ? C : 0, dy = H > 1 ? W * C : 0;
	struct spots s;

	s.c[0] = (struct corner){ f.s0, f.s4, slope.s0, slope.s4, dx, dy };
	s.c[1] = (struct corner){ f.s1, f.s5, slope.s1, slope.s5, dx, dy };
	s.c[2] = (struct corner){ f.s2, f.s6, slope.s2, slope.s6, dx, dy };
	s.at[0] = ((size_t)at.s4 * W + at.s0) * C;
	s.at[1] = ((size_t)at.s5 * W + at.s1) * C;
	s.at[2] = ((size_t)at.s6 * W + at.s2) * C;
	return s;
}

/* linear, or softplus of a - 1 */
static inline float activate(float a, int activation)
{
	return activation ? log1p(exp(-fabs(a - 1))) + fmax(a - 1, 0.0f) : a;
}

/* key [3T][n] = row << 16 | column of the cell of each point in each plane */
kernel void kp_cells(global uint *restrict key, global const float *restrict pts,
		     global const float *restrict rot, ulong n, int T, int H, int W)
{
	size_t b = get_global_id(0), t = get_global_id(1);

	if (b >= n || t >= T)
		return;
	float3 q = rotate3(rot + 9 * t, vload3(b, pts), 0);
	float w = W - 1, h = H - 1;
	float8 top = (float8)(w, w, w, 0, h, h, h, 0);
	float8 i = ((float8)(q.x, q.z, q.y, 0, q.y, q.x, q.z, 0) + 1) * (0.5f * top);

	i = fmin(fmax(i, (float8)(0)), top);
	uint8 at = convert_uint8(fmax(fmin(floor(i), top - 1), (float8)(0)));

	key[(3 * t + 0) * n + b] = at.s4 << 16 | at.s0;
	key[(3 * t + 1) * n + b] = at.s5 << 16 | at.s1;
	key[(3 * t + 2) * n + b] = at.s6 << 16 | at.s2;
}

/* One step of Adam or NAdam: m and v are updated, x -= (cg g + cm m) / (sqrt(v cv) + 1e-8). */
kernel void kp_update(global float *restrict x, global const float *restrict g,
		      global float *restrict m, global float *restrict v, ulong n, float cg,
		      float cm, float cv)
{
	size_t i = VEC * get_global_id(0);

	if (i >= n)
		return;
	int left = (int)min((ulong)VEC, (ulong)(n - i));
	vf d = vf_load(g + i, left), a = fma(vf_set(0.9f), vf_load(m + i, left), vf_set(0.1f) * d);
	vf b = fma(vf_set(0.999f), vf_load(v + i, left), vf_set(0.001f) * (d * d));

	vf_store(m + i, left, a);
	vf_store(v + i, left, b);
	vf_store(x + i, left,
		 vf_load(x + i, left) - (cg * d + cm * a) / (sqrt(b * cv) + vf_set(1e-8f)));
}

#define V 1
#include "kplanes.clh"
#undef V
#define V 4
#include "kplanes.clh"
#undef V
#define V 8
#include "kplanes.clh"
