#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/die.h"
#include "base/mem.h"
#include "base/opttable.h"

struct reader {
	struct opt_table *t;
	FILE *f;
	const char *path;
	int line;
	bool failed;
};

/* inih's fgets: counts lines, takes leading blanks off (they would continue the value of the line
 * before) and " # ..." */
static char *read_line(char *s, int size, void *stream)
{
	struct reader *r = stream;

	if (r->failed || !fgets(s, size, r->f)) /* one line is said to be wrong, not two */
		return NULL;
	r->line++;
	size_t len = strlen(s);

	if (len + 1 == (size_t)size && s[len - 1] != '\n' && !feof(r->f)) {
		error("'%s:%d': line of more than %d characters", r->path, r->line, size - 2);
		r->failed = true;
		return NULL;
	}
	size_t blanks = strspn(s, " \t");

	memmove(s, s + blanks, len + 1 - blanks);
	for (char *c = s; *c; c++)
		if (*c == '#' && (c == s || isblank((unsigned char)c[-1]))) {
			*c = '\0';
			break;
		}
	return s;
}

static int key_value(void *user, const char *section, const char *key, const char *value)
{
	struct reader *r = user;
	struct opt_table *t = r->t;
	struct opt_row *row = opt_find(t, key);
	char subject[PATH_MAX + 256];

	if (r->failed)
		return 1;
	r->failed = true;
	if (section[0]) {
		error("'%s:%d': section [%s], expected none", r->path, r->line, section);
		return 1;
	}
	if (!row || row->o->hidden || strcmp(key, "config") == 0 || strcmp(key, "help") == 0 ||
	    strcmp(key, "version") == 0) {
		error("'%s:%d': unknown key '%s', expected a long option name", r->path, r->line,
		      key);
		return 1;
	}
	t->kept = mem_grow(t->kept, t->n_kept + 1, sizeof *t->kept);
	t->kept[t->n_kept++] = mem_strdup(value);
	snprintf(subject, sizeof subject, "%s:%d: %s", r->path, r->line, key);
	r->failed = opt_set(row, subject, t->kept[t->n_kept - 1]) != 0;
	return 1;
}

static bool is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && !S_ISDIR(st.st_mode);
}

/* The path of a config file, freed by the caller: as given, or a bare name in the first folder that
 * has it. */
static char *find_config(const char *name)
{
	const char *folders = getenv("SCOPELINE_CONFIG_PATH");
	char *path;

	if (strchr(name, '/'))
		return mem_strdup(name);
	for (const char *s = folders ? folders : ""; *s;) {
		size_t len = strcspn(s, ":");

		path = mem_printf("%.*s/%s", (int)len, s, name);
		if (len > 0 && is_file(path))
			return path;
		free(path);
		s += len + (s[len] == ':');
	}
	path = mem_printf("%s/presets/%s", PKGDATADIR, name);
	if (is_file(path))
		return path;
	free(path);
	return mem_strdup(name);
}

int opt_config(struct opt_table *t, const char *name)
{
	struct reader r = { .t = t };
	char *path = find_config(name);
	int status = EXIT_FAILED;

	r.path = path;
	r.f = fopen(path, "r");
	if (!r.f) {
		error("'%s': %s (no such preset or config file)", name, strerror(errno));
		goto done;
	}
	errno = 0;
	int line = ini_parse_stream(read_line, &r, key_value, &r);

	if (ferror(r.f)) {
		error("'%s': %s", path, strerror(errno));
		goto done;
	}
	status = EXIT_USAGE;
	if (!r.failed && line != 0)
		error("'%s:%d': not a 'key = value' line", path, line > 0 ? line : r.line);
	if (r.failed || line != 0)
		goto done;
	status = EXIT_DONE;
done:
	if (r.f)
		fclose(r.f);
	free(path);
	return status;
}
