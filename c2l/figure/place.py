"""Where people stand: place priors of a set of photos, learned without labels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from c2l.figure.colours import figure_information, sharpen

# Candidate places of a figure: its centre and its spread (sigma), relative to the photo's width.
COLUMNS = tuple(0.1 + 0.05 * step for step in range(17))
SPREADS = (0.08, 0.11, 0.16, 0.22, 0.3)
# Prior before any photo is seen, mean and standard deviation: centres are near the middle, and
# spreads (by their logarithm) are those of a whole person in an upright photo.
CENTRE_MEAN, CENTRE_DEVIATION = 0.5, 0.15
SPREAD_MEAN, SPREAD_LOG_DEVIATION = 0.16, 0.4
# Number of photos that this prior counts as.
PRIOR_PHOTOS = 20.0
# Nats of log-odds per nat of mutual information between figure and colour: for learning the places
# of the set from its photos, and for finding the place of one photo given those of the set. The
# second is divided by the agreement of the set. Chosen on labelled training photos, some cropped.
LEARN_WEIGHT = 60.0
FIND_WEIGHT = 10.0
# Factor on the spread of a figure, which would otherwise miss arms and bags, as would a network
# trained on it. The best of 1, 1.16 and 1.35 after the warm-up, on labelled training photos.
WIDTH_FACTOR = 1.16
# Iterations of fitting the colours of a photo to a place, and of fitting places to the set.
COLOUR_ROUNDS = 3
PLACE_ROUNDS = 40
# Centres within this distance count as one place.
NEAR = 0.11


def place_prior(columns_B: Tensor, spreads_B: Tensor, height: int, width: int) -> Tensor:
    """Prior probability of the figure at each pixel, given its centre and spread.

    A Gaussian over the columns that fades out at the top and at the very bottom: people are
    photographed upright.

    Args:
        columns_B: (B,) centre of the figure, relative to the width.
        spreads_B: (B,) sigma, relative to the width.
        height, width: size of the grid.

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
    """Evidence of each photo for each candidate place of its figure.

    For each place, the colours of figure and background are fitted from its prior. The better
    the place, the higher the mutual information between figure and colour.

    Args:
        codes_BPM: (B, height * width, M) from ``colours.colour_codes``.
        height, width: size of the grid.

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
        figures = sharpen(codes_1PM, priors_JHW[:, None], rounds=COLOUR_ROUNDS)
        found.append(figure_information(codes_1PM, figures))
    return torch.cat(found).view(-1, len(SPREADS), len(COLUMNS))


@dataclass(frozen=True)
class Places:
    """Distribution of the places of figures in a set of photos.

    Attributes:
        columns: (columns,) float64 probability of each centre.
        spreads: (spreads,) float64 probability of each spread.
    """

    columns: Tensor
    spreads: Tensor

    @classmethod
    def prior(cls) -> Places:
        """The distribution before any photo is seen."""
        columns = torch.tensor(COLUMNS, dtype=torch.float64)
        spreads = torch.tensor(SPREADS, dtype=torch.float64).log()
        away = (columns - CENTRE_MEAN) / CENTRE_DEVIATION
        wider = (spreads - torch.tensor(SPREAD_MEAN).log()) / SPREAD_LOG_DEVIATION
        return cls((-0.5 * away.square()).softmax(0), (-0.5 * wider.square()).softmax(0))

    @classmethod
    def learn(cls, evidence_BSC: Tensor) -> Places:
        """The distribution of a set of photos, by expectation maximisation.

        A single photo can mistake a door for a person, but over a set of photos the places of
        people dominate.

        Args:
            evidence_BSC: from ``place_evidence``, for all photos or a sample.
        """
        prior = places = cls.prior()
        for _ in range(PLACE_ROUNDS):
            posterior_BSC = places._posterior(LEARN_WEIGHT * evidence_BSC.cpu())
            # Smoothed, since neighbouring centres are similar.
            counts = F.pad(posterior_BSC.sum((0, 1))[None, None], (1, 1), mode="replicate")[0, 0]
            smooth = 0.25 * counts[:-2] + 0.5 * counts[1:-1] + 0.25 * counts[2:]
            columns = smooth + PRIOR_PHOTOS * prior.columns
            spreads = posterior_BSC.sum((0, 2)) + PRIOR_PHOTOS * prior.spreads
            places = cls(columns / columns.sum(), spreads / spreads.sum())
        return places

    def find(self, evidence_BSC: Tensor) -> tuple[Tensor, Tensor]:
        """The centre and spread of the figure of each photo.

        The less the set agrees on one place, the more the photo itself decides.

        Args:
            evidence_BSC: from ``place_evidence``.

        Returns:
            (B,) float32 centres and (B,) float32 spreads, relative to the width, on the device
            of the evidence.
        """
        posterior_BSC = self._posterior(FIND_WEIGHT / self.agreement() * evidence_BSC.cpu())
        columns = torch.tensor(COLUMNS, dtype=torch.float64)
        best = columns[posterior_BSC.sum(1).argmax(1)]
        posterior_BSC = posterior_BSC * ((columns - best[:, None]).abs() < NEAR)[:, None]
        posterior_BSC = posterior_BSC / posterior_BSC.sum((1, 2), keepdim=True)
        centres = posterior_BSC.sum(1) @ columns
        spreads = torch.tensor(SPREADS, dtype=torch.float64).log()
        spreads = WIDTH_FACTOR * (posterior_BSC.sum(2) @ spreads).exp()
        device = evidence_BSC.device
        return centres.float().to(device), spreads.float().to(device)

    def agreement(self) -> float:
        """The largest share of figures with their centres near one place, in (0, 1]."""
        columns = torch.tensor(COLUMNS, dtype=torch.float64)
        near = ((columns - columns[:, None]).abs() < NEAR).double()
        return float((near @ self.columns).max())

    def _posterior(self, log_odds_BSC: Tensor) -> Tensor:
        """(B, spreads, columns) float64 posterior; sums to 1 for each photo."""
        log_odds = log_odds_BSC.double() + self.columns.log() + self.spreads.log()[:, None]
        return log_odds.flatten(1).softmax(1).view(log_odds.shape)
