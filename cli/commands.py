"""The table of commands: what each is for, and which options it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from c2l.options import Options

SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class Row(NamedTuple):
    """A command.

    Attributes:
        summary: what it is for, as the list of commands says it.
        options: the class in ``c2l.options``, by name, since importing it takes as long as the
            help of all commands; empty for a command without options of its own.
    """

    summary: str
    options: str = ""


COMMANDS = {
    "parse": Row("Find named parts in photographs at once.", "ParseOptions"),
    "data": Row("Make a synthetic set, or check a folder."),
    "extract": Row("Images to dense features.", "ExtractOptions"),
    "cluster": Row("Features to clusters (k-means or NMF).", "ClusterOptions"),
    "fit": Row("Train C2L or PiCIE on images.", "FitOptions"),
    "teach": Row("Train the network on drawings of people.", "TeachOptions"),
    "eval": Row("Score predictions against masks.", "EvalOptions"),
    "compare": Row("Put scores side by side, with spread over seeds.", "CompareOptions"),
    "report": Row("Put runs side by side on one HTML page.", "ReportOptions"),
    "render": Row("Draw masks, overlays and a report.", "RenderOptions"),
    "export": Row("Write a predictor for other programs.", "ExportOptions"),
    "name": Row("Name the clusters or parts of a predictor."),
    "inspect": Row("Show the contents of an artifact."),
    "status": Row("Show what is done, partial or stale, and what comes next."),
    "verify": Row("Check artifacts and all that they were made from."),
}
DATA_COMMANDS = {
    "synth": Row("Make a synthetic set of people with pixel labels.", "SynthOptions"),
    "check": Row(
        "Say what a folder holds as a data set, and what is wrong with it.", "CheckOptions"
    ),
}


def options_of(name: str) -> type[Options]:
    """The class of a command's options."""
    from c2l import options

    kind: type[Options] = getattr(options, (COMMANDS | DATA_COMMANDS)[name].options)
    return kind
