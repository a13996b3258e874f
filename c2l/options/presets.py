"""Published protocols and our own as data files: the options of a stage under a name."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from c2l.errors import UsageError
from c2l.options.fit import FitOptions

FOLDER: Final = Path(__file__).parents[1] / "presets"


def preset_names(stage: str = "fit") -> list[str]:
    """The presets of a stage that come with c2l."""
    heading = f"[{stage}]"
    texts = {path.stem: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.toml")}
    return sorted(name for name, text in texts.items() if heading in text.splitlines())


def preset_file(name: str) -> Path:
    """The file of a preset that comes with c2l.

    Raises:
        UsageError: none has this name.
    """
    if name not in preset_names():
        raise UsageError(
            f"--preset {name}: no preset has this name",
            hint=f"choose {' or '.join(preset_names())}",
        )
    return FOLDER / f"{name}.toml"


def preset(name: str, **others: Any) -> FitOptions:
    """The options of a preset that comes with c2l.

    Args:
        name: one of ``preset_names``.
        others: options that win over the preset's.

    Raises:
        UsageError: no preset has this name, or options that do not go together.
    """
    import tomllib

    values = tomllib.loads(preset_file(name).read_text(encoding="utf-8"))["fit"]
    given = {key.replace("-", "_"): value for key, value in values.items()}
    options = FitOptions(**{"preset": name, **given, **others})
    options.check()
    return options
