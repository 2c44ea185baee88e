#include "io/out.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/die.h"
#include "base/mem.h"

/* Temporaries a signal has to remove.  A slot is TAKEN while its path is written and its file made,
 * with signals blocked in that thread; the handler, in another one, waits for that to end, moves the
 * slot from ARMED to DYING and has it for good.  Nothing is taken once `dying` is set, so that no
 * file can appear behind the handler's back. */
enum { FREE, TAKEN, ARMED, DYING };
enum { SLOTS = 64 };
static struct out_guard {
	_Atomic int state;
	char path[PATH_MAX];
} slots[SLOTS];
_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "the signal handler needs lock-free ints");

static _Atomic int dying;
static _Atomic int stdout_taken;
static pthread_once_t once = PTHREAD_ONCE_INIT;

struct out {
	char *path;	   /* as given, for messages */
	char *target;	   /* links resolved; "-" for stdout */
	struct out_guard *slot; /* NULL: the temporary has no name and is copied at commit */
	int fd;
	FILE *file;
};

/* Folders, now that their files are gone; false: another thread has made one of the files meanwhile, which is removed too. */
static bool folders_removed(void)
{
	bool removed = true;

	for (int i = 0; i < SLOTS; i++)
		if (atomic_load(&slots[i].state) == DYING && rmdir(slots[i].path) != 0 && (errno == ENOTEMPTY || errno == EEXIST))
			removed = false;
	for (int i = 0; i < SLOTS && !removed; i++)
		if (atomic_load(&slots[i].state) == DYING)
			unlink(slots[i].path);
	return removed;
}

static void remove_temporaries(void)
{
	int tries = 64; /* of files that are in no slot a folder keeps some */

	atomic_store(&dying, 1);
	for (int i = 0; i < SLOTS; i++) {
		int armed = ARMED;

		while (atomic_load(&slots[i].state) == TAKEN)
			sched_yield();
		if (atomic_compare_exchange_strong(&slots[i].state, &armed, DYING))
			unlink(slots[i].path);
	}
	while (!folders_removed() && --tries > 0)
		;
}

/* What was there before: the default, or a handler that a library put there (LLVM does, under PoCL, when a
 * device is opened), which in turn ends the program. */
static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE };
static struct sigaction before[sizeof signals / sizeof signals[0]];
/* What the program was started to ignore, before any library put a handler there. */
static bool ignored[sizeof signals / sizeof signals[0]];

__attribute__((constructor)) static void remember(void)
{
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
		ignored[i] = sigaction(signals[i], NULL, &before[i]) == 0 &&
			     before[i].sa_handler == SIG_IGN;
}

static void on_signal(int sig)
{
	remove_temporaries();
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
		if (signals[i] == sig)
			sigaction(sig, &before[i], NULL);
	raise(sig); /* as soon as this handler returns */
}

static void install(void)
{
	struct sigaction act = { .sa_handler = on_signal };

	atexit(remove_temporaries);
	at_quick_exit(remove_temporaries); /* of die */
	signal(SIGXFSZ, SIG_IGN); /* a limit of file size is an error of write, like a full disk */
	sigemptyset(&act.sa_mask);
	/* nohup ignores SIGHUP, a shell SIGINT for what it runs with &: that stays.  LLVM's handler in its
	 * place would raise the ignored signal again and return, with the temporaries gone. */
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
		if (!ignored[i] && sigaction(signals[i], NULL, &before[i]) == 0 &&
		    before[i].sa_handler != SIG_IGN)
			sigaction(signals[i], &act, NULL);
}

/* The program is about to end; no message of a vanished temporary shall be printed on the way. */
static _Noreturn void wait_for_the_end(void)
{
	for (;;)
		pause();
}

static struct out_guard *slot_take(void)
{
	for (int i = 0; i < SLOTS; i++) {
		int was = FREE;

		if (!atomic_compare_exchange_strong(&slots[i].state, &was, TAKEN))
			continue;
		if (atomic_load(&dying)) {
			atomic_store(&slots[i].state, FREE);
			wait_for_the_end();
		}
		return &slots[i];
	}
	return NULL;
}

/* The temporary is gone or renamed, unless the handler has the slot. */
static void slot_release(struct out_guard *s)
{
	int armed = ARMED;

	if (!atomic_compare_exchange_strong(&s->state, &armed, FREE))
		wait_for_the_end();
}

/* Holds the new file until the program ends, see out_sweep; false if another program's sweep came
 * between open and lock, which has removed it or is about to.  Where nothing can be locked, no sweep
 * removes anything. */
static bool hold(int fd)
{
	struct stat st;

	if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		return errno != EWOULDBLOCK;
	return fstat(fd, &st) == 0 && st.st_nlink > 0;
}

/* A new file beside the target, named ".NAME.RANDOM.tmp"; signals are blocked.  1: it was swept away. */
static int make_beside(struct out *o)
{
	const char *slash = strrchr(o->target, '/');
	int folder = slash ? (int)(slash + 1 - o->target) : 0;
	const char *name = o->target + folder;
	uint64_t random = 0;

	if (!*name)
		return error("'%s': no file name, expected one", o->path);
	o->slot = slot_take();
	if (!o->slot)
		return error("'%s': %d outputs are open already, expected fewer", o->path, SLOTS);
	if (getrandom(&random, sizeof random, 0) != sizeof random)
		random = (uint64_t)getpid() << 32 ^ (uint64_t)(uintptr_t)o;
	int n = snprintf(o->slot->path, sizeof o->slot->path, "%.*s.%.200s.%016llx.tmp", folder,
			 o->target, name, (unsigned long long)random);
	if (n < 0 || (size_t)n >= sizeof o->slot->path) {
		atomic_store(&o->slot->state, FREE);
		o->slot = NULL;
		return error("'%s': name too long", o->path);
	}
	o->fd = open(o->slot->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (o->fd < 0) {
		error("'%s': cannot write: %s", o->path, strerror(errno));
		atomic_store(&o->slot->state, FREE);
		o->slot = NULL;
		return -1;
	}
	if (!hold(o->fd)) {
		close(o->fd);
		o->fd = -1;
		atomic_store(&o->slot->state, FREE);
		o->slot = NULL;
		return 1;
	}
	atomic_store(&o->slot->state, ARMED);
	return 0;
}

static int open_beside(struct out *o)
{
	sigset_t all, was;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &was);
	int rc;

	while ((rc = make_beside(o)) > 0)
		;
	pthread_sigmask(SIG_SETMASK, &was, NULL);
	return rc;
}

/* ".NAME.", 16 hexadecimal digits, ".tmp" */
static bool is_temporary(const char *name)
{
	size_t n = strlen(name);

	return n > 22 && name[0] == '.' && name[n - 21] == '.' && strspn(name + n - 20, "0123456789abcdef") == 16 &&
	       strcmp(name + n - 4, ".tmp") == 0;
}

void out_sweep(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash ? mem_printf("%.*s", (int)(slash + 1 - path), path) : mem_strdup("./");
	DIR *d = opendir(folder);

	for (struct dirent *e; d && (e = readdir(d));) {
		char *file;
		int fd;

		if (!is_temporary(e->d_name))
			continue;
		file = mem_printf("%s%s", folder, e->d_name);
		fd = open(file, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
			unlink(file);
		if (fd >= 0)
			close(fd);
		free(file);
	}
	if (d)
		closedir(d);
	free(folder);
}

/* A slot for the path; folder: made by mkdtemp, name is then its path.  Signals are blocked. */
static struct out_guard *guard(const char *target, char *path, bool folder)
{
	struct out_guard *s = slot_take();

	if (!s) {
		error("'%s': %d outputs are open already, expected fewer", target, SLOTS);
	} else if (strlen(path) >= sizeof s->path) {
		error("'%s': name too long", target);
	} else if (folder && !mkdtemp(path)) {
		error("'%s': cannot write: %s", target, strerror(errno));
	} else {
		strcpy(s->path, path);
		atomic_store(&s->state, ARMED);
		return s;
	}
	if (s)
		atomic_store(&s->state, FREE);
	return NULL;
}

static struct out_guard *guard_unsignalled(const char *target, char *path, bool folder)
{
	sigset_t all, was;

	pthread_once(&once, install);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &was);
	struct out_guard *s = guard(target, path, folder);

	pthread_sigmask(SIG_SETMASK, &was, NULL);
	return s;
}

struct out_guard *out_folder(const char *target, char *name)
{
	return guard_unsignalled(target, name, true);
}

struct out_guard *out_inside(const char *path)
{
	return guard_unsignalled(path, (char *)(uintptr_t)path, false);
}

void out_release(struct out_guard *g)
{
	if (g)
		slot_release(g);
}

static _Thread_local sigset_t unheld;

void out_hold(struct out_guard *const g[], size_t n)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &unheld);
	for (size_t i = 0; i < n; i++) {
		int armed = ARMED;

		if (atomic_compare_exchange_strong(&g[i]->state, &armed, TAKEN))
			continue;
		while (i-- > 0)
			atomic_store(&g[i]->state, ARMED);
		wait_for_the_end();
	}
}

void out_let(struct out_guard *const g[], size_t n)
{
	for (size_t i = 0; i < n; i++)
		atomic_store(&g[i]->state, ARMED);
	pthread_sigmask(SIG_SETMASK, &unheld, NULL);
}

/* A file without a name, in the folder for temporaries. */
static int open_nameless(struct out *o)
{
	const char *folder = getenv("TMPDIR");
	char *name = mem_printf("%s/scopeline-XXXXXX", folder && *folder ? folder : "/tmp");

	o->fd = mkostemp(name, O_CLOEXEC);
	if (o->fd < 0)
		error("'%s': cannot make a temporary '%s': %s", o->path, name, strerror(errno));
	else
		unlink(name);
	free(name);
	return o->fd < 0 ? -1 : 0;
}

/* Where the bytes go in the end: links resolved, so that a rename does not replace one. */
static int find_target(struct out *o, bool *plain)
{
	struct stat st;

	*plain = strcmp(o->path, "-") != 0;
	if (!*plain || stat(o->path, &st) != 0) {
		o->target = mem_strdup(o->path);
		return 0;
	}
	if (S_ISDIR(st.st_mode))
		return error("'%s': a directory, expected a file name", o->path);
	*plain = S_ISREG(st.st_mode);
	if (*plain) {
		char *real = realpath(o->path, NULL);

		if (!real)
			return error("'%s': %s", o->path, strerror(errno));
		o->target = real;
	} else {
		o->target = mem_strdup(o->path);
	}
	return 0;
}

struct out *out_open(const char *path)
{
	struct out *o = mem_new(1, sizeof *o);
	bool plain;

	pthread_once(&once, install);
	o->path = mem_strdup(path);
	o->fd = -1;
	if (!*path) {
		error("'': no file name, expected one");
		goto fail;
	}
	if (strcmp(path, "-") == 0 && atomic_fetch_add(&stdout_taken, 1) > 0) {
		error("'-': stdout is taken by another output, expected one");
		goto fail;
	}
	if (find_target(o, &plain) != 0)
		goto fail;
	if ((plain ? open_beside(o) : open_nameless(o)) != 0)
		goto fail;
	return o;
fail:
	out_abort(o);
	return NULL;
}

int out_fd(struct out *o)
{
	return o->fd;
}

FILE *out_file(struct out *o)
{
	if (!o->file) {
		o->file = fdopen(o->fd, "w+");
		if (!o->file)
			die(EXIT_FAILED, "'%s': %s", o->path, strerror(errno));
	}
	return o->file;
}

static int copy_all(struct out *o, int to)
{
	enum { CHUNK = 1 << 18 };
	char *buf = mem_new(CHUNK, 1);
	off_t at = 0;
	ssize_t n;
	int rc = -1;

	while ((n = pread(o->fd, buf, CHUNK, at)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			goto done;
		for (ssize_t sent = 0; sent < n;) {
			ssize_t k = write(to, buf + sent, (size_t)(n - sent));

			if (k < 0 && errno == EINTR)
				continue;
			if (k < 0)
				goto done;
			sent += k;
		}
		at += n;
	}
	rc = 0;
done:
	free(buf);
	return rc;
}

/* Copies the nameless temporary to stdout or into the device or fifo; 0 or -1 with errno. */
static int deliver(struct out *o)
{
	int to, rc;

	if (strcmp(o->target, "-") == 0)
		return fflush(stdout) == 0 ? copy_all(o, STDOUT_FILENO) : -1;
	to = open(o->target, O_WRONLY | O_CLOEXEC);
	if (to < 0)
		return -1;
	rc = copy_all(o, to);
	if (close(to) != 0)
		rc = -1;
	return rc;
}

static void out_free(struct out *o)
{
	free(o->target);
	free(o->path);
	free(o);
}

void out_hurry(struct out *o)
{
	fflush(out_file(o));
#ifdef SYNC_FILE_RANGE_WRITE /* Linux */
	if (o->slot)
		sync_file_range(o->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
#endif
}

int out_commit(struct out *o)
{
	int why = 0;

	errno = 0;
	if (o->file && (fflush(o->file) != 0 || ferror(o->file)))
		why = errno ? errno : EIO; /* an earlier failure's reason is not known any more */
	if (!why && !o->slot && deliver(o) != 0)
		why = errno;
	if (!why && o->slot && fsync(o->fd) != 0 && errno != EINVAL && errno != EROFS)
		why = errno;
	/* a network file system may tell of a full disk only now */
	if ((o->file ? fclose(o->file) : close(o->fd)) != 0 && !why)
		why = errno;
	if (o->slot) {
		if (!why && rename(o->slot->path, o->target) != 0)
			why = errno;
		if (why)
			unlink(o->slot->path);
		slot_release(o->slot);
	}
	if (why)
		error("'%s': cannot write: %s", strcmp(o->path, "-") == 0 ? "<stdout>" : o->path,
		      strerror(why));
	out_free(o);
	return why ? -1 : 0;
}

void out_abort(struct out *o)
{
	if (!o)
		return;
	if (o->file)
		fclose(o->file);
	else if (o->fd >= 0)
		close(o->fd);
	if (o->slot) {
		unlink(o->slot->path);
		slot_release(o->slot);
	}
	if (strcmp(o->path, "-") == 0 && o->fd >= 0)
		atomic_store(&stdout_taken, 0);
	out_free(o);
}

int out_check_binary(const char *path)
{
	if (strcmp(path, "-") == 0 && isatty(STDOUT_FILENO))
		return error(
			"'-': stdout is a terminal, expected a pipe or a file for binary data");
	return 0;
}
