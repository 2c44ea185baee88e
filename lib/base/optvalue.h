/* lib/base/optvalue.h: texts of options to values, and the words that describe what is accepted.
 * Private to lib/base/opt*.c. */
#ifndef BASE_OPTVALUE_H
#define BASE_OPTVALUE_H

#include "base/opt.h"

/* Parses text into o's target; flags and switches take yes, no, on, off, true, false, 1, 0.  The
 * text must stay valid where the target is a text.  subject names the option in messages
 * ("--pixel", "file:3: pixel").  0, or -1 after reporting. */
int opt_value(const struct opt *o, const char *subject, const char *text);

/* Name of the argument for --help: "W", "thin|thick", "H[,W]"; NULL for flags.  s: [n] scratch. */
const char *opt_arg(const struct opt *o, char *s, size_t n);

/* Range and unit in words: "> 0 um"; "" if there is nothing to say. */
void opt_limits(const struct opt *o, char *s, size_t n);

/* kind column of --print-options, without the "?" */
const char *opt_kind(const struct opt *o);

/* the choices without their values, "auto|off"; returns the length */
size_t opt_bare_choices(const char *choices, char *s, size_t n);

/* the same as words, "auto, off" */
void opt_choice_words(const char *choices, char *s, size_t n);

/* i-th of a "a|b=1|c" list: its start, with *len up to '=' or '|'; NULL past the end.  *value:
 * behind '=', or NULL. */
const char *opt_choice(const char *choices, size_t i, size_t *len, const char **value);

#endif
