"""Options of ``compare`` and ``report``."""

from __future__ import annotations

from dataclasses import dataclass

from c2l.options.fields import Options, option


@dataclass(frozen=True, kw_only=True)
class ReportOptions(Options):
    """Options of ``report``, which ``compare`` has too."""

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


@dataclass(frozen=True, kw_only=True)
class CompareOptions(ReportOptions):
    """Options of ``compare``."""

    format: str = option(
        "markdown", "Format of the file.", group="Data", choices=("markdown", "json")
    )
