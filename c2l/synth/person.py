"""Stacks all parts of one person in the order in which they hide one another."""

from __future__ import annotations

from c2l.synth import figure as fig
from c2l.synth.extras import draw_bag, draw_belt, draw_scarf
from c2l.synth.figure import Figure
from c2l.synth.head import (
    draw_face,
    draw_glasses,
    draw_hair,
    draw_hair_behind,
    draw_hat,
    draw_neck,
)
from c2l.synth.legs import draw_leg, draw_shoe, draw_skirt, draw_trousers
from c2l.synth.upper import draw_arm, draw_coat, draw_top

_BEHIND = -0.02  # depth of a wrist, from the chest, below which the trunk hides the arm


def draw_person(f: Figure) -> None:
    """Draw a whole person on the figure's canvas."""
    o = f.outfit
    label = fig.DRESS if o.top == "dress" else fig.UPPER
    draw_bag(f, behind=True)
    late = []
    for side in f.by_depth("wrist"):
        if _hidden(f, side):
            draw_arm(f, side, label)
        else:
            late.append(side)
    draw_hair_behind(f)
    _legs(f)
    draw_neck(f)
    _trunk(f, label)
    _head(f, late, label)


def _hidden(f: Figure, side: int) -> bool:
    tag = fig.TAGS[side]
    middle = f.depth("chest")
    elbow, wrist = f.depth("elbow" + tag) - middle, f.depth("wrist" + tag) - middle
    return elbow + wrist < 2.0 * _BEHIND


def _legs(f: Figure) -> None:
    o = f.outfit
    long = o.bottom in ("trousers", "jeans", "leggings")
    boots = o.shoe == "boot" and (o.bottom == "leggings" or o.wide_leg < 0.25)
    order = f.by_depth("knee")
    for side in order:
        draw_leg(f, side)
        if not (long and boots):
            draw_shoe(f, side)
    if o.bottom not in ("skirt", "dress"):
        draw_trousers(f)
    if long and boots:
        for side in order:
            draw_shoe(f, side)


def _trunk(f: Figure, label: int) -> None:
    o = f.outfit
    if o.bottom == "skirt" and o.tucked:
        draw_top(f, label)
        draw_skirt(f, fig.SKIRT)
    elif o.bottom in ("skirt", "dress"):
        draw_skirt(f, fig.SKIRT if o.bottom == "skirt" else fig.DRESS)
        draw_top(f, label)
    else:
        draw_top(f, label)
    if o.tucked or o.bottom == "dress":
        draw_belt(f)
    if o.coat != "none":
        draw_coat(f)
    elif not o.tucked and o.bottom != "dress" and o.top in ("sweater", "shirt"):
        draw_belt(f)


def _head(f: Figure, late: list[int], label: int) -> None:
    if f.facing < 0.0:  # seen from behind, the arms lie farther off than the hair
        for side in late:
            draw_arm(f, side, label)
        late = []
    draw_scarf(f)
    draw_face(f)
    draw_hair(f)
    draw_hat(f)
    draw_glasses(f)
    for side in late:
        draw_arm(f, side, label)
    draw_bag(f, behind=False)
