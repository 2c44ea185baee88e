/* lib/io/source.h: the bytes of an input: a file, or stdin, a fifo or a device read to memory. */
#ifndef IO_SOURCE_H
#define IO_SOURCE_H

#include <stddef.h>

/* Opens path for reading.  A regular file: *fd and its length.  "-" and what cannot be sought: *fd
 * = -1 and *bytes, read to the end; the caller frees them or gives them to source_keep.  0, or -1
 * after reporting (missing, a directory, unreadable, empty). */
int source_open(const char *path, int *fd, char **bytes, size_t *len);

/* The next source_open or source_slurp of the same path gets these bytes: a pipe that was probed can still be read.
 * Takes bytes over. */
void source_keep(const char *path, char *bytes, size_t len);

/* The whole text of path; the caller frees.  0 or -1 as above; an empty file is reported too. */
int source_slurp(const char *path, char **bytes, size_t *len);

#endif
