"""The JSON that ``compare`` writes, for ``inspect``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from c2l import schema
from c2l.artifacts.chain import Format, json_summary
from c2l.runtime.json_files import read_json


def _summary(path: Path) -> dict[str, Any]:
    value = read_json(path, what="a comparison", hint="make one with: c2l compare", sealed=True)
    return json_summary(path, schema.FORMAT_COMPARISON, value)


FORMAT = Format(name=schema.FORMAT_COMPARISON, summary=_summary)
