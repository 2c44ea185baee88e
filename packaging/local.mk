# packaging/ and debian/: recipes for package managers
EXTRA_DIST += packaging/spack/package.py packaging/scopeline.def
EXTRA_DIST += debian/control debian/changelog debian/copyright debian/rules debian/source/format debian/tests/control debian/tests/simulate-and-reconstruct
