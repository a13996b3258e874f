"""A signal in the first moments of a command ends it in an orderly way."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Cli

# The signal comes in the midst of the import of click, which the entry point begins with.
PROGRAM = """
import os, sys
number = int(sys.argv[1])
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "click":
            os.kill(os.getpid(), number)
sys.meta_path.insert(0, Finder())
from c2l_cli.start import run
sys.argv[1:] = ["--version"]
run()
"""


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2], ids=lambda n: n.name
)
def test_a_signal_while_the_commands_are_imported_is_130(number: signal.Signals) -> None:
    # Where the tests run in the background of a shell, a child would inherit that it is ignored.
    heard = f"import signal; signal.signal({int(number)}, signal.SIG_DFL)\n"
    ended = subprocess.run(
        [sys.executable, "-c", heard + PROGRAM, str(int(number))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 130
    assert ended.stderr == f"c2l: interrupted ({number.name}); nothing was written\n"


def test_a_signal_that_is_ignored_stays_so() -> None:
    ignoring = f"import signal; signal.signal({int(signal.SIGTERM)}, signal.SIG_IGN)\n"
    ended = subprocess.run(
        [sys.executable, "-c", ignoring + PROGRAM, str(int(signal.SIGTERM))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("c2l, version")


def test_the_entry_point_runs_commands(cli: Cli, tmp_path: Path) -> None:
    program = "import sys; from c2l_cli.start import run; run()"
    ended = subprocess.run(
        [sys.executable, "-c", program, "status", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (0, cli.ok("status", tmp_path).out)
