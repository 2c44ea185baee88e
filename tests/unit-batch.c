/* The job runner, through a tool of ten lines: reads a number from a text file, doubles it, writes
 * a TIFF of one pixel and a row of a table.  Each run is a process of its own, so that it may be
 * killed at any point. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/die.h"
#include "base/mem.h"
#include "batch/batch.h"
#include "batch/common.h"
#include "io/tiffio.h"
#include "tap.h"

enum stage { READ, COMPUTE, WRITE, AFTER_WRITE };

/* ---- the tool */

static const char *table_path, *other_path;
static long kill_job = -1, kill_stage; /* SIGKILL in this stage of this job */
static double gain;
static size_t workers;
static bool strict;
static const struct opt options[] = {
	{ OPT_TEXT, "table", .text = &table_path, .incidental = true, .help = "rows" },
	{ OPT_TEXT, "other", .text = &other_path, .incidental = true, .help = "more rows" },
	{ OPT_REAL, "gain", .real = &gain, .initial = "2", .help = "factor" },
	{ OPT_SIZE, "workers", .size = &workers, .incidental = true, .help = "at a time" },
	{ OPT_FLAG, "strict", .flag = &strict, .incidental = true, .help = "known columns only" },
	{ OPT_INT, "kill-job", .integer = &kill_job, .incidental = true, .help = "job" },
	{ OPT_INT, "kill-stage", .integer = &kill_stage, .incidental = true, .help = "stage" },
	{ OPT_END }
};
static const struct opt *const tables[] = { options, batch_options, input_options, NULL };
static const struct program program = { "", "", "", tables, NULL };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int reading,
	writing; /* jobs begun to read and not taken by compute; computed and not yet written */
static size_t next_in_order[3];
static int alive; /* jobs begun and not done */

/* every stage sees the jobs in order, and no stage runs ahead by more than two (and one on its way
 * between the threads) */
static void enter(struct job *j, enum stage s)
{
	pthread_mutex_lock(&lock);
	reading += s == READ ? 1 : s == COMPUTE ? -1 : 0;
	writing -= s == WRITE;
	alive += s == READ;
	if (workers <= 1 &&
	    (reading > 3 || writing > 3 || (s < AFTER_WRITE && j->index < next_in_order[s])))
		_exit(99);
	if (s < AFTER_WRITE)
		next_in_order[s] = j->index + 1;
	pthread_mutex_unlock(&lock);
	if ((long)j->index == kill_job && (long)s == kill_stage)
		raise(SIGKILL);
}

static int tool_read(void *tool, struct job *j)
{
	FILE *f;
	long v;

	(void)tool;
	enter(j, READ);
	f = fopen(j->input, "r");
	if (!f || fscanf(f, "%ld", &v) != 1) {
		if (f)
			fclose(f);
		pthread_mutex_lock(&lock);
		reading--;
		pthread_mutex_unlock(&lock);
		return error("'%s': not a number, expected one", j->input);
	}
	fclose(f);
	j->data = mem_new(1, sizeof(float));
	*(float *)j->data = (float)v;
	return 0;
}

/* With several workers each of the first jobs waits until as many are computed at a time. */
static void meet(const struct job *j)
{
	static pthread_cond_t more = PTHREAD_COND_INITIALIZER;
	static size_t there;

	if (workers <= 1 || j->index >= workers)
		return;
	pthread_mutex_lock(&lock);
	there++;
	pthread_cond_broadcast(&more);
	while (there < workers)
		pthread_cond_wait(&more, &lock);
	pthread_mutex_unlock(&lock);
}

static int tool_compute(void *tool, struct job *j)
{
	float *v = j->data;

	(void)tool;
	enter(j, COMPUTE);
	meet(j);
	if (*v == 13)
		return error("'%s': thirteen is not computed", j->input);
	*v *= (float)gain;
	for (int t = 0; t < 2; t++) {
		csv_put_text(&j->rows[t], j->stem);
		csv_put_float(&j->rows[t], *v + (float)t);
		csv_line_end(&j->rows[t]);
	}
	csv_put_text(&j->rows[0], "a \\ back\tslash, and\na line");
	csv_put_float(&j->rows[0], 0);
	csv_line_end(&j->rows[0]);
	pthread_mutex_lock(&lock);
	writing++;
	pthread_mutex_unlock(&lock);
	return 0;
}

static int tool_write(void *tool, struct job *j)
{
	struct array a = { DT_F32, 1, 1, 1, j->data };
	struct tiff_out o = { .provenance = j->provenance };
	int rc;

	(void)tool;
	enter(j, WRITE);
	rc = j->output ? tiff_write(j->output, &a, &o) : 0;
	if ((long)j->index == kill_job && kill_stage == AFTER_WRITE)
		raise(SIGKILL);
	return rc;
}

static int tool_plan(void *tool, struct job *j, struct job_plan *p)
{
	(void)tool;
	if (access(j->input, R_OK) != 0)
		return error("'%s': not readable", j->input);
	*p = (struct job_plan){ DT_F32, 1, 2, 3, 24, 48, 1 };
	return 0;
}

static void tool_done(void *tool, struct job *j)
{
	(void)tool;
	pthread_mutex_lock(&lock);
	alive--;
	pthread_mutex_unlock(&lock);
	free(j->data);
	j->data = NULL;
}

static int tool_main(int argc, char **argv)
{
	struct batch_ops ops = { .plan = tool_plan, .read = tool_read, .compute = tool_compute, .write = tool_write,
				 .done = tool_done };
	static const char *const columns[] = { "position", NULL };
	struct batch_table t[2];
	struct batch_spec spec = { .operand = "IN.txt",
				   .input_column = "stack",
				   .output_column = "output",
				   .columns = columns,
				   .suffix = "_x.tif",
				   .tables = t,
				   .n_tables = 2 };
	struct operands rest;
	struct batch b;
	int status = opt_parse(&program, argc, argv, &rest);

	if (status != OPT_GO)
		return status;
	ops.workers = workers;
	spec.strict = strict;
	t[0] = (struct batch_table){ table_path, "stem,value" };
	t[1] = (struct batch_table){ other_path, "stem,more" };
	status = batch_open(&b, &spec, &rest);
	if (status == EXIT_DONE)
		status = batch_run(&b, &ops, NULL, "no device");
	if (alive != 0)
		status = 98;
	batch_close(&b);
	opt_clear();
	return status;
}

/* ---- running it */

static char said[65536]; /* stdout and stderr of the last run */

/* The words of the format, split at blanks.  The exit status, or minus the signal. */
__attribute__((format(printf, 1, 2))) static int run(const char *fmt, ...)
{
	char line[4096], *words[256];
	int argc = 0, status;
	FILE *f = tmpfile();
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	words[argc++] = "unit-batch";
	for (char *s = strtok(line, " "); s; s = strtok(NULL, " "))
		words[argc++] = s;
	words[argc] = NULL;
	fflush(stdout);
	pid_t pid = fork();

	if (pid == 0) {
		dup2(fileno(f), STDOUT_FILENO);
		dup2(fileno(f), STDERR_FILENO);
		exit(tool_main(argc, words));
	}
	waitpid(pid, &status, 0);
	rewind(f);
	said[fread(said, 1, sizeof said - 1, f)] = '\0';
	fclose(f);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void put_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	fputs(text, f);
	fclose(f);
}

static char *get_file(const char *path)
{
	static char text[4][65536];
	static int turn;
	char *s = text[turn++ % 4];
	FILE *f = fopen(path, "r");

	if (!f)
		return NULL;
	s[fread(s, 1, sizeof text[0] - 1, f)] = '\0';
	fclose(f);
	return s;
}

static bool is_there(const char *path)
{
	return access(path, F_OK) == 0;
}

static bool same(const char *a, const char *b)
{
	char *s = get_file(a), *t = get_file(b);

	return s && t && strcmp(s, t) == 0;
}

static int sh(const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	return system(line);
}

static void failed(void)
{
	printf("# said: %s\n", said);
}

#define OK(cond, ...) (ok((cond), __VA_ARGS__) ? (void)0 : failed())

/* ---- sentences */

static const char *const inputs =
	"in/a0.txt in/a1.txt in/a2.txt in/a3.txt in/a4.txt in/a5.txt in/a6.txt";

static void naming(void)
{
	OK(run("in/a1.txt -o one.tif") == 0 && is_there("one.tif"),
	   "one input, -o names its output");
	OK(run("in/a1.txt in/a2.txt -O out") == 0 && is_there("out/a1_x.tif") &&
		   is_there("out/a2_x.tif"),
	   "-O names outputs stem + suffix");
	OK(run("in/a1.txt in/a2.txt -o one.tif") == 2 && strstr(said, "2 inputs for one file"),
	   "-o with two inputs is usage");
	OK(run("in/a1.txt in2/a1.txt -O out") == 2 &&
		   strstr(said, "'a1_x.tif': the output of both 'in/a1.txt' and 'in2/a1.txt'"),
	   "two inputs with one target are refused");
	OK(run("in/a1.txt -o ./one.tif --table out/../one.tif") == 2 && strstr(said, "'one.tif'"),
	   "two spellings of one target are one, tables count");
	OK(run("in/a1.txt -O nowhere") == 1 && strstr(said, "'nowhere': No such file"),
	   "a missing folder fails before any work");
	OK(run("in/a1.txt -O one.tif") == 1 && strstr(said, "expected a folder"),
	   "a file is no folder");
	OK(run("--table t.csv") == 2 && strstr(said, "no input, expected IN.txt"),
	   "no input is usage");
	OK(run("- - -O out") == 2 && strstr(said, "named 2 times"), "standard input is read once");
	OK(run("in/a1.txt -o one.tif --pages 7-3") == 2 && strstr(said, "'--pages': 7-3"),
	   "pages backwards");
	OK(run("in/a1.txt -o nowhere/one.tif") == 1, "an output that cannot be made fails the job");
}

static void manifests(void)
{
	put_file("in/jobs.csv",
		 "position,stack,output,note\nA1,a1.txt,,x\nA2,\"a2.txt\",named.tif,y\n");
	sh("rm -f out/*");
	OK(run("--list in/jobs.csv -O out --table t.csv") == 0 && is_there("out/a1_x.tif") &&
		   is_there("out/named.tif"),
	   "a manifest's paths are relative to it; outputs that it names go to DIR as well");
	OK(!strstr(said, "note") && run("-v --list in/jobs.csv -O out") == 0 &&
		   strstr(said, "column 'note' is not used"),
	   "an unknown column is noted under --verbose");
	OK(run("--list in/jobs.csv") == 0 && is_there("in/named.tif"),
	   "without -O outputs that it names lie beside it");
	OK(run("--strict --list in/jobs.csv -O out") == 1 && strstr(said, "line 1: column 'note' is not known"),
	   "a tool that is strict refuses it");
	put_file("in/plain", "a1.txt\na2.txt\n");
	OK(run("--strict --list in/plain -O out") == 1 && strstr(said, "expected a header"),
	   "and a list without a header");
	OK(run("--list in/plain -O out --table t2.csv") == 0 && same("t.csv", "t2.csv"),
	   "a headerless column of names");
	put_file("in/bad.csv", "position,file\nA1,a1.txt\n");
	OK(run("--list in/bad.csv -O out") == 1 && strstr(said, "no column 'stack'"),
	   "a manifest without the input column");
	put_file("in/bad.csv", "position,stack\nA1,a1.txt\nA2,\n");
	OK(run("--list in/bad.csv -O out") == 1 && strstr(said, "line 3: 'stack' is empty"),
	   "an empty input names the line");
	put_file("in/bad.csv", "stack\n");
	OK(run("--list in/bad.csv -O out") == 1 && strstr(said, "no row"),
	   "a manifest without rows");
	OK(run("--list in/plain in/a1.txt -O out") == 2 && strstr(said, "beside --list"),
	   "operands beside --list");
	OK(run("--list nowhere.csv -O out") == 1 && strstr(said, "nowhere.csv"),
	   "a missing manifest");
}

static void failures(void)
{
	put_file("in/bad.txt", "no number\n");
	put_file("in/thirteen.txt", "13\n");
	sh("rm -f out/* t.csv");
	OK(run("in/a1.txt in/bad.txt in/a2.txt in/thirteen.txt in/none.txt in/a3.txt -O out "
	       "--table t.csv") == 1 &&
		   strstr(said, "unit-batch: 3 of 6 inputs failed\n") &&
		   strstr(said, "'in/bad.txt': not a number"),
	   "failed inputs are counted and named");
	OK(is_there("out/a1_x.tif") && is_there("out/a2_x.tif") && is_there("out/a3_x.tif") &&
		   !is_there("out/bad_x.tif") && !is_there("out/thirteen_x.tif"),
	   "the others go on");
	char *t = get_file("t.csv");

	OK(t && !strncmp(t, "stem,value\na1,2\n", 16) && strstr(t, "a2,4\n") &&
		   strstr(t, "a3,6\n") && !strstr(t, "thirteen"),
	   "the table has the rows of the others, in order");
	OK(is_there("t.csv.journal"), "the journal stays as long as something has failed");
	sh("rm -f out/* t.csv*");
	OK(run("--fail-fast in/bad.txt %s -O out --table t.csv", inputs) == 1 &&
		   strstr(said, "stopped at the first") && !is_there("t.csv") &&
		   !is_there("out/a6_x.tif"),
	   "--fail-fast stops, and then there is no table");
	put_file("t.csv", "old\n");
	OK(run("in/bad.txt -o out/x.tif --table t.csv") == 1 && !strstr(said, "inputs failed") &&
		   !strcmp(get_file("t.csv"), "old\n"),
	   "if nothing was done an older table stays");
}

static void shards(void)
{
	sh("rm -rf out/* t.csv* s; mkdir s");
	run("%s -O out --table t.csv", inputs);
	for (int i = 0; i < 3; i++)
		OK(run("%s -O s --shard %d/3 --table s%d.csv", inputs, i, i) == 0, "shard %d of 3",
		   i);
	sh("(head -1 t.csv; sed 1d s0.csv) >s.csv");
	char *t = get_file("s1.csv");

	OK(t && strstr(t, "a1,2\n") && strstr(t, "a4,8\n") && !strstr(t, "a0,") &&
		   !strstr(t, "a2,"),
	   "jobs k with k mod N = I");
	OK(sh("for i in 0 1 2 3 4 5 6; do cmp out/a${i}_x.tif s/a${i}_x.tif || exit 1; done") == 0,
	   "outputs of shards are those of the whole, byte for byte");
	OK(run("%s -O out --shard 3/3", inputs) == 2 &&
		   strstr(said, "'--shard': '3/3', expected I/N with 0 <= I < N"),
	   "I must be below N");
	OK(run("%s -O out --shard 1-3", inputs) == 2 && run("%s -O out --shard 1/", inputs) == 2 &&
		   run("%s -O out --shard /3", inputs) == 2,
	   "other forms");
	OK(run("in/a0.txt -O s --shard 1/2 --table e.csv") == 0 &&
		   !strcmp(get_file("e.csv"), "stem,value\n"),
	   "a shard without jobs writes the header");
	unsetenv("SLURM_ARRAY_TASK_ID");
	OK(run("%s -O out --shard slurm", inputs) == 2 &&
		   strstr(said, "$SLURM_ARRAY_TASK_ID is not set"),
	   "--shard slurm outside an array job names the variable");
	setenv("SLURM_ARRAY_TASK_ID", "15", 1);
	setenv("SLURM_ARRAY_TASK_MIN", "5", 1);
	setenv("SLURM_ARRAY_TASK_COUNT", "3", 1);
	setenv("SLURM_ARRAY_TASK_STEP", "5", 1);
	OK(run("%s -O s --shard slurm --table u.csv", inputs) == 0 && same("u.csv", "s2.csv"),
	   "task 15 of 5-15:5 is shard 2 of 3");
	setenv("SLURM_ARRAY_TASK_ID", "16", 1);
	OK(run("%s -O s --shard slurm", inputs) == 2 && strstr(said, "$SLURM_ARRAY_TASK_ID is 16"),
	   "a task that is none of them");
	setenv("SLURM_ARRAY_TASK_COUNT", "many", 1);
	OK(run("%s -O s --shard slurm", inputs) == 2 &&
		   strstr(said, "$SLURM_ARRAY_TASK_COUNT is 'many'"),
	   "a count that is no number");
}

static void resume(void)
{
	sh("rm -rf out/* t.csv*");
	OK(run("%s -O out --table t.csv --other o.csv", inputs) == 0 &&
		   !is_there("t.csv.journal") && !is_there("o.csv.journal"),
	   "at success the journal goes");
	sh("rm -rf want; cp -r out want; cp t.csv o.csv want");
	int bad = 0;

	for (long job = 0; job < 7; job += 3)
		for (long stage = READ; stage <= AFTER_WRITE; stage++) {
			sh("rm -rf out/* t.csv* o.csv");
			bad += run("%s -O out --table t.csv --other o.csv --kill-job %ld "
				   "--kill-stage %ld",
				   inputs, job, stage) != -SIGKILL;
			bad += is_there("t.csv") || is_there("o.csv");
			bad += run("%s -O out --table t.csv --other o.csv --resume", inputs) != 0;
			bad += sh("cp t.csv o.csv out; diff -r -x '.*.tmp' out want") != 0 ||
			       is_there("t.csv.journal");
		}
	OK(bad == 0, "killed in any stage of any job, --resume ends with the same bytes");

	sh("rm -rf out/* t.csv* o.csv");
	run("%s -O out --table t.csv --kill-job 6 --kill-stage 2", inputs);
	char *j = get_file("t.csv.journal");
	size_t lines = 0;

	for (char *s = j; s && *s; s++)
		lines += *s == '\n';
	OK(lines == 6, "a line of the journal per finished job (%zu)", lines);
	OK(run("%s -O out --table t.csv --resume --kill-job 3 --kill-stage 0", inputs) == 0,
	   "a finished job is not read again");

	run("%s -O out --table t.csv --kill-job 6 --kill-stage 2", inputs);
	sh("head -c -20 t.csv.journal >j && cp j t.csv.journal");
	OK(run("%s -O out --table t.csv --resume --kill-job 5 --kill-stage 0", inputs) == -SIGKILL,
	   "a torn line does not count");
	OK(run("%s -O out --table t.csv --resume", inputs) == 0 && same("t.csv", "want/t.csv"),
	   "nor does it spoil the next");

	run("%s -O out --table t.csv --kill-job 6 --kill-stage 2", inputs);
	OK(run("%s -O out --table t.csv --other o.csv --resume", inputs) == 0 &&
		   same("o.csv", "want/o.csv"),
	   "a table that the first run did not want is made in full");

	sh("rm -f t.csv*");
	OK(run("%s -O out --resume --kill-job 2 --kill-stage 0", inputs) == 0 && !said[0],
	   "outputs by the same command are skipped");
	OK(run("in/a2.txt -O out --resume --kill-job 0 --kill-stage 0") == 0,
	   "other operands do not make another command");
	OK(run("--gain=2 %s -O out --resume", inputs) == 0 &&
		   strstr(said, "'out/a0_x.tif': not by this command, or not whole: done again"),
	   "another command is done again and said so");
	OK(run("--ga 2 %s -O out --resume", inputs) == 0 && !said[0],
	   "an abbreviation is the same command");
	sh("head -c 100 out/a4_x.tif >x; cp x out/a4_x.tif");
	OK(run("--gain=2 %s -O out --resume", inputs) == 0 && strstr(said, "'out/a4_x.tif'") &&
		   !strstr(said, "a3_x"),
	   "a torn output is done again, the others are not");

	run("--gain=3 %s --table t.csv --kill-job 6 --kill-stage 2", inputs);
	OK(run("%s --table t.csv --resume", inputs) == 0 &&
		   strstr(said, "'in/a0.txt': its rows are not by this command") &&
		   same("t.csv", "want/t.csv"),
	   "rows by another command are done again and said so");
	run("%s --table t.csv --kill-job 6 --kill-stage 2", inputs);
	OK(run("%s --table t.csv --kill-job 0 --kill-stage 0", inputs) == -SIGKILL,
	   "without --resume everything is done anew");
}

static void other_ways(void)
{
	sh("rm -rf out/* t.csv*");
	OK(run("--dry-run in/a1.txt in/none.txt in/a2.txt -O out --table t.csv") == 1 &&
		   !is_there("t.csv") && !is_there("out/a1_x.tif"),
	   "--dry-run touches nothing and has the exit status of the run");
	OK(strstr(said, "in/a1.txt: 1x2x3 f32 -> out/a1_x.tif: 24 bytes on the host, 48 on the "
			"device, 1 block\n") &&
		   strstr(said, "1 of 3 inputs failed"),
	   "one line per job");
	OK(run("in/a1.txt in/a2.txt --table -") == 0 && !strncmp(said, "stem,value\na1,2\n", 16),
	   "a table on standard output");
	OK(run("in/a1.txt in/a2.txt --table - --other -") == 2,
	   "two tables on standard output are refused");
	OK(run("in/a1.txt in/a2.txt --table /dev/null --other /dev/null") == 0,
	   "a device takes any number of tables");
	OK(run("in/a1.txt in/a2.txt --table /dev/full") == 1 && strstr(said, "/dev/full"),
	   "a full disk fails");
	OK(run("in/a1.txt --table t.csv --progress always") == 0, "progress without a terminal");
	OK(run("--workers 3 %s --table t.csv --other u.csv", inputs) == 0 && same("t.csv", "want/t.csv"),
	   "three jobs computed at a time, rows in the order of the list");
	OK(run("--workers 3 %s in/thirteen.txt --table t.csv", inputs) == 1 && same("t.csv", "want/t.csv"),
	   "one of them may fail");
}

int main(int argc, char **argv)
{
	char folder[] = "unit-batch.XXXXXX";

	(void)argc;
	program_start(argv[0]);
	program_name = "unit-batch";
	if (!mkdtemp(folder) || chdir(folder) != 0)
		return 1;
	sh("mkdir in in2 out; for i in 0 1 2 3 4 5 6; do echo $i >in/a$i.txt; done; cp in/a1.txt "
	   "in2");
	naming();
	manifests();
	failures();
	shards();
	resume();
	other_ways();
	if (tap_failed == 0 && chdir("..") == 0)
		sh("rm -rf %s", folder);
	return done_testing();
}
