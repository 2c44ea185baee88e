#include "base/array.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"

static const struct { const char *name; size_t size; } types[] = {
	[DT_U8] = { "u8", 1 },	 [DT_U16] = { "u16", 2 }, [DT_U32] = { "u32", 4 }, [DT_I8] = { "i8", 1 },
	[DT_I16] = { "i16", 2 }, [DT_I32] = { "i32", 4 }, [DT_F32] = { "f32", 4 }, [DT_F64] = { "f64", 8 },
};

size_t dtype_size(enum dtype t)
{
	return types[t].size;
}

const char *dtype_name(enum dtype t)
{
	return types[t].name;
}

size_t array_count(const struct array *a)
{
	return a->nz * a->ny * a->nx;
}

size_t array_bytes(const struct array *a)
{
	return array_count(a) * dtype_size(a->type);
}

int array_init(struct array *a, const char *what, enum dtype t, size_t nz, size_t ny, size_t nx)
{
	*a = (struct array){ .type = t, .nz = nz, .ny = ny, .nx = nx };
	a->data = mem_try(what, mem_mul(nz, mem_mul(ny, nx)), dtype_size(t));
	return a->data ? 0 : -1;
}

void array_clear(struct array *a)
{
	free(a->data);
	*a = (struct array){ 0 };
}

#define CONVERT(from, to)                                      \
	do {                                                   \
		const from *s = a->data;                       \
		to *d = b.data;                                \
		for (size_t i = 0; i < n; i++)                 \
			d[i] = (to)s[i];                       \
	} while (0)

#define CONVERT_FROM_ANY(to)                                   \
	switch (a->type) {                                     \
	case DT_U8: CONVERT(uint8_t, to); break;               \
	case DT_U16: CONVERT(uint16_t, to); break;             \
	case DT_U32: CONVERT(uint32_t, to); break;             \
	case DT_I8: CONVERT(int8_t, to); break;                \
	case DT_I16: CONVERT(int16_t, to); break;              \
	case DT_I32: CONVERT(int32_t, to); break;              \
	case DT_F32: CONVERT(float, to); break;                \
	case DT_F64: CONVERT(double, to); break;               \
	}

int array_to_f32(struct array *a, bool *lossy)
{
	struct array b;
	size_t n = array_count(a);

	if (lossy)
		*lossy = a->type == DT_U32 || a->type == DT_I32 || a->type == DT_F64;
	if (a->type == DT_F32)
		return 0;
	if (array_init(&b, "float32 copy", DT_F32, a->nz, a->ny, a->nx) != 0)
		return -1;
	CONVERT_FROM_ANY(float);
	array_clear(a);
	*a = b;
	return 0;
}

int array_to_f64(struct array *a)
{
	struct array b;
	size_t n = array_count(a);

	if (a->type == DT_F64)
		return 0;
	if (array_init(&b, "float64 copy", DT_F64, a->nz, a->ny, a->nx) != 0)
		return -1;
	CONVERT_FROM_ANY(double);
	array_clear(a);
	*a = b;
	return 0;
}

long array_bad_page(const struct array *a)
{
	size_t page = a->ny * a->nx;

	if (a->type != DT_F32 && a->type != DT_F64)
		return -1;
	for (size_t z = 0; z < a->nz; z++) {
		bool bad = false;

		if (a->type == DT_F32)
			for (size_t i = 0; i < page; i++)
				bad |= !isfinite(((const float *)a->data)[z * page + i]);
		else
			for (size_t i = 0; i < page; i++)
				bad |= !isfinite(((const double *)a->data)[z * page + i]);
		if (bad)
			return (long)z;
	}
	return -1;
}
