/* The option table: values and units, where they come from, what is refused, what --help and
 * --print-options say. */
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "base/opt.h"
#include "tap.h"

enum model { THIN, THICK };

static double pixel, zenith, azimuth, band[2], meniscus, energy, distance;
static long oversample, iters, seed, scale_iters[2], pages[2];
static size_t tile[2], image[2];
static enum model model;
static bool invert, zen_blend;
static const char *output, *profile, *mem;
static struct opt_list optimize;
static struct opt_grid grid;

static const struct opt optics[] = {
	{ OPT_HEADING, .help = "Optics" },
	{ OPT_REAL, "pixel", 'p', .real = &pixel, .unit = UNIT_LENGTH, .range = "(0,inf)",
	  .note = "from the file", .arg = "P", .help = "object-side pixel" },
	{ OPT_REAL, "zenith", .real = &zenith, .unit = UNIT_ANGLE, .range = "[0,1.2]",
	  .initial = "0", .help = "tilt" },
	{ OPT_REAL, "azimuth", .real = &azimuth, .unit = UNIT_ANGLE, .choices = "radial=nan",
	  .arg = "V", .initial = "0", .help = "direction" },
	{ OPT_REAL, "energy", .real = &energy, .unit = UNIT_ENERGY, .help = "energy" },
	{ OPT_REAL, "distance", .real = &distance, .unit = UNIT_METRE, .help = "distance" },
	{ OPT_CHOICE, "model", .choice = &model, .choices = "thin|thick", .initial = "thin",
	  .help = "model" },
	{ OPT_FLAG, "invert", .flag = &invert, .initial = "no", .help = "negate z" },
	{ OPT_IGNORE, .name = "z-pad" },
	{ OPT_IGNORE, .name = "iters" },
	{ OPT_END }
};
static const struct opt others[] = {
	{ OPT_HEADING, .help = "Others" },
	{ OPT_INT, "oversample", .integer = &oversample, .range = "[1,8]", .choices = "auto=0",
	  .initial = "auto", .arg = "N", .help = "pupil plane" },
	{ OPT_INT, "iters", .integer = &iters, .range = "[1,10000]", .initial = "20",
	  .help = "steps" },
	{ OPT_INT, "seed", .integer = &seed, .range = "[0,9223372036854775807]", .help = "seed" },
	{ OPT_INT, "scale-iters", .integer = scale_iters, .values = 2, .range = "[1,10000]",
	  .arg = "LO,HI", .initial = "3,25", .help = "steps by radius" },
	{ OPT_INT, "pages", .integer = pages, .values = 2, .separator = '-', .repeat = true,
	  .range = "[1,inf)", .arg = "A[-B]", .help = "pages" },
	{ OPT_SIZE, "tile", .size = tile, .values = 2, .repeat = true, .initial = "0",
	  .arg = "H[,W]", .help = "tile" },
	{ OPT_SIZE, "image", .size = image, .values = 2, .separator = 'x', .arg = "HxW",
	  .help = "shape" },
	{ OPT_REAL, "band", .real = band, .values = 2, .range = "[0,1]", .initial = "0,1",
	  .arg = "LO,HI", .help = "band" },
	{ OPT_REAL, "meniscus", .real = &meniscus, .range = "(0,1]", .choices = "off=inf",
	  .initial = "off", .arg = "T", .help = "full recipe beyond T" },
	{ OPT_SWITCH, "zen-blend", .flag = &zen_blend, .initial = "no", .help = "blend" },
	{ OPT_LIST, "optimize", .list = &optimize, .choices = "bfgs|nadam|adam",
	  .help = "methods" },
	{ OPT_GRID, "grid-z", .grid = &grid, .unit = UNIT_SLICE, .help = "grid" },
	{ OPT_MEM, "mem", .text = &mem, .help = "bound" },
	{ OPT_TEXT, "output", 'o', .text = &output, .arg = "FILE", .help = "result" },
	{ OPT_TEXT, "profile", .text = &profile, .optional = true, .arg = "FILE", .help = "times" },
	{ OPT_END }
};
static const struct opt *const tables[] = { optics, others, NULL };
static const struct program program = { "[OPTION]... -o OUT.tif STACK.tif...\n--image HxW",
					"Tests the table.", "unit-opt -o out.tif in.tif", tables,
					NULL };

static struct operands rest;
static char said[8192]; /* what the last parse wrote to stdout and stderr */

static int parse_words(char **words, int n)
{
	FILE *f = tmpfile();
	int out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO);

	fflush(stdout);
	dup2(fileno(f), STDOUT_FILENO);
	dup2(fileno(f), STDERR_FILENO);
	int status = opt_parse(&program, n, words, &rest);

	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	close(out);
	close(err);
	rewind(f);
	said[fread(said, 1, sizeof said - 1, f)] = '\0';
	fclose(f);
	return status;
}
#define PARSE(...)                                                                                 \
	parse_words((char *[]){ "unit-opt", __VA_ARGS__, NULL },                                   \
		    (int)(sizeof((char *[]){ "unit-opt", __VA_ARGS__ }) / sizeof(char *)))

/* a status and a part of the message */
static void refused(int status, const char *part, const char *sentence)
{
	ok(status == EXIT_USAGE && strstr(said, part), "%s", sentence);
	if (status != EXIT_USAGE || !strstr(said, part))
		printf("# status %d, said: %s", status, said);
}

static void config_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	fputs(text, f);
	fclose(f);
}

static void values(void)
{
	pixel = -1;
	ok(PARSE("a") == OPT_GO && pixel == -1 && band[1] == 1 && iters == 20 && model == THIN &&
		   isinf(meniscus),
	   "defaults are parsed from the table; without one the target is left alone");
	ok(PARSE("--pixel", "325nm", "x", "--zenith=5deg", "--", "-y") == OPT_GO &&
		   fabs(pixel - 0.325) < 1e-15 && fabs(zenith - 0.087266462599716477) < 1e-15,
	   "325nm is 0.325 um, 5deg is 0.0873 rad");
	ok(rest.n == 2 && !strcmp(rest.path[0], "x") && !strcmp(rest.path[1], "-y"),
	   "operands may precede options, -- ends them");
	ok(PARSE("--distance", "75um") == OPT_GO && fabs(distance - 75e-6) < 1e-18 &&
		   PARSE("--distance", "2") == OPT_GO && distance == 2,
	   "a length kept in metres has them without a suffix");
	ok(PARSE("--seed", "9223372036854775807") == OPT_GO && seed == 9223372036854775807 &&
		   PARSE("--seed", "9007199254740993") == OPT_GO && seed == 9007199254740993,
	   "a whole number is exact to its last digit");
	ok(PARSE("--seed", "9223372036854775808") == EXIT_USAGE && PARSE("--seed", "-1") == EXIT_USAGE,
	   "and refused beyond its type");
	ok(PARSE("-p1e-3m", "--zenith", "1e-3", "--energy", "8.5keV") == OPT_GO && pixel == 1000 &&
		   zenith == 1e-3 && energy == 8.5,
	   "1e-3m is 1000 um; a number without unit is in the default one");
	ok(PARSE("--azimuth", "-1.5") == OPT_GO && azimuth == -1.5,
	   "a negative number is an argument, not an option");
	ok(PARSE("--azimuth", "radial") == OPT_GO && isnan(azimuth),
	   "a word stands for its value in the table");
	ok(PARSE("--oversample", "auto") == OPT_GO && oversample == 0 &&
		   PARSE("--oversample=8") == OPT_GO && oversample == 8,
	   "an integer or a word");
	ok(PARSE("--tile", "32") == OPT_GO && tile[0] == 32 && tile[1] == 32 &&
		   PARSE("--tile", "32,16") == OPT_GO && tile[0] == 32 && tile[1] == 16,
	   "H stands for H,W");
	ok(PARSE("--image", "80x72") == OPT_GO && image[0] == 80 && image[1] == 72, "HxW");
	ok(PARSE("--pages", "3-7") == OPT_GO && pages[0] == 3 && pages[1] == 7 &&
		   PARSE("--pages", "4") == OPT_GO && pages[1] == 4,
	   "A-B and A");
	ok(PARSE("--band", "0.125,.25") == OPT_GO && band[0] == 0.125 && band[1] == 0.25, "LO,HI");
	ok(PARSE("--grid-z", "-1,0.5,5") == OPT_GO && grid.centre == -1 && grid.half == 0.5 &&
		   grid.n == 5,
	   "C,HALF,N");
	ok(PARSE("--optimize", "adam,bfgs") == OPT_GO && optimize.n == 2 && optimize.item[0] == 2 &&
		   optimize.item[1] == 0,
	   "a list keeps its order");
	ok(PARSE("--zen-blend", "--no-zen-blend", "--invert", "--model=thick") == OPT_GO &&
		   !zen_blend && invert && model == THICK,
	   "--no-NAME takes a switch back");
	profile = NULL;
	ok(PARSE("--profile", "a") == OPT_GO && profile && !*profile && rest.n == 1 &&
		   PARSE("--profile=t.csv") == OPT_GO && !strcmp(profile, "t.csv"),
	   "an optional argument needs =");
	ok(PARSE("--mem", "1.5G") == OPT_GO && !strcmp(mem, "1.5G") &&
		   PARSE("--mem", "50%") == OPT_GO,
	   "sizes");
	ok(opt_given("mem") && !opt_given("band"),
	   "opt_given knows explicit options from defaults");
}

static void refusals(void)
{
	refused(PARSE("--nosuch=3", "a"),
		"'--nosuch': unknown or ambiguous option, see 'unit-opt --help'",
		"an unknown option exits 2 and names --help");
	refused(PARSE("-Z"), "'-Z': unknown option", "an unknown letter");
	refused(PARSE("--pixel"), "'--pixel': its argument is missing", "a missing argument");
	refused(PARSE("--invert=yes"), "'--invert': takes no argument", "a flag with an argument");
	refused(PARSE("--pixel", "0"), "'--pixel': '0', expected a number > 0 um",
		"an open end excludes itself");
	refused(PARSE("--zenith", "1.3"), "'--zenith': '1.3', expected a number 0 to 1.2 rad",
		"out of range names the option and the range");
	refused(PARSE("--zenith", "90deg"), "--zenith", "the range holds after conversion");
	refused(PARSE("--zenith", "3um"), "expected a number 0 to 1.2 rad (or deg)",
		"a length is no angle");
	refused(PARSE("--pixel", "3 um"), "'3 um'", "no blank before the unit");
	refused(PARSE("--pixel", "nan"), "'nan'", "NaN");
	refused(PARSE("--azimuth", "inf"), "'inf', expected a number rad (or deg) or radial",
		"infinity");
	refused(PARSE("--azimuth", "-nan"), "'-nan'", "NaN with a sign");
	refused(PARSE("--azimuth", "1e999"), "'1e999'", "overflow");
	refused(PARSE("--azimuth", "0x10"), "'0x10'", "hexadecimal");
	refused(PARSE("--azimuth", "1,5"), "'1,5'", "a decimal comma");
	refused(PARSE("--azimuth", ""), "''", "nothing");
	refused(PARSE("--iters", "2.5"), "'2.5', expected a whole number 1 to 10000",
		"a fraction of an integer");
	refused(PARSE("--oversample", "9"), "a whole number 1 to 8 or auto",
		"the message names the words as well");
	refused(PARSE("--tile", "-3"), "'-3', expected 1 to 2 whole numbers >= 0",
		"a negative size");
	refused(PARSE("--tile", "3,4,5"), "'3,4,5'", "too many numbers");
	refused(PARSE("--band", "0.2"), "'0.2', expected 2 numbers 0 to 1", "too few numbers");
	refused(PARSE("--image", "80,72"), "'80,72'", "another separator");
	refused(PARSE("--grid-z", "0,-1,5"), "expected CENTRE,HALF,COUNT", "a negative half width");
	refused(PARSE("--grid-z", "0,1"), "'0,1'", "a grid of two numbers");
	refused(PARSE("--model", "thi"), "'thi', expected one of thin, thick",
		"choices are not abbreviated");
	refused(PARSE("--optimize", "bfgs,,adam"), "--optimize", "an empty item of a list");
	refused(PARSE("--optimize", "bfgs,bfgs"), "names 'bfgs' twice", "an item twice");
	refused(PARSE("--mem", "4X"), "'4X', expected a size", "a size with a wrong letter");
	refused(PARSE("--mem", "120%"), "'120%'", "more than everything");
	refused(PARSE("--output="), "'--output': empty", "an empty file name");
	refused(PARSE("--z-pad", "3"), "'--z-pad': unknown", "another tool's key is no option");

	int n = 0;

	PARSE("a", "--pix", "1um", "-q", "--no-zen-blend", "--invert", "--profile");
	char *const *words = opt_command(&n);

	ok(n == 5 && !strcmp(words[0], "unit-opt") && !strcmp(words[1], "--pixel=1um") &&
		   !strcmp(words[2], "--no-zen-blend") && !strcmp(words[3], "--invert") &&
		   !strcmp(words[4], "--profile") && !words[5],
	   "the command has full names, no operands, nothing incidental");
	PARSE("--pixel=1", "--zenith=0");
	ok(opt_exclude("pixel", "zenith") == -1 && opt_exclude("pixel", "band") == 0 &&
		   opt_need("pixel") == 0 && opt_need("band") == -1,
	   "options that exclude each other, options that are needed");
}

static void config(void)
{
	config_file("unit-opt.conf", "# a preset\n; too\n\n  pixel = 1300 nm # not a unit\n");
	refused(PARSE("--config", "./unit-opt.conf"), "'./unit-opt.conf:4: pixel': '1300 nm'",
		"a value names file and line");
	config_file("unit-opt.conf", "# a preset\n  pixel = 1300nm # with a note\nz-pad = "
				     "5\nmodel: thick\ninvert = yes\nzen-blend = on\n"
				     "iters = 7\noutput = a file\n");
	ok(PARSE("--iters", "9", "--config", "unit-opt.conf", "--no-zen-blend") == OPT_GO &&
		   fabs(pixel - 1.3) < 1e-15 && model == THICK && invert && !zen_blend &&
		   iters == 9 && !strcmp(output, "a file"),
	   "keys are long names; the command line wins wherever it stands");
	ok(opt_given("pixel") && opt_given("iters") && !opt_given("band"),
	   "what a config file says is given");
	config_file("unit-opt.conf", "pixel = 1\nnosuch = 3\niters = 0\n");
	refused(PARSE("--config", "./unit-opt.conf"), "'./unit-opt.conf:2': unknown key 'nosuch'",
		"an unknown key names file and line");
	config_file("unit-opt.conf", "config = other\n");
	refused(PARSE("--config", "./unit-opt.conf"), ":1': unknown key 'config'",
		"config files do not nest");
	config_file("unit-opt.conf", "\n[optics]\npixel = 1\n");
	refused(PARSE("--config", "./unit-opt.conf"), ":3': section [optics], expected none",
		"sections are refused");
	config_file("unit-opt.conf", "pixel = 1\njust words\n");
	refused(PARSE("--config", "./unit-opt.conf"), ":2': not a 'key = value' line",
		"a line without =");
	char line[600];

	memset(line, 'x', sizeof line - 1);
	line[sizeof line - 1] = '\0';
	memcpy(line, "output = ", 9);
	config_file("unit-opt.conf", line);
	refused(PARSE("--config", "./unit-opt.conf"), ":1': line of more than",
		"a line too long is not cut silently");
	ok(PARSE("--config", "./nosuch.conf") == EXIT_FAILED && strstr(said, "'./nosuch.conf'"),
	   "a missing config file exits 1");
	ok(PARSE("--config", "./") == EXIT_FAILED, "a folder is no config file");

	config_file("unit-opt.conf", "pixel = 4\n");
	config_file("unit-opt2.conf", "pixel = 5\n");
	ok(PARSE("--config", "unit-opt.conf", "--config", "./unit-opt2.conf") == OPT_GO &&
		   pixel == 5,
	   "the later file wins");
	setenv("SCOPELINE_CONFIG_PATH", "/nonexistent:unit-opt.d", 1);
	(void)!system("mkdir -p unit-opt.d && echo pixel = 6 > unit-opt.d/unit-opt.conf");
	ok(PARSE("--config", "unit-opt.conf") == OPT_GO && pixel == 6,
	   "a bare name is looked for in $SCOPELINE_CONFIG_PATH first");
	(void)!system("rm -r unit-opt.d unit-opt.conf unit-opt2.conf");
}

static void texts(void)
{
	ok(PARSE("--iters", "0", "--help") == EXIT_DONE &&
		   strstr(said, "Usage: unit-opt [OPTION]... -o OUT.tif STACK.tif...\n       "
				"unit-opt --image HxW\n"),
	   "--help exits 0 even after a wrong value");
	ok(strstr(said, "--zenith X") && strstr(said, "(0 to 1.2 rad; default 0)") &&
		   strstr(said, "-p, --pixel P ") && strstr(said, "from the file)"),
	   "each option with range, unit and default");
	ok(strstr(said, "--[no-]zen-blend ") && strstr(said, "--profile[=FILE]") &&
		   strstr(said, "--optimize bfgs|nadam|adam,..."),
	   "the forms of arguments");
	ok(strstr(said, "Example:\n  unit-opt -o out.tif in.tif\n") && !strstr(said, "z-pad") &&
		   !strstr(said, "print-options"),
	   "one example, nothing hidden");
	int longest = 0;

	for (char *s = strtok(said, "\n"); s; s = strtok(NULL, "\n"))
		longest = (int)strlen(s) > longest ? (int)strlen(s) : longest;
	ok(longest <= 80, "no line is longer than 80 (%d)", longest);
	ok(PARSE("--version") == EXIT_DONE && !strncmp(said, "unit-opt (scopeline) ", 21),
	   "--version");
	ok(PARSE("--print-options") == EXIT_DONE &&
		   strstr(said, "model\t-\tchoice\tthin|thick\n") &&
		   strstr(said, "output\to\tfile\t-\n") && strstr(said, "profile\t-\tfile?\t-\n") &&
		   strstr(said, "meniscus\t-\tnumber\toff\n") &&
		   strstr(said, "zen-blend\t-\tswitch\t-\n"),
	   "--print-options is a table of name, letter, kind and choices");
	ok(PARSE("-q") == OPT_GO && verbosity == QUIET && PARSE("-v") == OPT_GO &&
		   verbosity == VERBOSE && PARSE("a") == OPT_GO && verbosity == NORMAL,
	   "-q and -v set the verbosity");
}

int main(int argc, char **argv)
{
	(void)argc;
	program_start(argv[0]);
	values();
	if (setlocale(LC_ALL, "de_DE.UTF-8"))
		ok(PARSE("--azimuth", "0.5") == OPT_GO && azimuth == 0.5,
		   "the decimal point holds in a locale with a comma");
	setlocale(LC_ALL, "C");
	refusals();
	config();
	texts();
	opt_clear();
	return done_testing();
}
