"""Published protocols and our own as data files: the options of a stage under a name."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, TypeVar

from c2l.errors import UsageError
from c2l.options.fields import Options

T = TypeVar("T", bound=Options)
FOLDER: Final = Path(__file__).parents[1] / "presets"


def preset_names(stage: str) -> list[str]:
    """The presets of a stage that come with c2l."""
    heading = f"[{stage}]"
    texts = {path.stem: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.toml")}
    return sorted(name for name, text in texts.items() if heading in text.splitlines())


def preset_file(name: str, stage: str) -> Path:
    """The file of a preset that comes with c2l.

    Raises:
        UsageError: the stage has no preset of this name.
    """
    known = preset_names(stage)
    if name not in known:
        raise UsageError(
            f"--preset {name}: {stage} has no preset of this name",
            hint=f"choose {' or '.join(known)}; on the command line a TOML file works too",
        )
    return FOLDER / f"{name}.toml"


def preset(kind: type[T], name: str, **others: Any) -> T:
    """The options of a preset that comes with c2l.

    Args:
        kind: the options of its stage.
        name: one of ``preset_names``.
        others: options that take precedence over the preset's.

    Raises:
        UsageError: the stage has no preset of this name, or options that do not go together.
    """
    import tomllib

    values = tomllib.loads(preset_file(name, kind.stage).read_text(encoding="utf-8"))[kind.stage]
    given = {key.replace("-", "_"): value for key, value in values.items()}
    options = kind(**{"preset": name, **given, **others})
    options.check()
    return options
