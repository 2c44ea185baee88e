/* dev.h: choice of the device, buffers, launches, the profile; floats that do not depend on work-groups or threads. */
#include <glob.h>
#include <math.h>
#include <stdint.h>
#include <unistd.h>

#include "base/die.h"
#include "base/mem.h"
#include "dev/dev.h"
#include "tests/capture.h"
#include "tests/tap.h"

static struct dev *open_cpu(int threads, int work_group, const char *mem)
{
	return dev_open(&(struct dev_opts){ .device = "cpu", .threads = threads, .work_group = work_group, .mem = mem });
}

static char *listing(bool verbose)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	ok(dev_list(f, verbose) == 0, "the %sdevice list is printed", verbose ? "verbose " : "");
	fclose(f);
	return text;
}

static void choice(void)
{
	static const char *const good[] = { "cpu", "0", "CPU" };
	static const char *const bad[] = { "99", "no such device" };
	char *list = listing(false), *more = listing(true);
	struct dev *d;

	ok(strstr(list, "index") && strstr(list, "\n    0  "), "the list has a header and a first row");
	ok(strlen(more) > strlen(list) && strstr(more, "driver"), "the verbose one says more");
	free(list);
	free(more);
	for (size_t i = 0; i < 3; i++) {
		d = dev_open(&(struct dev_opts){ .device = good[i] });
		ok(d != NULL, "device %s opens", good[i]);
		dev_free(d);
	}
	for (size_t i = 0; i < 2; i++) {
		capture_begin();
		d = dev_open(&(struct dev_opts){ .device = bad[i] });
		capture_end();
		ok(!d && captured(bad[i]), "device %s does not, and is named", bad[i]);
	}
	setenv("SCOPELINE_DEVICE", "no such device", 1);
	capture_begin();
	d = dev_open(&(struct dev_opts){ .device = NULL });
	capture_end();
	ok(!d, "SCOPELINE_DEVICE chooses");
	d = dev_open(&(struct dev_opts){ .device = "cpu" });
	ok(d && dev_is_cpu(d), "an option wins over SCOPELINE_DEVICE");
	dev_free(d);
	unsetenv("SCOPELINE_DEVICE");
	d = open_cpu(3, 0, NULL);
	ok(dev_threads(d) == 3, "the number of threads is kept");
	ok(strstr(dev_name(d), ": ") != NULL, "a name has platform and device: %s", dev_name(d));
	dev_free(d);
	setenv("SCOPELINE_NO_FP64", "1", 1);
	d = open_cpu(0, 0, NULL);
	ok(!dev_has_fp64(d), "SCOPELINE_NO_FP64 hides the doubles");
	unsetenv("SCOPELINE_NO_FP64");
	dev_free(d);
}

static void memory_sizes(void)
{
	static const struct { const char *text; size_t bytes; } c[] = {
		{ "1", 1 }, { "512M", (size_t)512 << 20 }, { "4G", (size_t)4 << 30 }, { "2k", 2048 }, { "1.5K", 1536 },
		{ "1T", (size_t)1 << 40 }, { "3MiB", (size_t)3 << 20 }, { "50%", 500 }, { "100%", 1000 },
		{ "", SIZE_MAX }, { "x", SIZE_MAX }, { "4X", SIZE_MAX }, { "-1", SIZE_MAX }, { "101%", SIZE_MAX },
		{ "0", SIZE_MAX }, { "5%5", SIZE_MAX }, { "nan", SIZE_MAX }, { "inf", SIZE_MAX }, { "1GG", SIZE_MAX },
	};

	for (size_t i = 0; i < sizeof c / sizeof *c; i++)
		ok(dev_mem_parse(c[i].text, 1000) == c[i].bytes, "memory size '%s'", c[i].text);
}

static void buffers(void)
{
	struct dev *d = open_cpu(2, 0, "1M");
	struct buf *a = buf_new(d, 1000000), *b;
	unsigned char in[8] = { 1, 2, 3, 4, 5, 6, 7, 8 }, out[8] = { 0 }, *p;
	bool zero = true;

	ok(dev_mem(d) == 1 << 20, "--mem is the bound");
	ok(a && dev_mem_used(d) == 1000000 && buf_bytes(a) == 1000000, "a buffer counts");
	capture_begin();
	b = buf_new(d, 48577);
	capture_end();
	ok(!b && captured("48577") && captured("1048576"), "one beyond the bound is refused, with the figures");
	b = buf_new(d, 48576);
	ok(b != NULL, "the last byte may be used");
	ok(buf_write(a, 999992, in, 8) == 0 && buf_read(a, 999992, out, 8) == 0 && memcmp(in, out, 8) == 0,
	   "what is written at an offset is read there");
	capture_begin();
	ok(buf_write(a, 999993, in, 8) == -1 && buf_read(a, SIZE_MAX, out, 8) == -1, "access beyond the end is refused");
	ok(buf_unmap(a) == -1, "unmapping what is not mapped is refused");
	p = buf_map(a, MAP_READ);
	ok(p && memcmp(p + 999992, in, 8) == 0, "a mapping shows it");
	ok(buf_map(a, MAP_READ) == NULL, "mapping twice is refused");
	capture_end();
	buf_unmap(a);
	ok(buf_zero(a) == 0, "a buffer is zeroed");
	p = buf_map(a, MAP_READ);
	for (size_t i = 0; i < 1000000; i++)
		zero &= p[i] == 0;
	ok(zero, "then all of it is zero");
	buf_unmap(a);
	buf_free(a);
	ok(dev_mem_used(d) == 48576, "a freed one counts no more");
	buf_free(b);
	buf_free(NULL);
	ok(dev_mem_used(d) == 0, "nothing is left");
	dev_free(d);
}

static const char kernels[] =
	"kernel void add(global float *a, float b, int n) { int i = get_global_id(0); if (i < n) a[i] += b; }\n"
	"kernel void null(global float *a, global int *seen) { if (get_global_id(0) == 0) *seen = a == 0; }\n"
	"kernel void turn(global int *a, local int *t, int n)\n"
	"{\n"
	"	int i = get_global_id(0), l = get_local_id(0), m = get_local_size(0);\n"
	"	t[l] = i < n ? a[i] : 0;\n"
	"	barrier(CLK_LOCAL_MEM_FENCE);\n"
	"	if (i < n) a[i] = t[m - 1 - l];\n"
	"}\n"
	"kernel void group(global int *a) { if (get_global_id(0) == 0) *a = get_local_size(0); }\n"
	"kernel void place(global int *a, int nx, int ny, int nz)\n"
	"{\n"
	"	int x = get_global_id(0), y = get_global_id(1), z = get_global_id(2);\n"
	"	if (x < nx && y < ny && z < nz) a[(z * ny + y) * nx + x] += 1 + x + 100 * y + 10000 * z;\n"
	"}\n"
	"kernel void place_slowly(global int *a, int nx, int ny, int nz)\n"
	"{\n"
	"	int x = get_global_id(0), y = get_global_id(1), z = get_global_id(2);\n"
	"	float s = 1;\n"
	"	for (int i = 0; i < 20000 + x; i++) s = s * 0.999f + 0.001f;\n"
	"	if (x < nx && y < ny && z < nz && s < 2) a[(z * ny + y) * nx + x] += 1 + x + 100 * y + 10000 * z;\n"
	"}\n"
	"kernel void double_it(global int *a, int nx, int ny, int nz)\n"
	"{\n"
	"	int x = get_global_id(0), y = get_global_id(1), z = get_global_id(2);\n"
	"	if (x < nx && y < ny && z < nz) a[(z * ny + y) * nx + x] *= 2;\n"
	"}\n";

static bool launch_ranges(struct dev *d)
{
	struct buf *a = buf_new(d, 7 * 5 * 3 * 4);
	const int *p;
	bool good = buf_zero(a) == 0;

	good &= dev_run(d, "place", NDRANGE3(7, 5, 3), ARG(a), INT(7), INT(5), INT(3)) == 0;
	p = buf_map(a, MAP_READ);
	for (int i = 0; i < 7 * 5 * 3; i++)
		good &= p[i] == 1 + i % 7 + 100 * (i / 7 % 5) + 10000 * (i / 35);
	buf_unmap(a);
	buf_free(a);
	return good;
}

/* Whether kernel "place" has been run once over each item of nx x ny x nz, and over none beyond; zeroes them. */
static bool placed(struct buf *a, int nx, int ny, int nz)
{
	int *p = buf_map(a, MAP_READ | MAP_WRITE), n = nx * ny * nz;
	bool good = p[n] == 0;

	for (int i = 0; i < n; i++) {
		good &= p[i] == 1 + i % nx + 100 * (i / nx % ny) + 10000 * (i / nx / ny);
		p[i] = 0;
	}
	buf_unmap(a);
	return good;
}

/* Ranges whose parts along any axis are of many sizes, one after the other, by several threads: PoCL 3.1 would abort if they were launched as they come. */
static void ranges_by_threads(void)
{
	static const int n[][3] = { { 1, 1, 1 }, { 64, 1, 1 }, { 65, 1, 1 }, { 4000, 1, 1 }, { 3, 100, 1 }, { 100, 3, 1 }, { 3, 7, 1 },
				    { 5, 61, 1 }, { 1, 1, 9 }, { 70, 3, 5 }, { 2, 200, 7 }, { 1, 2, 1 } };
	enum { SHAPES = sizeof n / sizeof *n, ROUNDS = 30 };

	for (int threads = 1; threads <= 5; threads++) {
		struct dev *d = open_cpu(threads, 0, NULL);
		struct buf *a = buf_new(d, 5000 * 4);
		bool good = dev_load_text(d, "test", kernels) == 0 && buf_zero(a) == 0;

		for (int round = 0; round < ROUNDS; round++)
			for (int i = 0; i < SHAPES; i++) {
				const int *m = n[(i * (1 + round % 11)) % SHAPES];
				struct ndrange r = { .n = { (size_t)m[0], (size_t)m[1], (size_t)m[2] }, .bytes = (size_t)round << 20 };

				if (round % 3 == 1)
					memcpy(r.local, (size_t[]){ 2, 4, 1 }, sizeof r.local);
				good &= dev_run(d, "place", r, ARG(a), INT(m[0]), INT(m[1]), INT(m[2])) == 0 && placed(a, m[0], m[1], m[2]);
			}
		ok(good, "%d threads: %d ranges, each item once", threads, ROUNDS * SHAPES);
		buf_free(a);
		dev_free(d);
	}
}

/* Each second range has parts of n and n + 1 rows, the one before it two of n: the small part could use what PoCL loaded for the range before.  With more bytes
 * each part is two, of three quarters and a quarter. */
static void growing_ranges(void)
{
	enum { LEAST = 60, MOST = 140 };
	struct dev *d = open_cpu(2, 0, NULL);
	struct buf *a = buf_new(d, 5 * MOST * 4 + 4);
	bool good = dev_load_text(d, "test", kernels) == 0 && buf_zero(a) == 0;

	for (size_t bytes = 0; bytes <= 2 << 20; bytes += 2 << 20) {
		for (int ny = LEAST; ny <= MOST; ny++)
			good &= dev_run(d, "place_slowly", moving(bytes, NDRANGE2(5, (size_t)ny)), ARG(a), INT(5), INT(ny), INT(1)) == 0 && placed(a, 5, ny, 1);
		ok(good, "ranges of %zu MB that grow row by row", bytes >> 20);
	}
	buf_free(a);
	dev_free(d);
}

struct layered {
	struct dev *d;
	struct buf *a;
	int nz, layers;	/* dev_layers has so many, of nz / layers each */
	int rc;
};

/* The second kernel finds what the first one left in these layers. */
static int place_layers(void *context)
{
	struct layered *l = context;
	size_t n[3] = { 6, 5, (size_t)l->nz };
	struct ndrange r = { .n = { n[0], n[1], n[2] } };

	if (dev_run(l->d, "place", r, ARG(l->a), INT(6), INT(5), INT(l->nz)) != 0 ||
	    dev_run(l->d, "double_it", r, ARG(l->a), INT(6), INT(5), INT(l->nz)) != 0)
		return -1;
	return l->rc;
}

static void layers(void)
{
	for (int threads = 1; threads <= 4; threads++) {
		struct dev *d = open_cpu(threads, 0, NULL);
		struct buf *a = buf_new(d, 6 * 5 * 40 * 4);
		struct layered l = { .d = d, .a = a };
		bool good = dev_load_text(d, "test", kernels) == 0;

		for (l.layers = 1; l.layers <= 13; l.layers++)
			for (int each = 1; each <= 3; each++) {
				const int *p;

				l.nz = l.layers * each;
				good &= buf_zero(a) == 0 && dev_layers(d, (size_t)l.layers, place_layers, &l) == 0;
				p = buf_map(a, MAP_READ);
				for (int i = 0; i < 6 * 5 * 40; i++)
					good &= p[i] == (i < 30 * l.nz ? 2 * (1 + i % 6 + 100 * (i / 6 % 5) + 10000 * (i / 30)) : 0);
				buf_unmap(a);
			}
		ok(good, "%d threads: launches by layers run once over each of theirs, one after the other", threads);
		l = (struct layered){ .d = d, .a = a, .nz = 8, .layers = 8, .rc = -1 };
		ok(dev_layers(d, 8, place_layers, &l) == -1, "%d threads: what fails in one layer fails in all", threads);
		ok(buf_zero(a) == 0 && dev_run(d, "place", NDRANGE3(7, 5, 3), ARG(a), INT(7), INT(5), INT(3)) == 0 && placed(a, 7, 5, 3),
		   "%d threads: a launch thereafter is whole", threads);
		buf_free(a);
		dev_free(d);
	}
}

static void refused_launches(struct dev *d, struct buf *a)
{
	double wrong = 1;

	capture_begin();
	ok(dev_run(d, "no_such", NDRANGE1(1), ARG(a)) == -1, "an unknown kernel is refused");
	capture_end();
	ok(captured("no_such") && captured("CL_INVALID_KERNEL_NAME"), "by its name and the error's");
	capture_begin();
	ok(dev_run(d, "add", NDRANGE1(1), ARG(a), FLOAT(1)) == -1, "an argument too few is refused");
	ok(dev_run(d, "add", NDRANGE1(1), ARG(a), ARG(wrong), INT(1)) == -1, "a double for a float is refused");
	capture_end();
	ok(captured("'add'") && captured("2 arguments, expected 3") && captured("argument 2"),
	   "naming kernel and argument");
	capture_begin();
	ok(dev_run(d, "add", ((struct ndrange){ .n = { 1, 1, 1 }, .local = { 1 << 20, 1, 1 } }), ARG(a), FLOAT(1), INT(1)) == -1,
	   "a work-group larger than the device's is refused");
	capture_end();
	ok(captured("CL_INVALID_WORK"), "by the error's name");
}

static void launches(void)
{
	struct dev *d = open_cpu(2, 0, NULL), *e;
	struct buf *a = buf_new(d, 400), *none = NULL;
	float *p;
	int *q, first;

	ok(dev_load_text(d, "test", kernels) == 0 && dev_load_text(d, "test", kernels) == 0, "a program builds, once");
	buf_zero(a);
	ok(dev_run(d, "add", NDRANGE1(99), ARG(a), FLOAT(2.5), INT(99)) == 0, "a kernel is launched");
	p = buf_map(a, MAP_READ);
	ok(p[0] == 2.5f && p[98] == 2.5f && p[99] == 0, "it ran over its extent and not beyond");
	buf_unmap(a);
	ok(dev_run(d, "add", NDRANGE1(0), ARG(a), FLOAT(1), INT(0)) == 0, "an empty range is fine");
	ok(dev_run(d, "null", NDRANGE1(1), ARG(none), ARG(a)) == 0 && buf_read(a, 0, &first, 4) == 0 && first == 1,
	   "a NULL buffer is a null pointer");
	q = buf_map(a, MAP_WRITE);
	for (int i = 0; i < 8; i++)
		q[i] = i;
	buf_unmap(a);
	ok(dev_run(d, "turn", ((struct ndrange){ .n = { 8, 1, 1 }, .local = { 4, 1, 1 } }), ARG(a), LOCAL(16), INT(8)) == 0,
	   "a kernel with local memory is launched");
	q = buf_map(a, MAP_READ);
	ok(q[0] == 3 && q[3] == 0 && q[4] == 7 && q[7] == 4, "its groups are of the size asked for");
	buf_unmap(a);
	ok(launch_ranges(d), "each item of a three-dimensional range runs once");
	dev_run(d, "group", NDRANGE1(1000), ARG(a));
	buf_read(a, 0, &first, 4);
	ok(first == 64, "the default group of a CPU has 64 items (found %d)", first);
	refused_launches(d, a);
	e = open_cpu(2, 16, NULL);
	buf_free(a);
	a = buf_new(e, 400);
	dev_load_text(e, "test", kernels);
	dev_run(e, "group", NDRANGE1(1000), ARG(a));
	buf_read(a, 0, &first, 4);
	ok(first == 16, "--work-group sets it (found %d)", first);
	buf_free(a);
	dev_free(e);
	verbosity = VERBOSE;
	capture_begin();
	ok(dev_load_text(d, "bad", "#line 1 \"cl/bad.cl\"\n\nkernel void f(global int *a) { a = nothing; }\n") == -1,
	   "a text that does not compile is refused");
	capture_end();
	verbosity = NORMAL;
	ok(captured("'bad': CL_BUILD_PROGRAM_FAILURE"), "by the error's name");
	ok(captured("nothing"), "--verbose shows the build log");
	capture_begin();
	ok(dev_load(d, "no_such_program") == -1, "a program that is not in the library is refused");
	capture_end();
	dev_free(d);
}

static bool builds(const char *kept)
{
	struct dev *d = open_cpu(2, 0, NULL);
	int seen = 0;
	struct buf *a = buf_new(d, 4);
	bool good = dev_load_text(d, "test", kernels) == 0 && dev_run(d, "group", NDRANGE1(1000), ARG(a)) == 0 &&
		    buf_read(a, 0, &seen, 4) == 0 && seen == 64 && access(kept, R_OK) == 0;

	buf_free(a);
	dev_free(d);
	return good;
}

/* The kept binary is damaged by every means; PoCL itself would crash on it. */
static void kept_binaries(void)
{
	char folder[] = "/tmp/unit-dev-XXXXXX", *kept = NULL, *command;
	struct dev *d = open_cpu(2, 0, NULL);
	glob_t found = { 0 };
	FILE *f;

	if (!strstr(dev_name(d), "Portable Computing Language")) {
		ok(true, "binaries are kept # SKIP for PoCL only");
		dev_free(d);
		return;
	}
	if (!mkdtemp(folder))
		abort();
	setenv("XDG_CACHE_HOME", folder, 1);	/* PoCL has read it before */
	ok(dev_load_text(d, "test", kernels) == 0, "a program builds with an empty cache");
	dev_free(d);
	command = mem_printf("%s/scopeline/*.clbin", folder);
	ok(glob(command, 0, NULL, &found) == 0 && found.gl_pathc == 1, "one binary is kept");
	free(command);
	kept = found.gl_pathc ? found.gl_pathv[0] : folder;
	ok(builds(kept), "it is used");
	for (long n = 0; n < 100000; n = n ? 10 * n : 1) {
		ok(truncate(kept, n) == 0 && builds(kept), "cut to %ld bytes it is built anew", n);
	}
	for (long at = 0; at < 10000; at = at ? 10 * at : 7) {
		f = fopen(kept, "r+b");
		fseek(f, at, SEEK_SET);
		int c = fgetc(f);

		fseek(f, at, SEEK_SET);
		fputc(c ^ 255, f);
		fclose(f);
		ok(builds(kept), "with byte %ld changed it is built anew", at);
	}
	globfree(&found);
	command = mem_printf("rm -r %s", folder);
	ok(system(command) == 0, "the cache is removed");
	free(command);
	unsetenv("XDG_CACHE_HOME");
}

/* Sums of products whose bytes tell how often they were rounded; a loop, which a vectoriser may be tempted to reorder. */
static const char rounding[] =
	"kernel void rounding(global float *r, global const float *x, int n)\n"
	"{\n"
	"	int i = get_global_id(0);\n"
	"	if (i >= n) return;\n"
	"	float a = x[i], b = x[(i + 7) % n], c = x[(i + 31) % n], s = 0;\n"
	"	for (int k = 0; k < 23; k++) s += x[(i + k) % n] * x[(i + 2 * k) % n];\n"
	"	r[i] = a * b + c;\n"
	"	r[n + i] = fma(a, b, c);\n"
	"	r[2 * n + i] = s;\n"
	"	r[3 * n + i] = a / b;\n"
	"	r[4 * n + i] = sqrt(fabs(a));\n"
	"	r[5 * n + i] = exp(a) + sin(b) * cos(c);\n"
	"}\n";

enum { N = 1009 };

static float *round_off(int threads, int work_group, const float *x)
{
	struct dev *d = open_cpu(threads, work_group, NULL);
	struct buf *in = buf_new(d, N * 4), *out = buf_new(d, 6 * N * 4);
	float *r = mem_new(6 * N, sizeof *r);

	if (dev_load_text(d, "rounding", rounding) != 0 || buf_write(in, 0, x, N * 4) != 0 ||
	    dev_run(d, "rounding", NDRANGE1(N), ARG(out), ARG(in), INT(N)) != 0 || buf_read(out, 0, r, 6 * N * 4) != 0)
		r[0] = NAN;
	buf_free(in);
	buf_free(out);
	dev_free(d);
	return r;
}

static void floats(void)
{
	static const int setting[][2] = { { 1, 1 }, { 2, 16 }, { 2, 256 }, { 1, 1000 } };
	float x[N], *want, *got;
	bool product = true, fused = true, sum = true;

	for (int i = 0; i < N; i++)
		x[i] = sinf((float)i * 1.7f) * 3 + 0.01f;
	want = round_off(1, 64, x);
	for (int i = 0; i < N; i++) {
		volatile float p = x[i] * x[(i + 7) % N], s = 0;

		product &= want[i] == p + x[(i + 31) % N];
		fused &= want[N + i] == fmaf(x[i], x[(i + 7) % N], x[(i + 31) % N]);
		for (int k = 0; k < 23; k++) {
			p = x[(i + k) % N] * x[(i + 2 * k) % N];
			s += p;
		}
		sum &= want[2 * N + i] == s;
	}
	ok(product, "a * b + c is rounded twice");
	ok(fused, "fma(a, b, c) is rounded once");
	ok(sum, "a loop's sum is added in its order");
	for (size_t i = 0; i < sizeof setting / sizeof *setting; i++) {
		got = round_off(setting[i][0], setting[i][1], x);
		ok(memcmp(want, got, 6 * N * sizeof *got) == 0, "%d threads, groups of %d: the same bytes", setting[i][0],
		   setting[i][1]);
		free(got);
	}
	free(want);
}

static void profile(void)
{
	char *text = NULL;
	size_t n = 0;
	struct dev *d;
	struct buf *a;
	float v[4] = { 0 };
	FILE *f;
	double t;

	profile_enable();
	d = open_cpu(2, 0, NULL);
	a = buf_new(d, 4000);
	dev_load_text(d, "test", kernels);
	for (int i = 0; i < 3; i++)
		dev_run(d, "add", moving(8000, NDRANGE1(1000)), ARG(a), FLOAT(1), INT(1000));
	buf_write(a, 0, v, 16);
	buf_read(a, 0, v, 16);
	t = profile_begin();
	profile_end("own stage", t, 1000);
	f = open_memstream(&text, &n);
	ok(profile_print(f, true) == 0, "the profile is printed");
	fclose(f);
	ok(strncmp(text, "kind,name,calls,seconds,mean_ms,bytes,gb_per_s\n", 47) == 0, "as CSV with a header");
	ok(strstr(text, "kernel,add,3,") && strstr(text, ",24000,"), "a kernel with its launches and bytes");
	ok(strstr(text, "stage,upload,1,") && strstr(text, "stage,download,1,") && strstr(text, "stage,build,1,"),
	   "stages of the layer's own");
	ok(strstr(text, "stage,own stage,1,") != NULL, "and a caller's");
	free(text);
	f = open_memstream(&text, &n);
	profile_print(f, false);
	fclose(f);
	ok(strstr(text, "launches") && strstr(text, "mean/ms") && strstr(text, "own stage"), "or as text");
	free(text);
	buf_free(a);
	dev_free(d);
}

int main(void)
{
	program_start("unit-dev");
	choice();
	memory_sizes();
	buffers();
	launches();
	ranges_by_threads();
	growing_ranges();
	layers();
	kept_binaries();
	floats();
	profile();
	return done_testing();
}
