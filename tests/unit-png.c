/* Previews: colours by percentile, transparent NaN, margins; read back with libpng. */
#include <math.h>
#include <png.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "base/mem.h"
#include "io/pngio.h"
#include "tests/capture.h"
#include "tests/tap.h"

static char folder[] = "unit-png-XXXXXX";

struct picture {
	size_t w, h;
	uint8_t *rgba;
};

static bool show(const struct array *a, const struct preview *p, struct picture *g)
{
	png_image image = { .version = PNG_IMAGE_VERSION };

	*g = (struct picture){ 0 };
	if (png_preview("p.png", a, p) != 0 || !png_image_begin_read_from_file(&image, "p.png"))
		return false;
	image.format = PNG_FORMAT_RGBA;
	*g = (struct picture){ image.width, image.height, mem_new(PNG_IMAGE_SIZE(image), 1) };
	return png_image_finish_read(&image, NULL, g->rgba, 0, NULL);
}

static const uint8_t *at(const struct picture *g, size_t y, size_t x)
{
	return g->rgba + (y * g->w + x) * 4;
}

static struct array make(enum dtype t, size_t ny, size_t nx)
{
	struct array a;

	if (array_init(&a, "test", t, 1, ny, nx) != 0)
		exit(EXIT_FAILED);
	memset(a.data, 0, array_bytes(&a));
	return a;
}

/* Dark pixels of a part of the picture. */
static size_t ink(const struct picture *g, size_t y0, size_t x0, size_t h, size_t w)
{
	size_t n = 0;

	for (size_t y = y0; y < y0 + h && y < g->h; y++)
		for (size_t x = x0; x < x0 + w && x < g->w; x++)
			n += at(g, y, x)[0] < 64 && at(g, y, x)[3] == 255;
	return n;
}

static void test_grey(void)
{
	struct preview p = { .map = MAP_GREY, .unit = "" };
	struct array a = make(DT_F32, 100, 101);
	float *v = a.data;
	struct picture g;
	int worst = 0;

	for (size_t i = 0; i < 10100;
	     i++) /* a ramp of 0 to 10099 in steps of 1, shuffled: 4001 has no common divisor */
		v[i] = (float)(i * 4001 % 10100);
	ok(show(&a, &p, &g) && g.w > 101 && g.h >= 100, "a preview with a margin to the right");
	for (size_t i = 0; i < 10100; i++) {
		double t = ((double)v[i] - 202) / (9897 - 202);
		int want = (int)lround(255 * fmin(fmax(t, 0), 1));

		worst = abs(at(&g, i / 101, i % 101)[0] - want) > worst
				? abs(at(&g, i / 101, i % 101)[0] - want)
				: worst;
	}
	ok(worst == 0, "grey runs from percentile 2 to 98 (largest deviation %d)", worst);
	ok(ink(&g, 0, 101, g.h, g.w - 101) > 100, "bar and numbers are drawn");
	free(g.rgba);
	v[0] = NAN;
	v[1] = INFINITY;
	ok(show(&a, &p, &g) && at(&g, 0, 0)[3] == 0 && at(&g, 0, 1)[3] == 0 &&
		   at(&g, 0, 2)[3] == 255,
	   "NaN and Inf are transparent, others are not");
	free(g.rgba);
	for (size_t i = 0; i < 10100; i++)
		v[i] = NAN;
	ok(show(&a, &p, &g) && at(&g, 50, 50)[3] == 0, "a page of NaN is shown as nothing");
	free(g.rgba);
	for (size_t i = 0; i < 10100; i++)
		v[i] = 7;
	ok(show(&a, &p, &g) && at(&g, 50, 50)[0] == 128 && at(&g, 0, 0)[0] == 128,
	   "a constant page is grey");
	free(g.rgba);
	array_clear(&a);
}

static void test_phase(void)
{
	struct preview p = { .map = MAP_PHASE, .unit = "rad", .pixel_um = 0.325 },
		       bare = { .map = MAP_PHASE, .unit = "rad" };
	struct array a = make(DT_F32, 128, 128);
	float *v = a.data;
	struct picture g, h;

	for (size_t i = 0; i < 128 * 128; i++)
		v[i] = i < 64 * 128 ? -1 : i < 96 * 128 ? 0 : 2;
	ok(show(&a, &p, &g), "a phase preview");
	ok(at(&g, 100, 5)[0] > at(&g, 100, 5)[2] && at(&g, 5, 5)[2] > at(&g, 5, 5)[0] &&
		   at(&g, 80, 5)[0] > 240,
	   "positive is red, negative blue, zero white");
	ok(show(&a, &bare, &h) && h.h < g.h, "a scale bar takes room below");
	/* a third of 41.6 um is 13.9 um: the bar is 10 um, that is 31 pixels and 2 high */
	ok(ink(&g, h.h + 4, 0, 2, 40) == 2 * 31, "10 um are 31 pixels long (%zu)",
	   ink(&g, h.h + 4, 0, 2, 40) / 2);
	free(g.rgba);
	free(h.rgba);
	array_clear(&a);
}

static void test_sizes(void)
{
	struct preview p = { .map = MAP_GREY, .unit = "counts", .pixel_um = 1 };
	struct array a = make(DT_U8, 1, 1), b = make(DT_U16, 3, 6000);
	uint16_t *v = b.data;
	struct picture g;

	ok(show(&a, &p, &g) && g.h > 30, "one pixel");
	free(g.rgba);
	for (size_t i = 0; i < 3 * 6000; i++)
		v[i] = i % 6000 < 3000 ? 100 : i % 3 * 300; /* means of 3 columns: 100 and 300 */
	bool shown = show(&b, &p, &g);
	ok(shown && g.w >= 2000 && g.w < 2300,
	   "6000 columns are averaged to 2000 (%zu with margin)", g.w);
	ok(at(&g, 0, 10)[0] == 0 && at(&g, 0, 1500)[0] == 255, "by their mean");
	free(g.rgba);
	array_clear(&a);
	array_clear(&b);
}

static void test_refusals(void)
{
	struct preview p = { .map = MAP_GREY, .unit = "" };
	struct array a = make(DT_F32, 20, 20);

	capture_begin();
	int rc = png_preview("no/p.png", &a, &p);
	capture_end();
	ok(rc == -1 && captured("'no/p.png'"), "a missing folder is named");
	if (access("/dev/full", W_OK) == 0) {
		capture_begin();
		rc = png_preview("/dev/full", &a, &p);
		capture_end();
		ok(rc == -1 && captured("No space left"), "a full disk is told");
	}
	array_clear(&a);
}

int main(void)
{
	if (!mkdtemp(folder) || chdir(folder) != 0)
		die(EXIT_FAILED, "cannot make a folder");
	test_grey();
	test_phase();
	test_sizes();
	test_refusals();
	if (tap_failed == 0)
		unlink("p.png");
	if (chdir("..") != 0 || (tap_failed == 0 && rmdir(folder) != 0))
		ok(false, "the folder is empty at the end");
	return done_testing();
}
