/* ptycho/geometry.h against golden tables, the specification's vectors, and closed forms. */
#include <math.h>

#include "base/mem.h"
#include "io/csvio.h"
#include "math/random.h"
#include "ptycho/geometry.h"
#include "tests/capture.h"
#include "tests/tap.h"

static int status;
/* Does the call fail, with these words? */
#define REFUSED(call, words)                                                                       \
	(capture_begin(), status = (call), capture_end(), status != 0 && captured(words))

static bool read_golden(const char *shared, const char *name, struct csv *t)
{
	char *path = mem_printf("%s/%s", shared, name);
	int rc = csv_read(path, false, t);

	free(path);
	return ok(rc == 0, "%s is there", name);
}

static double number(const struct csv *t, size_t row, const char *column)
{
	return strtod(csv_cell(t, row, (size_t)csv_column(t, column)), NULL);
}

/* ---- orientations */

/* "2 5;1 4;0 3": the operation on 0 ... 5 in 2 x 3 */
static void draw(enum d4 op, char text[12])
{
	size_t ny = op >= D4_TRANSPOSE ? 3 : 2, nx = 5 - ny, y, x;

	for (size_t i = 0; i < 6; i++) {
		d4_source(op, ny, nx, i / nx, i % nx, &y, &x);
		text[2 * i] = (char)('0' + (y < 2 && x < 3 ? 3 * y + x : 9));
		text[2 * i + 1] = i == 5 ? '\0' : i % nx == nx - 1 ? ';' : ' ';
	}
}

static void test_d4_golden(const char *shared)
{
	struct csv t;
	size_t good = 0;

	if (read_golden(shared, "golden/ptycho/d4_arrays.csv", &t)) {
		for (size_t r = 0; r < t.rows; r++) {
			enum d4 op;
			char text[12];

			if (d4_parse(csv_cell(&t, r, 0), &op) == 0) {
				draw(op, text);
				good += strcmp(text, csv_cell(&t, r, 1)) == 0;
			}
		}
		ok(t.rows == D4_COUNT && good == t.rows,
		   "%zu of 8 operations do what the golden says", good);
		csv_clear(&t);
	}
	if (read_golden(shared, "golden/ptycho/d4.csv", &t)) {
		good = 0;
		for (size_t r = 0; r < t.rows; r++)
			for (size_t c = 1; c < t.columns; c++) {
				char *list = mem_printf("%s,%s", csv_cell(&t, r, 0), t.names[c]);
				enum d4 op;

				good += d4_parse(list, &op) == 0 &&
					strcmp(d4_names[op], csv_cell(&t, r, c)) == 0;
				free(list);
			}
		ok(good == (size_t)D4_COUNT * D4_COUNT, "%zu of 64 pairs reduce to the golden one",
		   good);
		csv_clear(&t);
	}
}

static void test_d4(void)
{
	size_t good = 0, y, x, back_y, back_x;
	enum d4 op;

	for (int i = 0; i < D4_COUNT; i++)
		good += d4_then((enum d4)i, d4_inverse((enum d4)i)) == D4_IDENTITY &&
			d4_then(d4_inverse((enum d4)i), (enum d4)i) == D4_IDENTITY;
	ok(good == D4_COUNT && d4_inverse(D4_ROT90_CW) == D4_ROT90_CCW,
	   "an inverse undoes its operation");
	ok(d4_twin(D4_IDENTITY) == D4_ROT180 && d4_twin(D4_FLIPLR) == D4_FLIPUD &&
		   d4_twin(D4_TRANSPOSE) == D4_ANTITRANSPOSE &&
		   d4_twin(D4_ROT90_CW) == D4_ROT90_CCW,
	   "twins are the pairs of the specification");
	good = 0;
	for (int i = 0; i < D4_COUNT; i++) {
		/* element (1, 2) of a 4 x 7 result, followed to the source and from there to the
		 * result of the inverse */
		size_t ny = i >= D4_TRANSPOSE ? 7 : 4, nx = 11 - ny;

		d4_source((enum d4)i, 4, 7, 1, 2, &y, &x);
		d4_source(d4_inverse((enum d4)i), ny, nx, y, x, &back_y, &back_x);
		good += y < ny && x < nx && back_y == 1 && back_x == 2;
	}
	ok(good == D4_COUNT, "elements of oblong arrays go there and back");
	ok(d4_parse("rot90_cw,fliplr", &op) == 0 && op == D4_TRANSPOSE,
	   "rot90_cw,fliplr is transpose");
	ok(d4_parse("transpose,flipud", &op) == 0 && op == D4_ROT90_CCW,
	   "transpose,flipud is rot90_ccw");
	ok(REFUSED(d4_parse("rot90_cw,flip", &op), "flip'"), "an unknown name is refused by name");
	ok(REFUSED(d4_parse("", &op), "antitranspose"),
	   "no name is refused and the known ones are listed");
	ok(REFUSED(d4_parse("fliplr,", &op), "expected"), "a comma at the end is refused");
}

/* ---- windows */

static void test_split(void)
{
	static const double s[4] = { -0.5, 0.49, 0.5, 1.5 }, f[4] = { -0.5, 0.49, -0.5, -0.5 };
	static const long i[4] = { 0, 0, 1, 2 };

	for (int t = 0; t < 4; t++) {
		long whole;
		double part;

		window_split(s[t], &whole, &part);
		ok(whole == i[t] && part == f[t], "%g is %ld and %g (found %ld and %g)", s[t], i[t],
		   f[t], whole, part);
	}
}

/* The positions that the cases of windows.csv started from, frame k */
static void case_position(const char *name, const struct csv *tiny, const struct csv *sub, size_t k,
			  double pos[2])
{
	const struct csv *t = strcmp(name, "tiny") == 0 || strcmp(name, "offset") == 0 ? tiny : sub;
	double scale = strcmp(name, "odd") == 0 ? 1.37 : 1;
	bool offset = strcmp(name, "offset") == 0;

	pos[0] = scale * number(t, k, "y_px") + (offset ? 1e5 : 0);
	pos[1] = scale * number(t, k, "x_px") - (offset ? 3e4 : 0);
}

static void test_windows(const char *shared)
{
	enum { K = 25 };
	struct csv t, tiny, sub;
	size_t whole = 0, part = 0, shapes = 0;

	if (!read_golden(shared, "golden/ptycho/windows.csv", &t) ||
	    !read_golden(shared, "data/ptycho/tiny_pos.csv", &tiny) ||
	    !read_golden(shared, "data/ptycho/tiny_subpixel_pos.csv", &sub))
		return;
	for (size_t r = 0; r < t.rows; r++) {
		double pos[K][2], s[K][2], f[2];
		size_t canvas[2], k = (size_t)number(&t, r, "frame");
		long i[2];

		for (size_t j = 0; j < K; j++)
			case_position(csv_cell(&t, r, 0), &tiny, &sub, j, pos[j]);
		windows_place((const double(*)[2])pos, K, (size_t)number(&t, r, "N"),
			      number(&t, r, "margin"), s, canvas);
		for (int a = 0; a < 2; a++)
			window_split(s[k][a], &i[a], &f[a]);
		shapes += canvas[0] == (size_t)number(&t, r, "height") &&
			  canvas[1] == (size_t)number(&t, r, "width");
		whole +=
			i[0] == (long)number(&t, r, "row") && i[1] == (long)number(&t, r, "column");
		part += fabs(f[0] - number(&t, r, "frac_row")) < 1e-9 &&
			fabs(f[1] - number(&t, r, "frac_column")) < 1e-9;
	}
	ok(t.rows > 0 && shapes == t.rows, "%zu of %zu canvases are the golden ones", shapes,
	   t.rows);
	ok(whole == t.rows, "%zu of %zu windows are the golden ones", whole, t.rows);
	ok(part == t.rows, "%zu of %zu fractions are within 1e-9 of the golden ones", part, t.rows);
	csv_clear(&t);
	csv_clear(&tiny);
	csv_clear(&sub);
}

/* ---- scans */

static double uniform(uint64_t stream, uint64_t k)
{
	return (double)(rng_key(9, stream, k) >> 11) * 0x1p-53;
}

static void test_scans(void)
{
	enum { G = 20, K = G * G };
	static double s[K][2];
	double step, steps[2];
	size_t nearer = 0, farther = 0;
	static double all[K];

	for (size_t k = 0; k < K; k++) {
		s[k][0] = 5 * (double)(k / G);
		s[k][1] = 7 * (double)(k % G);
	}
	ok(windows_step((const double(*)[2])s, K) == 5, "the step of a 5 x 7 raster is 5");
	ok(windows_raster((const double(*)[2])s, K), "which is a raster");
	ok(windows_lattice((const double(*)[2])s, K, steps) && fabs(steps[0] - 5) < 1e-9 &&
		   fabs(steps[1] - 7) < 1e-9,
	   "of steps 5 and 7 (found %g, %g)", steps[0], steps[1]);
	ok(windows_lattice((const double(*)[2])s, G, steps) && steps[0] == 0 &&
		   fabs(steps[1] - 7) < 1e-9,
	   "and a line of it has none across (found %g, %g)", steps[0], steps[1]);
	ok(windows_raster((const double(*)[2])s, K - 13), "with an unfinished last line too");
	for (size_t k = 0; k < K; k++) {
		s[k][0] += 0.004 * (uniform(0, k) - 0.5);
		s[k][1] += 0.004 * (uniform(1, k) - 0.5);
	}
	ok(windows_raster((const double(*)[2])s, K), "and with an error of 0.002 px");
	for (size_t k = 0; k < K; k++) {
		s[k][0] = 12 * (double)(k / G) + floor(6 * uniform(2, k));
		s[k][1] = 12 * (double)(k % G) + floor(6 * uniform(3, k));
	}
	ok(!windows_raster((const double(*)[2])s, K), "a jitter of whole pixels is no raster");
	for (size_t k = 0; k < K; k++) {
		all[k] = INFINITY;
		for (size_t j = 0; j < K; j++)
			if (j != k)
				all[k] = fmin(all[k], hypot(s[k][0] - s[j][0], s[k][1] - s[j][1]));
	}
	step = windows_step((const double(*)[2])s, K);
	for (size_t k = 0; k < K; k++) {
		nearer += all[k] < step - 1e-9;
		farther += all[k] > step + 1e-9;
	}
	ok(nearer <= K / 2 && farther <= K / 2,
	   "no more than half of the frames have a nearer neighbour than its step %g, nor a "
	   "farther one",
	   step);
	ok(windows_step((const double(*)[2])s, 1) == 0, "one frame has no step");
}

static void test_optics(void)
{
	ok(fabs(wavelength_of(8) - 1.5498e-10) < 1e-14, "8 keV are 0.15498 nm (%g m)",
	   wavelength_of(8));
	ok(fabs(object_pixel(0.137146e-9, 2.05, 256, 75e-6) - 14.643e-9) < 1e-12,
	   "0.137146 nm, 2.05 m, 256 pixels of 75 um: 14.643 nm (%g)",
	   object_pixel(0.137146e-9, 2.05, 256, 75e-6));
}

int main(void)
{
	const char *shared = tap_shared();

	if (shared) {
		test_d4_golden(shared);
		test_windows(shared);
	}
	test_d4();
	test_split();
	test_scans();
	test_optics();
	return done_testing();
}
