#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/opttable.h"
#include "base/optvalue.h"

enum { LEFT = 30, WIDTH = 80 };

/* text, wrapped between left and WIDTH; the cursor stands at column */
static void wrapped(FILE *f, const char *text, size_t left, size_t column)
{
	if (left > 0 && column > left - 2) {
		fputc('\n', f);
		column = 0;
	}
	fprintf(f, "%*s", (int)(left - column), "");
	column = left;
	while (*text) {
		size_t word = strcspn(text, " ");

		if (column > left && column + 1 + word > WIDTH) {
			fprintf(f, "\n%*s", (int)left, "");
			column = left;
		}
		column += (size_t)fprintf(f, "%s%.*s", column > left ? " " : "", (int)word, text);
		text += word + strspn(text + word, " ");
	}
	fputc('\n', f);
}

static void option(FILE *f, const struct opt *o)
{
	char arg[512] = "", limits[512] = "", text[2048];
	const char *name = opt_arg(o, arg, sizeof arg);
	int column = fprintf(f, o->letter ? "  -%c, " : "      ", o->letter);

	column += fprintf(f, "--%s%s", o->type == OPT_SWITCH ? "[no-]" : "", o->name);
	if (name && o->optional)
		column += fprintf(f, "[=%s]", name);
	else if (name)
		column += fprintf(f, " %s", name);

	if (o->type == OPT_INT || o->type == OPT_SIZE || o->type == OPT_REAL || o->type == OPT_GRID)
		opt_limits(o, limits, sizeof limits);
	if (o->type == OPT_LIST && o->arg)
		opt_choice_words(o->choices, limits, sizeof limits);
	const char *initial = o->note ? o->note : o->initial;
	int n = snprintf(text, sizeof text, "%s", o->help);

	if (limits[0] || initial)
		snprintf(text + n, sizeof text - (size_t)n, " (%s%s%s%s)", limits,
			 limits[0] && initial ? "; " : "",
			 initial && strcmp(initial, "needed") != 0 ? "default " : "",
			 initial ? initial : "");
	wrapped(f, text, LEFT, (size_t)column);
}

void opt_help(const struct opt_table *t, FILE *f)
{
	const char *heading = NULL, *s = t->program->synopsis;

	for (const char *word = "Usage:"; *s; word = "      ") {
		size_t len = strcspn(s, "\n");

		fprintf(f, "%s %s %.*s\n", word, program_name, (int)len, s);
		s += len + (s[len] == '\n');
	}
	wrapped(f, t->program->purpose, 0, 0);
	for (size_t i = 0; i < t->n; i++) {
		const struct opt *o = t->row[i].o;

		if (o->hidden || o->type == OPT_IGNORE)
			continue;
		if (t->row[i].heading && (!heading || strcmp(heading, t->row[i].heading) != 0))
			fprintf(f, "\n%s:\n", heading = t->row[i].heading);
		option(f, o);
	}
	fprintf(f, "\nExample:\n  %s\n", t->program->example);
	fprintf(f, "\nExit status: 0 done, 1 something failed, 2 wrong usage.\n");
}

void opt_print(const struct opt_table *t, FILE *f)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct opt *o = t->row[i].o;
		char choices[1024] = "";

		if (o->hidden || o->type == OPT_IGNORE)
			continue;
		opt_bare_choices(o->choices, choices, sizeof choices);
		fprintf(f, "%s\t%c\t%s%s\t%s\n", o->name, o->letter ? o->letter : '-', opt_kind(o),
			o->optional ? "?" : "", choices[0] ? choices : "-");
	}
}
