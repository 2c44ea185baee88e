/* bin/tool.h: what every tool's main does with the device options of batch/common.h. */
#ifndef BIN_TOOL_H
#define BIN_TOOL_H

#include <stdbool.h>
#include <stdio.h>

#include "dev/dev.h"

/* Further lines of --version: OpenCL headers, FFTW, clFFT, libtiff. */
void tool_features(FILE *f);

/* --device list: prints the table; then *status is the one to exit with. */
bool tool_lists_devices(int *status);

/* The device that the options choose, with --profile turned on.  NULL after reporting. */
struct dev *tool_device(void);

/* Prints the --profile tables and frees the device (fine on NULL).  0, or -1 after reporting. */
int tool_end(struct dev *d);

#endif
