"""Stands for subprocess: Python processes that begin as forks of one that has imported c2l.

For tests that need another process, but not the start of an interpreter: importing torch takes
seconds, a fork some milliseconds.
"""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver, get_context
from multiprocessing.connection import Connection
from pathlib import Path
from subprocess import DEVNULL, PIPE, CompletedProcess, TimeoutExpired
from threading import Thread
from types import ModuleType
from typing import IO, Any
from unittest import mock

Stream = IO[Any] | int | None
_STAGES = ("cluster", "evaluate", "extract", "fit", "render", "teach")
_PRELOADED = ["pytest", "c2l_cli.main", *(f"c2l.stages.{stage}" for stage in _STAGES)]


class Popen:
    """A fork that does what an interpreter would.

    Args:
        words: a path of an interpreter, its options, then ``-c PROGRAM`` or ``-m MODULE``, and
            their arguments. The options are left out.
        stdout, stderr, env, cwd, text, start_new_session: as of ``subprocess.Popen``; its stdin
            is /dev/null.
    """

    def __init__(
        self,
        words: Sequence[str | Path],
        *,
        stdout: Stream = None,
        stderr: Stream = None,
        env: Mapping[str, str] | None = None,
        cwd: str | Path | None = None,
        text: bool = False,
        start_new_session: bool = False,
    ) -> None:
        texts = [str(word) for word in words]
        start = next(i for i, word in enumerate(texts) if word in ("-c", "-m"))
        self.stdout: IO[Any] | None = None
        self.stderr: IO[Any] | None = None
        streams = []
        for name, usual, stream in (("stdout", 1, stdout), ("stderr", 2, stderr)):
            if stream == PIPE:
                reading, writing = os.pipe()
                setattr(self, name, os.fdopen(reading, "r" if text else "rb"))
            elif stream == DEVNULL:
                writing = os.open(os.devnull, os.O_WRONLY)
            else:
                writing = os.dup(usual if stream is None else stream.fileno())
            streams.append(Connection(writing, readable=False))
        context = get_context("forkserver")
        context.set_forkserver_preload(_PRELOADED)
        with mock.patch.dict(os.environ, OMP_NUM_THREADS="1"):
            forkserver.ensure_running()
        self._process = context.Process(
            target=_play,
            args=(texts[start:], streams, dict(env or os.environ), str(cwd or Path.cwd())),
            kwargs={"leads": start_new_session},
        )
        self._process.start()
        for stream in streams:
            stream.close()

    @property
    def pid(self) -> int:
        """Of the fork."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """As of ``subprocess.Popen``, known at once."""
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self.returncode is None:
            raise TimeoutExpired("a fork", timeout or 0)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[Any, Any]:
        said: dict[str, Any] = {}

        def read(name: str, stream: IO[Any]) -> None:
            with stream:
                said[name] = stream.read()

        pipes = {name: getattr(self, name) for name in ("stdout", "stderr") if getattr(self, name)}
        threads = [Thread(target=read, args=item) for item in pipes.items()]
        for thread in threads:
            thread.start()
        try:
            self.wait(timeout)
        finally:
            self.kill()
            for thread in threads:
                thread.join()
        return said.get("stdout"), said.get("stderr")

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self._process.kill()


def run(
    words: Sequence[str | Path], *, timeout: float | None = None, **named: Any
) -> CompletedProcess[Any]:
    """As ``subprocess.run`` with ``capture_output``."""
    named = {k: v for k, v in named.items() if k not in ("stdin", "capture_output", "check")}
    process = Popen(words, stdout=PIPE, stderr=PIPE, **named)
    out, err = process.communicate(timeout)
    return CompletedProcess(words, process.wait(), out, err)


def _play(
    words: list[str], streams: list[Connection], env: dict[str, str], cwd: str, *, leads: bool
) -> None:
    """In the fork: become the process that was asked for."""
    if leads:
        os.setsid()
    for number, stream in enumerate(streams, 1):
        os.dup2(stream.fileno(), number)
        stream.close()
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    main = sys.modules["__main__"] = ModuleType("__main__")
    kind, what, *arguments = words
    sys.argv = [kind, *arguments]
    if kind == "-c":
        exec(compile(what, "<string>", "exec"), vars(main))
    else:
        runpy.run_module(what, run_name="__main__", alter_sys=True)
