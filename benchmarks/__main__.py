"""python -m benchmarks [NAME ...]: ratios beside their goals, as a table and as JSON."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from .compare import Row, print_rows
from .machine import describe


def _suites(work: Path, options: argparse.Namespace) -> dict[str, Callable[[], list[Row]]]:
    """Each by its name; what a suite measures is imported only when it is run."""
    rounds = 5 if options.full else 1

    def store(layer: str) -> Path:
        from . import samples

        path = work / f"{layer}.h5"
        return path if path.exists() else samples.store(work, options.ccp, options.weights, layer)

    def startup() -> list[Row]:
        from . import startup

        return startup.measure()

    def confusion() -> list[Row]:
        from . import confusion

        return confusion.measure(11 * rounds)

    def reading() -> list[Row]:
        from . import store as reading

        return reading.measure(store("fpn"), 5 * rounds)

    def nmf() -> list[Row]:
        from . import nmf

        return nmf.measure(store("layer4"), 3 * rounds)

    def kmeans() -> list[Row]:
        from . import kmeans

        return kmeans.measure(store("fpn"), rounds, options.clusters)

    def training() -> list[Row]:
        from . import samples, training

        photos = samples.photos_in(work, options.ccp)
        return training.measure(photos, options.weights, work / "training", 3 * rounds)

    def memory() -> list[Row]:
        from . import memory

        return memory.measure(work / "memory", options.ccp)

    every = (startup, confusion, reading, nmf, kmeans, training, memory)
    return {suite.__name__: suite for suite in every}


def main() -> None:
    """Measure, print, and write the JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", help="suites to run; without a name all")
    parser.add_argument("--ccp", type=Path, help="measure on these photographs")
    parser.add_argument("--weights", type=Path, help="of the ResNet-18 that sees them")
    parser.add_argument("--clusters", type=int, nargs="+", default=[3, 27, 256])
    parser.add_argument("--full", action="store_true", help="five times the rounds")
    parser.add_argument("--out", type=Path, help="write everything as JSON")
    options = parser.parse_args()
    machine = describe()
    print(json.dumps(machine, indent=2), flush=True)
    result: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        suites = _suites(Path(folder), options)
        unknown = set(options.names) - set(suites)
        if unknown:
            parser.error(f"no suite {sorted(unknown)}; there are {', '.join(suites)}")
        for name in options.names or suites:
            rows = suites[name]()
            print_rows(rows)
            result += rows
    if options.out:
        table = {"machine": machine, "rows": [row.as_dict() for row in result]}
        options.out.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
