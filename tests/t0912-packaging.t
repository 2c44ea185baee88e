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

# ---- what can be known of the recipes without their programs
# post N: the N-th %post, of the stage that builds and of the one that stays
post() { awk -v n="$1" '/^%/ { on = 0 } /^%post/ { on = ++k == n; next } on' "$srcdir/packaging/scopeline.def"; }
# installed N: the packages that it installs
installed() { post "$1" | awk '/apt-get install/ { on = 1 } on { for (i = 1; i <= NF; i++) if ($i !~ /^(apt-get|install|-.*|\\)$/) print $i } on && !/\\$/ { on = 0 }'; }
export -f post installed
if command -v shellcheck >/dev/null; then
	for n in 1 2; do
		ok "shellcheck has nothing to say of %post $n, which Apptainer runs with sh -e" "post $n >post.sh && [ -s post.sh ] && shellcheck --norc -s sh -e SC2164 post.sh"
	done
fi
if grep -q '^VERSION_CODENAME=bookworm' /etc/os-release && apt-cache show libc6 >/dev/null 2>&1; then
	for n in 1 2; do
		ok "Debian 12 has every package that stage $n of the image installs" "installed $n >packages && [ \$(wc -l <packages) -ge 10 ] && while read -r p; do apt-cache show \$p >/dev/null || exit 1; done <packages"
	done
	ok 'and every build and test dependency of the Debian package' '
		awk "/^Build-Depends:/ { on = 1; sub(/^Build-Depends:/, \"\") } on && /^[A-Z]/ { on = 0 } on" "$srcdir/debian/control" | tr , "\n" | awk "NF { print \$1 }" | grep -v debhelper-compat >packages && [ $(wc -l <packages) -ge 10 ] &&
		while read -r p; do apt-cache show "$p" >/dev/null || exit 1; done <packages'
	ok 'the libraries that the tools need come with what the image installs' '
		for t in "$builddir"/bin/*; do [ ! -f "$t" ] || [ ! -x "$t" ] || objdump -p "$t" | awk "/NEEDED/ { print \$2 }"; done | sort -u | grep -v "^lib\(c\|m\|asan\|ubsan\)\.so" >libraries && [ $(wc -l <libraries) -ge 8 ] &&
		installed 2 | xargs apt-cache depends --recurse --important | grep -v "^ " | sort -u >closure &&
		while read -r l; do dpkg-query -S "*/$l" | cut -d: -f1 | sort -u | grep -Fx -f closure >/dev/null || { echo "$l"; exit 1; }; done <libraries'
fi
if python3 -c '' 2>/dev/null; then
	cat >recipe.py <<-'END'
		# the recipe beside a spack.package that writes down what it is asked for
		import sys, types
		said = []
		def directive(name):
		    return lambda *a, **k: said.append((name, a, k))
		class AutotoolsPackage:
		    def with_or_without(self, name):
		        return ["--%s-%s" % ("with" if self.on else "without", name)]
		module = types.ModuleType("spack.package")
		for name in ("license", "version", "variant", "depends_on"):
		    setattr(module, name, directive(name))
		module.AutotoolsPackage = AutotoolsPackage
		sys.modules["spack"], sys.modules["spack.package"] = types.ModuleType("spack"), module
		scope = {}
		exec(compile(open(sys.argv[1]).read(), sys.argv[1], "exec"), scope)
		package = scope["Scopeline"]()
		for package.on in (False, True):
		    print(*package.configure_args())
		for name, a, k in said:
		    print(name, a[0], k.get("when", ""))
	END
	ok 'the Spack recipe runs: its version, its dependencies, and options that configure has' '
		python3 -B recipe.py "$srcdir/packaging/spack/package.py" >said && grep -qx "version $version " said && [ $(grep -c ^depends_on said) -ge 11 ] && grep -q "^depends_on clfft +clfft" said &&
		[ "$(head -n 2 said | tr "\n" " ")" = "--without-clfft --with-clfft " ] && grep -q -- "--without-clfft" "$srcdir/configure.ac"'
fi
done_testing
