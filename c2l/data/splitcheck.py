"""Finds what makes a split's score worthless: missing masks, and pictures it trained on."""

from __future__ import annotations

from c2l.data.names import shown, split_kind
from c2l.data.records import Record
from c2l.data.reports import Report


def report_unlabelled(
    records: tuple[Record, ...],
    members: dict[str, frozenset[str]],
    report: Report,
) -> None:
    """Images without a mask, in splits that are there to be scored.

    A training split may lack masks, which nothing reads; a split of which none has a mask
    is unlabelled as a whole.
    """
    for name, names in members.items():
        inside = [r for r in records if r.name in names]
        scored = split_kind(name) in ("val", "test") or name.endswith("-labelled")
        if scored and any(r.mask is not None for r in inside):
            for record in inside:
                if record.mask is None:
                    report(record.image, f"no mask, though the split '{name}' has masks", None)


def report_twins(
    twins: dict[bytes, list[str]],
    records: tuple[Record, ...],
    members: dict[str, frozenset[str]],
    report: Report,
) -> None:
    """The same picture twice, above all on both sides of training and scoring."""
    images = {record.name: record.image for record in records}
    kinds = {name: split_kind(name) for name in members}

    def homes(name: str) -> dict[str, str]:
        """The kinds of the splits that hold an image -> the first such split."""
        found: dict[str, str] = {}
        for split, kind in kinds.items():
            if kind is not None and name in members[split]:
                found.setdefault(kind, split)
        return found

    for names in twins.values():
        first = homes(names[0])
        if len(first) > 1:
            splits = " and ".join(f"'{split}'" for split in first.values())
            report(images[names[0]], f"a leak: it is in the splits {splits}", None)
        for name in names[1:]:
            same = f"the same file as {shown(names[0])}"
            both = first | homes(name)
            if len(both) > 1:
                splits = " and ".join(f"'{split}'" for split in both.values())
                report(images[name], f"a leak: {same}, across the splits {splits}", None)
            else:
                report(images[name], same, None)
