#include "batch/batch.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/die.h"
#include "base/mem.h"
#include "batch/common.h"
#include "io/out.h"

char *batch_stem(const char *path)
{
	const char *name = strrchr(path, '/'), *dot;

	if (strcmp(path, "-") == 0)
		return mem_strdup("stdin");
	name = name ? name + 1 : path;
	dot = strrchr(name, '.');
	return mem_printf("%.*s", (int)(dot > name ? (size_t)(dot - name) : strlen(name)), name);
}

/* path as seen from the folder of the file that names it */
static char *beside(const char *file, const char *path)
{
	const char *slash = strrchr(file, '/');

	if (!slash || path[0] == '/' || strcmp(path, "-") == 0)
		return mem_strdup(path);
	return mem_printf("%.*s/%s", (int)(slash - file), file, path);
}

static void jobs_new(struct batch *b, size_t n)
{
	b->n = n;
	b->jobs = mem_new(n, sizeof *b->jobs);
	for (size_t i = 0; i < n; i++) {
		b->jobs[i].index = b->jobs[i].row = i;
		b->jobs[i].rows = mem_new(b->spec->n_tables, sizeof *b->jobs[i].rows);
	}
}

static void set_input(struct job *j, char *path)
{
	j->input = path;
	j->stem = batch_stem(path);
}

/* ---- where jobs come from */

static int from_operands(struct batch *b, const struct operands *rest)
{
	if (rest->n == 0 && b->spec->generates) {
		jobs_new(b, 1);
		b->jobs[0].stem = mem_strdup(program_name);
		return EXIT_DONE;
	}
	if (rest->n == 0) {
		error("no input, expected %s; see '%s --help'", b->spec->operand, program_name);
		return EXIT_USAGE;
	}
	jobs_new(b, rest->n);
	for (size_t i = 0; i < rest->n; i++)
		set_input(&b->jobs[i], mem_strdup(rest->path[i]));
	return EXIT_DONE;
}

static bool known_column(const struct batch_spec *s, const char *name)
{
	bool known = strcmp(name, s->input_column) == 0 ||
		     (s->output_column && strcmp(name, s->output_column) == 0);

	for (const char *const *c = s->columns; c && *c && !known; c++)
		known = strcmp(name, *c) == 0;
	return known;
}

/* Reads the manifest.  Its first line is a header if the input column is in it, or if there are
 * several columns. */
static int read_manifest(struct batch *b)
{
	struct csv *t = &b->manifest;
	size_t column;
	bool header;

	if (csv_read(common.list, true, t) != 0)
		return -1;
	b->has_manifest = true;
	header = t->columns > 1;
	for (size_t c = 0; c < t->columns && t->rows > 0; c++)
		header |= strcmp(csv_cell(t, 0, c), b->spec->input_column) == 0;
	if (!header && b->spec->strict)
		return error("'%s': line 1: no column '%s', expected a header", t->path, b->spec->input_column);
	if (!header)
		return 0;
	csv_take_header(t);
	if (csv_need(t, b->spec->input_column, &column) != 0)
		return -1;
	for (size_t c = 0; c < t->columns; c++)
		if (!known_column(b->spec, t->names[c]) && b->spec->strict)
			return error("'%s': line 1: column '%s' is not known", t->path, t->names[c]);
		else if (!known_column(b->spec, t->names[c]))
			info("'%s': column '%s' is not used", t->path, t->names[c]);
	return 0;
}

/* An output that the manifest names lies in -O DIR, or without that option beside the manifest. */
static char *output_of_row(const char *path)
{
	if (common.output_dir && path[0] != '/' && strcmp(path, "-") != 0)
		return mem_printf("%s/%s", common.output_dir, path);
	return beside(common.list, path);
}

static int from_manifest(struct batch *b)
{
	const struct csv *t = &b->manifest;

	if (read_manifest(b) != 0)
		return EXIT_FAILED;
	long in = csv_column(t, b->spec->input_column);
	long out = b->spec->output_column ? csv_column(t, b->spec->output_column) : -1;

	if (t->rows == 0) {
		error("'%s': no row, expected one per input", t->path);
		return EXIT_FAILED;
	}
	jobs_new(b, t->rows);
	for (size_t i = 0; i < t->rows; i++) {
		const char *path = csv_cell(t, i, in < 0 ? 0 : (size_t)in);

		if (path[0] == '\0') {
			error("'%s': line %zu: '%s' is empty, expected a file name", t->path,
			      t->line[i], b->spec->input_column);
			return EXIT_FAILED;
		}
		set_input(&b->jobs[i], beside(common.list, path));
		b->jobs[i].manifest = t;
		if (out >= 0 && csv_cell(t, i, (size_t)out)[0])
			b->jobs[i].output = output_of_row(csv_cell(t, i, (size_t)out));
	}
	return EXIT_DONE;
}

static int stdin_once(const struct batch *b)
{
	size_t users = common.list && strcmp(common.list, "-") == 0;

	for (size_t i = 0; i < b->n; i++)
		users += b->jobs[i].input && strcmp(b->jobs[i].input, "-") == 0;
	if (users <= 1)
		return EXIT_DONE;
	error("'-': standard input is named %zu times, expected once", users);
	return EXIT_USAGE;
}

/* ---- outputs */

static int name_outputs(struct batch *b)
{
	struct stat st;

	if (!b->spec->suffix)
		return EXIT_DONE;
	if (common.output && b->n > 1) {
		error("'--output': %zu inputs for one file, expected one input or --output-dir",
		      b->n);
		return EXIT_USAGE;
	}
	if (common.output_dir && (stat(common.output_dir, &st) != 0 || !S_ISDIR(st.st_mode))) {
		error("'%s': %s, expected a folder", common.output_dir,
		      errno == ENOENT ? strerror(errno) : "not a folder");
		return EXIT_FAILED;
	}
	for (size_t i = 0; i < b->n; i++) {
		struct job *j = &b->jobs[i];

		if (!j->output && common.output)
			j->output = mem_strdup(common.output);
		if (!j->output && common.output_dir)
			j->output =
				mem_printf("%s/%s%s", common.output_dir, j->stem, b->spec->suffix);
		if (j->output && out_check_binary(j->output) != 0)
			return EXIT_USAGE;
	}
	return EXIT_DONE;
}

struct target {
	char *key;	/* the same for two spellings of one file */
	size_t job;	/* b->n + i: table i */
};

static int by_key(const void *a, const void *b)
{
	const struct target *s = a, *t = b;
	int c = strcmp(s->key, t->key);

	return c ? c : (s->job > t->job) - (s->job < t->job);
}

static char *target_key(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash ? mem_printf("%.*s", (int)(slash - path + 1), path) : mem_strdup(".");
	char *real = realpath(folder, NULL);

	if (!real && errno == ENOMEM) /* not a folder that is missing: two spellings would seem two files */
		die(EXIT_FAILED, "out of memory");

	char *key = mem_printf("%s/%s", real ? real : folder, slash ? slash + 1 : path);

	free(real);
	free(folder);
	return strcmp(path, "-") == 0 ? (free(key), mem_strdup("-")) : key;
}

/* a device such as /dev/null takes any number of products */
static bool is_special(const char *path)
{
	struct stat st;

	return strcmp(path, "-") != 0 && stat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

static int targets_differ(const struct batch *b)
{
	struct target *t = mem_new(b->n + b->spec->n_tables, sizeof *t);
	size_t n = 0;
	int status = EXIT_DONE;

	for (size_t i = 0; i < b->n; i++)
		if (b->jobs[i].output && !is_special(b->jobs[i].output))
			t[n++] = (struct target){ target_key(b->jobs[i].output), i };
	for (size_t i = 0; i < b->spec->n_tables; i++) {
		const char *path = b->spec->tables[i].path;

		if (path && !is_special(path))
			t[n++] = (struct target){ target_key(path), b->n + i };
	}
	qsort(t, n, sizeof *t, by_key);
	for (size_t i = 1; i < n && status == EXIT_DONE; i++)
		if (strcmp(t[i - 1].key, t[i].key) == 0) {
			const char *name =
				strcmp(t[i].key, "-") == 0 ? "-" : strrchr(t[i].key, '/') + 1;
			const char *first =
				t[i - 1].job < b->n ? b->jobs[t[i - 1].job].input : NULL;
			const char *second = t[i].job < b->n ? b->jobs[t[i].job].input : NULL;

			error("'%s': the output of both '%s' and '%s', expected one", name,
			      first ? first : "a table", second ? second : "a table");
			status = EXIT_USAGE;
		}
	for (size_t i = 0; i < n; i++)
		free(t[i].key);
	free(t);
	return status;
}

/* ---- shards */

static int slurm_number(const char *name, long lo, long missing, long *v)
{
	const char *text = getenv(name);
	char *end;

	*v = missing;
	if (!text && missing >= 0)
		return 0;
	if (!text)
		return error("'--shard slurm': $%s is not set, expected an array job", name);
	errno = 0;
	*v = strtol(text, &end, 10);
	if (end == text || *end || errno || *v < lo || *v > INT_MAX)
		return error("'--shard slurm': $%s is '%s', expected a whole number >= %ld", name,
			     text, lo);
	return 0;
}

static int shard_slurm(struct batch *b)
{
	long id, min, count, step;

	if (slurm_number("SLURM_ARRAY_TASK_ID", 0, -1, &id) != 0 ||
	    slurm_number("SLURM_ARRAY_TASK_MIN", 0, -1, &min) != 0 ||
	    slurm_number("SLURM_ARRAY_TASK_COUNT", 1, -1, &count) != 0 ||
	    slurm_number("SLURM_ARRAY_TASK_STEP", 1, 1, &step) != 0)
		return -1;
	if (id < min || (id - min) % step != 0 || (id - min) / step >= count)
		return error("'--shard slurm': $SLURM_ARRAY_TASK_ID is %ld, expected one of %ld "
			     "tasks from %ld by %ld",
			     id, count, min, step);
	b->shard = (size_t)((id - min) / step);
	b->shards = (size_t)count;
	return 0;
}

static int choose_shard(struct batch *b)
{
	const char *s = common.shard;
	size_t digits = s ? strspn(s, "0123456789") : 0;

	b->shards = 1;
	if (s && strcmp(s, "slurm") == 0 && shard_slurm(b) != 0)
		return EXIT_USAGE;
	if (s && strcmp(s, "slurm") != 0) {
		bool form = digits > 0 && digits < 10 && s[digits] == '/' &&
			    strspn(s + digits + 1, "0123456789") == strlen(s + digits + 1) &&
			    strlen(s + digits + 1) < 10;

		b->shard = form ? strtoul(s, NULL, 10) : 0;
		b->shards = form ? strtoul(s + digits + 1, NULL, 10) : 0;
		if (b->shard >= b->shards) {
			error("'--shard': '%s', expected I/N with 0 <= I < N, or slurm", s);
			return EXIT_USAGE;
		}
	}
	b->order = mem_new(b->n, sizeof *b->order);
	for (size_t i = 0; i < b->n; i++) {
		b->jobs[i].mine = i % b->shards == b->shard;
		if (b->jobs[i].mine)
			b->order[b->n_mine++] = i;
	}
	return EXIT_DONE;
}

int batch_open(struct batch *b, const struct batch_spec *spec, const struct operands *rest)
{
	int status = EXIT_DONE;

	*b = (struct batch){ .spec = spec };
	if (common.pages[0] > common.pages[1]) {
		error("'--pages': %ld-%ld, expected A <= B", common.pages[0], common.pages[1]);
		return EXIT_USAGE;
	}
	if (common.list && rest->n > 0) {
		error("'%s': an operand beside --list, expected one of them", rest->path[0]);
		return EXIT_USAGE;
	}
	status = common.list ? from_manifest(b) : from_operands(b, rest);
	if (status == EXIT_DONE)
		status = stdin_once(b);
	if (status == EXIT_DONE)
		status = name_outputs(b);
	if (status == EXIT_DONE)
		status = targets_differ(b);
	if (status == EXIT_DONE)
		status = choose_shard(b);
	return status;
}

void batch_close(struct batch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		struct job *j = &b->jobs[i];

		free((char *)j->input);
		free((char *)j->stem);
		free((char *)j->output);
		free((char *)j->provenance);
		for (size_t t = 0; t < b->spec->n_tables; t++)
			csv_line_clear(&j->rows[t]);
		free(j->rows);
	}
	free(b->jobs);
	free(b->order);
	if (b->has_manifest)
		csv_clear(&b->manifest);
	*b = (struct batch){ 0 };
}
