"""fit and extract beside the bare network, and an epoch beside PiCIE's program order."""

from __future__ import annotations

import multiprocessing
import shutil
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from c2l.artifacts.runs import Run
from c2l.data.cache import PixelCache, build_cache
from c2l.data.decoding import Skips
from c2l.data.records import Record
from c2l.model.build import build_network
from c2l.options import ExtractOptions, FitOptions, Options, recorded, without_modules_if_picie
from c2l.runtime.device import fixed_order, precision, to_batch
from c2l.runtime.pool import worker_count
from c2l.runtime.signals import StopRequest
from c2l.runtime.threads import prepare_cpu
from c2l.stages.extract import extract
from c2l.training.loop import Trainer
from c2l.training.state import TrainingState
from c2l.training.view_sources import PhotoViews

from .compare import Row, seconds
from .plain_picie import PlainEpoch

SIZE, CLUSTERS = 128, 16
# A training pass of twelve steps, as 1,104 photos in batches of 96 take.
STEPS, STEP_BATCH = 12, 16
EPOCH_PHOTOS, BATCH = 128, 32
# Sizes that are extracted, and photos: enough that the third of a second of a start is little.
EXTRACTED = ((128, 1024), (320, 384))
CPU = torch.device("cpu")


def _options(method: str, weights: Path | None, batch: int) -> FitOptions:
    return without_modules_if_picie(
        FitOptions(
            method=method,
            weights=str(weights) if weights else "none",
            warmup=0,
            clusters=CLUSTERS,
            image_size=SIZE,
            batch_size=batch,
            attention_stride=2,
        )
    )


def _cache(photos: list[Path], folder: Path, size: int) -> PixelCache:
    records = [Record(path.name, path, None) for path in photos]
    return build_cache(records, folder, size, worker_count(), Skips("fail", quiet=True))


def run_of(work: Path, options: Options) -> Run:
    """An empty run folder."""
    return Run.create(work / "run", {"options": recorded(options)}, overwrite=True)


@contextmanager
def trainer_of(
    photos: list[Path], options: FitOptions, work: Path, device: torch.device = CPU
) -> Iterator[Trainer]:
    """A run of the photos as ``fit`` prepares it, the decoding included."""
    shutil.rmtree(work, ignore_errors=True)
    net, _ = build_network(options, options, options.clusters, seed=0)
    run, cache = run_of(work, options), _cache(photos, work, int(options.image_size))
    views = PhotoViews(cache, 0, device, options.amp)
    with StopRequest() as stop, fixed_order(options.fixed_order):
        yield Trainer(TrainingState(run, net.to(device), options), views, device, stop)
    cache.close()


def _fit(photos: list[Path], method: str, weights: Path | None, work: Path, rounds: int) -> Row:
    """The training pass: pixels from the cache, views, losses, steps and the log."""
    options = _options(method, weights, STEP_BATCH)
    with trainer_of(photos, options, work) as trainer:
        targets = work / "targets.h5"
        trainer.cluster_epoch(0, targets)

        def ours() -> None:
            trainer.state.position.batch = 0
            trainer.train_epoch(0, targets)

        views = [torch.rand(STEP_BATCH, 3, SIZE, SIZE) for _ in (0, 1)]
        net = trainer.state.net

        def bare() -> None:
            net.train()
            for _ in range(STEPS):
                with precision(CPU, options.amp):
                    found = [net.embed(net.features(x)) for x in views]
                loss = sum(y.square().mean() + code for y, code in found)
                net.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[union-attr]

        took = seconds({"ours": ours, "bare": bare}, rounds, warm=True)
    count = len(photos)
    note = f"{count / took['ours']:.1f} against {count / took['bare']:.1f} photos/s, both views"
    against = "bare forward and backward"
    name = f"fit {method}, {SIZE} px, {STEPS} steps of {STEP_BATCH}"
    return Row(name, against, took["bare"] / took["ours"], 0.9, True, note)


def _our_epoch(photos: list[Path], weights: Path | None, work: Path) -> float:
    """Seconds of a first epoch of method picie, decoding included."""
    prepare_cpu()
    started = time.perf_counter()
    with trainer_of(photos, _options("picie", weights, BATCH), work) as trainer:
        trainer.cluster_epoch(0, work / "targets.h5")
        trainer.train_epoch(0, work / "targets.h5")
    return time.perf_counter() - started


def _plain_epoch(photos: list[Path], weights: Path | None, work: Path) -> float:
    """The same in PiCIE's order, with the allocator that a plain program has."""
    torch.set_num_threads(worker_count())
    net, _ = build_network(_options("picie", weights, BATCH), None, 0, seed=0)
    net = net.to(memory_format=torch.contiguous_format)
    work.mkdir(parents=True, exist_ok=True)
    plain = PlainEpoch(photos, net, size=SIZE, batch=BATCH, clusters=CLUSTERS, work=work)
    started = time.perf_counter()
    plain.run()
    return time.perf_counter() - started


def _epoch(photos: list[Path], weights: Path | None, work: Path, rounds: int) -> Row:
    """Each epoch in a process of its own, in turns: neither starts warmer than the other."""
    times: dict[str, list[float]] = {"ours": [], "plain": []}
    for _ in range(rounds):
        for name, epoch in (("ours", _our_epoch), ("plain", _plain_epoch)):
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
                times[name].append(pool.submit(epoch, photos, weights, work / name).result())
    took = {name: statistics.median(found) for name, found in times.items()}
    note = f"{took['ours']:.1f} s against {took['plain']:.1f} s for {len(photos)} photos"
    against = "PiCIE's order, plainly"
    return Row(f"epoch picie, {SIZE} px", against, took["plain"] / took["ours"], 3, True, note)


def _extract(photos: list[Path], size: int, weights: Path | None, work: Path, rounds: int) -> Row:
    """Photos to a store of stride 4, decoding and writing included."""
    few = work / "few"
    few.mkdir(parents=True)
    for path in photos:
        shutil.copyfile(path, few / path.name)
    options = ExtractOptions(
        weights=str(weights) if weights else "none", image_size=size, batch_size=BATCH
    )
    net, _ = build_network(options, None, 0, seed=0)
    net.eval()
    with torch.no_grad():
        pixels = np.zeros((BATCH, size, size, 3), np.uint8)
        x = to_batch(pixels, CPU).float() / 255

    @torch.inference_mode()
    def bare() -> None:
        for _ in range(len(photos) // BATCH):
            with precision(CPU, options.amp):
                net(x)

    def ours() -> None:
        extract(few, work / "f.h5", options, overwrite=True)

    took = seconds({"ours": ours, "bare": bare}, rounds)
    note = f"{len(photos) / took['ours']:.1f} against {len(photos) / took['bare']:.1f} photos/s"
    name = f"extract, {size} px, {len(photos)} photos"
    return Row(name, "bare forward", took["bare"] / took["ours"], 0.85, True, note)


def fit_rows(photos: list[Path], weights: Path | None, work: Path, rounds: int) -> list[Row]:
    """The training pass of both methods, and a whole epoch."""
    prepare_cpu()
    rounds = max(3, rounds)
    stepped = photos[: STEPS * STEP_BATCH]
    return [
        _fit(stepped, "c2l", weights, work / "c2l", rounds),
        _fit(stepped, "picie", weights, work / "picie", rounds),
        _epoch(photos[:EPOCH_PHOTOS], weights, work / "epoch", rounds),
    ]


def extract_rows(photos: list[Path], weights: Path | None, work: Path, rounds: int) -> list[Row]:
    """Each size."""
    prepare_cpu()
    return [
        _extract(photos[:count], size, weights, work / f"extract-{size}", rounds)
        for size, count in EXTRACTED
    ]
