"""A command behaves whatever its process was given: streams, limits, folder, umask, locale."""

from __future__ import annotations

import json
import os
import resource
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import NETWORK, PHOTOS, RUN_C2L, Cli

from c2l_cli.commands import COMMANDS, DATA_COMMANDS

MIB = 1 << 20
EVERY = [[], *([n] for n in COMMANDS), *(["data", n] for n in DATA_COMMANDS)]


def c2l(
    *arguments: str | Path,
    streams: str = "",
    program: str = RUN_C2L,
    flags: tuple[str, ...] = (),
    **settings: Any,
) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own, its streams redirected as a shell does."""
    words = [sys.executable, *flags, "-c", program, *map(str, arguments)]
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"exec {shlex.join(words)} {streams}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        **settings,
    )


@pytest.mark.parametrize("streams", ["<&-", ">&-", "2>&-", "<&- 2>&-", "<&- >&- 2>&-"])
def test_every_stream_may_be_closed(cli: Cli, store: Path, streams: str) -> None:
    done = c2l("inspect", store, streams=streams)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == ("" if ">&-" in streams.split() else cli.ok("inspect", store).out)


def test_a_stage_writes_the_same_without_any_stream(cli: Cli, few: Path, tmp_path: Path) -> None:
    """The files that it opens get no number that a library prints to."""
    words = ("extract", few, *PHOTOS, *NETWORK, "--layer", "layer4", "-o")
    cli.ok(*words, tmp_path / "said.h5")
    done = c2l(*words, tmp_path / "unsaid.h5", streams="<&- >&- 2>&-")
    assert done.returncode == 0
    assert (tmp_path / "unsaid.h5").read_bytes() == (tmp_path / "said.h5").read_bytes()


@pytest.mark.parametrize("streams", ["> /dev/full", "1< /dev/null"])
def test_stdout_that_cannot_be_written_is_74(trained: Path, streams: str) -> None:
    done = c2l("inspect", trained, streams=streams)
    assert done.returncode == 74
    assert done.stderr.startswith("c2l: error: stdout cannot be written: ")
    assert done.stderr.count("\n") == 1


def test_stderr_that_cannot_be_written_changes_no_exit_code(tmp_path: Path) -> None:
    missing = (tmp_path / "a.h5", tmp_path / "b.h5")
    assert c2l("inspect", *missing, streams="2> /dev/full").returncode == 3
    assert c2l("inspect", *missing, streams="2> >(true)").returncode == 3


def test_a_reader_that_goes_away_is_no_error(trained: Path) -> None:
    done = c2l("inspect", trained, streams="| true")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def gone(tmp_path: Path) -> str:
    """A program's first lines that leave it without a working folder."""
    (tmp_path / "gone").mkdir()
    place = str(tmp_path / "gone")
    return f"import os; os.chdir({place!r}); os.rmdir({place!r})\n"


def test_without_a_working_folder_absolute_paths_still_work(
    few: Path, tmp_path: Path, gone: str
) -> None:
    made = tmp_path / "set"
    small = ("-n", "2", "--image-size", "48", "--workers", "2")
    done = c2l("data", "synth", made, *small, program=gone + RUN_C2L)
    assert done.returncode == 0, done.stderr
    assert "working folder is gone" in done.stderr
    (tmp_path / "gone").mkdir()
    done = c2l("data", "check", made, "--json", program=gone + RUN_C2L)
    assert done.returncode == 0, done.stderr
    (tmp_path / "gone").mkdir()
    done = c2l("data", "synth", "set", *small, program=gone + RUN_C2L)
    assert done.returncode == 74
    assert "set: cannot be written: No such file" in done.stderr


def test_a_umask_that_hides_files_from_their_owner_is_eased(tmp_path: Path) -> None:
    small = ("-n", "1", "--image-size", "48", "--workers", "1")
    done = c2l("data", "synth", tmp_path / "set", *small, umask=0o727)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "set").stat().st_mode & 0o777 == 0o750
    assert {p.stat().st_mode & 0o777 for p in tmp_path.rglob("*.jpg")} == {0o640}


def test_names_are_utf8_whatever_the_locale(few: Path, tmp_path: Path) -> None:
    photos = tmp_path / "fotos ä"
    photos.mkdir()
    shutil.copyfile(few / "a.jpg", photos / "日.jpg")
    (photos / "ö.jpg").write_text("no photo")
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = c2l("data", "check", photos, env=os.environ | ascii_only)
    assert (done.returncode, done.stderr) == (3, "")
    assert "WRONG ö.jpg: expected an image" in done.stdout
    done = c2l("inspect", photos / "ö.h5", env=os.environ | ascii_only)
    assert done.returncode == 3
    assert "fotos ä/ö.h5: cannot be read" in done.stderr
    program = (
        "import sys; from c2l_cli.streams import mend; mend(); print(chr(228), file=sys.stderr)"
    )
    assert c2l(program=program, env=os.environ | ascii_only).stderr == "\\xe4\n"


HELPS = """
import json, sys
from c2l_cli.main import run
for command in json.loads(sys.argv[1]):
    try:
        run([*command, "--help"])
    except SystemExit as left:
        sys.stdout.flush()
"""


def test_help_is_whole_where_python_drops_docstrings(cli: Cli) -> None:
    done = c2l(json.dumps(EVERY), program=HELPS, flags=("-OO",))
    assert done.returncode == 0, done.stderr
    assert done.stdout == "".join(cli.ok(*command, "--help").out for command in EVERY)


def limited(mebibytes: int) -> Callable[[], None]:
    """Bound the address space of a process that is about to be started."""
    most = mebibytes * MIB
    return lambda: resource.setrlimit(resource.RLIMIT_AS, (most, most))


@pytest.mark.parametrize("mebibytes", [30, 48, 90])
def test_too_little_memory_to_import_a_library_is_71(store: Path, mebibytes: int) -> None:
    """At 90 MiB OpenBLAS ends the process itself."""
    done = c2l("inspect", store, preexec_fn=limited(mebibytes))
    assert done.returncode == 71, done.stderr
    assert "not enough memory" in done.stderr
    assert f"raise the limit of {mebibytes} MiB (ulimit -v)" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("end", "code", "said"),
    [
        ("os.abort()", 71, "not enough memory"),
        ("os._exit(1)", 71, "not enough memory"),
        ("raise MemoryError", 71, "not enough memory"),
        ("raise ValueError('a bug')", 1, "ValueError: a bug"),
        ("sys.exit(75)", 75, ""),
        (
            "signal.signal(15, lambda *_: os._exit(75)); os.kill(os.getppid(), 15); time.sleep(60)",
            75,
            "",
        ),
        ("os.kill(os.getpid(), 9)", -9, ""),
    ],
)
def test_where_memory_is_limited_a_crash_is_told_and_any_other_end_is_passed_on(
    end: str, code: int, said: str
) -> None:
    program = "import os, signal, sys, time\nfrom c2l_cli.limited import supervised\n"
    program += f"with supervised():\n    {end}"
    done = c2l(program=program, preexec_fn=limited(4096))
    assert done.returncode == code
    assert said in done.stderr
    assert bool(said) == bool(done.stderr)
