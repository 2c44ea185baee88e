#include "base/die.h"

#include <errno.h>
#include <locale.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

const char *program_name = "scopeline";
enum verbosity verbosity = NORMAL;

static atomic_bool dying;
static _Thread_local bool dies; /* this is the thread that does */

/* Whatever other threads come to meanwhile, the status is the one of die. */
static void leave_it_to_die(void)
{
	while (atomic_load(&dying))
		pause();
}

void program_start(const char *name)
{
	const char *slash = strrchr(name, '/');

	program_name = slash ? slash + 1 : name;
	setlocale(LC_ALL, "C");
	atexit(leave_it_to_die); /* the first one is called last */
	atexit(close_stdout);
}

#define CLEAR_LINE "\r\033[K"
static atomic_bool bar_shown;

static void put(const char *s, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t k = write(STDERR_FILENO, s + done, len - done);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			break;
		done += (size_t)k;
	}
}

/* one write(2) per message: lines of several threads or processes do not mix */
static void say(const char *kind, const char *fmt, va_list ap)
{
	char line[4096];
	int n = snprintf(line, sizeof line - 1, "%s%s: %s", atomic_exchange(&bar_shown, false) ? CLEAR_LINE : "",
			 program_name, kind);
	int m = vsnprintf(line + n, sizeof line - 1 - (size_t)n, fmt, ap);
	size_t len = (size_t)n + (m < 0 ? 0 : (size_t)m);

	if (len > sizeof line - 2)
		len = sizeof line - 2;
	/* a name or a cell may hold anything, a message is one line all the same */
	for (size_t i = (size_t)n; i < len; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 127)
			line[i] = '?';
	line[len++] = '\n';
	put(line, len);
}

/* What another thread comes to once the program dies, say that its temporaries are gone, is not what happened. */
int error(const char *fmt, ...)
{
	va_list ap;

	if (atomic_load(&dying) && !dies)
		return -1;
	va_start(ap, fmt);
	say("", fmt, ap);
	va_end(ap);
	return -1;
}

void warning(const char *fmt, ...)
{
	va_list ap;

	if (verbosity < NORMAL)
		return;
	va_start(ap, fmt);
	say("warning: ", fmt, ap);
	va_end(ap);
}

void info(const char *fmt, ...)
{
	va_list ap;

	if (verbosity < VERBOSE)
		return;
	va_start(ap, fmt);
	say("", fmt, ap);
	va_end(ap);
}

void message_bar(const char *fmt, ...)
{
	char line[512] = CLEAR_LINE;
	size_t n = strlen(line);
	va_list ap;

	if (fmt) {
		va_start(ap, fmt);
		vsnprintf(line + n, sizeof line - n, fmt, ap);
		va_end(ap);
	}
	bar_shown = fmt != NULL;
	put(line, strlen(line));
}

/* Not by exit: what libraries do at its end is not for the middle of other threads' work, and of two threads that call it the second
 * one's status counts. */
void die(int status, const char *fmt, ...)
{
	va_list ap;

	if (atomic_exchange(&dying, true))
		for (;;)
			pause();
	dies = true;
	va_start(ap, fmt);
	say("", fmt, ap);
	va_end(ap);
#ifdef __SANITIZE_ADDRESS__
	__lsan_do_leak_check();
#endif
	quick_exit(status);
}

void close_stdout(void)
{
	static int closed;

	if (closed)
		return;
	closed = 1;
	int bad = ferror(stdout);

	if (fclose(stdout) != 0 && errno != EBADF)
		bad = 1;
	if (bad) {
		error("'<stdout>': %s", errno ? strerror(errno) : "write error");
		_exit(EXIT_FAILED);
	}
}
