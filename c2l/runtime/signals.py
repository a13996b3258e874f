"""Signals as a request to stop at the next step boundary, after the state is saved."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType

from c2l.errors import StoppedError
from c2l.runtime.progress import voice

STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)


class StopRequest:
    """While active, TERM, INT, USR1 and USR2 set a flag; a second INT leaves at once."""

    def __init__(self) -> None:
        self.received: str | None = None
        self._previous: dict[signal.Signals, object] = {}

    def __enter__(self) -> StopRequest:
        for number in STOPPING:
            self._previous[number] = signal.signal(number, self._note)
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
        """Leave when a signal has come.

        Args:
            message: what is saved.
            hint: how to go on.

        Raises:
            StoppedError: a signal has come.
        """
        if self.received:
            raise StoppedError(f"{self.received}: {message}", hint=hint)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = signal.Signals(number).name
        voice.say(f"{self.received}: stopping at the next step")
