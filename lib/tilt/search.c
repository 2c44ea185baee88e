#include "tilt/search.h"

#include <math.h>
#include <stdlib.h>

#include "base/die.h"
#include "base/mem.h"

void search_init(struct search *s, struct dev *d, const struct loss_opts *o)
{
	*s = (struct search){ .d = d, .o = *o };
}

void search_clear(struct search *s)
{
	if (s->ready)
		loss_clear(&s->loss);
	s->ready = false;
}

int search_prepare(struct search *s, size_t nz, const struct tile_plan *plan)
{
	if (s->ready && s->nz == nz && s->h == plan->h && s->w == plan->w &&
	    s->tiles == plan->count)
		return 0;
	search_clear(s);
	if (loss_plan(s->d, &s->o, nz, plan->h, plan->w, plan->count, &s->size) != 0 ||
	    loss_init(&s->loss, s->d, &s->o, nz, plan->h, plan->w, &s->size) != 0)
		return -1;
	s->nz = nz;
	s->h = plan->h;
	s->w = plan->w;
	s->tiles = plan->count;
	s->ready = true;
	return 0;
}

/* Spectra of tiles first .. first + n - 1 into places 0 .. n - 1. */
static int load(struct search *s, const char *name, const float *stack,
		const struct tile_plan *plan, size_t first, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		long bad = loss_load(&s->loss, i, &plan->box[first + i], stack, plan->ny, plan->nx);

		if (bad > 0)
			error("'%s': page %ld: the mean of tile %zu is not positive and finite",
			      name, bad, first + i);
		if (bad != 0)
			return -1;
	}
	return 0;
}

/* Loss and derivatives that the current stage of o moves. */
static int wanted(const struct optim *o, enum optim_need need)
{
	if (need != OPTIM_GRADIENT)
		return 0;
	return (o->stage->lr[0] != 0 ? LOSS_D_Z : 0) |
	       (o->stage->lr[1] != 0 || o->stage->lr[2] != 0 ? LOSS_D_ANGLES : 0);
}

/* Tells those of the searches `turn` (places in o, whose spectra lie in the same places) that want
 * the kind `want`. */
static int tell_kind(struct search *s, struct optim *const *o, const int *kind, size_t n, int want)
{
	size_t *place = mem_new(n, sizeof *place), count = 0;
	struct tilt *tilt = mem_new(n, sizeof *tilt);
	double *value = mem_new(n, sizeof *value), (*gradient)[3] = mem_new(n, sizeof *gradient),
	       p[3];
	int rc = -1;

	for (size_t i = 0; i < n; i++)
		if (kind[i] == want) {
			optim_ask(o[i], p);
			place[count] = i;
			tilt[count++] = (struct tilt){ p[0], p[1], p[2] };
		}
	if (count > 0 && loss_eval(&s->loss, place, tilt, count, want, value, gradient) != 0)
		goto done;
	for (size_t k = 0; k < count; k++) {
		double *g = gradient[k];

		if (!(want & LOSS_D_Z))
			g[0] = NAN;
		if (!(want & LOSS_D_ANGLES))
			g[1] = g[2] = NAN;
		optim_tell(o[place[k]], value[k], g);
	}
	rc = 0;
done:
	free(place);
	free(tilt);
	free(value);
	free(gradient);
	return rc;
}

/* One round: every search that is not done is told once.  *told = their number. */
static int tell_round(struct search *s, struct optim *const *o, size_t n, size_t *told)
{
	int *kind = mem_new(n, sizeof *kind), rc = 0;
	double p[3];

	*told = 0;
	for (size_t i = 0; i < n; i++) {
		enum optim_need need = optim_ask(o[i], p);

		kind[i] = need == OPTIM_DONE ? -1 : wanted(o[i], need);
		*told += kind[i] >= 0;
	}
	for (int want = 0; want <= (LOSS_D_Z | LOSS_D_ANGLES) && rc == 0; want++)
		rc = tell_kind(s, o, kind, n, want);
	free(kind);
	return rc;
}

struct trace_arg {
	search_trace *call;
	void *arg;
	size_t tile;
};

static void pass_trace(void *arg, int iteration, const double p[3], double loss,
		       const double gradient[3])
{
	struct trace_arg *t = arg;

	t->call(t->arg, t->tile, iteration, p, loss, gradient);
}

/* Groups of equal start offset, to 0.1 slice, share their z after every round. */
static void share_z(struct optim **o, const struct tilt *start, size_t n)
{
	struct optim **group = mem_new(n, sizeof *group);
	bool *seen = mem_new(n, sizeof *seen);

	for (size_t i = 0; i < n; i++) {
		size_t k = 0;

		for (size_t j = i; j < n && !seen[i]; j++)
			if (!seen[j] &&
			    rint(10 * start[j].z_offset) == rint(10 * start[i].z_offset)) {
				group[k++] = o[j];
				seen[j] = j != i;
			}
		seen[i] = true;
		if (k > 1)
			optim_share_z(group, k);
	}
	free(group);
	free(seen);
}

int search_tilts(struct search *s, const char *name, const float *stack, size_t nz,
		 const struct tile_plan *plan, const struct optim_stage *stage, size_t stages,
		 bool z_shared, const struct tilt *start, search_trace *trace, void *trace_arg,
		 struct search_result *result)
{
	size_t n = plan->count, step, told, loaded = n;
	struct optim *o = mem_new(n, sizeof *o), **ref = mem_new(n, sizeof *ref);
	struct trace_arg *arg = mem_new(n, sizeof *arg);
	int rc = -1;

	if (search_prepare(s, nz, plan) != 0)
		goto done;
	step = s->size.tiles;
	for (size_t i = 0; i < n; i++) {
		double p[3] = { start[i].z_offset, start[i].zenith, start[i].azimuth };

		arg[i] = (struct trace_arg){ trace, trace_arg, i };
		ref[i] = &o[i];
		optim_init(&o[i], stage, stages, p, (double)(nz / 2), trace ? pass_trace : NULL,
			   &arg[i]);
	}
	for (size_t first = 0; first < n; first += z_shared ? n : step) {
		size_t end = z_shared ? n : first + step < n ? first + step : n, moved;

		do { /* a shared z moves all tiles in step, and spectra that do not fit are loaded
			again */
			moved = 0;
			for (size_t i = first; i < end; i += step) {
				size_t count = end - i < step ? end - i : step;

				if (loaded != i && load(s, name, stack, plan, i, count) != 0)
					goto done;
				loaded = i;
				if (tell_round(s, ref + i, count, &told) != 0)
					goto done;
				moved += told;
			}
			if (z_shared)
				share_z(ref, start, n);
		} while (moved > 0);
	}
	for (size_t i = 0; i < n; i++)
		result[i] = (struct search_result){
			{ o[i].p[0], o[i].p[1], o[i].p[2] }, o[i].loss, o[i].used, o[i].broken
		};
	rc = 0;
done:
	free(o);
	free(ref);
	free(arg);
	return rc;
}

int search_losses(struct search *s, const char *name, const float *stack, size_t nz,
		  const struct tile_plan *plan, const struct tilt *tilt, double *value,
		  double (*gradient)[3])
{
	size_t *place, step;
	int rc = -1;

	if (search_prepare(s, nz, plan) != 0)
		return -1;
	step = s->size.tiles;
	place = mem_new(step, sizeof *place);
	for (size_t i = 0; i < step; i++)
		place[i] = i;
	for (size_t i = 0; i < plan->count; i += step) {
		size_t n = plan->count - i < step ? plan->count - i : step;

		if (load(s, name, stack, plan, i, n) != 0 ||
		    loss_eval(&s->loss, place, tilt + i, n, LOSS_D_Z | LOSS_D_ANGLES, value + i,
			      gradient + i) != 0)
			goto done;
	}
	rc = 0;
done:
	free(place);
	return rc;
}
