/* lib/base/array.h: a stack of pages in host memory, as it comes from and goes to a file. */
#ifndef BASE_ARRAY_H
#define BASE_ARRAY_H

#include <stdbool.h>
#include <stddef.h>

enum dtype { DT_U8, DT_U16, DT_U32, DT_I8, DT_I16, DT_I32, DT_F32, DT_F64 };

/* [nz][ny][nx] of type, dense, row-major, aligned to 64 bytes; data is owned by the array */
struct array {
	enum dtype type;
	size_t nz, ny, nx;
	void *data;
};

size_t dtype_size(enum dtype t);
const char *dtype_name(enum dtype t);	/* "u8" ... "f64" */

size_t array_count(const struct array *a);	/* nz * ny * nx */
size_t array_bytes(const struct array *a);

/* Allocates the data, not zeroed.  0, or -1 after reporting under the name `what`. */
int array_init(struct array *a, const char *what, enum dtype t, size_t nz, size_t ny, size_t nx);
void array_clear(struct array *a);	/* frees, zeroes; fine on a zeroed one */

/* Converts in place to f32 or f64; integers of more than 24 bits and f64 to f32 lose digits: then *lossy = true. */
int array_to_f32(struct array *a, bool *lossy);
int array_to_f64(struct array *a);

/* First page that holds a NaN or Inf (float types), or -1. */
long array_bad_page(const struct array *a);

#endif
