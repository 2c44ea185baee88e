/* tests/ptycho_fixture.h: small ptychographic scans for unit programs: the shared one, and one made
 * here whose truth is known in double precision; engines run on them, and goldens compared. */
#ifndef TESTS_PTYCHO_FIXTURE_H
#define TESTS_PTYCHO_FIXTURE_H

#include <complex.h>

#include "ptycho/engine.h"

struct fixture {
	size_t k, n, modes, h, w;
	struct frames frames;			  /* f32 or u16 */
	double (*s)[2];				  /* [k] windows */
	float complex *object, *probe;		  /* to start with; object may be NULL */
	double complex *true_object, *true_probe; /* of a made one, else NULL */
};

/* shared/data/ptycho/tiny_*: `positions` names the CSV; masked: with its mask; margin: of the
 * canvas beyond n / 8; modes completed with 0.1 of the power each.  0, or -1 after reporting. */
int fixture_tiny(struct fixture *f, const char *shared, const char *positions, bool masked,
		 double margin, size_t modes);

/* k = side^2 frames of n x n, noise-free f32, some `photons` per pixel, a smooth object, a rough
 * probe that fills the window, so that speckle is everywhere; object and probe are the truth.
 * fraction: windows off the pixels, probes shifted in Fourier space. */
void fixture_make(struct fixture *f, size_t side, size_t n, size_t modes, double photons,
		  bool fraction);
/* The probe of a made scan becomes a smooth beam that ends within the window. */
void fixture_beam(struct fixture *f);
/* One pixel in 29 of a made scan becomes invalid. */
void fixture_mask(struct fixture *f);
void fixture_clear(struct fixture *f);

/* Detector waves [modes][n][n] of frame k from object and probe in double, unitary. */
void fixture_waves(const struct fixture *f, const double complex *object,
		   const double complex *probe, const double s[2], double complex *waves);
/* Unitary transform of [n][n] in place, sign -1 forward, +1 backward. */
void fixture_dft(size_t n, int sign, double complex *a);

/* Starts p from the fixture. */
int fixture_start(const struct fixture *f, struct dev *d, const struct ptycho_opts *o, size_t room,
		  bool resident, struct ptycho *p);

struct ptycho_opts fixture_opts(void); /* defaults of the specification */
struct stage fixture_stage(const char *engine, long iterations, size_t batch);

/* Rows of a run. */
struct fixture_log {
	struct ptycho_row row[64], final;
	size_t n;
};
int fixture_run(struct ptycho *p, const struct stage *stages, size_t n, struct fixture_log *log);

/* Largest difference of the object where the golden coverage is > 0.05, relative one of the probe,
 * and of the log's R, chi, fmag, nll. */
struct fixture_difference {
	double object, probe, log;
};
int fixture_compare(struct ptycho *p, const struct fixture_log *log, const char *shared,
		    const char *name, struct fixture_difference *diff);

/* |a - b| / |b| */
double fixture_distance(const float complex *a, const float complex *b, size_t n);

#endif
