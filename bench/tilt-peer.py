#!/usr/bin/env python3
"""One case of a peer, kept ready: usage: tilt-peer.py TILT.PY PEER CASE FOLDER

TILT.PY is the script that holds the peers (waveorder, port).  Its stacks are replaced by the files of bench/tilt in FOLDER, so that
all programs see the same numbers.  Prints the peer's version when it is warm, then for each line on stdin: seconds, the case's check
figure, peak memory in MB.
"""
import importlib.metadata as md
import importlib.util
import os
import resource
import sys
import time

script, peer, case, folder = sys.argv[1:]
for v in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(v, "2")
spec = importlib.util.spec_from_file_location("tilt", script)
tilt = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tilt)
import tifffile  # noqa: E402  after the numbers of threads


def stack(shape, seed):
    name = {"tiles16": f"tile{seed:02d}", "nadam1": "tile00", "nadam16": "thin1k_z21"}.get(case, case)
    y, x = (256 * (seed // 4), 256 * (seed % 4)) if case == "nadam16" else (0, 0)  # its 16 tiles are one field
    return tifffile.imread(os.path.join(folder, name + ".tif"))[:shape[0], y:y + shape[1], x:x + shape[2]].copy()


tilt.stack = stack
runner = tilt.waveorder_runner if peer == "waveorder" else tilt.port_runner
whole = tilt.SHAPE[case]
tilt.SHAPE[case] = (5, 64, 64)  # warm: libraries loaded, threads started
if peer == "waveorder":
    version = "waveorder " + md.version("waveorder") + " torch " + md.version("torch")
else:
    version = "scipy " + md.version("scipy")
run = runner(case, 2)
if run is None:
    print("none", flush=True)
    sys.exit(0)
run()
tilt.SHAPE[case] = whole
run = runner(case, 2)
print(version, flush=True)
for _ in sys.stdin:
    start = time.perf_counter()
    check = run()
    seconds = time.perf_counter() - start
    print(f"{seconds:.4f} {check:.8g} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}", flush=True)
