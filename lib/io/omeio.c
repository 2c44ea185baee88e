#include "io/omeio.h"

#include <expat.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct walk {
	XML_Parser parser;
	struct ome *o;
	int found;	/* Pixels elements */
	size_t samples; /* per pixel of the first channel */
};

double unit_um(const char *unit)
{
	static const struct {
		const char *name;
		double um;
	} units[] = {
		{ "um", 1 },	     { "\xc2\xb5m", 1 }, { "\xce\xbcm", 1 }, { "\xb5m", 1 },
		{ "\\u00B5m", 1 },   { "\\u03BCm", 1 },	 { "micron", 1 },    { "microns", 1 },
		{ "micrometer", 1 }, { "nm", 1e-3 },	 { "mm", 1e3 },	     { "cm", 1e4 },
		{ "m", 1e6 },	     { "pm", 1e-6 },	 { "inch", 25400 },  { "\xc3\x85", 1e-4 },
	};

	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
		if (strcasecmp(unit, units[i].name) == 0)
			return units[i].um;
	return 0;
}

static const char *attribute(const XML_Char **a, const char *name)
{
	for (; a[0]; a += 2)
		if (strcmp(a[0], name) == 0)
			return a[1];
	return NULL;
}

static size_t count(const XML_Char **a, const char *name)
{
	const char *s = attribute(a, name);
	unsigned long n = s ? strtoul(s, NULL, 10) : 0;

	return n > 1u << 30 ? 0 : n;
}

static double length_um(const XML_Char **a, const char *name, const char *unit_name)
{
	const char *s = attribute(a, name), *unit = attribute(a, unit_name);
	double v = s ? strtod(s, NULL) : 0;

	v *= unit ? unit_um(unit) : 1; /* micrometres are the schema's default */
	return isfinite(v) && v > 0 ? v : 0;
}

static void on_start(void *user, const XML_Char *name, const XML_Char **a)
{
	struct walk *w = user;
	const char *colon = strrchr(name, ':'), *local = colon ? colon + 1 : name;

	if (strcmp(local, "Pixels") == 0 && w->found++ == 0) {
		const char *order = attribute(a, "DimensionOrder");

		w->o->pixel_um = length_um(a, "PhysicalSizeX", "PhysicalSizeXUnit");
		w->o->z_step_um = length_um(a, "PhysicalSizeZ", "PhysicalSizeZUnit");
		w->o->size_c = count(a, "SizeC");
		w->o->size_z = count(a, "SizeZ");
		w->o->size_t_ = count(a, "SizeT");
		if (order && strlen(order) == 5 && strncmp(order, "XY", 2) == 0 &&
		    strspn(order + 2, "ZCT") == 3)
			for (int i = 0; i < 3; i++)
				w->o->order[i] = order[4 - i];
	} else if (strcmp(local, "Channel") == 0 && w->found == 1 && w->samples == 0) {
		w->samples = count(a, "SamplesPerPixel");
	}
}

static void on_end(void *user, const XML_Char *name)
{
	struct walk *w = user;
	const char *colon = strrchr(name, ':');

	if (strcmp(colon ? colon + 1 : name, "Pixels") == 0)
		XML_StopParser(w->parser, XML_FALSE);
}

int ome_parse(const char *text, struct ome *o)
{
	struct walk w = { .o = o };
	const char *end = strstr(text, "OME>");

	*o = (struct ome){ 0 };
	if (!end || text[strspn(text, " \t\r\n\xef\xbb\xbf")] != '<')
		return -1;
	w.parser = XML_ParserCreate(NULL);
	if (!w.parser)
		return -1;
	XML_SetUserData(w.parser, &w);
	XML_SetElementHandler(w.parser, on_start, on_end);
	/* stopping after the first image is no failure, nor is a text that ends early: what was
	 * found counts */
	XML_Parse(w.parser, text, (int)strnlen(text, 1u << 30), 1);
	XML_ParserFree(w.parser);
	if (w.found == 0)
		return -1;
	if (w.samples > 1 && o->size_c % w.samples == 0)
		o->size_c /= w.samples;
	return 0;
}
