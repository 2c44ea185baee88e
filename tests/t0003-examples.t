#!/bin/bash
# What the README and the man pages tell a reader to type runs, and the quickstart leaves what it says.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
ln -s "$srcdir/examples" examples

# the commands of the README's section "Pipelines", one file per paragraph: blocks are indented by four spaces
awk '/^## / { on = $2 == "Pipelines" }
	on && /^    / { if (!open) { open = 1; file = "pipeline" ++n } print substr($0, 5) >file; next }
	on && /^$/ { blank = 1; next }
	{ open = 0 }' "$srcdir/README.md"
ok 'the README has five pipelines or more' '[ "$(ls pipeline* | wc -l)" -ge 5 ]'
slow || rm -f pipeline[134]
for p in pipeline*; do
	ok "the README's $p runs and says something or leaves a file: $(head -n 1 "$p" | cut -c1-60)" \
		"mkdir -p in-$p && cd in-$p && ln -s ../examples . && bash -e -o pipefail ../$p >said && { [ -s said ] || [ \"\$(find . -type f -size +0 | wc -l)\" -gt 1 ]; }"
done
if slow; then
	ok 'the first pipeline left phase, tilts and preview' 'head -c 8 in-pipeline1/cells.png | grep -q PNG && [ "$(wc -l <in-pipeline1/tilts.csv)" = 26 ] && tiffstat in-pipeline1/cells.tif'
	ok 'the simulated tilt of the second is found to 0.02 rad' \
		'tail -n 1 in-pipeline2/said | awk -F, "{ d = sqrt((sin(\$2) * cos(\$3) - sin(.10472) * cos(.69813)) ^ 2 + (sin(\$2) * sin(\$3) - sin(.10472) * sin(.69813)) ^ 2) } END { print d; exit !(d < 0.02) }"'
fi
ok 'the quickstart, without its set-up, runs again and again and names its files' '
	for n in 1 $(slow && echo 2); do
		mkdir -p checkout/examples && sed "s|^\"\$root/examples/setup.sh\"|:|" "$srcdir/examples/quickstart.sh" >checkout/examples/quickstart.sh &&
		ln -sfn "$builddir" checkout/build && ln -sfn "$srcdir/share" checkout/share && ln -sfn "$srcdir/examples/data" checkout/examples/data &&
		bash checkout/examples/quickstart.sh >said && for f in phase.tif phase.png tilts.csv; do [ -s checkout/quickstart-out/$f ] && grep -q $f said || exit 1; done &&
		grep -q "^demo_cells,,,4," said || exit 1
	done'
ok 'the set-up takes all packages of the README, and only the first line without --all' '
	mkdir -p bare/examples fake && cp "$srcdir/examples/setup.sh" bare/examples && cp "$srcdir/README.md" bare && printf "%s\n" "#!/bin/sh" "exit 1" >bare/configure && chmod +x bare/configure &&
	printf "%s\n" "#!/bin/sh" "exit 1" >fake/dpkg-query && printf "%s\n" "#!/bin/sh" "echo apt-get \"\$@\"" >fake/apt-get && printf "%s\n" "#!/bin/sh" "\"\$@\"" >fake/sudo && chmod +x fake/* &&
	{ PATH=$PWD/fake:$PATH bare/examples/setup.sh >few; PATH=$PWD/fake:$PATH bare/examples/setup.sh --all >all; true; } && grep -q "install .*pocl-opencl-icd.*libinih-dev" few && ! grep -q shellcheck few &&
	grep -q "install .*pocl-opencl-icd.*shellcheck.*munge" all'
done_testing
