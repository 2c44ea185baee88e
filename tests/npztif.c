/* npztif IN.npz OUT.tif: the arrays of an archive of numpy, in its order, as float pages one after
 * another: their last two axes are a page.  Takes little-endian float64 in C order, stored or
 * deflated, as numpy writes it. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/die.h"
#include "base/mem.h"
#include "io/source.h"
#include "io/tiffio.h"

static uint32_t little(const unsigned char *p, int n)
{
	uint32_t v = 0;

	while (n-- > 0)
		v = v << 8 | p[n];
	return v;
}

/* The shape in the header of an array; 0 pages if it is none that we take. */
static struct array shape_of(const char *header)
{
	struct array a = { .type = DT_F32, .nz = 1 };
	const char *at = strstr(header, "'shape': (");
	size_t n[8], dims = 0;

	if (!at || !strstr(header, "'<f8'") || !strstr(header, "'fortran_order': False"))
		return (struct array){ 0 };
	for (at += 10; *at != ')' && dims < 8;) {
		n[dims++] = strtoul(at, (char **)&at, 10);
		at += strspn(at, ", ");
	}
	if (dims < 2)
		return (struct array){ 0 };
	for (size_t i = 0; i + 2 < dims; i++)
		a.nz *= n[i];
	a.ny = n[dims - 2];
	a.nx = n[dims - 1];
	return a;
}

static int to_array(const unsigned char *npy, size_t len, struct array *a)
{
	size_t head = 10 + (len > 10 ? little(npy + 8, 2) : 0);
	char *text;

	if (len < head || memcmp(npy, "\x93NUMPY\1", 7) != 0)
		return error("not an array of numpy, version 1");
	text = mem_printf("%.*s", (int)(head - 10), (const char *)npy + 10);
	*a = shape_of(text);
	free(text);
	if (len != head + array_count(a) * 8 ||
	    array_init(a, "array", DT_F32, a->nz, a->ny, a->nx) != 0)
		return error("%zu bytes, expected an array of float64", len);
	for (size_t i = 0; i < array_count(a); i++) {
		double v;

		memcpy(&v, npy + head + 8 * i, 8);
		((float *)a->data)[i] = (float)v;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct array level[16] = { { 0 } };
	unsigned char *bytes;
	size_t len, n = 0;

	program_start("npztif");
	if (argc != 3)
		die(EXIT_USAGE, "usage: npztif IN.npz OUT.tif");
	if (source_slurp(argv[1], (char **)&bytes, &len) != 0)
		return EXIT_FAILED;
	/* the directory at the end tells sizes and places; its records begin with PK\1\2 */
	for (size_t i = little(bytes + len - 6, 4);
	     n < 16 && i + 46 < len && memcmp(bytes + i, "PK\1\2", 4) == 0;) {
		size_t packed = little(bytes + i + 20, 4), size = little(bytes + i + 24, 4),
		       local = little(bytes + i + 42, 4);
		size_t data =
			local + 30 + little(bytes + local + 26, 2) + little(bytes + local + 28, 2);
		unsigned char *npy = mem_new(size + 1, 1);
		z_stream z = { .next_in = bytes + data,
			       .avail_in = (uInt)packed,
			       .next_out = npy,
			       .avail_out = (uInt)size };

		if (little(bytes + i + 10, 2) == 0)
			memcpy(npy, bytes + data, size);
		else if (inflateInit2(&z, -15) != Z_OK || inflate(&z, Z_FINISH) != Z_STREAM_END ||
			 inflateEnd(&z) != Z_OK)
			die(EXIT_FAILED, "'%s': cannot inflate", argv[1]);
		if (to_array(npy, size, &level[n++]) != 0)
			return EXIT_FAILED;
		free(npy);
		i += 46 + little(bytes + i + 28, 2) + little(bytes + i + 30, 2) +
		     little(bytes + i + 32, 2);
	}
	return n > 0 && tiff_write_levels(argv[2], level, n, NULL) == 0 ? EXIT_DONE : EXIT_FAILED;
}
