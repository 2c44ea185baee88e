/* pngclear FILE.png: the number of pixels that are transparent. */
#include <png.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/die.h"
#include "base/mem.h"

int main(int argc, char **argv)
{
	png_image image = { .version = PNG_IMAGE_VERSION };
	unsigned char *rgba;
	size_t n = 0, pixels;

	program_start(argv[0]);
	if (argc != 2)
		die(EXIT_USAGE, "expected FILE.png");
	if (!png_image_begin_read_from_file(&image, argv[1]))
		die(EXIT_FAILED, "'%s': %s", argv[1], image.message);
	image.format = PNG_FORMAT_RGBA;
	pixels = (size_t)image.width * image.height;
	rgba = mem_new(pixels, 4);
	if (!png_image_finish_read(&image, NULL, rgba, 0, NULL))
		die(EXIT_FAILED, "'%s': %s", argv[1], image.message);
	for (size_t i = 0; i < pixels; i++)
		n += rgba[4 * i + 3] == 0;
	printf("%zu\n", n);
	free(rgba);
	return EXIT_DONE;
}
