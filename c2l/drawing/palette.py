"""Colours of parts and label ids."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Grey for the background, then hues that also differ in lightness, to be distinct with the common
# kinds of colour blindness.
_CHOSEN = (
    (150, 156, 166),
    (245, 132, 31),
    (38, 103, 214),
    (0, 168, 142),
    (214, 62, 137),
    (250, 204, 52),
    (112, 196, 244),
    (124, 66, 166),
    (168, 92, 40),
    (150, 206, 82),
    (190, 30, 45),
    (22, 92, 88),
    (244, 166, 192),
)
_GOLDEN_ANGLE = 0.381966


def pascal_palette() -> list[int]:
    """The Pascal VOC colour map.

    The bits of an id are assigned in turn to red, green and blue, from the highest bit of each
    colour down.

    Returns:
        768 integers in 0..255: red, green and blue of ids 0 to 255.
    """
    colours: list[int] = []
    for label in range(256):
        rgb = [0, 0, 0]
        for bit in range(8):
            rgb[bit % 3] |= ((label >> bit) & 1) << (7 - bit // 3)
        colours.extend(rgb)
    return colours


# Places in the order of colours of parts by their names, the same wherever they are shown.
_NAMED = {
    name: index
    for names in (
        ("background", "upper", "lower"),
        ("background", "hat", "hair", "sunglasses", "upper-clothes", "skirt", "pants", "dress"),
        (*[""] * 8, "belt", "shoes", "face", "legs", "arms", "bag", "scarf"),
    )
    for index, name in enumerate(names)
    if name
}


def colours_of(names: Sequence[str]) -> NDArray[np.uint8]:
    """A colour for each name: that of a known part, else that of its place in the list.

    Args:
        names: all different.

    Returns:
        (len(names), 3) uint8 RGB, all different.
    """
    taken: dict[int, int] = {}
    for index, name in enumerate(names):
        taken.setdefault(_NAMED.get(name, -1 - index), index)
    places = {index: place for place, index in taken.items() if place >= 0}
    free = iter(range(len(names), 2 * len(names) + len(_NAMED)))
    used = set(places.values())
    for index in range(len(names)):
        if index not in places:
            place = index
            while place in used:
                place = next(free)
            places[index] = place
            used.add(place)
    colours = part_colours(max(places.values(), default=-1) + 1)
    return colours[[places[index] for index in range(len(names))]]


def part_colours(n: int) -> NDArray[np.uint8]:
    """Distinct colours for overlays and legends.

    Args:
        n: number of parts; part 0 is the background, in grey.

    Returns:
        (n, 3) uint8 RGB.
    """
    colours = list(_CHOSEN[:n])
    for index in range(len(colours), n):
        hue = (index * _GOLDEN_ANGLE) % 1
        lightness = (0.42, 0.66, 0.54)[index % 3]
        red, green, blue = colorsys.hls_to_rgb(hue, lightness, 0.62)
        colours.append((round(red * 255), round(green * 255), round(blue * 255)))
    return np.array(colours, dtype=np.uint8).reshape(n, 3)
