/* Built programs on disk: PoCL parses a program's text at every start, some 40 ms that its binary does not cost. */
#include "dev/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

static uint64_t hash(uint64_t h, const char *s)	/* FNV-1a, 64 bits */
{
	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 0x100000001b3;
	return h;
}

char *binary_path(const struct dev *d, const char *const text[2], const char *options)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	uint64_t h = 0xcbf29ce484222325;
	char version[256] = "", *dir, *path;

	if (!d->keeps_binaries || (!cache && !home))
		return NULL;
	clGetDeviceInfo(d->id, CL_DRIVER_VERSION, sizeof version, version, NULL);
	h = hash(hash(hash(hash(hash(h, text[0]), text[1]), options), d->name), version);
	dir = cache && *cache ? mem_printf("%s/scopeline", cache) : mem_printf("%s/.cache/scopeline", home ? home : "");
	path = mem_printf("%s/%016llx.clbin", dir, (unsigned long long)h);
	free(dir);
	return path;
}

cl_program binary_load(struct dev *d, const char *path, const char *options)
{
	struct stat st;
	const unsigned char *bytes;
	unsigned char *data = NULL;
	cl_program p = NULL;
	cl_int e, status;
	size_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) != 0 || st.st_size <= 0)
		goto done;
	n = (size_t)st.st_size;
	data = mem_new(n, 1);
	if (read(fd, data, n) != (ssize_t)n)
		goto done;
	bytes = data;
	p = clCreateProgramWithBinary(d->context, 1, &d->id, &n, &bytes, &status, &e);
	if (p && clBuildProgram(p, 1, &d->id, options, NULL, NULL) != CL_SUCCESS) {
		clReleaseProgram(p);
		p = NULL;	/* of another version, or damaged: the text is built instead */
	}
done:
	free(data);
	close(fd);
	return p;
}

/* Makes the folders of a path. */
static void make_folders(char *path)
{
	for (char *s = strchr(path + 1, '/'); s; s = strchr(s + 1, '/')) {
		*s = '\0';
		mkdir(path, 0777);
		*s = '/';
	}
}

void binary_save(const char *path, cl_program p)
{
	char *copy = mem_strdup(path), *temporary = mem_printf("%s.%ld", path, (long)getpid());
	unsigned char *data = NULL;
	size_t n = 0;
	int fd = -1;

	make_folders(copy);
	if (clGetProgramInfo(p, CL_PROGRAM_BINARY_SIZES, sizeof n, &n, NULL) != CL_SUCCESS || n == 0)
		goto done;
	data = mem_new(n, 1);
	if (clGetProgramInfo(p, CL_PROGRAM_BINARIES, sizeof data, &data, NULL) != CL_SUCCESS)
		goto done;
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		goto done;
	if (write(fd, data, n) != (ssize_t)n || rename(temporary, path) != 0)
		unlink(temporary);
done:
	if (fd >= 0)
		close(fd);
	free(data);
	free(temporary);
	free(copy);
}
