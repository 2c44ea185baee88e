/* lib/dev/dev.h: one OpenCL 1.2 device, its buffers, and the one door through which kernels are launched.
 *
 * Everything blocks or is ordered: one in-order queue; dev_run returns when the launch is queued, dev_map and buf_read wait.  Where the program's own
 * threads run the kernels (dev/parts.c) dev_run returns when they have.
 * On CPU devices buffers are host memory that OpenCL uses in place (CL_MEM_USE_HOST_PTR on 64-byte aligned pages): mapping moves
 * nothing. Not thread-safe: one thread drives a device. Functions that can fail return 0 or -1 (or NULL) after reporting the OpenCL
 * error by name. */
#ifndef DEV_DEV_H
#define DEV_DEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct dev;
struct buf;

enum fft_choice { FFT_AUTO, FFT_CLFFT, FFT_FFTW };

/* What the common options --device, --mem, --threads, --fft, --work-group say. */
struct dev_opts {
	const char *device;	/* NULL: $SCOPELINE_DEVICE, else the first GPU, else the first CPU; an index, "cpu", "gpu", part of a name */
	const char *mem;	/* NULL: 80%; "4G", "512M", "50%" (already checked by the option table) */
	int threads;		/* host threads, FFTW's too; 0: all online */
	enum fft_choice fft;
	int work_group;		/* 0: each kernel's own; else work-items per group along x (a test's knob) */
};

/* Prints the table of --device list (index, type, platform, device, memory, version; more when verbose).  0, or -1 if there is none. */
int dev_list(FILE *f, bool verbose);

/* Opens the device.  NULL after reporting; no platform at all names the package to install. */
struct dev *dev_open(const struct dev_opts *o);
void dev_free(struct dev *d);		/* fine on NULL */

const char *dev_name(const struct dev *d);	/* "platform: device", for provenance: no driver timestamps */
bool dev_is_cpu(const struct dev *d);
size_t dev_columns(const struct dev *d, size_t n);	/* work-items for n columns in kernels of cl/vec.clh: 16 each on PoCL, else 1 */
bool dev_has_fp64(const struct dev *d);		/* false also when $SCOPELINE_NO_FP64 is set */
int dev_threads(const struct dev *d);
enum fft_choice dev_fft(const struct dev *d);	/* FFT_CLFFT or FFT_FFTW, decided */
size_t dev_mem(const struct dev *d);		/* the bound on device allocations, bytes */
size_t dev_mem_used(const struct dev *d);

/* The --mem bound without opening a device is not known: a size needs none, a percentage does.  Bytes, or 0 if `text` is a percentage. */
size_t dev_mem_parse(const char *text, size_t total);	/* SIZE_MAX if the text is malformed */

/* ---- buffers */
struct buf *buf_new(struct dev *d, size_t bytes);	/* not initialised; counts against dev_mem: refused beyond it, with the figure needed */
void buf_free(struct buf *b);				/* fine on NULL */
size_t buf_bytes(const struct buf *b);
int buf_write(struct buf *b, size_t offset, const void *host, size_t bytes);	/* blocks; stage "upload" */
int buf_read(struct buf *b, size_t offset, void *host, size_t bytes);		/* blocks; stage "download" */
int buf_zero(struct buf *b);

enum map_mode { MAP_READ = 1, MAP_WRITE = 2, MAP_DISCARD = 4 };	/* MAP_DISCARD: the old content is not needed */
void *buf_map(struct buf *b, enum map_mode mode);	/* blocks; NULL after reporting */
int buf_unmap(struct buf *b);

/* ---- kernels.  The program "tilt" is cl/common.clh + cl/tilt.cl, built on first use and kept; its build log is printed on failure. */
int dev_load(struct dev *d, const char *program);
/* The same with a text that is not in cl/ (tests bring their own); cl/common.clh comes before it. */
int dev_load_text(struct dev *d, const char *name, const char *text);

struct arg {
	const void *ptr;
	size_t size;
	bool is_buf;
};
struct ndrange {
	size_t n[3];
	size_t local[3];	/* 0: the layer's default, explicit all the same: the power of two >= n[0] up to 64 (CPU) or 256 along x */
	const size_t *work;	/* [n[2] + 1]: of the layers before each, for threads to share; NULL: all alike */
	size_t bytes;		/* what has to move, for GB/s in the profile: each element that is used once; 0: not said */
};
#define NDRANGE1(x) ((struct ndrange){ .n = { (x), 1, 1 } })
#define NDRANGE2(x, y) ((struct ndrange){ .n = { (x), (y), 1 } })
#define NDRANGE3(x, y, z) ((struct ndrange){ .n = { (x), (y), (z) } })

static inline struct ndrange moving(size_t bytes, struct ndrange r)
{
	r.bytes = bytes;
	return r;
}

/* An argument: a variable of the kernel's type (cl_int, cl_float, float2 as cl_float2...) or a struct buf *.  INT and FLOAT take values;
 * LOCAL(bytes) is a __local argument.  A NULL struct buf * passes a null pointer. */
#define ARG(x) ((struct arg){ &(x), sizeof(x), _Generic((x), struct buf *: true, default: false) })
#define INT(x) ((struct arg){ &(int32_t){ (int32_t)(x) }, 4, false })
#define FLOAT(x) ((struct arg){ &(float){ (float)(x) }, 4, false })
#define LOCAL(bytes) ((struct arg){ NULL, (bytes), false })

/* Queues kernel(args) over the range, rounded up to the work-group size; kernels guard against their extents.  Kernels are found in the
 * loaded programs by name. 0, or -1 after reporting kernel and error by name. */
#define dev_run(d, kernel, range, ...) \
	dev_run_args((d), (kernel), (range), (const struct arg[]){ __VA_ARGS__ }, \
		     sizeof((const struct arg[]){ __VA_ARGS__ }) / sizeof(struct arg))
int dev_run_args(struct dev *d, const char *kernel, struct ndrange range, const struct arg *args, size_t n);
int dev_finish(struct dev *d);

/* Calls task(context), which launches kernels whose outermost range, and transforms whose batch, is n layers or a multiple of n, none of which depends on
 * another; it does nothing else with the device.  Where the program's own threads run the kernels each of them calls it, and what it launches there are
 * the layers of its share: no thread waits for another between launches.  0, or -1 after reporting. */
int dev_layers(struct dev *d, size_t n, int (*task)(void *context), void *context);

/* ---- profile.  Stage times add up under a name; also usable without a device (they are process-wide, locked: several threads may call).
 * profile_begin returns a start time; profile_end adds the time since to the stage and the bytes moved (0: not counted). */
void profile_enable(void);
bool profile_enabled(void);
double profile_begin(void);
void profile_end(const char *stage, double start, size_t bytes);
/* Writes the two tables (kernels, stages) to f, as text or as CSV. */
int profile_print(FILE *f, bool csv);

#endif
