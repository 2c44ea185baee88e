"""Images for tests/concordance/run, in the current folder.  prepare: numbers for tifftext and files by tifffile; check: both ways."""
import csv
import struct
import sys
import warnings
import zlib

import numpy as np
import tifffile

try:
    import imagecodecs  # noqa: F401
    CODECS = True
except ImportError:
    CODECS = False
TYPES = {"u8": "u1", "u16": "u2", "u32": "u4", "i8": "i1", "i16": "i2", "i32": "i4", "f32": "f4", "f64": "f8"}
warnings.simplefilter("error")


def numbers(name, shape=(3, 6, 7)):
    """Every type's least and largest value and what lies between; floats with NaN, infinities, -0 and the least denormal."""
    t = np.dtype(TYPES[name])
    r = np.random.default_rng(sum(name.encode()))
    if t.kind == "f":
        a = (r.standard_normal(shape) * 10.0 ** r.integers(-30, 30, shape)).astype(t)
        tiny = np.nextafter(t.type(0), t.type(1))
        a[0, 0, :6] = [np.nan, np.inf, -np.inf, -0.0, tiny, np.finfo(t).max]
        return a
    info = np.iinfo(t)
    a = r.integers(info.min, info.max, shape, dtype=t, endpoint=True)
    a[0, 0, :2] = [info.min, info.max]
    return a


def theirs():
    """name: (array, arguments of imwrite)"""
    gray = {"photometric": "minisblack"}
    out = {"plain-" + n: (numbers(n), gray) for n in TYPES}
    f, u = numbers("f32", (5, 40, 48)), numbers("u16", (5, 40, 48))
    um = {"resolution": (1 / 0.325, 1 / 0.325), "metadata": {"axes": "ZYX", "spacing": 0.75, "unit": "um"}}
    out["imagej"] = (u, dict(imagej=True, **um))
    out["imagej-big-endian"] = (f, dict(imagej=True, byteorder=">", **um))
    out["imagej-cm"] = (u, {"imagej": True, "resolution": (1e4 / 0.325, 1e4 / 0.325), "resolutionunit": 3, "metadata": um["metadata"]})
    out["ome"] = (f, {"ome": True, **gray, "metadata": {"axes": "ZYX", "PhysicalSizeX": 0.325, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.325,
                      "PhysicalSizeYUnit": "µm", "PhysicalSizeZ": 0.75, "PhysicalSizeZUnit": "µm"}})
    out["ome-nm"] = (u, {"ome": True, **gray, "bigtiff": True, "metadata": {"axes": "ZYX", "PhysicalSizeX": 325, "PhysicalSizeXUnit": "nm",
                         "PhysicalSizeY": 325, "PhysicalSizeYUnit": "nm", "PhysicalSizeZ": 750, "PhysicalSizeZUnit": "nm"}})
    h = np.arange(2 * 3 * 4 * 40 * 48, dtype="u2").reshape(2, 3, 4, 40, 48)      # TCZYX
    out["hyper-ome"] = (h, {"ome": True, **gray, "metadata": {"axes": "TCZYX"}})
    out["hyper-imagej"] = (h.transpose(0, 2, 1, 3, 4), {"imagej": True, "metadata": {"axes": "TZCYX"}})
    forms = {"tiled": {"tile": (16, 32)}, "zlib": {"compression": "zlib"}, "deflate": {"compression": "deflate"}, "lzma": {"compression": "lzma"},
             "zlib-tiled": {"compression": "zlib", "tile": (16, 16)}, "big-endian": {"byteorder": ">"}, "bigtiff": {"bigtiff": True},
             "bigtiff-big-endian": {"bigtiff": True, "byteorder": ">", "tile": (32, 16)}, "rows": {"rowsperstrip": 7},
             "one-page": {"metadata": None}}
    if CODECS:
        forms.update(lzw={"compression": "lzw"}, packbits={"compression": "packbits"}, zstd={"compression": "zstd"})
    for name, options in forms.items():
        out[name + "-f32"] = (f[0] if name == "one-page" else f, {**gray, **options})
        out[name + "-u16"] = (u[0] if name == "one-page" else u, {**gray, **options})
    out["predictor2-u16"] = (u, {**gray, "compression": "zlib", "predictor": 2})
    out["predictor2-u16-tiled"] = (u, {**gray, "compression": "zlib", "predictor": 2, "tile": (16, 16)})
    out["predictor2-u8-big-endian"] = (numbers("u8", (5, 40, 48)), {**gray, "compression": "zlib", "predictor": 2, "byteorder": ">"})
    if CODECS:
        out["predictor3-f32"] = (f, {**gray, "compression": "zlib", "predictor": 3})
        out["lzw-predictor2-u16"] = (u, {**gray, "compression": "lzw", "predictor": 2})
    return out


def prepare():
    for n in TYPES:
        with open("text/%s.txt" % n, "w") as f:
            a = numbers(n)
            if n == "f32":
                a[0, 0, :3] = [1, 2, 3]  # kplanes fit and tvdenoise read it: no NaN here
                a = np.clip(a, -1e3, 1e3)
            np.save("text/%s.npy" % n, a)
            f.write("\n\n".join("\n".join(" ".join("%.17g" % v for v in row) for row in page) for page in a.astype("f8")) + "\n")
    for name, (a, options) in theirs().items():
        tifffile.imwrite("theirs/%s.tif" % name, a, **options)
    tifffile.imwrite("labels.tif", np.ones((40, 48), "u2"))
    import os
    os.mkdir("refused")
    tifffile.imwrite("refused/rgb.tif", np.zeros((40, 48, 3), "u1"), photometric="rgb")
    for name, t in (("complex", "c8"), ("half", "f2"), ("long", "u8"), ("bool", "?")):
        tifffile.imwrite("refused/%s.tif" % name, np.zeros((2, 8, 9), t), photometric="minisblack")
    # 270 x 2000 x 2000 u8, pixels a hole in the file but for two of them: its gradient has 4.3 GB
    shape = (270, 2000, 2000)
    data = tifffile.memmap("big.tif", shape=shape, dtype="u1", photometric="minisblack", bigtiff=True)
    data[135, 700, 900] = 3
    data[269, 1000, 1000] = 5
    data.flush()
    # doubles whose shortest and longest texts differ, one pixel a label
    r = np.random.default_rng(7)
    d = r.standard_normal(60) * 10.0 ** r.integers(-300, 300, 60)
    d[:6] = [0.1, 1 / 3, np.nextafter(0, 1), np.finfo("f8").max, -np.finfo("f8").tiny, np.nan]
    np.save("doubles.npy", d)
    for name, a in (("doubles", d), ("doubles_labels", np.arange(1, 61))):
        with open(name + ".txt", "w") as f:
            f.write("\n".join(" ".join("%.17g" % v for v in row) for row in a.reshape(6, 10)) + "\n")


bad = 0


def ok(true, sentence, *found):
    global bad
    bad += not true
    print("ok -" if true else "not ok -", sentence, *([] if true else found))


def same(a, b):
    return a.shape == b.shape and a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f") and \
        (a.dtype.kind != "f" or np.array_equal(np.signbit(a) & ~np.isnan(a), np.signbit(b) & ~np.isnan(b)))


def pixel_um(t):
    """As ImageJ's TiffDecoder and tifffile's readers take it: pixels per unit, the unit that of the tag, micrometres if the description says so."""
    page = t.pages[0]
    n, d = page.tags["XResolution"].value
    return {3: 1e4, 2: 25400}[int(page.tags["ResolutionUnit"].value)] * d / n


def unpredict(page):
    """Strips of a page that was deflated after the floating-point predictor (Adobe's technical note 3)."""
    rows = []
    with open(page.parent.filehandle.path, "rb") as f:
        for at, n in zip(page.dataoffsets, page.databytecounts):
            f.seek(at)
            raw = np.frombuffer(zlib.decompress(f.read(n)), "u1").reshape(-1, page.imagewidth * 4)
            raw = np.cumsum(raw, axis=1, dtype="u1").reshape(-1, 4, page.imagewidth)
            rows.append(np.ascontiguousarray(raw.transpose(0, 2, 1)).view(">f4")[..., 0])
    return np.concatenate(rows).astype("<f4")


def check_ours():
    for n in TYPES:
        with tifffile.TiffFile("ours/%s.tif" % n) as t:
            s = t.series[0]
            ok(s.axes == "ZYX" and len(t.series) == 1 and t.is_imagej and same(s.asarray(), np.load("text/%s.npy" % n)), "ours, %s: ZYX, the type, every value" % n,
               s, s.asarray())
    for n, kind in (("stack-u16", "u2"), ("stack-f32", "f4"), ("deflate", "f4"), ("zstd", "f4")):
        with tifffile.TiffFile("ours/%s.tif" % n) as t:
            m, s = t.imagej_metadata, t.series[0]
            ok(s.axes == "ZYX" and s.shape == (5, 32, 40) and s.dtype == kind and len(t.pages) == 5, "ours, %s: axes, shape, type" % n, s)
            ok(m["images"] == m["slices"] == 5 and m["spacing"] == 0.75 and m["unit"] == "um" and m["pixel_um"] == 0.325 and m["ImageJ"] == "1.54f" and
               abs(pixel_um(t) / 0.325 - 1) < 1e-7, "ours, %s: ImageJ's slices, spacing, unit and pixel" % n, m)
    whole = tifffile.imread("ours/stack-f32.tif")
    ok(whole.min() > 0 and same(whole.astype("u2"), tifffile.imread("ours/stack-u16.tif")), "counts of the f32 and the u16 stack are the same")
    ok(same(tifffile.imread("ours/deflate.tif"), whole), "ours, deflate: the same pixels")
    with tifffile.TiffFile("ours/predictor.tif") as t:
        ok(all(p.predictor == 3 for p in t.pages) and same(np.stack([unpredict(p) for p in t.pages]), whole), "ours, deflate with the floating-point predictor: the same pixels")
    if CODECS:
        for n in ("predictor", "zstd", "zstd-predictor"):
            ok(same(tifffile.imread("ours/%s.tif" % n), whole), "ours, %s: the same pixels" % n)
    with tifffile.TiffFile("ours/zstd.tif") as t:
        ok(t.pages[0].compression == 50000, "ours, zstd: its tag")
    both = tifffile.imread("ours/both.tif")
    ok(both.shape == (2, 32, 40) and np.isfinite(both).all() and both.std(axis=(1, 2)).min() > 0, "ours, phase and absorption: two pages")
    obj, polar, probe = (tifffile.imread(n) for n in ("rec_object.tif", "rec_phase.tif", "scan_truth_probe.tif"))
    z = obj[0] + 1j * obj[1]
    seen = np.isfinite(z) & np.isfinite(polar[0])
    ok(obj.dtype == "f4" and seen.any() and np.allclose(abs(z)[seen], polar[0][seen], rtol=1e-5, atol=1e-6) and
       np.allclose(abs(np.exp(1j * (np.angle(z) - polar[1]))[seen] - 1), 0, atol=1e-4), "ours, complex: pages real and imaginary are amplitude and phase")
    ok(abs(np.sum(probe.astype("f8") ** 2) / 1e6 - 1) < 1e-4, "ours, probe: its power is the photons asked for", np.sum(probe.astype("f8") ** 2))
    with tifffile.TiffFile("ours/model.tif") as t:
        shapes = [(s.shape, s.dtype) for s in t.series]
        ok(shapes == [((12, 7, 7), np.dtype("f4")), ((12, 14, 14), np.dtype("f4"))] and not t.is_imagej and "[kplanes]" in t.pages[0].description,
           "ours, K-Planes of two levels: a series for each", shapes)
    with tifffile.TiffFile("ours/big.tif") as t:
        s = t.series[0]
        ok(t.is_bigtiff and s.shape == (270, 2000, 2000) and s.dtype == "f4", "ours, 4.3 GB: BigTIFF, its shape", s)
        a, b, c = (t.pages[i].asarray() for i in (135, 136, 269))
        ok(a[700, 900] == 36 and a[699, 900] == -6 and a.sum() == 12 and b[700, 900] == -6 and abs(b).sum() == 6 and c[1000, 1000] == 50 and c.sum() == 10, "ours, 4.3 GB: pages 136, 137 and the last")


def check_theirs():
    for name, (a, options) in theirs().items():
        try:
            with tifffile.TiffFile("back/%s.tif" % name) as t:
                got, m, size = t.asarray(), t.imagej_metadata, options.get("metadata") or {}
        except OSError as e:
            ok(False, "theirs, " + name, e)
            continue
        with np.errstate(all="ignore"):
            want = a.astype("f4").reshape((-1,) + a.shape[-2:])
        want = np.where(np.isfinite(want), want, np.float32(np.nan))     # --nan skip makes holes of them
        got = got.reshape((-1,) + got.shape[-2:])
        ok(got.shape == want.shape and np.array_equal(got, want, equal_nan=True), "theirs, %s: shape and every value" % name, got.shape, want.shape)
        if "spacing" in size or "PhysicalSizeX" in size:
            ok(abs(m["pixel_um"] / 0.325 - 1) < 1e-5 and abs(m["spacing"] - 0.75) < 1e-12 and m["unit"] == "um", "theirs, %s: pixel and spacing" % name, m)
    for name, axes in (("hyper-ome", "TCZ"), ("hyper-imagej", "TZC")):
        a = theirs()[name][0]
        a = a if axes == "TCZ" else a.transpose(0, 2, 1, 3, 4)
        with open("back/%s.csv" % name) as f:
            rows = list(csv.DictReader(f))
        want = {(t * 4 + z, c): a[t, c, z].mean() for t in range(2) for c in range(3) for z in range(4)}
        got = {(int(r["page"]), int(r["channel"])): float(r["Intensity_MeanIntensity"]) for r in rows}
        ok(got == want, "theirs, %s: every page has its channel, slice and time" % name, got, want)


if sys.argv[1] == "prepare":
    prepare()
else:
    check_ours()
    check_theirs()
    print("imagecodecs:", "there" if CODECS else "not there")
    sys.exit(bad > 0)
