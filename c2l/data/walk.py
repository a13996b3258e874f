"""Every file below a data set's folder, found once, with what is never entered and why."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from c2l import schema
from c2l.data.names import has_control, parted, shown, utf8_name

# Folders in which systems and file servers keep copies, thumbnails and what was deleted.
SYSTEM_FOLDERS = {
    "@eadir": "thumbnails of a file server",
    "@__thumb": "thumbnails of a file server",
    "@recycle": "deleted files",
    "#recycle": "deleted files",
    "$recycle.bin": "deleted files",
    "#snapshot": "old versions of a file server",
    "~snapshot": "old versions of a file server",
    "@recently-snapshot": "old versions of a file server",
    "@tmp": "temporary files of a file server",
    "__macosx": "what macOS adds to archives",
    "system volume information": "files of the system",
    "lost+found": "files of the system",
    "__pycache__": "files of the system",
}
HIDDEN = "hidden"
OURS = "written by c2l"
LINKED_FOLDER = "a link to a folder inside"
# What c2l keeps beside an output only while it is being made.
_OUR_ENDINGS = (".lock", ".owner", ".partial", ".partial.old", ".replaced")
_HEAD_BYTES = 4096
_HEIF, _JPEG = (".heic", ".heif"), b"\xff\xd8\xff"


@dataclass(frozen=True)
class File:
    """A file below a data set's folder.

    Attributes:
        name: its posix path below the folder; UTF-8, where its bytes are.
        path: where it lies.
        fit: whether ``name`` is UTF-8.
        link: whether it is a symbolic link.
        regular: whether it is a link or a regular file, and no device or pipe.
    """

    name: str
    path: Path
    fit: bool = True
    link: bool = False
    regular: bool = True

    @property
    def folder(self) -> str:
        """The posix path of its folder, "" for the data set's own."""
        return self.name.rpartition("/")[0]

    @cached_property
    def stem(self) -> str:
        """Its name without folders and last suffix."""
        return parted(self.name.rpartition("/")[2])[0]

    @cached_property
    def suffix(self) -> str:
        """Its last suffix in lower case, with the dot; that of the content for a phone's JPEG.

        Phones and converters leave the suffix HEIC on photos that they turned into JPEG.
        """
        suffix = parted(self.name.rpartition("/")[2])[1].lower()
        return ".jpg" if suffix in _HEIF and self.head().startswith(_JPEG) else suffix

    def head(self) -> bytes:
        """Its first 16 bytes; none where it cannot be read, is a link or no regular file."""
        if not self.regular or self.link:
            return b""
        try:
            with self.path.open("rb") as opened:
                return opened.read(16)
        except OSError:
            return b""

    def below(self, folder: str) -> bool:
        """Whether it lies in a folder or below; "" is the data set's own."""
        return not folder or self.name.startswith(f"{folder}/")

    def within(self, folder: str) -> File:
        """The same file, named by its path below a folder that it lies in."""
        return replace(self, name=self.name.removeprefix(f"{folder}/")) if folder else self


@dataclass(frozen=True)
class LeftOut:
    """Files that are neither photos nor masks, and why.

    Attributes:
        name: a file, or a folder that was not entered, ending in a slash.
        why: the reason, alike for all files of a kind; said after a number of them.
        files: number of files.
    """

    name: str
    why: str
    files: int = 1


@dataclass(frozen=True)
class Fault:
    """A file or folder that cannot be used as it is."""

    name: str
    path: Path
    problem: str
    hint: str | None


@dataclass
class Tree:
    """What lies below a folder.

    Attributes:
        root: the folder.
        files: the files, sorted by name.
        left: what was not entered.
        faults: links and folders that cannot be used.
    """

    root: Path
    files: list[File] = field(default_factory=list)
    left: list[LeftOut] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def walk(root: Path, *, enter: Collection[str] = ()) -> Tree:
    """Find every file below a folder, without opening any but those of c2l's own.

    Args:
        root: the folder.
        enter: folders below it that are entered even where they are links, as long as these
            lead to a place inside.
    """
    tree = Tree(root)
    real_root = Path(os.path.realpath(root))
    waiting = [""]
    while waiting:
        prefix = waiting.pop()
        for entry in _entries(tree, prefix):
            name = utf8_name(prefix + entry.name)
            relative = shown(prefix + entry.name) if name is None else name
            path = root / (prefix + entry.name)
            if entry.name.startswith(".") and entry.name.endswith(_OUR_ENDINGS):
                continue
            link = entry.is_symlink()
            if os.path.isdir(entry.path) if link else entry.is_dir():
                why = _never_entered(entry)
                if why:
                    count = 0 if link else _count(entry.path)
                    tree.left.append(LeftOut(f"{relative}/", why, count))
                elif not link:
                    waiting.append(f"{prefix}{entry.name}/")
                elif not inside(path, real_root):
                    tree.faults.append(linked_out(relative, path))
                elif relative in enter:
                    waiting.append(f"{prefix}{entry.name}/")
                else:  # its files are found at their own place
                    tree.left.append(LeftOut(f"{relative}/", LINKED_FOLDER, 0))
            elif entry.name.startswith("."):
                tree.left.append(LeftOut(relative, HIDDEN))
            else:
                regular = link or entry.is_file()
                tree.files.append(File(relative, path, name is not None, link, regular))
    tree.files.sort(key=lambda file: file.name)
    tree.left.sort(key=lambda left: left.name)
    return tree


def inside(path: Path, real_root: Path) -> bool:
    """Whether a path leads, through all links, to a place below a folder."""
    return Path(os.path.realpath(path)).is_relative_to(real_root)


def linked_out(name: str, path: Path) -> Fault:
    """What is wrong with a link that leaves the data set."""
    return Fault(
        name,
        path,
        f"a symbolic link out of the data set, to {shown(os.path.realpath(path))}",
        "put the files themselves there, or name the folder that the link points to",
    )


def unfit(file: File, root: Path | None) -> Fault | None:
    """What keeps a file from being used; links may lead anywhere where ``root`` is None."""
    if not file.fit:
        return Fault(file.name, file.path, "the file's name is not valid UTF-8", "rename the file")
    if has_control(file.name):
        problem = "the file's name holds a line break, tab or other control character"
        return Fault(file.name, file.path, problem, "rename the file")
    if file.link:
        try:
            os.stat(file.path)
        except OSError as error:
            missing = isinstance(error, FileNotFoundError)
            problem = (
                "a symbolic link to nothing" if missing else f"cannot be read: {error.strerror}"
            )
            return Fault(file.name, file.path, problem, "mend or remove the link")
        if root is not None and not inside(file.path, Path(os.path.realpath(root))):
            return linked_out(file.name, file.path)
    if not file.regular or (file.link and not os.path.isfile(file.path)):
        return Fault(file.name, file.path, "expected a file, found a device or a pipe", "remove it")
    return None


def written_by_us(folder: str | Path) -> bool:
    """Whether a folder is one that c2l wrote: a run, pictures, or a set of drawn people."""
    # Of os.path, since in a folder that cannot be entered Path raises.
    return os.path.isfile(Path(folder) / schema.SYNTH_MARKER) or is_output(folder)


def is_output(folder: str | Path) -> bool:
    """Whether a folder is a run or pictures that c2l wrote."""
    folder = Path(folder)
    if _head_holds(folder / schema.RUN_CONFIG, schema.FORMAT_RUN):
        return True
    drawn = _head_holds(folder / "masks" / schema.LEGEND, schema.FORMAT_MASKS)
    return drawn and ((folder / "overlays").is_dir() or (folder / "report.html").is_file())


def _entries(tree: Tree, prefix: str) -> list[os.DirEntry[str]]:
    folder = tree.root / prefix
    try:
        with os.scandir(folder) as scan:
            return list(scan)
    except OSError as error:
        problem = f"the folder cannot be read: {error.strerror}"
        tree.faults.append(Fault(prefix.rstrip("/"), folder, problem, None))
        return []


def _never_entered(entry: os.DirEntry[str]) -> str | None:
    if entry.name.startswith("."):
        return HIDDEN
    if why := SYSTEM_FOLDERS.get(entry.name.lower()):
        return why
    return OURS if not entry.is_symlink() and written_by_us(entry.path) else None


def _count(folder: str) -> int:
    """Number of files below a folder; what cannot be read counts nothing."""
    return sum(len(files) for _, _, files in os.walk(folder))


def _head_holds(path: Path, text: str) -> bool:
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return f'"{text}"'.encode() in file.read(_HEAD_BYTES)
    except OSError:
        return False
