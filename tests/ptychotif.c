/* ptychotif IN.tif OUT.tif [STEP...]: a changed copy of a stack, steps from left to right:
 *   d4=NAME           each page turned (lib/ptycho/geometry.h)
 *   roll=DY,DX        each page moved, what leaves comes in on the other side
 *   pages=A,B,...     these pages, from 0
 *   set=P,Y,X,V       a pixel, P -1: of every page; V may be nan or inf
 *   add=V, scale=V    of all pixels
 *   frame=NY,NX,Y,X   pages of that size that hold the old ones from (Y, X) on, zeros around
 *   mask=FILE         0 where the one page of FILE is 0
 *   nan=A,B           A where it is NaN, else B
 *   within=LO,HI      no change, but an error when a finite pixel is outside (1e-6)
 *   type=u8|u16|f32 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "io/tiffio.h"
#include "ptycho/geometry.h"

static double *pixel(struct array *a, size_t z, size_t y, size_t x)
{
	return (double *)a->data + (z * a->ny + y) * a->nx + x;
}

/* A new array whose pixels come from where `from` says; a negative one is 0. */
static void rebuild(struct array *a, size_t nz, size_t ny, size_t nx, const long *from)
{
	struct array b;

	if (array_init(&b, "copy", DT_F64, nz, ny, nx) != 0)
		exit(EXIT_FAILED);
	for (size_t i = 0; i < nz * ny * nx; i++)
		((double *)b.data)[i] = from[i] < 0 ? 0 : ((double *)a->data)[from[i]];
	array_clear(a);
	*a = b;
}

static size_t numbers(const char *text, double *v, size_t most)
{
	size_t n = 0;

	for (char *end; n < most && *text; text = *end ? end + 1 : end) {
		v[n++] = strtod(text, &end);
		if (*end && *end != ',')
			die(EXIT_USAGE, "'%s': expected numbers", text);
	}
	return n;
}

static void turn(struct array *a, const char *name)
{
	enum d4 op;
	long *from = mem_new(array_count(a), sizeof *from);

	if (d4_parse(name, &op) != 0)
		exit(EXIT_USAGE);
	size_t ny = op >= D4_TRANSPOSE ? a->nx : a->ny, nx = op >= D4_TRANSPOSE ? a->ny : a->nx;
	for (size_t i = 0; i < array_count(a); i++) {
		size_t y, x;

		d4_source(op, ny, nx, i / nx % ny, i % nx, &y, &x);
		from[i] = (long)((i / (nx * ny) * a->ny + y) * a->nx + x);
	}
	rebuild(a, a->nz, ny, nx, from);
	free(from);
}

/* roll, pages, frame: sources by a rule */
static void move(struct array *a, const char *step, const double *v, size_t n)
{
	bool pages = strcmp(step, "pages") == 0, roll = strcmp(step, "roll") == 0;
	size_t nz = pages ? n : a->nz, ny = pages || roll ? a->ny : (size_t)v[0],
	       nx = pages || roll ? a->nx : (size_t)v[1];
	long *from = mem_new(nz * ny * nx, sizeof *from), h = (long)a->ny, w = (long)a->nx;

	for (size_t i = 0; i < nz * ny * nx; i++) {
		long z = (long)(i / (ny * nx)), y = (long)(i / nx % ny), x = (long)(i % nx);

		if (pages) {
			z = (long)v[z];
		} else if (roll) {
			y = ((y - (long)v[0]) % h + h) % h;
			x = ((x - (long)v[1]) % w + w) % w;
		} else {
			y -= (long)v[2];
			x -= (long)v[3];
		}
		from[i] = z < (long)a->nz && y >= 0 && y < h && x >= 0 && x < w
				  ? (z * h + y) * w + x
				  : -1;
	}
	rebuild(a, nz, ny, nx, from);
	free(from);
}

static void set(struct array *a, const double *v)
{
	for (size_t z = 0; z < a->nz; z++)
		if (v[0] < 0 || z == (size_t)v[0])
			*pixel(a, z, (size_t)v[1], (size_t)v[2]) = v[3];
}

static void mask(struct array *a, const char *path)
{
	struct array m;

	if (tiff_read(path, NULL, &m, NULL) != 0 || array_to_f64(&m) != 0)
		exit(EXIT_FAILED);
	if (m.nz != 1 || m.ny != a->ny || m.nx != a->nx)
		die(EXIT_FAILED, "'%s': %zux%zux%zu, expected 1x%zux%zu", path, m.nz, m.ny, m.nx,
		    a->ny, a->nx);
	for (size_t i = 0; i < array_count(a); i++)
		if (((double *)m.data)[i % (a->ny * a->nx)] == 0)
			((double *)a->data)[i] = 0;
	array_clear(&m);
}

static void within(const struct array *a, const double *v)
{
	const double *p = a->data;

	for (size_t i = 0; i < array_count(a); i++)
		if (p[i] < v[0] - 1e-6 || p[i] > v[1] + 1e-6)
			die(EXIT_FAILED, "page %zu, row %zu, column %zu is %g, expected %g to %g",
			    i / (a->ny * a->nx), i / a->nx % a->ny, i % a->nx, p[i], v[0], v[1]);
}

static void save(const char *path, const struct array *a, enum dtype type)
{
	struct tiff_out o = { 0 };
	struct array b;
	const double *v = a->data;

	if (array_init(&b, path, type, a->nz, a->ny, a->nx) != 0)
		exit(EXIT_FAILED);
	for (size_t i = 0; i < array_count(a); i++)
		if (type == DT_U8)
			((uint8_t *)b.data)[i] = (uint8_t)v[i];
		else if (type == DT_U16)
			((uint16_t *)b.data)[i] = (uint16_t)v[i];
		else
			((float *)b.data)[i] = (float)v[i];
	if (tiff_write(path, &b, &o) != 0)
		exit(EXIT_FAILED);
	array_clear(&b);
}

int main(int argc, char **argv)
{
	struct array a;
	enum dtype type;
	double v[10000];

	program_start(argv[0]);
	if (argc < 3)
		die(EXIT_USAGE, "expected IN.tif OUT.tif [STEP...]");
	if (tiff_read(argv[1], NULL, &a, NULL) != 0)
		return EXIT_FAILED;
	type = a.type == DT_U8 || a.type == DT_U16 ? a.type : DT_F32;
	if (array_to_f64(&a) != 0)
		return EXIT_FAILED;
	for (int i = 3; i < argc; i++) {
		char *value = strchr(argv[i], '=');
		size_t n = 0;

		if (!value)
			die(EXIT_USAGE, "'%s': expected STEP=VALUE", argv[i]);
		*value++ = '\0';
		if (strcmp(argv[i], "d4") == 0) {
			turn(&a, value);
			continue;
		}
		if (strcmp(argv[i], "mask") == 0) {
			mask(&a, value);
			continue;
		}
		if (strcmp(argv[i], "type") == 0) {
			type = strcmp(value, "u8") == 0	   ? DT_U8
			       : strcmp(value, "u16") == 0 ? DT_U16
							   : DT_F32;
			continue;
		}
		n = numbers(value, v, sizeof v / sizeof v[0]);
		if (strcmp(argv[i], "set") == 0 && n == 4)
			set(&a, v);
		else if (strcmp(argv[i], "nan") == 0 && n == 2)
			for (size_t k = 0; k < array_count(&a); k++)
				((double *)a.data)[k] = v[isnan(((double *)a.data)[k]) ? 0 : 1];
		else if (strcmp(argv[i], "within") == 0 && n == 2)
			within(&a, v);
		else if ((strcmp(argv[i], "add") == 0 || strcmp(argv[i], "scale") == 0) && n == 1)
			for (size_t k = 0; k < array_count(&a); k++)
				((double *)a.data)[k] = argv[i][0] == 'a'
								? ((double *)a.data)[k] + v[0]
								: ((double *)a.data)[k] * v[0];
		else if ((strcmp(argv[i], "roll") == 0 && n == 2) ||
			 strcmp(argv[i], "pages") == 0 || (strcmp(argv[i], "frame") == 0 && n == 4))
			move(&a, argv[i], v, n);
		else
			die(EXIT_USAGE, "'%s': no such step, or not so many numbers", argv[i]);
	}
	save(argv[2], &a, type);
	array_clear(&a);
	return EXIT_DONE;
}
