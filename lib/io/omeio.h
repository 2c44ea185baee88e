/* lib/io/omeio.h: OME-XML (expat), of which the first image's Pixels element is taken. */
#ifndef IO_OMEIO_H
#define IO_OMEIO_H

#include <stddef.h>

struct ome {
	double pixel_um, z_step_um;	/* 0: not said, or in no unit of length */
	size_t size_c, size_z, size_t_; /* pages along each axis: channels count once per
					   SamplesPerPixel.  0: not said */
	char order[4]; /* page axes slow to fast: "TCZ" for DimensionOrder XYZCT; "": not said */
};
/* 0, or -1 if text is no OME-XML (nothing is reported: a description may be any text). */
int ome_parse(const char *text, struct ome *o);

/* Micrometres of one unit ("um", "micron", "nm", with a Greek mu in any spelling ...); 0 if it is
 * no unit of length. */
double unit_um(const char *unit);

#endif
