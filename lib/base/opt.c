#include <config.h>

#include "base/opt.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "base/mem.h"
#include "base/opttable.h"
#include "base/optvalue.h"

static struct opt_table table;
static const char **operand_list;

static const char *config_name;
static bool quiet, verbose, version, help, print_options;

static const struct opt builtin[] = {
	{ OPT_HEADING, .help = "General" },
	{ OPT_TEXT, "config", .text = &config_name, .arg = "FILE",
	  .help = "options from a preset or a file of `key = value' lines; the command line wins" },
	{ OPT_FLAG, "quiet", 'q', .flag = &quiet, .incidental = true, .help = "errors only" },
	{ OPT_FLAG, "verbose", 'v', .flag = &verbose, .incidental = true, .help = "say more" },
	{ OPT_FLAG, "version", .flag = &version, .help = "print version and libraries" },
	{ OPT_FLAG, "help", 'h', .flag = &help, .help = "print this" },
	{ OPT_FLAG, "print-options", .flag = &print_options, .hidden = true,
	  .help = "print the table" },
	{ OPT_END }
};

/* an option as it stands on the command line */
struct setting {
	size_t row;
	bool negated;
	const char *text;	/* NULL: without argument */
};

/* codes of getopt_long: letters are themselves, long options FIRST_CODE + 2 row (+ 1 for --no-) */
enum { IN_ORDER = 1, FIRST_CODE = 256 };

static void add_rows(const struct opt *o)
{
	const char *heading = NULL;

	for (; o->type != OPT_END; o++) {
		if (o->type == OPT_HEADING) {
			heading = o->help;
			continue;
		}
		table.row = mem_grow(table.row, table.n + 1, sizeof *table.row);
		table.row[table.n++] = (struct opt_row){ o, heading, false, false };
	}
}

struct opt_row *opt_find(struct opt_table *t, const char *name)
{
	struct opt_row *ignored = NULL;

	for (size_t i = 0; i < t->n; i++) {
		if (strcmp(t->row[i].o->name, name) != 0)
			continue;
		if (t->row[i].o->type != OPT_IGNORE)
			return &t->row[i];
		ignored = &t->row[i];
	}
	return ignored;
}

int opt_set(struct opt_row *r, const char *subject, const char *text)
{
	const struct opt *o = r->o;

	if (o->type == OPT_IGNORE)
		return 0;
	if (opt_value(o, subject, text) != 0)
		return -1;
	r->given = true;
	if (o->type == OPT_FLAG && o->flag == &quiet)
		verbosity = quiet ? QUIET : NORMAL;
	if (o->type == OPT_FLAG && o->flag == &verbose)
		verbosity = verbose ? VERBOSE : NORMAL;
	return 0;
}

static int argument_kind(const struct opt *o)
{
	if (o->type == OPT_FLAG || o->type == OPT_SWITCH)
		return no_argument;
	return o->optional ? optional_argument : required_argument;
}

/* Tables of getopt: letters [2 + 3 n], longs [2 n + 1].  The leading '-' hands operands over in
 * order, so that argv is not permuted. */
static void getopt_tables(char *letters, struct option *longs)
{
	*letters++ = '-';
	*letters++ = ':';
	for (size_t i = 0; i < table.n; i++) {
		const struct opt *o = table.row[i].o;
		int kind = argument_kind(o), code = FIRST_CODE + 2 * (int)i;

		if (o->type == OPT_IGNORE)
			continue;
		if (o->letter)
			*letters++ = o->letter;
		for (int k = 0; o->letter && k < kind; k++)
			*letters++ = ':';
		*longs++ = (struct option){ o->name, kind, NULL, code };
		if (o->type == OPT_SWITCH) {
			table.kept = mem_grow(table.kept, table.n_kept + 1, sizeof *table.kept);
			table.kept[table.n_kept] = mem_printf("no-%s", o->name);
			*longs++ =
				(struct option){ table.kept[table.n_kept++], kind, NULL, code + 1 };
		}
	}
	*letters = '\0';
	*longs = (struct option){ 0 };
}

static size_t row_of_code(int code)
{
	size_t i = 0;

	if (code >= FIRST_CODE)
		return (size_t)(code - FIRST_CODE) / 2;
	while (i < table.n && table.row[i].o->letter != code)
		i++;
	return i;
}

/* a line for what getopt could not take; code is '?' or ':' */
static int refuse_word(int code, char **argv)
{
	size_t row = optopt ? row_of_code(optopt) : table.n;

	if (row == table.n && optopt)
		return error("'-%c': unknown option, see '%s --help'", optopt, program_name);
	if (row == table.n) {
		const char *word = argv[optind - 1];

		return error("'%.*s': unknown or ambiguous option, see '%s --help'",
			     (int)strcspn(word, "="), word, program_name);
	}
	char arg[512] = "";
	const char *name = opt_arg(table.row[row].o, arg, sizeof arg);

	if (code == ':')
		return error("'--%s': its argument is missing, expected %s; see '%s --help'",
			     table.row[row].o->name, name, program_name);
	return error("'--%s': takes no argument, see '%s --help'", table.row[row].o->name,
		     program_name);
}

/* argv to settings and operands.  OPT_GO, or the exit status */
static int scan(int argc, char **argv, struct setting *s, size_t *n, struct operands *rest)
{
	char *letters = mem_new(2 + 3 * table.n + 1, 1);
	struct option *longs = mem_new(2 * table.n + 1, sizeof *longs);
	int code, status = OPT_GO;

	getopt_tables(letters, longs);
	optind = 0;	/* glibc: start afresh */
	opterr = 0;
	while (status == OPT_GO && (code = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		if (code == IN_ORDER) {
			operand_list[rest->n++] = optarg;
			continue;
		}
		if (code == '?' || code == ':') {
			refuse_word(code, argv);
			status = EXIT_USAGE;
			break;
		}
		s[*n] = (struct setting){ row_of_code(code), code >= FIRST_CODE && code % 2,
					  optarg };
		if (table.row[s[*n].row].o->flag == &help)
			opt_help(&table, stdout), status = EXIT_DONE;
		if (table.row[s[*n].row].o->flag == &print_options)
			opt_print(&table, stdout), status = EXIT_DONE;
		if (table.row[s[*n].row].o->flag == &version) {
			printf("%s (%s) %s\n", program_name, PACKAGE_NAME, PACKAGE_VERSION);
			if (table.program->features)
				table.program->features(stdout);
			status = EXIT_DONE;
		}
		++*n;
	}
	for (; status == OPT_GO && optind < argc; optind++)
		operand_list[rest->n++] = argv[optind];
	free(letters);
	free(longs);
	return status;
}

static int apply(const struct setting *s)
{
	struct opt_row *r = &table.row[s->row];
	char subject[128];

	snprintf(subject, sizeof subject, "--%s%s", s->negated ? "no-" : "", r->o->name);
	if (argument_kind(r->o) == no_argument)
		return opt_set(r, subject, s->negated ? "no" : "yes");
	return opt_set(r, subject, s->text ? s->text : "");
}

static void keep_command(const struct setting *s, size_t n)
{
	table.command = mem_new(n + 2, sizeof *table.command);
	table.command[table.n_command++] = mem_strdup(program_name);
	for (size_t i = 0; i < n; i++) {
		const struct opt *o = table.row[s[i].row].o;

		if (o->incidental)
			continue;
		table.command[table.n_command++] =
			mem_printf("--%s%s%s%s", s[i].negated ? "no-" : "", o->name,
				   s[i].text ? "=" : "", s[i].text ? s[i].text : "");
	}
}

char *const *opt_command(int *n)
{
	*n = (int)table.n_command;
	return table.command;
}

/* A standard stream that is closed keeps its number taken: the next file opened must not become it, and using it stays an error. */
static void hold_standard_streams(void)
{
	static const int mode[] = { O_WRONLY, O_RDONLY, O_RDWR };

	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", mode[fd]) != fd)
			_exit(EXIT_FAILED);
}

int opt_parse(const struct program *p, int argc, char **argv, struct operands *rest)
{
	struct setting *s = mem_new((size_t)argc + 1, sizeof *s);
	size_t n = 0;
	int status;

	hold_standard_streams();
	opt_clear();
	verbosity = NORMAL;
	table.program = p;
	for (size_t i = 0; p->tables[i]; i++)
		add_rows(p->tables[i]);
	add_rows(builtin);
	for (size_t i = 0; i < table.n; i++)
		if (table.row[i].o->initial &&
		    opt_value(table.row[i].o, table.row[i].o->name, table.row[i].o->initial) != 0)
			die(EXIT_FAILED, "'%s': the table's own default is refused",
			    table.row[i].o->name);
	operand_list = mem_new((size_t)argc + 1, sizeof *operand_list);
	*rest = (struct operands){ 0, operand_list };

	status = scan(argc, argv, s, &n, rest);
	for (size_t i = 0; i < n && status == OPT_GO; i++)
		if (table.row[s[i].row].o->text == &config_name) {
			int failed = opt_config(&table, s[i].text);

			status = failed ? failed : OPT_GO;
		}
	for (size_t i = 0; i < n && status == OPT_GO; i++)
		if (apply(&s[i]) != 0)
			status = EXIT_USAGE;
	keep_command(s, n);
	free(s);
	return status;
}

void opt_clear(void)
{
	for (size_t i = 0; i < table.n_kept; i++)
		free(table.kept[i]);
	free(table.kept);
	for (size_t i = 0; i < table.n_command; i++)
		free(table.command[i]);
	free(table.command);
	free(table.row);
	free(operand_list);
	operand_list = NULL;
	table = (struct opt_table){ 0 };
}

static const struct opt_row *must_find(const char *name)
{
	const struct opt_row *r = opt_find(&table, name);

	if (!r)
		die(EXIT_FAILED, "'%s': asked for, but not in the option table", name);
	return r;
}

bool opt_given(const char *name)
{
	return must_find(name)->given;
}

int opt_put(const char *name, const char *subject, const char *text)
{
	struct opt_row *r = opt_find(&table, name);

	return r ? opt_set(r, subject, text) : error("'%s': no such option", subject);
}

void opt_mark(void)
{
	for (size_t i = 0; i < table.n; i++)
		table.row[i].marked = table.row[i].given;
}

void opt_back(void)
{
	for (size_t i = 0; i < table.n; i++)
		table.row[i].given = table.row[i].marked;
}

int opt_need(const char *name)
{
	const struct opt_row *r = must_find(name);

	if (r->given)
		return 0;
	return error("'--%s': missing, see '%s --help'", name, program_name);
}

int opt_exclude(const char *a, const char *b)
{
	if (!opt_given(a) || !opt_given(b))
		return 0;
	return error("'--%s' and '--%s': both given, expected one of them", a, b);
}
