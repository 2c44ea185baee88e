/* The text of a model file: spec section 3. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "kplanes/model.h"

/* A key, and the number behind its dot: "rotation.3"; -1: none. */
struct entry {
	char *key, *value;
	long index;
};

/* What was seen, in two passes: the counts first, since sizes and lists hang on them. */
struct reader {
	const char *path;
	struct kplanes_model *m;
	bool seen[16], rotation[KP_ROTATIONS], quaternion[KP_ROTATIONS], size[KP_LEVELS];
};

enum key {
	FORMAT,
	ROTATIONS,
	CHANNELS,
	LEVELS,
	SHAPE,
	ACTIVATION,
	OFFSET,
	SCALE,
	BIAS,
	NEEDED,
	SIZE = NEEDED,
	ROTATION,
	QUATERNION,
	WEIGHT,
	KEYS
};
static const char *const names[KEYS] = { "format",     "rotations",  "channels", "levels", "shape",
					 "activation", "offset",     "scale",	 "bias",   "size",
					 "rotation",   "quaternion", "weight" };

/* Exactly n finite numbers; -1 if there are more, fewer or others. */
static int numbers(const char *text, double *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *end;

		v[i] = strtod(text, &end);
		if (end == text || !isfinite(v[i]))
			return -1;
		text = end;
	}
	return text[strspn(text, " \t")] == '\0' ? 0 : -1;
}

static int wrong(const struct reader *r, const struct entry *e, const char *expected)
{
	return error("'%s': %s is '%.60s', expected %s", r->path, e->key, e->value, expected);
}

static int whole(const struct reader *r, const struct entry *e, size_t *to, size_t n, double most)
{
	double v[3];
	char text[80];

	snprintf(text, sizeof text, "%zu whole number%s from 1 to %.0f", n, n == 1 ? "" : "s",
		 most);
	if (numbers(e->value, v, n) != 0)
		return wrong(r, e, text);
	for (size_t i = 0; i < n; i++) {
		if (!(v[i] >= 1 && v[i] <= most && v[i] == floor(v[i])))
			return wrong(r, e, text);
		to[i] = (size_t)v[i];
	}
	return 0;
}

static int reals(const struct reader *r, const struct entry *e, float *to, size_t n)
{
	double v[9];
	char text[40];

	snprintf(text, sizeof text, "%zu number%s", n, n == 1 ? "" : "s");
	if (numbers(e->value, v, n) != 0)
		return wrong(r, e, text);
	for (size_t i = 0; i < n; i++) {
		to[i] = (float)v[i];
		if (!isfinite(to[i]))
			return wrong(r, e, "float32 numbers");
	}
	return 0;
}

static int take_head(struct reader *r, const struct entry *e, enum key k)
{
	struct kplanes_model *m = r->m;
	size_t format;

	r->seen[k] = true;
	switch (k) {
	case FORMAT:
		return whole(r, e, &format, 1, 1);
	case ROTATIONS:
		return whole(r, e, &m->rotations, 1, KP_ROTATIONS);
	case CHANNELS:
		return whole(r, e, &m->channels, 1, KP_CHANNELS);
	case LEVELS:
		return whole(r, e, &m->levels, 1, KP_LEVELS);
	case SHAPE:
		return whole(r, e, m->shape, 3, 0x1p31);
	case ACTIVATION:
		m->activation =
			strcmp(e->value, "softplus") == 0 ? ACTIVATION_SOFTPLUS : ACTIVATION_LINEAR;
		return m->activation || strcmp(e->value, "linear") == 0
			       ? 0
			       : wrong(r, e, "linear or softplus");
	case OFFSET:
		return reals(r, e, &m->offset, 1);
	case SCALE:
		return reals(r, e, &m->scale, 1);
	default:
		return reals(r, e, &m->bias, 1);
	}
}

static int take_item(struct reader *r, const struct entry *e, enum key k)
{
	struct kplanes_model *m = r->m;
	size_t i = (size_t)e->index, most = k == SIZE	  ? m->levels
					    : k == WEIGHT ? kplanes_features(m)
							  : m->rotations;

	if (i >= most)
		return 0;
	switch (k) {
	case SIZE:
		r->size[i] = true;
		return whole(r, e, m->size[i], 2, KP_EXTENT);
	case ROTATION:
		r->rotation[i] = true;
		return reals(r, e, m->rot[i], 9);
	case QUATERNION:
		r->quaternion[i] = true;
		return reals(r, e, m->quat[i], 4);
	default:
		return reals(r, e, &m->weight[i], 1);
	}
}

/* "key.index = value" of a line, cut in place; false if it has no '='. */
static bool split(char *line, struct entry *e)
{
	char *equals = strchr(line, '='), *dot, *end;

	if (!equals)
		return false;
	line[strcspn(line, "\r\n")] = '\0';
	*equals = '\0';
	e->key = line + strspn(line, " \t");
	e->key[strcspn(e->key, " \t")] = '\0';
	e->value = equals + 1 + strspn(equals + 1, " \t");
	for (end = e->value + strlen(e->value);
	     end > e->value && (end[-1] == ' ' || end[-1] == '\t');)
		*--end = '\0';
	dot = strchr(e->key, '.');
	e->index = -1;
	if (dot && dot[1] >= '0' && dot[1] <= '9') {
		e->index = strtol(dot + 1, &end, 10);
		e->index = *end ? -1 : e->index;
	}
	return true;
}

/* One pass over the lines: those of the head, or the items. */
static int pass(struct reader *r, const char *section, bool items)
{
	char *text = mem_strdup(section), *line, *rest = NULL;
	int rc = 0;

	line = strtok_r(text, "\n", &rest); /* "[kplanes]" */
	while (rc == 0 && (line = strtok_r(NULL, "\n", &rest)) && line[0] != '[') {
		struct entry e;

		if (!split(line, &e))
			continue;
		for (int k = items ? NEEDED : 0; k < (items ? KEYS : NEEDED) && rc == 0; k++) {
			size_t n = strlen(names[k]);

			if (!items && strcmp(e.key, names[k]) == 0)
				rc = take_head(r, &e, (enum key)k);
			else if (items && e.index >= 0 && strncmp(e.key, names[k], n) == 0 &&
				 e.key[n] == '.')
				rc = take_item(r, &e, (enum key)k);
		}
	}
	free(text);
	return rc;
}

static int missing(const struct reader *r, enum key k, size_t i)
{
	char number[24] = "";

	if (k >= NEEDED)
		snprintf(number, sizeof number, ".%zu", i);
	return error("'%s': no key %s%s in its [kplanes] section, expected one", r->path, names[k],
		     number);
}

int kplanes_parse(const char *path, const char *section, struct kplanes_model *m)
{
	struct reader r = { .path = path, .m = m };
	float unused[9];
	size_t quats = 0;

	*m = (struct kplanes_model){ 0 };
	if (!section || strncmp(section, "[kplanes]", 9) != 0)
		return error("'%s': no [kplanes] section in its description, expected a model",
			     path);
	if (pass(&r, section, false) != 0)
		return -1;
	for (int k = 0; k < NEEDED; k++)
		if (!r.seen[k])
			return missing(&r, (enum key)k, 0);
	m->weight = mem_new(kplanes_features(m), sizeof(float));
	if (pass(&r, section, true) != 0)
		return -1;
	for (size_t l = 0; l < m->levels; l++)
		if (!r.size[l])
			return missing(&r, SIZE, l);
	for (size_t t = 0; t < m->rotations; t++) {
		if (!r.rotation[t])
			return missing(&r, ROTATION, t);
		quats += r.quaternion[t];
		if (r.quaternion[t] && kplanes_rotation(m->quat[t], unused) != 0)
			return error("'%s': quaternion.%zu is 0, expected one with a length", path,
				     t);
	}
	m->has_quat = quats == m->rotations;
	return 0;
}

char *kplanes_text(const struct kplanes_model *m)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		die(EXIT_FAILED, "out of memory");
	fprintf(f, "[kplanes]\nformat = 1\nrotations = %zu\nchannels = %zu\nlevels = %zu\n",
		m->rotations, m->channels, m->levels);
	for (size_t l = 0; l < m->levels; l++)
		fprintf(f, "size.%zu = %zu %zu\n", l, m->size[l][0], m->size[l][1]);
	fprintf(f, "shape = %zu %zu %zu\nactivation = %s\n", m->shape[0], m->shape[1], m->shape[2],
		m->activation ? "softplus" : "linear");
	fprintf(f, "offset = %.9g\nscale = %.9g\nbias = %.9g\n", (double)m->offset,
		(double)m->scale, (double)m->bias);
	for (size_t t = 0; t < m->rotations; t++) {
		fprintf(f, "rotation.%zu =", t);
		for (size_t i = 0; i < 9; i++)
			fprintf(f, " %.9g", (double)m->rot[t][i]);
		fputc('\n', f);
	}
	for (size_t t = 0; t < m->rotations && m->has_quat; t++)
		fprintf(f, "quaternion.%zu = %.9g %.9g %.9g %.9g\n", t, (double)m->quat[t][0],
			(double)m->quat[t][1], (double)m->quat[t][2], (double)m->quat[t][3]);
	for (size_t i = 0; i < kplanes_features(m); i++)
		fprintf(f, "weight.%zu = %.9g\n", i, (double)m->weight[i]);
	if (fclose(f) != 0)
		die(EXIT_FAILED, "out of memory");
	return text;
}
