#include "io/source.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/die.h"
#include "base/mem.h"

/* Bytes of pipes that were probed and are still to be read. */
struct kept {
	struct kept *next;
	char *path, *bytes;
	size_t len;
};
static struct kept *kept;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Grows by half, so that what is held is bounded by what has come. */
static int read_all(const char *path, int fd, size_t guess, char **bytes, size_t *len)
{
	size_t cap = guess + 1, n = 0;
	char *buf = malloc(cap);

	while (buf) {
		ssize_t k = read(fd, buf + n, cap - n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0) {
			error("'%s': cannot read: %s", path, strerror(errno));
			free(buf);
			return -1;
		}
		if (k == 0)
			break;
		n += (size_t)k;
		if (n == cap) {
			char *more = realloc(buf, cap += cap / 2 + 65536);

			if (!more)
				free(buf);
			buf = more;
		}
	}
	if (!buf)
		return error("'%s': no memory for %zu bytes", path, cap);
	if (n == 0) {
		free(buf);
		return error("'%s': empty, expected data", path);
	}
	*bytes = buf;
	*len = n;
	return 0;
}

/* Opens; a regular file has *regular set and st_size in *len. */
static int open_path(const char *path, int *fd, bool *regular, size_t *len)
{
	struct stat st;

	*fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (*fd < 0)
		return error("'%s': cannot open: %s", path, strerror(errno));
	if (fstat(*fd, &st) != 0) {
		error("'%s': %s", path, strerror(errno));
		goto fail;
	}
	if (S_ISDIR(st.st_mode)) {
		error("'%s': a directory, expected a file", path);
		goto fail;
	}
	*regular = S_ISREG(st.st_mode) && *fd != STDIN_FILENO;
	*len = *regular ? (size_t)st.st_size : 0;
	if (*regular && *len == 0) {
		error("'%s': empty, expected data", path);
		goto fail;
	}
	return 0;
fail:
	if (*fd != STDIN_FILENO)
		close(*fd);
	return -1;
}

/* The bytes kept under path, given away; false: none. */
static bool take_kept(const char *path, char **bytes, size_t *len)
{
	bool found = false;

	pthread_mutex_lock(&lock);
	for (struct kept **p = &kept; *p; p = &(*p)->next) {
		struct kept *k = *p;

		if (strcmp(k->path, path) != 0)
			continue;
		*bytes = k->bytes;
		*len = k->len;
		*p = k->next;
		free(k->path);
		free(k);
		found = true;
		break;
	}
	pthread_mutex_unlock(&lock);
	return found;
}

void source_keep(const char *path, char *bytes, size_t len)
{
	struct kept *k = mem_new(1, sizeof *k);

	*k = (struct kept){ .path = mem_strdup(path), .bytes = bytes, .len = len };
	pthread_mutex_lock(&lock);
	k->next = kept;
	kept = k;
	pthread_mutex_unlock(&lock);
}

int source_open(const char *path, int *fd, char **bytes, size_t *len)
{
	bool regular = false;
	int rc;

	*fd = -1;
	*bytes = NULL;
	if (take_kept(path, bytes, len))
		return 0;
	if (open_path(path, fd, &regular, len) != 0)
		return -1;
	if (regular)
		return 0;
	rc = read_all(path, *fd, 65536, bytes, len);
	if (*fd != STDIN_FILENO)
		close(*fd);
	*fd = -1;
	return rc;
}

int source_slurp(const char *path, char **bytes, size_t *len)
{
	bool regular = false;
	int fd, rc;

	if (take_kept(path, bytes, len))
		return 0;
	if (open_path(path, &fd, &regular, len) != 0)
		return -1;
	rc = read_all(path, fd, *len, bytes, len);
	if (fd != STDIN_FILENO)
		close(fd);
	return rc;
}
