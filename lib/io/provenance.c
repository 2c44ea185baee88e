#include "config.h"

#include "io/provenance.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"

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

char *provenance_text(const char *device, int argc, char *const *argv,
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
	for (int i = 0; i < argc; i++) {
		fputs(i ? " " : "", f);
		put_word(f, argv[i]);
	}
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
