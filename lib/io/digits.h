/* lib/io/digits.h: a double as decimal text, as printf writes it but several times faster: tables of features hold millions. */
#ifndef IO_DIGITS_H
#define IO_DIGITS_H

#include <stddef.h>

enum { DIGITS_SPACE = 48 };	/* more than any text needs: pieces are copied in whole words */

/* Writes what printf writes for "%.*g" with 1 to 17 digits, "nan" for every NaN, to `to` [DIGITS_SPACE] without a final zero.
 * Returns the length. */
size_t digits_put(char *to, int digits, double v);

#endif
