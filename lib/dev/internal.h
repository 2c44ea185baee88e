/* lib/dev/internal.h: what the files of lib/dev share, and nobody else includes.  The only header that names OpenCL. */
#ifndef DEV_INTERNAL_H
#define DEV_INTERNAL_H

#define CL_TARGET_OPENCL_VERSION 200	/* for `pointers` below; 1.2 does */
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl.h>

#include "dev/dev.h"

/* What PoCL compiles a kernel for: see parts.c. */
struct kernel_form {
	size_t local[3], extent;
};

struct kernel {
	char *name;
	cl_program program;
	cl_kernel *of;		/* [threads]: each sets its own one's arguments, made on first use */
	cl_uint nargs;
	struct kernel *next;
	struct kernel_form form;	/* of the last launch */
};

struct program {
	char *name;
	cl_program p;
	struct program *next;
};

struct dev {
	cl_platform_id platform;
	cl_device_id id;
	cl_context context;
	cl_command_queue queue;
	cl_command_queue *queues;	/* one for each of the program's own threads where these run the kernels, else NULL */
	char *name;
	bool cpu, fp64, profiled, clfft;	/* clfft: the library was started for it */
	bool keeps_binaries;	/* built programs are kept on disk: see binary.c */
	bool wide;		/* work-items of cl/vec.clh take 16 columns */
	bool shared;		/* a buffer's host memory is what kernels use, mapped or not */
	bool pointers;		/* shared, and kernels take the host's pointers (fine-grained SVM of OpenCL 2.0) */
	bool busy;		/* launches may be under way */
	int threads, work_group;
	enum fft_choice fft;
	size_t mem, used, largest;	/* bounds on all buffers together, their sum now, bound on one buffer */
	size_t max_group, max_local[3];
	struct program *programs;
	struct kernel *kernels;
};

struct buf {
	struct dev *d;
	cl_mem mem;
	size_t bytes, host_bytes;
	void *host;	/* CPU devices: the memory itself */
	void *svm;	/* what it lies in, or NULL */
	void *mapped;
};

/* "CL_OUT_OF_RESOURCES", or a number for what the standard does not know */
const char *cl_error_name(cl_int e);

/* Reports "'subject': CL_NAME in call"; -1. */
int cl_failed(const char *subject, const char *call, cl_int e);

/* Adds a kernel's run of that many seconds to the profile; an FFT through the host counts as a kernel as well. */
void profile_kernel(const char *kernel, double seconds, size_t bytes);

/* Waits for an event and adds its time to the profile; releases it.  0, or -1 after reporting. */
int profile_event(const char *kernel, cl_event e, size_t bytes);

/* Where the built program of these texts and options is kept, or NULL: nowhere.  The caller frees. */
char *binary_path(const struct dev *d, const char *const text[2], const char *options);
/* The built program, or NULL: there is none, or it does not fit. */
cl_program binary_load(struct dev *d, const char *path, const char *options);
/* Keeps it, whole or not at all; that it cannot be kept is no error. */
void binary_save(const char *path, cl_program p);

/* The share of a thread within dev_layers: of n layers from .. end - 1. */
struct layers {
	size_t n, from, end;
	int member;
};
extern _Thread_local const struct layers *own_layers;	/* NULL: all, by all threads */

/* Runs the kernel, whose arguments are set, over the range by the program's own threads; on devices with `queues`. */
cl_int parts_run(struct dev *d, struct kernel *k, const size_t global[3], const size_t local[3], const struct ndrange *range);
/* The calling thread's layers of it. */
cl_int layers_run(struct dev *d, struct kernel *k, const size_t global[3], const size_t local[3]);

double seconds_now(void);	/* a monotonic clock */

#endif
