"""Options of ``compare``."""

from __future__ import annotations

from dataclasses import dataclass

from c2l.options.fields import Options, option


@dataclass(frozen=True, kw_only=True)
class CompareOptions(Options):
    """Options of ``compare``."""

    format: str = option(
        "markdown", "Format of the file.", group="Data", choices=("markdown", "json")
    )
    against: str | None = option(
        None,
        "Also show the differences of the other rows to the row of this name.",
        group="Scores",
        metavar="NAME",
    )
    agreement: bool = option(
        False,
        "Also show NMI and ARI, over all pixels and within the labelled foreground (FG).",
        group="Scores",
    )
    mixed: bool = option(
        False,
        "Also compare scores of different photos, splits, label merges or label spaces.",
        group="Scores",
    )
