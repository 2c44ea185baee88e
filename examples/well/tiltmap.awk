# usage: awk -f tiltmap.awk WELL.csv TILTS.csv [TRUTH.csv] >MAP.svg
# Map of a well: a dot at each position of the manifest WELL.csv (position, y_um, x_um), an arrow for its tilt (the mean over times and
# tiles of TILTS.csv) in the direction to which the light leans; TRUTH.csv (position, zenith, azimuth) in grey below.
# Columns are found by name; names without commas and quotes.
BEGIN { FS = "," }
FNR == 1 { file++; split("", col); for (i = 1; i <= NF; i++) col[$i] = i; next }
file == 1 {
	p = $col["position"]; if (!(p in x)) name[++names] = p
	x[p] = $col["x_um"]; y[p] = $col["y_um"]
	if (FNR == 2) { x0 = x1 = x[p]; y0 = y1 = y[p] }
	if (x[p] < x0) x0 = x[p]; if (x[p] > x1) x1 = x[p]; if (y[p] < y0) y0 = y[p]; if (y[p] > y1) y1 = y[p]
	next
}
{
	p = $col["position"]; zenith = $col["zenith"]; azimuth = $col["azimuth"]
	n[file, p]++; tx[file, p] += sin(zenith) * cos(azimuth); ty[file, p] += sin(zenith) * sin(azimuth)
}
function arrows(f, colour, width,	k, p, i, j, px, py) {
	for (k = 1; k <= names; k++) if (n[f, name[k]]) {
		p = name[k]
		px = 60 + (x[p] - x0) * zoom; py = 60 + (y[p] - y0) * zoom; i = tx[f, p] / n[f, p] * gain; j = ty[f, p] / n[f, p] * gain
		printf "<path d='M%.1f %.1fl%.1f %.1f' stroke='%s' stroke-width='%s' marker-end='url(#%s)'/>\n", px, py, i, j, colour, width, colour
	}
}
function marker(colour) { printf "<marker id='%s' viewBox='0 0 6 6' refX='3' refY='3' markerWidth='4' markerHeight='4' orient='auto'><path d='M0 0L6 3L0 6z' fill='%s'/></marker>\n", colour, colour }
END {
	size = x1 - x0 > y1 - y0 ? x1 - x0 : y1 - y0
	zoom = size > 0 ? 400 / size : 1
	gain = 400	# 0.1 rad is 40 units long
	printf "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 520 540' font-family='sans-serif' font-size='12'>\n<rect width='520' height='540' fill='white'/>\n<defs>"
	marker("silver"); marker("crimson"); print "</defs>"
	if (file > 2) arrows(3, "silver", 5)
	arrows(2, "crimson", 2)
	for (k = 1; k <= names; k++) {
		p = name[k]
		printf "<circle cx='%.1f' cy='%.1f' r='3'/>", 60 + (x[p] - x0) * zoom, 60 + (y[p] - y0) * zoom
		printf "<text x='%.1f' y='%.1f'>%s</text>\n", 64 + (x[p] - x0) * zoom, 56 + (y[p] - y0) * zoom, p
	}
	printf "<path d='M60 515h40' stroke='black' stroke-width='2'/><text x='106' y='519'>tilt of 0.1 rad%s</text>\n", file > 2 ? "; grey: the truth" : ""
	printf "<path d='M300 515h%.1f' stroke='black' stroke-width='2'/><text x='%.1f' y='519'>500 um</text>\n</svg>\n", 500 * zoom, 306 + 500 * zoom
}
