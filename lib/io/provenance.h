/* lib/io/provenance.h: the text that says how an output was made.  Lines "key=value", the first is
 * "scopeline=TOOL VERSION", then device, command (quoted for the shell) and one input line per name.
 * No times. */
#ifndef IO_PROVENANCE_H
#define IO_PROVENANCE_H

#include <stddef.h>

/* argv[argc]: the words of the command that decide the output (opt_command of base/opt.h); device
 * may be NULL.  The caller frees. */
char *provenance_text(const char *device, int argc, char *const *argv, const char *const *inputs,
		      size_t n_inputs);

#endif
