"""python -m benchmarks [--ccp DIR] [--out FILE]: every benchmark, as a table and as JSON."""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from . import memory, startup
from .machine import describe


def main() -> None:
    """Measure, print, and write the JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--ccp", type=Path, help="measure memory on these photographs")
    parser.add_argument("--out", type=Path, help="write everything as JSON")
    arguments = parser.parse_args()
    result: dict[str, object] = {"machine": describe(), "startup": startup.measure()}
    print(json.dumps(result, indent=2))
    with tempfile.TemporaryDirectory() as work:
        rows = memory.measure(Path(work), arguments.ccp)
    print(f"{'stage':<10}{'images':>14}{'MiB':>16}{'ratio':>8}")
    for row in rows:
        images, peaks = row["images"], row["MiB"]
        print(f"{row['stage']:<10}{images!s:>14}{peaks!s:>16}{row['ratio']:>8.2f}")
    result["memory"] = rows
    if arguments.out:
        arguments.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
