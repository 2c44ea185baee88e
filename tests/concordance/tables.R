# usage: Rscript tables.R COLUMNS.  The tables in the current folder, by read.csv with nothing but its defaults (and names as they are).
bad <- 0
ok <- function(true, sentence, ...) {
	if (!isTRUE(true)) bad <<- bad + 1
	cat(if (isTRUE(true)) "ok -" else "not ok -", sentence, if (!isTRUE(true)) paste(...), "\n")
}
lines <- strsplit(grep("^#", readLines(commandArgs(TRUE)[1]), invert = TRUE, value = TRUE), " ")
for (table in unique(sapply(lines, `[`, 1))) {
	d <- read.csv(table, check.names = FALSE)
	text <- read.csv(table, check.names = FALSE, colClasses = "character", na.strings = NULL)
	kinds <- list()
	for (l in lines) if (l[1] == table) for (c in strsplit(l[2], ",")[[1]]) kinds[[c]] <- l[3]
	wrong <- differ <- character()
	nans <- 0
	for (c in names(d)) {
		kind <- if (is.null(kinds[[c]])) kinds[["*"]] else kinds[[c]]
		v <- d[[c]]
		if (identical(kind, "string")) {
			if (!all(is.na(v)) && !identical(as.character(v), text[[c]])) differ <- c(differ, c)
			next
		}
		if (is.null(kind) || !(if (kind == "int") is.integer(v) else is.numeric(v))) { wrong <- c(wrong, c, class(v)); next }
		s <- text[[c]]
		back <- sprintf("%.17g", v)
		nan <- s == "nan"
		nans <- nans + sum(nan)
		short <- sprintf("%.9g", v) == s
		if (!all(is.nan(v) == nan) || !all((back == s | short)[!nan])) differ <- c(differ, c, s[!nan & back != s & !short])
	}
	ok(nrow(d) == nrow(text) && nrow(d) > 0 && identical(names(d), names(text)), paste("R,", paste0(table, ":"), "shape and names"))
	ok(length(wrong) == 0, paste("R,", paste0(table, ":"), "kinds of columns"), wrong)
	ok(length(differ) == 0, sprintf("R, %s: every cell is the text's, %d of them nan", table, nans), head(differ, 8))
}
d <- read.csv("intensity.csv")
ok(identical(unique(d$image), 'odd, "name".tif'), "R: a name with comma and quotes")
text <- scan("doubles.txt", quiet = TRUE)
ok(identical(d$Intensity_MeanIntensity[order(d$label)], text), "R: doubles come back to the last bit")
quit(status = as.integer(bad > 0))
