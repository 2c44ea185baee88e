/* tests/fuzz/fuzz.h: what the fuzz targets share.  A target is a file fuzz_NAME.c with libFuzzer's
 * entry point; it is linked either with driver.c, which needs no special compiler, or by  clang
 * -fsanitize=fuzzer,address,undefined. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What became of the input: 0 taken, else refused.  The driver then wants no message, or exactly
 * one; libFuzzer has no such function. */
__attribute__((weak)) void fuzz_verdict(int rc);

static inline void fuzz_said(int rc)
{
	if (fuzz_verdict)
		fuzz_verdict(rc);
}

/* The path of a regular file, in memory, that holds the bytes; good until the next call. */
static inline const char *fuzz_file(const uint8_t *data, size_t size)
{
	static char path[64];
	static int fd = -1;

	if (fd < 0)
		fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return path;
}

/* The same bytes with a 0 behind; the caller frees. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
	char *s = malloc(size + 1);

	if (!s)
		abort();
	if (size > 0)
		memcpy(s, data, size);
	s[size] = '\0';
	return s;
}

#endif
