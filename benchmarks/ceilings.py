"""What the machine can do at most, what a photo costs, and how near the k-means passes come."""

from __future__ import annotations

from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from c2l.clustering.kmeans import MiniBatchKMeans, assign
from c2l.model.build import build_network
from c2l.options import FitOptions, without_modules_if_picie
from c2l.runtime.threads import prepare_cpu

from .compare import Row, seconds
from .kmeans import COUNT
from .samples import points

SIDE = 4096
BYTES = 1 << 30
# A view of a photo in pixels, and its map's place in the attention.
SIZE, STRIDE = 128, 2


def measure(store: Path, rounds: int, clusters: tuple[int, ...] = (3, 27, 256)) -> list[Row]:
    """The ceilings, then shares of them, then the cost of a photo."""
    prepare_cpu()
    square = torch.rand(SIDE, SIDE)
    big = torch.zeros(BYTES // 4)
    took = seconds({"products": lambda: square @ square, "reading": big.sum}, 3 * rounds)
    flops, bandwidth = 2 * SIDE**3 / took["products"], BYTES / took["reading"]
    del big
    rows = [
        Row(f"fp32 products, {SIDE} x {SIDE}", "1 GFLOP/s", flops / 1e9, 0, True, ""),
        Row("reading memory", "1 GB/s", bandwidth / 1e9, 0, True, ""),
    ]
    x = torch.from_numpy(points(store, COUNT))
    for k in clusters:
        centroids = x[:: len(x) // k][:k].clone()
        passes = seconds(
            {
                "assign": lambda c=centroids: assign(x, c),
                "update": lambda c=centroids: MiniBatchKMeans.start(c).update(x),
            },
            3 * rounds,
        )
        least = max(2 * x.numel() * k / flops, 4 * x.numel() / bandwidth)
        rows += [
            Row(
                f"k-means, K = {k}: {name} pass",
                "ceiling that binds",
                least / found,
                0,
                True,
                f"{found:.3f} s, at least {least:.3f} s",
            )
            for name, found in passes.items()
        ]
    return rows + _costs()


def _costs() -> list[Row]:
    """GFLOPs of a view of a photo, as torch counts them."""
    rows = []
    for method in ("picie", "c2l"):
        options = without_modules_if_picie(
            FitOptions(
                method=method, weights="none", image_size=SIZE, clusters=16, attention_stride=STRIDE
            )
        )
        net, _ = build_network(options, options, options.clusters, seed=0)
        counter = FlopCounterMode(display=False)
        with counter:
            y, code = net.embed(net.features(torch.rand(1, 3, SIZE, SIZE)))
        forward = counter.get_total_flops()
        with counter:
            (y.square().mean() + code).backward()  # type: ignore[no-untyped-call]
        backward = counter.get_total_flops()
        name = f"{method}, a view of {SIZE} px"
        rows.append(Row(f"{name}, forward", "1 GFLOP", forward / 1e9, 0, True, ""))
        rows.append(Row(f"{name}, backward", "1 GFLOP", backward / 1e9, 0, True, ""))
    return rows
