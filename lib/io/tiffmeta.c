/* What a TIFF says of itself: OME-XML, ImageJ's description, resolution tags. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "io/omeio.h"
#include "io/tifffile.h"

/* The value of a line "key=value" of text; the caller frees; NULL: no such line. */
static char *line_value(const char *text, const char *key)
{
	size_t n = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n'), line = line ? line + 1 : NULL)
		if (strncmp(line, key, n) == 0 && line[n] == '=') {
			char *v = mem_strdup(line + n + 1);

			v[strcspn(v, "\r\n")] = '\0';
			return v;
		}
	return NULL;
}

static double number(const char *text, const char *key)
{
	char *s = line_value(text, key);
	double v = s ? strtod(s, NULL) : 0;

	free(s);
	return isfinite(v) ? v : 0;
}

static size_t count(const char *text, const char *key)
{
	double v = number(text, key);

	return v >= 1 && v < 1e9 ? (size_t)v : 1;
}

static bool is_imagej(const char *text)
{
	return strncmp(text, "ImageJ=", 7) == 0;
}

/* Pages of ImageJ go channel first, then slice, then frame; without any of the three they are
 * slices. */
static void from_imagej(const struct tiff_file *f, struct tiff_meta *m)
{
	const char *text = f->description;
	char *unit = line_value(text, "unit");
	double um = unit ? unit_um(unit) : 0;

	m->size_c = count(text, "channels");
	m->size_z = count(text, "slices");
	m->size_t_ = count(text, "frames");
	if (m->size_c * m->size_z * m->size_t_ == 1)
		m->size_z = f->pages;
	strcpy(m->axes, "TZC");
	/* as in ImageJ: a resolution per cm together with the unit "um" means it */
	if (unit && strcmp(unit, "um") == 0 && f->unit == RESUNIT_CENTIMETER)
		um = 1e4;
	if (um > 0 && f->resolution > 0)
		m->pixel_um = um / (double)f->resolution;
	if (number(text, "pixel_um") > 0)
		m->pixel_um = number(text, "pixel_um");
	if (unit)
		m->z_step_um = fabs(number(text, "spacing")) * unit_um(unit);
	free(unit);
}

static void from_resolution(const struct tiff_file *f, struct tiff_meta *m)
{
	double um = f->unit == RESUNIT_CENTIMETER ? 1e4 : f->unit == RESUNIT_INCH ? 25400 : 0;

	if (um > 0 && f->resolution > 0 && um / (double)f->resolution < 20)
		m->pixel_um = um / (double)f->resolution;
}

void tiff_describe(const struct tiff_file *f, struct tiff_meta *m)
{
	const char *text = f->description ? f->description : "", *mark, *section;
	struct ome o;

	*m = (struct tiff_meta){ 0 };
	if (is_imagej(text)) {
		from_imagej(f, m);
	} else if (ome_parse(text, &o) == 0) {
		m->pixel_um = o.pixel_um;
		m->z_step_um = o.z_step_um;
		m->size_c = o.size_c;
		m->size_z = o.size_z;
		m->size_t_ = o.size_t_;
		strcpy(m->axes, o.order);
	} else {
		from_resolution(f, m);
	}
	if (!isfinite(m->pixel_um) || m->pixel_um <= 0)
		m->pixel_um = 0;
	if (!isfinite(m->z_step_um))
		m->z_step_um = 0;
	/* sizes count only if they are those of the pages that are there */
	if (!m->axes[0] || mem_mul(mem_mul(m->size_c, m->size_z), m->size_t_) != f->pages) {
		m->size_c = m->size_z = m->size_t_ = 0;
		m->axes[0] = '\0';
	}
	m->pages = f->pages;
	mark = strncmp(text, "scopeline=", 10) == 0 ? text : strstr(text, "\nscopeline=");
	section = text[0] == '[' ? text : strstr(text, "\n[");
	if (mark)
		m->provenance = mem_strdup(mark + (*mark == '\n'));
	if (section)
		m->section = mem_strdup(section + (*section == '\n'));
	if (mark && section > mark)
		m->provenance[section - mark + (*mark != '\n')] = '\0';
}

void tiff_meta_clear(struct tiff_meta *m)
{
	free(m->provenance);
	free(m->section);
	*m = (struct tiff_meta){ 0 };
}
