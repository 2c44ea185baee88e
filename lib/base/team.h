/* lib/base/team.h: loops shared by threads that look for the next one for 0.2 ms, then sleep.  OpenMP's idle threads spin for
 * milliseconds by default, on the very processors where an OpenCL CPU device then wants to run its kernels; these yield. */
#ifndef BASE_TEAM_H
#define BASE_TEAM_H

#include <stddef.h>

/* Threads that team_run takes for 0: --threads, else the processors online. */
void team_set_size(int threads);
int team_size(void);

/* Calls task(context, i, member) once for each i < n, in no order (the thread `member` of m takes indices from n member / m on first), from up to `threads` threads (0: team_size), the caller among
 * them; returns when all are done.  member < threads tells apart the threads of one call (for scratch memory).  Any thread may call, also several
 * at a time and from within a task.  If no thread can be started the caller does all of it. */
void team_run(int threads, size_t n, void (*task)(void *context, size_t i, int member), void *context);

enum { TEAM_SUMS = 4, TEAM_PIECE = 8192 };

/* Calls part(context, from, to) for the pieces of 0 .. n - 1: TEAM_PIECE indices each, the last one fewer. */
void team_pieces(size_t n, void (*part)(void *context, size_t from, size_t to), void *context);

/* total[s] = the sums over 0 .. n - 1: `part` adds those over from .. to - 1 to sum[0 .. sums - 1], sums <= TEAM_SUMS, for such pieces, that are
 * added in order: the same bytes for any number of threads. */
void team_add(size_t n, int sums, void (*part)(const void *context, size_t from, size_t to, double *sum), const void *context, double *total);

#endif
