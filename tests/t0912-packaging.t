#!/bin/bash
# The packagings say one version, that of configure.ac; need the packages that the README names; and their scripts are scripts.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
export version
version=$(sed -n 's/^AC_INIT(\[scopeline\], \[\([^]]*\)\].*/\1/p' "$srcdir/configure.ac")
section() { awk -v s="%$1" '/^%/ { on = $0 == s } on && !/^%/' "$srcdir/packaging/scopeline.def"; }

ok 'the Debian changelog has the version of configure.ac' '[ -n "$version" ] && head -n 1 "$srcdir/debian/changelog" | grep -qF "scopeline ($version-"'
ok 'so has the Spack recipe' 'grep -qF "version(\"$version\")" "$srcdir/packaging/spack/package.py" && grep -qF "scopeline-$version.tar.xz" "$srcdir/packaging/spack/package.py"'
ok 'libraries of the README are build dependencies of Debian and of the image' '
	for p in $(grep -m 1 -A 3 "^    apt-get install autoconf" "$srcdir/README.md" | grep -o "[a-z0-9-]*-dev" | grep -v libc6-dev); do
		echo $p; grep -q "^ *$p\b\|: $p\b" "$srcdir/debian/control" && grep -q "[ ]$p\b" "$srcdir/packaging/scopeline.def" || exit 1
	done | wc -l | grep -x 10'
ok 'every tool is tried by the autopkgtest' 'for t in $(sed -n "s/^bin_PROGRAMS += bin.//p" "$srcdir/bin/local.mk"); do grep -q "\b$t\b" "$srcdir/debian/tests/simulate-and-reconstruct" || exit 1; done'
for s in post environment runscript test; do
	ok "%$s of the Apptainer definition is a script" "section $s >$s.sh && [ -s $s.sh ] && sh -n $s.sh"
done
ok 'the autopkgtest passes with the tools built here' 'AUTOPKGTEST_TMP=$PWD sh "$srcdir/debian/tests/simulate-and-reconstruct"'
ok '%test of the Apptainer definition passes with them' 'sh -e test.sh'
python3 -c '' 2>/dev/null && ok 'the Spack recipe is Python' 'python3 -c "import ast, sys; ast.parse(open(sys.argv[1]).read())" "$srcdir/packaging/spack/package.py"'
done_testing
