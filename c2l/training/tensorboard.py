"""A run's metrics as curves of TensorBoard."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from c2l.artifacts.runs import Run
from c2l.errors import UsageError
from c2l.runtime.files import output_errors
from c2l.runtime.progress import console

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

# Kinds of metrics that have no curves, and keys that are places on the axis.
_NO_CURVES = {"checkpoint", "done", "lost"}
_PLACES = {"kind", "step", "epoch"}


def writer_class() -> type[SummaryWriter]:
    """The writer of TensorBoard's files.

    Raises:
        UsageError: tensorboard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise UsageError(
            "--tensorboard needs tensorboard", hint='install it: pip install "c2l[tensorboard]"'
        ) from None
    return SummaryWriter


@contextmanager
def mirrored(run: Run, folder: str | None) -> Iterator[None]:
    """Write the run's metrics for TensorBoard while the block runs, the earlier ones first.

    What the folder holds of the run is hidden by a purge from step 0 on and written again from the
    metrics. So the curves are those of the metrics, each step once, also where a run was killed
    after its last checkpoint, moved, or began without them.

    Args:
        run: with metrics that end where it is resumed.
        folder: of TensorBoard; None does nothing.

    Raises:
        UsageError: tensorboard is not installed.
        OutputError: the folder cannot be written.
    """
    if folder is None:
        yield
        return
    place = Path(folder) / run.path.absolute().name
    with output_errors(place):
        writer = writer_class()(str(place), purge_step=0)
    curves = _Curves(writer)
    for record in run.read_metrics():
        curves.add(record)
    writer.flush()
    run.watch = curves.add
    try:
        yield
    finally:
        run.watch = None
        curves.close()


class _Curves:
    """Adds metrics to TensorBoard's files; an error there does not end a training."""

    def __init__(self, writer: SummaryWriter) -> None:
        self._writer, self._step, self._broken = writer, 0, False

    def add(self, record: dict[str, Any]) -> None:
        """Add the numbers of a line of the metrics, at its step or at the last one."""
        step = record.get("step")
        self._step = step if type(step) is int else self._step
        kind = str(record.get("kind"))
        if self._broken or kind in _NO_CURVES:
            return
        try:
            for key, value in record.items():
                if key not in _PLACES and type(value) in (int, float):
                    self._writer.add_scalar(_tag(kind, key), value, self._step)
        except OSError as error:
            self._give_up(error)

    def close(self) -> None:
        """Write what waits."""
        try:
            self._writer.close()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        if not self._broken:
            console.print(f"warning: no more curves for TensorBoard: {error}")
        self._broken = True


def _tag(kind: str, key: str) -> str:
    """Losses and gradients in groups of their own, all else by the kind of the line."""
    if key == "loss":
        return "loss/total"
    group, _, name = key.partition("_")
    return f"{group}/{name}" if name and group in ("loss", "gradient") else f"{kind}/{key}"
