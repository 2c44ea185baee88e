/* A library for LD_PRELOAD: one call of the tool's own code fails, as the system or the device
 * might let it fail.
 *   FAULT=CALL:N     the N-th (from 1) CALL fails: malloc, read, write, fsync, rename, open,
 *                    clCreateBuffer or clEnqueueNDRangeKernel; their kin count with them
 *   FAULT_MARK=FILE  is made when that happens
 *   FAULT_COUNT=FILE gets a line "CALL TIMES" for each at exit
 * Only calls that return into the main executable count: what libraries do for themselves is
 * theirs; and writes to stderr do not, they are the messages.  For glibc. */
#include <CL/cl.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum call { MALLOC, READ, WRITE, FSYNC, RENAME, OPEN, BUFFER, KERNEL, CALLS };
static const char *const names[CALLS] = { "malloc",	    "read",
					  "write",	    "fsync",
					  "rename",	    "open",
					  "clCreateBuffer", "clEnqueueNDRangeKernel" };
static const int reason[CALLS] = { ENOMEM, EIO, ENOSPC, EIO, EIO, EMFILE, 0, 0 };

static atomic_long count[CALLS];
static enum call chosen = CALLS;
static long chosen_n;
static uintptr_t from, to; /* code of the main executable */

static int main_executable(struct dl_phdr_info *info, size_t size, void *unused)
{
	(void)size;
	(void)unused;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type == PT_LOAD && p->p_flags & PF_X) {
			from = info->dlpi_addr + p->p_vaddr;
			to = from + p->p_memsz;
		}
	}
	return 1; /* the first one only */
}

__attribute__((constructor)) static void start(void)
{
	const char *fault = getenv("FAULT"), *colon = fault ? strchr(fault, ':') : NULL;

	dl_iterate_phdr(main_executable, NULL);
	for (int c = 0; colon && c < CALLS; c++)
		if (strlen(names[c]) == (size_t)(colon - fault) &&
		    strncmp(names[c], fault, (size_t)(colon - fault)) == 0) {
			chosen = c;
			chosen_n = atol(colon + 1);
		}
}

static int open_raw(const char *path)
{
	return (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
			    0666);
}

__attribute__((destructor)) static void end(void)
{
	const char *path = getenv("FAULT_COUNT");
	int fd = path ? open_raw(path) : -1;

	if (fd < 0)
		return;
	for (int c = 0; c < CALLS; c++)
		dprintf(fd, "%s %ld\n", names[c], atomic_load(&count[c]));
	close(fd);
}

/* Is this call, which returns to `back`, the one to fail? */
static int fails(enum call c, const void *back)
{
	uintptr_t at = (uintptr_t)back;

	if (at < from || at >= to || atomic_fetch_add(&count[c], 1) + 1 != chosen_n || c != chosen)
		return 0;

	const char *mark = getenv("FAULT_MARK");
	int fd = mark ? open_raw(mark) : -1;

	if (fd >= 0)
		close(fd);
	errno = reason[c];
	return 1;
}
#define FAILS(c) fails(c, __builtin_return_address(0))
#define NEXT(f) ((__typeof__(&f))next(#f))

static void *next(const char *name)
{
	void *p = dlsym(RTLD_NEXT, name);

	if (!p)
		abort();
	return p;
}

/* ---- memory.  glibc's own names: dlsym itself may allocate */

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);

void *malloc(size_t n)
{
	return FAILS(MALLOC) ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	return FAILS(MALLOC) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	return FAILS(MALLOC) ? NULL : __libc_realloc(p, n);
}

void *aligned_alloc(size_t align, size_t n)
{
	return FAILS(MALLOC) ? NULL : __libc_memalign(align, n);
}

int posix_memalign(void **p, size_t align, size_t n)
{
	void *q = FAILS(MALLOC) ? NULL : __libc_memalign(align, n);

	if (q)
		*p = q;
	return q ? 0 : ENOMEM;
}

int vasprintf(char **s, const char *fmt, va_list ap)
{
	return FAILS(MALLOC) ? -1 : NEXT(vasprintf)(s, fmt, ap);
}

/* ---- files */

ssize_t read(int fd, void *buf, size_t n)
{
	return FAILS(READ) ? -1 : NEXT(read)(fd, buf, n);
}

ssize_t pread(int fd, void *buf, size_t n, off_t at)
{
	return FAILS(READ) ? -1 : NEXT(pread)(fd, buf, n, at);
}

ssize_t pread64(int fd, void *buf, size_t n, off64_t at)
{
	return FAILS(READ) ? -1 : NEXT(pread64)(fd, buf, n, at);
}

ssize_t write(int fd, const void *buf, size_t n)
{
	return fd != STDERR_FILENO && FAILS(WRITE) ? -1 : NEXT(write)(fd, buf, n);
}

ssize_t pwrite(int fd, const void *buf, size_t n, off_t at)
{
	return FAILS(WRITE) ? -1 : NEXT(pwrite)(fd, buf, n, at);
}

ssize_t pwrite64(int fd, const void *buf, size_t n, off64_t at)
{
	return FAILS(WRITE) ? -1 : NEXT(pwrite64)(fd, buf, n, at);
}

size_t fwrite(const void *p, size_t size, size_t n, FILE *f)
{
	if (fileno(f) < 0 || !FAILS(WRITE)) /* text in memory is no file */
		return NEXT(fwrite)(p, size, n, f);
	f->_flags |= _IO_ERR_SEEN; /* as ferror will say */
	return 0;
}

int fsync(int fd)
{
	return FAILS(FSYNC) ? -1 : NEXT(fsync)(fd);
}

int fdatasync(int fd)
{
	return FAILS(FSYNC) ? -1 : NEXT(fdatasync)(fd);
}

int rename(const char *old, const char *new)
{
	return FAILS(RENAME) ? -1 : NEXT(rename)(old, new);
}

static mode_t mode_of(int flags, va_list ap)
{
	return flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
	int fail = FAILS(OPEN);
	va_list ap;

	va_start(ap, flags);
	mode_t mode = mode_of(flags, ap);

	va_end(ap);
	return fail ? -1 : NEXT(open)(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	int fail = FAILS(OPEN);
	va_list ap;

	va_start(ap, flags);
	mode_t mode = mode_of(flags, ap);

	va_end(ap);
	return fail ? -1 : NEXT(open64)(path, flags, mode);
}

int mkostemp(char *name, int flags)
{
	return FAILS(OPEN) ? -1 : NEXT(mkostemp)(name, flags);
}

int mkostemp64(char *name, int flags)
{
	return FAILS(OPEN) ? -1 : NEXT(mkostemp64)(name, flags);
}

/* ---- the device */

cl_mem clCreateBuffer(cl_context context, cl_mem_flags flags, size_t n, void *host, cl_int *status)
{
	if (!FAILS(BUFFER))
		return NEXT(clCreateBuffer)(context, flags, n, host, status);
	if (status)
		*status = CL_MEM_OBJECT_ALLOCATION_FAILURE;
	return NULL;
}

cl_int clEnqueueNDRangeKernel(cl_command_queue q, cl_kernel k, cl_uint dim, const size_t *offset,
			      const size_t *global, const size_t *local, cl_uint n,
			      const cl_event *wait, cl_event *event)
{
	if (FAILS(KERNEL))
		return CL_OUT_OF_RESOURCES;
	return NEXT(clEnqueueNDRangeKernel)(q, k, dim, offset, global, local, n, wait, event);
}
