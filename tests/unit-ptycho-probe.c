/* ptycho/probe.h: start probes against their definition in double, modes and eigenbasis against
 * what they promise.  The transforms are single precision: 1e-6 of the largest value. */
#include <math.h>

#include "base/mem.h"
#include "io/tiffio.h"
#include "math/random.h"
#include "ptycho/probe.h"
#include "tests/tap.h"

typedef float complex cfloat;
typedef double complex cdouble;

static struct dev *device;

static double abs2(cdouble z)
{
	return creal(z) * creal(z) + cimag(z) * cimag(z);
}

static double power(const cfloat *p, size_t pixels)
{
	double sum = 0;

	for (size_t i = 0; i < pixels; i++)
		sum += abs2(p[i]);
	return sum;
}

static cdouble dot(const cfloat *a, const cfloat *b, size_t pixels)
{
	cdouble sum = 0;

	for (size_t i = 0; i < pixels; i++)
		sum += conj((cdouble)a[i]) * b[i];
	return sum;
}

/* sum over the far field F (beam at n/2, n/2) of F e^{+2 pi i q (r - n/2) / n} / n, at one pixel:
 * the definition of a centred inverse */
static cdouble inverse(const cdouble *far, size_t n, size_t row, size_t column)
{
	cdouble sum = 0;
	double h = (double)(n / 2);

	for (size_t y = 0; y < n; y++)
		for (size_t x = 0; x < n; x++)
			sum += far[y * n + x] * cexp(2 * M_PI * I / (double)n *
						     (((double)y - h) * ((double)row - h) +
						      ((double)x - h) * ((double)column - h)));
	return sum / (double)n;
}

static double worst(const cdouble *far, const cfloat *p, size_t n)
{
	double top = 0, off = 0;

	for (size_t i = 0; i < n * n; i++)
		top = fmax(top, cabsf(p[i]));
	for (size_t y = 0; y < n; y += 3)
		for (size_t x = 0; x < n; x += 2)
			off = fmax(off, cabs(inverse(far, n, y, x) - p[y * n + x]));
	return off / top;
}

static void test_sharp_disc(size_t n)
{
	cfloat *p = mem_new(n * n, sizeof *p);
	cdouble *far = mem_new(n * n, sizeof *far);
	double h = (double)(n / 2), inside = 0;

	for (size_t i = 0; i < n * n; i++) {
		double qy = (double)(i / n) - h, qx = (double)(i % n) - h, q2 = qy * qy + qx * qx;

		far[i] = q2 < 0.2 * 0.2 * (double)(n * n) ? cexp(I * 0.012 * 128 / (double)n * q2)
							  : 0;
		inside += abs2(far[i]);
	}
	int rc = probe_disc(device, n, 0.2, 0.012, 0, p);
	double off = worst(far, p, n);
	ok(rc == 0 && off < 1e-6, "a sharp disc of side %zu is its closed form (%.2g)", n, off);
	ok(fabs(power(p, n * n) / inside - 1) < 1e-6,
	   "its power is the number of pixels in the disc");
	free(p);
	free(far);
}

static void test_data(size_t n)
{
	cfloat *p = mem_new(n * n, sizeof *p);
	cdouble *far = mem_new(n * n, sizeof *far);
	float *mean = mem_new(n * n, sizeof *mean);

	for (size_t i = 0; i < n * n; i++) {
		size_t y = i / n, x = i % n, centred = (y + n / 2) % n * n + (x + n / 2) % n;
		double qy = (double)((y + n / 2) % n) - (double)(n / 2),
		       qx = (double)((x + n / 2) % n) - (double)(n / 2);

		mean[i] = (float)(rng_key(1, 2, i) >> 40);
		far[centred] = mean[i] * cexp(I * 0.01 * (qy * qy + qx * qx));
	}
	int rc = probe_data(device, n, mean, 0.01, p);
	double off = worst(far, p, n);
	ok(rc == 0 && off < 1e-6, "a cold start of side %zu is its closed form (%.2g)", n, off);
	free(p);
	free(far);
	free(mean);
}

/* The disc of the specification against tiny_truth_probe.tif and tiny_probe0.tif, 2e5 photons */
static void test_golden(const char *shared, const char *file, double curvature)
{
	enum { N = 32 };
	char *path = mem_printf("%s/data/ptycho/%s", shared, file);
	struct array a = { .data = NULL };
	cfloat p[N * N];
	double off = 0, top = 0, scale;
	const float *re, *im;

	if (ok(tiff_read(path, NULL, &a, NULL) == 0 && a.type == DT_F32 && a.nz == 2 && a.ny == N &&
		       a.nx == N,
	       "%s is there", file) &&
	    ok(probe_disc(device, N, 0.15625, curvature, 1.5, p) == 0,
	       "a smoothed disc can be made")) {
		re = a.data;
		im = re + N * N;
		scale = sqrt(2e5 / power(p, N * N));
		for (size_t i = 0; i < N * N; i++) {
			top = fmax(top, hypot(re[i], im[i]));
			off = fmax(off, cabs(scale * p[i] - (re[i] + I * im[i])));
		}
		ok(off < 2e-6 * top, "and is the golden probe (%.2g)", off / top);
	}
	array_clear(&a);
	free(path);
}

static void test_gauss(void)
{
	enum { N = 48 };
	cfloat p[N * N];
	double rim;

	probe_gauss(N, 10, p);
	rim = abs2(p[N / 2 * N + N / 2 + 5]);
	ok(crealf(p[N / 2 * N + N / 2]) == 1 && fabs(rim - 0.5) < 1e-6,
	   "a Gaussian probe has half its intensity at half its width (%.7f)", rim);
	/* of the intensity exp(-4 ln 2 r^2 / w^2), 90 % within r = w sqrt(ln 10 / (4 ln 2)) */
	ok(fabs(probe_diameter(N, 1, p) - 20 * sqrt(log(10) / (4 * log(2)))) < 0.3,
	   "and 90 %% of it in the disc of the closed form (%.3f px)", probe_diameter(N, 1, p));
}

static void test_modes(void)
{
	enum { N = 32, M = 6 };
	static cfloat p[M * N * N], two[M * N * N];
	double total, share = 0, across = 0;

	if (probe_disc(device, N, 0.2, 0.02, 1, p) != 0)
		exit(1);
	memcpy(two, p, sizeof p);
	total = power(p, N * N);
	probe_modes(N, 1, M, 0.05, p);
	for (size_t i = 1; i < M; i++)
		share = fmax(share, fabs(power(p + i * N * N, N * N) / total - 0.05));
	ok(fabs(power(p, N * N) / total - 0.75) < 1e-6 && share < 1e-6,
	   "five extra modes carry 5 %% each, mode 0 the rest");
	for (size_t i = 0; i < M; i++)
		for (size_t j = 0; j < i; j++)
			across = fmax(across,
				      cabs(dot(p + i * N * N, p + j * N * N, N * N)) / total);
	ok(across < 1e-6, "all are orthogonal (%.2g)", across);

	/* the first extra mode is (x - cx) P, made orthogonal to P */
	cdouble want = 0, centre = 0;
	for (size_t i = 0; i < N * N; i++)
		centre += abs2(two[i]) * (double)(i % N);
	centre /= total;
	for (size_t i = 0; i < N * N; i++)
		want += conj((cdouble)two[i]) * two[i] * ((double)(i % N) - centre) *
			((double)(i % N) - centre);
	cdouble have = 0;
	for (size_t i = 0; i < N * N; i++)
		have += conj((cdouble)p[N * N + i]) * two[i] * ((double)(i % N) - centre);
	ok(fabs(creal(have) / sqrt(creal(want) * 0.05 * total) - 1) < 1e-5,
	   "mode 1 is mode 0 times its x (overlap %.7f)",
	   creal(have) / sqrt(creal(want) * 0.05 * total));

	/* completing keeps the given ones' shares of the rest */
	memcpy(two, p, 2 * N * N * sizeof *p);
	probe_modes(N, 2, 4, 0.1, two);
	total = power(p, 2 * N * N);
	ok(fabs(power(two, 4 * N * N) / total - 1) < 1e-6 &&
		   fabs(power(two, N * N) / power(p, N * N) - 0.8) < 1e-6 &&
		   fabs(power(two + 3 * N * N, N * N) / total - 0.1) < 1e-6,
	   "two modes are completed to four: power kept, 10 %% for each new one");
	across = 0;
	for (size_t i = 0; i < 4; i++)
		for (size_t j = 0; j < i; j++)
			across = fmax(across,
				      cabs(dot(two + i * N * N, two + j * N * N, N * N)) / total);
	ok(across < 1e-6, "which are new: orthogonal to those given (%.2g)", across);
}

static void test_orthogonalise(void)
{
	enum { N = 24, M = 5 };
	static cfloat p[M * N * N], old[M * N * N];
	static double before[N * N];
	double total, share[M], diagonal = 0, changed = 0, sum = 0;
	bool falling = true, positive = true;

	for (size_t i = 0; i < M * N * N; i++) {
		double a = (double)(rng_key(4, 1, i) >> 11) * 0x1p-53 - 0.5,
		       b = (double)(rng_key(4, 2, i) >> 11) * 0x1p-53 - 0.5;

		p[i] = (cfloat)((a + I * b) * (1 + (double)(i / (N * N))) +
				(i / (N * N) ? 0.7 * p[i % (N * N)] : 0));
		before[i % (N * N)] += abs2(p[i]);
	}
	memcpy(old, p, sizeof p);
	total = power(p, M * N * N);
	probe_orthogonalise(N, M, p, share);
	for (size_t i = 0; i < M; i++) {
		for (size_t j = 0; j < M; j++)
			diagonal = fmax(diagonal,
					i == j ? 0
					       : cabs(dot(p + i * N * N, p + j * N * N, N * N)) /
							 total);
		sum += share[i];
		falling = falling && (i == 0 || share[i] <= share[i - 1]);
		positive = positive && fabs(share[i] - power(p + i * N * N, N * N) / total) < 1e-6;
	}
	for (size_t i = 0; i < N * N; i++) {
		double now = 0;

		for (size_t m = 0; m < M; m++)
			now += abs2(p[m * N * N + i]);
		changed = fmax(changed, fabs(now - before[i]) / before[i]);
	}
	ok(changed < 1e-5, "orthogonalising keeps sum |P|^2 at every pixel (%.2g)", changed);
	ok(diagonal < 1e-6, "the overlap matrix is diagonal to 1e-6 (%.2g)", diagonal);
	ok(falling && positive && fabs(sum - 1) < 1e-12,
	   "strongest first, and the shares are those of the modes");
	memcpy(old, p, sizeof p);
	probe_orthogonalise(N, M, p, NULL);
	changed = 0;
	for (size_t i = 0; i < M * N * N; i++)
		changed = fmax(changed, cabsf(p[i] - old[i]));
	ok(changed < 1e-4, "once more changes nothing, the phases neither (%.2g)", changed);

	/* two equal modes: V = (1, 1) / sqrt 2, so that mode 0 is sqrt 2 times it and mode 1 empty
	 */
	memcpy(old, p, N * N * sizeof *p);
	memcpy(p + N * N, p, N * N * sizeof *p);
	probe_orthogonalise(N, 2, p, share);
	changed = 0;
	for (size_t i = 0; i < N * N; i++)
		changed = fmax(changed, cabs(p[i] - sqrt(2) * old[i]));
	ok(changed < 1e-4 && fabs(share[0] - 1) < 1e-6 && power(p + N * N, N * N) < 1e-6 * total,
	   "two equal modes become one (%.2g)", changed);
	memcpy(old, p, N * N * sizeof *p);
	probe_orthogonalise(N, 1, p, share);
	ok(memcmp(old, p, N * N * sizeof *p) == 0 && share[0] == 1, "one mode stays bit for bit");
}

int main(void)
{
	struct dev_opts o = { .threads = 2 };
	const char *shared = tap_shared();

	device = dev_open(&o);
	if (!device)
		return 1;
	test_sharp_disc(32);
	test_sharp_disc(27);
	test_data(32);
	test_data(25);
	if (shared) {
		test_golden(shared, "tiny_truth_probe.tif", 0.012);
		test_golden(shared, "tiny_probe0.tif", 0.009);
	}
	test_gauss();
	test_modes();
	test_orthogonalise();
	dev_free(device);
	return done_testing();
}
