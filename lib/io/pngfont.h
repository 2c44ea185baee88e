/* lib/io/pngfont.h: a bitmap font for the numbers and units in the margins of previews. */
#ifndef IO_PNGFONT_H
#define IO_PNGFONT_H

#include <stddef.h>

/* two rows of the height hang below the line */
enum { FONT_WIDTH = 5, FONT_HEIGHT = 9, FONT_ADVANCE = 6 };

/* The rows [FONT_HEIGHT] of the character at *s, bit 4 leftmost; *s moves past it (two bytes for a
 * Greek mu in UTF-8). Capital letters are shown small, unknown characters as a box. */
const unsigned char *font_glyph(const char **s);

/* Characters of s as font_glyph counts them. */
size_t font_length(const char *s);

#endif
