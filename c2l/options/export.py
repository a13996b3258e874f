"""Options of ``export``."""

from __future__ import annotations

from dataclasses import dataclass

from c2l.options.fields import Options
from c2l.options.shared import moved_weights_option, seen_size_option


@dataclass(frozen=True, kw_only=True)
class ExportOptions(Options):
    """Options of ``export``."""

    image_size: int = seen_size_option()
    weights: str | None = moved_weights_option()
