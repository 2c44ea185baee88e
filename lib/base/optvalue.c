#include "base/optvalue.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"

static const struct suffix {
	enum opt_unit unit;
	const char *name;
	double factor;
} suffixes[] = {
	{ UNIT_LENGTH, "um", 1 },  { UNIT_LENGTH, "nm", 1e-3 },
	{ UNIT_LENGTH, "mm", 1e3 }, { UNIT_LENGTH, "m", 1e6 },
	{ UNIT_METRE, "m", 1 },	   { UNIT_METRE, "mm", 1e-3 },
	{ UNIT_METRE, "um", 1e-6 }, { UNIT_METRE, "nm", 1e-9 },
	{ UNIT_ANGLE, "rad", 1 },  { UNIT_ANGLE, "deg", 3.14159265358979323846 / 180 },
	{ UNIT_ENERGY, "keV", 1 }, { UNIT_PIXEL, "px", 1 },
};
enum { N_SUFFIXES = sizeof suffixes / sizeof suffixes[0], GRID_MAX = 10000 };

static const struct { const char *name, *others; } units[] = {
	[UNIT_NONE] = { "", "" },
	[UNIT_LENGTH] = { "um", " (or nm, mm, m)" },
	[UNIT_METRE] = { "m", " (or mm, um, nm)" },
	[UNIT_ANGLE] = { "rad", " (or deg)" },
	[UNIT_ENERGY] = { "keV", "" },
	[UNIT_PIXEL] = { "px", "" },
	[UNIT_SLICE] = { "slices", "" },
};

/* strtod with '.' whatever the locale */
static double decimal(const char *s, char **end)
{
	static locale_t c_locale;

	if (!c_locale)
		c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	locale_t before = uselocale(c_locale);
	double v = strtod(s, end);

	uselocale(before);
	return v;
}

struct range {
	double lo, hi;
	bool lo_open, hi_open;
};

/* "[0,1.2]", "(0,inf)": written by the programmer, hence not checked here but by tests/unit-opt */
static struct range range_parse(const char *text)
{
	struct range r = { -INFINITY, INFINITY, true, true };
	char *end;

	if (!text)
		return r;
	r.lo_open = text[0] == '(';
	r.lo = decimal(text + 1, &end);
	r.hi = decimal(end + 1, &end);
	r.hi_open = *end == ')';
	return r;
}

static bool range_has(const struct range *r, double v)
{
	return (r->lo_open ? v > r->lo : v >= r->lo) && (r->hi_open ? v < r->hi : v <= r->hi);
}

static void range_words(const struct opt *o, char *s, size_t n)
{
	struct range r = range_parse(o->range);

	if (isinf(r.lo) && isinf(r.hi))
		snprintf(s, n, "%s", o->type == OPT_SIZE ? ">= 0" : "");
	else if (isinf(r.hi))
		snprintf(s, n, "%s %.12g", r.lo_open ? ">" : ">=", r.lo);
	else if (isinf(r.lo))
		snprintf(s, n, "%s %.12g", r.hi_open ? "<" : "<=", r.hi);
	else if (!r.lo_open && !r.hi_open)
		snprintf(s, n, "%.12g to %.12g", r.lo, r.hi);
	else
		snprintf(s, n, "%s %.12g and %s %.12g", r.lo_open ? ">" : ">=", r.lo,
			 r.hi_open ? "<" : "<=", r.hi);
}

const char *opt_choice(const char *choices, size_t i, size_t *len, const char **value)
{
	const char *s = choices;

	while (s && i-- > 0) {
		s = strchr(s, '|');
		s = s ? s + 1 : NULL;
	}
	if (!s)
		return NULL;
	*len = strcspn(s, "=|");
	*value = s[*len] == '=' ? s + *len + 1 : NULL;
	return s;
}

/* position of text[len] among choices, or -1 */
static int find_choice(const char *choices, const char *text, size_t len, const char **value)
{
	size_t n;
	const char *s;

	for (int i = 0; choices && (s = opt_choice(choices, (size_t)i, &n, value)); i++)
		if (n == len && memcmp(s, text, n) == 0)
			return i;
	return -1;
}

void opt_choice_words(const char *choices, char *s, size_t n)
{
	size_t len, used = 0;
	const char *c, *value;

	s[0] = '\0';
	for (size_t i = 0; choices && used < n && (c = opt_choice(choices, i, &len, &value)); i++)
		used += (size_t)snprintf(s + used, n - used, "%s%.*s", i ? ", " : "", (int)len, c);
}

/* what the option takes, for the end of a message */
static void expected(const struct opt *o, char *s, size_t n)
{
	static const char *const kinds[] = {
		[OPT_INT] = "a whole number",
		[OPT_SIZE] = "a whole number",
		[OPT_REAL] = "a number",
		[OPT_GRID] = "CENTRE,HALF,COUNT",
	};
	bool number = o->type == OPT_INT || o->type == OPT_SIZE || o->type == OPT_REAL ||
		      o->type == OPT_GRID;
	char limits[128], words[512];
	int k = 0;

	opt_limits(o, limits, sizeof limits);
	opt_choice_words(o->choices, words, sizeof words);
	if (number && o->values > 1)
		k = snprintf(s, n, "%s%d %ss %s%s", o->repeat ? "1 to " : "", o->values,
			     kinds[o->type] + 2, limits, units[o->unit].others);
	else if (number)
		k = snprintf(s, n, "%s%s%s%s", kinds[o->type], limits[0] ? " " : "", limits,
			     units[o->unit].others);
	if (o->choices && (size_t)k < n)
		snprintf(s + k, n - (size_t)k, "%s%s%s", number ? " or " : "one of ",
			 o->type == OPT_LIST ? "(comma-separated) " : "", words);
}

static int refuse(const struct opt *o, const char *subject, const char *text)
{
	char want[1024] = "";

	expected(o, want, sizeof want);
	return error("'%s': '%s', expected %s", subject, text, want);
}

/* One number at *s up to a separator or the end.  strtod would also take hexadecimal, blanks and
 * "nan". */
static int number(const struct opt *o, const char **s, char separator, double *v)
{
	const char *digits = *s + strspn(*s, "+-");
	char *end;

	if (strspn(*s, "+-.0123456789") == 0 || (digits[0] == '0' && (digits[1] | 32) == 'x'))
		return -1;
	*v = decimal(*s, &end);
	if (end == *s || !isfinite(*v))
		return -1;
	size_t len = strcspn(end, (char[]){ separator, '\0' });
	if (len > 0) {
		const struct suffix *u = suffixes;

		while (u < suffixes + N_SUFFIXES &&
		       (u->unit != o->unit || strlen(u->name) != len || memcmp(u->name, end, len)))
			u++;
		if (u == suffixes + N_SUFFIXES)
			return -1;
		*v *= u->factor;
	}
	*s = end + len;
	return isfinite(*v) ? 0 : -1;
}

static bool whole(double v)
{
	return v == floor(v) && fabs(v) <= 9007199254740992.0;
}

static void store(const struct opt *o, int i, double v)
{
	if (o->type == OPT_INT)
		o->integer[i] = (long)v;
	else if (o->type == OPT_SIZE)
		o->size[i] = (size_t)v;
	else
		o->real[i] = v;
}

/* One integer of plain digits, exact beyond the 2^53 of a double: a seed may be.  -1: not such. */
static int exact(const struct opt *o, const struct range *r, const char *text)
{
	long v;

	if (o->type != OPT_INT || o->values > 1 || strspn(text, "0123456789") != strlen(text))
		return -1;
	errno = 0;
	v = strtol(text, NULL, 10);
	if (errno || text[0] == '\0' || !range_has(r, (double)v))
		return -1;
	o->integer[0] = v;
	return 0;
}

static int numbers(const struct opt *o, const char *subject, const char *text)
{
	struct range r = range_parse(o->range);
	char separator = o->separator ? o->separator : ',';
	int n = o->values > 1 ? o->values : 1, k = 0;
	const char *s = text, *word;
	double v[8];

	if (find_choice(o->choices, text, strlen(text), &word) >= 0 && word) {
		store(o, 0, decimal(word, NULL));
		return 0;
	}
	if (exact(o, &r, text) == 0)
		return 0;
	do {
		if (k == n || number(o, &s, separator, &v[k]) != 0 || !range_has(&r, v[k]))
			return refuse(o, subject, text);
		if (o->type != OPT_REAL && (!whole(v[k]) || (o->type == OPT_SIZE && v[k] < 0)))
			return refuse(o, subject, text);
		k++;
	} while (*s++ == separator);
	if (k < n && !o->repeat)
		return refuse(o, subject, text);
	for (int i = 0; i < n; i++)
		store(o, i, v[i < k ? i : k - 1]);
	return 0;
}

static int grid(const struct opt *o, const char *subject, const char *text)
{
	struct range r = range_parse(o->range);
	const char *s = text;
	double v[3];

	for (int i = 0; i < 3; i++) {
		if (number(o, &s, ',', &v[i]) != 0 || *s != (i < 2 ? ',' : '\0'))
			return refuse(o, subject, text);
		s++;
	}
	if (!range_has(&r, v[0]) || v[1] < 0 || !whole(v[2]) || v[2] < 1 || v[2] > GRID_MAX)
		return refuse(o, subject, text);
	*o->grid = (struct opt_grid){ v[0], v[1], (long)v[2] };
	return 0;
}

static int list(const struct opt *o, const char *subject, const char *text)
{
	struct opt_list l = { 0 };
	const char *s = text, *value;

	for (;;) {
		size_t len = strcspn(s, ",");
		int i = find_choice(o->choices, s, len, &value);

		for (size_t k = 0; i >= 0 && k < l.n; k++)
			if (l.item[k] == i)
				return error("'%s': '%s' names '%.*s' twice", subject, text,
					     (int)len, s);
		if (i < 0 || l.n == OPT_LIST_MAX)
			return refuse(o, subject, text);
		l.item[l.n++] = i;
		if (s[len] == '\0')
			break;
		s += len + 1;
	}
	*o->list = l;
	return 0;
}

/* "4G", "512M", "1048576", "50%": only the form, the device layer knows the total */
static int mem(const struct opt *o, const char *subject, const char *text)
{
	size_t digits = strspn(text, "0123456789");
	size_t fraction = text[digits] == '.' ? strspn(text + digits + 1, "0123456789") + 1 : 0;
	const char *unit = text + digits + fraction;
	double v = decimal(text, NULL);

	if (digits == 0 || v <= 0 || (*unit && (!strchr("kKMGT%", *unit) || unit[1])) ||
	    (*unit == '%' && v > 100))
		return error("'%s': '%s', expected a size in bytes (512M, 4G) or up to 100%%",
			     subject, text);
	*o->text = text;
	return 0;
}

static int yes_or_no(const struct opt *o, const char *subject, const char *text)
{
	static const char *const words[] = { "no", "yes", "off", "on", "false", "true", "0", "1" };

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcmp(text, words[i]) == 0) {
			*o->flag = i % 2 != 0;
			return 0;
		}
	return error("'%s': '%s', expected yes or no", subject, text);
}

int opt_value(const struct opt *o, const char *subject, const char *text)
{
	const char *value;
	int i;

	switch (o->type) {
	case OPT_FLAG:
	case OPT_SWITCH:
		return yes_or_no(o, subject, text);
	case OPT_INT:
	case OPT_SIZE:
	case OPT_REAL:
		return numbers(o, subject, text);
	case OPT_GRID:
		return grid(o, subject, text);
	case OPT_MEM:
		return mem(o, subject, text);
	case OPT_TEXT:
		if (text[0] == '\0' && !o->optional)
			return error("'%s': empty, expected %s", subject,
				     o->arg ? o->arg : "a text");
		*o->text = text;
		return 0;
	case OPT_CHOICE:
		i = find_choice(o->choices, text, strlen(text), &value);
		if (i < 0)
			return refuse(o, subject, text);
		*(int *)o->choice = i;
		return 0;
	case OPT_LIST:
		return list(o, subject, text);
	case OPT_IGNORE:
	case OPT_HEADING:
	case OPT_END:
		break;
	}
	return 0;
}

void opt_limits(const struct opt *o, char *s, size_t n)
{
	char range[128];

	range_words(o, range, sizeof range);
	snprintf(s, n, "%s%s%s", range, range[0] && o->unit ? " " : "", units[o->unit].name);
}

size_t opt_bare_choices(const char *choices, char *s, size_t n)
{
	size_t len, used = 0;
	const char *c, *value;

	for (size_t i = 0; choices && used < n && (c = opt_choice(choices, i, &len, &value)); i++)
		used += (size_t)snprintf(s + used, n - used, "%s%.*s", i ? "|" : "", (int)len, c);
	return used;
}

const char *opt_arg(const struct opt *o, char *s, size_t n)
{
	static const char *const names[] = {
		[OPT_INT] = "N", [OPT_SIZE] = "N", [OPT_REAL] = "X",
		[OPT_MEM] = "SIZE", [OPT_TEXT] = "TEXT", [OPT_GRID] = "C,HALF,N",
	};
	const char *name = o->arg;
	size_t used = 0;

	if (o->type == OPT_FLAG || o->type == OPT_SWITCH)
		return NULL;
	if (!name && o->type != OPT_CHOICE && o->type != OPT_LIST)
		name = names[o->type];
	if (name)
		used = (size_t)snprintf(s, n, "%s%s", name,
					o->choices && o->type != OPT_LIST ? "|" : "");
	if (!o->choices || used >= n || (name && o->type == OPT_LIST))
		return s;
	used += opt_bare_choices(o->choices, s + used, n - used);
	if (o->type == OPT_LIST && used < n)
		snprintf(s + used, n - used, ",...");
	return s;
}

const char *opt_kind(const struct opt *o)
{
	switch (o->type) {
	case OPT_FLAG:
		return "flag";
	case OPT_SWITCH:
		return "switch";
	case OPT_CHOICE:
		return "choice";
	case OPT_LIST:
		return "list";
	case OPT_TEXT:
		if (o->arg && strncmp(o->arg, "FILE", 4) == 0)
			return "file";
		return o->arg && strncmp(o->arg, "DIR", 3) == 0 ? "dir" : "text";
	default:
		return o->type == OPT_MEM ? "text" : "number";
	}
}
