#include "config.h"

#include "io/provenance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"

const struct provenance_skip provenance_common[] = {
	{ "threads", 0, true },	 { "mem", 0, true },	   { "progress", 0, true }, { "profile", 0, false },
	{ "resume", 0, false },	 { "quiet", 'q', false },  { "verbose", 'v', false }, { "fail-fast", 0, false },
	{ "shard", 0, true },	 { "dry-run", 0, false },  { NULL, 0, false },
};

/* One word as a POSIX shell reads it back; control characters and backslashes in $'...', so that the text stays one line. */
static void put_word(FILE *f, const char *s)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%+,-./:=@_^";
	bool odd = false;

	if (*s && s[strspn(s, plain)] == '\0') {
		fputs(s, f);
		return;
	}
	for (const char *p = s; *p; p++)
		odd |= *p == '\'' || *p == '\\' || (unsigned char)*p < ' ' || *p == 127;
	fputs(odd ? "$'" : "'", f);
	for (const char *p = s; *p; p++) {
		if (odd && (*p == '\'' || *p == '\\'))
			fprintf(f, "\\%c", *p);
		else if (odd && ((unsigned char)*p < ' ' || *p == 127))
			fprintf(f, "\\%03o", (unsigned char)*p);
		else
			fputc(*p, f);
	}
	fputc('\'', f);
}

static const struct provenance_skip *find_long(const struct provenance_skip *skip, const char *word, size_t len)
{
	for (; len >= 2 && skip && skip->name; skip++)
		if (strncmp(skip->name, word, len) == 0)
			return skip;
	return NULL;
}

static const struct provenance_skip *find_letter(const struct provenance_skip *skip, char letter)
{
	for (; skip && skip->name; skip++)
		if (skip->letter == letter)
			return skip;
	return NULL;
}

/* Only letters of skipped options without argument in "-qv"? */
static bool all_skipped(const struct provenance_skip *skip, const char *letters)
{
	for (; *letters; letters++) {
		const struct provenance_skip *s = find_letter(skip, *letters);

		if (!s || s->argument)
			return false;
	}
	return true;
}

static void put_command(FILE *f, int argc, char *const *argv, const struct provenance_skip *skip)
{
	bool operands = false;

	put_word(f, program_name);
	for (int i = 1; i < argc; i++) {
		const char *w = argv[i];

		if (!operands && strcmp(w, "--") == 0) {
			operands = true;
		} else if (!operands && strncmp(w, "--", 2) == 0) {
			size_t len = strcspn(w + 2, "=");
			const struct provenance_skip *s = find_long(skip, w + 2, len);

			if (s) {
				i += s->argument && w[2 + len] != '=';
				continue;
			}
		} else if (!operands && w[0] == '-' && w[1]) {
			const struct provenance_skip *s = find_letter(skip, w[1]);

			if (all_skipped(skip, w + 1))
				continue;
			if (s && s->argument) {
				i += w[2] == '\0';
				continue;
			}
		}
		fputc(' ', f);
		put_word(f, w);
	}
}

char *provenance_text(const char *device, int argc, char *const *argv, const struct provenance_skip *skip,
		      const char *const *inputs, size_t n_inputs)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		die(EXIT_FAILED, "out of memory");
	fprintf(f, "scopeline=%s %s\n", program_name, PACKAGE_VERSION);
	if (device)
		fprintf(f, "device=%s\n", device);
	fputs("command=", f);
	put_command(f, argc, argv, skip);
	fputc('\n', f);
	for (size_t i = 0; i < n_inputs; i++) {
		fputs("input=", f);
		put_word(f, inputs[i]);
		fputc('\n', f);
	}
	if (fclose(f) != 0)
		die(EXIT_FAILED, "out of memory");
	return text;
}
