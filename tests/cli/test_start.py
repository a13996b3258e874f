"""A signal in the first moments of a command ends it in an orderly way."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from conftest import RUN_C2L, Cli, run_python

from c2l.runtime.signals import STOPPING

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


@pytest.mark.parametrize("number", STOPPING, ids=lambda n: n.name)
def test_a_signal_while_the_commands_are_imported_is_130(number: signal.Signals) -> None:
    ended = run_python(PROGRAM, str(int(number)))
    assert ended.returncode == 130
    assert ended.stderr == f"c2l: interrupted ({number.name}); nothing was written\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda n: n.name)
def test_a_signal_that_is_ignored_stays_so(number: signal.Signals) -> None:
    ignoring = f"import signal; signal.signal({int(number)}, signal.SIG_IGN)\n"
    ended = run_python(ignoring + PROGRAM, str(int(number)))
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("c2l, version")


def test_the_entry_point_runs_commands(cli: Cli, tmp_path: Path) -> None:
    ended = run_python(RUN_C2L, "status", tmp_path)
    assert (ended.returncode, ended.stdout) == (0, cli.ok("status", tmp_path).out)
