#include "batch/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/die.h"
#include "base/mem.h"

struct line {
	struct journal_key key;
	const char *fields;	/* in text: "\tROWS\tROWS", ended by 0 */
};

struct journal {
	char *path;
	int fd;
	char *text;		/* the file as found */
	char *room;		/* [cap] of the line that is being written */
	size_t cap;
	struct line *line;	/* [n] sorted by job */
	size_t n;
};

enum { HASH_DIGITS = 16 };

uint64_t journal_hash(uint64_t h, const char *text)
{
	h = h ? h : 0xcbf29ce484222325;
	do
		h = (h ^ (unsigned char)*text) * 0x100000001b3;
	while (*text++);
	return h;
}

/* Checksum of a line: FNV-1a of words in four lanes, since lines of many objects have half a megabyte. */
static uint64_t check_of(const char *s, size_t len)
{
	uint64_t lane[4] = { 1, 2, 3, 4 }, h = 0xcbf29ce484222325 ^ len, word;

	for (; len >= sizeof lane; s += sizeof lane, len -= sizeof lane)
		for (int i = 0; i < 4; i++) {
			memcpy(&word, s + 8 * i, sizeof word);
			lane[i] = (lane[i] ^ word) * 0x100000001b3;
			lane[i] ^= lane[i] >> 29;
		}
	for (int i = 0; i < 4; i++)
		h = (h ^ lane[i]) * 0x100000001b3;
	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)s[i]) * 0x100000001b3;
	return h ^ h >> 29;
}

static int by_job(const void *a, const void *b)
{
	const struct line *s = a, *t = b;

	return (s->key.job > t->key.job) - (s->key.job < t->key.job);
}

/* "JOB COMMAND\tROWS...\tCHECK" without line end; cuts the checksum off.  False if it is not whole.
 */
static bool parse_line(char *s, struct line *l)
{
	size_t len = strlen(s);
	char *check = strrchr(s, '\t');
	unsigned long long hash;

	if (!check || (size_t)(s + len - check) != 1 + HASH_DIGITS ||
	    check < s + 2 * HASH_DIGITS + 1)
		return false;
	*check = '\0';
	if (sscanf(check + 1, "%16llx", &hash) != 1 || hash != check_of(s, (size_t)(check - s)))
		return false;
	if (sscanf(s, "%16" SCNx64 " %16" SCNx64, &l->key.job, &l->key.command) != 2)
		return false;
	l->fields = s + 2 * HASH_DIGITS + 1;
	return true;
}

/* Reads what is there, cuts a torn end off.  0 or -1 with errno */
static int load(struct journal *j)
{
	struct stat st;
	size_t len = 0, whole = 0;

	if (fstat(j->fd, &st) != 0)
		return -1;
	j->text = mem_new((size_t)st.st_size + 1, 1);
	while (len < (size_t)st.st_size) {
		ssize_t k = pread(j->fd, j->text + len, (size_t)st.st_size - len, (off_t)len);

		if (k <= 0)
			return -1;
		len += (size_t)k;
	}
	for (char *s = j->text, *end; (end = memchr(s, '\n', len - (size_t)(s - j->text)));
	     s = end + 1) {
		struct line l;

		*end = '\0';
		whole = (size_t)(end + 1 - j->text);
		if (!parse_line(s, &l))
			continue;
		j->line = mem_grow(j->line, j->n + 1, sizeof *j->line);
		j->line[j->n++] = l;
	}
	if (j->n > 0)
		qsort(j->line, j->n, sizeof *j->line, by_job);
	return whole < len ? ftruncate(j->fd, (off_t)whole) : 0;
}

struct journal *journal_open(const char *path, bool keep)
{
	struct journal *j = mem_new(1, sizeof *j);

	j->path = mem_strdup(path);
	j->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | (keep ? 0 : O_TRUNC), 0666);
	if (j->fd < 0 || (keep && load(j) != 0)) {
		error("'%s': %s", path, strerror(errno));
		journal_close(j, false);
		return NULL;
	}
	return j;
}

/* the next field behind a tab, unescaped into l; *s moves on */
static void take_field(const char **s, struct csv_line *l)
{
	size_t len = strcspn(++*s, "\t");

	l->text = mem_grow(l->text, len + 1, 1);
	l->cap = len + 1;
	l->len = 0;
	for (size_t i = 0; i < len; i++) {
		char c = (*s)[i];

		if (c == '\\') {
			c = (*s)[++i];
			c = c == 'n' ? '\n' : c == 't' ? '\t' : c;
		}
		l->text[l->len++] = c;
	}
	l->text[l->len] = '\0';
	*s += len;
}

int journal_find(const struct journal *j, struct journal_key key, struct csv_line *rows,
		 size_t n_tables)
{
	struct line want = { .key = key };
	const struct line *l = j->n ? bsearch(&want, j->line, j->n, sizeof want, by_job) : NULL;
	int found = 0;

	while (l && l > j->line && l[-1].key.job == key.job)
		l--;
	for (; l && l < j->line + j->n && l->key.job == key.job; l++) {
		const char *s = l->fields;
		size_t fields = 0;

		for (const char *c = s; *c; c++)
			fields += *c == '\t';
		found = -1;
		if (l->key.command != key.command || fields != n_tables)
			continue;
		for (size_t t = 0; t < n_tables; t++)
			take_field(&s, &rows[t]);
		return 1;
	}
	return found;
}

static size_t put_escaped(char *d, const struct csv_line *l)
{
	const char *s = l->text, *end = l->len ? s + l->len : s;
	size_t n = 0;

	while (s < end) {
		size_t plain = strcspn(s, "\\\n\t");

		memcpy(d + n, s, plain);
		n += plain;
		s += plain;
		if (s == end)
			break;
		d[n++] = '\\';
		d[n++] = *s == '\n' ? 'n' : *s == '\t' ? 't' : '\\';
		s++;
	}
	return n;
}

int journal_append(struct journal *j, struct journal_key key, const struct csv_line *rows,
		   size_t n_tables)
{
	size_t cap = 4 * HASH_DIGITS, len;
	char *s;

	for (size_t t = 0; t < n_tables; t++)
		cap += 2 * rows[t].len + 1;
	if (cap > j->cap) {
		j->cap = cap + cap / 4;
		j->room = mem_grow(j->room, j->cap, 1);
	}
	s = j->room;
	len = (size_t)sprintf(s, "%016" PRIx64 " %016" PRIx64, key.job, key.command);
	for (size_t t = 0; t < n_tables; t++) {
		s[len++] = '\t';
		len += put_escaped(s + len, &rows[t]);
	}
	s[len] = '\0';
	len += (size_t)sprintf(s + len, "\t%016" PRIx64 "\n", check_of(s, len));
	for (size_t done = 0; done < len;) {
		ssize_t k = write(j->fd, s + done, len - done);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return error("'%s': %s", j->path, strerror(errno));
		done += (size_t)k;
	}
	if (fdatasync(j->fd) != 0 && errno != EINVAL && errno != EROFS)
		return error("'%s': %s", j->path, strerror(errno));
	return 0;
}

void journal_close(struct journal *j, bool done)
{
	if (!j)
		return;
	if (done && j->fd >= 0)
		unlink(j->path);
	if (j->fd >= 0)
		close(j->fd);
	free(j->line);
	free(j->text);
	free(j->room);
	free(j->path);
	free(j);
}
