/* tiffmake [options] OUT.tif: a TIFF for a test (see tests/tiffgen.h for the words and for the
 * values of the pixels). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "tests/tiffgen.h"

static const char usage[] =
	"usage: tiffmake [options] OUT.tif\n"
	"  -t TYPE         u8 u16 u32 i8 i16 i32 f32 f64, to be refused: bit1 f16 u64 c64 palette  "
	" (u16)\n"
	"  -s NY,NX        size of a page (40,48)        -n PAGES       number of pages (1)\n"
	"  -S SAMPLES      per pixel (1), 3 is RGB       -x             samples in separate "
	"planes\n"
	"  -T EDGE         square tiles                  -r ROWS        per strip\n"
	"  -c NAME         none packbits lzw deflate zstd lzma jpeg     -p N  predictor 2 or 3\n"
	"  -b              big-endian                    -8             BigTIFF\n"
	"  -k KIND         ramp, noise or a number       -N PAGE,Y,X    a NaN there, counted from "
	"0\n"
	"  -P PAGE,NY,NX   this page has another size    -d TEXT        ImageDescription, \\n is a "
	"line end\n"
	"  -R PER_CM       resolution                    -C BYTES       cut from the end\n"
	"  -A NY,NX[,CODE] nothing but a directory that claims this size\n";

static void need(int got, int want)
{
	if (got != want)
		die(EXIT_USAGE, "'%s': expected %d numbers", optarg, want);
}

/* "\n" in the text becomes a line end, in place. */
static const char *unescape(char *s)
{
	for (char *p; (p = strstr(s, "\\n"));) {
		*p = '\n';
		memmove(p + 1, p + 2, strlen(p + 2) + 1);
	}
	return s;
}

static void take_content(struct tiffgen *g)
{
	char *end;

	if (strcmp(optarg, "ramp") == 0) {
		g->content = CONTENT_RAMP;
	} else if (strcmp(optarg, "noise") == 0) {
		g->content = CONTENT_NOISE;
	} else {
		g->content = CONTENT_CONST;
		g->value = strtod(optarg, &end);
		if (*end)
			die(EXIT_USAGE, "'%s': expected ramp, noise or a number", optarg);
	}
}

int main(int argc, char **argv)
{
	struct tiffgen g = tiffgen_default;
	unsigned claim[3] = { 0, 0, 1 };
	bool claims = false;
	int c;

	program_start(argv[0]);
	while ((c = getopt(argc, argv, "t:s:n:S:xT:r:c:p:b8k:N:P:d:R:C:A:")) != -1)
		switch (c) {
		case 't':
			g.type = optarg;
			break;
		case 's':
			need(sscanf(optarg, "%zu,%zu", &g.ny, &g.nx), 2);
			break;
		case 'n':
			need(sscanf(optarg, "%zu", &g.pages), 1);
			break;
		case 'S':
			need(sscanf(optarg, "%zu", &g.samples), 1);
			break;
		case 'x':
			g.planar = true;
			break;
		case 'T':
			need(sscanf(optarg, "%zu", &g.tile), 1);
			break;
		case 'r':
			need(sscanf(optarg, "%zu", &g.rows), 1);
			break;
		case 'c':
			g.compression = optarg;
			break;
		case 'p':
			need(sscanf(optarg, "%d", &g.predictor), 1);
			break;
		case 'b':
			g.big_endian = true;
			break;
		case '8':
			g.bigtiff = true;
			break;
		case 'k':
			take_content(&g);
			break;
		case 'N':
			need(sscanf(optarg, "%ld,%ld,%ld", &g.nan_page, &g.nan_y, &g.nan_x), 3);
			break;
		case 'P':
			need(sscanf(optarg, "%ld,%zu,%zu", &g.odd_page, &g.odd_ny, &g.odd_nx), 3);
			break;
		case 'd':
			g.description = unescape(optarg);
			break;
		case 'R':
			need(sscanf(optarg, "%lf", &g.resolution), 1);
			g.unit = 3;
			break;
		case 'C':
			need(sscanf(optarg, "%zu", &g.cut), 1);
			break;
		case 'A':
			claims = true;
			if (sscanf(optarg, "%u,%u,%u", &claim[0], &claim[1], &claim[2]) < 2)
				die(EXIT_USAGE, "'%s': expected NY,NX[,CODE]", optarg);
			break;
		default:
			fputs(usage, stderr);
			return EXIT_USAGE;
		}
	if (argc - optind != 1) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	if (claims)
		return tiffgen_claim(argv[optind], claim[0], claim[1], (uint16_t)claim[2]) == 0
			       ? EXIT_DONE
			       : EXIT_FAILED;
	return tiffgen(argv[optind], &g) == 0 ? EXIT_DONE : EXIT_FAILED;
}
