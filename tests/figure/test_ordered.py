"""Hair, skin, clothes and shoes are found by their order and their colours."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from c2l.figure.ordered import ORDERED, ordered_labels

HEIGHT, WIDTH = 128, 96
SKIN = (226, 170, 140)
# Rows, columns, colour and name of what is drawn, the later ones over the earlier.
DRAWN = (
    (slice(8, 26), slice(40, 56), (50, 34, 24), "hair"),
    (slice(14, 24), slice(43, 53), SKIN, "face"),
    (slice(26, 66), slice(36, 60), (40, 80, 180), "upper-clothes"),
    (slice(30, 62), slice(28, 36), SKIN, "right-arm"),
    (slice(30, 62), slice(60, 68), SKIN, "left-arm"),
    (slice(66, 90), slice(36, 60), (90, 90, 96), "pants"),
    (slice(90, 114), slice(36, 47), SKIN, "right-leg"),
    (slice(90, 114), slice(49, 60), SKIN, "left-leg"),
    (slice(114, 122), slice(34, 47), (150, 20, 30), "right-shoe"),
    (slice(114, 122), slice(49, 62), (150, 20, 30), "left-shoe"),
)


def person(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """(1, 3, H, W) photo of a drawn person, its parts with soft edges, and (H, W) true ids."""
    image = torch.tensor((120, 150, 110)).view(3, 1, 1).repeat(1, HEIGHT, WIDTH)
    truth = torch.zeros(HEIGHT, WIDTH, dtype=torch.long)
    for rows, columns, colour, name in DRAWN:
        image[:, rows, columns] = torch.tensor(colour).view(3, 1, 1)
        truth[rows, columns] = ORDERED.index(name)
    noise = torch.randint(-8, 9, image.shape, generator=torch.Generator().manual_seed(seed))
    upper = (truth > 0) & (torch.arange(HEIGHT) < 66)[:, None]
    parts = torch.stack([truth == 0, upper, (truth > 0) & ~upper]).float()[None]
    parts = F.avg_pool2d(parts, 3, 1, 1, count_include_pad=False)
    return (image + noise).clamp(0, 255).to(torch.uint8)[None], parts, truth


@pytest.mark.parametrize("seed", [0, 1])
def test_every_part_of_a_drawn_person_is_found(seed: int) -> None:
    image, parts, truth = person(seed)
    found = ordered_labels(image, parts)
    assert found.dtype == torch.uint8
    for index, name in enumerate(ORDERED):
        mine, true = found[0] == index, truth == index
        iou = float((mine & true).sum() / (mine | true).sum())
        assert iou > 0.5, name


def test_skin_has_the_colour_of_the_face_of_each_photo() -> None:
    image, parts, truth = person(0)
    arms = (truth == ORDERED.index("left-arm")) | (truth == ORDERED.index("right-arm"))
    sleeves = image.clone()
    sleeves[:, :, arms] = torch.tensor((40, 80, 180), dtype=torch.uint8)[None, :, None]
    found = ordered_labels(torch.cat([image, sleeves]), parts.repeat(2, 1, 1, 1))
    limbs = torch.tensor([ORDERED.index(name) for name in ("left-arm", "right-arm")])
    bare, covered = torch.isin(found[:, arms], limbs).float().mean(1).tolist()
    assert bare > 0.8
    assert covered < 0.2
    # Each photo for itself, whatever is beside it.
    torch.testing.assert_close(found[:1], ordered_labels(image, parts))


@pytest.mark.parametrize("size", [(1, 1), (40, 30), (200, 70)])
def test_a_photo_of_any_size_and_one_without_a_figure(size: tuple[int, int]) -> None:
    image = torch.full((1, 3, *size), 90, dtype=torch.uint8)
    nobody = torch.zeros(1, 3, *size)
    nobody[:, 0] = 1
    assert not ordered_labels(image, nobody).any()
    everywhere = torch.zeros(1, 3, *size)
    everywhere[:, 1] = 1
    found = ordered_labels(image, everywhere)
    assert found.shape == (1, *size)
    assert 0 < int(found.min()) <= int(found.max()) < len(ORDERED)
