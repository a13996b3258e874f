"""Signals that ask a run to save its state and stop at the next step."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType

from c2l.errors import StoppedError
from c2l.runtime.progress import console

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


def heard() -> list[signal.Signals]:
    """The signals that may stop this process: what is ignored, as by nohup, stays so."""
    return [n for n in STOPPING if signal.getsignal(n) not in (signal.SIG_IGN, None)]


class StopRequest:
    """While active, INT, TERM, HUP, USR1 and USR2 set a flag; a second INT stops at once."""

    def __init__(self) -> None:
        self.received: str | None = None
        self._previous: dict[signal.Signals, object] = {}

    def __enter__(self) -> StopRequest:
        for number in heard():
            self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def check(self, message: str, hint: str) -> None:
        """Stop if a signal was received.

        Args:
            message: what was saved, for the message.
            hint: how to resume.

        Raises:
            StoppedError: a signal was received.
        """
        if self.received:
            raise StoppedError(f"{self.received}: {message}", hint=hint)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.received and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = signal.Signals(number).name
        console.print(f"{self.received}: stopping at the next step")
