/* Objects as runs against a scan of every pixel: random labels with gaps, all types of labels,
 * limits, and 10^5 labels of one pixel. */
#include <time.h>

#include "base/die.h"
#include "base/mem.h"
#include "features/objects.h"
#include "tests/capture.h"
#include "tests/tap.h"

static uint32_t state = 7;

static uint32_t draw(uint32_t below)
{
	state = state * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)(state >> 8) * below >> 24);
}

/* Every pixel of the image in the object of its label, in raster order, with the right box. */
static bool is_right(const struct objects *o, const uint32_t *label, size_t nz, size_t ny,
		     size_t nx)
{
	size_t inside = 0, covered = 0;

	for (size_t i = 0; i < nz * ny * nx; i++)
		inside += label[i] > 0;
	for (size_t i = 0; i < o->n; i++) {
		const struct object *b = &o->object[i];
		uint32_t low[3] = { UINT32_MAX, UINT32_MAX, UINT32_MAX }, high[3] = { 0, 0, 0 };
		size_t last = 0, pixels = 0;

		if ((i > 0 && b->label <= o->object[i - 1].label) || b->count == 0)
			return false;
		for (size_t k = b->first; k < b->first + b->count; k++) {
			const struct run *r = &o->run[k];
			size_t at = (r->z * ny + r->y) * nx, from[3] = { r->z, r->y, r->x0 },
			       end[3] = { r->z + 1, r->y + 1, r->x1 };

			if (at + r->x0 < last || r->x1 <= r->x0 ||
			    (r->x0 > 0 && label[at + r->x0 - 1] == b->label) ||
			    (r->x1 < nx && label[at + r->x1] == b->label))
				return false;
			for (size_t x = r->x0; x < r->x1; x++, pixels++)
				if (label[at + x] != b->label)
					return false;
			last = at + r->x1;
			for (int a = 0; a < 3; a++) {
				low[a] = from[a] < low[a] ? (uint32_t)from[a] : low[a];
				high[a] = end[a] > high[a] ? (uint32_t)end[a] : high[a];
			}
		}
		if (pixels != b->pixels || memcmp(low, b->low, sizeof low) != 0 ||
		    memcmp(high, b->high, sizeof high) != 0)
			return false;
		covered += pixels;
	}
	return covered == inside;
}

static void test_random(void)
{
	static const uint32_t values[] = { 0, 0, 1, 3, 255, 7, 200 },
			      wide[] = { 0, 65535, 2, 0, 300, 256, 1 },
			      huge[] = { 0, 2147483647, 65536, 16777216, 5, 0, 70000 };
	static const size_t shapes[][3] = {
		{ 1, 1, 1 }, { 1, 1, 50 }, { 1, 50, 1 }, { 1, 23, 31 }, { 4, 9, 12 }
	};
	bool all = true;

	for (int t = 0; t < 60; t++) {
		const size_t *n = shapes[t % 5];
		const uint32_t *from = t % 3 == 0 ? values : t % 3 == 1 ? wide : huge;
		enum dtype type = t % 3 == 0   ? DT_U8
				  : t % 3 == 1 ? DT_U16
				  : t % 2      ? DT_U32
					       : DT_I32;
		size_t m = n[0] * n[1] * n[2];
		struct array a;
		struct objects o;
		uint32_t *label = mem_new(m, sizeof *label);

		array_init(&a, "labels", type, n[0] + 1, n[1], n[2]);
		memset(a.data, 1, array_bytes(&a)); /* the first page is another image */
		for (size_t i = 0; i < m; i++) {
			size_t at = n[1] * n[2] + i;

			label[i] = i > 0 && draw(3) ? label[i - 1] : from[draw(7)];
			if (type == DT_U8)
				((uint8_t *)a.data)[at] = (uint8_t)label[i];
			else if (type == DT_U16)
				((uint16_t *)a.data)[at] = (uint16_t)label[i];
			else
				((uint32_t *)a.data)[at] = label[i];
		}
		all &= objects_find(&o, "labels", &a, 1, n[0]) == 0 &&
		       is_right(&o, label, n[0], n[1], n[2]);
		objects_clear(&o);
		array_clear(&a);
		free(label);
	}
	ok(all, "random labels with gaps, of every type, in 2-D and 3-D: all pixels, in order, "
		"with their boxes");
}

static bool refused(enum dtype type, uint32_t label)
{
	struct array a;
	struct objects o;
	int rc;

	array_init(&a, "labels", type, 1, 2, 2);
	memset(a.data, 0, array_bytes(&a));
	((uint32_t *)a.data)[3] = label;
	rc = objects_find(&o, "labels", &a, 0, 1);
	objects_clear(&o);
	array_clear(&a);
	return rc == -1;
}

static void test_limits(void)
{
	capture_begin();
	ok(refused(DT_I32, (uint32_t)-3), "a negative label is refused");
	ok(refused(DT_U32, 2147483648u), "a label of 2^31 is refused");
	ok(refused(DT_F32, 1), "labels of type float are refused");
	capture_end();
	ok(captured("label -3") && captured("2147483648") && captured("f32"),
	   "each message names what was found");
}

static void test_many(void)
{
	struct array a;
	struct objects o;
	clock_t start = clock();
	size_t n = 400;
	bool right;

	array_init(&a, "labels", DT_U32, 1, n, n);
	for (size_t i = 0; i < n * n; i++)
		((uint32_t *)a.data)[i] = (uint32_t)(i * 2654435761u % 2147483647u) + 1;
	right = objects_find(&o, "labels", &a, 0, 1) == 0 && is_right(&o, a.data, 1, n, n);
	ok(right && o.n == n * n, "160000 labels of one pixel, up to 2^31: found %zu", o.n);
	ok((double)(clock() - start) / CLOCKS_PER_SEC < 5,
	   "in a time that does not grow with the square of their number");
	objects_keep(&o, (struct label_range[]){ { 1, 1000000000 }, { 2000000000, 2000000010 } },
		     2);
	right = o.n > 0;
	for (size_t i = 0; i < o.n; i++)
		right &= o.object[i].label <= 1000000000 ||
			 (o.object[i].label >= 2000000000 && o.object[i].label <= 2000000010);
	ok(right && o.n > 60000, "a choice of labels keeps those in its ranges");
	objects_clear(&o);
	array_clear(&a);
}

int main(void)
{
	program_start("unit-objects");
	test_random();
	test_limits();
	test_many();
	return done_testing();
}
