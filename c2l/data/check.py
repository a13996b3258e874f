"""Says what a data set holds and what is wrong with it, before a long run finds out."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2l.data.audit import CURE, other_palettes
from c2l.data.check_report import CheckReport, LeftOutFile, Problem, SplitCount, Spread
from c2l.data.dataset import records_of
from c2l.data.examine import Finding, examine, ids_outside, is_empty
from c2l.data.inventory import Inventory, Remark
from c2l.data.labels import LabelSpace, folder_space, load_merge, published_space
from c2l.data.names import shown
from c2l.data.records import Choices, Record
from c2l.data.reports import Report
from c2l.data.scoring_input import IdsFound, require_one_kind
from c2l.data.spaces import Meaning
from c2l.data.splitcheck import report_twins, report_unlabelled
from c2l.data.taking import take_inventory
from c2l.data.unscored import Pixels
from c2l.errors import BadInputError
from c2l.runtime.pool import ordered_map
from c2l.schema import IGNORE

Progress = Callable[[int, int], None]


def check_dataset(
    root: str | Path,
    *,
    split: str | None = None,
    merge: str | None = None,
    workers: int = 0,
    progress: Progress | None = None,
    choices: Choices | None = None,
) -> CheckReport:
    """Read every image and mask of a data set, or of one split, and report.

    Args:
        root: the folder, or an image file.
        split: read only this split.
        merge: the merge of the class histogram, as ``load_merge`` takes it.
        workers: decoding threads; 0 takes SLURM_CPUS_PER_TASK or the number of cores.
        progress: called with (files done, files in all) after each.
        choices: what the user says of the data set.

    Raises:
        BadInputError: there is no such folder or split, or a bad merge; whatever is wrong with
            single files is in the report instead.
    """
    remarks: list[Remark] = []
    root = Path(root)

    def report(path: str | Path, problem: str, hint: str | None) -> None:
        remarks.append(Remark(path, problem, hint))

    found = take_inventory(root, choices or Choices(), report)
    _require_merge(merge, found.meaning)
    records = found.records if split is None else records_of(found, split, lambda *_: None)
    members = {name: _members(found, name, report) for name in found.splits}
    result = _opening(found, split, records, members)
    tally = _read_all(records, workers, progress)
    remarks += [*found.wrong, *found.ambiguous]
    remarks += [Remark(fault.path, fault.problem, fault.hint) for fault in found.meaning.faults]
    remarks += [remark for finding in tally.findings for remark in finding.problems]
    notes = list(found.notes)
    _fill(result, tally)
    if unread := len(records) - len(tally.heights):
        result.line += f"; {unread} of the photos cannot be read"
    _explain_sizes(tally, remarks, notes)
    _explain_labels(result, found, tally, merge, remarks, notes)
    report_unlabelled(records, members, report)
    report_twins(tally.twins, records, members, report)
    result.notes = [_problem(remark, root) for remark in notes]
    result.problems = [_problem(remark, root) for remark in remarks]
    return result


@dataclass
class _Tally:
    """Sums over the files read; a few numbers per image at most.

    Attributes:
        findings: those of masks, or with problems.
        pixels: by raw id.
    """

    heights: list[int] = field(default_factory=list)
    widths: list[int] = field(default_factory=list)
    formats: Counter[str] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    pixels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1 << 16, np.int64))
    ids: IdsFound = field(default_factory=IdsFound)
    twins: dict[bytes, list[str]] = field(default_factory=dict)

    def add(self, finding: Finding) -> None:
        if finding.header is not None:
            self.heights.append(finding.header.height)
            self.widths.append(finding.header.width)
            self.formats[finding.header.format] += 1
            self.modes[finding.header.mode] += 1
        if finding.digest is not None:
            self.twins.setdefault(finding.digest, []).append(finding.record.name)
        if finding.ids.size:
            self.ids.add(finding.ids.tolist())
        if finding.record.mask is not None or finding.problems:
            self.findings.append(finding)
        self.pixels[finding.ids] += finding.pixels


def _require_merge(which: str | None, meaning: Meaning) -> None:
    """Refuse a mistake in the merge before the long part.

    It may be for a published space that the ids have yet to prove.
    """
    unnamed = folder_space(range(IGNORE))
    if meaning.space is not None or meaning.possible is None:
        load_merge(which, meaning.space or unnamed)
        return
    try:
        load_merge(which, published_space(meaning.possible))
    except BadInputError as error:
        with suppress(BadInputError):
            load_merge(which, unnamed)
            return
        raise error


def _members(found: Inventory, split: str, report: Report) -> frozenset[str]:
    """The names of a split's images; a list that cannot be read is reported."""
    try:
        return frozenset(found.members(split, report))
    except BadInputError as error:
        report(error.path, error.problem, error.hint)
        return frozenset()


def _opening(
    found: Inventory,
    split: str | None,
    records: tuple[Record, ...],
    members: dict[str, frozenset[str]],
) -> CheckReport:
    listed = frozenset[str]().union(*members.values())
    return CheckReport(
        root=str(found.root),
        layout=found.layout,
        split=split,
        line=found.line(None if split is None else records),
        label_space=None,
        labels_by=found.meaning.said,
        images=_count(records),
        splits={
            name: _count(r for r in found.records if r.name in names)
            for name, names in members.items()
        },
        unlisted=sum(r.name not in listed for r in found.records) if members else 0,
        left_out=[LeftOutFile(one.name, one.why, one.files) for one in found.left],
        texts=list(found.lists),
    )


def _read_all(records: tuple[Record, ...], workers: int, progress: Progress | None) -> _Tally:
    tally = _Tally()
    for done, finding in enumerate(ordered_map(examine, records, workers=workers), 1):
        tally.add(finding)
        if progress is not None:
            progress(done, len(records))
    return tally


def _fill(result: CheckReport, tally: _Tally) -> None:
    result.height, result.width = _extent(tally.heights), _extent(tally.widths)
    result.formats = dict(sorted(tally.formats.items()))
    result.modes = dict(sorted(tally.modes.items()))


def _explain_sizes(tally: _Tally, problems: list[Remark], notes: list[Remark]) -> None:
    """Masks of other sizes: one line for each cause that is the same for all of them."""
    wrong = [f.wrong_size for f in tally.findings if f.wrong_size is not None]
    for cause, what in (
        ("scale", "are of another size but the same shape as their images"),
        ("exif", "fit their images only without, or only with, EXIF orientation"),
    ):
        alike = [error for error in wrong if error.cause == cause]
        if len(alike) > 1:
            first = alike[0].problem
            problem = f"{len(alike)} masks {what}; this one: {first}"
            problems.append(Remark(alike[0].path, problem, alike[0].hint))
            wrong = [error for error in wrong if error.cause != cause]
    problems += [Remark(error.path, error.problem, error.hint) for error in wrong]
    resized = [f for f in tally.findings if f.resized]
    if resized:
        count = _masks(len(resized))
        notes.append(Remark(_mask_of(resized[0]), f"{count} resized, nearest neighbour"))
    turned = [f for f in tally.findings if _fits_either_way(f)]
    if turned:
        problem = (
            f"{_masks(len(turned))} of the size of a photo that EXIF orientation turns: whether "
            "drawn on the turned photo or on the stored one, the size cannot tell"
        )
        hint = "look at one; photos are read as stored by: --exif ignore"
        notes.append(Remark(_mask_of(turned[0]), problem, hint))


def _explain_labels(
    result: CheckReport,
    found: Inventory,
    tally: _Tally,
    which: str | None,
    problems: list[Remark],
    notes: list[Remark],
) -> None:
    """What the ids are, under the space and the merge, and what is wrong with them."""
    meaning = found.meaning.given(tally.ids.ids) if tally.ids.ids else found.meaning
    result.labels_by = meaning.said
    result.label_space = None if meaning.space is None else meaning.space.name
    if not result.images.labelled:
        return
    binary = False
    try:
        binary = require_one_kind(found.root, meaning, tally.ids)
    except BadInputError as error:
        problems.append(Remark(found.root, error.problem, error.hint))
    for finding in tally.findings:
        if is_empty(finding, binary=binary):
            empty = "the mask is empty: nothing but background or 255"
            notes.append(Remark(_mask_of(finding), empty))
        if outside := ids_outside(finding, meaning.space):
            problems.append(Remark(_mask_of(finding), outside))
    records = (finding.record for finding in tally.findings)
    odd = other_palettes(r.mask for r in records if r.mask is not None and r.drawn is None)
    problems += [Remark(path, problem, CURE) for path, problem in odd.items()]
    _count_labels(result, meaning, tally, which, binary=binary)
    if binary:
        notes.append(Remark(found.root, f"masks are 0 and 255: 255 is read as {_second(meaning)}"))
    pixels = result.pixels
    if pixels is not None and (excess := pixels.excess()):
        problems.append(Remark(found.root, excess, "name the labels: --labels NAME|FILE"))
    shown_classes = [name for name, count in result.classes.items() if count]
    if len(shown_classes) == 1 and tally.ids.ids and not tally.ids.full:
        problem = f"every labelled pixel is {shown_classes[0]}: a score needs two classes"
        problems.append(Remark(found.root, problem, "choose another --merge or split"))


def _count_labels(
    result: CheckReport, meaning: Meaning, tally: _Tally, which: str | None, *, binary: bool
) -> None:
    counts = tally.pixels
    if binary:
        counts[1], counts[IGNORE] = counts[1] + counts[IGNORE], 0
    ids = np.flatnonzero(counts).tolist()
    space = meaning.space or folder_space(ids)
    merge = load_merge(which, space)
    known = min(len(space.names), IGNORE)
    result.labels = {space.names[i]: int(counts[i]) for i in ids if i < known}
    result.ignored = int(counts.sum()) - sum(result.labels.values())
    result.merge = merge.name
    sums = np.zeros(256, np.int64)
    np.add.at(sums, merge.apply(np.array(ids, dtype=np.int64)), counts[ids])
    result.classes = {name: int(sums[i]) for i, name in enumerate(merge.classes)}
    result.classes_ignored = int(sums[IGNORE])
    dropped = {i: int(counts[i]) for i in ids if i >= known}
    result.pixels = Pixels.of(counts[:known], dropped, space, merge)


def _second(meaning: Meaning) -> str:
    space: LabelSpace | None = meaning.space
    return "1" if space is None else space.names[1]


def _fits_either_way(finding: Finding) -> bool:
    fits = finding.record.mask is not None and finding.ids.size > 0
    return fits and finding.header is not None and finding.header.fits_either_way


def _mask_of(finding: Finding) -> Path:
    return finding.record.mask or finding.record.image


def _masks(count: int) -> str:
    return "1 mask is" if count == 1 else f"{count} masks are"


def _count(records: Iterable[Record]) -> SplitCount:
    masks = [record.mask is not None for record in records]
    return SplitCount(len(masks), sum(masks), len(masks) - sum(masks))


def _extent(lengths: Sequence[int]) -> Spread | None:
    if not lengths:
        return None
    return Spread(min(lengths), statistics.median_low(lengths), max(lengths))


def _problem(remark: Remark, root: Path) -> Problem:
    file = shown(str(remark.path).removeprefix(f"{root}/"))
    return Problem(file, remark.problem, remark.hint)
