#include "batch/common.h"

struct common common;

const struct opt device_options[] = {
	{ OPT_HEADING, .help = "Device" },
	{ OPT_TEXT, "device", .text = &common.device, .arg = "SPEC", .incidental = true,
	  .note = "$SCOPELINE_DEVICE, else the first GPU, else the first CPU",
	  .help = "`list', an index of that list, cpu, gpu, or a part of platform or device name" },
	{ OPT_MEM, "mem", .text = &common.mem, .incidental = true, .note = "80%",
	  .help = "bound on device memory: 512M, 4G or 50%" },
	{ OPT_INT, "threads", .integer = &common.threads, .range = "[1,4096]", .incidental = true,
	  .note = "all online", .help = "host threads" },
	{ OPT_CHOICE, "fft", .choice = &common.fft, .choices = "auto|clfft|fftw", .initial = "auto",
	  .help = "library of the Fourier transforms; auto: clFFT on GPUs, FFTW on CPUs" },
	{ OPT_INT, "work-group", .integer = &common.work_group, .range = "[1,1024]",
	  .incidental = true, .note = "each kernel's own",
	  .help = "work-items per group, to tune or to test" },
	{ OPT_TEXT, "profile", .text = &common.profile, .arg = "FILE", .optional = true,
	  .incidental = true,
	  .help = "at the end, times of kernels and stages: on stderr, or as CSV to FILE" },
	{ OPT_END }
};

#define BATCH_ROWS                                                                             \
	{ OPT_TEXT, "shard", .text = &common.shard, .arg = "I/N|slurm", .incidental = true,    \
	  .help = "only inputs k with k mod N = I, from 0; slurm: by the variables of an "     \
		  "array job" },                                                               \
		{ OPT_FLAG, "resume", .flag = &common.resume, .incidental = true,              \
		  .help = "skip what the same command has finished" },                         \
		{ OPT_FLAG, "fail-fast", .flag = &common.fail_fast, .incidental = true,        \
		  .help = "stop at the first input that fails" },                              \
		{ OPT_CHOICE, "progress", .choice = &common.progress,                          \
		  .choices = "auto|always|never", .initial = "auto", .incidental = true,       \
		  .help = "show progress; auto: on a terminal" },                              \
		{ OPT_FLAG, "dry-run", .flag = &common.dry_run, .incidental = true,            \
		  .help = "print shape, memory and blocks of each input, do nothing" },        \
	{ OPT_END }

const struct opt batch_options[] = {
	{ OPT_HEADING, .help = "Inputs and outputs" },
	{ OPT_TEXT, "output", 'o', .text = &common.output, .arg = "FILE", .incidental = true,
	  .help = "result of one input, `-' is stdout" },
	{ OPT_TEXT, "output-dir", 'O', .text = &common.output_dir, .arg = "DIR", .incidental = true,
	  .help = "folder for the results of many inputs" },
	{ OPT_TEXT, "list", .text = &common.list, .arg = "FILE", .incidental = true,
	  .help = "inputs from a CSV manifest or a plain list, `-' is stdin" },
	BATCH_ROWS
};

const struct opt table_options[] = {
	{ OPT_HEADING, .help = "Inputs and outputs" },
	{ OPT_TEXT, "output", 'o', .text = &common.output, .arg = "FILE", .initial = "-",
	  .incidental = true, .help = "the table, `-' is stdout" },
	{ OPT_TEXT, "list", .text = &common.list, .arg = "FILE", .incidental = true,
	  .help = "inputs from a CSV manifest, `-' is stdin" },
	BATCH_ROWS
};

const struct opt input_options[] = {
	{ OPT_HEADING, .help = "Pages of the input" },
	{ OPT_INT, "pages", .integer = common.pages, .values = 2, .separator = '-', .repeat = true,
	  .range = "[1,1e9]", .arg = "A[-B]", .note = "all", .help = "pages to read, from 1" },
	{ OPT_INT, "channel", .integer = &common.channel, .range = "[1,1e6]", .arg = "C",
	  .help = "channel to read, from 1" },
	{ OPT_TEXT, "axes", .text = &common.axes, .arg = "AXES", .note = "from the file",
	  .help = "axes of the pages, slow to fast, like TCZ" },
	{ OPT_END }
};

const struct opt output_options[] = {
	{ OPT_HEADING, .help = "TIFF output" },
	{ OPT_CHOICE, "compress", .choice = &common.compress, .choices = "none|deflate|zstd",
	  .initial = "none", .help = "compression" },
	{ OPT_CHOICE, "predictor", .choice = &common.predictor, .choices = "none|float",
	  .initial = "none", .help = "predictor for compression; few readers know float" },
	{ OPT_END }
};

struct tiff_select common_select(void)
{
	return (struct tiff_select){ common.pages[0], common.pages[1], common.channel, common.axes,
				     false, false };
}

struct tiff_out common_tiff_out(void)
{
	return (struct tiff_out){
		.compress = common.compress,
		.predictor_float = common.predictor == PREDICTOR_FLOAT,
		.threads = (int)common.threads,
	};
}
