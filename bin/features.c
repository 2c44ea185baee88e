#include "features.h"

#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "batch/common.h"
#include "features_rows.h"

struct features_options features_options;

#define F features_options

const struct opt feature_options[] = {
	{ OPT_HEADING, .help = "Pixels and labels" },
	{ OPT_TEXT, "mask", 'm', .text = &F.mask, .arg = "FILE", .help = "valid pixels are those that are not 0" },
	{ OPT_FLAG, "volume", .flag = &F.volume, .help = "the pages are one 3-D image" },
	{ OPT_TEXT, "axes", .text = &F.axes, .arg = "LETTERS", .note = "from the file, else T",
	  .help = "order of the pages, slow to fast, like CYX or TCYX" },
	{ OPT_TEXT, "channel", 'c', .text = &F.channel, .arg = "LIST", .note = "all",
	  .help = "channels, from 0: 0,2 or 1-3" },
	{ OPT_TEXT, "scale", .text = &F.scale, .arg = "dtype|none|NUMBER", .initial = "dtype",
	  .help = "divide samples by the largest value of an integer type, by nothing, by a number" },
	{ OPT_TEXT, "labels", .text = &F.labels, .arg = "LIST", .note = "all", .help = "label values: 1,5,10-20" },
	{ OPT_CHOICE, "compat", .choice = &F.compat, .choices = "scopeline|cp_measure|cp4|cp5|legacy", .initial = "scopeline",
	  .help = "numbers of cp_measure or CellProfiler 4 or 5 where they differ" },
	{ OPT_HEADING, .help = "Table" },
	{ OPT_TEXT, "features", .text = &F.patterns, .arg = "LIST", .note = "all",
	  .help = "feature columns, by shell patterns with commas between them" },
	{ OPT_FLAG, "dense", .flag = &F.dense, .help = "a row for every label from 1 to the largest" },
	{ OPT_CHOICE, "format", .choice = &F.format, .choices = "csv|tsv", .initial = "csv", .help = "separator of the columns" },
	{ OPT_INT, "digits", .integer = &F.digits, .range = "[3,17]", .initial = "17", .arg = "N", .help = "significant digits" },
	{ OPT_SWITCH, "reason", .flag = &F.reason, .initial = "yes", .help = "last column: why values are nan" },
	{ OPT_END }
};

static size_t columns;
static bool *wanted;		/* [columns] */
static char *header;
static struct label_range *chosen, *channels;	/* of --labels, --channel */
static size_t n_chosen, n_channels;
static double divisor;		/* NAN: the type's largest value */

/* ---- settling the options */

/* "0,2,5-7" to ranges within [lo, hi]; the caller frees.  0, or -1 after reporting. */
static int parse_ranges(const char *option, const char *text, unsigned long lo, unsigned long hi, struct label_range **range,
			size_t *n)
{
	const char *s = text;

	*range = NULL;
	*n = 0;
	do {
		unsigned long v[2];
		char *end = (char *)s;

		for (int i = 0; i < 2; i++) {
			if (strspn(s, "0123456789") == 0 || strspn(s, "0123456789") > 10)
				goto bad;
			v[i] = v[1] = strtoul(s, &end, 10);
			s = end + 1;
			if (*end != '-')
				break;
		}
		if (v[0] < lo || v[1] > hi || v[0] > v[1] || (*end && *end != ','))
			goto bad;
		*range = mem_grow(*range, *n + 1, sizeof **range);
		(*range)[(*n)++] = (struct label_range){ (uint32_t)v[0], (uint32_t)v[1] };
		s = *end ? end + 1 : NULL;
	} while (s);
	return 0;
bad:
	return error("'--%s': '%s', expected numbers and ranges from %lu to %lu, like 1,5,10-20", option, text, lo, hi);
}

static bool in_ranges(const struct label_range *range, size_t n, uint32_t v)
{
	bool in = false;

	for (size_t i = 0; i < n && !in; i++)
		in = v >= range[i].lo && v <= range[i].hi;
	return in;
}

static int parse_scale(void)
{
	char *end;

	if (strcmp(F.scale, "dtype") == 0 || strcmp(F.scale, "none") == 0) {
		divisor = F.scale[0] == 'd' ? NAN : 1;
		return 0;
	}
	divisor = strtod(F.scale, &end);
	if (!strchr("0123456789.", F.scale[0]) || strpbrk(F.scale, "xX") || *end || !isfinite(divisor) || divisor <= 0)
		return error("'--scale': '%s', expected dtype, none or a number above 0", F.scale);
	return 0;
}

static int parse_axes(void)
{
	size_t n;

	if (!F.axes)
		return 0;
	n = strlen(F.axes);
	if (n > 2 && strcmp(F.axes + n - 2, "YX") == 0)
		n -= 2;
	if (n < 1 || n > 3 || strspn(F.axes, "TZC") < n)
		goto bad;
	for (size_t i = 1; i < n; i++)
		if (memchr(F.axes, F.axes[i], i))
			goto bad;
	return 0;
bad:
	return error("'--axes': '%s', expected letters T, Z and C, each at most once, like CYX", F.axes);
}

/* --features: which of the tool's columns, and the header. */
static int choose_columns(const struct features_tool *t)
{
	const char *separator = F.format == FORMAT_TSV ? "\t" : ",";
	char *list = F.patterns ? mem_strdup(F.patterns) : NULL, *rest = list, *pattern, *longer;
	int rc = -1;

	columns = t->n;
	wanted = mem_new(t->n, sizeof *wanted);
	for (size_t i = 0; i < t->n && !list; i++)
		wanted[i] = true;
	while ((pattern = strsep(&rest, ",")) != NULL) {
		bool some = false;

		for (size_t i = 0; i < t->n; i++)
			if (fnmatch(pattern, t->names[i], 0) == 0)
				some = wanted[i] = true;
		if (!some) {
			error("'--features': '%s' matches no column, expected one like %s", pattern, t->names[0]);
			goto done;
		}
	}
	header = mem_printf("image%spage%schannel%slabel", separator, separator, separator);
	for (size_t i = 0; i <= t->n; i++) {
		const char *name = i == t->n ? "reason" : t->names[i];

		if (i == t->n ? !F.reason : !wanted[i])
			continue;
		longer = mem_printf("%s%s%s", header, separator, name);
		free(header);
		header = longer;
	}
	rc = 0;
done:
	free(list);
	return rc;
}

static int check_operands(const struct features_tool *t, const struct operands *rest)
{
	const char *form = t->labels_needed ? "IMAGE LABELS" : t->labels_first ? "[IMAGE] LABELS" : "IMAGE [LABELS]";

	if (common.list && rest->n > 0)
		return error("'%s': an operand beside --list, expected one of them", rest->path[0]);
	if (!common.list && (rest->n < 1 + (size_t)t->labels_needed || rest->n > 2))
		return error("%zu operands, expected %s; see --help", rest->n, form);
	if (features_stdin_users(t, rest) > 1)
		return error("'-': standard input is named %zu times, expected once", features_stdin_users(t, rest));
	return 0;
}

size_t features_stdin_users(const struct features_tool *t, const struct operands *rest)
{
	size_t n = (common.list && strcmp(common.list, "-") == 0) + (F.mask && strcmp(F.mask, "-") == 0);

	(void)t;
	for (size_t i = 0; i < rest->n; i++)
		n += strcmp(rest->path[i], "-") == 0;
	return n;
}

int features_check(const struct features_tool *t, const struct operands *rest)
{
	if (check_operands(t, rest) != 0 || parse_axes() != 0 || parse_scale() != 0 || choose_columns(t) != 0)
		return EXIT_USAGE;
	if (F.labels && parse_ranges("labels", F.labels, 1, OBJECTS_MAX_LABEL, &chosen, &n_chosen) != 0)
		return EXIT_USAGE;
	if (F.channel && parse_ranges("channel", F.channel, 0, 1000000, &channels, &n_channels) != 0)
		return EXIT_USAGE;
	return EXIT_DONE;
}

const char *features_header(void)
{
	return header;
}

bool features_wanted(size_t column)
{
	return wanted[column];
}

bool features_channel(size_t c)
{
	return n_channels == 0 || in_ranges(channels, n_channels, (uint32_t)c);
}

long features_single_channel(void)
{
	return n_channels == 1 && channels[0].lo == channels[0].hi ? (long)channels[0].lo : -1;
}

size_t features_last_channel(void)
{
	size_t last = 0;

	for (size_t i = 0; i < n_channels; i++)
		if (channels[i].hi > last)
			last = channels[i].hi;
	return last;
}

double features_divisor(enum dtype type)
{
	return isnan(divisor) ? pixels_largest(type) : divisor;
}

void features_keep(struct objects *o)
{
	if (n_chosen > 0)
		objects_keep(o, chosen, n_chosen);
}

/* ---- rows */

static void put_row(struct rows *r, uint32_t label, const double *value, const char *reason)
{
	r->line.separator = F.format == FORMAT_TSV ? '\t' : 0;
	csv_put_text(&r->line, r->image);
	csv_put_long(&r->line, (long long)r->page);
	csv_put_long(&r->line, (long long)r->channel);
	csv_put_long(&r->line, label);
	for (size_t i = 0; i < columns; i++)
		if (wanted[i])
			csv_put_digits(&r->line, value ? value[i] : NAN, (int)F.digits);
	if (F.reason)
		csv_put_text(&r->line, reason);
	csv_line_end(&r->line);
}

void features_row(struct rows *r, uint32_t label, const double *value, const char *reason)
{
	for (; F.dense && label > 0 && r->next < label; r->next++)
		if (n_chosen == 0 || in_ranges(chosen, n_chosen, r->next))
			put_row(r, r->next, NULL, "absent");
	if (label > 0)
		r->next = label + 1;
	put_row(r, label, value, reason);
}
