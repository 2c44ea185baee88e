/* Config files, over an option of every type. */
#include "base/opt.h"
#include "tests/fuzz/fuzz.h"

static bool flag, on;
static long integer[2], word;
static size_t size_;
static double real[3], length, angle, energy, metre;
static const char *text, *mem;
static int choice;
static struct opt_list list;
static struct opt_grid grid;
static const struct opt table[] = {
	{ OPT_FLAG, "flag", .flag = &flag, .help = "a flag" },
	{ OPT_SWITCH, "switch", .flag = &on, .initial = "yes", .help = "a switch" },
	{ OPT_INT, "int", .integer = integer, .values = 2, .range = "[1,10000]", .repeat = true,
	  .help = "two numbers" },
	{ OPT_INT, "word", .integer = &word, .choices = "auto=0|off=-1",
	  .help = "a number or a word" },
	{ OPT_SIZE, "size", .size = &size_, .help = "a size" },
	{ OPT_REAL, "real", .real = real, .values = 3, .range = "(0,inf)", .choices = "off=inf",
	  .help = "three numbers" },
	{ OPT_REAL, "length", .real = &length, .unit = UNIT_LENGTH, .range = "(0,inf)",
	  .help = "a length" },
	{ OPT_REAL, "angle", .real = &angle, .unit = UNIT_ANGLE, .range = "[0,1.2]",
	  .help = "an angle" },
	{ OPT_REAL, "energy", .real = &energy, .unit = UNIT_ENERGY, .help = "an energy" },
	{ OPT_REAL, "metre", .real = &metre, .unit = UNIT_METRE, .help = "a length" },
	{ OPT_MEM, "mem", .text = &mem, .help = "memory" },
	{ OPT_TEXT, "text", .text = &text, .help = "a text" },
	{ OPT_CHOICE, "choice", .choice = &choice, .choices = "thin|thick", .help = "a choice" },
	{ OPT_LIST, "list", .list = &list, .choices = "a|b|c", .help = "a list" },
	{ OPT_GRID, "grid", .grid = &grid, .unit = UNIT_ANGLE, .help = "a grid" },
	{ OPT_IGNORE, .name = "other" },
	{ OPT_END }
};

int fuzz_one(const uint8_t *data, size_t size)
{
	static const struct opt *const tables[] = { table, NULL };
	static const struct program program = { "FILE", "fuzzed", "fuzz", tables, NULL };
	char *argv[] = { "fuzz", "--config", (char *)(uintptr_t)fuzz_file(data, size), NULL };
	struct operands rest;
	int n, status = opt_parse(&program, 3, argv, &rest);

	fuzz_verdict(status == OPT_GO ? 0 : -1);
	if (status == OPT_GO)
		opt_command(&n);
	opt_clear();
	return 0;
}
