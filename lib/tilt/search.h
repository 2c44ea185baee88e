/* lib/tilt/search.h: the tilt and focus of every tile of a stack, found by minimising a loss (spec section 5).  Tiles advance side
 * by side in batches that fit the device; none depends on the others (unless z is shared). */
#ifndef TILT_SEARCH_H
#define TILT_SEARCH_H

#include "math/optim.h"
#include "tilt/loss.h"

/* One evaluation of one tile; gradient NaN where it was not made. */
typedef void search_trace(void *arg, size_t tile, int iteration, const double p[3], double loss, const double gradient[3]);

struct search_result {
	struct tilt tilt;
	double loss;		/* at the tilt; NaN if none was finite */
	int iterations;
	bool broken;		/* ended early at a loss or gradient that was not finite */
};

/* What is kept from stack to stack of one shape. */
struct search {
	struct dev *d;
	struct loss_opts o;
	struct loss loss;
	bool ready;
	size_t nz, h, w, tiles;
	struct thin_size size;
};

void search_init(struct search *s, struct dev *d, const struct loss_opts *o);
void search_clear(struct search *s);

/* Makes the device side ready for stacks of nz planes cut by plan.  0, or -1 after reporting. */
int search_prepare(struct search *s, size_t nz, const struct tile_plan *plan);

/* Finds result[plan->count] from start[plan->count], all with the same stages.  z_shared: tiles of one start offset (to 0.1 slice)
 * keep one z.  name is the input's, for messages.  trace may be NULL; its rows come tile by tile within a batch's rounds. */
int search_tilts(struct search *s, const char *name, const float *stack, size_t nz, const struct tile_plan *plan,
		 const struct optim_stage *stage, size_t stages, bool z_shared, const struct tilt *start,
		 search_trace *trace, void *trace_arg, struct search_result *result);

/* Loss and all derivatives of every tile at tilt[plan->count]. */
int search_losses(struct search *s, const char *name, const float *stack, size_t nz, const struct tile_plan *plan,
		  const struct tilt *tilt, double *value, double (*gradient)[3]);

#endif
