/* Exact: v = m 2^e with m of 53 bits, and v 10^q = m 5^q 2^(e+q) fits 128 bits for 0 <= q <= 32, so that what is cut off is known
 * and rounded half to even as printf does.  What lies outside goes to printf. */
#include "io/digits.h"

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef unsigned __int128 wide;

enum { MAX_POWER = 32, MAX_DIGITS = 17 };

static const uint64_t power10[] = { 1u, 10u, 100u, 1000u, 10000u, 100000u, 1000000u, 10000000u, 100000000u, 1000000000u,
				    10000000000u, 100000000000u, 1000000000000u, 10000000000000u, 100000000000000u,
				    1000000000000000u, 10000000000000000u, 100000000000000000u };

static const uint64_t power5[] = { 1u, 5u, 25u, 125u, 625u, 3125u, 15625u, 78125u, 390625u,
				 1953125u, 9765625u, 48828125u, 244140625u, 1220703125u,
				 6103515625u, 30517578125u, 152587890625u, 762939453125u,
				 3814697265625u, 19073486328125u, 95367431640625u,
				 476837158203125u, 2384185791015625u, 11920928955078125u,
				 59604644775390625u, 298023223876953125u, 1490116119384765625u,
				 7450580596923828125u };	/* to 5^27, which 64 bits hold */

/* 10^(i - MAX_TEN), rounded; decimal() corrects itself where the rounding matters */
enum { MAX_TEN = 16 };
static const double ten_to[] = { 1e-16, 1e-15, 1e-14, 1e-13, 1e-12, 1e-11, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6,
				 1e-5,	1e-4,  1e-3,  1e-2,  1e-1,  1,	   1e1,	  1e2,	1e3,  1e4,  1e5,
				 1e6,	1e7,   1e8,   1e9,   1e10,  1e11,  1e12,  1e13,	1e14, 1e15, 1e16 };

/* floor(log10 |v|), or one off */
static int exponent_of(uint64_t bits)
{
	int ten = (((int)(bits >> 52) - 1023) * 315653) >> 20;	/* log10 2 = 315653 / 2^20, rounded down */
	double v;

	memcpy(&v, &bits, sizeof v);
	return ten >= -MAX_TEN && ten < MAX_TEN ? ten + (v >= ten_to[ten + 1 + MAX_TEN]) : ten;
}

/* |v| = *d 10^(*exponent - digits + 1), *d of exactly `digits` digits.  false: not within reach.  bits: those of |v|. */
static bool decimal(uint64_t bits, int digits, uint64_t *d, int *exponent)
{
	int e = (int)(bits >> 52) - 1075, ten = exponent_of(bits);
	uint64_t m = (bits & 0xfffffffffffff) | 0x10000000000000;

	if (e == -1075)	/* subnormal */
		return false;
	for (int tries = 0; tries < 3; tries++) {
		int q = digits - 1 - ten, shift = -(e + q);
		uint64_t cut;
		wide p;

		if (q < 0 || q > MAX_POWER || shift < 1 || shift > 126)
			return false;
		p = (wide)m * power5[q < 27 ? q : 27];
		if (q > 27)
			p *= power5[q - 27];
		cut = (uint64_t)(p >> shift);
		if (p >> shift >= power10[digits]) {
			ten++;
			continue;
		}
		if (cut < power10[digits - 1]) {
			ten--;
			continue;
		}
		/* half to even; p < 2^53 5^32 and the half, at most 2^125, stay below 2^128 */
		*d = (uint64_t)((p + ((wide)1 << (shift - 1)) - 1 + (cut & 1)) >> shift);
		if (*d == power10[digits]) {
			*d = power10[digits - 1];
			ten++;
		}
		*exponent = ten;
		return true;
	}
	return false;
}

/* n < 10^8 as 8 digits: split into two of four, four of two, eight of one, side by side in a word */
static void put_eight(char *to, uint32_t n)
{
	uint64_t v = n / 10000 | (uint64_t)(n % 10000) << 32, high = ((v * 10486) >> 20) & 0x0000007f0000007f;

	v = high | (v - 100 * high) << 16;
	high = ((v * 103) >> 10) & 0x000f000f000f000f;
	v = htole64((high | (v - 10 * high) << 8) + 0x3030303030303030);
	memcpy(to, &v, sizeof v);
}

/* s: n digits in a field of MAX_DIGITS, all of which are copied: what lies behind the number is written over or cut off. */
static char *put_fixed(char *to, const char *s, int n, int exponent)
{
	if (exponent < 0) {
		memcpy(to, "0.000", 5);
		memcpy(to + 1 - exponent, s, MAX_DIGITS);
		return to + 1 - exponent + n;
	}
	memcpy(to, s, MAX_DIGITS);
	if (n <= exponent + 1) {
		memset(to + n, '0', (size_t)(exponent + 1 - n));
		return to + exponent + 1;
	}
	to[exponent + 1] = '.';
	memcpy(to + exponent + 2, s + exponent + 1, MAX_DIGITS);
	return to + n + 1;
}

static char *put_scientific(char *to, const char *s, int n, int exponent)
{
	int size = exponent < 0 ? -exponent : exponent;

	to[0] = s[0];
	to[1] = '.';
	memcpy(to + 2, s + 1, MAX_DIGITS);
	to += n > 1 ? n + 1 : 1;
	to[0] = 'e';
	to[1] = exponent < 0 ? '-' : '+';
	to[2] = (char)('0' + size / 10);
	to[3] = (char)('0' + size % 10);
	return to + 4;
}

size_t digits_put(char *to, int digits, double v)
{
	char s[3 * MAX_DIGITS] = { 0 }, *at = to, *first = s + MAX_DIGITS - digits;
	uint64_t d, bits;
	int exponent, n = digits;
	bool minus;

	memcpy(&bits, &v, sizeof bits);
	minus = bits >> 63;
	bits &= UINT64_MAX >> 1;
	if (bits > 0x7ff0000000000000) { /* not a number; printf may say "-nan" */
		memcpy(to, "nan", 3);
		return 3;
	}
	if (bits == 0) {
		memcpy(to, "-0", 2);
		if (minus)
			return 2;
		*to = '0';
		return 1;
	}
	if (bits == 0x7ff0000000000000 || !decimal(bits, digits, &d, &exponent))
		return (size_t)snprintf(to, DIGITS_SPACE, "%.*g", digits, v);
	if (minus)
		*at++ = '-';
	s[0] = (char)('0' + d / 10000000000000000);
	put_eight(s + 1, (uint32_t)(d / 100000000 % 100000000));
	put_eight(s + 9, (uint32_t)(d % 100000000));
	while (n > 1 && first[n - 1] == '0')
		n--;
	if (exponent < -4 || exponent >= digits)
		return (size_t)(put_scientific(at, first, n, exponent) - to);
	return (size_t)(put_fixed(at, first, n, exponent) - to);
}
