"""Signals ask a run to stop; a second interrupt stops it at once."""

from __future__ import annotations

import contextlib
import os
import signal

import pytest

from c2l.runtime.signals import STOPPING, StopRequest


@pytest.mark.parametrize("number", STOPPING)
def test_a_signal_sets_the_flag_and_the_old_handler_is_restored(
    number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(number)
    with StopRequest() as stop:
        assert stop.received is None
        os.kill(os.getpid(), number)
        assert stop.received == number.name
    assert signal.getsignal(number) is before
    captured = capsys.readouterr()
    assert number.name in captured.err
    assert captured.out == ""


def test_a_second_interrupt_stops_at_once() -> None:
    with StopRequest() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.received == "SIGINT"
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_a_second_terminate_signal_still_waits_for_the_step() -> None:
    with StopRequest() as stop:
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.received == "SIGTERM"


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_a_signal_that_is_ignored_stays_so(number: signal.Signals) -> None:
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with StopRequest() as stop:
            os.kill(os.getpid(), number)
            assert stop.received is None
        assert signal.getsignal(number) == signal.SIG_IGN
    finally:
        signal.signal(number, before)


def test_a_signal_is_handled_even_when_stderr_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", buffering=1) as closed, StopRequest() as stop:
        monkeypatch.setattr("sys.stderr", closed)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.received == "SIGTERM"
        monkeypatch.undo()
        with contextlib.suppress(BrokenPipeError):
            closed.close()
