#!/bin/bash
# Completion says what the option tables say.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"

# the words offered for the last of the arguments, one a line
offered() {
	# shellcheck disable=SC2034	# the completion reads them
	COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
	COMPREPLY=()
	_scopeline "$1"
	((${#COMPREPLY[@]} == 0)) || printf '%s\n' "${COMPREPLY[@]}"
}
# shellcheck source=completions/scopeline.bash
. "$srcdir/completions/scopeline.bash"

for tool in tiltrecon tiltsim granularity zernike intensity tvloss tvdenoise kplanes ptychorecon ptychosim; do
	ok "$tool: every option is offered, and nothing else" \
		"offered $tool -- | sed '/^--no-/d; s/^--//' | sort >got; $tool --print-options | cut -f1 | sort >want; [ -s want ] && cmp got want"
	ok "$tool is registered" "complete -p $tool | grep -q _scopeline"
done
ok 'the beginning of an option' '[ "$(offered tiltrecon --dry)" = --dry-run ]'
ok 'a switch has its --no- form' '[ "$(offered tiltrecon --no-z)" = --no-zen-blend ]'
ok 'choices behind a blank' '[ "$(offered tiltrecon --model "" | tr "\n" " ")" = "thin thick " ]'
ok 'choices behind =, which bash takes for a word' '[ "$(offered tiltrecon --model = thi | tr "\n" " ")" = "thin thick " ] && [ "$(offered tiltrecon --model = | wc -l)" = 2 ]'
ok 'the next item of a list' '[ "$(offered tiltrecon --optimize grid,bf)" = grid,bfgs ]'
ok 'the word beside a number' '[ "$(offered tiltrecon --oversample a)" = auto ]'
ok 'nothing of its own for files and operands' '[ -z "$(offered tiltrecon -o x)" ] && [ -z "$(offered tiltrecon st)" ]'
ok 'the first word of kplanes is its verb' '[ "$(offered kplanes e)" = eval ] && [ "$(offered kplanes "" | wc -l)" = 6 ] && [ -z "$(offered kplanes fit e)" ]'
ok 'a tool that cannot answer is silent' '[ -z "$(offered ./nosuch --)" ]'
ok 'under a tool'"'"'s name it completes that tool' 'ln -s "$srcdir/completions/scopeline.bash" tiltrecon && bash -c ". ./tiltrecon; complete -p" >got && grep -q "_scopeline tiltrecon$" got && ! grep -q tiltsim got'
done_testing
