"""ATR's labels, which drawings carry."""

from __future__ import annotations

BACKGROUND, HAT, HAIR, SUNGLASSES, UPPER, SKIRT, PANTS, DRESS, BELT = range(9)
LEFT_SHOE, RIGHT_SHOE, FACE, LEFT_LEG, RIGHT_LEG, LEFT_ARM, RIGHT_ARM, BAG, SCARF = range(9, 18)
COUNT = 18


def arm(side: int) -> int:
    """The label of an arm; sides are 1 for the person's left and -1 for the right."""
    return LEFT_ARM if side > 0 else RIGHT_ARM


def leg(side: int) -> int:
    """The label of a leg."""
    return LEFT_LEG if side > 0 else RIGHT_LEG


def shoe(side: int) -> int:
    """The label of a shoe."""
    return LEFT_SHOE if side > 0 else RIGHT_SHOE
