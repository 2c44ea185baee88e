#include "io/features.h"

#include <png.h>
#include <string.h>
#include <tiffio.h>

void io_features(FILE *f)
{
	const char *tiff = TIFFGetVersion(); /* "LIBTIFF, Version 4.5.0" and lines of copyright */
	const char *number = strstr(tiff, "Version ");

	number = number ? number + strlen("Version ") : tiff;
	fprintf(f, "libtiff %.*s\n", (int)strcspn(number, "\n"), number);
	fprintf(f, "libpng %s\n", png_get_libpng_ver(NULL));
}
