/* Three stages, each on its own thread, with a slot between neighbours: read -> [slot] -> compute
 * -> [slot] -> write. */
#include "batch/batch.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "base/mem.h"
#include "batch/common.h"
#include "batch/journal.h"
#include "batch/progress.h"
#include "io/out.h"
#include "io/provenance.h"
#include "io/tiffio.h"

enum { WAITING, KEPT, DONE, FAILED };	/* job.state; KEPT: done by an earlier run */

struct slot {
	struct job *job;	/* NULL: empty */
	bool closed;		/* nothing more comes */
};

struct run {
	struct batch *b;
	const struct batch_ops *ops;
	void *tool;
	struct journal *journal;
	bool tables;		/* is any wanted? */
	uint64_t columns;	/* hash of the wanted tables' headers */
	pthread_mutex_t lock;
	pthread_cond_t moved;
	struct slot read, computed;
	bool stop;
	size_t failed;
};

static void put(struct run *r, struct slot *s, struct job *j)
{
	pthread_mutex_lock(&r->lock);
	while (s->job)
		pthread_cond_wait(&r->moved, &r->lock);
	s->job = j;
	s->closed = !j;
	pthread_cond_broadcast(&r->moved);
	pthread_mutex_unlock(&r->lock);
}

static struct job *take(struct run *r, struct slot *s)
{
	struct job *j;

	pthread_mutex_lock(&r->lock);
	while (!s->job && !s->closed)
		pthread_cond_wait(&r->moved, &r->lock);
	j = s->job;
	s->job = NULL;
	pthread_cond_broadcast(&r->moved);
	pthread_mutex_unlock(&r->lock);
	return j;
}

static bool stopped(struct run *r)
{
	pthread_mutex_lock(&r->lock);
	bool stop = r->stop;

	pthread_mutex_unlock(&r->lock);
	return stop;
}

static int call(struct run *r, const char *name, int (*stage)(void *, struct job *), struct job *j)
{
	double start = r->ops->begin ? r->ops->begin() : 0;
	int rc = stage ? stage(r->tool, j) : 0;

	if (r->ops->end)
		r->ops->end(name, start, 0);
	return rc;
}

/* The job is over: whichever thread sees it last. */
static void finish(struct run *r, struct job *j, int state)
{
	if (r->ops->done)
		r->ops->done(r->tool, j);
	for (size_t t = 0; t < r->b->spec->n_tables; t++)
		if (state == FAILED)
			csv_line_clear(&j->rows[t]);
	pthread_mutex_lock(&r->lock);
	j->state = state;
	r->failed += state == FAILED;
	r->stop |= state == FAILED && common.fail_fast;
	pthread_mutex_unlock(&r->lock);
	progress_step();
}

/* ---- resume */

/* What decides the bytes of a job's results.  Cells of its manifest row count as inputs. */
static char *provenance_of(const struct batch *b, const struct job *j, const char *device)
{
	const struct csv *t = j->manifest;
	size_t n = 0, own;
	int argc;
	char *const *argv = opt_command(&argc);
	char **input = mem_new(t ? t->columns + 1 : 1, sizeof *input), *text;

	if (j->input)
		input[n++] = (char *)j->input;
	own = n;
	for (const char *const *c = b->spec->columns; t && c && *c; c++) {
		long column = csv_column(t, *c);

		if (column >= 0 && csv_cell(t, j->row, (size_t)column)[0])
			input[n++] = mem_printf("%s=%s", *c, csv_cell(t, j->row, (size_t)column));
	}
	text = provenance_text(device, argc, argv, (const char *const *)input, n);
	while (n > own)
		free(input[--n]);
	free(input);
	return text;
}

static struct journal_key key_of(const struct run *r, const struct job *j)
{
	uint64_t job = journal_hash(0, j->input ? j->input : "");

	return (struct journal_key){ journal_hash(job, j->output ? j->output : ""),
				     journal_hash(r->columns, j->provenance) };
}

/* Is the job done by an earlier run of the same command?  Then its rows are in place. */
static bool kept(struct run *r, struct job *j)
{
	const char *behind = r->b->spec->product ? r->b->spec->product : "";
	char *path = j->output ? mem_printf("%s%s", j->output, behind) : NULL;
	bool there = path && strcmp(path, "-") != 0 && access(path, F_OK) == 0;
	bool same = there && tiff_made_by(path, j->provenance);
	int rows = r->journal
			   ? journal_find(r->journal, key_of(r, j), j->rows, r->b->spec->n_tables)
			   : 0;

	free(path);
	if (j->output ? same && (!r->tables || rows > 0) : rows > 0)
		return true;
	for (size_t t = 0; t < r->b->spec->n_tables; t++)
		csv_line_clear(&j->rows[t]);
	if (there && !same)
		warning("'%s': not by this command, or not whole: done again", j->output);
	else if (rows < 0)
		warning("'%s': its rows are not by this command: done again",
			j->input ? j->input : j->stem);
	return false;
}

/* ---- stages */

static void *read_all(void *user)
{
	struct run *r = user;

	for (size_t k = 0; k < r->b->n_mine && !stopped(r); k++) {
		struct job *j = &r->b->jobs[r->b->order[k]];

		if (common.resume && kept(r, j)) {
			j->state = KEPT;
			progress_step();
		} else if (call(r, "read", r->ops->read, j) != 0) {
			finish(r, j, FAILED);
		} else {
			put(r, &r->read, j);
		}
	}
	put(r, &r->read, NULL);
	return NULL;
}

static void *compute_jobs(void *user)
{
	struct run *r = user;
	struct job *j;

	while ((j = take(r, &r->read)) != NULL) {
		if (stopped(r)) {
			finish(r, j, WAITING);
		} else if (call(r, "compute", r->ops->compute, j) != 0) {
			if (r->b->n_mine > 1)
				error("'%s': not computed", j->input ? j->input : j->stem);
			finish(r, j, FAILED);
		} else {
			put(r, &r->computed, j);
		}
	}
	return NULL;
}

/* On the caller's thread and workers - 1 others; fewer will do if no more can be started. */
static void compute_all(struct run *r)
{
	size_t n = 0, others = r->ops->workers > 1 ? r->ops->workers - 1 : 0;
	pthread_t *worker = mem_new(others, sizeof *worker);

	while (n < others && pthread_create(&worker[n], NULL, compute_jobs, r) == 0)
		n++;
	compute_jobs(r);
	while (n > 0)
		pthread_join(worker[--n], NULL);
	free(worker);
	put(r, &r->computed, NULL);
}

static void *write_all(void *user)
{
	struct run *r = user;
	size_t n_tables = r->b->spec->n_tables;
	struct job *j;

	while ((j = take(r, &r->computed)) != NULL) {
		int rc = call(r, "write", r->ops->write, j);

		for (size_t t = 0; t < n_tables; t++)
			if (!r->b->spec->tables[t].path)
				csv_line_clear(&j->rows[t]);
		if (rc == 0 && r->journal)
			rc = journal_append(r->journal, key_of(r, j), j->rows, n_tables);
		finish(r, j, rc == 0 ? DONE : FAILED);
	}
	return NULL;
}

static int run_stages(struct run *r)
{
	pthread_t reader, writer;
	int rc = -1;

	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->moved, NULL);
	progress_begin(verbosity == QUIET ? PROGRESS_NEVER : common.progress, r->b->n_mine);
	if (pthread_create(&reader, NULL, read_all, r) != 0) {
		error("no thread to read with");
		goto done;
	}
	if (pthread_create(&writer, NULL, write_all, r) != 0) {
		error("no thread to write with");
		pthread_mutex_lock(&r->lock);
		r->stop = true;
		pthread_mutex_unlock(&r->lock);
		for (struct job *j; (j = take(r, &r->read)) != NULL;)
			finish(r, j, WAITING);
		pthread_join(reader, NULL);
		goto done;
	}
	compute_all(r);
	pthread_join(reader, NULL);
	pthread_join(writer, NULL);
	rc = 0;
done:
	progress_end();
	pthread_cond_destroy(&r->moved);
	pthread_mutex_destroy(&r->lock);
	return rc;
}

/* ---- tables */

static int write_table(const struct batch *b, size_t t)
{
	const struct csv_line **line = mem_new(b->n, sizeof *line);
	int rc;

	for (size_t i = 0; i < b->n; i++)
		line[i] = &b->jobs[i].rows[t];
	rc = csv_save_lines(b->spec->tables[t].path, b->spec->tables[t].header, line, b->n);
	free(line);
	return rc;
}

static int write_tables(const struct batch *b)
{
	int rc = 0;

	for (size_t t = 0; t < b->spec->n_tables; t++)
		if (b->spec->tables[t].path && write_table(b, t) != 0)
			rc = -1;
	return rc;
}

static int start_journal(struct run *r)
{
	const struct batch_spec *s = r->b->spec;
	const char *beside = NULL;

	for (size_t t = 0; t < s->n_tables; t++) {
		const char *path = s->tables[t].path;

		r->tables |= path != NULL;
		r->columns = journal_hash(r->columns, path ? s->tables[t].header : "");
		if (path && !beside && strcmp(path, "-") != 0)
			beside = path;
	}
	if (!beside || r->b->n_mine < 2)
		return 0;
	char *path = mem_printf("%s.journal", beside);

	r->journal = journal_open(path, common.resume);
	free(path);
	return r->journal ? 0 : -1;
}

/* ---- a run */

static int print_plans(struct batch *b, const struct batch_ops *ops, void *tool)
{
	size_t failed = 0;

	for (size_t k = 0; k < b->n_mine; k++) {
		struct job *j = &b->jobs[b->order[k]];
		struct job_plan p = { 0 };

		if (ops->plan && ops->plan(tool, j, &p) != 0) {
			failed++;
			if (common.fail_fast)
				break;
			continue;
		}
		printf("%s: %zux%zux%zu %s -> %s: %zu bytes on the host, %zu on the device, %zu "
		       "block%s\n",
		       j->input ? j->input : j->stem, p.nz, p.ny, p.nx, dtype_name(p.type),
		       j->output ? j->output : "none", p.host_bytes, p.device_bytes, p.blocks,
		       p.blocks == 1 ? "" : "s");
	}
	if (failed && b->n_mine > 1)
		error("%zu of %zu inputs failed", failed, b->n_mine);
	return failed ? EXIT_FAILED : EXIT_DONE;
}

/* What killed runs left half written, in every folder of this run's results. */
static void sweep(const struct batch *b)
{
	const char *last = NULL;

	for (size_t t = 0; t < b->spec->n_tables; t++)
		if (b->spec->tables[t].path)
			out_sweep(b->spec->tables[t].path);
	for (size_t k = 0; k < b->n_mine; k++) {
		const char *path = b->jobs[b->order[k]].output, *slash = path ? strrchr(path, '/') : NULL;
		size_t n = slash ? (size_t)(slash - path) : 0;

		if (!path || (last && strncmp(last, path, n) == 0 && (n == 0 ? !strchr(last, '/') : strrchr(last, '/') == last + n)))
			continue; /* the folder of the one before */
		out_sweep(path);
		last = path;
	}
}

int batch_run(struct batch *b, const struct batch_ops *ops, void *tool, const char *device)
{
	struct run r = { .b = b, .ops = ops, .tool = tool };
	size_t over = 0;
	bool whole = false;

	if (common.dry_run)
		return print_plans(b, ops, tool);
	for (size_t k = 0; k < b->n_mine; k++) {
		struct job *j = &b->jobs[b->order[k]];

		j->provenance = provenance_of(b, j, device);
	}
	if (common.resume)
		sweep(b);
	if (start_journal(&r) != 0 || run_stages(&r) != 0)
		goto done;
	for (size_t i = 0; i < b->n; i++)
		over += b->jobs[i].state == DONE || b->jobs[i].state == KEPT;
	if (r.failed > 0 && b->n_mine > 1)
		error("%zu of %zu inputs failed", r.failed, b->n_mine);
	if (over + r.failed < b->n_mine)
		error("stopped at the first failure, %zu inputs are not done",
		      b->n_mine - over - r.failed);
	else if (over > 0 || b->n_mine == 0)
		whole = write_tables(b) == 0 && r.failed == 0;
done:
	journal_close(r.journal, whole);
	return whole ? EXIT_DONE : EXIT_FAILED;
}
