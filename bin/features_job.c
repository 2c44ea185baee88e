/* Jobs of the feature tools: image, labels and mask of one row, its frames, and the batch that runs
 * them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "base/mem.h"
#include "base/team.h"
#include "batch/batch.h"
#include "dev/dev.h"
#include "device.h"
#include "features_rows.h"

#define F features_options

/* The tool, and its jobs' second files. */
struct tool {
	const struct features_tool *t;
	const struct operands *rest;
	int threads; /* of one job */
	size_t mem;  /* bound of --mem, 0: none was given */
};

/* The pages of frame f, channel c are first + z * step, z < nz. */
struct work {
	const char *labels_path, *mask_path; /* NULL: none */
	struct array image, mask;	     /* mask: u8 */
	struct objects *objects;	     /* [label_sets], one per image of the label file */
	size_t label_sets, mask_sets;
	size_t frames, channels, nz;
	size_t (*pages)[2]; /* [frames][channels] { first, step } */
	int rc;
	struct rows *rows; /* [frames * channels] */
	const struct tool *tool;
	const char *input;
};

/* ---- the files of a job */

static const char *cell(const struct job *j, const char *column)
{
	long c = j->manifest ? csv_column(j->manifest, column) : -1;
	const char *text = c >= 0 ? csv_cell(j->manifest, j->row, (size_t)c) : "";

	return text[0] ? text : NULL;
}

/* A file that the manifest names, as seen from its folder; the caller frees. */
static char *beside_list(const char *path)
{
	const char *slash = strrchr(common.list, '/');

	if (!path || !slash || path[0] == '/')
		return path ? mem_strdup(path) : NULL;
	return mem_printf("%.*s/%s", (int)(slash - common.list), common.list, path);
}

static char *second(const struct tool *t, const struct job *j, const char *column)
{
	const char *path = NULL;

	if (j->manifest && cell(j, column))
		return beside_list(cell(j, column));
	if (!j->manifest && strcmp(column, "labels") == 0 &&
	    (t->rest->n == 2 || t->t->labels_first))
		path = t->rest->path[t->rest->n - 1];
	if (strcmp(column, "mask") == 0)
		path = F.mask;
	return path ? mem_strdup(path) : NULL;
}

/* Is there an image?  Not for zernike LABELS. */
static bool has_image(const struct tool *t, const struct job *j)
{
	return j->manifest || t->rest->n == 2 || !t->t->labels_first;
}

/* ---- frames */

/* Letters of the pages, slow to fast, and their sizes. */
static void axes_of(const struct tiff_meta *m, size_t pages, bool given, char *axes, size_t *size)
{
	const char *from = m->axes;
	bool stack = F.volume && !given && !strchr(from, 'Z') && !strchr(from, 'C');

	if (!from[0] || stack)
		from = F.volume ? "Z" : "T";
	strcpy(axes, from);
	for (size_t i = 0; from[i]; i++)
		size[i] = !m->axes[0] || stack ? pages
			  : from[i] == 'T'     ? m->size_t_
			  : from[i] == 'Z'     ? m->size_z
					       : m->size_c;
}

/* Which pages make which frame. */
static void lay_out(struct work *w, const struct tiff_meta *m, size_t pages)
{
	char axes[8];
	size_t size[8], step_z = 1, n;

	axes_of(m, pages, F.axes != NULL, axes, size);
	n = strlen(axes);
	w->channels = w->nz = 1;
	for (size_t i = 0; i < n; i++) {
		if (axes[i] == 'C')
			w->channels = size[i];
		if (F.volume && axes[i] == 'Z')
			w->nz = size[i];
		for (size_t k = i + 1; axes[i] == 'Z' && k < n; k++)
			step_z *= size[k];
	}
	w->frames = pages / (w->channels * w->nz);
	w->pages = mem_new(w->frames * w->channels, sizeof *w->pages);
	for (size_t p = 0; p < pages; p++) {
		size_t rest = p, frame = 0, weight = 1, c = 0, z = 0;

		for (size_t i = n; i-- > 0;) {
			size_t at = rest % size[i];

			rest /= size[i];
			if (axes[i] == 'C') {
				c = at;
			} else if (F.volume && axes[i] == 'Z') {
				z = at;
			} else {
				frame += at * weight;
				weight *= size[i];
			}
		}
		if (z == 0) {
			w->pages[frame * w->channels + c][0] = p;
			w->pages[frame * w->channels + c][1] = step_z;
		}
	}
}

static int check_channels(const struct work *w)
{
	if (F.channel && features_single_channel() < 0 && features_last_channel() >= w->channels)
		return error("'%s': %zu channels, expected at least %zu for --channel %s", w->input,
			     w->channels, features_last_channel() + 1, F.channel);
	return 0;
}

/* Images of a side file: one for all frames or one per frame.  0, or -1 after reporting. */
static int check_side(const struct work *w, const char *path, const struct array *a, size_t *sets)
{
	if (a->ny != w->image.ny || a->nx != w->image.nx)
		return error("'%s': %zux%zu pixels, expected %zux%zu as in '%s'", path, a->ny,
			     a->nx, w->image.ny, w->image.nx, w->input);
	if (a->nz != w->nz && a->nz != w->nz * w->frames) {
		if (w->frames == 1)
			return error("'%s': %zu pages, expected %zu as in '%s'", path, a->nz, w->nz,
				     w->input);
		return error("'%s': %zu pages, expected %zu or %zu for '%s'", path, a->nz, w->nz,
			     w->nz * w->frames, w->input);
	}
	*sets = a->nz / w->nz;
	return 0;
}

static int read_labels(struct work *w)
{
	struct array a;
	int rc = -1;

	if (tiff_read(w->labels_path, NULL, &a, NULL) != 0)
		return -1;
	if (w->image.ny == 0) { /* labels alone */
		w->image = (struct array){ .type = DT_U8, .nz = a.nz, .ny = a.ny, .nx = a.nx };
		w->frames = a.nz;
		w->channels = w->nz = 1;
	}
	if (check_side(w, w->labels_path, &a, &w->label_sets) != 0)
		goto done;
	w->objects = mem_new(w->label_sets, sizeof *w->objects);
	for (size_t i = 0; i < w->label_sets; i++) {
		if (objects_find(&w->objects[i], w->labels_path, &a, i * w->nz, w->nz) != 0)
			goto done;
		features_keep(&w->objects[i]);
	}
	rc = 0;
done:
	array_clear(&a);
	return rc;
}

static int read_mask(struct work *w)
{
	size_t n;
	uint8_t *to;

	if (tiff_read(w->mask_path, NULL, &w->mask, NULL) != 0 ||
	    check_side(w, w->mask_path, &w->mask, &w->mask_sets) != 0)
		return -1;
	if (w->mask.type != DT_U8 && w->mask.type != DT_U16)
		return error("'%s': mask of type %s, expected u8 or u16", w->mask_path,
			     dtype_name(w->mask.type));
	n = array_count(&w->mask);
	to = w->mask.data;
	for (size_t i = 0; i < n && w->mask.type == DT_U16;
	     i++) /* in place: byte i is read before */
		to[i] = ((const uint16_t *)w->mask.data)[i] != 0;
	w->mask.type = DT_U8;
	return 0;
}

static struct work *work_new(const struct tool *t, struct job *j)
{
	struct work *w = mem_new(1, sizeof *w);

	w->tool = t;
	w->input = j->input;
	w->labels_path = second(t, j, "labels");
	w->mask_path = second(t, j, "mask");
	j->data = w;
	return w;
}

static void work_free(struct work *w)
{
	for (size_t i = 0; i < w->label_sets && w->objects; i++)
		objects_clear(&w->objects[i]);
	free(w->objects);
	for (size_t i = 0; i < w->frames * w->channels && w->rows; i++)
		csv_line_clear(&w->rows[i].line);
	free(w->rows);
	free(w->pages);
	array_clear(&w->image);
	array_clear(&w->mask);
	free((char *)w->labels_path);
	free((char *)w->mask_path);
	free(w);
}

/* Shape of the image: its pages by frame and channel. */
static int probe(const struct tool *t, struct job *j, struct work *w, struct tiff_select *select)
{
	struct tiff_meta m = { 0 };
	int rc = -1;

	if (!has_image(t, j))
		return 0;
	*select = (struct tiff_select){ .axes = F.axes,
					.channel = features_single_channel() + 1,
					.from_zero = true };
	if (tiff_probe(j->input, select, &w->image, &m) != 0)
		goto done;
	lay_out(w, &m, w->image.nz);
	rc = check_channels(w);
done:
	tiff_meta_clear(&m);
	return rc;
}

static int read_job(void *tool, struct job *j)
{
	const struct tool *t = tool;
	struct work *w = work_new(t, j);
	struct tiff_select select;

	if (probe(t, j, w, &select) != 0)
		return -1;
	if (t->t->labels_needed && !w->labels_path)
		return error("'%s': no labels, expected a file", j->input);
	if ((w->labels_path && read_labels(w) != 0) || (w->mask_path && read_mask(w) != 0))
		return -1;
	return has_image(t, j) ? tiff_read(j->input, &select, &w->image, NULL) : 0;
}

/* ---- measuring */

/* Pages that do not follow one another are brought together; the caller frees *copy. */
static const void *frame_data(const struct work *w, const size_t pages[2], void **copy)
{
	size_t page = w->image.ny * w->image.nx * dtype_size(w->image.type);
	const char *first = (const char *)w->image.data + pages[0] * page;

	*copy = NULL;
	if (w->nz == 1 || pages[1] == 1)
		return first;
	*copy = mem_try(w->input, w->nz, page);
	for (size_t z = 0; z < w->nz && *copy; z++)
		memcpy((char *)*copy + z * page, first + z * pages[1] * page, page);
	return *copy;
}

static void measure_frame(void *context, size_t i, int member)
{
	struct work *w = context;
	const struct tool *t = w->tool;
	size_t frame = i / w->channels, channel = i % w->channels, area = w->image.ny * w->image.nx;
	long single = features_single_channel();
	void *copy = NULL;
	struct frame f = { .name = w->input,
			   .threads = t->threads,
			   .alone = w->frames * w->channels == 1,
			   .work = w };

	(void)member;
	if (single < 0 && !features_channel(channel))
		return;
	w->rows[i].page = frame;
	w->rows[i].channel = single >= 0 ? (size_t)single : channel;
	w->rows[i].next = 1;
	f.pixels = (struct pixels){ w->image.type,
				    NULL,
				    NULL,
				    w->nz,
				    w->image.ny,
				    w->image.nx,
				    features_divisor(w->image.type) };
	if (w->image.data) {
		f.pixels.data = frame_data(w, w->pages[i], &copy);
		if (!f.pixels.data) {
			__atomic_store_n(&w->rc, -1, __ATOMIC_RELAXED);
			return;
		}
	}
	if (w->objects)
		f.objects = &w->objects[w->label_sets == 1 ? 0 : frame];
	if (w->mask.data)
		f.pixels.mask = (const uint8_t *)w->mask.data +
				(w->mask_sets == 1 ? 0 : frame) * w->nz * area;
	if (t->t->measure(&f, &w->rows[i]) != 0)
		__atomic_store_n(&w->rc, -1, __ATOMIC_RELAXED);
	free(copy);
}

void features_release(struct frame *f)
{
	if (f->work->frames * f->work->channels == 1) {
		free(f->work->image.data);
		f->work->image.data = NULL;
	}
	f->pixels.data = NULL;
}

/* Adds `from` to `to`, at the end of which it may be empty. */
static void append(struct csv_line *to, struct csv_line *from)
{
	if (from->len == 0)
		return;
	if (to->len == 0) { /* mostly: a file of one frame */
		*to = *from;
		*from = (struct csv_line){ 0 };
		return;
	}
	to->text = mem_grow(to->text, to->len + from->len + 1, 1);
	memcpy(to->text + to->len, from->text, from->len + 1);
	to->len += from->len;
	to->cap = to->len + 1;
}

static size_t host_bytes(const struct tool *t, const struct work *w)
{
	size_t area = w->image.ny * w->image.nx;

	return array_bytes(&w->image) + (w->mask_path ? area : 0) +
	       (t->t->bytes ? t->t->bytes(w->nz, w->image.ny, w->image.nx, w->image.type) : 0);
}

static int check_memory(const struct tool *t, const struct work *w)
{
	size_t need = host_bytes(t, w);

	if (t->mem > 0 && need > t->mem)
		return error("'%s': needs %zu bytes, --mem allows %zu", w->input, need, t->mem);
	return 0;
}

static int compute(void *tool, struct job *j)
{
	const struct tool *t = tool;
	struct work *w = j->data;
	size_t n = w->frames * w->channels;
	const char *name = cell(j, "image");

	if (check_memory(t, w) != 0)
		return -1;
	w->rows = mem_new(n, sizeof *w->rows);
	for (size_t i = 0; i < n; i++)
		w->rows[i].image = name ? name : j->input;
	team_run(n > 1 && t->t->workers != 1 ? t->threads : 1, n, measure_frame, w);
	for (size_t i = 0; i < n && w->rc == 0; i++)
		append(&j->rows[0], &w->rows[i].line);
	return w->rc;
}

static void done(void *tool, struct job *j)
{
	(void)tool;
	if (j->data)
		work_free(j->data);
	j->data = NULL;
}

static int plan(void *tool, struct job *j, struct job_plan *p)
{
	const struct tool *t = tool;
	struct work *w = work_new(t, j);
	struct tiff_select select;
	struct array a = { 0 }, m = { 0 };
	size_t sets;
	int rc = -1;

	if (probe(t, j, w, &select) != 0 ||
	    (w->labels_path && tiff_probe(w->labels_path, NULL, &a, NULL) != 0) ||
	    (w->mask_path && tiff_probe(w->mask_path, NULL, &m, NULL) != 0))
		goto done;
	if (w->image.ny == 0) {
		w->image = a;
		w->frames = a.nz;
		w->channels = w->nz = 1;
	}
	if ((w->labels_path && check_side(w, w->labels_path, &a, &sets) != 0) ||
	    (w->mask_path && check_side(w, w->mask_path, &m, &sets) != 0) ||
	    check_memory(t, w) != 0)
		goto done;
	*p = (struct job_plan){
		.type = w->image.type, .nz = w->image.nz, .ny = w->image.ny, .nx = w->image.nx
	};
	p->host_bytes = host_bytes(t, w);
	p->device_bytes =
		t->t->device_bytes ? t->t->device_bytes(w->nz, w->image.ny, w->image.nx) : 0;
	p->blocks = w->frames * w->channels;
	rc = 0;
done:
	work_free(w);
	j->data = NULL;
	return rc;
}

/* ---- the program */

static size_t bound(void)
{
	size_t ram = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);

	return common.mem ? dev_mem_parse(common.mem, ram) : 0;
}

int features_run(const struct features_tool *t, const struct operands *rest)
{
	static const char *const columns[] = { "labels", "mask", NULL };
	struct batch_table table = { common.output, features_header() };
	struct batch_spec spec = { .operand = "IMAGE",
				   .input_column = "image",
				   .columns = columns,
				   .strict = true,
				   .tables = &table,
				   .n_tables = 1 };
	struct batch_ops ops = { .plan = plan,
				 .read = read_job,
				 .compute = compute,
				 .done = done,
				 .begin = profile_begin,
				 .end = profile_end };
	struct operands one = { rest->n > 0, rest->path };
	struct tool tool = { .t = t, .rest = rest, .mem = bound() };
	size_t threads =
		common.threads > 0 ? (size_t)common.threads : (size_t)sysconf(_SC_NPROCESSORS_ONLN);
	struct batch b;
	int status = batch_open(&b, &spec, &one);

	if (common.profile)
		profile_enable(); /* common_dev_opts does where there is a device */
	if (status != EXIT_DONE)
		goto done;
	ops.workers = t->workers ? t->workers : threads < b.n_mine ? threads : b.n_mine;
	tool.threads = (int)(threads / (ops.workers ? ops.workers : 1));
	status = batch_run(&b, &ops, &tool, t->device ? t->device : "host");
done:
	batch_close(&b);
	if (common_profile() != 0)
		status = EXIT_FAILED;
	return status;
}
