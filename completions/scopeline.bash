# shellcheck shell=bash
# Completion for every tool of scopeline.  The tool itself says what there is: tool --print-options.

# words of $1, in lines, that begin with $2, each behind the prefix $3
_scopeline_words() {
	local w
	while IFS= read -r w; do
		[[ -n $w && $w == "$2"* ]] && COMPREPLY+=("$3$w")
	done <<<"$1"
}

_scopeline() {
	local cur=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]}
	local name letter kind choices table words='' prefix=''

	COMPREPLY=()
	# "--name=value" comes as three words
	if [[ $cur == '=' ]]; then
		cur=''
	elif [[ $option == '=' ]] && ((COMP_CWORD >= 2)); then
		option=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	table=$("$1" --print-options 2>/dev/null) || return
	while IFS=$'\t' read -r name letter kind choices; do
		case $kind in
		switch) words+=$'--no-'$name$'\n' ;&
		*) words+=--$name$'\n' ;;
		esac
		[[ $option == "--$name" || ($letter != - && $option == "-$letter") ]] || continue
		case $kind in
		choice) _scopeline_words "${choices//|/$'\n'}" "$cur" ''; return ;;
		list)
			[[ $cur == *,* ]] && prefix=${cur%,*},
			_scopeline_words "${choices//|/$'\n'}" "${cur##*,}" "$prefix"
			return ;;
		number) [[ $choices != - ]] && _scopeline_words "${choices//|/$'\n'}" "$cur" ''; return ;;
		text) return ;;
		dir) compopt -o dirnames 2>/dev/null; return ;;
		file) compopt -o default 2>/dev/null; return ;;
		esac
	done <<<"$table"
	if [[ $cur == -* ]]; then
		_scopeline_words "$words" "$cur" ''
	elif [[ ${1##*/} == kplanes ]] && ((COMP_CWORD == 1)); then
		_scopeline_words $'eval\ngrad\ntv\nrender\nfit\ninfo' "$cur" ''
	else
		compopt -o default 2>/dev/null
	fi
}

# A link with a tool's name completes that tool; the script itself, sourced by hand, completes all of them.
if [[ ${BASH_SOURCE[0]##*/} == scopeline.bash ]]; then
	complete -F _scopeline tiltrecon tiltsim granularity zernike intensity tvloss tvdenoise kplanes ptychofrc ptychorecon ptychosim scopeline-check
else
	complete -F _scopeline "${BASH_SOURCE[0]##*/}"
fi
