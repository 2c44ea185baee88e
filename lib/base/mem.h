/* lib/base/mem.h: allocation that does not return NULL, for the small things a program cannot do without.
 * Memory whose size comes from a file or an option is asked for with mem_try, which reports and returns NULL. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/* malloc(n * size), zeroed, and realloc; end the program with EXIT_FAILED when there is no memory or n * size overflows. */
void *mem_new(size_t n, size_t size) __attribute__((returns_nonnull));
void *mem_grow(void *p, size_t n, size_t size) __attribute__((returns_nonnull));
char *mem_strdup(const char *s) __attribute__((returns_nonnull));
char *mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));	/* the caller frees */

/* n * size bytes aligned to 64, not zeroed; NULL after reporting "'what': cannot allocate ...".  Released with free. */
void *mem_try(const char *what, size_t n, size_t size);

/* a * b, or SIZE_MAX if that overflows */
size_t mem_mul(size_t a, size_t b);

#endif
