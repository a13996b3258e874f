"""A run folder: configuration, checkpoints, metrics, the final predictor."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from c2l import __version__, schema
from c2l.artifacts.checkpoints import (
    Checkpoint,
    damaged_files,
    read_checkpoint,
    read_state,
    write_checkpoint,
)
from c2l.artifacts.untrusted.types import RUN_KINDS, require_kinds
from c2l.errors import BadInputError, ConfigDiffersError, UsageError
from c2l.options import Options, decisive_options, known
from c2l.runtime.files import output_errors, partial_sibling, replacing_folder, sha256_file, sync
from c2l.runtime.json_files import LARGEST_JSON, digest_of, flat, read_json, unseal, write_json

HINT = "make one with: c2l fit DATA -o RUN"


class Run:
    """A run folder that is being written or read.

    Args:
        path: the folder.
        config: its resolved configuration, as stored.
    """

    def __init__(self, path: Path, config: dict[str, Any]) -> None:
        self.path, self.config = path, config
        # Is given each line of the metrics.
        self.watch: Callable[[dict[str, Any]], None] | None = None

    @property
    def sha256(self) -> str:
        """Hex SHA-256 of its configuration, which tells it from other runs."""
        return digest_of(self.config)

    @property
    def scratch(self) -> Path:
        """Folder for what can be made again; removed when the run is done."""
        return self.path / schema.RUN_SCRATCH

    @property
    def predictor(self) -> Path:
        """The final network and centroids."""
        return self.path / schema.PREDICTOR

    @property
    def metrics(self) -> Path:
        """The metrics, a JSON object a line."""
        return self.path / schema.RUN_METRICS

    @classmethod
    def is_empty(cls, path: Path) -> bool:
        """Whether a run folder holds nothing yet: one that a failed start left behind."""
        if _is_untouched(path):
            return True
        if not path.is_dir() or not _is_run(path) or (path / schema.PREDICTOR).exists():
            return False
        return not list(path.glob(f"{schema.STEP_PREFIX}*"))

    @classmethod
    def create(cls, path: Path, config: dict[str, Any], *, overwrite: bool) -> Run:
        """Start a new run folder.

        One without a checkpoint holds nothing and is replaced.

        Raises:
            UsageError: the folder holds something already and ``overwrite`` is not given, or
                holds something that is no run (which is never removed).
            OutputError: it cannot be written.
        """
        if path.exists() and not _is_untouched(path):
            if not (overwrite or cls.is_empty(path)):
                raise UsageError(
                    f"{path}: exists already",
                    hint="resume it with --resume, or replace it with --overwrite",
                )
            if not _is_run(path):
                raise UsageError(f"{path}: is not a run folder, so --overwrite will not remove it")
            with output_errors(path):
                _set_aside(path)
        full = {
            "format": schema.FORMAT_RUN,
            "format_version": schema.FORMAT_VERSION,
            "created_by": f"c2l {__version__}",
            **config,
        }
        run = cls(path, full)
        with output_errors(path):
            path.mkdir(parents=True, exist_ok=True)
        try:
            write_json(path / schema.RUN_CONFIG, full, sealed=True)
        except BaseException:
            run.undo_create()
            raise
        return run

    def undo_create(self) -> None:
        """Undo ``create`` after a failure before the first checkpoint."""
        if self.steps() or self.predictor.is_file():
            return
        with contextlib.suppress(OSError):
            shutil.rmtree(self.path)
            if kept := _kept_aside(self.path):
                kept[-1].rename(self.path)

    def forget_previous(self) -> None:
        """Remove the runs that this one replaces, once this one is complete."""
        for kept in _kept_aside(self.path):
            shutil.rmtree(kept, ignore_errors=True)

    @classmethod
    def open(cls, path: Path) -> Run:
        """Open an existing run folder.

        Raises:
            BadInputError: there is none, or it is of another program or version.
        """
        if not path.is_dir():
            raise BadInputError(path, "no such run folder", hint=HINT)
        config = read_json(path / schema.RUN_CONFIG, what="a run's configuration", hint=HINT)
        found = (config.get("format"), config.get("format_version"))
        if found != (schema.FORMAT_RUN, schema.FORMAT_VERSION):
            raise BadInputError(path, f"not a run of this version of c2l: {found}", hint=HINT)
        unseal(path / schema.RUN_CONFIG, config, hint=HINT)
        require_kinds(path / schema.RUN_CONFIG, config, RUN_KINDS)
        return cls(path, config)

    def ended_with(self) -> str | None:
        """SHA-256 of the predictor that the run ended with, None where it has not ended."""
        wanted = self.end().get("predictor_sha256")
        return str(wanted) if wanted else None

    def end(self) -> dict[str, Any]:
        """The line of the metrics that ends the run, empty where it has not ended."""
        return next((m for m in reversed(self.read_metrics()) if m.get("kind") == "done"), {})

    def learned_sha256(self) -> str:
        """SHA-256 of the lines of the metrics that a stop and a resumption leave as they are.

        Without the checkpoints, since every stop adds one, and without the run's end.
        """
        lines = self.metrics.read_bytes().splitlines(keepends=True)
        kinds = (b'{"kind": "checkpoint"', b'{"kind": "done"')
        return hashlib.sha256(b"".join(s for s in lines if not s.startswith(kinds))).hexdigest()

    def require_own_predictor(self) -> str:
        """SHA-256 of the predictor.

        Raises:
            BadInputError: it is not the one that the run ended with, but another run's.
        """
        found = sha256_file(self.predictor)
        if self.ended_with() not in (None, found):
            raise BadInputError(self.predictor, "is not the one that its run ended with", hint=HINT)
        return found

    def require_same(self, config: dict[str, Any], options: Options) -> None:
        """Refuse to resume under a configuration that would give another result.

        An option that came after the run began counts as its default.

        Args:
            config: what is compared besides the options.
            options: of the resumption.

        Raises:
            ConfigDiffersError: names the keys with both values.
        """
        kind = type(options)
        began = vars(kind()) | known(kind, self.config.get("options", {}))
        mine = flat(self.config | {"options": began})
        theirs = flat(config | {"options": decisive_options(options)})
        differing = [k for k in theirs if mine.get(k) != theirs[k]]
        if differing:
            lines = [f"  {k}: the run has {mine.get(k)!r}, now {theirs[k]!r}" for k in differing]
            learned = f" (--checkpoint {self.path} takes up what this one learned)"
            raise ConfigDiffersError(
                f"{self.path}: cannot be resumed under another configuration\n" + "\n".join(lines),
                hint="resume with the run's own options, or start a new run"
                + (learned if self.predictor.is_file() else "; --overwrite replaces this one"),
            )

    def steps(self) -> list[int]:
        """Steps of the committed checkpoints, in order."""
        found = []
        for folder in self.path.glob(f"{schema.STEP_PREFIX}*"):
            number = folder.name.removeprefix(schema.STEP_PREFIX)
            ours = number.isdigit() and folder == self.step_folder(int(number))
            if ours and (folder / schema.STEP_COMMIT).is_file():
                found.append(int(number))
        return sorted(found)

    def step_folder(self, step: int) -> Path:
        """Where a checkpoint lies."""
        return self.path / f"{schema.STEP_PREFIX}{step:08d}"

    def save(self, checkpoint: Checkpoint, *, keep: int) -> None:
        """Write a checkpoint, the commit marker last, then remove the oldest beyond ``keep``.

        Raises:
            OutputError: it cannot be written; earlier checkpoints are intact.
        """
        with output_errors(self.path):
            with replacing_folder(self.step_folder(checkpoint.position.step)) as partial:
                write_checkpoint(partial, checkpoint, self.sha256)
                if self.metrics.exists():
                    sync(self.metrics)  # the state holds their size
                sync(partial)
            for step in self.steps()[:-keep]:
                # The marker goes first, so that a half-removed checkpoint is not believed.
                (self.step_folder(step) / schema.STEP_COMMIT).unlink()
                shutil.rmtree(self.step_folder(step))

    def latest(self) -> Checkpoint | None:
        """The newest sound checkpoint of this run whose epoch's targets are there, or None."""
        for step in reversed(self.steps()):
            folder = self.step_folder(step)
            try:
                if damaged_files(folder) or not self.has_made(step):
                    continue
                found = read_checkpoint(folder)
                wanted, targets = found.targets_sha256, self.epoch_file(found.position.epoch)
                if not wanted or sha256_file(targets) == wanted:
                    return found
            except (BadInputError, OSError):
                continue
        return None

    def has_made(self, step: int) -> bool:
        """Whether a checkpoint is this run's own of that step, not copied from elsewhere.

        Raises:
            BadInputError: its state is damaged.
        """
        state = read_state(self.step_folder(step))
        return (state["run_sha256"], state["step"]) == (self.sha256, step)

    def clean(self) -> None:
        """Remove what a killed process left half-written or half-removed."""
        for folder in self.path.glob(f"*{schema.STEP_PREFIX}*"):
            hidden = folder.name.startswith(f".{schema.STEP_PREFIX}")
            number = folder.name.removeprefix(schema.STEP_PREFIX)
            unmarked = number.isdigit() and not (folder / schema.STEP_COMMIT).is_file()
            if folder.is_dir() and (hidden or unmarked):
                shutil.rmtree(folder, ignore_errors=True)

    def epoch_file(self, epoch: int) -> Path:
        """Where an epoch's centroids and labels are kept."""
        return self.path / f"{schema.EPOCH_PREFIX}{epoch:04d}" / schema.EPOCH_TARGETS

    def forget_old_epochs(self) -> None:
        """Remove the targets of epochs that no kept checkpoint needs any more."""
        needed = []
        for step in self.steps():
            with contextlib.suppress(BadInputError):
                needed.append(read_state(self.step_folder(step))["epoch"])
        if needed:
            self.forget_epochs(before=min(needed))

    def forget_epochs(self, *, before: int | None = None) -> None:
        """Remove the targets of epochs before one; of all without one."""
        for folder in self.path.glob(f"{schema.EPOCH_PREFIX}*"):
            number = folder.name.removeprefix(schema.EPOCH_PREFIX)
            if number.isdigit() and (before is None or int(number) < before):
                shutil.rmtree(folder, ignore_errors=True)

    def log(self, record: dict[str, Any]) -> None:
        """Append a line to the metrics."""
        line = json.dumps(record, allow_nan=False) + "\n"
        with (
            output_errors(self.metrics, needed=len(line)),
            self.metrics.open("a", encoding="utf-8") as file,
        ):
            file.write(line)
        if self.watch:
            self.watch(record)

    def metrics_size(self) -> int:
        """Bytes of the metrics so far."""
        return self.metrics.stat().st_size if self.metrics.exists() else 0

    def rewind_metrics(self, size: int) -> None:
        """Drop the lines written after the checkpoint that is resumed."""
        if self.metrics.exists():
            with output_errors(self.metrics):
                os.truncate(self.metrics, min(size, self.metrics_size()))

    def read_metrics(self) -> list[dict[str, Any]]:
        """All metrics; a line that is no object, as one cut off by a kill, is left out.

        Raises:
            BadInputError: far larger than the metrics of any run.
        """
        if not self.metrics.exists():
            return []
        if self.metrics.stat().st_size > LARGEST_JSON:
            size = self.metrics.stat().st_size
            raise BadInputError(self.metrics, f"not a run's metrics: {size:,} bytes")
        records = []
        for line in self.metrics.read_bytes().splitlines():
            with contextlib.suppress(ValueError, RecursionError):
                records.append(json.loads(line))
        return [record for record in records if isinstance(record, dict)]


def _aside(path: Path, number: int = 0) -> Path:
    """Where a run lies that is to be replaced: the first, or one that was to replace it."""
    name = f".{path.absolute().name}.previous"
    return path.absolute().with_name(f"{name}-{number}" if number else name)


def _kept_aside(path: Path) -> list[Path]:
    """The runs that wait for the new one to be complete, oldest first."""
    found: list[Path] = []
    while _aside(path, len(found)).exists():
        found.append(_aside(path, len(found)))
    return found


def _set_aside(path: Path) -> None:
    """Keep a run that holds something until the new one is complete."""
    if Run.is_empty(path):
        shutil.rmtree(path)
    else:
        path.rename(_aside(path, len(_kept_aside(path))))


def _is_untouched(path: Path) -> bool:
    """Whether a folder holds nothing, or what a run killed at its very start leaves behind."""
    half = partial_sibling(path / schema.RUN_CONFIG).name
    return path.is_dir() and all(entry.name == half for entry in path.iterdir())


def _is_run(path: Path) -> bool:
    try:
        config = read_json(path / schema.RUN_CONFIG, what="a run's configuration")
    except BadInputError:
        return False
    return config.get("format") == schema.FORMAT_RUN
