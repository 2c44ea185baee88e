/* tests/fuzz/fuzz.h: what the fuzz targets share.  A target is a file fuzz_NAME.c with the function
 * fuzz_one; it is linked with driver.c, which needs no special compiler, or with libfuzzer.c by
 * clang -fsanitize=fuzzer,address,undefined. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Shows the bytes to a reader; returns 0. */
int fuzz_one(const uint8_t *data, size_t size);

/* What became of the input: 0 taken, else refused.  Then no message is wanted, or exactly one. */
void fuzz_verdict(int rc);

/* The messages since the last verdict, in the file `messages`, are none or one, as rc wants it. */
static inline void fuzz_count_lines(int messages, int rc)
{
	char buf[4096];
	ssize_t n = pread(messages, buf, sizeof buf, 0);
	size_t lines = 0;

	for (ssize_t i = 0; i < n; i++)
		lines += buf[i] == '\n';
	if (lines != (rc == 0 ? 0u : 1u)) {
		fprintf(stderr, "%s with %zu messages\n", rc == 0 ? "taken" : "refused", lines);
		abort();
	}
	if (n > 0 && ftruncate(messages, 0) != 0)
		abort();
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
