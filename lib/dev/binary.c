/* Built programs on disk: PoCL parses a program's text at every start, some 40 ms that its binary
 * does not cost.  A file is a head and the binary; PoCL 3.1 crashes on a damaged binary, so what
 * the head does not vouch for is never shown to it. */
#include "dev/internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

struct head {
	char magic[8];
	uint64_t bytes, hash; /* of what follows */
};

static const char magic[8] = "scopebin";
static const uint64_t hash_start = 0xcbf29ce484222325;

static uint64_t hash_bytes(uint64_t h, const unsigned char *s, size_t n) /* FNV-1a, 64 bits */
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ s[i]) * 0x100000001b3;
	return h;
}

static uint64_t hash(uint64_t h,
		     const char *s) /* with its end: two strings are not their concatenation */
{
	return hash_bytes(h, (const unsigned char *)s, strlen(s) + 1);
}

char *binary_path(const struct dev *d, const char *const text[2], const char *options)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	uint64_t h = hash_start;
	char version[256] = "", *dir, *path;

	if (!d->keeps_binaries || (!cache && !home))
		return NULL;
	clGetDeviceInfo(d->id, CL_DRIVER_VERSION, sizeof version, version, NULL);
	h = hash(hash(hash(hash(hash(h, text[0]), text[1]), options), d->name), version);
	dir = cache && *cache ? mem_printf("%s/scopeline", cache)
			      : mem_printf("%s/.cache/scopeline", home ? home : "");
	path = mem_printf("%s/%016llx.clbin", dir, (unsigned long long)h);
	free(dir);
	return path;
}

/* The binary of a file, n bytes that the caller frees; NULL if it is not there or not whole. */
static unsigned char *read_whole(const char *path, size_t *n)
{
	struct head h;
	struct stat st;
	unsigned char *data = NULL;
	FILE *f = fopen(path, "rbe");

	if (!f)
		return NULL;
	if (fstat(fileno(f), &st) != 0 || fread(&h, sizeof h, 1, f) != 1 ||
	    memcmp(h.magic, magic, sizeof magic) != 0 || h.bytes == 0 || st.st_size < 0 ||
	    h.bytes != (uint64_t)st.st_size - sizeof h)
		goto done;
	*n = (size_t)h.bytes;
	data = mem_new(*n, 1);
	if (fread(data, 1, *n, f) != *n || hash_bytes(hash_start, data, *n) != h.hash) {
		free(data);
		data = NULL;
	}
done:
	fclose(f);
	return data;
}

cl_program binary_load(struct dev *d, const char *path, const char *options)
{
	size_t n;
	unsigned char *data = read_whole(path, &n);
	const unsigned char *bytes = data;
	cl_program p;
	cl_int e, status;

	if (!data)
		return NULL;
	p = clCreateProgramWithBinary(d->context, 1, &d->id, &n, &bytes, &status, &e);
	if (p && clBuildProgram(p, 1, &d->id, options, NULL, NULL) != CL_SUCCESS) {
		clReleaseProgram(p);
		p = NULL; /* of another version: the text is built instead */
	}
	free(data);
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

/* Removes what programs that were killed have left of theirs beside `temporary`, which was just
 * written: files of an hour before it.  Both times are the file system's, and no process is asked
 * for, since other machines write to the same folder.  Who is slower than that keeps no binary. */
static void sweep(const char *temporary)
{
	enum { HOUR = 3600, DIGITS = 16 };
	const char *suffix = ".clbin.";
	int folder = (int)(strrchr(temporary, '/') + 1 - temporary);
	char *name = mem_printf("%.*s", folder, temporary);
	DIR *d = opendir(name);
	struct stat now, st;

	if (!d || stat(temporary, &now) != 0)
		goto done;
	for (struct dirent *e; (e = readdir(d));)
		if (strspn(e->d_name, "0123456789abcdef") == DIGITS &&
		    strncmp(e->d_name + DIGITS, suffix, strlen(suffix)) == 0 &&
		    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    st.st_mtime < now.st_mtime - HOUR)
			unlinkat(dirfd(d), e->d_name, 0);
done:
	if (d)
		closedir(d);
	free(name);
}

/* Its name is nobody else's: processes of several machines, and of containers, share numbers. */
static char *temporary_path(const char *path)
{
	uint64_t random = 0;

	if (getrandom(&random, sizeof random, 0) != sizeof random)
		random = (uint64_t)getpid();
	return mem_printf("%s.%016llx", path, (unsigned long long)random);
}

void binary_save(const char *path, cl_program p)
{
	char *copy = mem_strdup(path), *temporary = temporary_path(path);
	struct head h;
	unsigned char *data = NULL;
	size_t n = 0;
	bool written;
	FILE *f;

	make_folders(copy);
	if (clGetProgramInfo(p, CL_PROGRAM_BINARY_SIZES, sizeof n, &n, NULL) != CL_SUCCESS ||
	    n == 0)
		goto done;
	data = mem_new(n, 1);
	if (clGetProgramInfo(p, CL_PROGRAM_BINARIES, sizeof data, &data, NULL) != CL_SUCCESS)
		goto done;
	f = fopen(temporary, "wbxe");
	if (!f)
		goto done;
	memcpy(h.magic, magic, sizeof magic);
	h.bytes = n;
	h.hash = hash_bytes(hash_start, data, n);
	written = fwrite(&h, sizeof h, 1, f) == 1 && fwrite(data, 1, n, f) == n;
	written &= fclose(f) == 0;
	if (written)
		sweep(temporary);
	if (!written || rename(temporary, path) != 0)
		unlink(temporary);
done:
	free(data);
	free(temporary);
	free(copy);
}
