/* CSV in: with and without a header, every cell as a number and as a whole one. */
#include "io/csvio.h"
#include "tests/fuzz/fuzz.h"

int fuzz_one(const uint8_t *data, size_t size)
{
	struct csv t;
	size_t column;
	double v;
	long n;
	int rc = csv_read(fuzz_file(data, size), size % 2, &t);

	fuzz_verdict(rc);
	if (rc != 0)
		return 0;
	for (size_t r = 0; r < t.rows && r < 8; r++)
		for (size_t c = 0; c < t.columns && c < 8; c++) {
			fuzz_verdict(csv_double(&t, r, c, r % 2, &v));
			fuzz_verdict(csv_long(&t, r, c, -5, 9, &n));
		}
	fuzz_verdict(csv_need(&t, "x", &column));
	if (size % 2 && t.rows > 0)
		csv_take_header(&t);
	for (size_t c = 0; c < t.columns; c++)
		csv_column(&t, t.names[c]);
	csv_clear(&t);
	return 0;
}
