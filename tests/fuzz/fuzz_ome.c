/* OME-XML, and units of length. */
#include "io/omeio.h"
#include "tests/fuzz/fuzz.h"

int fuzz_one(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);
	struct ome o;

	ome_parse(text, &o);
	unit_um(text);
	fuzz_verdict(0);
	free(text);
	return 0;
}
