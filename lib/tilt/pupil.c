#include "tilt/pupil.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/team.h"
#include "dev/fft.h"

void pupil_pair(double v, float out[2])
{
	out[0] = (float)v;
	out[1] = (float)(v - out[0]);
}

struct geometry {
	const struct pupil *p;
	float *a, (*g)[2];
};

static void geometry_row(void *context, size_t y, int member)
{
	const struct geometry *c = context;
	const struct optics *o = &c->p->o;
	double fy = (double)y / ((double)c->p->ny * o->pixel),
	       dfx = 1 / ((double)c->p->nx * o->pixel);
	double k2 = pow(o->index / o->wavelength, 2), edge = o->na_det / o->wavelength;
	size_t w = c->p->rx + 1;

	(void)member;
	for (size_t x = 0; x < w; x++) {
		double fx = (double)x * dfx, f2 = fy * fy + fx * fx;

		c->a[y * w + x] = (float)(1 / (1 + exp(-o->steepness * (edge - sqrt(f2)))));
		pupil_pair(sqrt(fmax(k2 - f2, 0)), c->g[y * w + x]);
	}
}

/* P and gamma of one quadrant, in double, for the device. */
static int upload_geometry(struct pupil *p)
{
	float *a = buf_map(p->p, MAP_DISCARD), (*g)[2] = a ? buf_map(p->gamma, MAP_DISCARD) : NULL;
	struct geometry c = { p, a, g };

	if (!g)
		return -1;
	team_run(0, p->ry + 1, geometry_row, &c);
	return buf_unmap(p->p) != 0 || buf_unmap(p->gamma) != 0 ? -1 : 0;
}

int pupil_init(struct pupil *p, struct dev *d, const struct optics *o, size_t ny, size_t nx)
{
	size_t lo, hi;

	*p = (struct pupil){ .d = d, .o = *o, .ny = ny, .nx = nx };
	p->my = optics_pupil_size(o, ny);
	p->mx = optics_pupil_size(o, nx);
	p->ry = optics_reach(o, ny);
	p->rx = optics_reach(o, nx);
	if (p->ry > p->my / 2)
		p->ry = p->my / 2;
	if (p->rx > p->mx / 2)
		p->rx = p->mx / 2;
	lo = p->ry + 1 < (p->my + 1) / 2 ? p->ry + 1 : (p->my + 1) / 2;
	hi = p->ry < p->my / 2 ? p->ry : p->my / 2;
	p->rows_lo = lo;
	p->rows = lo + hi;
	p->p = buf_new(d, (p->ry + 1) * (p->rx + 1) * sizeof(float));
	p->gamma = buf_new(d, (p->ry + 1) * (p->rx + 1) * 2 * sizeof(float));
	if (!p->p || !p->gamma || dev_load(d, "tilt") != 0 || upload_geometry(p) != 0) {
		pupil_clear(p);
		return -1;
	}
	return 0;
}

void pupil_clear(struct pupil *p)
{
	buf_free(p->p);
	buf_free(p->gamma);
	*p = (struct pupil){ 0 };
}

int pupil_wave(const struct pupil *p, const double *z, size_t n, int power, struct buf *zbuf,
	       struct buf *wave, size_t first)
{
	float(*pair)[2] = mem_new(n, sizeof *pair);
	size_t rows = fft_prunes(p->d) ? p->rows : p->my;
	int rc;

	for (size_t i = 0; i < n; i++)
		pupil_pair(z[i], pair[i]);
	rc = buf_write(zbuf, 0, pair, n * sizeof *pair);
	free(pair);
	if (rc != 0)
		return -1;
	return dev_run(p->d, "tilt_wave",
		       moving(n * rows * p->mx * 8, NDRANGE3(dev_columns(p->d, p->mx), rows, n)), ARG(wave),
		       ARG(p->p), ARG(p->gamma), ARG(zbuf), INT(p->mx), INT(p->my), INT(p->rx),
		       INT(p->ry), INT(rows), INT(p->rows_lo), INT(n), INT(first), INT(power));
}

int pupil_source(const struct pupil *p, const struct tilt *tilt, size_t n, struct buf *coef,
		 struct buf *source)
{
	float(*c)[4][2] = mem_new(n, sizeof *c);
	double slope = 4 * (double)p->nx * p->o.pixel, na = p->o.na_ill / p->o.index;
	double edge = p->o.index / p->o.wavelength * sqrt(fmax(1 - na * na, 0));
	int rc;

	for (size_t i = 0; i < n; i++) {
		double s = sin(tilt[i].zenith);

		pupil_pair(4 * s * cos(tilt[i].azimuth), c[i][0]);
		pupil_pair(4 * s * sin(tilt[i].azimuth) * (double)p->nx / (double)p->ny, c[i][1]);
		pupil_pair(slope * cos(tilt[i].zenith), c[i][2]);
		pupil_pair(-slope * edge, c[i][3]);
	}
	rc = buf_write(coef, 0, c, n * sizeof *c);
	free(c);
	if (rc != 0)
		return -1;
	return dev_run(p->d, "tilt_source",
		       moving(n * p->rows * p->mx * 4, NDRANGE3(dev_columns(p->d, p->mx), p->rows, n)),
		       ARG(source), ARG(p->gamma), ARG(coef), INT(p->mx), INT(p->my), INT(p->rx),
		       INT(p->ry), INT(p->rows), INT(p->rows_lo), INT(n));
}

double pupil_sum(const struct pupil *p, const float *part, size_t slot)
{
	size_t n = p->rows * PUPIL_LANES;
	double sum = 0;

	part += slot * n * 2;
	for (size_t i = 0; i < n; i++)
		sum += (double)part[2 * i] + part[2 * i + 1];
	return sum;
}

int pupil_source_sum(const struct pupil *p, struct buf *source, size_t n, int power,
		     struct buf *part, double *i0)
{
	const float *sums;

	if (dev_run(p->d, "tilt_source_sum",
		    moving(n * p->rows * p->mx * 4, NDRANGE3(p->rows, dev_columns(p->d, PUPIL_LANES), n)),
		    ARG(part), ARG(source), ARG(p->p), INT(p->mx), INT(p->my), INT(p->rx),
		    INT(p->ry), INT(p->rows), INT(p->rows_lo), INT(n), INT(power)) != 0)
		return -1;
	sums = buf_map(part, MAP_READ);
	if (!sums)
		return -1;
	for (size_t i = 0; i < n; i++)
		i0[i] = pupil_sum(p, sums, i);
	return buf_unmap(part);
}
