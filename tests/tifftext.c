/* tifftext TYPE OUT.tif: a TIFF from the numbers of standard input, one row per line, an empty line between pages. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "io/tiffio.h"

static enum dtype type_named(const char *name)
{
	for (int t = DT_U8; t <= DT_F64; t++)
		if (strcmp(dtype_name((enum dtype)t), name) == 0)
			return (enum dtype)t;
	die(EXIT_USAGE, "'%s': expected u8 u16 u32 i8 i16 i32 f32 or f64", name);
}

static void put(struct array *a, size_t i, double v)
{
	switch (a->type) {
	case DT_U8:
		((uint8_t *)a->data)[i] = (uint8_t)v;
		break;
	case DT_U16:
		((uint16_t *)a->data)[i] = (uint16_t)v;
		break;
	case DT_U32:
		((uint32_t *)a->data)[i] = (uint32_t)v;
		break;
	case DT_I8:
		((int8_t *)a->data)[i] = (int8_t)v;
		break;
	case DT_I16:
		((int16_t *)a->data)[i] = (int16_t)v;
		break;
	case DT_I32:
		((int32_t *)a->data)[i] = (int32_t)v;
		break;
	case DT_F32:
		((float *)a->data)[i] = (float)v;
		break;
	default:
		((double *)a->data)[i] = v;
	}
}

int main(int argc, char **argv)
{
	struct tiff_out out = { .compress = TIFF_NONE };
	double *v = NULL;
	size_t n = 0, cap = 0, rows = 0, pages = 1;
	char *line = NULL, *word, *at;
	struct array a;

	program_start(argv[0]);
	if (argc != 3)
		die(EXIT_USAGE, "expected TYPE OUT.tif");
	for (size_t len = 0; getline(&line, &len, stdin) > 0;) {
		size_t before = n;

		for (at = line; (word = strtok(at, " \t\n")) != NULL; at = NULL) {
			if (n == cap)
				v = mem_grow(v, cap = 2 * cap + 64, sizeof *v);
			v[n++] = strtod(word, NULL);
		}
		rows += n > before;
		pages += n == before;
	}
	if (rows == 0 || n % rows || rows % pages)
		die(EXIT_USAGE, "%zu numbers in %zu rows of %zu pages, expected a rectangle", n, rows, pages);
	if (array_init(&a, argv[2], type_named(argv[1]), pages, rows / pages, n / rows) != 0)
		return EXIT_FAILED;
	for (size_t i = 0; i < n; i++)
		put(&a, i, v[i]);
	free(line);
	free(v);
	n = tiff_write(argv[2], &a, &out) != 0;
	array_clear(&a);
	return n ? EXIT_FAILED : EXIT_DONE;
}
