# Turns OpenCL files into one C file: struct clsrc { name, text } clsrc[], each text starting with a #line of its own
# so that a build log says cl/tilt.cl:12.  Strings are emitted line by line.
function esc(s) { gsub(/\\/, "\\\\", s); gsub(/"/, "\\\"", s); return s }
BEGIN { print "/* made by cl/embed.awk */\n#include \"dev/clsrc.h\"\nconst struct clsrc clsrc[] = {" }
FNR == 1 { if (NR > 1) print "\t},"; printf "\t{ \"%s\",\n\t\"#line 1 \\\"%s\\\"\\n\"\n", FILENAME, FILENAME }
{ printf "\t\"%s\\n\"\n", esc($0) }
END { print "\t},\n\t{ 0, 0 }\n};" }
