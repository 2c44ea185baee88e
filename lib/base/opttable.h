/* lib/base/opttable.h: the concatenated table of a parse.  Private to lib/base/opt*.c. */
#ifndef BASE_OPTTABLE_H
#define BASE_OPTTABLE_H

#include "base/opt.h"

struct opt_row {
	const struct opt *o;
	const char *heading;	/* of its group */
	bool given, marked;	/* marked: given at opt_mark */
};

struct opt_table {
	const struct program *program;
	struct opt_row *row;
	size_t n;
	char **kept;		/* texts of config files that targets point into */
	size_t n_kept;
	char **command;	/* [n_command] and NULL */
	size_t n_command;
};

/* NULL if there is none; an option is preferred to a key that is passed over. */
struct opt_row *opt_find(struct opt_table *t, const char *name);

/* Sets the target of the row, which is then given. 0, or -1 after reporting. */
int opt_set(struct opt_row *r, const char *subject, const char *text);

/* Applies a config file.  EXIT_DONE, or EXIT_FAILED (not readable), EXIT_USAGE (wrong key or value)
 * after reporting. */
int opt_config(struct opt_table *t, const char *name);

void opt_help(const struct opt_table *t, FILE *f);
void opt_print(const struct opt_table *t, FILE *f);	/* --print-options */

#endif
