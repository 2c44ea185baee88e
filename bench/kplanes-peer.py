#!/usr/bin/env python3
"""kplanes and quantem on the same model, points and volume.  kplanes is taken from PATH.

  kplanes-peer.py same [POINTS]            largest differences of features, gradients and a rendered volume, each over the largest
                                           value; T 4, C 8, 200 x 200, 262144 points.  CSV: what,difference,bound; fails beyond a bound
  kplanes-peer.py fit VOLUME [ITERS,...]   PSNR of the whole volume over time, both from the same first model, steps and batch size.
                                           CSV: program,iterations,seconds,psnr_db.  Seconds of kplanes are whole processes, from the
                                           start to the model on disk, those of quantem its loop alone
"""
import csv
import math
import os
import subprocess
import sys
import tempfile
import time

import numpy as np
import tifffile
import torch
from quantem.core.ml.models.kplanes import KPlanesTILTED, interpolate_ms_features_tilted

torch.set_num_threads(2)


def kplanes(*words):
    subprocess.run(["kplanes", *map(str, words), "--threads", "2"], check=True)


class Model:
    """A model file as tensors."""

    def __init__(self, path):
        text = subprocess.run(["kplanes", "info", path], check=True, capture_output=True, text=True).stdout
        info = dict(list(csv.reader(text.splitlines()))[1:])
        self.t, self.c = int(info["rotations"]), int(info["channels"])
        self.offset, self.scale, self.bias = (float(info[k]) for k in ("offset", "scale", "bias"))
        h, w = map(int, info["size.0"].split())
        self.size = h
        self.planes = torch.from_numpy(tifffile.imread(path).reshape(3 * self.t, self.c, h, w).copy())
        self.rot = torch.tensor([[float(v) for v in info[f"rotation.{i}"].split()] for i in range(self.t)]).reshape(-1, 3, 3)
        self.quat = torch.tensor([[float(v) for v in info[f"quaternion.{i}"].split()] for i in range(self.t)])
        self.weight = torch.tensor([float(info.get(f"weight.{i}", 0)) for i in range(self.t * self.c)])


def grid(shape):
    """The voxels' points x, y, z; z is slowest."""
    z, y, x = torch.meshgrid(*(torch.linspace(-1, 1, n) if n > 1 else torch.zeros(1) for n in shape), indexing="ij")
    return torch.stack((x, y, z), -1).reshape(-1, 3)


def same(n):
    rng = np.random.default_rng(1)
    tifffile.imwrite("v.tif", rng.random((4, 8, 8), dtype=np.float32), photometric="minisblack")
    kplanes("fit", "--iters", 0, "--rotations", 4, "--channels", 8, "--resolution", 200, "-o", "m.tif", "v.tif")
    m = Model("m.tif")
    p = rng.random((n, 3), dtype=np.float32) * 2 - 1
    # rounding may put a point near a texel line on either side of it, where the slopes differ
    i = (np.einsum("tij,bj->bti", m.rot.numpy().astype(float), p.astype(float)) + 1) / 2 * (m.size - 1)
    p = p[(np.abs(i - np.rint(i)) > 1e-4).all(axis=(1, 2))]
    up = rng.standard_normal((len(p), 32), dtype=np.float32)
    tifffile.imwrite("p.tif", p)
    tifffile.imwrite("u.tif", up)
    kplanes("eval", "m.tif", "--points", "p.tif", "-o", "f.tif")
    kplanes("grad", "m.tif", "--points", "p.tif", "--upstream", "u.tif", "--grad-planes", "a.tif", "--grad-points", "b.tif",
            "--grad-rotations", "c.csv")
    kplanes("render", "m.tif", "--shape", "48,64,80", "-o", "r.tif")
    a, b, c = (torch.nn.Parameter(x) for x in (m.planes.clone(), torch.from_numpy(p.copy()), m.rot.clone()))
    f = interpolate_ms_features_tilted(b, torch.nn.ParameterList([a]), c)
    f.backward(torch.from_numpy(up))
    with torch.no_grad():
        r = m.offset + m.scale * (interpolate_ms_features_tilted(grid((48, 64, 80)), [m.planes], m.rot) @ m.weight + m.bias)
    with open("c.csv") as text:
        rows = [[float(v) for v in row[1:]] for row in list(csv.reader(text))[1:]]
    value, slope = 2e-6 + 1e-7 * 200, 4e-6 + 1e-7 * 200  # the bounds of either program, of both together twice as much
    print("what,difference,bound")
    bad = False
    for what, x, y, bound in (("features", tifffile.imread("f.tif"), f.detach().numpy(), value),
                              ("volume", tifffile.imread("r.tif"), r.reshape(48, 64, 80).numpy(), value),
                              ("by planes", tifffile.imread("a.tif").reshape(a.shape), a.grad.numpy(), slope),
                              ("by points", tifffile.imread("b.tif"), b.grad.numpy(), slope),
                              ("by rotations", np.array(rows), c.grad.reshape(-1, 9).numpy(), slope)):
        d = np.abs(x - y) / np.abs(y).max()
        print(f"{what},{d.max():.2g},{2 * bound:.2g}")
        bad |= not d.max() <= 2 * bound
    return bad


def psnr(v, r):
    return 20 * math.log10(v.max() - v.min()) - 10 * math.log10(np.mean((v - r).astype(np.float64) ** 2))


def fit(path, steps):
    v = tifffile.imread(path).astype(np.float32)
    options = ["--rotations", 4, "--channels", 8, "--batch", 8192, "--lr", "0.05,0.02,0.005", "--lr-final", 1]
    print("program,iterations,seconds,psnr_db")
    kplanes("fit", *options, "--iters", 1, "-o", "m.tif", path)  # kernels are built
    for n in steps:
        start = time.perf_counter()
        kplanes("fit", *options, "--iters", n, "-o", "m.tif", path)
        seconds = time.perf_counter() - start
        kplanes("render", "m.tif", "-o", "r.tif")
        print(f"kplanes,{n},{seconds:.2f},{psnr(v, tifffile.imread('r.tif')):.2f}", flush=True)
    kplanes("fit", *options, "--iters", 0, "-o", "m.tif", path)
    m = Model("m.tif")
    q = KPlanesTILTED(M_features=m.c, resolution=(m.size,) * 3, T=m.t, so3_param_type="quat", density_activation=lambda x: x)
    with torch.no_grad():
        q.grids[0].copy_(m.planes)
        q.so3.quats.copy_(m.quat)
        q.sigma_net.weight.copy_(m.weight[None])
        q.sigma_net.bias.fill_(m.bias)
    groups = q.get_params()
    lr = {"grids": 0.05, "sigma_net": 0.02}
    opt = torch.optim.Adam([{"params": p, "lr": lr.get(k, 0.005)} for k, p in groups.items()])
    points, y = grid(v.shape), torch.from_numpy((v.reshape(-1) - m.offset) / m.scale)
    torch.manual_seed(0)
    seconds, done = 0.0, 0
    for n in steps:
        start = time.perf_counter()
        while done < n:
            i = torch.randint(len(y), (8192,))
            opt.zero_grad()
            ((q(points[i])[:, 0] - y[i]) ** 2).mean().backward()
            opt.step()
            done += 1
        seconds += time.perf_counter() - start
        with torch.no_grad():
            r = torch.cat([q(x) for x in points.split(1 << 16)]).reshape(v.shape).numpy() * m.scale + m.offset
        print(f"quantem,{n},{seconds:.2f},{psnr(v, r):.2f}", flush=True)
    return False


if len(sys.argv) < 2 or sys.argv[1] not in ("same", "fit") or (sys.argv[1] == "fit" and len(sys.argv) < 3):
    sys.exit(__doc__)
if sys.argv[1] == "fit":
    volume = os.path.abspath(sys.argv[2])
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    if sys.argv[1] == "same":
        failed = same(int(sys.argv[2]) if len(sys.argv) > 2 else 8192 * 32)
    else:
        failed = fit(volume, [int(n) for n in (sys.argv[3] if len(sys.argv) > 3 else "30,100,300,1000").split(",")])
    os.chdir("/")
sys.exit(1 if failed else 0)
