/* tests/tap.h: the Test Anything Protocol for unit programs.  A test is a sentence that can be false:
 *	ok(sum == 6, "three numbers add up to 6 (found %d)", sum);
 *	int main(void) { ...; return done_testing(); } */
#ifndef TESTS_TAP_H
#define TESTS_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int tap_count, tap_failed;

__attribute__((format(printf, 2, 3))) static inline bool ok(bool cond, const char *fmt, ...)
{
	va_list ap;

	printf("%sok %d - ", cond ? "" : "not ", ++tap_count);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	tap_failed += !cond;
	return cond;
}

/* The neighbouring folder of goldens and data, or NULL where there is none: then that is a failure with CI=true, else a
 * sentence skipped. */
static inline const char *tap_shared(void)
{
	const char *folder = getenv("SCOPELINE_SHARED"), *ci = getenv("CI");

	if (folder && access(folder, R_OK) == 0)
		return folder;
	if (ci && strcmp(ci, "true") == 0)
		ok(false, "the shared folder is there: SCOPELINE_SHARED");
	else
		printf("ok %d - goldens # SKIP no shared folder\n", ++tap_count);
	return NULL;
}

/* Prints the plan; the exit status of main. */
static inline int done_testing(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed > 0 || tap_count == 0;
}

#endif
