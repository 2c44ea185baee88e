/* bin/device.h: the options of batch/common.h that concern the device, in the device layer's terms.
 */
#ifndef BIN_DEVICE_H
#define BIN_DEVICE_H

#include <stdio.h>

#include "batch/common.h"
#include "dev/dev.h"

/* --device --mem --threads --fft --work-group; --profile switches the measuring on. */
struct dev_opts common_dev_opts(void);

/* How a tool begins: its name for messages, options and operands, and --device list.  OPT_GO, or the status to exit with. */
int common_begin(const struct program *p, int argc, char **argv, struct operands *rest);

/* The tables of --profile, if it was given, on stderr or as CSV.  0, or -1 after reporting. */
int common_profile(void);

/* Lines of --version after the first. */
void common_features(FILE *f);

#endif
