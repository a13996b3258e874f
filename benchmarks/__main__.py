"""python -m benchmarks [NAME ...]: ratios beside their goals, as a table and as JSON."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .compare import Row, print_header, print_rows
from .machine import describe

# What each suite measures, and how long it takes on two cores.
SUITES = {
    "startup": "c2l --help beside an import of click (10 s)",
    "confusion": "eval's counts beside torchmetrics (10 s)",
    "reading": "rows of a store beside a raw file (1 min)",
    "nmf": "DFF's factorisation beside scikit-learn's (1 min)",
    "kmeans": "k-means beside FAISS and scikit-learn (2 min)",
    "ceilings": "the machine's limits, what a photo costs, shares of the k-means passes (1 min)",
    "fit": "training beside the bare network, an epoch beside PiCIE's order (4 min)",
    "extract": "extract beside the bare forward (2 min)",
    "memory": "each stage's peak with twice the images (4 min)",
}
# By their names only: elsewhere they mean nothing.
NAMED = {"gpu": "every stage on a GPU, its ceilings, a profile of a step (4 min there)"}


def _parts(name: str, work: Path, options: argparse.Namespace) -> Iterator[list[Row]]:
    """The rows of a suite as they are measured."""
    if name != "gpu":
        yield _suite(name, work, options)
        return
    import torch

    from c2l.runtime.device import pick_device

    from . import gpu, samples

    device = pick_device(options.device)
    sizes = gpu.tiny(device) if options.tiny else gpu.Sizes(torch.device(device))
    photos = samples.photos_in(work, options.ccp, sizes.batch * sizes.steps)
    yield from gpu.sections(photos, options.weights, work, sizes)


def _suite(name: str, work: Path, options: argparse.Namespace) -> list[Row]:
    """Measure one; what it needs is imported only now."""
    from . import samples

    rounds = 5 if options.full else 1

    def store(layer: str) -> Path:
        path = work / f"{layer}.h5"
        return path if path.exists() else samples.store(work, options.ccp, options.weights, layer)

    if name == "startup":
        from . import startup

        return startup.measure()
    if name == "confusion":
        from . import confusion

        return confusion.measure(11 * rounds)
    if name == "reading":
        from . import store as reading

        return reading.measure(store("fpn"), 5 * rounds)
    if name == "nmf":
        from . import nmf

        return nmf.measure(store("layer4"), 3 * rounds)
    if name == "kmeans":
        from . import kmeans

        return kmeans.measure(store("fpn"), rounds, options.clusters)
    if name == "ceilings":
        from . import ceilings

        return ceilings.measure(store("fpn"), rounds, options.clusters)
    if name == "memory":
        from . import memory

        return memory.measure(work / "memory", options.ccp)
    from . import training

    if name == "fit":
        photos = samples.photos_in(work, options.ccp, training.STEPS * training.STEP_BATCH)
        return training.fit_rows(photos, options.weights, work / "fit", rounds)
    photos = samples.photos_in(work, options.ccp, max(n for _, n in training.EXTRACTED))
    return training.extract_rows(photos, options.weights, work / "extract", rounds)


def _options() -> argparse.Namespace:
    listed = "\n".join(f"  {name:<11}{what}" for name, what in (SUITES | NAMED).items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Ratios measured side by side in one run, beside their goals.",
        epilog=f"suites:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", help="suites to run; without a name all but gpu")
    parser.add_argument("--ccp", type=Path, help="measure on these photographs")
    parser.add_argument("--weights", type=Path, help="of the ResNet-18 that sees them")
    parser.add_argument("--clusters", type=int, nargs="+", default=[3, 27, 256])
    parser.add_argument("--device", default="cuda", help="of the suite gpu")
    parser.add_argument("--tiny", action="store_true", help="rehearse the suite gpu")
    parser.add_argument("--full", action="store_true", help="five times the rounds")
    parser.add_argument(
        "--out", type=Path, help="write everything as JSON, whenever something is measured"
    )
    options = parser.parse_args()
    unknown = set(options.names) - set(SUITES | NAMED)
    if unknown:
        parser.error(
            f"no suite {', '.join(sorted(unknown))}; there are {', '.join(SUITES | NAMED)}"
        )
    if options.ccp and not (options.ccp / "photos").is_dir():
        parser.error(f"--ccp {options.ccp}: no folder 'photos' there")
    if options.weights and not options.weights.is_file():
        parser.error(f"--weights {options.weights}: no such file")
    if options.out and not os.access(options.out.resolve().parent, os.W_OK):
        parser.error(f"--out {options.out}: its folder cannot be written")
    return options


def main() -> None:
    """Measure, print, and write the JSON."""
    options = _options()
    machine = describe()
    print(json.dumps(machine, indent=2), flush=True)
    print_header()
    result: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in options.names or SUITES:
            for rows in _parts(name, Path(folder), options):
                print_rows(rows)
                result += rows
                if options.out:
                    table = {"machine": machine, "rows": [row.as_dict() for row in result]}
                    options.out.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
    sys.exit(any(row.against == "FAILED" for row in result))


if __name__ == "__main__":
    main()
