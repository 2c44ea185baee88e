/* tests/capture.h: what is said on stderr between capture_begin and capture_end, to be looked at by unit programs. */
#ifndef TESTS_CAPTURE_H
#define TESTS_CAPTURE_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char capture_buffer[8192];
static FILE *capture_into;
static int capture_stderr;

static inline void capture_begin(void)
{
	fflush(stderr);
	capture_into = tmpfile();
	capture_stderr = dup(STDERR_FILENO);
	if (!capture_into || capture_stderr < 0 || dup2(fileno(capture_into), STDERR_FILENO) < 0)
		abort();
}

static inline void capture_end(void)
{
	size_t n;

	fflush(stderr);
	dup2(capture_stderr, STDERR_FILENO);
	close(capture_stderr);
	rewind(capture_into);
	n = fread(capture_buffer, 1, sizeof capture_buffer - 1, capture_into);
	capture_buffer[n] = '\0';
	for (char *end; (end = strchr(capture_buffer, '\n'));)	/* a test's own line shall be one */
		*end = ' ';
	fclose(capture_into);
}

static inline bool captured(const char *words)
{
	return strstr(capture_buffer, words) != NULL;
}

static inline const char *captured_text(void)
{
	return capture_buffer;
}

#endif
