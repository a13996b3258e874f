"""fit --prove-resume: stops a small run of the same kind, resumes it, and compares the results.

As a program, ``python -m c2l.stages.prove JSON`` trains as an object says that has ``data``,
``output``, ``options`` and ``resume``: in a process of its own, a run can be killed.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from c2l import schema
from c2l.artifacts.outputs import hold
from c2l.artifacts.runs import Run
from c2l.data.dataset import open_images
from c2l.errors import BadInputError, C2LError, UsageError
from c2l.model.in_force import in_force
from c2l.options import FitOptions
from c2l.runtime.files import output_errors, sha256_file
from c2l.runtime.pool import worker_count
from c2l.runtime.progress import console
from c2l.training.fit_run import train

# Batches per epoch of the proof.
BATCHES = 3
# Arguments of Python that train in a process of their own.
PROGRAM = ("-m", "c2l.stages.prove")


def prove_resume(data: Path, output: Path, options: FitOptions) -> dict[str, Any]:
    """Whether a stopped run ends like an uninterrupted one, bit for bit, on this machine.

    A few batches of the photos are trained on for two epochs, after one of warm-up where the
    options have it: once unbroken, and once killed by SIGKILL in one epoch and stopped by
    SIGTERM in the next, resumed each time with another number of workers.

    Args:
        data: the data set.
        output: the run folder to be; the proof is made beside it and removed.
        options: of the run.

    Returns:
        ``proved``, the ``stops`` with the steps they came after, and what ``differs``.

    Raises:
        BadInputError: as ``fit``.
        UsageError: ``--features``, whose store cannot be shortened.
        C2LError: the runs differ, or one of them failed.
    """
    options = in_force(options)
    if options.features:
        raise UsageError("--prove-resume needs photos, not --features")
    with output_errors(output):
        output.absolute().parent.mkdir(parents=True, exist_ok=True)
        place = Path(
            tempfile.mkdtemp(prefix=f".{output.name}.proof-", dir=output.absolute().parent)
        )
    started: list[subprocess.Popen[str]] = []
    try:
        with hold(output):
            return _prove(data, place, options, started)
    finally:
        for child in started:
            child.kill()
            child.wait()
        shutil.rmtree(place, ignore_errors=True)


def _prove(
    data: Path, place: Path, options: FitOptions, started: list[subprocess.Popen[str]]
) -> dict[str, Any]:
    photos = _few(data, place / "photos", options)
    small = replace(
        options,
        split=None,
        images=None,
        masks=None,
        cache_dir=None,
        max_steps=0,
        warmup=min(options.warmup, 1),
        epochs=2,
        save_steps=1,
    )
    steps = (small.warmup + small.epochs) * BATCHES
    console.print(f"proving: {steps} steps unbroken")
    whole, broken = place / "whole", place / "broken"
    start = partial(_start, photos, started)
    _finish(start(whole, small, resume=False))
    stops, saved = [], 0
    for number, sent, workers in ((2, signal.SIGKILL, 1), (steps - 2, signal.SIGTERM, 3)):
        # A step that is saved already would stop the run before it begins.
        after = max(number, saved + 1)
        console.print(f"proving: {sent.name} once step {after} is saved, then --resume")
        child = start(broken, replace(small, workers=workers), resume=saved > 0)
        saved = _stop(child, broken, after, sent)
        stops.append({"signal": sent.name, "after_step": saved})
    _finish(start(broken, replace(small, workers=2), resume=True))
    differs = _differences(whole, broken)
    result = {
        "proved": not differs,
        "steps": steps,
        "threads": worker_count(),
        "stops": stops,
        "compared": ["predictor", "metrics", "last checkpoint's model and optimizer"],
        "differs": differs,
    }
    if differs:
        raise C2LError(
            f"the resumed run differs from the unbroken one in: {', '.join(differs)}",
            hint="on a GPU add --fixed-order",
        )
    return result


def _few(data: Path, folder: Path, options: FitOptions) -> Path:
    """Photos for a few batches, copied side by side."""
    records = open_images(data, options).records[: BATCHES * options.batch_size]
    if len(records) < BATCHES:
        raise BadInputError(data, f"{BATCHES} photos or more are needed for a proof")
    folder.mkdir()
    for number, record in enumerate(records):
        shutil.copyfile(record.image, folder / f"{number:06d}{record.image.suffix}")
    return folder


def _start(
    data: Path,
    started: list[subprocess.Popen[str]],
    run: Path,
    options: FitOptions,
    *,
    resume: bool,
) -> subprocess.Popen[str]:
    """A run in a process of its own, noted so that it ends with the proof."""
    if len(list(data.iterdir())) < BATCHES * options.batch_size:
        count = len(list(data.iterdir()))
        options = replace(options, batch_size=-(-count // BATCHES))
    wanted = {"data": str(data), "output": str(run), "options": asdict(options), "resume": resume}
    child = subprocess.Popen(
        [sys.executable, *PROGRAM, json.dumps(wanted)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    started.append(child)
    return child


def _finish(child: subprocess.Popen[str]) -> None:
    _, errors = child.communicate()
    if child.returncode:
        raise _failed(child, errors)


def _failed(child: subprocess.Popen[str], errors: str) -> C2LError:
    last = errors.strip().splitlines()[-1:] or ["no message"]
    return C2LError(f"a run of the proof exited with {child.returncode}: {last[0]}")


def _stop(child: subprocess.Popen[str], run: Path, number: int, sent: signal.Signals) -> int:
    """Send a signal once a step is saved; the step that was saved last."""
    marker = Run(run, {}).step_folder(number) / schema.STEP_COMMIT
    while child.poll() is None and not marker.exists():
        time.sleep(0.002)
    if child.poll() is None:
        os.kill(child.pid, sent)
    _, errors = child.communicate()
    if child.returncode == 0:
        raise C2LError("a run of the proof ended before it could be stopped: give it more photos")
    if child.returncode not in (-signal.SIGKILL, 75):
        raise _failed(child, errors)
    return max(Run.open(run).steps(), default=0)


def _differences(whole: Path, broken: Path) -> list[str]:
    runs, found = (Run.open(whole), Run.open(broken)), []
    if sha256_file(runs[0].predictor) != sha256_file(runs[1].predictor):
        found.append("predictor")
    if runs[0].read_metrics() != runs[1].read_metrics():
        found.append("metrics")
    last = max(runs[0].steps())
    for name in (schema.STEP_MODEL, schema.STEP_OPTIMIZER):
        first, second = (run.step_folder(last) / name for run in runs)
        if sha256_file(first) != sha256_file(second):
            found.append(f"{first.parent.name}/{name}")
    return found


def main(argument: str) -> None:
    """Train as a JSON object says; exits with the code of the error, its message on stderr."""
    wanted: dict[str, Any] = json.loads(argument)
    options = FitOptions(**wanted["options"])
    try:
        train(Path(wanted["data"]), Path(wanted["output"]), options, resume=wanted["resume"])
    except C2LError as error:
        print(error.message, file=sys.stderr)
        sys.exit(int(error.exit_code))


if __name__ == "__main__":
    main(sys.argv[1])
