"""What lies in a data set's folders: image and mask files by name, and the lists of splits.

Everything found wrong goes to a reporter, so that opening a data set can stop at the first
problem while checking it lists them all.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Collection, Iterator
from pathlib import Path, PurePosixPath

from c2l.errors import BadInputError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")

# Called with the file at fault, what is wrong with it, and the next step.
Report = Callable[[str | Path, str, str | None], None]

_SKIPPED = ("__MACOSX",)


def stop_at_first(path: str | Path, problem: str, hint: str | None) -> None:
    """The reporter that raises: for everything but a check."""
    raise BadInputError(path, problem, hint=hint)


def shown(name: str) -> str:
    """A file name fit for a message: control characters and undecodable bytes escaped."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def find_files(
    folder: Path, root: Path, suffixes: Collection[str], report: Report, skip: Collection[str] = ()
) -> dict[str, Path]:
    """The files of some suffixes in a folder and below, without hidden ones.

    Args:
        folder: where to look.
        root: the data set's folder; symbolic links that leave it are reported.
        suffixes: lower-case suffixes with their dot; the case of a file's does not matter.
        report: told of names and links that cannot be used; such files are left out.
        skip: names of folders directly in ``folder`` that are not entered.

    Returns:
        Posix path relative to ``folder``, with suffix -> file; sorted by name.
    """
    real_root = Path(os.path.realpath(root))
    if not _inside(folder, real_root):
        _report_link(folder, report)
        return {}
    found: dict[str, Path] = {}
    for relative in sorted(_walk(folder, real_root, report, skip)):
        if PurePosixPath(relative).suffix.lower() not in suffixes:
            continue
        path = folder / relative
        if _name_is_fit(relative, path, report) and _file_is_fit(path, real_root, report):
            found[relative] = path
    return _without_twins(found, report)


def _without_twins(files: dict[str, Path], report: Report) -> dict[str, Path]:
    """Names that stay apart on disks that know no case, and whatever their accents are made of."""
    found: dict[str, Path] = {}
    folded: dict[str, str] = {}
    for name, path in files.items():
        key = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
        if key in folded:
            report(
                path,
                f"'{folded[key]}' has the same name but for upper and lower case or the making "
                "of its accents, so one would overwrite the other on many disks",
                "rename or remove one of them",
            )
        else:
            folded[key] = name
            found[name] = path
    return found


def by_stem(files: dict[str, Path], report: Report) -> dict[str, str]:
    """Names without their suffix -> names; two files of one stem are reported."""
    stems: dict[str, str] = {}
    for name, path in files.items():
        stem = stem_of(name)
        if stem in stems:
            report(
                path,
                f"'{stems[stem]}' beside it has the same name but for its suffix, "
                "so their masks would overwrite each other",
                "rename or remove one of them",
            )
        else:
            stems[stem] = name
    return stems


def stem_of(name: str) -> str:
    """A relative posix path without its last suffix."""
    return str(PurePosixPath(name).with_suffix(""))


def read_list(path: Path) -> list[tuple[int, str]]:
    """The lines of a split's list as (line number from 1, name), without empty ones.

    Raises:
        BadInputError: the file cannot be read or is not UTF-8.
    """
    try:
        lines = path.read_bytes().decode("utf-8-sig").split("\n")
    except OSError as error:
        raise BadInputError(path, f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise BadInputError(
            path, f"expected a list of names in UTF-8, found other bytes at byte {error.start}"
        ) from None
    return [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]


def listed_names(path: Path, names: dict[str, str], report: Report) -> tuple[str, ...]:
    """The images that a split's list names, each once, sorted.

    Args:
        path: the list: an image a line, with or without its suffix.
        names: what a line may say -> the image's name.
        report: told of every line that names no image.
    """
    found: set[str] = set()
    for number, line in read_list(path):
        if line in names:
            found.add(names[line])
        else:
            report(
                path,
                f"line {number} names '{shown(line)}', but there is no such image",
                "remove the line, or add the image",
            )
    return tuple(sorted(found))


def list_names(images: dict[str, Path]) -> dict[str, str]:
    """What a split's list may call each image: its name with or without suffix."""
    return {stem_of(name): name for name in images} | {name: name for name in images}


def _walk(folder: Path, root: Path, report: Report, skip: Collection[str]) -> Iterator[str]:
    """Posix paths, relative to ``folder``, of everything below it that is not a folder."""
    waiting = [""]
    while waiting:
        prefix = waiting.pop()
        for entry in _entries(folder / prefix, report):
            if not os.path.isdir(entry.path):
                yield prefix + entry.name
            elif prefix == "" and entry.name in skip:
                continue
            elif not entry.is_symlink():
                waiting.append(f"{prefix}{entry.name}/")
            elif not _inside(Path(entry.path), root):
                _report_link(Path(entry.path), report)
            # A linked folder inside the data set is found at its own place.


def _entries(folder: Path, report: Report) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as scan:
            return [e for e in scan if not e.name.startswith(".") and e.name not in _SKIPPED]
    except OSError as error:
        report(folder, f"the folder cannot be read: {error.strerror}", None)
        return []


def _name_is_fit(relative: str, path: Path, report: Report) -> bool:
    try:
        relative.encode("utf-8")
    except UnicodeEncodeError:
        report(shown(str(path)), "the file's name is not valid UTF-8", "rename the file")
        return False
    if any(unicodedata.category(char) == "Cc" for char in relative):
        report(
            shown(str(path)),
            "the file's name holds a line break, tab or other control character",
            "rename the file",
        )
        return False
    return True


def _file_is_fit(path: Path, root: Path, report: Report) -> bool:
    if path.is_symlink():
        if not os.path.exists(path):
            report(path, "a symbolic link to nothing", "mend or remove the link")
            return False
        if not _inside(path, root):
            _report_link(path, report)
            return False
    if not os.path.isfile(path):
        report(path, "expected a file, found a device or a pipe", "remove it")
        return False
    return True


def _inside(path: Path, root: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(root)


def _report_link(path: Path, report: Report) -> None:
    report(
        shown(str(path)),
        f"a symbolic link out of the data set, to {shown(os.path.realpath(path))}",
        "put the files themselves there, or name the folder that the link points to",
    )
