/* K-Planes (Fridovich-Keil et al. 2023; Yi et al. 2023): a volume as products of bilinear samples
 * of planes in rotated frames. */
#include "pair.clh"
#include "vec.clh"

/* of lib/kplanes/field.h, gradient.c */
enum { CHUNK = 32, WANT_POINTS = 1, WANT_WEIGHTS = 2, WANT_PLANES = 4 };
#if VEC == 16
enum { TILE = 4 }; /* rows along y and z that a work-item renders */
#else
enum { TILE = 1 };
#endif

/* PoCL's vload8 becomes four instructions where the optimiser does not see it in a straight line. */
typedef float4 float4_anywhere __attribute__((aligned(4)));
typedef float8 float8_anywhere __attribute__((aligned(4)));

#define UNROLL _Pragma("unroll")

/* VEC points side by side. */
typedef struct {
	vf x, y, z;
} v3;

/* Where they fall in the three planes of a rotation: the upper left texel, fractions and
 * d(index)/d(coordinate) along W and H. */
typedef struct {
	vf tw[3], th[3], sw[3], sh[3];
	vi at[3];
} places;

static inline vf vf_load_private(const float *p)
{
#if VEC == 16
	return vload16(0, p);
#else
	return *p;
#endif
}

static inline float vf_across(vf v)
{
#if VEC == 16
	float8 h = v.lo + v.hi;
	float4 q = h.lo + h.hi;

	return (q.x + q.y) + (q.z + q.w);
#else
	return v;
#endif
}

static inline vi vi_of(vf v)
{
#if VEC == 16
	return convert_int16(v);
#else
	return (int)v;
#endif
}

static inline vf vf_of(vi v)
{
#if VEC == 16
	return convert_float16(v);
#else
	return v;
#endif
}

#define OF(v, l) (((const float *)&(v))[l])
#define TEXEL(s, k, l) ((size_t)((const uint *)&(s).at[k])[l])

/* pts [b], [b + 1] ...; the last one again where there is none */
static inline v3 points_at(global const float *pts, size_t b, size_t n)
{
	float x[VEC], y[VEC], z[VEC];
	v3 p;

	for (int l = 0; l < VEC; l++) {
		size_t i = 3 * min(b + l, n - 1);

		x[l] = pts[i];
		y[l] = pts[i + 1];
		z[l] = pts[i + 2];
	}
	p.x = vf_load_private(x);
	p.y = vf_load_private(y);
	p.z = vf_load_private(z);
	return p;
}

static inline v3 rotate3(global const float *r, v3 p)
{
	v3 q;

	q.x = r[0] * p.x + (r[1] * p.y + r[2] * p.z);
	q.y = r[3] * p.x + (r[4] * p.y + r[5] * p.z);
	q.z = r[6] * p.x + (r[7] * p.y + r[8] * p.z);
	return q;
}

/* The index of coordinate g along an axis of n texels: returns its whole part, the rest to *f. */
static inline vi axis_of(vf g, int n, vf *f, vf *slope)
{
	float last = n - 1;
	vf top = vf_set(last), half_top = vf_set(0.5f * last), zero = vf_set(0);
	vf i = (g + 1) * half_top;
	vi lo;

	*slope = CHOOSE((i > zero) & (i < top), half_top, zero);
	i = CHOOSE(i > zero, i, zero);
	i = CHOOSE(i < top, i, top);
	lo = min(vi_of(i), (vi)(max(n - 2, 0)));
	*f = i - vf_of(lo);
	return lo;
}

static inline void place(places *s, int k, vf gw, vf gh, int H, int W)
{
	vi column = axis_of(gw, W, &s->tw[k], &s->sw[k]);

	s->at[k] = axis_of(gh, H, &s->th[k], &s->sh[k]) * W + column;
}

/* Planes (x, y), (z, x), (y, z) as (W, H). */
static inline void locate(places *s, v3 q, int H, int W)
{
	place(s, 0, q.x, q.y, H, W);
	place(s, 1, q.z, q.x, H, W);
	place(s, 2, q.y, q.z, H, W);
}

/* turn [9], row-major, += the sum over points p of what they have by q, times p */
static inline void turn_by(pair *turn, v3 p, vf x, vf y, vf z)
{
	const vf q[3] = { x, y, z }, at[3] = { p.x, p.y, p.z };

	UNROLL for (int i = 0; i < 9; i++)
		turn[i] = pair_acc(turn[i], vf_across(q[i / 3] * at[i % 3]));
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
	size_t b = VEC * get_global_id(0), t = get_global_id(1);
	places s;

	if (b >= n || t >= T)
		return;
	locate(&s, rotate3(rot + 9 * t, points_at(pts, b, n)), H, W);
	for (int k = 0; k < 3; k++)
		for (int l = 0; l < min((size_t)VEC, n - b); l++) {
			uint at = TEXEL(s, k, l);

			key[(3 * t + k) * n + b + l] = at / W << 16 | at % W;
		}
}

#define V 1
#include "kplanes.clh"
#undef V
#define V 4
#include "kplanes.clh"
#undef V
#define V 8
#include "kplanes.clh"

/* A step of the planes x by their gradient g. */
kernel void kp_update(global float *restrict x, global const float *restrict g,
		      global float *restrict m, global float *restrict v, ulong n, float cg,
		      float cm, float cv)
{
	size_t i = get_global_id(0);

	if (i < n)
		step_1(x + i, g[i], m + i, v + i, cg, cm, cv);
}

#ifdef WIDE
/* dp [n] (+= but for is_first) = the sum of part [parts][n], in their order */
kernel void kp_join(global float *restrict dp, global const float *restrict part, ulong n,
		    int parts, int is_first)
{
	size_t i = VEC * get_global_id(0);

	if (i >= n)
		return;
	int left = min((ulong)VEC, (ulong)(n - i));
	vf sum = is_first ? vf_set(0) : vf_load(dp + i, left);

	for (int k = 0; k < parts; k++)
		sum += vf_load(part + n * k + i, left);
	vf_store(dp + i, left, sum);
}
#endif
