#include <config.h>

#include "dev/internal.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "base/mem.h"
#include "base/team.h"
#include "dev/clplan.h"

#define NO_DEVICE                                                                                  \
	"no OpenCL device found, expected one: install pocl-opencl-icd (any CPU) or the driver "   \
	"of your GPU"

enum {
	OWN_THREADS = 8,    /* the most that run kernels without PoCL's threads */
	SPARE = 4 << 20	    /* that buf.c may need beside a buffer to align it */
};

/* One row of --device list. */
struct entry {
	cl_platform_id platform;
	cl_device_id id;
	cl_device_type type;
	char *platform_name, *platform_version, *name;
};

static char *platform_text(cl_platform_id p, cl_platform_info what)
{
	size_t n = 0;
	char *s;

	clGetPlatformInfo(p, what, 0, NULL, &n);
	s = mem_new(n + 1, 1);
	clGetPlatformInfo(p, what, n, s, NULL);
	return s;
}

static char *device_text(cl_device_id d, cl_device_info what)
{
	size_t n = 0;
	char *s;

	clGetDeviceInfo(d, what, 0, NULL, &n);
	s = mem_new(n + 1, 1);
	clGetDeviceInfo(d, what, n, s, NULL);
	return s;
}

static cl_ulong device_number(cl_device_id d, cl_device_info what)
{
	cl_ulong v = 0;

	/* little-endian hosts: a cl_uint or cl_bool fills the low bytes */
	clGetDeviceInfo(d, what, sizeof v, &v, NULL);
	return v;
}

static const char *type_name(cl_device_type t)
{
	return t & CL_DEVICE_TYPE_CPU ? "cpu" : t & CL_DEVICE_TYPE_GPU ? "gpu" : "accelerator";
}

/* All devices of all platforms in the loader's order; the caller frees with entries_free. */
static struct entry *entries_new(size_t *count)
{
	cl_platform_id platform[64];
	cl_device_id id[64];
	cl_uint np = 0, nd;
	struct entry *e = NULL;
	size_t n = 0;

	if (clGetPlatformIDs(64, platform, &np) != CL_SUCCESS)
		np = 0;
	for (cl_uint p = 0; p < np && p < 64; p++) {
		if (clGetDeviceIDs(platform[p], CL_DEVICE_TYPE_ALL, 64, id, &nd) != CL_SUCCESS)
			continue;
		e = mem_grow(e, n + nd, sizeof *e);
		for (cl_uint i = 0; i < nd && i < 64; i++) {
			if (!device_number(id[i], CL_DEVICE_AVAILABLE))
				continue;
			e[n++] = (struct entry){ platform[p],
						 id[i],
						 device_number(id[i], CL_DEVICE_TYPE),
						 platform_text(platform[p], CL_PLATFORM_NAME),
						 platform_text(platform[p], CL_PLATFORM_VERSION),
						 device_text(id[i], CL_DEVICE_NAME) };
		}
	}
	*count = n;
	return e;
}

static void entries_free(struct entry *e, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(e[i].platform_name);
		free(e[i].platform_version);
		free(e[i].name);
	}
	free(e);
}

/* Asks PoCL for both of its drivers (see parts.c), and for as many threads as are wanted; the user's own settings win. */
static void set_up_pocl(int threads)
{
	char text[16];

	setenv("POCL_DEVICES", "basic pthread", 0);
	if (threads <= 0)
		return;
	snprintf(text, sizeof text, "%d", threads);
	setenv("POCL_MAX_PTHREAD_COUNT", text, 0);
}

static bool is_pocl(const struct entry *e)
{
	return strcasecmp(e->platform_name, "Portable Computing Language") == 0;
}

/* Whether a kernel runs in the thread that launches it: PoCL's "basic", which calls itself "cpu-minimal" in later versions. */
static bool runs_in_caller(const struct entry *e)
{
	return is_pocl(e) && (strncmp(e->name, "basic", 5) == 0 || strncmp(e->name, "cpu-minimal", 11) == 0);
}

static void print_details(FILE *f, const struct entry *e)
{
	char *driver = device_text(e->id, CL_DRIVER_VERSION),
	     *ext = device_text(e->id, CL_DEVICE_EXTENSIONS);

	fprintf(f,
		"     driver %s, %llu compute units, %llu MHz, largest buffer %llu MiB, local "
		"memory %llu KiB, "
		"work-groups up to %llu\n     %s\n",
		driver, (unsigned long long)device_number(e->id, CL_DEVICE_MAX_COMPUTE_UNITS),
		(unsigned long long)device_number(e->id, CL_DEVICE_MAX_CLOCK_FREQUENCY),
		(unsigned long long)device_number(e->id, CL_DEVICE_MAX_MEM_ALLOC_SIZE) >> 20,
		(unsigned long long)device_number(e->id, CL_DEVICE_LOCAL_MEM_SIZE) >> 10,
		(unsigned long long)device_number(e->id, CL_DEVICE_MAX_WORK_GROUP_SIZE), ext);
	free(driver);
	free(ext);
}

int dev_list(FILE *f, bool verbose)
{
	size_t n, wide = 8;
	struct entry *e;

	set_up_pocl(0);
	e = entries_new(&n);
	if (n == 0)
		return error(NO_DEVICE);
	for (size_t i = 0; i < n; i++)
		if (strlen(e[i].platform_name) > wide)
			wide = strlen(e[i].platform_name);
	fprintf(f, "index  type         %-*s  memory/MiB  device (version)\n", (int)wide,
		"platform");
	for (size_t i = 0; i < n; i++) {
		char *version = device_text(e[i].id, CL_DEVICE_VERSION);

		fprintf(f, "%5zu  %-11s  %-*s  %10llu  %s (%s)\n", i, type_name(e[i].type),
			(int)wide, e[i].platform_name,
			(unsigned long long)device_number(e[i].id, CL_DEVICE_GLOBAL_MEM_SIZE) >> 20,
			e[i].name, version);
		free(version);
		if (verbose)
			print_details(f, &e[i]);
	}
	entries_free(e, n);
	return 0;
}

static long first_of(const struct entry *e, size_t n, cl_device_type t)
{
	for (size_t i = 0; i < n; i++)
		if (e[i].type & t)
			return (long)i;
	return -1;
}

/* The version counts as part of the platform's name: PoCL calls itself that only there. */
static bool is_called(const struct entry *e, const char *part)
{
	return strcasestr(e->platform_name, part) || strcasestr(e->platform_version, part) ||
	       strcasestr(e->name, part);
}

/* Of PoCL's two drivers the one that suits so many threads: each launch of parts.c takes PoCL's locks. */
static long first_cpu(const struct entry *e, size_t n, int threads)
{
	for (size_t i = 0; i < n; i++)
		if (e[i].type & CL_DEVICE_TYPE_CPU && !(threads > OWN_THREADS && runs_in_caller(&e[i])))
			return (long)i;
	return first_of(e, n, CL_DEVICE_TYPE_CPU);
}

/* The entry that the specification names, or -1 after reporting. */
static long choose(const struct entry *e, size_t n, const char *spec, int threads)
{
	long i = -1;

	if (n == 0)
		return error(NO_DEVICE);
	if (!spec || !*spec) {
		i = first_of(e, n, CL_DEVICE_TYPE_GPU);
		if (i < 0)
			i = first_cpu(e, n, threads);
		return i < 0 ? 0 : i;
	}
	if (strcasecmp(spec, "gpu") == 0)
		i = first_of(e, n, CL_DEVICE_TYPE_GPU);
	else if (strcasecmp(spec, "cpu") == 0)
		i = first_cpu(e, n, threads);
	else if (spec[strspn(spec, "0123456789")] == '\0') {
		unsigned long k = strtoul(spec, NULL, 10);

		if (k >= n)
			return error("'--device %s': there are %zu devices, expected an index "
				     "below that",
				     spec, n);
		return (long)k;
	} else {
		for (size_t k = 0; k < n && i < 0; k++)
			if (is_called(&e[k], spec))
				i = (long)k;
	}
	if (i < 0)
		error("'--device %s': none of the %zu devices, expected one of --device list", spec,
		      n);
	return i;
}

size_t dev_mem_parse(const char *text, size_t total)
{
	static const char units[] = "KMGT";
	char *end;
	double v;
	const char *u;

	if (!isdigit((unsigned char)*text) && *text != '.')
		return SIZE_MAX;
	v = strtod(text, &end);
	if (end == text || !(v > 0))
		return SIZE_MAX;
	if (*end == '%')
		return end[1] || v > 100 ? SIZE_MAX : (size_t)(v / 100 * (double)total);
	if (*end) {
		u = strchr(units, toupper((unsigned char)*end));
		if (!u)
			return SIZE_MAX;
		for (const char *k = units; k <= u; k++)
			v *= 1024;
		end++;
		if (*end == 'i')
			end++;
		if (*end == 'B')
			end++;
	}
	return *end || !(v < 1e18) || v < 1 ? SIZE_MAX : (size_t)v;
}

static int read_limits(struct dev *d, const char *mem)
{
	size_t total = device_number(d->id, CL_DEVICE_GLOBAL_MEM_SIZE);
	cl_int e;

	d->mem = dev_mem_parse(mem ? mem : "80%", total);
	if (d->mem == SIZE_MAX)
		return error("'--mem %s': expected a size such as 512M or 4G, or a percentage such "
			     "as 50%%",
			     mem);
	d->largest = device_number(d->id, CL_DEVICE_MAX_MEM_ALLOC_SIZE);
	if (d->pointers && d->largest > SPARE)
		d->largest -= SPARE;
	d->max_group = device_number(d->id, CL_DEVICE_MAX_WORK_GROUP_SIZE);
	e = clGetDeviceInfo(d->id, CL_DEVICE_MAX_WORK_ITEM_SIZES, sizeof d->max_local, d->max_local,
			    NULL);
	return e == CL_SUCCESS ? 0 : cl_failed(d->name, "clGetDeviceInfo", e);
}

static int start(struct dev *d, const struct dev_opts *o)
{
	cl_context_properties p[] = { CL_CONTEXT_PLATFORM, (cl_context_properties)d->platform, 0 };
	cl_command_queue_properties q = profile_enabled() ? CL_QUEUE_PROFILING_ENABLE : 0;
	cl_int e;

	if (read_limits(d, o->mem) != 0)
		return -1;
	d->context = clCreateContext(p, 1, &d->id, NULL, NULL, &e);
	if (!d->context)
		return cl_failed(d->name, "clCreateContext", e);
	d->queue = clCreateCommandQueue(d->context, d->id, q, &e);
	if (!d->queue)
		return cl_failed(d->name, "clCreateCommandQueue", e);
	d->profiled = q != 0;
	return 0;
}

/* One queue a thread. */
static int open_queues(struct dev *d)
{
	cl_int e;

	d->queues = mem_new((size_t)d->threads, sizeof *d->queues);
	for (int i = 0; i < d->threads; i++) {
		d->queues[i] = clCreateCommandQueue(d->context, d->id, 0, &e);
		if (!d->queues[i])
			return cl_failed(d->name, "clCreateCommandQueue", e);
	}
	return 0;
}

struct dev *dev_open(const struct dev_opts *o)
{
	const char *spec = o->device ? o->device : getenv("SCOPELINE_DEVICE");
	struct entry *e;
	struct dev *d = NULL;
	size_t n;
	long i;

	set_up_pocl(o->threads);
	e = entries_new(&n);
	team_set_size(o->threads);
	i = choose(e, n, spec, team_size());
	if (i < 0)
		goto done;
	d = mem_new(1, sizeof *d);
	d->platform = e[i].platform;
	d->id = e[i].id;
	d->name = mem_printf("%s: %s", e[i].platform_name, e[i].name);
	d->cpu = e[i].type & CL_DEVICE_TYPE_CPU;
	d->keeps_binaries = is_pocl(&e[i]);
	d->wide = d->keeps_binaries; /* others take minutes to compile vectors of 16 */
	d->shared = d->keeps_binaries && d->cpu; /* others may keep a copy */
	d->pointers = d->shared && device_number(d->id, CL_DEVICE_SVM_CAPABILITIES) & CL_DEVICE_SVM_FINE_GRAIN_BUFFER;
	d->fp64 = device_number(d->id, CL_DEVICE_DOUBLE_FP_CONFIG) != 0 &&
		  !getenv("SCOPELINE_NO_FP64");
	d->threads = team_size();
	d->work_group = o->work_group;
	d->fft = o->fft != FFT_AUTO ? o->fft : d->cpu ? FFT_FFTW : FFT_CLFFT;
#ifndef HAVE_CLFFT
	if (o->fft == FFT_CLFFT) {
		error("'--fft clfft': this program was built without clFFT");
		dev_free(d);
		d = NULL;
		goto done;
	}
	d->fft = FFT_FFTW;
#endif
	if (start(d, o) != 0 || (runs_in_caller(&e[i]) && open_queues(d) != 0)) {
		dev_free(d);
		d = NULL;
	} else {
		info("device %ld: %s", i, d->name);
	}
done:
	entries_free(e, n);
	return d;
}

void dev_free(struct dev *d)
{
	if (!d)
		return;
	if (d->queue)
		clFinish(d->queue);
	clplan_close(d);
	while (d->kernels) {
		struct kernel *k = d->kernels;

		d->kernels = k->next;
		for (int i = 0; i < d->threads; i++)
			if (k->of[i])
				clReleaseKernel(k->of[i]);
		free(k->of);
		free(k->name);
		free(k);
	}
	while (d->programs) {
		struct program *p = d->programs;

		d->programs = p->next;
		clReleaseProgram(p->p);
		free(p->name);
		free(p);
	}
	for (int i = 0; d->queues && i < d->threads && d->queues[i]; i++)
		clReleaseCommandQueue(d->queues[i]);
	free(d->queues);
	if (d->queue)
		clReleaseCommandQueue(d->queue);
	if (d->context)
		clReleaseContext(d->context);
	free(d->name);
	free(d);
}

const char *dev_name(const struct dev *d)
{
	return d->name;
}

size_t dev_columns(const struct dev *d, size_t n)
{
	return d->wide ? (n + 15) / 16 : n;
}

bool dev_is_cpu(const struct dev *d)
{
	return d->cpu;
}

bool dev_has_fp64(const struct dev *d)
{
	return d->fp64;
}

int dev_threads(const struct dev *d)
{
	return d->threads;
}

enum fft_choice dev_fft(const struct dev *d)
{
	return d->fft;
}

size_t dev_mem(const struct dev *d)
{
	return d->mem;
}

size_t dev_mem_used(const struct dev *d)
{
	return d->used;
}
