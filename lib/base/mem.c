#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"

size_t mem_mul(size_t a, size_t b)
{
	size_t r;

	return __builtin_mul_overflow(a, b, &r) ? SIZE_MAX : r;
}

void *mem_new(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);

	if (!p)
		die(EXIT_FAILED, "out of memory: %zu bytes", mem_mul(n, size));
	return p;
}

void *mem_grow(void *p, size_t n, size_t size)
{
	size_t bytes = mem_mul(n, size);
	void *q = bytes == SIZE_MAX ? NULL : realloc(p, bytes ? bytes : 1);

	if (!q)
		die(EXIT_FAILED, "out of memory: %zu bytes", bytes);
	return q;
}

char *mem_strdup(const char *s)
{
	size_t n = strlen(s) + 1;

	return memcpy(mem_new(n, 1), s, n);
}

char *mem_printf(const char *fmt, ...)
{
	va_list ap;
	char *s = NULL;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		die(EXIT_FAILED, "out of memory");
	va_end(ap);
	return s;
}

void *mem_try(const char *what, size_t n, size_t size)
{
	size_t bytes = mem_mul(n, size);
	void *p = NULL;

	if (bytes < SIZE_MAX - 64)
		p = aligned_alloc(64, (bytes + 64) / 64 * 64);
	if (!p)
		error("'%s': cannot allocate %zu bytes", what, bytes);
	return p;
}
