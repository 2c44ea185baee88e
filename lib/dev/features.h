/* lib/dev/features.h: what the device layer was built with, for --version. */
#ifndef DEV_FEATURES_H
#define DEV_FEATURES_H

#include <stdio.h>

void dev_features(FILE *f);	/* lines "name version"; opens no device */

#endif
