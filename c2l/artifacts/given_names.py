"""Names that a user gives a predictor's clusters or parts, kept in a file beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from c2l import __version__, schema
from c2l.artifacts import drawn
from c2l.artifacts.chain import Format, json_summary
from c2l.errors import BadInputError, UsageError
from c2l.runtime.json_files import read_json, write_json

WHAT = "the names given to a predictor"
AGAIN = "give them again: c2l name RUN 2=sleeves"


def names_file(artifact: Path) -> Path:
    """Where they are: in a run folder, or beside a predictor's or clusters file."""
    if artifact.is_dir():
        return artifact / schema.GIVEN_NAMES
    return artifact.with_name(f"{artifact.name}.{schema.GIVEN_NAMES}")


def read_given(artifact: Path, sha256: str, count: int) -> dict[int, str]:
    """The given names by id; empty where there are none.

    Args:
        artifact: path of the run or clusters file, as the user gave it.
        sha256: of the predictor.
        count: of its ids.

    Raises:
        BadInputError: damaged, or given to another predictor.
    """
    path = names_file(artifact)
    if not path.is_file():
        return {}
    values = read_json(path, what=WHAT, hint=AGAIN, sealed=True)
    if values.get("format") != schema.FORMAT_NAMES:
        raise BadInputError(path, f"expected {WHAT}, found something else", hint=AGAIN)
    if values.get("predictor_sha256") != sha256:
        raise BadInputError(path, "names the clusters of another predictor", hint="remove it")
    try:
        found = {int(key): str(name) for key, name in values["names"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInputError(path, f"damaged: {error}", hint=AGAIN) from None
    if not set(found) <= set(range(count)) or not all(n.isprintable() for n in found.values()):
        raise BadInputError(path, "damaged: its names do not fit the predictor", hint=AGAIN)
    return found


def write_given(artifact: Path, sha256: str, given: dict[int, str]) -> None:
    """Keep the names of a predictor; without any, the file goes.

    Raises:
        UsageError: the network that ships with c2l.
        OutputError: the file cannot be written.
    """
    if artifact == drawn.shipped():
        hint = "export it to a file of your own: c2l export drawn -o predictor.safetensors"
        raise UsageError("the network that ships with c2l keeps its names", hint=hint)
    value: dict[str, Any] = {
        "format": schema.FORMAT_NAMES,
        "format_version": schema.FORMAT_VERSION,
        "created_by": f"c2l {__version__}",
        "predictor_sha256": sha256,
        "names": {str(index): given[index] for index in sorted(given)},
    }
    write_json(names_file(artifact), value, sealed=True)


def _summary(path: Path) -> dict[str, Any]:
    return json_summary(path, schema.FORMAT_NAMES, read_json(path, what=WHAT))


FORMAT = Format(name=schema.FORMAT_NAMES, summary=_summary)
