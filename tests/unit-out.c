/* Output files appear whole or not at all, whatever happens; the provenance text. */
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/die.h"
#include "base/mem.h"
#include "io/out.h"
#include "io/provenance.h"
#include "tests/capture.h"
#include "tests/tap.h"

static char folder[] = "unit-out-XXXXXX";

static int entries(void)
{
	DIR *d = opendir(".");
	int n = 0;

	if (!d)
		die(EXIT_FAILED, "cannot list the folder");
	for (struct dirent *e; (e = readdir(d));)
		n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	closedir(d);
	return n;
}

static bool holds(const char *path, const char *text)
{
	char buf[64] = "";
	FILE *f = fopen(path, "r");
	size_t n;

	if (!f)
		return false;
	n = fread(buf, 1, sizeof buf - 1, f);
	fclose(f);
	return n == strlen(text) && strcmp(buf, text) == 0;
}

static int write_text(const char *path, const char *text)
{
	struct out *o = out_open(path);

	if (!o)
		return -1;
	fputs(text, out_file(o));
	return out_commit(o);
}

static void test_whole(void)
{
	struct out *o;
	struct stat st;

	ok(write_text("a", "one") == 0 && holds("a", "one") && entries() == 1,
	   "a committed file is there, and nothing else");
	ok(stat("a", &st) == 0 && (st.st_mode & 0777) == 0644, "its mode follows the umask");
	o = out_open("a");
	fputs("two", out_file(o));
	fflush(out_file(o));
	ok(holds("a", "one") && entries() == 2, "until the commit the older file stays");
	out_abort(o);
	ok(holds("a", "one") && entries() == 1, "after an abort too, and the temporary is gone");
	ok(write_text("a", "three") == 0 && holds("a", "three"),
	   "a commit replaces the older file");
	out_abort(NULL);
	ok(symlink("a", "link") == 0 && write_text("link", "four") == 0 && holds("a", "four"),
	   "a link is followed");
	ok(lstat("link", &st) == 0 && S_ISLNK(st.st_mode), "and stays a link");
	unlink("link");
}

static void refused(const char *path, const char *words, const char *sentence)
{
	capture_begin();
	int rc = write_text(path, "x");
	capture_end();
	ok(rc == -1 && captured(words), "%s (%s)", sentence, captured_text());
}

static void test_refusals(void)
{
	char *name = mem_new(400, 1);

	refused("no/such/a", "No such file", "a missing folder is named");
	refused("", "no file name", "an empty name is refused");
	mkdir("sub", 0755);
	refused("sub", "directory", "a folder is no target");
	refused("sub/", "directory", "nor one with a slash");
	chmod("sub", 0555);
	if (geteuid() != 0)
		refused("sub/a", "Permission denied", "a read-only folder is named");
	rmdir("sub");
	memset(name, 'n', 250);
	ok(write_text(name, "long") == 0 && holds(name, "long"),
	   "a name of 250 characters has room for its temporary");
	unlink(name);
	memset(name, 'n', 300);
	refused(name, "too long", "a name of 300 characters is refused");
	if (access("/dev/full", W_OK) == 0)
		refused("/dev/full", "No space left", "a full disk is told at commit");
	ok(write_text("/dev/null", "x") == 0, "a device is written to, not replaced");
	ok(entries() == 1, "no temporary is left (%d entries)", entries());
	free(name);
}

static void test_fifo(void)
{
	char buf[8] = "";
	pid_t pid;
	int fd, status = 0;

	if (mkfifo("pipe", 0600) != 0)
		die(EXIT_FAILED, "cannot make a fifo");
	pid = fork();
	if (pid == 0)
		_exit(write_text("pipe", "flow") != 0);
	fd = open("pipe", O_RDONLY);
	ok(read(fd, buf, sizeof buf) == 4 && strcmp(buf, "flow") == 0, "a fifo is written to");
	close(fd);
	ok(waitpid(pid, &status, 0) == pid && status == 0, "with success");
	unlink("pipe");
}

/* The child has one temporary and an older file, and dies of the signal. */
static void test_signal(int sig, const char *name)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		struct out *o = out_open("a"), *p = out_open("b");

		fputs("half", out_file(o));
		fflush(out_file(o));
		if (p && entries() == 3)
			raise(sig);
		_exit(3);
	}
	waitpid(pid, &status, 0);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == sig, "%s ends the program by itself", name);
	ok(entries() == 1 && holds("a", "four"),
	   "%s removes both temporaries and leaves the older file", name);
}

/* The child makes a folder and one of two files in it, and dies of the signal or ends. */
static void test_folder(int sig)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		char name[] = "f.XXXXXX", path[32];
		struct out_guard *f = out_folder("f", name), *in, *later;

		snprintf(path, sizeof path, "%s/later", name);
		later = out_inside(path);
		snprintf(path, sizeof path, "%s/in", name);
		in = out_inside(path);
		fclose(fopen(path, "w"));
		if (!f || !in || !later || entries() != 2)
			_exit(3);
		if (sig)
			raise(sig);
		exit(0);
	}
	waitpid(pid, &status, 0);
	ok(sig ? WIFSIGNALED(status) && WTERMSIG(status) == sig : status == 0,
	   "a program with a folder of temporaries ends");
	ok(entries() == 1, "%s removes it, too", sig ? "SIGTERM" : "exit");
}

static char inside[64];
static sem_t held;

static void *make_again(void *unused)
{
	(void)unused;
	for (;;) {
		FILE *f = fopen(inside, "w");

		if (f)
			fclose(f);
	}
	return NULL;
}

/* A program ends while its other thread goes on making a file in the folder. */
static void test_folder_filled_meanwhile(void)
{
	int left = 0;

	for (int i = 0; i < 100; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			char name[] = "f.XXXXXX";
			pthread_t t;

			out_folder("f", name);
			snprintf(inside, sizeof inside, "%s/in", name);
			if (!out_inside(inside) || pthread_create(&t, NULL, make_again, NULL) != 0)
				_exit(3);
			usleep(500);
			exit(0);
		}
		waitpid(pid, NULL, 0);
		left += entries() != 1;
	}
	ok(left == 0, "a folder that another thread goes on filling is removed at exit (%d of 100 left)", left);
}

static void *rename_slowly(void *arg)
{
	struct out_guard *const *g = arg;

	out_hold(g, 2);
	sem_post(&held);
	usleep(50000);
	if (rename(inside, "kept") != 0)
		_exit(4);
	out_let(g, 2);
	for (;;)
		pause();
	return NULL;
}

/* A program ends while another thread gives a file its name. */
static void test_hold(void)
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0) {
		char name[] = "f.XXXXXX";
		struct out_guard *g[2];
		pthread_t t;

		g[0] = out_folder("f", name);
		snprintf(inside, sizeof inside, "%s/in", name);
		g[1] = out_inside(inside);
		fclose(fopen(inside, "w"));
		sem_init(&held, 0, 0);
		if (!g[1] || pthread_create(&t, NULL, rename_slowly, g) != 0)
			_exit(3);
		sem_wait(&held);
		exit(0);
	}
	waitpid(pid, &status, 0);
	ok(status == 0 && unlink("kept") == 0 && entries() == 1, "what is held is not removed before it is let go (status %x)", (unsigned)status);
}

/* A killed child's temporary goes, an open one and what only looks like one stay. */
static void test_sweep(void)
{
	struct out *mine;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		out_open("killed");
		raise(SIGKILL);
	}
	waitpid(pid, &status, 0);
	ok(entries() == 2, "SIGKILL leaves a temporary");
	mine = out_open("mine");
	fclose(fopen(".note.0123456789abcdef.tmpx", "w"));
	fclose(fopen(".0123456789abcdef.tmp", "w"));
	out_sweep("b");
	ok(entries() == 4, "a sweep removes it, and neither an open one nor others' files (%d entries)", entries());
	ok(out_commit(mine) == 0 && unlink("mine") == 0, "the open one becomes its file");
	unlink(".note.0123456789abcdef.tmpx");
	unlink(".0123456789abcdef.tmp");
}

/* Another program sweeps the same folder all the time: a new output must not go before it is locked. */
static void test_sweep_meanwhile(void)
{
	struct stat st;
	int lost = 0;
	pid_t pid = fork();

	if (pid < 0)
		die(EXIT_FAILED, "cannot fork");
	while (pid == 0)
		out_sweep("b");
	for (int i = 0; i < 20000; i++) {
		struct out *o = out_open("mine");

		lost += !o || fstat(out_fd(o), &st) != 0 || st.st_nlink != 1;
		out_abort(o);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ok(lost == 0 && entries() == 1, "an output is never swept away between its making and its lock (%d of 20000 were)", lost);
}

static void test_exit(void)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		static struct out *volatile left; /* still reachable, for a leak checker */

		left = out_open("a");
		if (!left || entries() != 2)
			_exit(3);
		if (freopen("/dev/null", "w", stdout))
			exit(1);
		_exit(3);
	}
	waitpid(pid, &status, 0);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 1 && entries() == 1,
	   "exit removes an open temporary");
}

/* A limit of file size stands for a full disk. */
static void test_limit(void)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		struct rlimit most = { 1000, 1000 };
		char *text = mem_new(2001, 1);

		memset(text, 'x', 2000);
		capture_begin();
		setrlimit(RLIMIT_FSIZE, &most);
		status = write_text("a", text);
		capture_end();
		free(text);
		_exit(status == -1 && captured("File too large") ? 0 : 3);
	}
	waitpid(pid, &status, 0);
	ok(status == 0 && holds("a", "four") && entries() == 1,
	   "a disk that fills is an error, and leaves only the older file");
}

/* Runs with stdout at path; 0 if the commit said so, 1 if it failed. */
static int child_stdout(const char *path, bool twice)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
		struct out *o, *second;

		dup2(fd, STDOUT_FILENO);
		if (freopen("/dev/null", "w", stderr) == NULL)
			_exit(3);
		o = out_open("-");
		second = twice ? out_open("-") : NULL;
		if (twice)
			_exit(o && !second ? 0 : 1);
		fputs("to stdout", out_file(o));
		_exit(out_commit(o) == 0 ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 9;
}

static void test_stdout(void)
{
	ok(child_stdout("s", false) == 0 && holds("s", "to stdout"), "\"-\" arrives on stdout");
	ok(child_stdout("s", true) == 0, "a second output to stdout is refused");
	unlink("s");
	if (access("/dev/full", W_OK) == 0)
		ok(child_stdout("/dev/full", false) == 1,
		   "a full disk behind stdout fails the commit");
	ok(out_check_binary("file.tif") == 0, "a file is no terminal");
}

static char *made(const char *words)
{
	char *text = mem_strdup(words), *argv[16] = { NULL }, *save = NULL, *p;
	const char *const inputs[] = { "in.tif", "my file.tif" };
	int argc = 0;

	for (char *w = strtok_r(text, "|", &save); w && argc < 15; w = strtok_r(NULL, "|", &save))
		argv[argc++] = w;
	p = provenance_text("cpu", argc, argv, inputs, 2);
	free(text);
	return p;
}

static void test_provenance(void)
{
	char *p, *q;

	program_name = "tool";
	p = made("tool|--reg|1e-3|-o|x|a.tif");
	q = mem_printf("scopeline=tool %s\ndevice=cpu\ncommand=tool --reg 1e-3 -o x "
		       "a.tif\ninput=in.tif\ninput='my file.tif'\n",
		       PACKAGE_VERSION);
	ok(strcmp(p, q) == 0, "program, version, device, command, inputs (%zu characters)",
	   strlen(p));
	free(q);
	q = made("tool|--reg|2e-3|-o|x|a.tif");
	ok(strcmp(p, q) != 0, "another value is another command");
	free(q);
	q = made("tool|it's|a\\n|new\nline|$x");
	ok(strstr(q, "command=tool $'it\\'s' $'a\\\\n' $'new\\012line' '$x'\n") != NULL,
	   "words are quoted as a shell reads them, on one line");
	free(q);
	free(p);
}

/* What a compiler library puts there before the first output is opened. */
static void of_a_library(int sig)
{
	signal(sig, SIG_DFL);
	raise(sig);
}

/* nohup and a shell's & leave some signals ignored, which a program keeps: it is started anew without. */
static void start_with_signals(char **argv)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE };
	bool again = false;

	for (int i = 0; i < 4; i++)
		again |= signal(signals[i], SIG_DFL) == SIG_IGN;
	if (again)
		execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
	(void)argc;
	start_with_signals(argv);
	umask(022);
	signal(SIGTERM, of_a_library);
	if (!mkdtemp(folder) || chdir(folder) != 0)
		die(EXIT_FAILED, "cannot make a folder");
	test_whole();
	test_refusals();
	test_fifo();
	test_signal(SIGINT, "SIGINT");
	test_signal(SIGTERM, "SIGTERM");
	test_signal(SIGHUP, "SIGHUP");
	test_signal(SIGPIPE, "SIGPIPE");
	test_folder(SIGTERM);
	test_folder(0);
	test_folder_filled_meanwhile();
	test_hold();
	test_sweep();
	test_sweep_meanwhile();
	test_exit();
	test_limit();
	test_stdout();
	test_provenance();
	unlink("a");
	if (chdir("..") != 0 || (tap_failed == 0 && rmdir(folder) != 0))
		ok(false, "the folder is empty at the end");
	return done_testing();
}
