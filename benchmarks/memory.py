"""Peak memory of each stage at two sizes of a data set: it must not grow with the number."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from .compare import Row

# Above the number of images whose pixels fill the start of k-means.
SMALL, LARGE = 400, 800
RUN = "from c2l_cli.main import run; run()"
COMMON = ["--image-size", "128", "-b", "32", "--weights", "none"]


def _resident(process: int) -> tuple[int, int]:
    """KiB now without pages of files, which the system takes back; and the most with them.

    Not the most that ``wait4`` tells, which begins with what the parent had.
    """
    try:
        with open(f"/proc/{process}/status", encoding="ascii") as file:
            found = dict(line.split(":", 1) for line in file)
        return int(found["RssAnon"].split()[0]), int(found["VmHWM"].split()[0])
    except (OSError, KeyError):
        return 0, 0


def _peak(arguments: list[str]) -> tuple[int, int]:
    """Run a command; peak resident memory in MiB, and of it what is not pages of files."""
    command = [sys.executable, "-c", RUN, *arguments, "-q"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    most = whole = 0
    while process.poll() is None:
        now, peak = _resident(process.pid)
        most, whole = max(most, now), max(whole, peak)
        time.sleep(0.005)
    if process.returncode:
        raise SystemExit(f"c2l {' '.join(arguments)} ended with {process.returncode}")
    return whole // 1024, most // 1024


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


def measure(work: Path, source: Path | None) -> list[Row]:
    """Peak anonymous memory with twice the images, a row a stage."""
    work.mkdir()
    data, names, labelled = _prepare(work, source)
    lists = data / ("splits" if source is not None else "ImageSets/Segmentation")
    peaks: dict[str, list[tuple[int, tuple[int, int]]]] = {}
    for size in (SMALL, LARGE):
        (lists / f"n{size}.txt").write_text("\n".join(names[:size]) + "\n")
        (lists / f"l{size}.txt").write_text("\n".join(labelled[:size]) + "\n")
        out = work / str(size)
        out.mkdir()
        split = ["--split", f"n{size}"]
        scored = ["--split", f"l{size}"]
        fit = ["-e", "1", "--warmup", "1", "--attention-stride", "2"]
        stages = {
            "extract": ["extract", str(data), "-o", str(out / "f.h5"), *split, *COMMON],
            "cluster": ["cluster", str(out / "f.h5"), "-o", str(out / "c.h5")],
            "fit": [
                "fit",
                str(data),
                "-o",
                str(out / "run"),
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
        Row(
            f"peak memory of {stage}, {after} images",
            f"{before} images",
            many[1] / few[1],
            1.05,
            False,
            f"{few[1]} and {many[1]} MiB; with pages of files {few[0]} and {many[0]} MiB",
        )
        for stage, ((before, few), (after, many)) in peaks.items()
    ]
