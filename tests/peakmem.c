/* peakmem KIB COMMAND...: runs the command; its exit status, or 125 and a message if it ever held more
 * than KIB kibibytes of memory. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct rusage use;
	long most;
	int status;
	pid_t child;

	if (argc < 3 || (most = atol(argv[1])) <= 0) {
		fprintf(stderr, "usage: peakmem KIB COMMAND...\n");
		return 2;
	}
	child = fork();
	if (child == 0) {
		execvp(argv[2], argv + 2);
		fprintf(stderr, "peakmem: '%s': %s\n", argv[2], strerror(errno));
		_exit(127);
	}
	if (child < 0 || wait4(child, &status, 0, &use) < 0) {
		fprintf(stderr, "peakmem: %s\n", strerror(errno));
		return 127;
	}
	if (use.ru_maxrss > most) {
		fprintf(stderr, "peakmem: %ld KiB, expected at most %ld\n", use.ru_maxrss, most);
		return 125;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
