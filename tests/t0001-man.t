#!/bin/bash
# The man pages and the option tables say the same: a tool's own page and scopeline(7) together name exactly the tool's options.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"

# "name letter" of each option in an mdoc page's .It lines; letter "-" if there is none
man_options() {
	awk '/^\.It / {
		letter = "-"
		for (i = 2; i <= NF; i++) {
			if ($(i - 1) == "Fl" && $i ~ /^[a-zA-Z]$/)
				letter = $i
			else if (($(i - 1) == "Fl" || $(i - 1) == ",") && $i ~ /^-[a-z]/) {
				name = substr($i, 2)
				if (!sub(/^no-/, "", name))
					print name, letter
				letter = "-"
			}
		}
	}' "$@" | sort
}
table_options() { "$1" --print-options | cut -f1,2 | tr '\t' ' ' | sort; }

tools=$(find "$builddir/bin" -maxdepth 1 -type f -perm -100 -printf '%f\n' | sort)
ok 'there are tools' '[ "$(wc -w <<<"$tools")" -ge 2 ]'
for tool in $tools; do
	ok "README and scopeline(7) name $tool" "grep -q '^| .$tool. |' '$srcdir/README.md' && grep -q '^.Xr $tool 1\|^.It Xr $tool 1' '$srcdir/man/scopeline.7'"
	page=$srcdir/man/$tool.1
	ok "$tool's own page names no option that it lacks" "man_options $page >page; table_options $tool >table; comm -23 page table | tee /dev/stderr | cmp - /dev/null"
	ok "$tool's page and scopeline(7) name every option" \
		"man_options $page $srcdir/man/scopeline.7 >page; table_options $tool >table; [ -s table ] && comm -13 page table | tee /dev/stderr | cmp - /dev/null"
	ok "$tool's page names every choice of its options" \
		"$tool --print-options | awk -F'\t' '\$3 == \"choice\" || \$3 == \"list\" { gsub(/\\|/, \"\\n\", \$4); print \$4 }' | sort -u >choices
		 [ -s choices ] && while read -r c; do grep -qw -e \"\$c\" $page $srcdir/man/scopeline.7 || { echo \"\$c\"; exit 1; }; done <choices"
	ok "--help of $tool names every option" \
		"$tool --help >help && $tool --print-options | cut -f1 | while read -r o; do grep -qw -e --\$o -e --\\\\[no-\\\\]\$o help || { echo \$o; exit 1; }; done"
done
ok 'scopeline(7) names options of tiltrecon only once and only such that exist' \
	'man_options "$srcdir/man/scopeline.7" >page; table_options tiltrecon >table; uniq -d page | cmp - /dev/null && comm -23 page table | tee /dev/stderr | cmp - /dev/null'
ok 'the check sees a missing option' 'printf "%s\n" ".It Fl o , -output Ar FILE" ".It Fl -a Ar X , Fl -b" >p; [ "$(man_options p)" = "a -
b -
output o" ]'
for page in scopeline.7 ${tools//$'\n'/.1 }.1; do
	ok "$page is clean mdoc" "groff -ww -mandoc -Tutf8 '$srcdir/man/$page' 2>&1 >/dev/null | tee /dev/stderr | cmp - /dev/null"
done
done_testing
