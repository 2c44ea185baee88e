#include "tilt/optics.h"

#include <math.h>

#include "dev/fft.h"

double optics_z(const struct optics *o, size_t n, double offset, size_t k)
{
	double z = o->z_sign * ((double)k - (double)(n / 2) - offset) * o->z_step;

	return o->invert ? -z : z;
}

double optics_z_rate(const struct optics *o)
{
	return -o->z_sign * o->z_step * (o->invert ? -1 : 1);
}

bool optics_clamp_source(struct optics *o)
{
	if (o->na_ill < o->na_det)
		return false;
	o->na_ill = 0.9 * o->na_det;
	return true;
}

static int at_least_one(double f)
{
	int n = (int)ceil(f - 1e-9);

	return n < 1 ? 1 : n;
}

int optics_factor(const struct optics *o)
{
	int sum, width;

	if (o->oversample > 0)
		return o->oversample;
	sum = at_least_one(2 * o->pixel * (o->na_det + o->na_ill) / o->wavelength);
	width = at_least_one(4 * o->pixel * o->na_det / o->wavelength);
	return o->peer || sum > width ? sum : width;
}

/* exp(-12) = 6e-6 at the edge, squared in the pupil: below float32's resolution of the sums */
enum { EDGE_TAIL = 12 };

size_t optics_reach(const struct optics *o, size_t n)
{
	double edge = o->na_det / o->wavelength + EDGE_TAIL / o->steepness;

	return (size_t)(edge * (double)n * o->pixel) + 1;
}

size_t optics_pupil_size(const struct optics *o, size_t n)
{
	/* two more than the wanted lags: the peer's crop of odd sizes is off by one */
	size_t need = n / 2 + 2 * optics_reach(o, n) + (o->peer ? 2 : 1), good = fft_good_size(need);
	size_t whole = n * (size_t)optics_factor(o);

	if (o->oversample > 0)
		return whole;
	return o->peer && (whole < need || whole < good) ? whole : good;
}
