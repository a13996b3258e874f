"""Peak memory of each stage at two sizes of a data set: it must not grow with the number."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

SMALL, LARGE = 200, 1100
RUN = "from c2l_cli.main import run; run()"
COMMON = ["--image-size", "128", "-b", "32", "--weights", "none"]


def _peak(arguments: list[str]) -> int:
    """Run a command; peak resident memory in MiB."""
    process = subprocess.Popen([sys.executable, "-c", RUN, *arguments, "-q"], stdout=-3)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"c2l {' '.join(arguments)} ended with {process.returncode}")
    return int(usage.ru_maxrss // 1024)


def _prepare(work: Path, source: Path | None) -> tuple[Path, list[str], list[str]]:
    """A copy with splits of both sizes; CCP where it is given, else synthetic people.

    Returns:
        Its folder, the names of all training images, and of the labelled ones.
    """
    data = work / "data"
    if source is not None:
        shutil.copytree(source, data)
        os.chmod(data / "splits", 0o755)
        names = (data / "splits" / "train.txt").read_text().split()
        labelled = (data / "splits" / "train-labelled.txt").read_text().split()
        return data, names, labelled
    synth = ["data", "synth", str(data), "-n", str(LARGE), "--image-size", "96", "-q"]
    subprocess.run([sys.executable, "-c", RUN, *synth], check=True, stdout=-3)
    names = sorted(p.stem for p in (data / "JPEGImages").iterdir())
    return data, names, names


def measure(work: Path, source: Path | None) -> list[dict[str, object]]:
    """Rows of stage, images and MiB at both sizes, and the ratio."""
    data, names, labelled = _prepare(work, source)
    lists = data / ("splits" if source is not None else "ImageSets/Segmentation")
    peaks: dict[str, list[tuple[int, int]]] = {}
    for size in (SMALL, LARGE):
        (lists / f"n{size}.txt").write_text("\n".join(names[:size]) + "\n")
        (lists / f"l{size}.txt").write_text("\n".join(labelled[:size]) + "\n")
        out = work / str(size)
        out.mkdir()
        split = ["--split", f"n{size}"]
        scored = ["--split", f"l{size}"]
        fit = [
            "-e",
            "1",
            "--warmup",
            "1",
            "-k",
            "16",
            "--attention-stride",
            "2",
            "--merge-clusters",
            "figure",
            "--sharpen",
        ]
        stages = {
            "extract": ["extract", str(data), "-o", str(out / "f.h5"), *split, *COMMON],
            "cluster": ["cluster", str(out / "f.h5"), "-o", str(out / "c.h5")],
            "fit": [
                "fit",
                str(data),
                "-o",
                str(out / "run"),
                "-e",
                "1",
                "--warmup",
                "1",
                *fit,
                *split,
                *COMMON,
            ],
            "eval": ["eval", str(out / "run"), str(data), "-o", str(out / "e.json"), *scored],
            "render": ["render", str(out / "run"), str(data), "-o", str(out / "p"), *split],
        }
        for stage, arguments in stages.items():
            count = len(labelled[:size]) if stage == "eval" else size
            peaks.setdefault(stage, []).append((count, _peak(arguments)))
    return [
        {
            "stage": stage,
            "images": [count for count, _ in found],
            "MiB": [peak for _, peak in found],
            "ratio": found[1][1] / found[0][1],
        }
        for stage, found in peaks.items()
    ]
