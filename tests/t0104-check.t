#!/bin/bash
# scopeline-check finds every tool right, and wrong when its answer or its kernel is damaged.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
export check=$srcdir/bin/scopeline-check list
tools=$(sed -n 's/^bin_PROGRAMS += bin.//p' "$srcdir/bin/local.mk" | sort)
some=$tools
slow || some=$'tiltsim\ntvloss'
list=${some//$'\n'/,}
device=(--device "${TESTS_DEVICE:-pthread}")	# one device of several implementations
echo "# ${device[*]}: $list"

ok 'it knows every tool, and an answer of each' '
	"$check" --print-options | awk -F"\t" "\$1 == \"tools\" { gsub(/\|/, \"\n\", \$4); print \$4 }" | sort >known && cmp known - <<<"$tools" && awk "!/^#/ { print \$1 }" "$srcdir/share/check/answers" | sort -u | cmp - known'
ok 'every tool is right' '"$check" "${device[@]}" --tools "$list" >table && quiet && [ "$(grep -c ^ok table)" = "$(wc -l <<<"$some")" ] && cat table'
ok 'answers damaged by twice their tolerance: each figure of each tool is named, with the device, what was found and by how much it is off, exit 1' '
	awk "/^#/ { next } { printf \"%s %s %.13g %s\n\", \$1, \$2, \$3 + 2 * \$4, \$4 }" "$srcdir/share/check/answers" >damaged &&
	exits 1 "$check" "${device[@]}" --tools "$list" --answers damaged >table && [ "$(grep -c ^WRONG table)" = "$(wc -l <<<"$some")" ] &&
	while read -r t figure _; do [[ ,$list, != *,$t,* ]] || says "^scopeline-check: .$t. on device ${device[1]} .*: $figure .* expected .* within .*: off by" || exit; done <damaged'
ok 'an answer that is missing is wrong' 'grep -v "tvloss iso_loss" "$srcdir/share/check/answers" >less && exits 1 "$check" "${device[@]}" --tools tvloss --answers less && says "iso_loss.*expected no such figure"'
ok 'a figure that is missing is wrong' '{ cat "$srcdir/share/check/answers"; echo tvloss other 1 1; } >more && exits 1 "$check" "${device[@]}" --tools tvloss --answers more && says "9 figures of known answers, expected 10"'

# a copy as it is installed, whose tvloss has another kernel: the text in the program is as long as before
mkdir -p broken/bin broken/share/scopeline/check
cp "$check" broken/bin && cp "$srcdir"/share/check/* broken/share/scopeline/check && cp "$builddir/bin/tvloss" broken/bin
ok 'an installed copy finds its answers' 'broken/bin/scopeline-check "${device[@]}" --tools tvloss'
ok 'a damaged kernel is found out: its tool, its figures, exit 1' '
	perl -0777 -pi -e "\$n = s/CHOOSE\(good, sqrt\(a\)/CHOOSE(good, (a)+(a)/g; END { exit !\$n }" broken/bin/tvloss &&
	exits 1 broken/bin/scopeline-check "${device[@]}" --tools tvloss,intensity >table && grep "^WRONG *tvloss" table && grep "^ok *intensity" table && says "tvloss.*iso_loss .*off by" && ! says sq_loss'
ok 'a device that is not there is exit 1' 'exits 1 "$check" --device warp-core --tools tvloss && says warp-core'
ok 'wrong usage is exit 2' 'exits 2 "$check" --tools tvlos && says tvlos && exits 2 "$check" --what && exits 2 "$check" --device'
ok 'its options are those of its page, its help and its completion' '
	"$check" --print-options | cut -f1 | sort >want && sed -n "s/^\.It Fl \([a-z] , \)\{0,1\}-\([a-z-]*\).*/\2/p" "$srcdir/man/scopeline-check.1" | sort | grep -v "^print-options" >page && sort -u want | cmp - page &&
	"$check" --help >help && while read -r o; do grep -qw -e "--$o" help || exit; done <want && grep -qw scopeline-check "$srcdir/completions/scopeline.bash" && "$check" --version | grep -q "^scopeline-check (scopeline) [0-9]"'
ok 'its page is clean mdoc' 'groff -ww -mandoc -Tutf8 "$srcdir/man/scopeline-check.1" 2>&1 >/dev/null | tee /dev/stderr | cmp - /dev/null'
done_testing
