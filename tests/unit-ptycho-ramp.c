/* Linear and constant phase of an object: a known plane is found and taken away. */
#include <math.h>

#include "base/die.h"
#include "ptycho/ramp.h"
#include "tap.h"

enum { H = 60, W = 71 };

/* A spotted object, lit in the middle, with a plane and a constant put on. */
static void object(const double k[2], double constant, float complex *o, float *light)
{
	for (int y = 0; y < H; y++)
		for (int x = 0; x < W; x++) {
			double spots = 0.4 * sin(0.5 * y) * cos(0.7 * x),
			       edge = hypot(y - 28, x - 33) / 22;

			light[y * W + x] = (float)fmax(1 - edge * edge, 0);
			o[y * W + x] = (float complex)(
				0.9 * cexp(I * (spots + k[0] * y + k[1] * x + constant)));
		}
}

/* sum W O, and the largest difference of two objects where there is light */
static double complex total(const float complex *o, const float *light)
{
	double complex sum = 0;

	for (int i = 0; i < H * W; i++)
		sum += (double)light[i] * (double complex)o[i];
	return sum;
}

static double apart(const float complex *a, const float complex *b, const float *light)
{
	double worst = 0;

	for (int i = 0; i < H * W; i++)
		if (light[i] > 0)
			worst = fmax(worst, (double)cabsf(a[i] - b[i]));
	return worst;
}

int main(void)
{
	static float complex plain[H * W], o[H * W];
	static float light[H * W];
	static const double planes[][2] = {
		{ 0, 0 }, { 0.013, -0.021 }, { -0.31, 0.77 }, { 3.1, -2.9 }
	};
	struct dev_opts options = { 0 };
	struct dev *d;
	double k[2], k0[2];
	double complex sum;

	program_start("unit-ptycho-ramp");
	d = dev_open(&options);
	if (!ok(d != NULL, "a device opens"))
		return done_testing();
	object(planes[0], 0, plain, light);
	ok(ramp_remove(d, H, W, plain, light, k0) == 0 && fabs(k0[0]) < 0.05 && fabs(k0[1]) < 0.05,
	   "an object without a plane keeps nearly all (%g, %g)", k0[0], k0[1]);
	for (int i = 1; i < 4; i++) {
		double step[2];

		object(planes[i], 0.4 * i, o, light);
		ok(ramp_remove(d, H, W, o, light, k) == 0, "plane %d is looked for", i);
		for (int a = 0; a < 2; a++)
			step[a] = remainder(k[a] - planes[i][a] - k0[a], 2 * M_PI);
		ok(fabs(step[0]) < 1e-5 && fabs(step[1]) < 1e-5,
		   "plane %g, %g is found (off by %g, %g)", planes[i][0], planes[i][1], step[0],
		   step[1]);
		ok(apart(o, plain, light) < 1e-3, "what is left does not depend on it (%g)",
		   apart(o, plain, light));
		sum = total(o, light);
		ok(creal(sum) > 0 && fabs(cimag(sum)) < 1e-5 * creal(sum),
		   "and has a real positive sum");
	}
	dev_free(d);
	return done_testing();
}
