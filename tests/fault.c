/* A library for LD_PRELOAD: one call of the tool's own code fails, as the system or the device
 * might let it fail.
 *   FAULT=CALL:N     the N-th (from 1) CALL fails: malloc, read, write, fsync, rename, open, mkdir,
 *                    opendir, unlink, close, pthread_create, clCreateBuffer or
 *                    clEnqueueNDRangeKernel; their kin count with them
 *   KILL=N           the program dies of SIGKILL at the N-th call that has to do with files, read
 *                    and opendir left out, before it happens; a write happens by half
 *   KILL_SIGNAL=S    of that signal instead; where a thread blocks it, it comes later
 *   LEAK=1           1000 bytes are allocated and forgotten, for who looks whether that is seen
 *   FAULT_MARK=FILE  is made when the one or the other happens
 *   FAULT_COUNT=FILE gets a line "CALL TIMES" for each at exit, "kill TIMES", and "largest BYTES":
 *                    the largest allocation that anyone asked for
 * Only calls that return into the main executable count: what libraries do for themselves is
 * theirs; and writes to stderr do not, they are the messages.  For glibc. */
#include <CL/cl.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum call {
	MALLOC,
	READ,
	OPENDIR,
	THREAD,
	BUFFER,
	KERNEL,
	WRITE, /* from here on: what changes files, or shows that it was changed */
	FSYNC,
	RENAME,
	OPEN,
	MKDIR,
	UNLINK,
	CLOSE,
	CALLS
};
static const struct {
	const char *name;
	int reason;
} calls[CALLS] = {
	[MALLOC] = { "malloc", ENOMEM },
	[READ] = { "read", EIO },
	[OPENDIR] = { "opendir", EMFILE },
	[THREAD] = { "pthread_create", EAGAIN },
	[BUFFER] = { "clCreateBuffer", 0 },
	[KERNEL] = { "clEnqueueNDRangeKernel", 0 },
	[WRITE] = { "write", ENOSPC },
	[FSYNC] = { "fsync", EIO },
	[RENAME] = { "rename", EIO },
	[OPEN] = { "open", EMFILE },
	[MKDIR] = { "mkdir", ENOSPC },
	[UNLINK] = { "unlink", EACCES },
	[CLOSE] = { "close", EIO },
};

static atomic_long count[CALLS], changes, largest;
static enum call chosen = CALLS;
static long chosen_n, kill_n;
static int kill_signal = SIGKILL;
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
		if (strlen(calls[c].name) == (size_t)(colon - fault) &&
		    strncmp(calls[c].name, fault, (size_t)(colon - fault)) == 0) {
			chosen = c;
			chosen_n = atol(colon + 1);
		}
	if (getenv("LEAK")) {
		void *volatile lost = malloc(1000);

		lost = NULL;
		(void)lost;
	}
	kill_n = getenv("KILL") ? atol(getenv("KILL")) : 0;
	if (getenv("KILL_SIGNAL"))
		kill_signal = atoi(getenv("KILL_SIGNAL"));
}

static int open_raw(const char *path)
{
	return (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
			    0666);
}

static void mark(void)
{
	const char *path = getenv("FAULT_MARK");
	int fd = path ? open_raw(path) : -1;

	if (fd >= 0)
		syscall(SYS_close, fd);
}

__attribute__((destructor)) static void end(void)
{
	const char *path = getenv("FAULT_COUNT");
	int fd = path ? open_raw(path) : -1;

	if (fd < 0)
		return;
	for (int c = 0; c < CALLS; c++)
		dprintf(fd, "%s %ld\n", calls[c].name, atomic_load(&count[c]));
	dprintf(fd, "kill %ld\nlargest %ld\n", atomic_load(&changes), atomic_load(&largest));
	syscall(SYS_close, fd);
}

static int is_ours(const void *back)
{
	return (uintptr_t)back >= from && (uintptr_t)back < to;
}

/* Is it now that the program has to die?  Other signals than SIGKILL are raised here. */
static int dies(enum call c)
{
	if (c < WRITE || atomic_fetch_add(&changes, 1) + 1 != kill_n)
		return 0;
	mark();
	if (kill_signal != SIGKILL)
		raise(kill_signal);
	return kill_signal == SIGKILL;
}

static _Noreturn void die_here(void)
{
	raise(SIGKILL);
	abort();
}

/* Is this call, which returns to `back`, the one to fail? */
static int fails(enum call c, const void *back)
{
	if (!is_ours(back))
		return 0;
	if (c != WRITE && dies(c))
		die_here();
	if (atomic_fetch_add(&count[c], 1) + 1 != chosen_n || c != chosen)
		return 0;
	mark();
	errno = calls[c].reason;
	return 1;
}
#define BACK __builtin_return_address(0)
#define FAILS(c) fails(c, BACK)
#define NEXT(f) ((__typeof__(&f))next(#f))

static void *next(const char *name)
{
	void *p = dlsym(RTLD_NEXT, name);

	if (!p)
		abort();
	return p;
}

/* ---- memory.  The next library's, which may be a sanitizer's; glibc's own names until it is found:
 * dlsym itself may allocate */

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);

static struct {
	void *(*malloc)(size_t);
	void *(*calloc)(size_t, size_t);
	void *(*realloc)(void *, size_t);
	void *(*memalign)(size_t, size_t);
} use = { __libc_malloc, __libc_calloc, __libc_realloc, __libc_memalign };

static void find_allocators(void)
{
	static int found;

	if (found)
		return;
	found = 1;
	use.malloc = NEXT(malloc);
	use.calloc = NEXT(calloc);
	use.realloc = NEXT(realloc);
	use.memalign = NEXT(memalign);
}

static int no_memory(size_t n, const void *back)
{
	long was = atomic_load(&largest);

	find_allocators();
	while (n < PTRDIFF_MAX && (long)n > was &&
	       !atomic_compare_exchange_weak(&largest, &was, (long)n))
		;
	return fails(MALLOC, back);
}

void *malloc(size_t n)
{
	return no_memory(n, BACK) ? NULL : use.malloc(n);
}

void *calloc(size_t n, size_t size)
{
	return no_memory(n * size, BACK) ? NULL : use.calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	return no_memory(n, BACK) ? NULL : use.realloc(p, n);
}

void *aligned_alloc(size_t align, size_t n)
{
	return no_memory(n, BACK) ? NULL : use.memalign(align, n);
}

int posix_memalign(void **p, size_t align, size_t n)
{
	void *q = no_memory(n, BACK) ? NULL : use.memalign(align, n);

	if (q)
		*p = q;
	return q ? 0 : ENOMEM;
}

int vasprintf(char **s, const char *fmt, va_list ap)
{
	return FAILS(MALLOC) ? -1 : NEXT(vasprintf)(s, fmt, ap);
}

FILE *open_memstream(char **s, size_t *n)
{
	return FAILS(MALLOC) ? NULL : NEXT(open_memstream)(s, n);
}

FILE *fdopen(int fd, const char *how)
{
	return FAILS(MALLOC) ? NULL : NEXT(fdopen)(fd, how);
}

char *realpath(const char *path, char *room)
{
	return !room && FAILS(MALLOC) ? NULL : NEXT(realpath)(path, room);
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
	if (fd != STDERR_FILENO && is_ours(BACK) && dies(WRITE)) {
		NEXT(write)(fd, buf, n / 2);
		die_here();
	}
	return fd != STDERR_FILENO && FAILS(WRITE) ? -1 : NEXT(write)(fd, buf, n);
}

ssize_t pwrite(int fd, const void *buf, size_t n, off_t at)
{
	if (is_ours(BACK) && dies(WRITE)) {
		NEXT(pwrite)(fd, buf, n / 2, at);
		die_here();
	}
	return FAILS(WRITE) ? -1 : NEXT(pwrite)(fd, buf, n, at);
}

ssize_t pwrite64(int fd, const void *buf, size_t n, off64_t at)
{
	if (is_ours(BACK) && dies(WRITE)) {
		NEXT(pwrite64)(fd, buf, n / 2, at);
		die_here();
	}
	return FAILS(WRITE) ? -1 : NEXT(pwrite64)(fd, buf, n, at);
}

/* Text in memory is no file. */
static int is_file(FILE *f)
{
	return fileno(f) >= 0 && fileno(f) != STDERR_FILENO;
}

size_t fwrite(const void *p, size_t size, size_t n, FILE *f)
{
	if (!is_file(f))
		return NEXT(fwrite)(p, size, n, f);
	if (is_ours(BACK) && dies(WRITE)) {
		NEXT(fwrite)(p, size, n / 2, f);
		NEXT(fflush)(f);
		die_here();
	}
	if (!FAILS(WRITE))
		return NEXT(fwrite)(p, size, n, f);
	f->_flags |= _IO_ERR_SEEN; /* as ferror will say */
	return 0;
}

int fflush(FILE *f)
{
	if (!f || !is_file(f))
		return NEXT(fflush)(f);
	if (is_ours(BACK) && dies(WRITE))
		die_here();
	if (!FAILS(WRITE))
		return NEXT(fflush)(f);
	f->_flags |= _IO_ERR_SEEN;
	return EOF;
}

size_t fread(void *p, size_t size, size_t n, FILE *f)
{
	if (!is_file(f) || !FAILS(READ))
		return NEXT(fread)(p, size, n, f);
	f->_flags |= _IO_ERR_SEEN;
	return 0;
}

char *fgets(char *s, int n, FILE *f)
{
	if (!is_file(f) || !FAILS(READ))
		return NEXT(fgets)(s, n, f);
	f->_flags |= _IO_ERR_SEEN;
	return NULL;
}

int ftruncate(int fd, off_t n)
{
	if (is_ours(BACK) && dies(WRITE))
		die_here();
	return FAILS(WRITE) ? -1 : NEXT(ftruncate)(fd, n);
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

int renameat2(int from_dir, const char *old, int to_dir, const char *new, unsigned flags)
{
	return FAILS(RENAME) ? -1 : NEXT(renameat2)(from_dir, old, to_dir, new, flags);
}

int mkdir(const char *path, mode_t mode)
{
	return FAILS(MKDIR) ? -1 : NEXT(mkdir)(path, mode);
}

char *mkdtemp(char *name)
{
	return FAILS(MKDIR) ? NULL : NEXT(mkdtemp)(name);
}

DIR *opendir(const char *path)
{
	return FAILS(OPENDIR) ? NULL : NEXT(opendir)(path);
}

int unlink(const char *path)
{
	return FAILS(UNLINK) ? -1 : NEXT(unlink)(path);
}

int unlinkat(int folder, const char *path, int flags)
{
	return FAILS(UNLINK) ? -1 : NEXT(unlinkat)(folder, path, flags);
}

int rmdir(const char *path)
{
	return FAILS(UNLINK) ? -1 : NEXT(rmdir)(path);
}

/* Whatever close says, the number is free. */
int close(int fd)
{
	int fail = fails(CLOSE, BACK), rc = NEXT(close)(fd);

	errno = fail ? calls[CLOSE].reason : errno;
	return fail ? -1 : rc;
}

int fclose(FILE *f)
{
	int fail = is_file(f) && fails(CLOSE, BACK), rc = NEXT(fclose)(f);

	errno = fail ? calls[CLOSE].reason : errno;
	return fail ? EOF : rc;
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

FILE *fopen(const char *path, const char *how)
{
	return FAILS(OPEN) ? NULL : NEXT(fopen)(path, how);
}

FILE *fopen64(const char *path, const char *how)
{
	return FAILS(OPEN) ? NULL : NEXT(fopen64)(path, how);
}

int mkostemp(char *name, int flags)
{
	return FAILS(OPEN) ? -1 : NEXT(mkostemp)(name, flags);
}

int mkostemp64(char *name, int flags)
{
	return FAILS(OPEN) ? -1 : NEXT(mkostemp64)(name, flags);
}

/* ---- threads */

int pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
	return FAILS(THREAD) ? EAGAIN : NEXT(pthread_create)(t, attr, run, arg);
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

void *clSVMAlloc(cl_context context, cl_svm_mem_flags flags, size_t n, cl_uint align)
{
	return no_memory(n, BACK) ? NULL : NEXT(clSVMAlloc)(context, flags, n, align);
}

cl_int clEnqueueNDRangeKernel(cl_command_queue q, cl_kernel k, cl_uint dim, const size_t *offset,
			      const size_t *global, const size_t *local, cl_uint n,
			      const cl_event *wait, cl_event *event)
{
	if (FAILS(KERNEL))
		return CL_OUT_OF_RESOURCES;
	return NEXT(clEnqueueNDRangeKernel)(q, k, dim, offset, global, local, n, wait, event);
}
