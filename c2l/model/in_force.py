"""The options of a run as they are in force."""

from __future__ import annotations

from pathlib import Path

from c2l.artifacts.runs import Run
from c2l.model.loading import options_from
from c2l.options import (
    FitOptions,
    fill_auto,
    fill_auto_from,
    flag,
    has_auto,
    without_modules_if_picie,
)
from c2l.runtime.device import memory_of, pick_device
from c2l.runtime.progress import console


def in_force(options: FitOptions, run: Path | None = None) -> FitOptions:
    """The options as they are in force: checked, and with a number in the place of ``auto``.

    Args:
        options: as the user gave them.
        run: the run that is resumed, whose numbers are taken; else those that suit this machine.

    Raises:
        UsageError: options that do not go together.
        BadInputError: no run, or a damaged one.
    """
    options.check()
    for cause, idle in options.without_effect().items():
        console.print(f"no effect with {cause}: {', '.join(idle)}")
    if run is not None:
        stored = Run.open(run).config.get("options", {})
        options = fill_auto_from(options, options_from(FitOptions, stored, run))
        return without_modules_if_picie(options)
    options.check_start()
    if has_auto(options):
        device, given = pick_device(options.device), options
        memory = memory_of(device)
        options = fill_auto(given, gpu=device.type == "cuda", memory=memory)
        chosen = [
            f"{flag(name)} {value}"
            for name, value in vars(options).items()
            if value != getattr(given, name)
        ]
        console.print(f"chosen for {device} with {memory / 1e9:.0f} GB: {' '.join(chosen)}")
    return without_modules_if_picie(options)
