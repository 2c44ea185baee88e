/* base/die.h: die ends the program with its status, whatever another thread is at. */
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/die.h"
#include "tests/tap.h"

static sem_t begun;

/* Somebody's end of work, so long that the other thread has come to its own. */
static void slow_end(void)
{
	sem_post(&begun);
	nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
}

static void *out_of_memory(void *unused)
{
	(void)unused;
	die(EXIT_FAILED, "a test's message");
	return NULL;
}

/* The status of a program whose main returns 0 while another thread is in die. */
static int status_of_both(void)
{
	pid_t child = fork();
	int status = -1;
	pthread_t t;

	if (child == 0) {
		program_start("unit-die");
		atexit(slow_end);
		at_quick_exit(slow_end);
		sem_init(&begun, 0, 0);
		if (pthread_create(&t, NULL, out_of_memory, NULL) != 0)
			_exit(99);
		sem_wait(&begun);
		exit(EXIT_DONE);
	}
	return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* What a program says whose other threads fail since it dies. */
static void words(char *said, size_t n)
{
	int ends[2];
	pid_t child;
	size_t have = 0;
	ssize_t k;

	if (pipe(ends) != 0 || (child = fork()) < 0)
		return;
	if (child == 0) {
		pthread_t t;

		dup2(ends[1], STDERR_FILENO);
		program_start("unit-die");
		at_quick_exit(slow_end);
		sem_init(&begun, 0, 0);
		if (pthread_create(&t, NULL, out_of_memory, NULL) != 0)
			_exit(99);
		sem_wait(&begun);
		error("a temporary is gone");
		for (;;)
			pause();
	}
	close(ends[1]);
	while (have < n - 1 && (k = read(ends[0], said + have, n - 1 - have)) > 0)
		have += (size_t)k;
	said[have] = '\0';
	close(ends[0]);
	waitpid(child, NULL, 0);
}

int main(void)
{
	char said[256] = "";

	ok(status_of_both() == EXIT_FAILED, "a thread dies, main returns meanwhile: the status is the failure's");
	words(said, sizeof said);
	ok(strcmp(said, "unit-die: a test's message\n") == 0, "what another thread comes to meanwhile is not said: '%s'", said);
	return done_testing();
}
