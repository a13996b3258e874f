"""Under a limit on memory, runs the command in a child: libraries end a process that gets none."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

from c2l.errors import ExitCode
from c2l.runtime.memory import out_of_memory, process_limits
from c2l.runtime.signals import STOPPING

# What an import raises that gets no memory; C extensions forget what happened.
IMPORT_ERRORS = (MemoryError, ImportError, SystemError)
# Deaths that a library dies when it gets no memory.
_CRASHES = (signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE)
_HANDLED = (*STOPPING, signal.SIGCHLD)


@contextmanager
def supervised() -> Iterator[None]:
    """The block, in a child process where memory is limited; the parent exits as the child does.

    OpenBLAS exits with 1 and C++ aborts where memory cannot be had. The parent, which imports
    nothing of size, says what that was.
    """
    if not any(process_limits()):
        yield
        return
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        _exit_as(_ended(child), said=lambda: bool(os.read(reading, 1)))
    os.close(reading)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)
    try:
        yield
    except IMPORT_ERRORS:
        os._exit(ExitCode.BUG)
    except Exception:
        os.write(writing, b"\n")  # a traceback: not the end that a library makes
        raise


def _ended(child: int) -> int:
    """How the child ended; signals that only this process got are passed on to it."""
    while True:
        got = signal.sigwaitinfo(_HANDLED)
        if got.si_signo != signal.SIGCHLD:
            # The terminal, which is the kernel (code above 0), sends its signals to both.
            if got.si_code <= 0:
                os.kill(child, got.si_signo)
            continue
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)


def _exit_as(code: int, said: Callable[[], bool]) -> NoReturn:
    if -code in _CRASHES or (code == ExitCode.BUG and not said()):
        error = out_of_memory("a library ended the command")
        with suppress(OSError):
            os.write(2, f"c2l: error: {error.message}\n  next: {error.hint}\n".encode())
        code = error.exit_code
    if code < 0:
        with suppress(OSError):  # SIGKILL has no handler
            signal.signal(-code, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)
        os.kill(os.getpid(), -code)
    os._exit(code)
