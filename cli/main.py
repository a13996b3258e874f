"""The group of commands and the way errors leave it: a message, the next step, an exit code."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import click

from c2l import __version__
from c2l.errors import C2LError, ExitCode, OutOfMemoryError
from c2l.runtime.text import printable

from .commands import COMMANDS, SETTINGS
from .grouped import TableGroup


@click.group(cls=TableGroup, table=COMMANDS, context_settings=SETTINGS)
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


def _leave(number: int, _: Any) -> None:
    """Unwind the stack where something is being written; else leave at once.

    An exception in the middle of an import can abort the process: the C++ of some libraries
    calls Python there and expects none.
    """
    name = signal.Signals(number).name
    locks = sys.modules.get("c2l.artifacts.locks")
    if getattr(locks, "HELD", None):
        raise _Leave(name)
    os.write(2, f"c2l: interrupted ({name}); nothing was written\n".encode())
    os._exit(ExitCode.INTERRUPTED)


@contextmanager
def _listening() -> Iterator[None]:
    """Let these signals unwind the stack, so that half-written files are removed."""
    previous: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
            if signal.getsignal(number) == signal.SIG_DFL:
                previous[number] = signal.signal(number, _leave)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def _memory_told() -> Iterator[None]:
    """Turn the ways in which memory runs out into one error; torch is not imported for it."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        what = str(error).split("\n", 1)[0]
        gpu = type(error).__name__ == "OutOfMemoryError"
        if not (gpu or isinstance(error, MemoryError) or "can't allocate memory" in what):
            raise
        raise OutOfMemoryError(
            f"not enough memory on the {'GPU' if gpu else 'machine'}{': ' if what else ''}{what}",
            hint="free memory and repeat the command, fit and teach with --resume; or lower "
            "--batch-size or --image-size, which for fit and teach takes a new run",
        ) from None


def _tell(text: str) -> None:
    """A line on stderr; the exit code counts where nobody reads it any more."""
    with suppress(OSError):
        click.echo(text, err=True)


def run(arguments: list[str] | None = None) -> None:
    """The entry point: errors of the user leave no traceback.

    Args:
        arguments: without it, the process's own.
    """
    try:
        with _listening(), _memory_told():
            code: Any = main.main(args=arguments, prog_name="c2l", standalone_mode=False)
            if sys.stdout:
                sys.stdout.flush()
        sys.exit(code if isinstance(code, int) else ExitCode.OK)
    except SystemExit:
        # click has seen that the reader of stdout went away, and leaves with 1.
        if type(sys.stdout).__name__.endswith("PacifyFlushWrapper"):
            os._exit(ExitCode.OK)
        raise
    except C2LError as error:
        _tell(f"c2l: error: {printable(error.message)}")
        if error.hint:
            _tell(f"  next: {printable(error.hint)}")
        sys.exit(error.exit_code)
    except (click.exceptions.Abort, _Leave) as left:
        _tell(f"c2l: interrupted ({str(left) or 'SIGINT'}); no half-written output is left")
        sys.exit(ExitCode.INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(ExitCode.USAGE)
    except BrokenPipeError:
        # The reader of stdout went away (a pager, head): not an error of ours.
        sys.stderr.close()
        os._exit(ExitCode.OK)
    except OSError as error:
        # What writes files names them; what is left is stdout.
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        _tell(f"c2l: error: stdout cannot be written: {error.strerror}")
        # Its buffer cannot be flushed on the way out either.
        os._exit(ExitCode.IO_ERROR)
