"""Where people stand: the place prior of a set of photos, learned from them without labels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from c2l.figure.colours import information, sharpen

# Middles, as shares of the photo's width, and spreads (sigma) that a figure may have.
COLUMNS = tuple(0.1 + 0.05 * step for step in range(17))
SPREADS = (0.08, 0.11, 0.16, 0.22, 0.3)
# What is expected before any photo is seen: the middle, and a full figure in an upright photo.
MIDDLE, MIDDLE_SPREAD = 0.5, 0.15
USUAL, USUAL_LOG_SPREAD = 0.16, 0.4
# Photos that this expectation speaks for beside those of the set.
EXPECTED = 20.0
# Nats of log-odds per nat of information between a pixel's side and its colour: when the places of
# the set are learned from its photos, and when one photo's place is found beside the set's. The
# second is divided by the set's agreement. Chosen on labelled training photos, cropped and not.
LEARN_WEIGHT = 60.0
FIND_WEIGHT = 10.0
# How much wider a figure is taken to be than where its colours tell the most: arms and bags would
# be missed else, and a network that learns from such figures misses them too. Compared at 1, 1.16
# and 1.35 after the warm-up, on labelled training photos.
WIDTH_FACTOR = 1.16
# Rounds of fitting a photo's colours to each place, and of fitting the set's places to its photos.
ROUNDS = 3
SET_ROUNDS = 40
# Columns whose middles count as one place.
NEAR = 0.11


def place_prior(columns_B: Tensor, spreads_B: Tensor, height: int, width: int) -> Tensor:
    """How likely a pixel is the person's, from its place in the photo alone.

    A Gaussian over the columns, fading at the top and at the very bottom: people are
    photographed upright.

    Args:
        columns_B: (B,) middle of the figure, as a share of the width.
        spreads_B: (B,) sigma, as a share of the width.
        height, width: of the grid.

    Returns:
        (B, height, width) float32 in [0.02, 0.87].
    """
    device = columns_B.device
    rows = ((torch.arange(height, device=device) + 0.5) / height)[:, None]
    columns = (torch.arange(width, device=device) + 0.5) / width
    away = (columns - columns_B[:, None]) / spreads_B[:, None]
    across = torch.exp(-0.5 * away.square())[:, None]
    down = torch.minimum(rows / 0.12, (1.02 - rows) / 0.08).clamp(0, 1)
    return 0.85 * across * down + 0.02


def place_evidence(codes_BPM: Tensor, height: int, width: int) -> Tensor:
    """What a photo's colours say for each place that its figure may have.

    For each middle and spread, figure and ground are fitted to the photo's colours from there;
    the better the place, the more the colours then tell of the side that a pixel lies on.

    Args:
        codes_BPM: (B, height * width, M) from ``colours.colour_codes``.
        height, width: of the grid.

    Returns:
        (B, spreads, columns) float32 nats.
    """
    device = codes_BPM.device
    spreads, columns = torch.meshgrid(
        torch.tensor(SPREADS, device=device), torch.tensor(COLUMNS, device=device), indexing="ij"
    )
    priors_JHW = place_prior(columns.flatten(), spreads.flatten(), height, width)
    found = []
    for photo in range(len(codes_BPM)):
        codes_1PM = codes_BPM[photo : photo + 1]
        figures = sharpen(codes_1PM, priors_JHW[:, None], rounds=ROUNDS)
        found.append(information(codes_1PM, figures))
    return torch.cat(found).view(-1, len(SPREADS), len(COLUMNS))


@dataclass(frozen=True)
class Places:
    """How often a figure has each middle and each spread.

    Attributes:
        columns: (columns,) float64 share of each middle, summing to 1.
        spreads: (spreads,) float64 share of each spread, summing to 1.
    """

    columns: Tensor
    spreads: Tensor

    @classmethod
    def expected(cls) -> Places:
        """Before any photo is seen."""
        columns = torch.tensor(COLUMNS, dtype=torch.float64)
        spreads = torch.tensor(SPREADS, dtype=torch.float64).log()
        away = (columns - MIDDLE) / MIDDLE_SPREAD
        wider = (spreads - torch.tensor(USUAL).log()) / USUAL_LOG_SPREAD
        return cls((-0.5 * away.square()).softmax(0), (-0.5 * wider.square()).softmax(0))

    @classmethod
    def learn(cls, evidence_BSC: Tensor) -> Places:
        """Those of a set of photos, by expectation maximisation.

        One photo can mistake a door for a person; what the photos of a set agree on is where
        their people stand.

        Args:
            evidence_BSC: from ``place_evidence``, of every photo or of a sample of them.
        """
        expected = places = cls.expected()
        for _ in range(SET_ROUNDS):
            sure_BSC = places._posterior(LEARN_WEIGHT * evidence_BSC.cpu())
            # Neighbouring middles are alike.
            counts = F.pad(sure_BSC.sum((0, 1))[None, None], (1, 1), mode="replicate")[0, 0]
            smooth = 0.25 * counts[:-2] + 0.5 * counts[1:-1] + 0.25 * counts[2:]
            columns = smooth + EXPECTED * expected.columns
            spreads = sure_BSC.sum((0, 2)) + EXPECTED * expected.spreads
            places = cls(columns / columns.sum(), spreads / spreads.sum())
        return places

    def find(self, evidence_BSC: Tensor) -> tuple[Tensor, Tensor]:
        """The middle and the spread of each photo's figure.

        Args:
            evidence_BSC: from ``place_evidence``.

        Returns:
            (B,) float32 middles and (B,) float32 spreads, shares of the width, on the
            evidence's device.
        """
        sure_BSC = self._posterior(FIND_WEIGHT / self.agreement() * evidence_BSC.cpu())
        columns = torch.tensor(COLUMNS, dtype=torch.float64)
        best = columns[sure_BSC.sum(1).argmax(1)]
        sure_BSC = sure_BSC * ((columns - best[:, None]).abs() < NEAR)[:, None]
        sure_BSC = sure_BSC / sure_BSC.sum((1, 2), keepdim=True)
        middles = sure_BSC.sum(1) @ columns
        spreads = torch.tensor(SPREADS, dtype=torch.float64).log()
        spreads = WIDTH_FACTOR * (sure_BSC.sum(2) @ spreads).exp()
        device = evidence_BSC.device
        return middles.float().to(device), spreads.float().to(device)

    def agreement(self) -> float:
        """The largest share of the figures that have their middles in one place, in (0, 1]."""
        columns = torch.tensor(COLUMNS, dtype=torch.float64)
        near = ((columns - columns[:, None]).abs() < NEAR).double()
        return float((near @ self.columns).max())

    def _posterior(self, log_odds_BSC: Tensor) -> Tensor:
        """(B, spreads, columns) float64, summing to 1 per photo."""
        log_odds = log_odds_BSC.double() + self.columns.log() + self.spreads.log()[:, None]
        return log_odds.flatten(1).softmax(1).view(log_odds.shape)
