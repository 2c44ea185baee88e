/* lib/base/opt.h: the option table.  One table per tool, concatenated with shared ones, drives
 * getopt_long, --help, the config file, range errors, completion and the check of the man page.
 *
 *	static const struct opt options[] = {
 *		{ OPT_HEADING, .help = "Optics" },
 *		{ OPT_REAL, "pixel", 'p', .real = &pixel, .unit = UNIT_LENGTH, .arg = "P",
 *		  .range = "(0,inf)", .note = "from the file", .help = "object-side pixel" },
 *		{ OPT_CHOICE, "model", .choice = &model, .choices = "thin|thick",
 *		  .initial = "thin", .help = "thin: one image; thick: 3-D phase" },
 *		{ OPT_END }
 *	};
 *
 * Values come from three places, later ones win: `initial`, config files in their order, the
 * command line.  NaN and infinities are refused, the decimal point is '.' whatever the locale.
 * State is the process's: one parse at a time, and texts live until the next opt_parse. */
#ifndef BASE_OPT_H
#define BASE_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum opt_type {
	OPT_END,	/* last row of a table */
	OPT_HEADING,	/* .help is the heading of the rows that follow */
	OPT_FLAG,	/* .flag = true; config file: yes, no, true, false, on, off, 1, 0 */
	OPT_SWITCH,	/* the same and --no-NAME sets false */
	OPT_INT,	/* .integer, or one of .choices */
	OPT_SIZE,	/* .size, >= 0 */
	OPT_REAL,	/* .real, with unit, or one of .choices */
	OPT_MEM,	/* .text, checked: bytes "4G" "512M" "1048576" or a percentage "50%" */
	OPT_TEXT,	/* .text */
	OPT_CHOICE,	/* .choice = position in .choices */
	OPT_LIST,	/* .list: comma-separated positions in .choices, each at most once */
	OPT_GRID,	/* .grid: C,HALF,N; unit and range are C's, HALF >= 0, N 1 to 10000 */
	OPT_IGNORE	/* { OPT_IGNORE, .name = "z-pad" }: key of another tool, passed over in
			 * config files that both share */
};

enum opt_unit {
	UNIT_NONE,
	UNIT_LENGTH,	/* um (default), nm, mm, m; kept in micrometres */
	UNIT_ANGLE,	/* rad (default), deg; kept in radians */
	UNIT_ENERGY,	/* keV */
	UNIT_PIXEL,	/* px */
	UNIT_SLICE,	/* shown as "slices", no suffix is accepted */
	UNIT_METRE	/* m (default), mm, um, nm; kept in metres */
};

enum { OPT_LIST_MAX = 16 };
struct opt_list {
	size_t n;
	int item[OPT_LIST_MAX];
};

struct opt_grid {
	double centre, half;
	long n;
};

struct opt {
	enum opt_type type;
	const char *name;	/* long name, without dashes */
	char letter;		/* short name or 0 */
	union {			/* the target; arrays of `values` elements for INT, SIZE and REAL */
		bool *flag;
		long *integer;
		size_t *size;
		double *real;
		const char **text;
		void *choice;	/* an enum or int, of four bytes: never a bool */
		struct opt_list *list;
		struct opt_grid *grid;
	};
	int values;		/* INT, SIZE, REAL: numbers in one argument, 0 means 1 */
	char separator;		/* between them, 0 means ',' */
	bool repeat;		/* fewer numbers will do, the last stands for the missing: H[,W] */
	bool optional;		/* TEXT: --profile or --profile=FILE; without FILE the text is "" */
	bool hidden;		/* not in --help, not in --print-options */
	bool incidental;	/* cannot change the bytes of an output, like --threads or the names
				 * of outputs: not part of opt_command */
	enum opt_unit unit;
	const char *range;	/* of each number: "[0,1.2]", "(0,inf)", "[1,10000]"; NULL: any */
	const char *choices;	/* CHOICE, LIST: "a|b|c"; INT, REAL: words and what they stand for,
				 * "auto=0|off=-1", "radial=nan", "off=inf" */
	const char *initial;	/* the default, parsed into the target before anything else;
				 * NULL: the target is left alone */
	const char *note;	/* shown as the default where that is no value: "from the
				 * file"; or "needed" */
	const char *arg;	/* the argument's name in --help, NULL: by type or choices; one that
				 * begins with FILE or DIR has files or folders completed */
	const char *help;	/* one line, no full stop */
};

struct program {
	const char *synopsis;	/* one line per form, without the program's name, separated by \n */
	const char *purpose;	/* one sentence */
	const char *example;	/* one worked example */
	const struct opt *const *tables; /* NULL-terminated list of tables, each ends in OPT_END */
	void (*features)(FILE *f);	/* further lines of --version; may be NULL */
};

struct operands {
	size_t n;
	const char **path;	/* [n], valid until the next opt_parse */
};

/* Built into every program, last in --help: --config, --quiet, --verbose, --version, --help; and
 * the hidden --print-options: one line per option, tab-separated name, letter or "-", kind, choices
 * or "-"; kind is flag, switch, number, text, file, dir, choice or list, with "?" behind it if the
 * argument is optional.
 * --config NAME without a slash is looked for in $SCOPELINE_CONFIG_PATH (folders separated by ':'),
 * then in the installed presets, then here.  --quiet and --verbose set `verbosity`. */

/* Parses argv (left as it is) with options and operands in any order; "--" ends options.  Returns
 * OPT_GO to go on, or the status to exit with: EXIT_DONE after --help, --version, --print-options;
 * EXIT_USAGE or (config file unreadable) EXIT_FAILED after reporting. */
enum { OPT_GO = -1 };
int opt_parse(const struct program *p, int argc, char **argv, struct operands *rest);
void opt_clear(void);	/* frees what the last parse kept; targets of type text become invalid */

/* Was the option set by the config file or the command line?  The name must be one of the tables'. */
bool opt_given(const char *name);

/* The command as parsed, for provenance: [0] the program, then each setting of the command line in
 * its order as "--name=value", without incidental ones and operands.  NULL-terminated, *n words;
 * valid until the next opt_parse. */
char *const *opt_command(int *n);

/* Sets an option after the parse, as a row of a manifest does; flags take yes and no.  The text is the caller's and must stay.  0, or -1
 * after reporting under `subject`; an unknown name is refused.  opt_back makes opt_given what it was at opt_mark; targets are the
 * caller's to restore. */
int opt_put(const char *name, const char *subject, const char *text);
void opt_mark(void);
void opt_back(void);

/* 0, or -1 after reporting: the option is missing; the two are both given. */
int opt_need(const char *name);
int opt_exclude(const char *a, const char *b);

#endif
