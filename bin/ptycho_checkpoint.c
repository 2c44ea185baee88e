#include "ptycho_checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/die.h"
#include "base/mem.h"
#include "io/out.h"
#include "io/tiffio.h"

/* ---- folders */

static char *folder_of(const struct job *j)
{
	return mem_printf("%s.ckpt", j->output);
}

/* A folder with files only; asks for no memory, which may end the program. */
static void remove_folder(const char *path)
{
	DIR *d = opendir(path);

	for (struct dirent *e; d && (e = readdir(d));)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
	rmdir(path);
}

/* Folders NAME.ckpt.XXXXXX that killed runs left half written beside the place of NAME.ckpt. */
static void remove_leftovers(const char *place)
{
	const char *slash = strrchr(place, '/'), *name = slash ? slash + 1 : place;
	char *parent =
		slash ? mem_printf("%.*s", (int)(slash - place + 1), place) : mem_strdup(".");
	DIR *d = opendir(parent);
	size_t n = strlen(name);

	for (struct dirent *e; d && (e = readdir(d));)
		if (e->d_name[0] == '.' && strncmp(e->d_name + 1, name, n) == 0 &&
		    e->d_name[1 + n] == '.' && strlen(e->d_name) == n + 8) {
			char *path = mem_printf("%s/%s", parent, e->d_name);

			remove_folder(path);
			free(path);
		}
	if (d)
		closedir(d);
	free(parent);
}

void checkpoint_remove(const struct job *j)
{
	char *place = folder_of(j);

	remove_folder(place);
	remove_leftovers(place);
	free(place);
}

/* 0 or -1 with errno */
static int sync_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 ? -1 : fsync(fd), why = errno;

	if (fd >= 0)
		close(fd);
	errno = why;
	return rc != 0 && fd >= 0 && (why == EINVAL || why == EROFS) ? 0 : rc;
}

/* 0 or -1 with errno; made then holds the old one, if there is one */
static int exchange(const char *made, const char *place)
{
	if (renameat2(AT_FDCWD, made, AT_FDCWD, place, RENAME_EXCHANGE) == 0)
		return 0;
	if (errno !=
	    ENOENT) /* a file system without the exchange: an instant without a checkpoint */
		remove_folder(place);
	return rename(made, place);
}

/* The new folder takes the place of the old one, if there is one, at once.  The old one stays where the new one is not safe on disk. */
static int put_in_place(const char *made, const char *place, struct out_guard *const guards[], size_t n)
{
	int rc = sync_folder(made);

	if (rc == 0) {
		out_hold(guards, n);
		rc = exchange(made, place);
		int why = errno;

		out_let(guards, n);
		errno = why;
	}
	return rc == 0 ? 0 : error("'%s': cannot write: %s", place, strerror(errno));
}

/* ---- saving */

/* All arrays are pages of one file, in the order of chain_visit. */
struct pages {
	const char *path;
	struct array *shape; /* [n] without data */
	size_t n, at;	     /* at: array, or loading: page */
	struct tiff_sink *sink;
};

static int count_array(void *arg, const char *name, void *data, enum dtype type, size_t nz,
		       size_t ny, size_t nx)
{
	struct pages *p = arg;

	(void)name;
	(void)data;
	p->shape = mem_grow(p->shape, p->n + 1, sizeof *p->shape);
	p->shape[p->n++] = (struct array){ type, nz, ny, nx, NULL };
	return 0;
}

static int save_array(void *arg, const char *name, void *data, enum dtype type, size_t nz,
		      size_t ny, size_t nx)
{
	struct pages *p = arg;

	(void)name;
	(void)type;
	(void)ny;
	(void)nx;
	return tiff_sink_level(p->sink, &p->shape[p->at++]) != 0 ? -1
								 : tiff_sink_put(p->sink, data, nz);
}

static int save_arrays(const char *folder, const struct job *j, struct chain_point *at)
{
	struct tiff_out o = { .compress = TIFF_NONE, .provenance = j->provenance };
	char *path = mem_printf("%s/state.tif", folder);
	struct pages p = { .path = path };
	int rc = -1;

	if (chain_visit(at, count_array, &p) == 0 &&
	    (p.sink = tiff_sink_open_levels(path, p.shape, p.n, &o))) {
		if (chain_visit(at, save_array, &p) == 0)
			rc = tiff_sink_commit(p.sink);
		else
			tiff_sink_abort(p.sink);
	}
	free(p.shape);
	free(path);
	return rc;
}

static int save_text(const char *folder, const char *name, const char *text, size_t n)
{
	char *path = mem_printf("%s/%s", folder, name);
	FILE *f = fopen(path, "w");
	int rc = 0;

	if (!f || fwrite(text, 1, n, f) != n || fflush(f) != 0 || fsync(fileno(f)) != 0)
		rc = error("'%s': cannot write: %s", path, strerror(errno));
	if (f && fclose(f) != 0 && rc == 0)
		rc = error("'%s': cannot write: %s", path, strerror(errno));
	free(path);
	return rc;
}

/* place "a/b.ckpt": "a/.b.ckpt.XXXXXX" */
static char *template_of(const char *place)
{
	const char *slash = strrchr(place, '/'), *name = slash ? slash + 1 : place;

	return mem_printf("%.*s.%s.XXXXXX", (int)(name - place), place, name);
}

/* The files of the folder, in the order they are written */
static const char *const files[] = { "state.tif", "state.json", "log.csv" };
enum { FILES = sizeof files / sizeof files[0] };

int checkpoint_save(const struct job *j, struct chain_point *at, const struct csv_line *log)
{
	char *place = folder_of(j), *made = template_of(place), *state;
	struct out_guard *guard[1 + FILES] = { NULL }; /* of the folder, then its files */
	int rc = 0;

	state = mem_printf("{\"iteration\": %ld, \"stage\": %zu, \"engine\": \"%s\"}\n",
			   at->p->iteration, at->stage, at->s->engine->name);
	remove_leftovers(place);
	guard[0] = out_folder(place, made);
	for (int i = 0; guard[i] && i < FILES; i++) {
		char *path = mem_printf("%s/%s", made, files[i]);

		guard[1 + i] = out_inside(path);
		free(path);
	}
	if (!guard[FILES]) {
		rc = -1;
		goto done;
	}
	chmod(made, 0755);
	rc = save_arrays(made, j, at) != 0 || save_text(made, files[1], state, strlen(state)) != 0 ||
	     save_text(made, files[2], log->text ? log->text : "", log->len) != 0 ||
	     put_in_place(made, place, guard, 1 + FILES) != 0 ? -1 : 0;
done:
	if (guard[0])
		remove_folder(made); /* what is left of this one, or the old one */
	for (int i = 0; i <= FILES; i++)
		out_release(guard[i]);
	free(state);
	free(made);
	free(place);
	return rc;
}

/* ---- loading */

/* The whole file as text, NULL if it cannot be read; *n its length. */
static char *read_text(const char *folder, const char *name, size_t *n)
{
	char *path = mem_printf("%s/%s", folder, name), *text = NULL;
	FILE *f = fopen(path, "r");
	struct stat st;

	if (f && fstat(fileno(f), &st) == 0) {
		text = mem_new((size_t)st.st_size + 1, 1);
		*n = fread(text, 1, (size_t)st.st_size, f);
	}
	if (f)
		fclose(f);
	free(path);
	return text;
}

long checkpoint_find(const struct job *j, struct csv_line *log)
{
	char *place = folder_of(j), *arrays = mem_printf("%s/state.tif", place), *state = NULL,
	     *rows = NULL;
	long iteration = 0;
	size_t n, m;

	if (access(arrays, F_OK) != 0)
		goto done;
	state = read_text(place, "state.json", &n);
	rows = read_text(place, "log.csv", &m);
	if (!tiff_made_by(arrays, j->provenance) || !state || !rows ||
	    sscanf(state, "{\"iteration\": %ld,", &iteration) != 1 || iteration < 1) {
		warning("'%s': a checkpoint of another command, expected this one's: the run "
			"begins anew",
			place);
		iteration = 0;
		goto done;
	}
	free(log->text);
	log->text = rows;
	log->len = m;
	log->cap = m + 1;
	rows = NULL;
done:
	free(rows);
	free(state);
	free(arrays);
	free(place);
	return iteration;
}

static int load_array(void *arg, const char *name, void *data, enum dtype type, size_t nz,
		      size_t ny, size_t nx)
{
	struct pages *p = arg;
	struct tiff_select select = { .first = (long)p->at + 1, .last = (long)(p->at + nz) };
	struct array a = { 0 };
	int rc = tiff_read(p->path, &select, &a, NULL);

	if (rc == 0 && (a.type != type || a.nz != nz || a.ny != ny || a.nx != nx))
		rc = error(
			"'%s': %s: %zu pages %zux%zu %s from page %zu, expected %zu of %zux%zu %s",
			p->path, name, a.nz, a.ny, a.nx, dtype_name(a.type), p->at + 1, nz, ny, nx,
			dtype_name(type));
	if (rc == 0)
		memcpy(data, a.data, array_bytes(&a));
	p->at += nz;
	array_clear(&a);
	return rc;
}

int checkpoint_load(const struct job *j, struct chain_point *at)
{
	char *path = mem_printf("%s.ckpt/state.tif", j->output);
	struct pages p = { .path = path };
	int rc = chain_visit(at, load_array, &p);

	free(path);
	return rc;
}
