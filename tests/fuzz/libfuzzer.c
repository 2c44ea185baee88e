/* What libFuzzer lacks: the count of messages, which go to a file in memory.  It has to be run with
 * -close_fd_mask=2, so that its own words go elsewhere.  At exit, "N taken, N refused" is in the
 * file $FUZZ_REPORT. */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/time.h>

#include "base/die.h"
#include "tests/fuzz/fuzz.h"

static int messages = -1, said = -1;
static uint64_t taken, refused;

const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_stack_use_after_return=0";
}

static void report(void)
{
	const char *path = getenv("FUZZ_REPORT");
	FILE *f = path ? fopen(path, "w") : NULL;

	if (f) {
		fprintf(f, "%" PRIu64 " taken, %" PRIu64 " refused\n", taken, refused);
		fclose(f);
	}
}

/* What the reader had said, for who looks at the crash; libFuzzer's own handler then keeps the input. */
static struct sigaction libfuzzers;

static void on_abort(int sig)
{
	char buf[4096];
	ssize_t n = pread(messages, buf, sizeof buf, 0);

	if (n > 0 && write(said, buf, (size_t)n) < 0)
		_exit(1);
	sigaction(sig, &libfuzzers, NULL);
	raise(sig);
}

/* libFuzzer's own limit is by the clock, which strikes on a machine that has other things to do. */
static void on_hang(int sig)
{
	static const char text[] = "20 s of computing, expected an end\n";

	(void)sig;
	if (write(said, text, sizeof text - 1) < 0)
		_exit(1);
	abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	program_start((*argv)[0]);
	said = dup(STDERR_FILENO);
	messages = memfd_create("messages", MFD_CLOEXEC);
	if (said < 0 || messages < 0 || fcntl(messages, F_SETFL, O_APPEND) != 0)
		die(EXIT_FAILED, "no file in memory");
	atexit(report);
	return 0;
}

void fuzz_verdict(int rc)
{
	fuzz_count_lines(messages, rc);
	taken += rc == 0;
	refused += rc != 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct itimerval limit = { .it_value = { 20, 0 } };
	static int ready;

	if (!ready) { /* only now has libFuzzer left this number */
		struct sigaction act = { .sa_handler = on_abort };

		if (dup2(messages, STDERR_FILENO) < 0)
			_exit(1);
		sigaction(SIGABRT, &act, &libfuzzers);
		signal(SIGVTALRM, on_hang);
		ready = 1;
	}
	setitimer(ITIMER_VIRTUAL, &limit, NULL);
	return fuzz_one(data, size);
}
