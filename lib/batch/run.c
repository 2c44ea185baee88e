/* Three stages, each on its own thread, with a slot between neighbours: read -> [slot] -> compute
 * -> [slot] -> write.  Several workers read for themselves, so that what one has read is in its caches. */
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

enum { HURRY = 1 << 16 };	/* bytes of rows that are worth a call */
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
	size_t begun;			/* jobs of `order` that a thread has taken */
	bool stop;
	size_t failed;
	pthread_mutex_t table_lock;	/* taken before `lock` */
	struct out **file;		/* [tables] the wanted ones, while they are written */
	size_t listed;			/* jobs whose rows are in them, or that have none */
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

/* ---- tables */

static int open_tables(struct run *r)
{
	const struct batch_spec *s = r->b->spec;

	r->file = mem_new(s->n_tables, sizeof *r->file);
	for (size_t t = 0; t < s->n_tables; t++) {
		if (!s->tables[t].path)
			continue;
		r->file[t] = out_open(s->tables[t].path);
		if (!r->file[t])
			return -1;
		fprintf(out_file(r->file[t]), "%s\n", s->tables[t].header);
	}
	return 0;
}

/* A failed write shows in the stream's error flag, which out_commit looks at. */
static void list_rows(struct run *r, struct job *j)
{
	for (size_t t = 0; t < r->b->spec->n_tables; t++) {
		if (r->file[t] && j->rows[t].len > 0) {
			fwrite(j->rows[t].text, 1, j->rows[t].len, out_file(r->file[t]));
			if (j->rows[t].len > HURRY)
				out_hurry(r->file[t]);
		}
		csv_line_clear(&j->rows[t]);
	}
}

static bool is_over(struct run *r, const struct job *j)
{
	bool over;

	pthread_mutex_lock(&r->lock);
	over = !j->mine || j->state != WAITING;
	pthread_mutex_unlock(&r->lock);
	return over;
}

/* Writes what is next in list order: rows are held only until the jobs before them are over. */
static void list_next(struct run *r)
{
	const struct batch *b = r->b;

	pthread_mutex_lock(&r->table_lock);
	for (; r->listed < b->n && is_over(r, &b->jobs[r->listed]); r->listed++)
		list_rows(r, &b->jobs[r->listed]);
	pthread_mutex_unlock(&r->table_lock);
}

/* whole: the rows of all jobs that did not fail, else nothing */
static int close_tables(struct run *r, bool whole)
{
	int rc = 0;

	for (; whole && r->listed < r->b->n; r->listed++)
		list_rows(r, &r->b->jobs[r->listed]);
	for (size_t t = 0; r->file && t < r->b->spec->n_tables; t++)
		if (!whole)
			out_abort(r->file[t]);
		else if (r->file[t] && out_commit(r->file[t]) != 0)
			rc = -1;
	free(r->file);
	return rc;
}

/* ---- jobs */

/* The job is over: whichever thread sees it last. */
static void finish(struct run *r, struct job *j, int state)
{
	if (r->ops->done && state != KEPT)
		r->ops->done(r->tool, j);
	for (size_t t = 0; t < r->b->spec->n_tables; t++)
		if (state == FAILED)
			csv_line_clear(&j->rows[t]);
	pthread_mutex_lock(&r->lock);
	j->state = state;
	r->failed += state == FAILED;
	r->stop |= state == FAILED && common.fail_fast;
	pthread_mutex_unlock(&r->lock);
	list_next(r);
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

/* The next job that nobody has taken; NULL: no more */
static struct job *begin(struct run *r)
{
	struct job *j = NULL;

	pthread_mutex_lock(&r->lock);
	if (!r->stop && r->begun < r->b->n_mine)
		j = &r->b->jobs[r->b->order[r->begun++]];
	pthread_mutex_unlock(&r->lock);
	return j;
}

/* The next job that is to be computed, read; NULL: no more */
static struct job *read_next(struct run *r)
{
	struct job *j;

	while ((j = begin(r)) != NULL)
		if (common.resume && kept(r, j))
			finish(r, j, KEPT);
		else if (call(r, "read", r->ops->read, j) != 0)
			finish(r, j, FAILED);
		else
			break;
	return j;
}

static void *read_all(void *user)
{
	struct run *r = user;

	for (struct job *j; (j = read_next(r)) != NULL;)
		put(r, &r->read, j);
	put(r, &r->read, NULL);
	return NULL;
}

static void *compute_jobs(void *user)
{
	struct run *r = user;
	struct job *j;

	while ((j = r->ops->workers > 1 ? read_next(r) : take(r, &r->read)) != NULL) {
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

/* Waits for the reader too, whose jobs nobody computes. */
static int without_writer(struct run *r, pthread_t *reader)
{
	error("no thread to write with");
	pthread_mutex_lock(&r->lock);
	r->stop = true;
	pthread_mutex_unlock(&r->lock);
	if (!reader)
		return -1;
	for (struct job *j; (j = take(r, &r->read)) != NULL;)
		finish(r, j, WAITING);
	pthread_join(*reader, NULL);
	return -1;
}

static int run_stages(struct run *r)
{
	bool ahead = r->ops->workers < 2;
	pthread_t reader, writer;
	int rc = 0;

	progress_begin(verbosity == QUIET ? PROGRESS_NEVER : common.progress, r->b->n_mine);
	if (ahead && pthread_create(&reader, NULL, read_all, r) != 0) {
		rc = error("no thread to read with");
	} else if (pthread_create(&writer, NULL, write_all, r) != 0) {
		rc = without_writer(r, ahead ? &reader : NULL);
	} else {
		compute_all(r);
		if (ahead)
			pthread_join(reader, NULL);
		pthread_join(writer, NULL);
	}
	progress_end();
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
	struct run r = { .b = b, .ops = ops, .tool = tool, .lock = PTHREAD_MUTEX_INITIALIZER,
			 .moved = PTHREAD_COND_INITIALIZER, .table_lock = PTHREAD_MUTEX_INITIALIZER };
	size_t over = 0;
	bool listed = false, whole;

	if (common.dry_run)
		return print_plans(b, ops, tool);
	for (size_t k = 0; k < b->n_mine; k++) {
		struct job *j = &b->jobs[b->order[k]];

		j->provenance = provenance_of(b, j, device);
	}
	if (common.resume)
		sweep(b);
	if (start_journal(&r) != 0 || open_tables(&r) != 0 || run_stages(&r) != 0)
		goto done;
	for (size_t i = 0; i < b->n; i++)
		over += b->jobs[i].state == DONE || b->jobs[i].state == KEPT;
	if (r.failed > 0 && b->n_mine > 1)
		error("%zu of %zu inputs failed", r.failed, b->n_mine);
	if (over + r.failed < b->n_mine)
		error("stopped at the first failure, %zu inputs are not done",
		      b->n_mine - over - r.failed);
	else if (over > 0 || b->n_mine == 0)
		listed = true;
done:
	whole = close_tables(&r, listed) == 0 && listed && r.failed == 0;
	journal_close(r.journal, whole);
	return whole ? EXIT_DONE : EXIT_FAILED;
}
