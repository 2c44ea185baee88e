/* tests/tiffgen.h: TIFFs of every kind for the tests, written through libtiff's own encoder. */
#ifndef TESTS_TIFFGEN_H
#define TESTS_TIFFGEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum content { CONTENT_RAMP, CONTENT_CONST, CONTENT_NOISE };

struct tiffgen {
	const char *
		type; /* u8 u16 u32 i8 i16 i32 f32 f64, and for refusals bit1 f16 u64 c64 palette */
	size_t pages, ny, nx;
	size_t samples;		 /* per pixel; 3 are RGB, under jpeg YCbCr */
	bool planar;		 /* samples in planes of their own */
	size_t tile;		 /* edge of square tiles, a multiple of 16; 0: strips */
	size_t rows;		 /* per strip; 0: libtiff's default */
	const char *compression; /* none packbits lzw deflate zstd lzma jpeg */
	int predictor;		 /* 1 none, 2 horizontal, 3 floating-point; 0: not written */
	bool big_endian, bigtiff;
	enum content content;
	double value;		     /* of CONTENT_CONST */
	long nan_page, nan_y, nan_x; /* a NaN there (floating-point, from 0); nan_page < 0: none */
	long odd_page;		     /* this page (from 0) has size odd_ny x odd_nx; < 0: none */
	size_t odd_ny, odd_nx;
	const char *description; /* of the first page; NULL: none */
	double resolution;	 /* pixels per unit; 0: none */
	int unit;		 /* RESUNIT_ of the resolution */
	size_t cut;		 /* bytes taken from the end afterwards */
};
extern const struct tiffgen
	tiffgen_default; /* one page of 40 x 48 u16, ramp, strips, not compressed */

/* 0, or -1 after reporting. */
int tiffgen(const char *path, const struct tiffgen *g);

/* The value of a pixel, the same for all types of integers and floating-point numbers (0 to 126),
 * but for value and NaN. */
double tiffgen_value(const struct tiffgen *g, size_t page, size_t sample, size_t y, size_t x);

/* A file of some 130 bytes that claims to hold a page of ny x nx float32 under the given
 * compression (a TIFF code). */
int tiffgen_claim(const char *path, uint32_t ny, uint32_t nx, uint16_t compression);

#endif
