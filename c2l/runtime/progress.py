"""Messages and progress on stderr: a bar on a terminal, elsewhere a line now and then."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TextIO

# Seconds between two lines of progress where there is no terminal.
PLAIN_INTERVAL = 15.0


@dataclass
class Console:
    """Messages on stderr.

    Attributes:
        level: 0 for errors only, 1 for the usual messages, 2 for details.
        speaks: whether stderr shows them.
        log: a file that shows them too.
    """

    level: int = 1
    speaks: bool = True
    log: TextIO | None = None

    def print(self, text: str, *, level: int = 1) -> None:
        """Print a line if its level is wanted.

        A closed terminal or pipe is not an error: the work continues.
        """
        for file in (sys.stderr if self.speaks else None, self.log):
            if level <= self.level and file:
                with contextlib.suppress(OSError, ValueError):
                    print(text, file=file, flush=True)


console = Console()


class Progress:
    """Progress of a long task, as lines.

    Args:
        title: name of the task.
        total: number of steps.
        unit: what a step is ("images").
        brief: report the end only if the task took long.
    """

    def __init__(self, title: str, total: int, unit: str, *, brief: bool = False) -> None:
        self.title, self.total, self.unit, self.brief = title, total, unit, brief
        self.done, self.info = 0, ""
        self._before, self._ended = 0, False
        self._start = time.monotonic()
        self._last_line = self._start

    def begin(self, done: int) -> None:
        """Start from the steps of an earlier run; they do not count towards the rate."""
        self.done = self._before = done

    def advance(self, count: int = 1, info: str = "") -> None:
        """Count finished steps; ``info`` is shown beside the count."""
        self.done += count
        self.info = info or self.info
        self._show()

    def _show(self) -> None:
        now = time.monotonic()
        if now - self._last_line >= PLAIN_INTERVAL:
            self._last_line = now
            console.print(self.line(now))

    def rate(self, now: float) -> float:
        """Steps per second."""
        return (self.done - self._before) / max(now - self._start, 1e-9)

    def line(self, now: float) -> str:
        """Steps done, rate and time left in one line."""
        rate = self.rate(now)
        left = (self.total - self.done) / rate if rate else 0.0
        text = f"{self.title}: {self.done}/{self.total} {self.unit}, {rate:.1f}/s"
        text += f", {_clock(left)} left" if self.done < self.total and not self._ended else ""
        return f"{text}, {self.info}" if self.info else text

    def close(self) -> None:
        """Report the end."""
        now = time.monotonic()
        if self.done and not (self.brief and now - self._start < PLAIN_INTERVAL):
            self._ended = True
            console.print(f"{self.line(now)}, took {_clock(now - self._start)}")


class _ProgressBar(Progress):
    """Progress of a long task, as a bar on a terminal."""

    def __init__(self, title: str, total: int, unit: str, *, brief: bool = False) -> None:
        super().__init__(title, total, unit, brief=brief)
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f} {task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[info]}"),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task(title, total=total, rate="", info="")
        self._bar.start()

    def _show(self) -> None:
        rate = self.rate(time.monotonic())
        with contextlib.suppress(OSError):
            self._bar.update(
                self._task, completed=self.done, rate=f"{rate:.1f} {self.unit}/s", info=self.info
            )

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._bar.stop()
        super().close()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


@contextmanager
def progress(
    title: str, total: int, unit: str = "images", *, brief: bool = False
) -> Iterator[Progress]:
    """Show the progress of ``total`` steps while the block runs; for arguments see ``Progress``."""
    shown = console.level >= 1 and console.speaks
    on_terminal = shown and sys.stderr is not None and sys.stderr.isatty()
    counter = (_ProgressBar if on_terminal else Progress)(title, total, unit, brief=brief)
    try:
        yield counter
    finally:
        counter.close()
