"""The group of commands and the way errors leave it: a message, the next step, an exit code."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from c2l import __version__
from c2l.errors import C2LError, ExitCode, OutOfMemoryError
from c2l.runtime.files import SHORTAGES
from c2l.runtime.memory import out_of_memory, process_limits
from c2l.runtime.signals import heard
from c2l.runtime.text import printable

from .commands import COMMANDS
from .grouped import group_of
from .limited import IMPORT_ERRORS
from .ranked import add_rank, heading
from .start import leave
from .streams import ReaderGoneError, StdoutError


@group_of(COMMANDS)
@click.version_option(__version__, prog_name="c2l")
def main() -> None:
    """Find body parts in photographs of people, without a single label.

    The stages meet through files:

    \b
      c2l extract DATA -o features.h5
      c2l cluster features.h5 -o clusters.h5 -k 3
      c2l fit DATA -o RUN
      c2l eval RUN DATA -o eval.json
      c2l render RUN DATA -o OUT
    """


class _Leave(BaseException):
    """A signal that ends a command which has nothing to save.

    Not an Exception, so that no handler for broken input takes it for one.
    """


def _leave(number: int, frame: Any) -> None:
    """Unwind the stack where something is being written; else leave at once."""
    locks = sys.modules.get("c2l.artifacts.locks")
    if getattr(locks, "HELD", None):
        raise _Leave(signal.Signals(number).name)
    leave(number, frame)


@contextmanager
def _listening() -> Iterator[None]:
    """Let these signals unwind the stack, so that half-written files are removed."""
    previous: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for number in heard():
            if signal.getsignal(number) == signal.SIG_DFL:
                previous[number] = signal.signal(number, _leave)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def _shortage_told() -> Iterator[None]:
    """Turn the ways in which a process gets no more memory into one error."""
    try:
        yield
    except (*IMPORT_ERRORS, RuntimeError, OSError) as error:
        if isinstance(error, OSError) and (hint := SHORTAGES.get(error.errno or 0)):
            raise OutOfMemoryError(str(error), hint=hint) from None
        if not _is_shortage(error):
            raise
        on_gpu = type(error).__name__ == "OutOfMemoryError"
        what = str(error).split("\n", 1)[0]
        raise out_of_memory(what, "GPU" if on_gpu else "machine") from None


def _is_shortage(error: Exception) -> bool:
    """Whether it is for want of memory or threads; torch is not imported to know its types."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    if isinstance(error, RuntimeError):
        *_, (frame, _) = traceback.walk_tb(error.__traceback__)
        if frame.f_globals["__name__"] == "threading":
            return True
        # Of these, torch has no type.
        return "can't allocate memory" in str(error) or str(error) == "std::bad_alloc"
    # A library that could not be loaded: where memory is limited, that is why.
    return not getattr(error, "errno", None) and any(process_limits())


def run(arguments: list[str] | None = None) -> None:
    """The entry point: errors of the user leave no traceback.

    Args:
        arguments: without it, the process's own.
    """
    try:
        with _listening(), _shortage_told():
            code: Any = main.main(args=arguments, prog_name="c2l", standalone_mode=False)
            sys.stdout.flush()
        sys.exit(code if isinstance(code, int) else ExitCode.OK)
    except ReaderGoneError:
        os._exit(ExitCode.OK)
    except C2LError as error:
        if begins := heading(error):
            click.echo(f"{begins} {printable(error.message)}", err=True)
            if error.hint:
                click.echo(f"  next: {printable(error.hint)}", err=True)
        if isinstance(error, StdoutError):
            # Its buffer cannot be flushed on the way out either.
            os._exit(error.exit_code)
        sys.exit(error.exit_code)
    except (click.exceptions.Abort, _Leave) as left:
        said = str(left) or "SIGINT"
        click.echo(f"c2l: interrupted ({said}); no half-written output is left", err=True)
        sys.exit(ExitCode.INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(ExitCode.USAGE)
    except Exception as error:
        add_rank(error)
        raise
