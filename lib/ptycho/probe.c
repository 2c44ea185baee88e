#include "ptycho/probe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ptycho/transform.h"

/* ---- start probes */

/* of index i of a far field whose beam is at (0,0), in detector pixels */
static double detector(size_t i, size_t n)
{
	return 2 * i < n ? (double)i : (double)i - (double)n;
}

/* The far field, beam at (0,0), times exp(i phase), phase of (y^2 + x^2, y^2 - x^2, 2 y x), to the
 * probe. */
static int from_far_field(struct dev *d, size_t n, const double phase[3], float complex *far,
			  float complex *probe)
{
	for (size_t y = 0; y < n; y++)
		for (size_t x = 0; x < n; x++) {
			double qy = detector(y, n), qx = detector(x, n);

			far[y * n + x] *= (float complex)cexp(I * (phase[0] * (qy * qy + qx * qx) +
								   phase[1] * (qy * qy - qx * qx) +
								   2 * phase[2] * qy * qx));
		}
	if (transform_host(d, FFT_BACKWARD, n, n, far) != 0)
		return -1;
	for (size_t y = 0; y < n; y++)
		for (size_t x = 0; x < n; x++)
			probe[(y + n / 2) % n * n + (x + n / 2) % n] = far[y * n + x] / (float)n;
	return 0;
}

int probe_disc(struct dev *d, size_t n, double radius, double curvature, double edge,
	       float complex *probe)
{
	float complex *far = mem_try("probe", n * n, sizeof *far);
	double limit = radius * (double)n;
	int rc = -1;

	if (!far)
		return -1;
	for (size_t y = 0; y < n; y++)
		for (size_t x = 0; x < n; x++) {
			double qy = detector(y, n), qx = detector(x, n);

			far[y * n + x] = qy * qy + qx * qx < limit * limit;
		}
	if (transform_smooth(d, n, n, edge, far) != 0)
		goto done;
	for (size_t i = 0; i < n * n; i++)
		far[i] = crealf(far[i]);
	rc = from_far_field(d, n, (double[3]){ curvature * 128 / (double)n, 0, 0 }, far, probe);
done:
	free(far);
	return rc;
}

int probe_data(struct dev *d, size_t n, const float *mean_d, double curvature, float complex *probe)
{
	return probe_far(d, n, mean_d, (double[3]){ curvature, 0, 0 }, probe);
}

int probe_far(struct dev *d, size_t n, const float *mean_d, const double phase[3],
	      float complex *probe)
{
	float complex *far = mem_try("probe", n * n, sizeof *far);
	int rc;

	if (!far)
		return -1;
	for (size_t i = 0; i < n * n; i++)
		far[i] = mean_d[i];
	rc = from_far_field(d, n, phase, far, probe);
	free(far);
	return rc;
}

int probe_defocus(struct dev *d, size_t n, double curvature, const float complex *from,
		  float complex *probe)
{
	float complex *far = mem_try("probe", n * n, sizeof *far);
	int rc = -1;

	if (!far)
		return -1;
	for (size_t y = 0; y < n; y++)
		for (size_t x = 0; x < n; x++)
			far[y * n + x] = from[(y + n / 2) % n * n + (x + n / 2) % n] / (float)n;
	if (transform_host(d, FFT_FORWARD, n, n, far) == 0)
		rc = from_far_field(d, n, (double[3]){ curvature, 0, 0 }, far, probe);
	free(far);
	return rc;
}

void probe_gauss(size_t n, double fwhm, float complex *probe)
{
	double c = -2 * log(2) / (fwhm * fwhm);

	for (size_t y = 0; y < n; y++)
		for (size_t x = 0; x < n; x++) {
			double dy = (double)y - (double)(n / 2), dx = (double)x - (double)(n / 2);

			probe[y * n + x] = (float)exp(c * (dy * dy + dx * dx));
		}
}

/* ---- modes */

static double power_of(const float complex *p)
{
	double re = crealf(*p), im = cimagf(*p);

	return re * re + im * im;
}

/* Centroid and standard deviation per axis of sum_m |P_m|^2; returns the power. */
static double moments(size_t n, size_t m, const float complex *modes, double at[2], double sd[2])
{
	double sum = 0, first[2] = { 0, 0 }, second[2] = { 0, 0 };

	for (size_t i = 0; i < m * n * n; i++) {
		double w = power_of(&modes[i]), c[2] = { (double)(i / n % n), (double)(i % n) };

		sum += w;
		for (int a = 0; a < 2; a++)
			first[a] += w * c[a];
	}
	for (int a = 0; a < 2; a++)
		at[a] = sum > 0 ? first[a] / sum : (double)(n / 2);
	for (size_t i = 0; i < m * n * n; i++) {
		double w = power_of(&modes[i]),
		       c[2] = { (double)(i / n % n) - at[0], (double)(i % n) - at[1] };

		for (int a = 0; a < 2; a++)
			second[a] += w * c[a] * c[a];
	}
	for (int a = 0; a < 2; a++)
		sd[a] = sum > 0 ? sqrt(second[a] / sum) : 0;
	return sum;
}

static double norm(const double complex *q, size_t pixels)
{
	double sum = 0;

	for (size_t i = 0; i < pixels; i++)
		sum += creal(q[i]) * creal(q[i]) + cimag(q[i]) * cimag(q[i]);
	return sqrt(sum);
}

/* q made orthogonal to basis[count] (orthonormal) and of norm 1; 0, or -1 if nothing but rounding
 * is left of it */
static int gram_schmidt(const double complex *basis, size_t count, size_t pixels, double complex *q)
{
	double before = norm(q, pixels), left;

	for (int twice = 0; twice < 2; twice++)
		for (size_t b = 0; b < count; b++) {
			const double complex *p = basis + b * pixels;
			double complex dot = 0;

			for (size_t i = 0; i < pixels; i++)
				dot += conj(p[i]) * q[i];
			for (size_t i = 0; i < pixels; i++)
				q[i] -= p[i] * dot;
		}
	left = norm(q, pixels);
	if (!(left > 1e-6 * before))
		return -1;
	for (size_t i = 0; i < pixels; i++)
		q[i] /= left;
	return 0;
}

/* q = ((y - cy) / sy)^i ((x - cx) / sx)^j P */
static void product(size_t n, const float complex *p, const double at[2], const double sd[2], int i,
		    int j, double complex *q)
{
	for (size_t y = 0; y < n; y++) {
		double fy = pow(((double)y - at[0]) / sd[0], i);

		for (size_t x = 0; x < n; x++)
			q[y * n + x] = p[y * n + x] * (fy * pow(((double)x - at[1]) / sd[1], j));
	}
}

/* Hermite-like modes behind basis[count] until there are `want`; returns how many there are. */
static size_t extend(size_t n, const float complex *p, size_t count, size_t want,
		     double complex *basis)
{
	double at[2], sd[2];
	int last = (int)want + 8; /* orders are no more than modes; a probe of a few pixels has
				     fewer than any number */

	if (!(moments(n, 1, p, at, sd) > 0 && sd[0] > 0 && sd[1] > 0))
		return count;
	for (int t = 1; t <= last; t++)
		for (int i = 0; i <= t && count < want; i++) {
			product(n, p, at, sd, i, t - i, basis + count * n * n);
			if (gram_schmidt(basis, count, n * n, basis + count * n * n) == 0)
				count++;
		}
	return count;
}

void probe_modes(size_t n, size_t have, size_t want, double power, float complex *modes)
{
	size_t pixels = n * n, given = 0, count;
	double complex *basis;
	double total = 0, keep;

	if (have >= want)
		return;
	basis = mem_new(want * pixels, sizeof *basis);
	for (size_t i = 0; i < have * pixels; i++)
		total += power_of(&modes[i]);
	for (size_t m = 0; m < have; m++) {
		for (size_t i = 0; i < pixels; i++)
			basis[given * pixels + i] = modes[m * pixels + i];
		if (gram_schmidt(basis, given, pixels, basis + given * pixels) == 0)
			given++;
	}
	count = extend(n, modes, given, given + want - have, basis);
	keep = sqrt(fmax(0, 1 - power * (double)(want - have)));
	for (size_t i = 0; i < have * pixels; i++)
		modes[i] *= (float)keep;
	memset(modes + have * pixels, 0, (want - have) * pixels * sizeof *modes);
	for (size_t m = given; m < count; m++)
		for (size_t i = 0; i < pixels; i++)
			modes[(have + m - given) * pixels + i] =
				(float complex)(basis[m * pixels + i] * sqrt(power * total));
	free(basis);
}

/* A Hermitian [m][m] to diagonal form by Jacobi's rotations; V [m][m] gets the eigenvectors as
 * columns. */
static void jacobi(size_t m, double complex *A, double complex *V)
{
	for (size_t i = 0; i < m * m; i++)
		V[i] = i / m == i % m;
	for (int sweep = 0; sweep < 60; sweep++) {
		double off = 0, diagonal = 0;

		for (size_t i = 0; i < m * m; i++)
			*(i / m == i % m ? &diagonal : &off) += cabs(A[i]) * cabs(A[i]);
		if (!(off > 1e-32 * diagonal))
			return;
		for (size_t p = 0; p + 1 < m; p++)
			for (size_t q = p + 1; q < m; q++) {
				double complex a = A[p * m + q];
				double size = cabs(a), theta, t, c;
				double complex s;

				if (!(size > 0))
					continue;
				theta = (creal(A[q * m + q]) - creal(A[p * m + p])) / (2 * size);
				t = (theta < 0 ? -1 : 1) / (fabs(theta) + hypot(theta, 1));
				c = 1 / hypot(t, 1);
				s = t * c * (a / size);
				for (size_t i = 0; i < m; i++) { /* columns of A and V */
					double complex u = A[i * m + p], v = A[i * m + q],
						       w = V[i * m + p], z = V[i * m + q];

					A[i * m + p] = c * u - conj(s) * v;
					A[i * m + q] = s * u + c * v;
					V[i * m + p] = c * w - conj(s) * z;
					V[i * m + q] = s * w + c * z;
				}
				for (size_t i = 0; i < m; i++) { /* rows of A */
					double complex u = A[p * m + i], v = A[q * m + i];

					A[p * m + i] = c * u - s * v;
					A[q * m + i] = conj(s) * u + c * v;
				}
			}
	}
}

/* Column `from` of V with its largest entry real positive, to column `to` of W. */
static void take_column(size_t m, const double complex *V, size_t from, double complex *W,
			size_t to)
{
	size_t top = 0;
	double complex turn;

	for (size_t i = 1; i < m; i++)
		if (cabs(V[i * m + from]) > cabs(V[top * m + from]))
			top = i;
	turn = conj(V[top * m + from]) / cabs(V[top * m + from]);
	for (size_t i = 0; i < m; i++)
		W[i * m + to] = V[i * m + from] * turn;
}

/* W [m][m]: eigenvectors of A in columns, strongest first; power [m] of the eigenvalues, as shares
 */
static void basis_of(size_t m, double complex *A, double complex *W, double *power)
{
	double complex *V = mem_new(m * m, sizeof *V);
	double trace = 0;

	jacobi(m, A, V);
	for (size_t i = 0; i < m; i++)
		trace += creal(A[i * m + i]);
	for (size_t j = 0; j < m; j++) {
		size_t top = 0;

		while (isinf(creal(A[top * m + top])))
			top++;
		for (size_t i = top + 1; i < m; i++)
			if (creal(A[i * m + i]) > creal(A[top * m + top]))
				top = i;
		if (power)
			power[j] = trace > 0 ? fmax(0, creal(A[top * m + top])) / trace : 0;
		take_column(m, V, top, W, j);
		A[top * m + top] = -INFINITY; /* taken */
	}
	free(V);
}

void probe_orthogonalise(size_t n, size_t m, float complex *modes, double *power)
{
	size_t pixels = n * n;
	double complex *A, *W, *old;

	if (m == 1) {
		if (power)
			power[0] = 1;
		return;
	}
	A = mem_new(m * m, sizeof *A);
	W = mem_new(m * m, sizeof *W);
	old = mem_new(m, sizeof *old);
	for (size_t i = 0; i < m; i++)
		for (size_t j = i; j < m; j++) {
			double complex dot = 0;

			for (size_t r = 0; r < pixels; r++)
				dot += conj((double complex)modes[i * pixels + r]) *
				       modes[j * pixels + r];
			A[i * m + j] = i == j ? creal(dot) : dot;
			A[j * m + i] = conj(A[i * m + j]);
		}
	for (size_t i = 0; i < m * m; i++)
		if (!isfinite(creal(A[i])) || !isfinite(cimag(A[i])))
			goto done; /* a diverged probe stays for the watchdog to see */
	basis_of(m, A, W, power);
	for (size_t r = 0; r < pixels; r++) {
		for (size_t i = 0; i < m; i++)
			old[i] = modes[i * pixels + r];
		for (size_t j = 0; j < m; j++) {
			double complex v = 0;

			for (size_t i = 0; i < m; i++)
				v += W[i * m + j] * old[i];
			modes[j * pixels + r] = (float complex)v;
		}
	}
done:
	free(A);
	free(W);
	free(old);
}

/* ---- place and size */

void probe_roll(size_t n, size_t m, const long t[2], float complex *modes)
{
	float complex *was = mem_new(m * n * n, sizeof *was);
	long side = (long)n;

	memcpy(was, modes, m * n * n * sizeof *was);
	for (size_t i = 0; i < m; i++)
		for (size_t y = 0; y < n; y++)
			for (size_t x = 0; x < n; x++) {
				size_t to = (size_t)((((long)y + t[0]) % side + side) % side),
				       at = (size_t)((((long)x + t[1]) % side + side) % side);

				modes[(i * n + to) * n + at] = was[(i * n + y) * n + x];
			}
	free(was);
}


double probe_diameter(size_t n, size_t m, const float complex *modes)
{
	enum { PER_PX = 32 };
	size_t bins = 2 * PER_PX * n + 1, b = 0;
	double *ring = mem_new(bins, sizeof *ring), at[2], sd[2],
	       total = moments(n, m, modes, at, sd), inside = 0, radius = 0;

	for (size_t i = 0; i < m * n * n; i++) {
		double r = hypot((double)(i / n % n) - at[0], (double)(i % n) - at[1]);

		ring[(size_t)(r * PER_PX)] += power_of(&modes[i]);
	}
	while (b < bins && inside + ring[b] < 0.9 * total)
		inside += ring[b++];
	if (total > 0 && b < bins)
		radius = ((double)b + (0.9 * total - inside) / ring[b]) / PER_PX;
	free(ring);
	return 2 * radius;
}
