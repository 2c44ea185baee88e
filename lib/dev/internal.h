/* lib/dev/internal.h: what the files of lib/dev share, and nobody else includes.  The only header that names OpenCL. */
#ifndef DEV_INTERNAL_H
#define DEV_INTERNAL_H

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

#include "dev/dev.h"

struct kernel {
	char *name;
	cl_kernel k;
	cl_uint nargs;
	struct kernel *next;
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
	char *name;
	bool cpu, fp64, profiled, clfft;	/* clfft: the library was started for it */
	bool keeps_binaries;	/* built programs are kept on disk: see binary.c */
	bool wide;		/* work-items of cl/vec.clh take 16 columns */
	bool shared;		/* a buffer's host memory is what kernels use, mapped or not */
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

double seconds_now(void);	/* a monotonic clock */

#endif
