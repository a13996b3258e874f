"""Progress on stderr: a bar on a terminal, elsewhere a plain line now and then."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

# Seconds between plain lines.
PLAIN_INTERVAL = 15.0


@dataclass
class Voice:
    """How much is said: 0 errors only, 1 the usual, 2 details."""

    level: int = 1

    def say(self, text: str, *, level: int = 1) -> None:
        """Print a line to stderr when the level allows it.

        Work goes on where its reader has gone away (a terminal, or the other end of a pipe).
        """
        if level <= self.level:
            with contextlib.suppress(OSError, ValueError):
                print(text, file=sys.stderr, flush=True)


voice = Voice()


class Steps:
    """Counts the steps of a long piece of work."""

    def __init__(self, title: str, total: int, unit: str, *, brief: bool = False) -> None:
        self.title, self.total, self.unit, self.brief = title, total, unit, brief
        self.done, self.info = 0, ""
        self._before = 0
        self._start = time.monotonic()
        self._said = self._start

    def begin(self, done: int) -> None:
        """Take what an earlier run did as done; it counts in no rate."""
        self.done = self._before = done

    def advance(self, count: int = 1, info: str = "") -> None:
        """Count steps; ``info`` is shown beside them."""
        self.done += count
        self.info = info or self.info
        self._show()

    def _show(self) -> None:
        now = time.monotonic()
        if now - self._said >= PLAIN_INTERVAL:
            self._said = now
            voice.say(self.line(now))

    def rate(self, now: float) -> float:
        """Steps a second."""
        return (self.done - self._before) / max(now - self._start, 1e-9)

    def line(self, now: float) -> str:
        """One line: what is done, the rate and the time left."""
        rate = self.rate(now)
        left = (self.total - self.done) / rate if rate else 0.0
        text = f"{self.title}: {self.done}/{self.total} {self.unit}, {rate:.1f}/s"
        text += f", {_clock(left)} left" if self.done < self.total else ""
        return f"{text}, {self.info}" if self.info else text

    def close(self) -> None:
        """Say how it ended."""
        now = time.monotonic()
        if self.done and not (self.brief and now - self._start < PLAIN_INTERVAL):
            voice.say(f"{self.line(now)}, took {_clock(now - self._start)}")


class _BarSteps(Steps):
    """The same on a terminal, drawn by rich."""

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
def steps(title: str, total: int, unit: str = "images", *, brief: bool = False) -> Iterator[Steps]:
    """Show the progress of ``total`` steps while the block runs.

    ``brief`` leaves out the line of how it ended where it did not take long.
    """
    fancy = voice.level >= 1 and sys.stderr.isatty()
    counter = (_BarSteps if fancy else Steps)(title, total, unit, brief=brief)
    try:
        yield counter
    finally:
        counter.close()
