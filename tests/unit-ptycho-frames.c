/* Measured frames to photons: every step of lib/ptycho/frames.h against cases that can be done by
 * hand. */
#include <math.h>
#include <stdint.h>

#include "base/die.h"
#include "capture.h"
#include "io/csvio.h"
#include "io/tiffio.h"
#include "ptycho/frames.h"
#include "tap.h"

enum { N = 8, ODD = 9 };

static struct frames_opts plain(void)
{
	return (struct frames_opts){ .dc = DC_CENTRE,
				     .saturation = INFINITY,
				     .gain = 1,
				     .reject = { 0, INFINITY },
				     .half = -1 };
}

static struct array u16_array(uint16_t *v, size_t nz, size_t ny, size_t nx)
{
	return (struct array){ DT_U16, nz, ny, nx, v };
}

static struct array f32_array(float *v, size_t nz, size_t ny, size_t nx)
{
	return (struct array){ DT_F32, nz, ny, nx, v };
}

/* Element of a prepared frame at (row, column) of the centred one; -1 invalid. */
static double at(const struct frames *f, size_t k, size_t row, size_t column)
{
	size_t n = f->n, i = k * n * n + (row + n - n / 2) % n * n + (column + n - n / 2) % n;

	if (f->u16)
		return ((uint16_t *)f->data)[i] == UINT16_MAX ? -1 : ((uint16_t *)f->data)[i];
	return ((float *)f->data)[i];
}

/* frames_prepare, what it says kept for captured */
static int said(const char *path, const struct array *a, const struct frames_opts *o,
		struct frames *f)
{
	int rc;

	capture_begin();
	rc = frames_prepare(path, a, o, f);
	capture_end();
	return rc;
}

/* 1, 2, 3, ... */
static void count(uint16_t *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		v[i] = (uint16_t)(i + 1);
}

static void ramp(float *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		v[i] = (float)(i + 1);
}

static void layouts(void)
{
	uint16_t v[2 * ODD * ODD] = { 0 };
	struct array a = u16_array(v, 1, ODD, ODD);
	struct frames_opts o = plain();
	struct frames f;

	o.dc = DC_AUTO;
	v[4 * ODD + 4] = 100; /* beam at (4, 4), a pixel to its right */
	v[4 * ODD + 5] = 7;
	v[0] = 1;
	ok(frames_prepare("x", &a, &o, &f) == 0 && f.dc == DC_CENTRE && f.dc_ratio == 107 &&
		   ((uint16_t *)f.data)[0] == 100 && ((uint16_t *)f.data)[1] == 7,
	   "odd size, centred file: the beam goes to (0,0), right of it stays right");
	frames_clear(&f);
	memset(v, 0, sizeof v);
	v[0] = 100; /* the same with the beam at the corner */
	v[1] = 7;
	v[5 * ODD + 5] = 1;
	ok(frames_prepare("x", &a, &o, &f) == 0 && f.dc == DC_CORNER &&
		   ((uint16_t *)f.data)[0] == 100 && ((uint16_t *)f.data)[1] == 7 &&
		   ((uint16_t *)f.data)[5 * ODD + 5] == 1,
	   "odd size, corner file: nothing moves");
	frames_clear(&f);
	for (int i = 0; i < ODD * ODD; i++)
		v[i] = 5;
	ok(said("x", &a, &o, &f) == -1 && captured("cannot tell the layout (ratio 1") &&
		   captured("give --dc") && !f.data,
	   "flat light is refused: give --dc");
	memset(v, 0, sizeof v);
	v[0] = 100;
	o.dc = DC_CENTRE;
	ok(said("x", &a, &o, &f) == 0 && captured("corner") && f.dc == DC_CENTRE,
	   "a layout that contradicts the light is taken, with a warning");
	frames_clear(&f);
}

static void golden_layouts(const char *shared)
{
	char path[500];
	struct csv t;
	struct array a;
	size_t name, layout, ratio;

	snprintf(path, sizeof path, "%s/golden/ptycho/dc.csv", shared);
	if (!ok(csv_read(path, false, &t) == 0 && csv_need(&t, "file", &name) == 0 &&
			csv_need(&t, "layout", &layout) == 0 && csv_need(&t, "ratio", &ratio) == 0,
		"dc.csv is there"))
		return;
	for (size_t r = 0; r < t.rows; r++) {
		const char *file = csv_cell(&t, r, name);
		struct frames_opts o = plain();
		struct frames f = { 0 };
		double want = 0;
		bool read;

		if (strcmp(file, "flat") == 0)
			continue;
		snprintf(path, sizeof path, "%s/data/ptycho/%s", shared, file);
		o.dc = DC_AUTO;
		read = csv_double(&t, r, ratio, false, &want) == 0 &&
		       tiff_read(path, NULL, &a, NULL) == 0;
		ok(read && frames_prepare(path, &a, &o, &f) == 0 && f.u16 &&
			   (f.dc == DC_CORNER) ==
				   (strcmp(csv_cell(&t, r, layout), "corner") == 0) &&
			   fabs(f.dc_ratio / want - 1) < 0.01,
		   "%s: %s with ratio %g", file, csv_cell(&t, r, layout), want);
		frames_clear(&f);
		array_clear(&a);
	}
	csv_clear(&t);
}

static void markers(void)
{
	uint16_t v[N * N], mask[N * N];
	float w[N * N];
	struct array a = u16_array(v, 1, N, N), m = u16_array(mask, 1, N, N),
		     b = f32_array(w, 1, N, N);
	struct frames_opts o = plain();
	struct frames f;

	count(v, N * N);
	for (int i = 0; i < N * N; i++)
		mask[i] = i != 3;
	v[10] = UINT16_MAX;
	o.mask = &m;
	ok(frames_prepare("x", &a, &o, &f) == 0 && f.u16 && f.invalid[0] == 2 &&
		   at(&f, 0, 0, 3) == -1 && at(&f, 0, 1, 2) == -1 && at(&f, 0, 7, 7) == 64 &&
		   f.photons[0] == 2080 - 4 - 11 && fabs(f.masked_share - 2. / 64) < 1e-15,
	   "masked and saturated pixels are markers, u16 stays u16");
	frames_clear(&f);
	o.saturation = 0;
	ok(frames_prepare("x", &a, &o, &f) == 0 && !f.u16 && f.invalid[0] == 1 &&
		   at(&f, 0, 1, 2) == 65535,
	   "without saturation 65535 is a count, which u16 cannot tell from its marker");
	frames_clear(&f);
	o.saturation = 60;
	o.hot = 50;
	v[10] = 0;
	ok(frames_prepare("x", &a, &o, &f) == 0 && f.u16 && f.invalid[0] == 1 + 14 &&
		   at(&f, 0, 6, 1) == 50 && at(&f, 0, 6, 2) == -1,
	   "counts above --hot are invalid, equal ones not");
	frames_clear(&f);
	o.hot = 0;
	ok(frames_prepare("x", &a, &o, &f) == 0 && f.invalid[0] == 1 + 5 && at(&f, 0, 7, 2) == 59 &&
		   at(&f, 0, 7, 3) == -1,
	   "counts from --saturation on are invalid");
	frames_clear(&f);
	ramp(w, N * N);
	w[5] = NAN;
	w[6] = INFINITY;
	w[7] = -3;
	o = plain();
	ok(frames_prepare("x", &b, &o, &f) == 0 && !f.u16 && f.invalid[0] == 2 &&
		   at(&f, 0, 0, 5) == -1 && at(&f, 0, 0, 6) == -1 && at(&f, 0, 0, 7) == 0,
	   "NaN and Inf are invalid, negative is 0");
	frames_clear(&f);
}

static void hot_pixels(void)
{
	uint16_t v[3 * N * N];
	struct array a = u16_array(v, 3, N, N);
	struct frames_opts o = plain();
	struct frames f;

	for (int i = 0; i < 3 * N * N; i++)
		v[i] = 2;
	v[20] = v[N * N + 20] = v[2 * N * N + 20] = 41; /* mean 41 > 20 x 2 */
	v[30] = 100;					/* mean 34.7 is not */
	o.hot = INFINITY;
	ok(frames_prepare("x", &a, &o, &f) == 0 && f.invalid[0] == 1 && f.invalid[2] == 1 &&
		   at(&f, 1, 2, 4) == -1 && at(&f, 0, 3, 6) == 100,
	   "auto: hot on average is invalid in every frame, hot in one frame is light");
	frames_clear(&f);
}

static void corrections(void)
{
	float v[2 * N * N], dark[2 * N * N], flat[N * N];
	struct array a = f32_array(v, 2, N, N), d = f32_array(dark, 2, N, N),
		     g = f32_array(flat, 1, N, N);
	struct frames_opts o = plain();
	struct frames f;
	double i0[2] = { 1, 3 };

	ramp(v, N * N);
	ramp(v + N * N, N * N);
	for (int i = 0; i < N * N; i++) {
		dark[i] = 4;
		dark[N * N + i] = 6;
		flat[i] = i < N * N / 2 ? 1 : 3;
	}
	flat[63] = 0;
	flat[62] = NAN;
	flat[61] = -1;
	flat[60] = 1; /* 33 ones, 28 threes: mean 117 / 61 */
	o.dark = &d;
	o.flat = &g;
	o.gain = 2;
	ok(frames_prepare("x", &a, &o, &f) == 0 && f.invalid[0] == 3 && at(&f, 0, 0, 0) == 0 &&
		   fabs(at(&f, 0, 1, 0) - 4 / (61. / 117) / 2) < 1e-6 &&
		   fabs(at(&f, 0, 4, 0) - 28 / (3 * 61. / 117) / 2) < 1e-5,
	   "minus the mean dark, not below 0, by the flat over its mean over valid pixels, by the "
	   "gain");
	frames_clear(&f);
	o = plain();
	o.floor = 10;
	o.i0 = i0;
	ok(frames_prepare("x", &a, &o, &f) == 0 && at(&f, 0, 1, 0) == 0 && at(&f, 0, 1, 1) == 20 &&
		   fabs(at(&f, 1, 1, 1) - 20 / 3.) < 1e-6,
	   "less than the floor is 0, then times mean(i0) / i0");
	frames_clear(&f);
	i0[0] = NAN;
	ok(frames_prepare("x", &a, &o, &f) == 0 && f.k == 1 && strcmp(f.reason[0], "i0") == 0 &&
		   f.kept[0] == -1 && f.kept[1] == 0 && at(&f, 0, 1, 1) == 10,
	   "a frame without i0 is rejected and not in the mean");
	frames_clear(&f);
	for (int i = 0; i < N * N; i++)
		v[i] *= 5;
	o = plain();
	o.normalise_total = true;
	ok(frames_prepare("x", &a, &o, &f) == 0 && at(&f, 0, 3, 3) == at(&f, 1, 3, 3) &&
		   fabs(f.photons[0] - 3 * 2080) < 1e-3,
	   "by the totals: every frame has the mean one");
	frames_clear(&f);
}

static void rejection(void)
{
	uint16_t v[6 * N * N] = { 0 };
	struct array a = u16_array(v, 6, N, N);
	struct frames_opts o = plain();
	struct frames f;
	bool named[6] = { true, true, true, true, true, false };

	for (int k = 0; k < 6; k++)
		v[k * N * N + 4 * N + 4] = (uint16_t[]){ 10, 0, 12, 30, 11, 10 }[k];
	ok(frames_prepare("x", &a, &o, &f) == 0 && f.k == 5 && strcmp(f.reason[1], "empty") == 0 &&
		   f.kept[5] == 4,
	   "a frame without light is never used");
	frames_clear(&f);
	o.reject[1] = 2; /* median 11.5 */
	o.named = named;
	ok(frames_prepare("x", &a, &o, &f) == 0 && f.k == 3 &&
		   strcmp(f.reason[3], "rejected") == 0 &&
		   strcmp(f.reason[5], "no position") == 0 && at(&f, 2, 4, 4) == 11,
	   "totals beyond the median's multiple are rejected");
	frames_clear(&f);
	for (o.half = 0; o.half < 2; o.half++) {
		ok(frames_prepare("x", &a, &o, &f) == 0 && f.k == (o.half ? 1 : 2) &&
			   at(&f, 0, 4, 4) == (o.half ? 12 : 10) &&
			   strcmp(f.reason[o.half ? 4 : 2], "half") == 0,
		   "half %d has every second of those not rejected", o.half);
		frames_clear(&f);
	}
	memset(v, 0, sizeof v);
	ok(said("x", &a, &o, &f) == -1 && captured("all 6 frames are rejected"),
	   "nothing left is an error");
}

static void orientation(void)
{
	uint16_t v[N * N];
	struct array a = u16_array(v, 1, N, N);
	struct frames_opts o = plain();
	struct frames f;

	count(v, N * N);
	o.orientation = D4_ROT90_CW; /* first column upwards becomes the first row */
	ok(frames_prepare("x", &a, &o, &f) == 0 && at(&f, 0, 0, 0) == 57 && at(&f, 0, 0, 7) == 1 &&
		   at(&f, 0, 7, 7) == 8,
	   "rot90_cw turns the centred frame");
	frames_clear(&f);
	o.dc = DC_CORNER; /* centred: rolled by 4, 4 */
	ok(frames_prepare("x", &a, &o, &f) == 0 && at(&f, 0, 0, 7) == v[4 * N + 4],
	   "also of a corner file, after its shift");
	frames_clear(&f);
}

static void crops(void)
{
	uint16_t v[12 * 16];
	struct array a = u16_array(v, 1, 12, 16);
	struct frames_opts o = plain();
	struct frames f;

	count(v, 12 * 16);
	ok(said("x.tif", &a, &o, &f) == -1 &&
		   captured("frames are 12x16, expected square: use --crop"),
	   "frames that are not square are refused");
	o.crop = 9;
	ok(frames_prepare("x", &a, &o, &f) == 0 && f.n == 9 && at(&f, 0, 4, 4) == v[6 * 16 + 8] &&
		   at(&f, 0, 0, 0) == v[2 * 16 + 4] && at(&f, 0, 8, 8) == v[10 * 16 + 12],
	   "an odd crop keeps pixel n/2 at n/2");
	frames_clear(&f);
	o.crop = 8;
	o.centre = true;
	o.centre_at[0] = 8;
	o.centre_at[1] = 4;
	ok(frames_prepare("x", &a, &o, &f) == 0 && at(&f, 0, 0, 0) == v[4 * 16] &&
		   ((uint16_t *)f.data)[0] == v[8 * 16 + 4],
	   "the given centre goes to (0,0)");
	frames_clear(&f);
	o.centre_at[1] = 3;
	ok(said("x", &a, &o, &f) == -1 && captured("leave the frame"),
	   "a crop that leaves the frame is refused");
	memset(v, 0, sizeof v);
	v[0] = 50;		    /* small and bright */
	for (int y = 6; y < 9; y++) /* 3 x 4, less bright */
		for (int x = 4; x < 8; x++)
			v[y * 16 + x] = 30;
	o.centre_auto = true;
	ok(frames_prepare("x", &a, &o, &f) == 0 && at(&f, 0, 4, 4) == 30 && at(&f, 0, 3, 2) == 30 &&
		   at(&f, 0, 5, 5) == 30 && at(&f, 0, 5, 6) == 0 && at(&f, 0, 2, 2) == 0 &&
		   at(&f, 0, 3, 1) == 0,
	   "auto: the middle of the largest bright part, rounded up");
	frames_clear(&f);
}

static void bins(void)
{
	uint16_t v[16 * 16];
	struct array a = u16_array(v, 1, 16, 16);
	struct frames_opts o = plain();
	struct frames f;

	count(v, 16 * 16);
	v[2 * 16 + 3] = UINT16_MAX;
	o.bin = 2;
	ok(frames_prepare("x", &a, &o, &f) == 0 && f.n == 8 && !f.u16 &&
		   at(&f, 0, 0, 0) == 1 + 2 + 17 + 18 && at(&f, 0, 1, 1) == -1 &&
		   f.invalid[0] == 1 && at(&f, 0, 4, 4) == v[136] + v[137] + v[152] + v[153],
	   "bins are sums, invalid if one of theirs is");
	frames_clear(&f);
	o.pad = 11;
	ok(frames_prepare("x", &a, &o, &f) == 0 && f.n == 11 && at(&f, 0, 0, 5) == -1 &&
		   at(&f, 0, 5, 9) == -1 && at(&f, 0, 5, 5) == v[136] + v[137] + v[152] + v[153] &&
		   at(&f, 0, 1, 1) == 1 + 2 + 17 + 18 && f.invalid[0] == 121 - 64 + 1,
	   "padding is invalid and keeps the centre");
	frames_clear(&f);
	o.bin = 3;
	ok(said("x", &a, &o, &f) == -1 && captured("multiple of the 3 of --bin"),
	   "bins that do not fit are refused");
	o.bin = 4;
	o.pad = 0;
	ok(said("x", &a, &o, &f) == -1 && captured("expected 8 to 4096"),
	   "frames below 8 pixels are refused");
}

/* Are the frames those of a second copy, and is the memory the pages' own? */
static void same_taken(const struct array *a, const struct frames_opts *o, bool own,
		       const char *what)
{
	struct array pages;
	struct frames f, g;
	void *data;
	bool same;

	if (array_init(&pages, "x", a->type, a->nz, a->ny, a->nx) != 0)
		exit(1);
	data = memcpy(pages.data, a->data, array_bytes(a));
	same = frames_prepare("x", a, o, &f) == 0 && frames_take("x", &pages, o, &g) == 0 &&
	       f.k == g.k && f.n == g.n && f.u16 == g.u16 &&
	       memcmp(f.data, g.data, f.k * f.n * f.n * (f.u16 ? 2 : 4)) == 0 &&
	       memcmp(f.photons, g.photons, f.pages * sizeof *f.photons) == 0 &&
	       memcmp(f.invalid, g.invalid, f.pages * sizeof *f.invalid) == 0;
	ok(same && (g.data == data) == own && (pages.data == NULL) == own,
	   "%s: the same frames, %s", what,
	   own ? "in the memory of the pages" : "in memory of their own");
	frames_clear(&f);
	frames_clear(&g);
	array_clear(&pages);
}

static void taken(void)
{
	static uint16_t v[40 * 12 * 12];
	struct array a = u16_array(v, 40, 12, 12);
	struct frames_opts o = plain();

	for (size_t i = 0; i < 40 * 144; i++)
		v[i] = (uint16_t)(i * 7919 % 1000);
	v[500] = UINT16_MAX;
	same_taken(&a, &o, true, "all pages");
	o.orientation = D4_ROT90_CCW;
	o.half = 1;
	same_taken(&a, &o, true, "every second, turned");
	o.crop = 9;
	memset(v + 3 * 144, 0, 2 * 144 * sizeof *v);
	same_taken(&a, &o, true, "cropped, two empty ones left out");
	o.pad = 16;
	same_taken(&a, &o, false, "padded");
	o.pad = 0;
	o.gain = 2;
	same_taken(&a, &o, false, "photons");
}

static void shapes(void)
{
	uint16_t v[N * N] = { 0 }, w[N * ODD];
	struct array a = u16_array(v, 1, N, N), b = u16_array(w, 1, N, ODD);
	struct frames_opts o = plain();
	struct frames f;

	v[36] = 1;
	o.mask = &b;
	ok(said("x", &a, &o, &f) == -1 &&
		   captured("frames are 8x8, the mask is 8x9, expected the same"),
	   "a mask of another shape is refused with both");
}

int main(void)
{
	const char *shared;

	program_start("unit-ptycho-frames");
	layouts();
	markers();
	hot_pixels();
	corrections();
	rejection();
	orientation();
	crops();
	bins();
	shapes();
	taken();
	shared = tap_shared();
	if (shared)
		golden_layouts(shared);
	return done_testing();
}
