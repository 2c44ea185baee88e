/* Exact: v = m 2^e with m of 53 bits, and v 10^q = m 5^q 2^(e+q) fits 128 bits for 0 <= q <= 32, so that what is cut off is known
 * and rounded half to even as printf does.  What lies outside goes to printf. */
#include "io/digits.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef unsigned __int128 wide;

enum { MAX_POWER = 32 };

static const uint64_t power10[] = { 1u, 10u, 100u, 1000u, 10000u, 100000u, 1000000u, 10000000u, 100000000u, 1000000000u,
				    10000000000u, 100000000000u, 1000000000000u, 10000000000000u, 100000000000000u,
				    1000000000000000u, 10000000000000000u, 100000000000000000u };

static wide power5(int q)
{
	static const uint64_t of16 = 152587890625u;	/* 5^16 */
	wide p = 1, b = 5;

	if (q >= MAX_POWER)
		return (wide)of16 * of16;
	if (q >= 16)
		p = of16;
	for (q &= 15; q; q >>= 1, b *= b)
		if (q & 1)
			p *= b;
	return p;
}

/* |v| = *d 10^(*exponent - digits + 1), *d of exactly `digits` digits.  false: not within reach. */
static bool decimal(double v, int digits, uint64_t *d, int *exponent)
{
	int e, ten;
	uint64_t m = (uint64_t)ldexp(frexp(v, &e), 53);

	e -= 53;
	ten = (int)floor((e + 52) * 0.30102999566398120);
	for (int tries = 0; tries < 3; tries++) {
		int q = digits - 1 - ten, shift = -(e + q);
		wide p, rest, half;

		if (q < 0 || q > MAX_POWER || shift < 1 || shift > 126)
			return false;
		p = (wide)m * power5(q);
		if (p >> shift >= power10[digits]) {
			ten++;
			continue;
		}
		*d = (uint64_t)(p >> shift);
		if (*d < power10[digits - 1]) {
			ten--;
			continue;
		}
		half = (wide)1 << (shift - 1);
		rest = p & ((half << 1) - 1);
		if (rest > half || (rest == half && (*d & 1)))
			*d += 1;
		if (*d == power10[digits]) {
			*d = power10[digits - 1];
			ten++;
		}
		*exponent = ten;
		return true;
	}
	return false;
}

static char *put_fixed(char *to, const char *s, int n, int exponent)
{
	if (exponent < 0) {
		*to++ = '0';
		*to++ = '.';
		memset(to, '0', (size_t)(-exponent - 1));
		to += -exponent - 1;
		memcpy(to, s, (size_t)n);
		return to + n;
	}
	for (int i = 0; i < n || i <= exponent; i++) {
		if (i == exponent + 1)
			*to++ = '.';
		*to++ = i < n ? s[i] : '0';
	}
	return to;
}

static char *put_scientific(char *to, const char *s, int n, int exponent)
{
	int size = exponent < 0 ? -exponent : exponent;

	*to++ = s[0];
	if (n > 1)
		*to++ = '.';
	memcpy(to, s + 1, (size_t)(n - 1));
	to += n - 1;
	*to++ = 'e';
	*to++ = exponent < 0 ? '-' : '+';
	*to++ = (char)('0' + size / 10);
	*to++ = (char)('0' + size % 10);
	return to;
}

size_t digits_put(char *to, int digits, double v)
{
	char s[20], *at = to;
	uint64_t d;
	int exponent, n = digits;

	if (isnan(v)) { /* printf may say "-nan" */
		memcpy(to, "nan", 3);
		return 3;
	}
	if (v == 0) {
		memcpy(to, "-0", 2);
		if (signbit(v))
			return 2;
		*to = '0';
		return 1;
	}
	if (!isfinite(v) || !decimal(fabs(v), digits, &d, &exponent))
		return (size_t)snprintf(to, DIGITS_SPACE, "%.*g", digits, v);
	if (v < 0)
		*at++ = '-';
	for (int i = n; i-- > 0; d /= 10)
		s[i] = (char)('0' + d % 10);
	while (n > 1 && s[n - 1] == '0')
		n--;
	if (exponent < -4 || exponent >= digits)
		return (size_t)(put_scientific(at, s, n, exponent) - to);
	return (size_t)(put_fixed(at, s, n, exponent) - to);
}
