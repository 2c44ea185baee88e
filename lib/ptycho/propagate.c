#include "ptycho/propagate.h"

#include <math.h>

struct optics optics_near(double z, double focus, double p, double wavelength)
{
	double m = isinf(focus) ? 1 : (z + focus) / focus;

	return (struct optics){
		.near_field = true, .distance = z / m, .wavelength = wavelength, .pixel = p / m
	};
}

/* cycles per sample of index i among n */
static double frequency(size_t i, size_t n)
{
	return (2 * i < n ? (double)i : (double)i - (double)n) / (double)n;
}

void propagator_make(size_t n, double z, double wavelength, double dx, float complex *H)
{
	for (size_t i = 0; i < n * n; i++) {
		double u = wavelength / dx * frequency(i / n, n),
		       v = wavelength / dx * frequency(i % n, n);
		double along = 1 - u * u - v * v;

		H[i] = along < 0
			       ? 0
			       : (float complex)cexp(2 * M_PI * I * (z / wavelength * sqrt(along)));
	}
}

bool propagator_sampled(size_t n, double z, double wavelength, double dx)
{
	return wavelength * z <= (double)n * dx * dx;
}
