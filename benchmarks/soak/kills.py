"""Kills extract, cluster and fit at random moments until they end, and compares what they made.

    python -m benchmarks.soak.kills --count 200 [--seed 0] [--keep FOLDER]

Every kill comes at a random moment of a random signal (SIGKILL twice as often as TERM, USR1 and
USR2), every start has a random number of workers. What is made in the end must be equal, byte for
byte, to what an unbroken command makes. Exits 1 if anything differs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
RUN = "from c2l_cli.main import run; run()"
PHOTOS = ("--image-size", "64", "--batch-size", "4", "--device", "cpu")
NETWORK = ("--weights", "none", "--fpn-dim", "16")
FIT = (*PHOTOS, *NETWORK, "--pixel-dim", "8", "--warmup", "1", "--epochs", "3", "--save-steps", "2")


@dataclass
class Tally:
    """What happened to one command.

    Attributes:
        kills: by signal.
        rounds: times that it was brought to its end.
        codes: exit codes of the stopped processes.
        differing: rounds whose outcome was another.
    """

    kills: Counter[str] = field(default_factory=Counter)
    rounds: int = 0
    codes: Counter[int] = field(default_factory=Counter)
    differing: int = 0


def digest(path: Path) -> str:
    """Of a file; of a run, its predictor, last checkpoint and what it learned."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    total = hashlib.sha256((path / "predictor.safetensors").read_bytes())
    last = max(path.glob("step-*"))
    for name in ("model.safetensors", "optimizer.safetensors"):
        total.update((last / name).read_bytes())
    total.update(json.dumps(learned(path), sort_keys=True).encode())
    return total.hexdigest()


def learned(run: Path) -> list[dict[str, Any]]:
    """Its metrics but for the checkpoints, which every stop adds to."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if line["kind"] != "checkpoint"]


def parameters(run: Path) -> dict[int, str]:
    """The digest of the parameters at each step at which a checkpoint was saved."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return {m["step"]: m["parameters_sha256"] for m in lines if m["kind"] == "checkpoint"}


def differs(path: Path, whole: Path) -> bool:
    """Whether what was made is another than what an unbroken command makes."""
    if digest(path) != digest(whole):
        return True
    if path.is_file():
        return False
    mine, other = parameters(path), parameters(whole)
    both = mine.keys() & other.keys()
    return not both or any(mine[step] != other[step] for step in both)


def start(arguments: list[str]) -> subprocess.Popen[str]:
    """A command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", RUN, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def moment(output: Path, longest: float, chance: random.Random) -> float:
    """Seconds until the kill: anywhere, or a moment after the first sign of the output."""
    if chance.random() < 2 / 3:
        return chance.uniform(0.2, 1.1) * longest
    began = time.monotonic()
    signs = (output, output.with_name(f".{output.name}.partial"))
    while not any(sign.exists() for sign in signs) and time.monotonic() - began < longest:
        time.sleep(0.001)
    return chance.uniform(0, 0.05)


def until_done(
    arguments: list[str],
    again: list[str],
    output: Path,
    longest: float,
    tally: Tally,
    chance: random.Random,
) -> None:
    """Start, kill, start again, until it ends by itself."""
    words = arguments
    while True:
        workers = str(chance.choice((1, 2, 3)))
        process = start([*words, "--workers", workers])
        sent = None
        try:
            said = process.communicate(timeout=moment(output, longest, chance))[1]
        except subprocess.TimeoutExpired:
            sent = chance.choice(SIGNALS)
            process.send_signal(sent)
            said = process.communicate()[1]
            tally.kills[sent.name] += 1
            tally.codes[process.returncode] += 1
        if process.returncode == 0:
            tally.rounds += 1
            return
        if sent is None or process.returncode not in (-signal.SIGKILL, -sent, 75, 130):
            raise SystemExit(f"{words}: ended with {process.returncode}: {said}")
        if output.is_file():
            # Killed when all was done but the leaving.
            tally.rounds += 1
            return
        # A run that was killed before its folder was there begins anew.
        words = again if (output / "config.json").is_file() else arguments


def main() -> int:
    """Run the trial; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=200, help="kills in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="a folder for what was made")
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    place = arguments.keep or Path(tempfile.mkdtemp(prefix="c2l-soak-"))
    place.mkdir(exist_ok=True)
    people = place / "people"
    subprocess.run(
        [sys.executable, "-c", RUN, "data", "synth", str(people), "-n", "40", "--image-size", "64"],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    store = place / "whole" / "f.h5"
    commands = {
        "extract": (["extract", str(people), *PHOTOS, *NETWORK, "--views"], store, []),
        "fit": (["fit", str(people), *FIT], place / "whole" / "run", ["--resume"]),
        "cluster": (["cluster", str(store), "-k", "8"], place / "whole" / "c.h5", []),
    }
    tallies = {}
    for name, (words, whole, more) in commands.items():
        share = {"extract": 0.4, "fit": 0.5, "cluster": 0.1}[name]
        began = time.monotonic()
        process = start([*words, "-o", str(whole)])
        said = process.communicate()[1]
        if process.returncode:
            raise SystemExit(said)
        longest, tally = time.monotonic() - began, Tally()
        while sum(tally.kills.values()) < share * arguments.count:
            output = place / f"{name}-broken{whole.suffix}"
            shutil.rmtree(output, ignore_errors=True)
            output.unlink(missing_ok=True)
            command = [*words, "-o", str(output)]
            until_done(command, [*command, *more], output, longest, tally, chance)
            tally.differing += differs(output, whole)
            kills = sum(tally.kills.values())
            done = f"{kills} kills, {tally.rounds} brought to the end, {tally.differing} differ"
            print(f"{name}: {done}", file=sys.stderr)
        tallies[name] = tally
        print(
            f"{name:<8} {sum(tally.kills.values()):>4} kills {dict(tally.kills)}, exit codes "
            f"{dict(tally.codes)}, {tally.rounds} brought to the end, {tally.differing} differ",
            flush=True,
        )
    if not arguments.keep:
        shutil.rmtree(place, ignore_errors=True)
    return int(any(tally.differing for tally in tallies.values()))


if __name__ == "__main__":
    sys.exit(main())
