/* Reading TIFF stacks: which pages are wanted, and their pixels. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/die.h"
#include "base/mem.h"
#include "io/tifffile.h"
#include "io/tiffio.h"

/* ---- choice of pages */

/* The pages [n] of the file that are wanted, and the sample of each. */
struct choice {
	size_t *page, n;
	uint16_t sample;
};

static size_t *axis_size(struct tiff_meta *m, char letter)
{
	switch (letter) {
	case 'T':
		return &m->size_t_;
	case 'C':
		return &m->size_c;
	case 'Z':
		return &m->size_z;
	default:
		return NULL;
	}
}

/* --axes: a new order of the file's axes, or one letter for all of its pages. */
static int override_axes(const struct tiff_file *f, const char *axes, struct tiff_meta *m)
{
	size_t n = strlen(axes), product = 1;
	char order[4] = "";

	if (n >= 2 && strcmp(axes + n - 2, "YX") == 0)
		n -= 2;
	if (n < 1 || n > 3 || strspn(axes, "TCZ") < n)
		return error("'%s': axes '%s', expected letters of T, C and Z, slow to fast",
			     f->path, axes);
	memcpy(order, axes, n);
	for (size_t i = 0; i < n; i++)
		if (strchr(order + i + 1, order[i]))
			return error("'%s': axes '%s', expected each letter once", f->path, axes);
	if (n == 1) {
		m->size_c = m->size_z = m->size_t_ = 1;
		*axis_size(m, order[0]) = f->pages;
	} else {
		for (size_t i = 0; i < n; i++)
			product = mem_mul(product, *axis_size(m, order[i]));
		if (product != f->pages)
			return error("'%s': axes '%s' of %zu pages, expected the file to say their "
				     "sizes",
				     f->path, axes, f->pages);
	}
	strcpy(m->axes, order);
	return 0;
}

/* Position of a page of the file along axis C. */
static size_t channel_of(struct tiff_meta *m, size_t page)
{
	for (size_t i = strlen(m->axes); i-- > 0;) {
		size_t size = *axis_size(m, m->axes[i]);

		if (m->axes[i] == 'C')
			return page % size;
		page /= size;
	}
	return 0;
}

/* Leaves the axes of the chosen pages in m: those longer than 1, if the pages still fill them. */
static void settle_axes(struct tiff_meta *m, const struct choice *c, bool one_channel)
{
	char axes[8] = "";
	size_t n = 0, product = 1;

	if (one_channel && m->size_c)
		m->size_c = 1;
	for (const char *p = m->axes; *p; p++)
		if (*axis_size(m, *p) > 1) {
			product *= *axis_size(m, *p);
			axes[n++] = *p;
		}
	if (m->axes[0] && product != c->n && n == 1) { /* part of a single axis */
		*axis_size(m, axes[0]) = c->n;
		if (c->n == 1)
			axes[0] = '\0';
	} else if (!m->axes[0] || product != c->n) {
		m->size_c = m->size_z = m->size_t_ = 0;
		axes[0] = '\0';
	}
	strcpy(m->axes, axes);
}

static int choose_sample(const struct tiff_file *f, long channel, int origin, uint16_t *sample)
{
	*sample = 0;
	if (f->samples == 1)
		return 0;
	if (channel == 0 && f->samples == 3)
		return error(
			"'%s': 3 samples per pixel, expected 1: take one with --channel %d, %d or "
			"%d",
			f->path, origin, origin + 1, origin + 2);
	if (channel == 0)
		return error(
			"'%s': %d samples per pixel, expected 1: take one with --channel %d to %d",
			f->path, f->samples, origin, f->samples - 1 + origin);
	if (channel > f->samples)
		return error("'%s': %d samples per pixel, expected at least %ld for --channel %ld",
			     f->path, f->samples, channel, channel - 1 + origin);
	*sample = (uint16_t)(channel - 1);
	return 0;
}

static int choose(struct tiff_file *f, const struct tiff_select *s, struct tiff_meta *m,
		  struct choice *c)
{
	static const struct tiff_select all;
	size_t first = 0, last = f->pages;
	bool of_axis;

	*c = (struct choice){ 0 };
	if (!s)
		s = &all;
	if (s->axes && override_axes(f, s->axes, m) != 0)
		return -1;
	if (choose_sample(f, s->channel, s->from_zero ? 0 : 1, &c->sample) != 0)
		return -1;
	of_axis = s->channel > 0 && f->samples == 1;
	if (of_axis && (size_t)s->channel > (m->size_c ? m->size_c : 1))
		return error("'%s': %zu channels, expected at least %ld for --channel %ld", f->path,
			     m->size_c ? m->size_c : 1, s->channel, s->channel - s->from_zero);
	if (s->first > 0) {
		if (s->last < s->first || (size_t)s->last > f->pages)
			return error("'%s': %zu pages, expected --pages %ld-%ld among them",
				     f->path, f->pages, s->first, s->last);
		first = (size_t)s->first - 1;
		last = (size_t)s->last;
	}
	c->page = mem_new(last - first, sizeof *c->page);
	for (size_t p = first; p < last; p++)
		if (!of_axis || channel_of(m, p) == (size_t)s->channel - 1)
			c->page[c->n++] = p;
	if (c->n == 0)
		return error("'%s': no page of channel %ld in pages %zu-%zu, expected one", f->path,
			     s->channel, first + 1, last);
	settle_axes(m, c, of_axis);
	return 0;
}

/* ---- reading */

/* Opens, scans and chooses; on success the caller closes f, frees c->page and clears m. */
static int begin(const char *path, const struct tiff_select *s, struct tiff_file *f,
		 struct tiff_meta *m, struct choice *c)
{
	*m = (struct tiff_meta){ 0 };
	*c = (struct choice){ 0 };
	if (tiff_open(f, path, false) != 0)
		goto fail;
	if (tiff_scan(f, s && s->first > 0 ? (size_t)s->first - 1 : 0,
		      s && s->first > 0 ? (size_t)s->last - 1 : SIZE_MAX) != 0)
		goto fail;
	tiff_describe(f, m);
	if (choose(f, s, m, c) != 0)
		goto fail;
	return 0;
fail:
	free(c->page);
	tiff_meta_clear(m);
	tiff_close(f, false);
	return -1;
}

static void hand_over(struct tiff_meta *from, struct tiff_meta *to)
{
	if (to)
		*to = *from;
	else
		tiff_meta_clear(from);
}

int tiff_probe(const char *path, const struct tiff_select *s, struct array *a, struct tiff_meta *m)
{
	struct tiff_meta meta;
	struct tiff_file f;
	struct choice c;

	*a = (struct array){ 0 };
	if (m)
		*m = (struct tiff_meta){ 0 };
	if (begin(path, s, &f, &meta, &c) != 0)
		return -1;
	*a = (struct array){ .type = f.type, .nz = c.n, .ny = f.height, .nx = f.width };
	hand_over(&meta, m);
	free(c.page);
	tiff_close(&f, true);
	return 0;
}

int tiff_read(const char *path, const struct tiff_select *s, struct array *a, struct tiff_meta *m)
{
	struct tiff_meta meta;
	struct tiff_file f;
	struct choice c;
	int rc = -1;

	*a = (struct array){ 0 };
	if (m)
		*m = (struct tiff_meta){ 0 };
	if (begin(path, s, &f, &meta, &c) != 0)
		return -1;
	if (array_init(a, path, f.type, c.n, f.height, f.width) != 0)
		goto done;
	for (size_t i = 0; i < c.n; i++) {
		size_t bytes = (size_t)f.height * f.width * dtype_size(f.type);

		if (tiff_read_page(&f, c.page[i], c.sample, (char *)a->data + i * bytes) != 0)
			goto done;
	}
	rc = 0;
done:
	if (rc == 0)
		hand_over(&meta, m);
	else
		tiff_meta_clear(&meta);
	free(c.page);
	tiff_close(&f, s && s->keep);
	if (rc != 0)
		array_clear(a);
	return rc;
}

/* ---- page by page */

struct tiff_in {
	struct tiff_file f;
	struct choice c;
	char *path;
};

struct tiff_in *tiff_in_open(const char *path, const struct tiff_select *s, struct array *shape,
			     struct tiff_meta *m)
{
	struct tiff_in *in = mem_new(1, sizeof *in);
	struct tiff_meta meta;

	*shape = (struct array){ 0 };
	if (m)
		*m = (struct tiff_meta){ 0 };
	in->path = mem_strdup(path);
	if (begin(in->path, s, &in->f, &meta, &in->c) != 0) {
		free(in->path);
		free(in);
		return NULL;
	}
	*shape = (struct array){
		.type = in->f.type, .nz = in->c.n, .ny = in->f.height, .nx = in->f.width
	};
	hand_over(&meta, m);
	return in;
}

int tiff_in_page(struct tiff_in *in, size_t page, void *to)
{
	return tiff_read_page(&in->f, in->c.page[page], in->c.sample, to);
}

void tiff_in_close(struct tiff_in *in)
{
	if (!in)
		return;
	tiff_close(&in->f, true);
	free(in->c.page);
	free(in->path);
	free(in);
}

int tiff_read_labels(const char *path, const struct tiff_select *s, struct array *a,
		     struct tiff_meta *m)
{
	struct array wide = { 0 };
	size_t n, page;
	uint32_t *to;

	if (tiff_read(path, s, a, m) != 0)
		return -1;
	n = array_count(a);
	page = a->ny * a->nx;
	switch (a->type) {
	case DT_U32:
		return 0;
	case DT_I32:
		for (size_t i = 0; i < n; i++)
			if (((const int32_t *)a->data)[i] < 0) {
				error("'%s': page %zu: label %" PRId32 ", expected none below 0",
				      path, i / page + 1, ((const int32_t *)a->data)[i]);
				goto fail;
			}
		a->type = DT_U32; /* the same bits */
		return 0;
	case DT_U8:
	case DT_U16:
		if (array_init(&wide, path, DT_U32, a->nz, a->ny, a->nx) != 0)
			goto fail;
		to = wide.data;
		for (size_t i = 0; i < n; i++)
			to[i] = a->type == DT_U8 ? ((const uint8_t *)a->data)[i]
						 : ((const uint16_t *)a->data)[i];
		array_clear(a);
		*a = wide;
		return 0;
	default:
		error("'%s': page 1: labels of type %s, expected u8, u16, u32 or i32", path,
		      dtype_name(a->type));
	}
fail:
	array_clear(a);
	if (m)
		tiff_meta_clear(m);
	return -1;
}

/* ---- resume */

/* Does every page have its strips inside the file? */
static bool is_whole(struct tiff_file *f)
{
	for (size_t p = 0; p < f->pages; p++) {
		uint64_t *offset = NULL, *bytes = NULL;

		if (tiff_go(f, p) != 0 || !TIFFGetField(f->tif, TIFFTAG_STRIPOFFSETS, &offset) ||
		    !TIFFGetField(f->tif, TIFFTAG_STRIPBYTECOUNTS, &bytes))
			return false;
		for (uint32_t s = 0; s < TIFFNumberOfStrips(f->tif); s++)
			if (offset[s] == 0 || offset[s] > f->len || bytes[s] > f->len - offset[s])
				return false;
	}
	return true;
}

int tiff_made_by(const char *path, const char *provenance)
{
	struct tiff_meta m = { 0 };
	struct tiff_file f;
	struct stat st;
	int made = 0;

	if (stat(path, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size == 0 ||
	    access(path, R_OK) != 0)
		return 0;
	if (tiff_open(&f, path, true) == 0 && tiff_scan(&f, 0, 0) == 0) {
		tiff_describe(&f, &m);
		made = m.provenance && strcmp(m.provenance, provenance) == 0 && is_whole(&f);
	}
	tiff_meta_clear(&m);
	tiff_close(&f, false);
	return made;
}
