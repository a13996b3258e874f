"""Running commands one after the other or side by side, stopping them, and keeping their logs."""

from __future__ import annotations

import fcntl
import os
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

from . import cells as c
from .problems import DONE, LOCKED, OUTPUT, STOPPED, ProblemError

FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)
TAIL_LINES = 12
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Outcome:
    """How a cell ended.

    Attributes:
        state: done, failed or stopped.
        code: the exit code of its last command.
        seconds: that its commands took now.
        tail: the last lines of its log where it is not done.
    """

    state: str
    code: int
    seconds: float
    tail: str = ""


class Stop:
    """While active, signals are kept for the children; each child is told once a signal."""

    def __init__(self) -> None:
        self.received: list[signal.Signals] = []
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Stop:
        # A hangup: the children are in no terminal's foreground and would live on. Where it is
        # ignored (nohup) it stays so.
        ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        for number in FORWARDED if ignored else (*FORWARDED, signal.SIGHUP):
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        known = signal.Signals(number)
        self.received.append(signal.SIGTERM if known is signal.SIGHUP else known)


@contextmanager
def locked(output: Path) -> Iterator[int]:
    """One process an output folder.

    The children inherit the lock, so that it outlives a killed parent for as long as one of
    them still writes.

    Yields:
        The file descriptor to pass to them.
    """
    path = output / ".lock"
    try:
        output.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise ProblemError(f"{path}: cannot be written: {error.strerror}", OUTPUT) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ProblemError(
                f"{output}: another process is at work in it",
                LOCKED,
                hint="wait for it, or name another OUT",
            ) from None
        yield descriptor
    finally:
        os.close(descriptor)


class Runner:
    """Runs cells.

    Args:
        settings: of the grid.
        stop: the signals that came.
        lock: descriptor that the children keep open.
        slim: remove a cell's checkpoints once it is scored.
    """

    def __init__(self, settings: c.Settings, stop: Stop, lock: int, *, slim: bool) -> None:
        self.settings, self.stop, self.lock, self.slim = settings, stop, lock, slim
        self._free: list[int] = []
        self._guard = threading.Lock()
        # The (seed, image size) whose trivial predictors are scored, or being scored.
        self._scored: set[tuple[int, str]] = set()

    @property
    def cache(self) -> Path:
        """Decoded photos, for all cells."""
        return self.settings.output / ".cache"

    def note_baselines(self, cells: list[c.Cell]) -> None:
        """The trivial predictors are scored once a seed: see where they are already."""
        for cell in cells:
            if (c.read_object(cell.home / "eval.json") or {}).get("baselines"):
                self._scored.add(_baseline_key(cell))

    def run(self, cells: list[c.Cell], jobs: int) -> Iterator[tuple[c.Cell, Outcome]]:
        """Run cells, ``jobs`` at a time, each outcome as it comes; none of those not begun."""
        self._free = list(range(jobs))
        with ThreadPoolExecutor(jobs) as pool:
            running = {pool.submit(self._cell, cell): cell for cell in cells}
            for future in as_completed(running):
                outcome = future.result()
                if outcome is not None:
                    yield running[future], outcome

    def _cell(self, cell: c.Cell) -> Outcome | None:
        if self.stop.received:
            return None
        with self._guard:
            slot = self._free.pop(0)
        started = time.monotonic()
        try:
            code = self._commands(cell, self.cache / str(slot))
        finally:
            with self._guard:
                self._free.append(slot)
        seconds = time.monotonic() - started
        if code == DONE:
            return Outcome("done", DONE, seconds)
        stopped = bool(self.stop.received) or code == STOPPED
        return Outcome("stopped" if stopped else "failed", code, seconds, tail(cell.log))

    def _commands(self, cell: c.Cell, cache: Path) -> int:
        cell.home.parent.mkdir(parents=True, exist_ok=True)
        if not cell.record():
            cell.update(trained_by=cell.trained_by)
        if cell.steps[-1][0] != "fit":
            cell.home.mkdir(exist_ok=True)
        c.link(cell)
        key = _baseline_key(cell)
        with self._guard:
            baselines = key not in self._scored
            self._scored.add(key)
        done = False
        try:
            for words, merge in c.commands(cell, self.settings, cache=cache, baselines=baselines):
                code = DONE if self.stop.received else self._command(words, cell.log)
                if self.stop.received and (code or merge is None):
                    return code or STOPPED
                if code:
                    return code
                if merge is not None:
                    name = c.score_file(self.settings, merge)
                    made = c.scored_by(self.settings, merge)
                    cell.update(scores={**cell.record().get("scores", {}), name: made})
            done = True
        finally:
            if baselines and not done:
                with self._guard:
                    self._scored.discard(key)
        c.tidy(cell, slim=self.slim)
        return DONE

    def _command(self, words: list[str], log: Path) -> int:
        with log.open("a", encoding="utf-8") as file:
            file.write(f"$ {shlex.join(words)}\n")
            file.flush()
            try:
                code = self._wait(words, file)
            except OSError as error:
                file.write(f"{words[0]}: cannot be run: {error.strerror}\n")
                code = 127
            if code < 0:
                file.write(f"(killed by {signal.Signals(-code).name})\n")
                code = 128 - code
            return code

    def _wait(self, words: list[str], log: TextIO) -> int:
        # In a process group of its own: a Ctrl-C of the terminal reaches a child through this
        # process alone, once, since a second one makes it leave without saving.
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=(self.lock,),
            process_group=0,
        )
        told = 0
        while True:
            try:
                return process.wait(POLL_SECONDS)
            except subprocess.TimeoutExpired:
                for number in self.stop.received[told:]:
                    process.send_signal(number)
                    told += 1


def _baseline_key(cell: c.Cell) -> tuple[int, str]:
    return cell.seed, str(cell.steps[0][1].get("image-size", ""))


def tail(log: Path) -> str:
    """The last lines of a log."""
    try:
        return "\n".join(
            log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:]
        )
    except OSError:
        return ""
