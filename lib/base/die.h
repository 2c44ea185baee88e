/* lib/base/die.h: messages and exit codes.  Each message is one line on stderr, "tool: 'subject': found, expected", written
 * with one write so that threads do not mix.  Messages start in lower case and end without a full stop. */
#ifndef BASE_DIE_H
#define BASE_DIE_H

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* how much is said: errors only, errors and warnings, everything */
enum verbosity { QUIET = 0, NORMAL = 1, VERBOSE = 2 };

extern const char *program_name;	/* set once in main by program_start; shown before each message */
extern enum verbosity verbosity;

/* Sets program_name from argv[0], the C locale, and registers close_stdout at exit. */
void program_start(const char *name);

/* Prints "tool: message"; always returns -1, so that a caller writes  return error("'%s': ...", path). */
int error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The same with NORMAL and VERBOSE only, and with VERBOSE only. */
void warning(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A line of progress that stays at the foot of a terminal: it has no line end, the next message or bar overwrites it.
 * NULL takes it away. */
void message_bar(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Prints and ends the program with the status, whatever other threads do meanwhile; only for bin/ and the allocator. */
_Noreturn void die(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Flushes and closes stdout; a failure (full disk) ends the program with EXIT_FAILED.  Runs at exit. */
void close_stdout(void);

#endif
