/* bin/tvloss_pass.h: a volume file on its way through the device: whole, or slab by slab with the
 * next one being read and the last one written meanwhile. */
#ifndef BIN_TVLOSS_PASS_H
#define BIN_TVLOSS_PASS_H

#include "io/tiffio.h"
#include "tvloss.h"

/* The file as planes of one (real) or two (complex) components; a slab holds planes [from, to) and
 * computes all of them but halos. */
struct work {
	struct array file; /* type and pages; data: the whole of it, NULL while streaming */
	struct tiff_meta meta;
	struct tiff_in *in; /* streaming */
	struct tiff_sink *sink;
	struct array out; /* not streaming: the gradient */
	size_t comps, planes, volumes, depth, ny, nx;
	size_t slab;		 /* planes of a slab */
	struct tv_sums *sums[2]; /* [planes] of each component; real: [0], complex: PART_PHASE,
				    PART_AMPLITUDE */
	void *native;		 /* a page as it lies in the file */
	bool lossy;
};

/* Its way: buffers and factors of the device. */
struct pass {
	struct work *w;
	const struct job *j;
	struct dev *d;
	struct tv tv[2]; /* by component as they lie on the device: modulus, angle; real: [0] */
	struct buf *v[2], *g[2];
	int *links;	       /* [planes] */
	float (*factor[2])[4]; /* [planes] */
	bool want;
	int only; /* the component to be written, -1: all */
};

/* Pixels of a plane. */
size_t work_area(const struct work *w);
/* Does this component (as on the device: 0 the modulus of a complex volume, 1 its angle) count? */
bool work_uses(const struct work *w, size_t component);
/* The options for a component on the device. */
struct tv_opts work_opts(const struct work *w, size_t component);

/* A NaN or Inf in page v [ny][nx] (page `page` of the file) under --nan refuse: -1 after naming it;
 * else 0. */
int work_check(const struct work *w, const struct job *j, size_t page, const float *v);
/* A page of the file's type as floats; the file's is left as it is.  0, or -1 after reporting. */
int work_convert(struct work *w, const struct job *j, const void *native, float *to);

/* Buffers for slabs of w->slab planes, and links; pass_close is fine in both cases. */
int pass_open(struct pass *p);
void pass_close(struct pass *p);
/* Sums of all planes to w->sums, and with p->want the gradients: streaming to w->sink, else they
 * stay on the device until pass_download.  Blocks.  0, or -1 after reporting. */
int pass_run(struct pass *p);
/* The gradients of a volume that is on the device as a whole, to w->out. */
int pass_download(struct pass *p);

#endif
