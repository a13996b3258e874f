"""Counts every pixel that no score is made of, with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2l.data.labels import LabelSpace, Merge
from c2l.schema import IGNORE

# Largest shares of all pixels that may drop out unasked: labels that the space or the merge does
# not know, and these with the ignored ones. Void borders as Pascal VOC draws them are 5 %.
MOST_FOREIGN, MOST_UNSCORED = 0.01, 0.10
_MOST_SHOWN = 6


@dataclass(frozen=True)
class Pixels:
    """Pixels of masks by what becomes of them.

    Attributes:
        all: all of them.
        scored: those of a class.
        ignore: of id 255.
        outside: of ids outside the label space, by id.
        merged_away: of labels that the merge says to ignore, by name.
        forgotten: of labels that the merge does not name, by name.
    """

    all: int
    scored: int
    ignore: int
    outside: dict[str, int]
    merged_away: dict[str, int]
    forgotten: dict[str, int]

    @classmethod
    def of(
        cls,
        by_label: NDArray[np.int64],
        dropped: Mapping[int, int],
        space: LabelSpace,
        merge: Merge,
    ) -> Pixels:
        """Counts under a merge.

        Args:
            by_label: (R,) pixels of each label of the space.
            dropped: pixels by id of what is no label of it, 255 included.
            space: of R labels.
            merge: of the space.
        """
        named = {space.names[i]: (i, int(n)) for i, n in enumerate(by_label) if n}
        away = {k: n for k, (i, n) in named.items() if merge.table[i] == IGNORE}
        forgotten = {space.names[i] for i in merge.forgotten if i < len(space.names)}
        total = int(by_label.sum()) + sum(dropped.values())
        return cls(
            all=total,
            scored=int(by_label.sum()) - sum(away.values()),
            ignore=int(dropped.get(IGNORE, 0)),
            outside={str(i): int(n) for i, n in sorted(dropped.items()) if i != IGNORE},
            merged_away={k: n for k, n in away.items() if k not in forgotten},
            forgotten={k: n for k, n in away.items() if k in forgotten},
        )

    @classmethod
    def stored(cls, values: Any) -> Pixels:
        """The counts that an artifact of any origin holds.

        Raises:
            ValueError: they are none.
        """
        if not isinstance(values, dict) or values.keys() != {f.name for f in fields(cls)}:
            raise ValueError("expected counts of pixels by reason")
        for value in values.values():
            counts = value.items() if isinstance(value, dict) else [("", value)]
            if not all(name.isprintable() and type(n) is int and n >= 0 for name, n in counts):
                raise ValueError("expected counts of pixels by printable names")
        kinds = {f.name for f in fields(cls) if isinstance(values[f.name], dict)}
        if kinds != {"outside", "merged_away", "forgotten"}:
            raise ValueError("expected counts of pixels by reason")
        if not all(name.isdecimal() for name in values["outside"]):
            raise ValueError("expected ids of labels")
        return cls(**values)

    def as_dict(self) -> dict[str, Any]:
        """Plain values that JSON can hold."""
        return asdict(self)

    @property
    def dropped(self) -> dict[int, int]:
        """Pixels by id of what is no label, 255 included."""
        return {IGNORE: self.ignore} | {int(i): n for i, n in self.outside.items()}

    def said(self) -> str:
        """What is not scored, in one line; empty where everything is."""
        said = self._reasons()
        return f"pixels not scored: {said}" if said else ""

    def _reasons(self) -> str:
        parts = [
            (self.ignore, "ignored (255)"),
            (sum(self.outside.values()), f"outside the label space (ids {_names(self.outside)})"),
            (sum(self.merged_away.values()), f"ignored by the merge ({_names(self.merged_away)})"),
            (sum(self.forgotten.values()), f"not named by the merge ({_names(self.forgotten)})"),
        ]
        return ", ".join(f"{_percent(n, self.all)} {why}" for n, why in parts if n)

    def excess(self) -> str:
        """What drops out that nobody asked to leave out; empty where it is a small share."""
        foreign = sum(self.outside.values()) + sum(self.forgotten.values())
        for count, most, what in (
            (foreign, MOST_FOREIGN, "are of labels that are not known"),
            (foreign + self.ignore, MOST_UNSCORED, "would not be scored"),
        ):
            if count > most * self.all:
                share = f"{_percent(count, self.all)} of the pixels {what}"
                return f"{share}, at most {100 * most:.0f} % may: {self._reasons()}"
        return ""


def _percent(count: int, total: int) -> str:
    """A share that is never shown as none."""
    share = 100 * count / max(total, 1)
    return f"{share:.1f} %" if share >= 0.05 else "under 0.1 %"


def _names(counts: Mapping[str, int]) -> str:
    """The most frequent first."""
    ranked = sorted(counts, key=lambda name: -counts[name])
    more = f" and {len(ranked) - _MOST_SHOWN} more" if len(ranked) > _MOST_SHOWN else ""
    return ", ".join(ranked[:_MOST_SHOWN]) + more
