/* lib/io/out.h: output files that appear whole or not at all.  Bytes go to a temporary beside the
 * target, which is renamed by out_commit; SIGINT, SIGTERM, SIGHUP and SIGPIPE remove every open
 * temporary and then end the program by the signal, exit() and die() remove them too; SIGXFSZ is ignored, so
 * that a limit of file size is an error like a full disk; an older file stays as it was until the
 * rename.  "-" is stdout, once per run: bytes are collected and written at commit; so is a target
 * that exists and is no regular file (/dev/null, a fifo).  A symbolic link is followed.
 * Thread-safe. */
#ifndef IO_OUT_H
#define IO_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct out;

/* Opens a temporary for path.  NULL after reporting (missing or read-only folder, two "-"). */
struct out *out_open(const char *path);
/* Seekable, for reading and writing, of the temporary (for "-": of a file without a name). */
int out_fd(struct out *o);
/* A buffered stream over out_fd; do not mix the two. */
FILE *out_file(struct out *o);
/* Has what the stream holds so far go to the disk meanwhile: less to wait for at the end.  Errors show at commit. */
void out_hurry(struct out *o);
/* Flushes, fsyncs unless "-", closes, renames (for "-": copies to stdout, checked); frees o.  0, or
 * -1 after reporting. */
int out_commit(struct out *o);
/* Closes, removes and frees o; fine on NULL. */
void out_abort(struct out *o);

/* Removes the temporaries that killed programs left in the folder of path.  Those of programs that live are locked, and stay.  Says nothing. */
void out_sweep(const char *path);

/* The same end for a folder of temporaries.  Makes one of the name, whose end XXXXXX is replaced, and removes it when the program ends
 * by exit() or a signal, if it is empty then.  NULL after reporting with `target`. */
struct out_guard *out_folder(const char *target, char *name);
/* A file in it, which is yet to be made, goes before.  NULL after reporting. */
struct out_guard *out_inside(const char *path);
/* Between the two nothing of them is removed: who ends the program waits.  For a rename, which must not find them half removed. */
void out_hold(struct out_guard *const g[], size_t n);
void out_let(struct out_guard *const g[], size_t n);
/* The file or folder is the caller's from now on, or is gone.  Fine on NULL. */
void out_release(struct out_guard *g);

/* exit 2 message for a binary product on a terminal: "-" and isatty(stdout).  0, or -1 after
 * reporting */
int out_check_binary(const char *path);

#endif
