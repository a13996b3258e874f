"""python -m benchmarks.smoke OUT: every command once on small drawn photos, in one process."""

from __future__ import annotations

import argparse
import json
import time
import traceback
from pathlib import Path

from c2l_cli.main import run


def commands(work: Path, device: str, side: int) -> list[list[str]]:
    """One line per command, in the order in which one needs the other's output."""
    photos, run_, taught = (str(work / name) for name in ("people", "run", "taught"))
    on = ["--device", device]
    seen = ["--image-size", str(side), "--batch-size", "8", "--weights", "none"]
    mixture = ["-k", "3", "--merge-clusters", "none", "--final-clusters", "mixture"]
    drawn = ["--pool", "16", "--draw-size", "48", "--steps", "8", "--warmup-steps", "2"]
    return [
        ["data", "synth", photos, "-n", "24", "--image-size", str(side)],
        ["fit", photos, "-o", run_, *on, *seen, "--warmup", "1", "-e", "1", "--split", "train"],
        ["eval", run_, photos, "-o", f"{work}/eval.json", *on, "--split", "val"],
        ["extract", photos, "-o", f"{work}/f.h5", *on, *seen, "--views"],
        ["cluster", f"{work}/f.h5", "-o", f"{work}/c.h5", *on, "-k", "3"],
        ["extract", photos, "-o", f"{work}/4.h5", *on, *seen, "--layer", "layer4"],
        ["cluster", f"{work}/4.h5", "-o", f"{work}/n.h5", *on, "-k", "3", "--method", "nmf"],
        ["render", run_, photos, "-o", f"{work}/pictures", *on, "--limit", "4"],
        ["teach", "-o", taught, *on, "--image-size", "64", "--batch-size", "8", *drawn],
        ["parse", photos, "-o", f"{work}/parts", *on, "--limit", "8"],
        ["fit", photos, "-o", f"{work}/paper", *on, *seen, "--preset", "paper", "-e", "1"],
        [
            "fit",
            photos,
            "-o",
            f"{work}/mixture",
            *on,
            *seen,
            *mixture,
            "--final-clusters",
            "mixture",
        ],
    ]


def main() -> None:
    """Run all, whatever fails; the table is written as it grows."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.smoke", description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="an empty folder")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--side", type=int, default=128)
    options = parser.parse_args()
    rows = []
    for words in commands(options.work, options.device, options.side):
        started = time.perf_counter()
        try:
            run(words)
            code: object = "no exit"
        except SystemExit as left:
            code = left.code
        except Exception as error:
            traceback.print_exc()
            code = f"{type(error).__name__}: {error}"
        took = round(time.perf_counter() - started, 2)
        rows.append({"command": " ".join(words[:1]), "code": code, "seconds": took})
        print(json.dumps(rows[-1]), flush=True)
        options.out.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    raise SystemExit(any(row["code"] != 0 for row in rows))


if __name__ == "__main__":
    main()
