/* bin/tvloss.h: the values of tvloss's own options, and the work on one volume file. */
#ifndef BIN_TVLOSS_H
#define BIN_TVLOSS_H

#include "batch/batch.h"
#include "tv/loss.h"

enum layout { LAYOUT_REAL, LAYOUT_PAIRS, LAYOUT_HALVES };
enum part { PART_PHASE, PART_AMPLITUDE };
enum nan_rule { NAN_REFUSE, NAN_SKIP, NAN_PROPAGATE };

struct tvloss_options {
	struct tv_opts tv; /* as for real volumes */
	int scale;	   /* of --scale; 4: quantem */
	size_t batch;
	bool slices, per_volume;
	enum layout layout;
	struct opt_list parts;
	bool part[2]; /* PART_PHASE, PART_AMPLITUDE: does it count? */
	const char *grad;
	double upstream;
	enum nan_rule nan;
};
extern struct tvloss_options tvloss;

struct tvloss_tool {
	struct dev *d;
};

extern const struct batch_ops tvloss_ops;

#define TVLOSS_HEADER "file,kind,scale,part,volume,batch,nz,ny,nx,tv_z,tv_y,tv_x,loss"

#endif
