#include "features/maxtree.h"

#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"

#pragma GCC optimize("O3") /* loops of minima, which -O2 does not vectorise */

/* ---- ranks */

void ranks_layout(struct ranks *r)
{
	r->n = r->nz * r->ny * r->nx;
	r->stride_y = r->nx + 1;
	r->stride_z = (r->ny + 2) * r->stride_y;
	r->room = (r->nz + 2 * (r->nz > 1)) * r->stride_z + 1;
}

/* Non-negative doubles are ordered as their bits are. */
typedef uint64_t __attribute__((may_alias)) bits;
_Static_assert(sizeof(double) == sizeof(bits), "keys are the bits of doubles");

enum { DIGIT = 11, DIGITS = 6, BUCKETS = 1 << DIGIT };

static void count_digits(const bits *key, size_t n, size_t (*count)[BUCKETS])
{
	memset(count, 0, DIGITS * sizeof *count);
	for (size_t i = 0; i < n; i++)
		for (int d = 0; d < DIGITS; d++)
			count[d][key[i] >> (DIGIT * d) & (BUCKETS - 1)]++;
}

/* Stable sort of keys and positions, least significant digit first; digits that all keys share are
 * passed over.  The result lies in key[*at], position[*at]. */
static int sort_pairs(bits *key[2], uint32_t *position[2], size_t n, int *at)
{
	size_t(*count)[BUCKETS] = mem_try("ranks", DIGITS, sizeof *count);

	if (!count)
		return -1;
	count_digits(key[0], n, count);
	*at = 0;
	for (int d = 0; d < DIGITS; d++) {
		size_t start = 0;
		const bits *k = key[*at];
		const uint32_t *p = position[*at];
		bits *to = key[!*at];
		uint32_t *to_p = position[!*at];

		if (count[d][k[0] >> (DIGIT * d) & (BUCKETS - 1)] == n)
			continue;
		for (int b = 0; b < BUCKETS; b++) {
			size_t c = count[d][b];

			count[d][b] = start;
			start += c;
		}
		for (size_t i = 0; i < n; i++) {
			size_t o = count[d][k[i] >> (DIGIT * d) & (BUCKETS - 1)]++;

			to[o] = k[i];
			to_p[o] = p[i];
		}
		*at = !*at;
	}
	free(count);
	return 0;
}

int ranks_init(struct ranks *r, struct grid *f)
{
	size_t i = 0;
	bits *key[2] = { NULL, NULL };
	uint32_t *position[2] = { NULL, NULL };
	int at, rc = -1;

	*r = (struct ranks){ .nz = f->nz, .ny = f->ny, .nx = f->nx };
	ranks_layout(r);
	if (r->room > INT32_MAX)
		return error("%zux%zux%zu samples, expected fewer than 2^31 after subsampling",
			     f->nz, f->ny, f->nx);
	for (int k = 0; k < 2; k++) {
		key[k] = k == 0 ? (bits *)f->data : mem_try("ranks", r->n + 1, sizeof *key[k]);
		position[k] = mem_try("ranks", r->n + 1, sizeof *position[k]);
		if (!key[k] || !position[k])
			goto done;
	}
	for (size_t z = 0; z < f->nz; z++)
		for (size_t y = 0; y < f->ny; y++)
			for (size_t x = 0; x < f->nx; x++)
				position[0][i++] = (uint32_t)ranks_position(r, z, y, x);
	if (sort_pairs(key, position, r->n, &at) != 0)
		goto done;
	free(key[!at]);
	free(position[!at]);
	key[!at] = NULL;
	position[!at] = NULL;
	r->value = mem_try("ranks", r->n + 1, sizeof *r->value);
	r->position = mem_try("ranks", r->n + 1, sizeof *r->position);
	r->rank = mem_try("ranks", r->room, sizeof *r->rank);
	if (!r->value || !r->position || !r->rank)
		goto done;
	memset(r->rank, 0, r->room * sizeof *r->rank);
	r->value[0] = 0;
	r->position[0] = 0;
	memcpy(r->value + 1, key[at], r->n * sizeof *r->value);
	memcpy(r->position + 1, position[at], r->n * sizeof *r->position);
	for (size_t k = 1; k <= r->n; k++)
		r->rank[r->position[k]] = (int32_t)k;
	rc = 0;
done:
	f->data = NULL;
	for (int k = 0; k < 2; k++) {
		free(key[k]);
		free(position[k]);
	}
	return rc;
}

void ranks_clear(struct ranks *r)
{
	free(r->value);
	free(r->position);
	free(r->rank);
	*r = (struct ranks){ 0 };
}

static void row_min(int32_t *restrict to, const int32_t *restrict from, size_t n)
{
	for (size_t x = 0; x < n; x++)
		to[x] = from[x] < to[x] ? from[x] : to[x];
}

void ranks_erode(const struct ranks *r, const int32_t *from, int32_t *to)
{
	size_t area = r->ny * r->nx;

	for (size_t z = 0; z < r->nz; z++)
		for (size_t y = 0; y < r->ny; y++) {
			const int32_t *row = from + (z * r->ny + y) * r->nx;
			int32_t *out = to + (row - from);

			memcpy(out, row, r->nx * sizeof *row);
			row_min(out, row + 1, r->nx - 1);
			row_min(out + 1, row, r->nx - 1);
			if (y > 0)
				row_min(out, row - r->nx, r->nx);
			if (y + 1 < r->ny)
				row_min(out, row + r->nx, r->nx);
			if (z > 0)
				row_min(out, row - area, r->nx);
			if (z + 1 < r->nz)
				row_min(out, row + area, r->nx);
		}
}

void ranks_start(const struct ranks *r, const uint8_t *valid, int32_t *e)
{
	for (size_t z = 0; z < r->nz; z++)
		for (size_t y = 0; y < r->ny; y++, e += r->nx) {
			memcpy(e, r->rank + ranks_position(r, z, y, 0), r->nx * sizeof *e);
			for (size_t x = 0; valid && x < r->nx; x++)
				e[x] = valid[(z * r->ny + y) * r->nx + x] ? e[x] : 0;
		}
}

/* ---- the tree */

/* Every rank that occurs in e lives at least to k. */
static void mark(uint8_t *life, const int32_t *e, size_t n, int k)
{
	enum { BLOCK = 1024 };
	int32_t start[BLOCK], last = -1;

	for (size_t i = 0; i < n; i += BLOCK) {
		size_t end = n - i < BLOCK ? n - i : BLOCK, m = 0;

		for (size_t j = 0; j < end; j++) { /* first of each run of equal ranks */
			start[m] = e[i + j];
			m += e[i + j] != last;
			last = e[i + j];
		}
		for (size_t j = 0; j < m; j++)
			life[start[j]] = (uint8_t)k;
	}
}

/* life [n + 1], of each rank: how long the component would live if it ended there. */
static int mark_lives(const struct ranks *r, const uint8_t *valid, int length, uint8_t *life)
{
	int32_t *e = mem_try("max-tree", r->n, sizeof *e),
		*to = mem_try("max-tree", r->n, sizeof *to), *swap;
	int rc = -1;

	if (!e || !to)
		goto done;
	memset(life, 0, r->n + 1);
	ranks_start(r, valid, e);
	for (int k = 1; k <= length; k++) {
		ranks_erode(r, e, to);
		mark(life, to, r->n, k);
		swap = e;
		e = to;
		to = swap;
	}
	life[0] = (uint8_t)length;
	rc = 0;
done:
	free(e);
	free(to);
	return rc;
}

/* While the tree grows a node's second number leads up to the representative of its component
 * (disjoint sets, linked by depth), whose own is BOTTOM and the component's lowest node so far. */
#define up life
#define BOTTOM 0x80000000u

static uint32_t find(struct maxtree_node *node, uint32_t a)
{
	for (;;) {
		uint32_t p = node[a].up, q;

		if (p & BOTTOM)
			return a;
		q = node[p].up;
		if (q & BOTTOM)
			return p;
		node[a].up = q;
		a = q;
	}
}

/* The representative of both: that of the deeper set. */
static uint32_t join(struct maxtree_node *node, uint8_t *depth, uint32_t a, uint32_t b)
{
	if (depth[a] < depth[b]) {
		node[a].up = b;
		return b;
	}
	depth[a] = (uint8_t)(depth[a] + (depth[a] == depth[b]));
	node[b].up = a;
	return a;
}

/* Samples come in the order of their values, which is none in memory: what will be needed is asked
 * for in time. */
enum { AHEAD = 12, FURTHER = 24 };

static void look_ahead(const struct maxtree *t, size_t k, long stride)
{
	const struct ranks *r = t->r;

	if (k > FURTHER) {
		const int32_t *at = r->rank + r->position[k - FURTHER];

		__builtin_prefetch(at);
		__builtin_prefetch(at - stride);
		__builtin_prefetch(at + stride);
	}
	if (k > AHEAD) {
		const int32_t *at = r->rank + r->position[k - AHEAD];

		__builtin_prefetch(&t->node[at[-1]]);
		__builtin_prefetch(&t->node[at[1]]);
		__builtin_prefetch(&t->node[at[-stride]]);
		__builtin_prefetch(&t->node[at[stride]]);
	}
}

/* Samples from the highest down; each joins the components beside it.  A component that lives to
 * the end is finished: what touches it is finished too, and nothing is joined to it. */
static void build(struct maxtree *t, uint8_t *lives, uint8_t *depth)
{
	const struct ranks *r = t->r;
	const long step[6] = {
		-1, 1, -(long)r->stride_y, (long)r->stride_y, -(long)r->stride_z, (long)r->stride_z
	};
	int steps = r->nz > 1 ? 6 : 4;

	t->node[0] = (struct maxtree_node){ 0, BOTTOM };
	for (size_t k = r->n; k > 0; k--) {
		const int32_t *at = r->rank + r->position[k];
		uint32_t set = (uint32_t)k;

		look_ahead(t, k, (long)r->stride_y);
		t->node[k] = (struct maxtree_node){ .next = 0, .up = BOTTOM | set };
		depth[k] = 0;
		for (int s = 0; s < steps; s++) {
			uint32_t other = (uint32_t)at[step[s]], low;

			if (other <= k)
				continue;
			low = other;
			if (lives[other] < t->length) {
				other = find(t->node, other);
				if (other == set)
					continue;
				low = t->node[other].up & ~BOTTOM;
			}
			if (lives[low] > lives[k])
				lives[k] = lives[low];
			if (lives[low] == t->length)
				continue;
			t->node[low].next = (uint32_t)k;
			set = join(t->node, depth, set, other);
			t->node[set].up = BOTTOM | (uint32_t)k;
		}
	}
}

#undef up
#undef BOTTOM

/* Nodes that live no longer than the one above are left out of the chains. */
static void shorten(struct maxtree *t, const uint8_t *lives)
{
	for (size_t k = 0; k <= t->r->n; k++) {
		struct maxtree_node *node = &t->node[k];

		if (t->node[node->next].life <= lives[k])
			node->next = t->node[node->next].next;
		node->life = lives[k];
	}
}

int maxtree_init(struct maxtree *t, const struct ranks *r, const uint8_t *valid, int length)
{
	uint8_t *lives = mem_try("max-tree", r->n + 1, 1),
		*depth = mem_try("max-tree", r->n + 1, 1);
	int rc = -1;

	*t = (struct maxtree){ .r = r, .length = length };
	if (!lives || !depth || mark_lives(r, valid, length, lives) != 0)
		goto done;
	t->node = mem_try("max-tree", r->n + 1, sizeof *t->node);
	if (!t->node)
		goto done;
	build(t, lives, depth);
	shorten(t, lives);
	rc = 0;
done:
	free(lives);
	free(depth);
	return rc;
}

void maxtree_clear(struct maxtree *t)
{
	free(t->node);
	*t = (struct maxtree){ 0 };
}
