/* lib/ptycho/order.h: in which order, and in which batches, frames are visited (spec: order and
 * random numbers).  Keys are rng_key of math/random.h, so that the order depends on seed and epoch
 * only. */
#ifndef PTYCHO_ORDER_H
#define PTYCHO_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* order[i] = the i-th of k frames: sequential, or sorted by rng_key(seed, epoch, frame), ties by
 * frame. */
void order_frames(size_t k, bool random, uint64_t seed, uint64_t epoch, size_t *order);

/* Sorts frame [n] by row, ties by frame, s as below: a thread that takes a part of a batch takes neighbours. */
void order_by_row(const double (*s)[2], size_t n, size_t *frame);

/* Compact batches: ceil(k / size) groups by recursive bisection of the positions s [k](row,
 * column): the axis of larger extent is split (ties: rows), sorted by (coordinate, index), floor(n
 * (g/2) / g) frames go to the first g/2 groups.  member [k] gets the frames group by group,
 * ascending in each; start [groups + 1] where each begins.  Returns the number of groups; start has
 * room for k + 1. */
size_t order_compact(const double (*s)[2], size_t k, size_t size, size_t *member, size_t *start);

/* frame [want] = the want <= k frames nearest to the mean of pos [k], ascending by number; of equally near ones the lower. */
void order_nearest(const double (*pos)[2], size_t k, size_t want, size_t *frame);

#endif
