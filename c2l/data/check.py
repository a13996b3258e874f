"""Says what a data set holds and what is wrong with it, before a long run finds out."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2l.data.examine import EMPTY_MASK, Finding, examine
from c2l.data.folders import Report, shown
from c2l.data.labels import LabelSpace, Merge, folder_space, load_merge
from c2l.data.layouts import records_of
from c2l.data.splitcheck import report_twins, report_unlabelled
from c2l.data.survey import Record, Survey, survey
from c2l.runtime.pool import ordered_map
from c2l.schema import IGNORE

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Problem:
    """A file (relative to the data set where it lies inside) and what is wrong with it."""

    file: str
    problem: str


@dataclass(frozen=True)
class SplitCount:
    """Images of a split, and how many of them have a mask."""

    images: int
    labelled: int
    unlabelled: int


@dataclass(frozen=True)
class Spread:
    """Smallest, median (one that occurs) and largest of some lengths in pixels."""

    min: int
    median: int
    max: int


@dataclass
class CheckReport:
    """What a data set holds.

    Attributes:
        root: the folder that was named.
        layout: "atr", "ccp", "lip" or "folder".
        split: the split whose files were read, or None for all.
        label_space: name of the label space, or None where nobody named the labels.
        images: counts over the files that were read.
        splits: counts of every split, by name.
        unlisted: images that no split holds, where there are splits.
        height: image heights after EXIF orientation; None if no image could be read.
        width: the same of widths.
        formats: images by file format.
        modes: images by Pillow mode, as stored.
        labels: pixels of each label that occurs, by name, in the order of ids.
        ignored: pixels of 255 or of ids outside the label space.
        merge: name of the merge of ``classes``, or None without masks.
        classes: pixels of each class under the merge, by name.
        classes_ignored: pixels that the merge ignores.
        notes: what may be meant so, file by file.
        problems: what is wrong, file by file; empty is good.
    """

    root: str
    layout: str
    split: str | None
    label_space: str | None
    images: SplitCount
    splits: dict[str, SplitCount]
    unlisted: int
    height: Spread | None = None
    width: Spread | None = None
    formats: dict[str, int] = field(default_factory=dict)
    modes: dict[str, int] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)
    ignored: int = 0
    merge: str | None = None
    classes: dict[str, int] = field(default_factory=dict)
    classes_ignored: int = 0
    notes: list[Problem] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """The report as plain values that JSON can hold."""
        return asdict(self)


def check_dataset(
    root: str | Path,
    *,
    split: str | None = None,
    merge: str | None = None,
    workers: int = 0,
    progress: Progress | None = None,
) -> CheckReport:
    """Read every image and mask of a data set, or of one split, and report.

    Args:
        root: the folder, or an image file.
        split: read only this split; a data set without splits is read whole.
        merge: the merge of the class histogram, as ``load_merge`` takes it.
        workers: decoding threads; 0 takes SLURM_CPUS_PER_TASK or the number of cores.
        progress: called with (files done, files in all) after each.

    Raises:
        BadInputError: there is nothing to check, no such split, or a bad merge; whatever is
            wrong with single files is in the report instead.
    """
    problems: list[Problem] = []
    root = Path(root)

    def report(path: str | Path, problem: str, hint: str | None) -> None:
        problems.append(Problem(_relative(path, root), problem))

    found = survey(root, report)
    # A mistake in the merge shows before the long part.
    load_merge(merge, found.space or folder_space(range(IGNORE)))
    split = split if found.splits else None
    records = found.records if split is None else records_of(found, split, lambda *_: None)
    members = {name: frozenset(found.members(name, report)) for name in found.splits}
    result = _opening(found, split, records, members)
    tally = _read_all(records, found.space, workers, progress, report)
    _fill(result, tally, found.space, merge)
    for path in found.stray_masks:
        report(path, "a mask of no image", None)
    report_unlabelled(records, members, report)
    report_twins(tally.twins, records, members, report)
    result.notes = [p for p in problems if p.problem == EMPTY_MASK]
    result.problems = [p for p in problems if p.problem != EMPTY_MASK]
    return result


@dataclass
class _Tally:
    """Sums over the files read; a few numbers an image at most."""

    heights: list[int] = field(default_factory=list)
    widths: list[int] = field(default_factory=list)
    formats: Counter[str] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    pixels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1 << 16, np.int64))
    twins: dict[bytes, list[str]] = field(default_factory=dict)

    def add(self, finding: Finding) -> None:
        if finding.header is not None:
            self.heights.append(finding.header.height)
            self.widths.append(finding.header.width)
            self.formats[finding.header.format] += 1
            self.modes[finding.header.mode] += 1
        if finding.digest is not None:
            self.twins.setdefault(finding.digest, []).append(finding.record.name)
        self.pixels[finding.ids] += finding.pixels


def _opening(
    found: Survey,
    split: str | None,
    records: tuple[Record, ...],
    members: dict[str, frozenset[str]],
) -> CheckReport:
    listed = frozenset[str]().union(*members.values())
    return CheckReport(
        root=str(found.root),
        layout=found.layout,
        split=split,
        label_space=None if found.space is None else found.space.name,
        images=_count(records),
        splits={
            name: _count(r for r in found.records if r.name in names)
            for name, names in members.items()
        },
        unlisted=sum(r.name not in listed for r in found.records) if members else 0,
    )


def _read_all(
    records: tuple[Record, ...],
    space: LabelSpace | None,
    workers: int,
    progress: Progress | None,
    report: Report,
) -> _Tally:
    tally = _Tally()
    findings = ordered_map(partial(examine, space=space), records, workers=workers)
    for done, finding in enumerate(findings, 1):
        tally.add(finding)
        for path, problem in finding.problems:
            report(path, problem, None)
        if progress is not None:
            progress(done, len(records))
    return tally


def _fill(result: CheckReport, tally: _Tally, space: LabelSpace | None, which: str | None) -> None:
    result.height = _spread(tally.heights)
    result.width = _spread(tally.widths)
    result.formats = dict(sorted(tally.formats.items()))
    result.modes = dict(sorted(tally.modes.items()))
    if not result.images.labelled:
        return
    ids = np.flatnonzero(tally.pixels).tolist()
    space = folder_space(ids) if space is None else space
    merge = load_merge(which, space)
    known = [i for i in ids if i < min(len(space.names), IGNORE)]
    result.labels = {space.names[i]: int(tally.pixels[i]) for i in known}
    result.ignored = int(tally.pixels.sum()) - sum(result.labels.values())
    result.merge = merge.name
    result.classes, result.classes_ignored = _by_class(tally.pixels, merge)


def _by_class(pixels: NDArray[np.int64], merge: Merge) -> tuple[dict[str, int], int]:
    ids = np.flatnonzero(pixels)
    sums = np.zeros(256, np.int64)
    np.add.at(sums, merge.apply(ids), pixels[ids])
    return {name: int(sums[i]) for i, name in enumerate(merge.classes)}, int(sums[IGNORE])


def _count(records: Iterable[Record]) -> SplitCount:
    masks = [record.mask is not None for record in records]
    return SplitCount(len(masks), sum(masks), len(masks) - sum(masks))


def _spread(lengths: list[int]) -> Spread | None:
    if not lengths:
        return None
    return Spread(min(lengths), statistics.median_low(lengths), max(lengths))


def _relative(path: str | Path, root: Path) -> str:
    text = str(path)
    return shown(text.removeprefix(f"{root}/"))
