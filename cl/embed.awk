# Turns OpenCL files into one C file: struct clsrc { name, text } clsrc[].  Lines  #include "x.clh"  are replaced by cl/x.clh,
# and #line keeps names and numbers so that a build log says cl/tilt.cl:12.  Strings are emitted line by line.
function put(s) { gsub(/\\/, "&&", s); gsub(/"/, "\\\"", s); printf "\t\"%s\\n\"\n", s }
function embed(file,   line, n, part) {
	put("#line 1 \"" file "\"")
	while ((getline line < file) > 0) {
		n++
		if (line ~ /^#include "/) {
			split(line, part, "\"")
			embed("cl/" part[2])
			put("#line " n + 1 " \"" file "\"")
		} else
			put(line)
	}
	close(file)
}
BEGIN {
	print "/* made by cl/embed.awk */\n#include \"dev/clsrc.h\"\nconst struct clsrc clsrc[] = {"
	for (i = 1; i < ARGC; i++) {
		printf "\t{ \"%s\",\n", ARGV[i]
		embed(ARGV[i])
		print "\t},"
	}
	print "\t{ 0, 0 }\n};"
}
