#include "features/pixels.h"

#define CONVERT(type)                                                                              \
	for (size_t i = 0; i < n; i++)                                                             \
		to[i] = (double)((const type *)p->data)[at + i];                                   \
	break

void pixels_raw(const struct pixels *p, size_t at, size_t n, double *to)
{
	switch (p->type) {
	case DT_U8:
		CONVERT(uint8_t);
	case DT_U16:
		CONVERT(uint16_t);
	case DT_U32:
		CONVERT(uint32_t);
	case DT_I8:
		CONVERT(int8_t);
	case DT_I16:
		CONVERT(int16_t);
	case DT_I32:
		CONVERT(int32_t);
	case DT_F32:
		CONVERT(float);
	case DT_F64:
		CONVERT(double);
	}
}

void pixels_scaled(const struct pixels *p, size_t at, size_t n, double *to)
{
	pixels_raw(p, at, n, to);
	if (p->divisor == 1)
		return;
	for (size_t i = 0; i < n; i++)
		to[i] /= p->divisor;
}

double pixels_largest(enum dtype type)
{
	switch (type) {
	case DT_U8:
		return UINT8_MAX;
	case DT_U16:
		return UINT16_MAX;
	case DT_U32:
		return UINT32_MAX;
	case DT_I8:
		return INT8_MAX;
	case DT_I16:
		return INT16_MAX;
	case DT_I32:
		return INT32_MAX;
	default:
		return 1;
	}
}
