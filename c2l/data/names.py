"""What the names of files say: one key for pairing, decorations, and names unfit for use."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path

# Words that say that a picture is a mask, as a folder's name or beside a stem: p1_mask.png.
MASK_WORDS = (
    *("mask", "masks", "label", "labels", "labelid", "labelids", "labeltrainids", "annotation"),
    *("annotations", "ann", "anns", "gt", "gtfine", "groundtruth", "seg", "segs", "segm"),
    *("segmentation", "segmentations", "segmap", "parsing", "parsings", "parse", "matte"),
    *("mattes", "alpha", "silhouette", "silhouettes"),
)
PHOTO_WORDS = ("image", "images", "img", "imgs", "photo", "photos", "rgb", "leftimg8bit", "pic")
# Beside the stems of pictures made from photos and masks.
OTHER_WORDS = (
    *("color", "colors", "colour", "colours", "instance", "instances", "instanceid"),
    *("instanceids", "vis", "viz", "object", "objects"),
)
COPY_WORDS = ("thumb", "thumbs", "thumbnail", "thumbnails", "small", "preview")

_WORDS = "|".join((*MASK_WORDS, *PHOTO_WORDS, *OTHER_WORDS, *COPY_WORDS))
_SUFFIX = re.compile(r"^(.+)(\.(?:jpe?g|png|bmp|webp|tiff?))$", re.IGNORECASE)
_BEHIND = re.compile(rf"^(.*?)[-_. ]*(?<![a-z])({_WORDS})$", re.IGNORECASE)
_BEFORE = re.compile(rf"^({_WORDS})(?![a-z])[-_. ]*(.*)$", re.IGNORECASE)
_SPLIT_KINDS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}


def key(name: str) -> str:
    """One spelling of names that are one file on some disk: accents composed, case folded."""
    if name.isascii():
        return name.lower()
    composed = unicodedata.normalize("NFC", name)
    return unicodedata.normalize("NFC", composed.casefold())


def stem_of(name: str) -> str:
    """A relative posix path without its last suffix."""
    folder, slash, own = name.rpartition("/")
    return f"{folder}{slash}{parted(own)[0]}"


def parted(own: str) -> tuple[str, str]:
    """A file's own name as stem and suffix; a dot at either end begins none."""
    stem, suffix = os.path.splitext(own)
    return (stem, suffix) if len(suffix) > 1 else (own, "")


def undecorated(stem: str) -> tuple[str, tuple[str, ...]]:
    """A stem without words such as ``_mask`` or ``img_``, and those words in lower case."""
    words: list[str] = []
    if found := _SUFFIX.match(stem):  # a mask called p1.jpg.png
        stem = found.group(1)
        words.append(found.group(2))
    while True:
        if found := _BEHIND.match(stem):
            stem, word = found.groups()
        elif found := _BEFORE.match(stem):
            word, stem = found.groups()
        else:
            return stem, tuple(words)
        words.append(word.lower())


def means_mask(text: str) -> bool:
    """Whether a folder's name says that masks lie in it."""
    parts = re.split(r"[-_. ]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text))
    return not {p.lower().rstrip("0123456789") for p in (*parts, text)}.isdisjoint(MASK_WORDS)


def split_kind(split: str) -> str | None:
    """train, val or test, also in train2017; None for any other, such as the union of two."""
    word = split.lower().replace("_", "-").split("-")[0].rstrip("0123456789")
    return next((kind for kind, names in _SPLIT_KINDS.items() if word in names), None)


def utf8_name(name: str) -> str | None:
    """A name as UTF-8, whatever the locale it was read under; None where its bytes are not."""
    try:
        return os.fsencode(name).decode("utf-8")
    except UnicodeDecodeError:
        return None


def shown(name: str | Path) -> str:
    """A file name fit for a message: control characters and undecodable bytes escaped."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def has_control(name: str) -> bool:
    """Whether a name holds a line break, a tab or another control character."""
    return any(unicodedata.category(char) == "Cc" for char in name)
