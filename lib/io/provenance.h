/* lib/io/provenance.h: the text that says how an output was made.  Lines "key=value", the first is
 * "scopeline=TOOL VERSION", then device, command (quoted for the shell) and one input line per name.  No times. */
#ifndef IO_PROVENANCE_H
#define IO_PROVENANCE_H

#include <stdbool.h>
#include <stddef.h>

/* an option that cannot change the bytes of an output and is therefore left out of the command */
struct provenance_skip {
	const char *name;	/* long name, without dashes; NULL ends the list */
	char letter;		/* short name, 0: none */
	bool argument;		/* takes one, in "--name=X" or in the next word */
};

/* --threads --mem --progress --profile --resume --quiet --verbose --fail-fast --shard --dry-run */
extern const struct provenance_skip provenance_common[];

/* argv[0] is replaced by the program's name; skipped options may be abbreviated or bundled ("-qv").  device may be NULL.
 * The caller frees.  Two commands that differ in skipped options only give the same text. */
char *provenance_text(const char *device, int argc, char *const *argv, const struct provenance_skip *skip,
		      const char *const *inputs, size_t n_inputs);

#endif
