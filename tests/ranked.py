"""Several ranks of a command, as torchrun starts them, forked from a server that has torch."""

from __future__ import annotations

import io
import multiprocessing
import os
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from conftest import Outcome

# Imported once, by the server that ranks are forked from.
PRELOADED = ["faiss", "c2l.stages.fit", "c2l.stages.evaluate", "c2l.runtime.group", "c2l_cli.main"]
PATIENCE = 240.0

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(PRELOADED)


def surroundings(size: int, **more: str) -> list[dict[str, str]]:
    """The variables of each rank."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    common = {
        "WORLD_SIZE": str(size),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        "SLURM_CPUS_PER_TASK": "1",
        "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", ""),
    }
    return [{**common, "RANK": str(r), "LOCAL_RANK": str(r), **more} for r in range(size)]


def _begin(environment: dict[str, str], said: Path, work: Callable[..., None], *given: Any) -> None:
    os.environ.update(environment)
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(said.with_suffix(f".{name}"), os.O_WRONLY | os.O_CREAT, 0o600), number)
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(io.FileIO(number, "w", closefd=False), write_through=True)
        for number in (1, 2)
    )
    work(*given)


def command(*arguments: str) -> None:
    """What a rank does: a command of c2l."""
    from c2l_cli.main import run

    run(list(arguments))


@dataclass(frozen=True)
class Started:
    """Ranks that run.

    Attributes:
        processes: one per rank.
        said: where each writes what it says, without the suffix.
    """

    processes: Sequence[BaseProcess]
    said: Sequence[Path]

    def ended(self) -> list[Outcome]:
        """How each rank ended."""
        deadline = time.monotonic() + PATIENCE
        for process in self.processes:
            process.join(max(0.0, deadline - time.monotonic()))
        for process in self.processes:
            if process.is_alive():
                process.kill()
                process.join()
        texts = [
            [p.with_suffix(f".{name}").read_text() for name in ("out", "err")] for p in self.said
        ]
        return [
            Outcome(int(p.exitcode or 0), *both)
            for p, both in zip(self.processes, texts, strict=True)
        ]


def start(
    size: int,
    folder: Path,
    *given: Any,
    work: Callable[..., None] = command,
    each: Sequence[tuple[Any, ...]] | None = None,
    **more: str,
) -> Started:
    """Start ranks.

    Args:
        size: how many.
        folder: for what they say.
        given: arguments of each, a command's by default.
        work: what each does.
        each: more arguments of each rank.
        more: variables of the environment.
    """
    folder.mkdir(parents=True, exist_ok=True)
    number = len(list(folder.iterdir()))
    said = [folder / f"{number}-{rank}" for rank in range(size)]
    words = [str(g) if isinstance(g, Path) else g for g in given]
    processes = [
        _CONTEXT.Process(
            target=_begin, args=(env, path, work, *words, *(each[rank] if each else ()))
        )
        for rank, (env, path) in enumerate(zip(surroundings(size, **more), said, strict=True))
    ]
    for process in processes:
        process.start()
    return Started(processes, said)


def ok(size: int, folder: Path, *given: Any, **more: Any) -> list[Outcome]:
    """Ranks that all have to work."""
    ended = start(size, folder, *given, **more).ended()
    assert [one.code for one in ended] == [0] * size, [one.err for one in ended]
    return ended
