"""Body parts in photographs of people, without a single label (C^2L): the Python API.

The functions take the options of the commands as keywords and return what they wrote; ``load``
gives a predictor for single images. Example:

    import c2l

    c2l.fit("photos", "run", epochs=2, image_size=128)
    parts = c2l.load("run").parse("photo.jpg")
    parts.image().save("parts.png")
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from c2l.api import (
        Parser,
        Parsing,
        cluster,
        evaluate,
        export,
        extract,
        fit,
        load,
        render,
        teach,
    )

__version__ = "0.1.0"
__all__ = [
    "Parser",
    "Parsing",
    "cluster",
    "evaluate",
    "export",
    "extract",
    "fit",
    "load",
    "render",
    "teach",
]


def __getattr__(name: str) -> Any:
    """Import the API with its first use: the command line starts without it (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from c2l import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
