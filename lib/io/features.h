/* lib/io/features.h: what the file layer was built with, for --version. */
#ifndef IO_FEATURES_H
#define IO_FEATURES_H

#include <stdio.h>

void io_features(FILE *f);	/* lines "name version" */

#endif
