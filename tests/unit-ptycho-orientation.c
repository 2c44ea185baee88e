/* The orientation scan: how it turns frames, and its table of golden data. */
#include <complex.h>
#include <math.h>
#include <stdint.h>

#include "base/mem.h"
#include "io/csvio.h"
#include "io/tiffio.h"
#include "ptycho/orientation.h"
#include "ptycho/probe.h"
#include "tests/tap.h"

static void turning(void)
{
	/* centred rows 0 1 2 / 3 4 5 / 6 7 8, the beam on 4; with the beam first, odd n: 4 5 3 / 7 8 6 / 1 2 0 */
	static const uint16_t corner[9] = { 4, 5, 3, 7, 8, 6, 1, 2, 0 };
	/* rot90_ccw of the centred one: 2 5 8 / 1 4 7 / 0 3 6 */
	static const uint16_t want[9] = { 4, 7, 1, 3, 6, 0, 5, 8, 2 };
	uint16_t got[9], back[9];
	bool all = true;

	orientation_turn(D4_ROT90_CCW, 3, sizeof *got, corner, got);
	ok(memcmp(got, want, sizeof got) == 0, "rot90_ccw of a frame with the beam at the corner");
	for (int op = 0; op < D4_COUNT; op++) {
		orientation_turn((enum d4)op, 3, sizeof *got, corner, got);
		orientation_turn(d4_inverse((enum d4)op), 3, sizeof *got, got, back);
		all = all && got[0] == 4 && memcmp(back, corner, sizeof back) == 0;
	}
	ok(all, "every operation leaves the beam of an odd frame where it is, and its inverse undoes it");
}

static float complex *read_probe(const char *path, size_t *n)
{
	struct array a = { 0 };
	float complex *p = NULL;

	if (tiff_read(path, NULL, &a, NULL) == 0) {
		const float *v = a.data;

		*n = a.ny;
		p = mem_new(a.ny * a.nx, sizeof *p);
		for (size_t i = 0; i < a.ny * a.nx; i++)
			p[i] = CMPLXF(v[i], v[a.ny * a.nx + i]);
	}
	array_clear(&a);
	return p;
}

static int known(void *arg, const struct frames *turned, float complex *probe)
{
	memcpy(probe, arg, turned->n * turned->n * sizeof *probe);
	return 0;
}

/* from the mean amplitude of the frames as they are turned; arg: the device */
static int cold(void *arg, const struct frames *turned, float complex *probe)
{
	size_t area = turned->n * turned->n;
	const uint16_t *v = turned->data;
	float *mean = mem_new(area, sizeof *mean);
	int rc;

	for (size_t k = 0; k < turned->k; k++)
		for (size_t i = 0; i < area; i++)
			mean[i] += sqrtf((float)v[k * area + i]) / (float)turned->k;
	rc = probe_data(arg, turned->n, mean, 0, probe);
	free(mean);
	return rc;
}

static void no_phase(struct dev *d, const struct frames *f, const double (*at)[2])
{
	struct ptycho_opts o = { .probe_start = 1, .gauge = true, .recentre = true, .log_every = 1 };
	struct orientation_start start = { .probe = cold, .arg = d, .modes = 1, .rescale = true, .object = 1, .margin = 4 };
	struct orientation table[D4_COUNT];
	bool pairs = true;

	if (!ok(f->u16 && orientation_scan(d, &o, f, at, &start, table) == 0, "the scan runs from the frames alone"))
		return;
	for (size_t i = 0; i < D4_COUNT; i += 2) {
		printf("# %s %.6f, %s %.6f\n", d4_names[table[i].op], table[i].R, d4_names[table[i + 1].op], table[i + 1].R);
		pairs = pairs && table[i].twin == table[i + 1].op && table[i].tie && table[i + 1].tie &&
			fabs(table[i].R - table[i + 1].R) < 1e-3 * table[i].R;
	}
	ok(pairs, "without a known phase each orientation ties with its twin, R equal to 1e-3");
	ok(table[0].op == D4_IDENTITY || table[0].op == D4_ROT180, "the right pair leads");
}

static void golden(struct dev *d, const char *shared)
{
	char *tif = mem_printf("%s/data/ptycho/tiny_dp.tif", shared), *pos = mem_printf("%s/data/ptycho/tiny_pos.csv", shared),
	     *probe = mem_printf("%s/data/ptycho/tiny_probe0.tif", shared),
	     *want = mem_printf("%s/golden/ptycho/scan.csv", shared);
	struct frames_opts o = { .dc = DC_AUTO, .gain = 1, .reject = { 0, INFINITY }, .half = -1 };
	struct ptycho_opts po = { .probe_start = 1, .gauge = true, .log_every = 1 };
	struct orientation table[D4_COUNT];
	struct array pages = { 0 };
	struct frames f = { 0 };
	struct csv p = { 0 }, w = { 0 };
	size_t n = 0;
	float complex *P = read_probe(probe, &n);
	struct orientation_start start = { .probe = known, .arg = P, .modes = 1, .rescale = true, .object = 1, .margin = 4 };
	double(*at)[2] = NULL;
	bool ranks = true, figures = true;

	if (!ok(P && tiff_read(tif, NULL, &pages, NULL) == 0 && frames_prepare(tif, &pages, &o, &f) == 0 &&
			csv_read(pos, false, &p) == 0 && csv_read(want, false, &w) == 0 && p.rows == f.k && w.rows == D4_COUNT,
		"golden data are read"))
		goto done;
	at = mem_new(f.k, sizeof *at);
	for (size_t k = 0; k < f.k; k++)
		if (csv_double(&p, k, 2, false, &at[k][0]) != 0 || csv_double(&p, k, 1, false, &at[k][1]) != 0)
			goto done;
	if (!ok(orientation_scan(d, &po, &f, (const double(*)[2])at, &start, table) == 0, "the scan runs"))
		goto done;
	for (size_t i = 0; i < w.rows; i++) {
		double R = NAN;

		csv_double(&w, i, 2, false, &R);
		ranks = ranks && strcmp(csv_cell(&w, i, 1), d4_names[table[i].op]) == 0 &&
			strcmp(csv_cell(&w, i, 3), d4_names[table[i].twin]) == 0 && table[i].tie == (csv_cell(&w, i, 4)[0] == '1');
		figures = figures && fabs(table[i].R - R) < 0.01 * R;
		printf("# %s %.6f, golden %s %.6f\n", d4_names[table[i].op], table[i].R, csv_cell(&w, i, 1), R);
	}
	ok(ranks, "golden scan.csv: orientations by rank, twins and ties");
	ok(figures, "golden scan.csv: R to 1 %%");
	no_phase(d, &f, (const double(*)[2])at);
done:
	free(at);
	free(P);
	frames_clear(&f);
	array_clear(&pages);
	csv_clear(&p);
	csv_clear(&w);
	free(tif);
	free(pos);
	free(probe);
	free(want);
}

int main(void)
{
	const char *shared = tap_shared();
	struct dev *d;

	turning();
	d = dev_open(&(struct dev_opts){ 0 });
	if (ok(d != NULL, "a device opens") && shared)
		golden(d, shared);
	dev_free(d);
	return done_testing();
}
