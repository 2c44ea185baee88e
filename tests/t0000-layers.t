#!/bin/bash
# The picture in HACKING stays true: an include points only downwards, methods never at each other, and each outside library
# is met in one layer only.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"

# upward FOLDER: prints every include in FOLDER/{bin,lib,cl} that breaks the order; false if there is one or nothing was read
upward() {
	(cd "$1" && find bin lib cl -name '*.[ch]' -o -name '*.cl' -o -name '*.clh') | sort >files
	(cd "$1" && xargs awk '
		BEGIN {
			# layer: the layers it may include
			may["base"] = "base"
			may["io"] = "io base"
			may["dev"] = "dev base"
			may["math"] = "math dev base"
			may["batch"] = "batch io base"
			split("tilt ptycho features tv kplanes", method)
			for (i in method)
				may[method[i]] = method[i] " math dev base"
			may["bin"] = "bin batch tilt ptycho features tv kplanes math dev io base"
			may["cl"] = "cl"
			# outside header: the layer that may name it
			outside["CL/"] = outside["fftw3"] = outside["clFFT"] = "dev"
			outside["tiff"] = outside["csv"] = outside["expat"] = outside["png"] = "io"
			outside["ini"] = "base"
		}
		{ file = FILENAME; n = split(file, part, "/"); layer = part[1] == "lib" ? part[2] : part[1] }
		!(layer in may) { print file ": layer " layer " is not in the picture"; nextfile }
		/^[ \t]*#[ \t]*include[ \t]*"/ {
			split($0, q, "\"")
			n = split(q[2], part, "/")
			to = n > 1 ? part[1] : q[2] == "config.h" ? layer : layer == "cl" ? "cl" : layer == "bin" ? "bin" : "?"
			read++
			if (index(" " may[layer] " ", " " to " ") == 0)
				print file ":" FNR ": " layer " includes \"" q[2] "\""
		}
		/^[ \t]*#[ \t]*include[ \t]*</ {
			split($0, q, /[<>]/)
			read++
			for (h in outside)
				if (index(q[2], h) == 1 && outside[h] != layer)
					print file ":" FNR ": " layer " includes <" q[2] ">"
		}
		END { if (!read) print "no include was read" }') <files
}
plant() { rm -rf planted; mkdir -p planted/bin planted/cl planted/lib/{base,dev,io,tilt,tv}; echo "$2" >"planted/$1"; }

ok 'every include points downwards'            'upward "$srcdir" | tee /dev/stderr | cmp - /dev/null'
ok 'the check sees an upward include'          'plant lib/base/x.c "#include \"io/out.h\""; upward planted | grep "lib/base/x.c:1"'
ok 'the check sees a sideways include'         'plant lib/tilt/x.h "#include \"tv/tv.h\""; upward planted | grep "lib/tilt/x.h:1"'
ok 'the check sees OpenCL outside its layer'   'plant bin/x.c "#include <CL/cl.h>"; upward planted | grep "bin/x.c:1"'
ok 'the check sees an unknown layer'           'plant lib/base/x.c ""; mkdir planted/lib/new; echo "#include \"base/die.h\"" >planted/lib/new/x.c
                                                upward planted | grep "layer new"'
ok 'the check lets a downward include pass'    'plant lib/tilt/x.c "#include \"base/die.h\""; upward planted | cmp - /dev/null'
done_testing
