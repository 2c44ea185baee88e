"""usage: tables.py COLUMNS.  The tables in the current folder, by pandas: kinds of columns, and every number as it stands in the text."""
import csv
import math
import sys

import numpy as np
import pandas as pd

kinds = {}
for line in open(sys.argv[1]):
    if not line.startswith("#"):
        table, columns, kind = line.split()
        for c in columns.split(","):
            kinds.setdefault(table, {})[c] = kind
bad = 0


def ok(true, sentence, *found):
    global bad
    bad += not true
    print("ok -" if true else "not ok -", sentence, *([] if true else found))


for table, columns in kinds.items():
    d = pd.read_csv(table, float_precision="round_trip")
    with open(table, newline="") as f:
        text = list(csv.reader(f))
    names, rows = text[0], text[1:]
    ok(list(d.columns) == names and len(d) == len(rows) and len(set(map(len, text))) == 1 and isinstance(d.index, pd.RangeIndex), "pandas, %s: shape and names" % table, d.shape)
    wrong, differ, written, nans = [], [], [], 0
    for i, c in enumerate(names):
        kind = columns.get(c, columns.get("*"))
        cells = [r[i] for r in rows]
        if kind == "string":
            got = d[c].fillna("").tolist() if d[c].notna().any() else [""] * len(cells)
            if got != cells:
                differ.append(c)
            continue
        if kind is None or not (pd.api.types.is_integer_dtype(d[c]) if kind == "int" else pd.api.types.is_numeric_dtype(d[c])):
            wrong.append((c, d[c].dtype, kind))
            continue
        for v, s in zip(d[c], cells):
            x = float(s)
            nans += math.isnan(x)
            if not (math.isnan(v) and s == "nan") and v != x:
                differ.append((c, v, s))
            if s != "nan" and s not in ("%.17g" % x, "%.9g" % x, "%d" % x if math.isfinite(x) else s):
                written.append((c, s))
    ok(not wrong, "pandas, %s: kinds of columns" % table, wrong)
    ok(not differ, "pandas, %s: every cell is the text's, %d of them nan" % (table, nans), differ[:5])
    ok(not written, "pandas, %s: numbers have 17 or 9 digits" % table, written[:5])
want = np.load("doubles.npy")
got = pd.read_csv("intensity.csv", float_precision="round_trip")
ok(got["image"].unique().tolist() == ['odd, "name".tif'], "pandas: a name with comma and quotes", got["image"].unique())
got = got.set_index("label")["Intensity_MeanIntensity"].reindex(range(1, 61)).to_numpy()
ok(np.array_equal(got, want, equal_nan=True), "pandas: doubles come back to the last bit", [(a, b) for a, b in zip(got, want) if a != b][:5])
sys.exit(bad > 0)
