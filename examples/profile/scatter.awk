# awk -F, -v x=COLUMN -v y=COLUMN -f scatter.awk TABLE.csv > FIGURE.svg: a dot per row, axes from the smallest to the largest value
NR == 1 {
	for (i = 1; i <= NF; i++) {
		if ($i == x) cx = i
		if ($i == y) cy = i
	}
	if (!cx || !cy) {
		print "scatter.awk: no column " (cx ? y : x) > "/dev/stderr"
		failed = 1
		exit 1
	}
	next
}
$cx != "nan" && $cy != "nan" {
	u[++n] = $cx + 0
	v[n] = $cy + 0
	if (n == 1 || u[n] < u0) u0 = u[n]
	if (n == 1 || u[n] > u1) u1 = u[n]
	if (n == 1 || v[n] < v0) v0 = v[n]
	if (n == 1 || v[n] > v1) v1 = v[n]
}
END {
	if (failed || !n)
		exit 1
	if (u1 == u0) u1 = u0 + 1
	if (v1 == v0) v1 = v0 + 1
	print "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"520\" height=\"420\" font-family=\"sans-serif\" font-size=\"12\">"
	print "<rect width=\"520\" height=\"420\" fill=\"white\"/><path d=\"M60 20V370H500\" fill=\"none\" stroke=\"black\"/>"
	for (i = 1; i <= n; i++)
		printf "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2\" fill=\"#2060a0\" fill-opacity=\"0.5\"/>\n",
			60 + 440 * (u[i] - u0) / (u1 - u0), 370 - 350 * (v[i] - v0) / (v1 - v0)
	printf "<text x=\"60\" y=\"386\">%.4g</text><text x=\"500\" y=\"386\" text-anchor=\"end\">%.4g</text>\n", u0, u1
	printf "<text x=\"56\" y=\"370\" text-anchor=\"end\">%.4g</text><text x=\"56\" y=\"30\" text-anchor=\"end\">%.4g</text>\n", v0, v1
	printf "<text x=\"280\" y=\"408\" text-anchor=\"middle\">%s</text>\n", x
	printf "<text x=\"14\" y=\"195\" text-anchor=\"middle\" transform=\"rotate(-90 14 195)\">%s</text>\n</svg>\n", y
}
