#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "ptycho_options.h"

enum { ITERATIONS = 40, ITERATIONS_MAX = 1000000 };

enum kind { REAL, WHOLE, YES, NO, NOISES, ORDER };

/* A key: where its value goes, and what it may be. */
struct key {
	const char *name;
	const char *engines; /* that know it, each followed by a blank */
	enum kind kind;
	size_t offset;
	double lo, hi;
};
#define PIE "epie rpie wasp "
#define BATCHED PIE "lsqml "
#define WAVES "dm raar "
#define ALL BATCHED "mlgrad ml er " WAVES
#define AT(field) offsetof(struct stage, field)
static const struct key keys[] = {
	{ "alpha", PIE, REAL, AT(alpha), 0, 1e6 },
	{ "beta", PIE WAVES, REAL, AT(beta), 0, 1e6 },
	{ "noise", "lsqml mlgrad ml ", NOISES, AT(noise), 0, 0 },
	{ "step", "lsqml ", REAL, AT(step), 0, 10 },
	{ "delta", "lsqml ", REAL, AT(delta), 0, 1e6 },
	{ "damp", "lsqml ", REAL, AT(damp), 0, 1e6 },
	{ "compact", "lsqml ", YES, AT(compact), 0, 1 },
	{ "momentum", "lsqml ", REAL, AT(momentum), 0, 1 },
	{ "norm", "mlgrad ", REAL, AT(norm), 1e-30, 1e30 },
	{ "per_batch", "mlgrad ", YES, AT(per_batch), 0, 1 },
	{ "relax", WAVES, REAL, AT(relax), 0, 1e6 },
	{ "avg", WAVES, REAL, AT(average), 0, 1 },
	{ "inner", "er " WAVES, WHOLE, AT(inner), 1, 1000 },
	{ "floor", "ml ", REAL, AT(floor), 1e-12, 1e12 },
	{ "batch", ALL, WHOLE, AT(batch), 1, 1e9 },
	{ "order", BATCHED, ORDER, AT(sequential), 0, 0 },
	{ "pos", BATCHED, YES, AT(refine), 0, 1 },
	{ "probe", ALL, NO, AT(probe_fixed), 0, 1 },
	{ "modes", ALL, WHOLE, AT(modes), 1, MODES_MAX },
};
enum { KEYS = sizeof keys / sizeof keys[0] };

static struct stage stage_of(const struct engine *e)
{
	struct stage s = { .engine = e,
			   .iterations = ITERATIONS,
			   .batch = 8,
			   .refine = true,
			   .alpha = 1,
			   .beta = 1,
			   .step = 0.9,
			   .delta = 0.1,
			   .damp = 0.1,
			   .momentum = 0.5,
			   .norm = 1e-3,
			   .relax = 0.05,
			   .inner = 10,
			   .floor = 0.1 };

	if (e == &engine_rpie)
		s.alpha = s.beta = 0.5;
	if (e == &engine_wasp)
		s.alpha = 2;
	if (e == &engine_lsqml)
		s.batch = 16;
	if (e == &engine_mlgrad) {
		s.noise = NOISE_POISSON;
		s.batch = 64;
	}
	if (e == &engine_ml)
		s.noise = NOISE_EUCLID;
	if (e == &engine_raar)
		s.beta = 0.75;
	if (e == &engine_er)
		s.inner = 1;
	return s;
}

/* Is the engine one of those named? */
static bool has(const char *engines, const char *name)
{
	size_t n = strlen(name);

	for (const char *s = engines; *s; s = strchr(s, ' ') + 1)
		if (memcmp(s, name, n) == 0 && s[n] == ' ')
			return true;
	return false;
}

static int unknown_key(const struct engine *e, const char *text)
{
	char known[400] = "";

	for (size_t i = 0; i < KEYS; i++)
		if (has(keys[i].engines, e->name))
			snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s",
				 *known ? ", " : "", keys[i].name);
	return error("'--algorithm': '%s' is no key of %s, expected %s", text, e->name, known);
}

/* "gauss" ... of those that the engine knows: lsqml and mlgrad have no euclid. */
static int take_noise(const struct engine *e, const char *text, enum noise *noise)
{
	static const char *const words[] = { "gauss", "poisson", "euclid" };
	int n = e == &engine_ml ? 3 : 2;

	for (int i = 0; i < n; i++)
		if (strcmp(text, words[i]) == 0) {
			*noise = (enum noise)i;
			return 0;
		}
	return error("'--algorithm': noise '%s' of %s, expected %s", text, e->name,
		     n == 3 ? "gauss, poisson or euclid" : "gauss or poisson");
}

static int take_number(const struct stage *s, const struct key *k, const char *text, double *v)
{
	char *end;

	*v = strtod(text, &end);
	if (end == text || *end || isspace((unsigned char)text[0]) || !isfinite(*v) || *v < k->lo ||
	    *v > k->hi || (k->kind != REAL && *v != floor(*v)))
		return error("'--algorithm': %s '%s' of %s, expected %s of %g to %g", k->name, text,
			     s->engine->name, k->kind == REAL ? "a number" : "a whole number",
			     k->lo, k->hi);
	return 0;
}

static int take_key(struct stage *s, char *text)
{
	char *value = strchr(text, '=');
	const struct key *k = keys;
	void *to;
	double v;

	if (!value)
		return error("'--algorithm': '%s', expected key=value", text);
	*value++ = '\0';
	while (k < keys + KEYS && (strcmp(k->name, text) != 0 || !has(k->engines, s->engine->name)))
		k++;
	if (k == keys + KEYS)
		return unknown_key(s->engine, text);
	to = (char *)s + k->offset;
	if (k->kind == NOISES)
		return take_noise(s->engine, value, to);
	if (k->kind == ORDER) {
		if (strcmp(value, "random") != 0 && strcmp(value, "sequential") != 0)
			return error("'--algorithm': order '%s', expected random or sequential",
				     value);
		*(bool *)to = value[0] == 's';
		return 0;
	}
	if (take_number(s, k, value, &v) != 0)
		return -1;
	if (k->kind == REAL)
		*(double *)to = v;
	else if (k->kind == WHOLE) /* long and size_t are of one size */
		*(long *)to = (long)v;
	else
		*(bool *)to = k->kind == YES ? v != 0 : v == 0;
	return 0;
}

static int take_iterations(struct stage *s, const char *text)
{
	char *end;

	errno = 0;
	s->iterations = strtol(text, &end, 10);
	if (!isdigit((unsigned char)text[0]) || *end || errno || s->iterations > ITERATIONS_MAX)
		return error(
			"'--algorithm': '%s' iterations of %s, expected a whole number of 0 to %d",
			text, s->engine->name, ITERATIONS_MAX);
	return 0;
}

/* One stage; text is taken apart. */
static int take_stage(char *text, long batch, bool sequential, struct stage *s)
{
	char *rest = NULL, *word = strtok_r(text, ":", &rest);
	const struct engine *e = word ? engine_find(word) : NULL;

	if (!e)
		return error("'--algorithm': '%s', expected an engine: epie, rpie, wasp, lsqml, "
			     "mlgrad, ml, dm, raar "
			     "or er",
			     word ? word : "");
	*s = stage_of(e);
	s->sequential = sequential;
	if (batch > 0 && e->sequential_updates)
		s->batch = (size_t)batch;
	word = strtok_r(NULL, ":", &rest);
	if (word && take_iterations(s, word) != 0)
		return -1;
	while (word && (word = strtok_r(NULL, ":", &rest)))
		if (take_key(s, word) != 0)
			return -1;
	return 0;
}

int chain_parse(const char *text, long batch, bool sequential, struct stage *stage, size_t *n)
{
	char *copy = mem_strdup(text), *next = copy;
	int rc = -1;

	for (*n = 0; next; ++*n) {
		char *one = next;

		next = strchr(one, ',');
		if (next)
			*next++ = '\0';
		if (*n == MAX_STAGES) {
			error("'--algorithm': more than %d stages, expected fewer", MAX_STAGES);
			goto done;
		}
		if (take_stage(one, batch, sequential, &stage[*n]) != 0)
			goto done;
	}
	rc = 0;
done:
	free(copy);
	return rc;
}
