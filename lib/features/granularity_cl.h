/* lib/features/granularity_cl.h: the sums of a granular spectrum by erosions and reconstructions on
 * the device, one k after another.
 *
 * What is eroded and reconstructed are ranks, as in the max-tree, so that any device gives the
 * bytes of the host.  R_(k-1) stands for F as the mask of R_k, which it is not below: less is left
 * to change with each k. */
#ifndef FEATURES_GRANULARITY_CL_H
#define FEATURES_GRANULARITY_CL_H

#include "dev/dev.h"
#include "features/granularity.h"

granularity_way granularity_kernels; /* user: struct dev * */

/* Bytes on the device for n coarse samples. */
size_t granularity_device_bytes(size_t n);

#endif
