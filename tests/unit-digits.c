/* Numbers of tables: the same text as printf's, whatever the value and the digits. */
#include <math.h>
#include <stdint.h>

#include "io/digits.h"
#include "tap.h"

static uint64_t state = 88172645463325252u;

static uint64_t next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static size_t wrong, tried;

static void try(double v, int digits)
{
	char got[DIGITS_SPACE + 1], want[64];

	got[digits_put(got, digits, v)] = '\0';
	snprintf(want, sizeof want, "%.*g", digits, v);
	if (isnan(v))
		strcpy(want, "nan");
	tried++;
	if (strcmp(got, want) != 0 && wrong++ < 5)
		printf("# %a with %d digits: %s, expected %s\n", v, digits, got, want);
}

int main(void)
{
	static const double special[] = { 0, -0.0, 1, -1, 0.5, 0.1, 1e15, 1e16, 1e17, 123456789012345678, 9007199254740993,
					  9.9999999999999995e22, 1e-5, 1e-4, 9.99999e-5, 0.00012345, 5e-324, 1.7976931348623157e308,
					  -2.5, 255, 65535, 2147483647, 0.99999999999999989, 9.9999999999999982, 3.5, 4.5 };

	for (int digits = 1; digits <= 17; digits++) {
		for (size_t i = 0; i < sizeof special / sizeof *special; i++)
			try(special[i], digits);
		try(NAN, digits);
		try(-NAN, digits);
		try(INFINITY, digits);
		try(-INFINITY, digits);
	}
	ok(wrong == 0, "zeros, integers, limits and no numbers, 1 to 17 digits, are printf's (%zu of %zu wrong)", wrong, tried);
	wrong = tried = 0;
	for (int i = 0; i < 200000; i++) {
		uint64_t bits = next();
		double v;

		memcpy(&v, &bits, sizeof v);
		if (isfinite(v))
			try(v, 1 + i % 17);
	}
	ok(wrong == 0, "200000 doubles of any exponent are printf's (%zu of %zu wrong)", wrong, tried);
	wrong = tried = 0;
	for (int i = 0; i < 300000; i++) {
		double v = ((double)next() / 18446744073709551616.0 - 0.5) * pow(10, (int)(next() % 30) - 18);

		try(v, i % 2 ? 17 : 3 + i % 15);
	}
	ok(wrong == 0, "300000 numbers of 1e-18 to 1e11 are printf's (%zu of %zu wrong)", wrong, tried);
	wrong = tried = 0;
	for (int i = 0; i < 100000; i++)	/* halves: exact ties of rounding */
		try((double)(next() % 2000001) / 8, 1 + i % 7);
	ok(wrong == 0, "100000 ties round half to even as printf's (%zu of %zu wrong)", wrong, tried);
	return done_testing();
}
