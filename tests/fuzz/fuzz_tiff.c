/* TIFF in: the whole stack in several ways, page by page, labels, and the look of --resume. */
#include "base/array.h"
#include "io/tiffio.h"
#include "tests/fuzz/fuzz.h"

int fuzz_one(const uint8_t *data, size_t size)
{
	static const struct tiff_select choice[] = { { 0 },
						     { .channel = 1 },
						     { .first = 1, .last = 2, .channel = 2 },
						     { .axes = "TC" },
						     { .axes = "Z" } };
	const char *path = fuzz_file(data, size);
	const struct tiff_select *s = &choice[size % 5];
	struct tiff_meta m = { 0 };
	struct array a = { 0 };
	int rc = size / 5 % 3 == 0 ? tiff_read_labels(path, s, &a, &m) : tiff_read(path, s, &a, &m);

	fuzz_verdict(rc);
	if (rc == 0)
		tiff_meta_clear(&m);
	array_clear(&a);

	struct tiff_in *in = tiff_in_open(path, NULL, &a, &m);
	size_t bytes = in ? a.ny * a.nx * dtype_size(a.type) : 0;
	void *page = bytes && bytes < (size_t)64 << 20 ? malloc(bytes) : NULL;
	int last = page ? tiff_in_page(in, a.nz - 1, page) : 0;

	fuzz_verdict(in && last == 0 ? 0 : -1);
	free(page);
	if (in)
		tiff_meta_clear(&m);
	tiff_in_close(in);
	tiff_made_by(path, "scopeline=x 1\n");
	fuzz_verdict(0);
	return 0;
}
