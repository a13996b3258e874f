"""name: what a user calls a predictor's clusters or parts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from c2l.artifacts.drawn import located
from c2l.artifacts.given_names import write_given
from c2l.artifacts.outputs import hold
from c2l.drawing.palette import colours_of
from c2l.errors import UsageError
from c2l.model.loading import load_predictor
from c2l.model.predictor import Predictor

LONGEST = 60
# They separate names from what stands beside them in files of other programs.
REFUSED = ':;"<>\\/'


def name(artifact: Path, given: Sequence[str], weights: str | None = None) -> list[dict[str, Any]]:
    """Give names to a predictor's clusters or parts; without any, only list them.

    Args:
        artifact: a run folder, a predictor's file, a clusters file, or ``drawn`` (only listed).
        given: ``ID=NAME`` each; an empty name takes the given one back.
        weights: where the backbone's weights of a clusters file are now.

    Returns:
        For each id ``id``, ``name``, ``own`` (without the given name) and ``colour``.

    Raises:
        BadInputError: no finished predictor.
        UsageError: an unknown cluster, or a name that is taken, empty or cannot be written.
        OutputError: they cannot be written.
    """
    predictor = load_predictor(artifact, torch.device("cpu"), weights)
    if given:
        place = located(artifact)
        with hold(place):
            called = _called(predictor, given)
            write_given(place, predictor.origin.sha256, called)
        predictor = load_predictor(artifact, torch.device("cpu"), weights)
    rows = zip(predictor.names, predictor.own_names, colours_of(predictor.names), strict=True)
    return [
        {"id": index, "name": name, "own": own, "colour": "#" + bytes(colour.tolist()).hex()}
        for index, (name, own, colour) in enumerate(rows)
    ]


def _called(predictor: Predictor, given: Sequence[str]) -> dict[int, str]:
    """The given names by id, those of before among them."""
    called, seen = dict(predictor.called), set[int]()
    for word in given:
        number, separator, text = word.partition("=")
        text = text.strip()
        if not separator or not number.isdecimal():
            raise UsageError(f"{word!r}: expected ID=NAME, for example 2=sleeves")
        index = int(number)
        if index >= predictor.clusters:
            last = predictor.clusters - 1
            raise UsageError(
                f"{word!r}: there are clusters 0 to {last}", hint="list them: c2l name RUN"
            )
        if index in seen:
            raise UsageError(f"{word!r}: cluster {index} is named twice")
        seen.add(index)
        if not text:
            called.pop(index, None)
            continue
        if not text.isprintable() or len(text) > LONGEST or set(text) & set(REFUSED):
            raise UsageError(
                f"{word!r}: expected up to {LONGEST} printable characters without {REFUSED}"
            )
        called[index] = text
    names = [called.get(i, own).casefold() for i, own in enumerate(predictor.own_names)]
    for index, one in enumerate(names):
        if one in names[:index]:
            raise UsageError(
                f"clusters {names.index(one)} and {index} would both be called {one!r}"
            )
    return called
