"""What a GPU does with each stage, beside its ceilings; each section stands for itself."""

from __future__ import annotations

import shutil
import statistics
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from c2l.clustering.kmeans import MiniBatchKMeans, assign
from c2l.model.build import build_network
from c2l.model.loading import load_predictor
from c2l.options import ExtractOptions, FitOptions, TeachOptions
from c2l.runtime.device import precision, send, to_batch
from c2l.runtime.signals import StopRequest
from c2l.stages.extract import extract
from c2l.training.loop import Trainer
from c2l.training.teacher import Teacher, TeachingState, mirrored, taught_labels

from . import training
from .compare import Row

KINDS = {
    "cuDNN": SDPBackend.CUDNN_ATTENTION,
    "flash": SDPBackend.FLASH_ATTENTION,
    "memory-efficient": SDPBackend.EFFICIENT_ATTENTION,
}


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        device: where.
        side, batch, steps: of a training pass; it takes ``batch * steps`` photos.
        square: side of the square products.
        copied: bytes that are copied.
        points: of k-means, 128 channels.
        clusters: K of k-means.
        taught: side and batch of a step of ``teach``.
        parsed: photos.
        rounds: medians are of so many.
    """

    device: torch.device
    side: int = 320
    batch: int = 96
    steps: int = 6
    square: int = 8192
    copied: int = 4 << 30
    points: int = 38_400_000
    clusters: tuple[int, ...] = (27, 256)
    taught: tuple[tuple[int, int], ...] = ((160, 64), (320, 64))
    parsed: int = 256
    rounds: int = 3


def tiny(device: torch.device) -> Sizes:
    """Every section in seconds on a CPU: a rehearsal, whose numbers mean nothing."""
    return Sizes(device, 64, 4, 2, 256, 1 << 22, 4000, (27,), ((64, 4),), 4, 1)


def sections(
    photos: list[Path], weights: Path | None, work: Path, sizes: Sizes
) -> Iterator[list[Row]]:
    """The rows of each section as it ends; one that fails gives a row that says so."""
    made: dict[str, Callable[[], list[Row]]] = {
        "ceilings": lambda: _ceilings(sizes),
        "step": lambda: _steps(photos, weights, work, sizes),
        "profile": lambda: _profile(photos, weights, work, sizes),
        "attention": lambda: _attention(sizes),
        "k-means": lambda: _kmeans(sizes),
        "teach": lambda: teaching(work, sizes),
        "extract": lambda: _extract(photos, weights, work, sizes),
        "parse": lambda: _parse(sizes),
        "searched convolutions": lambda: _searched(photos, weights, work, sizes),
    }
    for name, measure in made.items():
        try:
            yield measure()
        except Exception as error:  # the others are worth having
            traceback.print_exc()
            yield [Row(name, "FAILED", 0.0, 0, True, f"{type(error).__name__}: {error}"[:200])]
        if sizes.device.type == "cuda":
            torch.cuda.empty_cache()


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _seconds(run: Callable[[], object], sizes: Sizes, *, times: int = 1) -> float:
    """Median seconds of one call among rounds of so many; each runs once before, untimed."""
    run()
    _wait(sizes.device)
    took = []
    for _ in range(sizes.rounds):
        started = time.perf_counter()
        for _ in range(times):
            run()
        _wait(sizes.device)
        took.append((time.perf_counter() - started) / times)
    return statistics.median(took)


def _told(name: str, unit: str, value: float, note: str = "") -> Row:
    return Row(name, unit, value, 0, True, note)


def _ceilings(sizes: Sizes) -> list[Row]:
    side, device = sizes.square, sizes.device
    rows = []
    for dtype in (torch.bfloat16, torch.float32):
        square = torch.randn(side, side, device=device).to(dtype)
        took = _seconds(partial(torch.mm, square, square), sizes, times=5)
        name = f"{str(dtype).removeprefix('torch.')} products, {side} x {side}"
        rows.append(_told(name, "1 TFLOP/s", 2 * side**3 / took / 1e12))
    source = torch.ones(sizes.copied // 4, device=device)
    target = torch.empty_like(source)
    took = _seconds(lambda: target.copy_(source), sizes, times=5)
    rows.append(_told("copy, read and written", "1 GB/s", 2 * sizes.copied / took / 1e9))
    host = torch.empty(sizes.copied // 64, dtype=torch.uint8)
    if device.type == "cuda":
        host = host.pin_memory()
        took = _seconds(lambda: send(host, device), sizes, times=3)
        rows.append(_told("pinned memory to the GPU", "1 GB/s", len(host) / took / 1e9))
    return rows


def _options(sizes: Sizes, weights: Path | None, **changed: object) -> FitOptions:
    """The paper's sizes with both modules."""
    options = FitOptions(
        weights=str(weights) if weights else "none",
        warmup=0,
        clusters=3,
        image_size=sizes.side,
        batch_size=sizes.batch,
        attention_stride=1,
        class_weights="frequency",
    )
    return replace(options, **changed)  # type: ignore[arg-type]


def _bare(trainer: Trainer, sizes: Sizes) -> Callable[[], None]:
    """Forward and backward passes of the network alone, from views that lie on the device."""
    net, options, device = trainer.state.net, trainer.options, sizes.device
    size = (sizes.batch, 3, sizes.side, sizes.side)
    views = [torch.rand(size, device=device) for _ in (0, 1)]

    def step() -> None:
        net.train()
        with precision(device, options.amp):
            found = [net.embed(net.features(x)) for x in views]
        loss = torch.stack([y.square().mean() + code for y, code in found]).sum()
        net.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]

    return step


def _pass(trainer: Trainer, targets: Path) -> Callable[[], None]:
    def run() -> None:
        trainer.state.position.batch = 0
        trainer.train_epoch(0, targets)

    return run


def _steps(photos: list[Path], weights: Path | None, work: Path, sizes: Sizes) -> list[Row]:
    """Training passes as ``fit`` runs them, and what of them is the bare network."""
    rows, few = [], photos[: sizes.batch * sizes.steps]
    variants: dict[str, dict[str, object]] = {
        "c2l, K = 3": {},
        "c2l, K = 16": {"clusters": 16},
        "picie, K = 3": {"method": "picie", "part": "off", "pixel": "off"},
        "c2l, K = 3, fixed order": {"fixed_order": True},
    }
    bare = 0.0
    for name, changed in variants.items():
        options = _options(sizes, weights, **changed)
        with training.trainer_of(few, options, work / "step", sizes.device) as trainer:
            targets = work / "targets.h5"
            started = time.perf_counter()
            trainer.cluster_epoch(0, targets)
            _wait(sizes.device)
            clustered = time.perf_counter() - started
            if sizes.device.type == "cuda":
                torch.cuda.reset_peak_memory_stats()
            took = _seconds(_pass(trainer, targets), sizes) / (len(few) / sizes.batch)
            note = f"{1000 * took:.1f} ms per step, {sizes.batch} photos of {sizes.side}"
            goal = 1200 if name == "c2l, K = 3" else 0
            rows.append(Row(name, "1 pair/s", sizes.batch / took, goal, True, note))
            if not bare:
                bare = _seconds(_bare(trainer, sizes), sizes, times=3)
                note = f"bare forward and backward: {1000 * bare:.1f} ms"
                rows.append(Row("a step", "the bare network's", bare / took, 0.9, True, note))
                rows.append(_memory())
                note = f"{clustered:.2f} s for {len(few)} photos, the first kernels included"
                rows.append(_told("clustering pass", "1 photo/s", len(few) / clustered, note))
    return rows


def _memory() -> Row:
    peak = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
    return Row("memory of a step", "1 GB", peak / 1e9, 16, False, "peak of torch's own")


def _profile(photos: list[Path], weights: Path | None, work: Path, sizes: Sizes) -> list[Row]:
    """The largest kernels of a step, and the share of the time in which none ran."""
    from torch.profiler import ProfilerActivity, profile

    options = _options(sizes, weights)
    on_gpu = sizes.device.type == "cuda"
    kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    few = photos[: sizes.batch * sizes.steps]
    with training.trainer_of(few, options, work / "profile", sizes.device) as trainer:
        targets = work / "targets.h5"
        trainer.cluster_epoch(0, targets)
        run = _pass(trainer, targets)
        run()
        _wait(sizes.device)
        with profile(activities=kinds) as found:
            started = time.perf_counter()
            run()
            _wait(sizes.device)
            took = time.perf_counter() - started
    table = found.key_averages()

    def own(event: object) -> float:
        name = "self_device_time_total" if on_gpu else "self_cpu_time_total"
        return float(getattr(event, name, 0.0))

    # On a GPU the operators carry their kernels' time too: only kernels are counted.
    events = [e for e in table if not on_gpu or "CUDA" in str(e.device_type)]
    events = sorted(events, key=own, reverse=True)
    busy = sum(map(own, events)) / 1e6
    steps = len(few) / sizes.batch
    rows = [_told("idle share of a step", "the whole", max(0.0, 1 - busy / took), "profiled")]
    for event in events[:10]:
        note = f"{own(event) / 1000 / steps:.2f} ms per step, {event.count / steps:.0f} calls"
        rows.append(_told(f"  {event.key[:60]}", "busy time", own(event) / 1e6 / busy, note))
    return rows


def _attention(sizes: Sizes) -> list[Row]:
    """Forward and backward passes of each kernel that torch has for attention."""
    tokens, heads, width = (-(-sizes.side // 4)) ** 2, 2, 64
    shape = (sizes.batch, heads, tokens, width)
    rows = []
    flops = 3.5 * 4 * sizes.batch * heads * tokens**2 * width
    for name, kind in KINDS.items():
        if sizes.device.type == "cpu" and name != "flash":
            continue
        query, key, value = (
            torch.randn(shape, device=sizes.device, dtype=torch.bfloat16, requires_grad=True)
            for _ in range(3)
        )

        def both(
            query: Tensor = query, key: Tensor = key, value: Tensor = value, kind: SDPBackend = kind
        ) -> None:
            with sdpa_kernel(kind):
                mixed = F.scaled_dot_product_attention(query, key, value)
            torch.autograd.grad(mixed.sum(), (query, key, value))

        try:
            took = _seconds(both, sizes, times=3)
        except RuntimeError as error:
            rows.append(_told(f"attention, {name}", "not here", 0, str(error).split("\n")[0][:90]))
            continue
        rows.append(
            _told(f"attention, {name}", "1 TFLOP/s", flops / took / 1e12, f"{1000 * took:.2f} ms")
        )
    return rows


def _kmeans(sizes: Sizes) -> list[Row]:
    """Passes over float16 points as the clustering of an epoch takes them."""
    points = torch.empty(sizes.points, 128, dtype=torch.float16, device=sizes.device)
    for part in points.split(1 << 20):
        part.copy_(F.normalize(torch.randn(part.shape, device=sizes.device), dim=1))
    rows = []
    for k in sizes.clusters:
        centroids = points[:k].float()
        passes = {
            "update": lambda c=centroids: MiniBatchKMeans.start(c).update(points),
            "assign": lambda c=centroids: assign(points, c),
        }
        for name, run in passes.items():
            took = _seconds(run, sizes)
            goal = 15 if (k, name) == (27, "update") else 0
            note = f"{points.nbytes / took / 1e9:.0f} GB/s of points"
            what = f"k-means, {sizes.points / 1e6:.1f}M x 128, K = {k}: {name}"
            rows.append(Row(what, "1 ms", 1000 * took, goal, False, note))
        first, second = (MiniBatchKMeans.start(centroids) for _ in range(2))
        first.update(points)
        second.update(points)
        same = float(torch.equal(first.centroids, second.centroids))
        rows.append(Row(f"k-means, K = {k}: equal bits again", "yes", same, 1, True, ""))
    return rows


def teaching(work: Path, sizes: Sizes) -> list[Row]:
    """Steps of ``teach`` on drawings that are there already, and drawings per second and core."""
    rows = []
    for side, batch in sizes.taught:
        options = TeachOptions(
            image_size=side, draw_size=min(side, 192), batch_size=batch, class_weights="root"
        )
        net, _ = build_network(options, None, 0, seed=0)
        run = training.run_of(work / "teach", options)
        state = TeachingState(run, net.to(sizes.device), options)
        draw = np.random.default_rng(0)
        shape = (batch, options.draw_size, options.draw_size)
        pictures = draw.integers(0, 256, (*shape, 3), dtype=np.uint8)
        labels = draw.integers(0, 18, shape, dtype=np.uint8)
        with StopRequest() as stop:
            # No pool: every step takes the same drawings.
            teacher = Teacher(state, _Same(pictures, labels), sizes.device, stop)  # type: ignore[arg-type]
            merge = taught_labels(options)
            teacher.table = torch.tensor(merge.table, device=sizes.device)
            teacher.mirror = torch.tensor(mirrored(merge.classes), device=sizes.device)

            def step(teacher: Teacher = teacher, state: TeachingState = state) -> None:
                loss = teacher.loss(0, *teacher.load(np.array([0])))
                state.descend(loss, "", "")
                state.follow()

            took = _seconds(step, sizes, times=10 if sizes.device.type == "cuda" else 1)
        note = f"{1000 * took:.1f} ms per step of {batch}"
        rows.append(_told(f"teach, {side} px", "1 drawing/s", batch / took, note))
        shutil.rmtree(work / "teach")
    return rows


@dataclass(frozen=True)
class _Same:
    pictures: np.ndarray
    labels: np.ndarray

    def batch(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        return self.pictures, self.labels


def _extract(photos: list[Path], weights: Path | None, work: Path, sizes: Sizes) -> list[Row]:
    """The stage from JPEGs, and from pixels that are decoded already, beside the bare forward."""
    device, batch = sizes.device, sizes.batch
    options = ExtractOptions(
        weights=str(weights) if weights else "none",
        image_size=sizes.side,
        batch_size=batch,
        device=str(device),
    )
    net, _ = build_network(options, None, 0, seed=0)
    net.to(device).eval()
    pixels = np.random.default_rng(0).integers(0, 256, (batch, sizes.side, sizes.side, 3), np.uint8)
    x = to_batch(pixels, device).float() / 255

    @torch.inference_mode()
    def bare() -> None:
        with precision(device, options.amp):
            net(x)

    @torch.inference_mode()
    def decoded() -> None:
        with precision(device, options.amp):
            found = net(to_batch(pixels, device).float() / 255)
        found.permute(0, 2, 3, 1).to(torch.float16).cpu()

    few = work / "few"
    few.mkdir(exist_ok=True)
    for path in photos:
        shutil.copyfile(path, few / path.name)

    def stage() -> None:
        extract(few, work / "f.h5", options, overwrite=True)

    forward = _seconds(bare, sizes, times=3) / batch
    rows = [_told(f"bare forward, {sizes.side} px", "1 photo/s", 1 / forward)]
    for name, took in (
        ("from pixels", _seconds(decoded, sizes, times=3) / batch),
        ("from JPEGs", _seconds(stage, replace(sizes, rounds=1)) / len(photos)),
    ):
        note = f"{1 / took:.0f} photos/s"
        rows.append(Row(f"extract {name}", "bare forward", forward / took, 0.85, True, note))
    return rows


def _parse(sizes: Sizes) -> list[Row]:
    """The predictor that ships, from decoded photos to labels at their own size."""
    predictor = load_predictor(Path("drawn"), sizes.device, None)
    side, batch = predictor.encoder.image_size, min(32, sizes.parsed)
    pixels = np.random.default_rng(0).integers(0, 256, (batch, side, side, 3), np.uint8)
    took = _seconds(lambda: predictor.predict(pixels, [(600, 400)] * batch), sizes, times=2)
    return [_told(f"labels by the network that ships, {side} px", "1 photo/s", batch / took)]


def _searched(photos: list[Path], weights: Path | None, work: Path, sizes: Sizes) -> list[Row]:
    """The step again with cuDNN's search for the fastest convolutions."""
    few = photos[: sizes.batch * sizes.steps]
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        options = _options(sizes, weights)
        with training.trainer_of(few, options, work / "searched", sizes.device) as trainer:
            started = time.perf_counter()
            trainer.cluster_epoch(0, work / "targets.h5")
            _pass(trainer, work / "targets.h5")()
            _wait(sizes.device)
            first = time.perf_counter() - started
            took = _seconds(_pass(trainer, work / "targets.h5"), sizes) / (len(few) / sizes.batch)
    finally:
        torch.backends.cudnn.benchmark = before
    note = f"{1000 * took:.1f} ms per step; the first epoch {first:.1f} s"
    return [_told("c2l, K = 3, cudnn.benchmark", "1 pair/s", sizes.batch / took, note)]
