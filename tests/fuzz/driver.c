/* usage: fuzz_NAME SECONDS SEED [-x] FILE...
 * Feeds each file to the target, as it is, then mutations of them for SECONDS, the same ones for
 * the same SEED (and speed).  An input that is taken joins the pool.  Fails on a crash, an exit, a
 * hang of 20 s, a leak, an allocation of more than 1 GiB (under AddressSanitizer), or a refusal
 * that is not one line; the input is then kept as crash-NAME in the current folder, and is one of
 * the files of a later run.  A FILE behind -x holds words, one a line, that mutations put in. */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <time.h>

#include "base/die.h"
#include "base/mem.h"
#include "tests/fuzz/fuzz.h"

enum { LARGEST = 1 << 16, POOL = 512, WORDS = 256 };

/* what the parent must know of a child that died */
static struct shared {
	uint64_t runs, taken, refused;
	size_t len;
	uint8_t input[LARGEST];
} * shared;
static struct input {
	uint8_t *s;
	size_t len;
} pool[POOL];
static size_t n_pool, n_files, n_words;
static const char *words[WORDS];
static uint64_t state;
static int messages;
static bool all_taken; /* by every verdict on the current input */

const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "abort_on_error=1:max_allocation_size_mb=1024:detect_stack_use_after_return=0";
}

static uint64_t any(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 11) % below;
}

void fuzz_verdict(int rc)
{
	fuzz_count_lines(messages, rc);
	all_taken &= rc == 0;
	shared->taken += rc == 0;
	shared->refused += rc != 0;
}

static void remember(const uint8_t *s, size_t len)
{
	size_t at = n_pool < POOL ? n_pool++ : n_files + any(POOL - n_files);

	free(pool[at].s);
	pool[at] = (struct input){ mem_new(len ? len : 1, 1), len };
	memcpy(pool[at].s, s, len);
}

static void load(const char *path)
{
	static uint8_t s[LARGEST + 1];
	FILE *f = fopen(path, "rb");
	size_t n = f ? fread(s, 1, sizeof s, f) : 0;

	if (!f || n > LARGEST || n_pool == POOL / 2)
		die(EXIT_FAILED, "'%s': expected at most %d files of %d bytes", path, POOL / 2,
		    LARGEST);
	fclose(f);
	remember(s, n);
	n_files = n_pool;
}

static void load_words(const char *path)
{
	static char text[LARGEST];
	FILE *f = fopen(path, "r");

	if (!f || fread(text, 1, sizeof text - 1, f) == 0)
		die(EXIT_FAILED, "'%s': expected words", path);
	fclose(f);
	for (char *w = strtok(text, "\n"); w && n_words < WORDS; w = strtok(NULL, "\n"))
		words[n_words++] = w;
}

/* n bytes at a place give way to the len bytes of with, as far as there is room */
static void replace(size_t at, size_t n, const void *with, size_t len)
{
	if (n > shared->len - at)
		n = shared->len - at;
	if (shared->len - n + len > LARGEST)
		return;
	memmove(shared->input + at + len, shared->input + at + n, shared->len - at - n);
	memcpy(shared->input + at, with, len);
	shared->len += len - n;
}

static void mutate(void)
{
	static const uint64_t odd[] = { 0,
					1,
					2,
					3,
					4,
					8,
					16,
					0x7f,
					0x80,
					0xff,
					0x7fff,
					0x8000,
					0xffff,
					65536,
					0x7fffffff,
					0x80000000,
					0xffffffff,
					0x100000000,
					0x7fffffffffffffff,
					UINT64_MAX };
	const struct input *other = &pool[any(n_pool)];
	size_t len = shared->len, near = len < 300 ? len : 300, place = any(3);
	size_t at = len == 0	 ? 0
		    : place == 0 ? any(len)
		    : place == 1 ? any(near)
				 : len - 1 - any(near);
	size_t block = 1 + any(16), width = (size_t)1 << any(4);
	uint8_t value[8];
	char digits[32];

	switch (any(9)) {
	case 0:
		if (len > 0)
			shared->input[at] ^= (uint8_t)(1 << any(8));
		break;
	case 1:
		value[0] = (uint8_t)any(256);
		replace(at, any(2), value, 1);
		break;
	case 2: /* an odd number of one to eight bytes, either way round, where one was */
	case 3:
		for (uint64_t v = odd[any(sizeof odd / sizeof odd[0])], i = 0, swap = any(2);
		     i < width; i++)
			value[i] = (uint8_t)(v >> 8 * (swap ? width - 1 - i : i));
		replace(at, width, value, width);
		break;
	case 4: /* in digits */
		snprintf(digits, sizeof digits, any(4) ? "%" PRId64 : "%" PRIu64 "e9",
			 (int64_t)odd[any(sizeof odd / sizeof odd[0])]);
		replace(at, any(4), digits, strlen(digits));
		break;
	case 5: /* a word */
		if (n_words > 0) {
			const char *w = words[any(n_words)];

			replace(at, any(2) ? strlen(w) : 0, w, strlen(w));
		}
		break;
	case 6: /* a piece of another input */
		if (other->len > 0) {
			size_t from = any(other->len), n = any(8) ? block : any(other->len);

			n = n < other->len - from ? n : other->len - from;
			replace(at, any(2) ? n : 0, other->s + from, n);
		}
		break;
	case 7:
		replace(at, block, "", 0);
		break;
	default:
		if (any(8) == 0)
			shared->len = len ? any(len) : 0;
	}
}

static void run_one(void)
{
	alarm(20);
	all_taken = true;
	shared->runs++;
	fuzz_one(shared->input, shared->len);
}

static void child(double seconds)
{
	struct timespec start, now;

	if (dup2(messages, STDERR_FILENO) < 0)
		abort();
	for (size_t i = 0; i < n_files; i++) {
		memcpy(shared->input, pool[i].s, shared->len = pool[i].len);
		run_one();
	}
	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		const struct input *from = &pool[any(n_pool)];

		memcpy(shared->input, from->s, shared->len = from->len);
		for (uint64_t n = 1 + any(6); n > 0; n--)
			mutate();
		run_one();
		if (all_taken)
			remember(shared->input, shared->len);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec - start.tv_sec + 1e-9 * (now.tv_nsec - start.tv_nsec) < seconds);
	alarm(0);
	for (size_t i = 0; i < n_pool; i++)
		free(pool[i].s);
	exit(0); /* leaks are looked for on the way */
}

/* What the child said last, and its input to a file. */
static void tell(const char *name, int status)
{
	char buf[4096], path[256];
	off_t len = lseek(messages, 0, SEEK_END), at = 0;
	ssize_t n;
	FILE *f;

	while (at < len && (n = pread(messages, buf, sizeof buf, at)) > 0) {
		fwrite(buf, 1, (size_t)n, stderr);
		at += n;
	}
	snprintf(path, sizeof path, "crash-%s", name);
	f = fopen(path, "wb");
	if (!f || fwrite(shared->input, 1, shared->len, f) != shared->len || fclose(f) != 0)
		die(EXIT_FAILED, "'%s': cannot write", path);
	die(EXIT_FAILED,
	    "%s %d after %" PRIu64 " inputs, expected an end of its own: '%s' (%zu bytes)",
	    WIFSIGNALED(status) ? "signal" : "exit status",
	    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), shared->runs, path,
	    shared->len);
}

int main(int argc, char **argv)
{
	bool next_is_words = false;
	double seconds = argc > 3 ? strtod(argv[1], NULL) : 0;
	const char *name;
	int status;
	pid_t pid;

	program_start(argv[0]);
	name = strncmp(program_name, "fuzz_", 5) == 0 ? program_name + 5 : program_name;
	if (argc < 4)
		die(EXIT_USAGE, "expected SECONDS SEED [-x WORDS] FILE...");
	state = (strtoull(argv[2], NULL, 10) + 1) * 0x9e3779b97f4a7c15;
	for (int i = 3; i < argc; i++) {
		if (strcmp(argv[i], "-x") == 0)
			next_is_words = true;
		else if (next_is_words)
			load_words(argv[i]), next_is_words = false;
		else
			load(argv[i]);
	}
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	messages = memfd_create("messages", MFD_CLOEXEC);
	if (n_files == 0 || shared == MAP_FAILED || messages < 0 ||
	    fcntl(messages, F_SETFL, O_APPEND) != 0)
		die(EXIT_FAILED, "cannot start with %zu files", n_files);
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		child(seconds);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		die(EXIT_FAILED, "no child");
	if (status != 0)
		tell(name, status);
	printf("%s: %" PRIu64 " inputs, %" PRIu64 " taken, %" PRIu64 " refused in one line\n", name,
	       shared->runs, shared->taken, shared->refused);
	return EXIT_DONE;
}
