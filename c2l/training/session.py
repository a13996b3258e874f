"""What every stage that trains does around its loop: the run folder, resuming it, its end."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from c2l.artifacts.lineage import Source, as_json
from c2l.artifacts.outputs import inputs_of, refuse_existing
from c2l.artifacts.runs import Run
from c2l.errors import StoppedError, UsageError
from c2l.options import Options
from c2l.runtime.files import output_errors, sha256_file
from c2l.runtime.pool import worker_count
from c2l.runtime.progress import console
from c2l.runtime.ranks import place
from c2l.runtime.threads import prepare_cpu
from c2l.training.state import State

REPLACE = "resume it with --resume, replace it with --overwrite, or name another output"


def followed(output: Path) -> Path:
    """The folder to write: one that is a symbolic link stays one, its target is replaced."""
    return Path(os.path.realpath(output)) if output.is_symlink() else output


def refuse_output(
    output: Path, options: Options, *, data: Path | None = None, resume: bool, overwrite: bool
) -> None:
    """Refuse a folder that cannot be written, before anything is read.

    Args:
        output: the folder.
        options: of the stage; an input that they name is never the output.
        data: the data set, where the stage reads one.
        resume: continue the run that is there.
        overwrite: replace it.

    Raises:
        UsageError: it holds something already, or is an input.
    """
    if resume and overwrite:
        raise UsageError("--resume continues a run, --overwrite replaces it: choose one")
    if not resume:
        # What a failed start left behind holds nothing.
        replaced = overwrite or Run.is_empty(output)
        read = inputs_of(options, data=data)
        refuse_existing(output, overwrite=replaced, inputs=read, hint=REPLACE)


def begin_run(
    output: Path, config: dict[str, Any], sources: Sequence[Source], *, overwrite: bool
) -> Run:
    """A new run.

    Args:
        output: its folder.
        config: what decides its result.
        sources: its inputs.
        overwrite: replace the run that is there.
    """
    full = config | {"threads": worker_count(), "lineage": as_json(sources)}
    run = Run.create(output, full, overwrite=overwrite)
    prepare_cpu(int(run.config["threads"]))
    return run


def resume_run(output: Path, options: Options, config: dict[str, Any]) -> Run:
    """An existing run, with its own number of threads, on which sums depend.

    Args:
        output: its folder.
        options: in force.
        config: what decides the result besides the options.

    Raises:
        ConfigDiffersError: it began under others.
    """
    run = Run.open(output)
    run.require_same(config, options)
    prepare_cpu(int(run.config.get("threads", 0)))
    return run


def has_begun(output: Path, *, overwrite: bool) -> bool:
    """Whether torchrun started all ranks again and the run that they began is there, to resume.

    Raises:
        UsageError: it may, and ``overwrite`` would replace what was begun.
    """
    here = place()
    if here is None or not here.most_restarts:
        return False
    if overwrite:
        raise UsageError(
            "--overwrite would replace the run again with each start of torchrun --max-restarts",
            hint=f"remove {output} first",
        )
    return bool(here.restarts) and output.is_dir() and not Run.is_empty(output)


@contextmanager
def undone_on_failure(run: Run, *, resume: bool) -> Iterator[None]:
    """A start that fails leaves no run behind, and restores the run that it was to replace."""
    try:
        yield
    except StoppedError:
        raise
    except BaseException:
        if not resume:
            run.undo_create()
        raise


def restore(state: State[Any]) -> None:
    """Take up the newest sound checkpoint of a resumed run, and say which."""
    found = state.restore()
    missing = f"{state.run.path}: nothing was saved yet, starts at step 0"
    console.print(f"resumed at {state.place}" if found else missing)


def close_finished(run: Run) -> None:
    """Say that a run was finished before; it may have been killed before it was closed."""
    console.print(f"{run.path}: finished already")
    close_run(run, max(run.steps(), default=0))


def close_run(run: Run, step: int) -> None:
    """Note the end of a run and remove what only training needs; safe to repeat after a kill."""
    if run.ended_with() is None:
        sums = {
            "predictor_sha256": sha256_file(run.predictor),
            "metrics_sha256": run.learned_sha256(),
        }
        run.log({"kind": "done", "step": step, **sums})
    with output_errors(run.path):
        shutil.rmtree(run.scratch, ignore_errors=True)
        run.forget_epochs()
        run.forget_previous()
