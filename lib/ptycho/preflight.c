#include "ptycho/preflight.h"

#include <math.h>
#include <stdio.h>

#include "base/die.h"
#include "ptycho/probe.h"

struct preflight preflight_of(const struct frames *f, const double (*s)[2], const size_t canvas[2],
			      double pixel_m, size_t modes, const float complex *probe)
{
	struct preflight p = { .frames = f->k,
			       .n = f->n,
			       .canvas = { canvas[0], canvas[1] },
			       .pixel_m = pixel_m,
			       .step = windows_step(s, f->k),
			       .diameter = probe ? probe_diameter(f->n, modes, probe) : (double)NAN,
			       .raster = f->k > 2 && windows_raster(s, f->k),
			       .near_field = f->near_field, .dc = f->dc,
			       .dc_ratio = f->dc_ratio,
			       .masked_share = f->masked_share,
			       .photons = { INFINITY, 0, 0 } };

	for (int a = 0; a < 2; a++) {
		double lo = INFINITY, hi = -INFINITY;

		for (size_t k = 0; k < f->k; k++) {
			lo = fmin(lo, s[k][a]);
			hi = fmax(hi, s[k][a]);
		}
		p.range[a] = hi - lo;
	}
	p.overlap = p.diameter > 0 ? 1 - p.step / p.diameter : (double)NAN;
	for (size_t i = 0; i < f->pages; i++)
		if (f->kept[i] >= 0) {
			p.photons[0] = fmin(p.photons[0], f->photons[i]);
			p.photons[1] += f->photons[i] / (double)f->k;
			p.photons[2] = fmax(p.photons[2], f->photons[i]);
		}
	return p;
}

void preflight_say(const char *path, const struct preflight *p)
{
	double range = fmax(p->range[0], p->range[1]);
	char beam[60] = "images in the near field";

	if (!p->near_field)
		snprintf(beam, sizeof beam, "beam at the %s (ratio %.3g)",
			 p->dc == DC_CORNER ? "corner" : "centre", p->dc_ratio);
	info("'%s': %zu frames of %zux%zu, object %zux%zu, %s, %.3g %% of the pixels masked", path,
	     p->frames, p->n, p->n, p->canvas[0], p->canvas[1], beam, 100 * p->masked_share);
	if (p->pixel_m > 0)
		info("'%s': object pixel %.6g nm", path, p->pixel_m * 1e9);
	if (isnan(p->overlap))
		info("'%s': scan range %.6g x %.6g px, median step %.4g px, probe not known yet",
		     path, p->range[0], p->range[1], p->step);
	else
		info("'%s': scan range %.6g x %.6g px, median step %.4g px, probe diameter %.4g "
		     "px, overlap %.3g",
		     path, p->range[0], p->range[1], p->step, p->diameter, p->overlap);
	info("'%s': photons per frame %.4g, %.4g to %.4g", path, p->photons[1], p->photons[0],
	     p->photons[2]);
	if (p->frames > 1 && p->overlap < 0.5)
		warning("'%s': neighbouring frames overlap by %.3g of the probe's diameter, "
			"expected 0.5 or more",
			path, p->overlap);
	if (p->raster)
		warning("'%s': the positions are an exact raster, expected a jittered one: grid "
			"artefacts",
			path);
	if (p->frames > 1 && (range < 1 || range > 20000))
		warning("'%s': the scan range is %.6g px, expected 1 to 20000: unit of the "
			"positions?",
			path, range);
}
