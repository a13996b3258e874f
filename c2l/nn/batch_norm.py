"""Batch normalisation over a batch that several ranks share."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from c2l.errors import UsageError
from c2l.runtime.ranks import Ranks


class _Sum(torch.autograd.Function):
    """The sum over ranks, of values forward and of gradients backward."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, ranks: Ranks) -> Tensor:
        ctx.ranks = ranks
        return ranks.sum(values)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        ranks: Ranks = ctx.ranks
        return ranks.sum(grad), None


class RankedBatchNorm2d(nn.BatchNorm2d):
    """Normalises by mean and variance over the parts of a batch on all ranks.

    As ``torch.nn.SyncBatchNorm``, which works on GPUs only. A rank that has no image of the batch
    counts for nothing.
    """

    ranks: Ranks

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, H, W) of any dtype to the same; statistics in float32, their sums in float64."""
        if not self.training:
            return super().forward(input)
        variance, mean = torch.var_mean(input.float(), (0, 2, 3), correction=0)
        count = input.new_full((1,), input.numel() // input.shape[1], dtype=torch.float64)
        count *= float(self.ranks.share > 0)
        moments = torch.cat([mean, variance + mean.square()]).double() * count
        total = _Sum.apply(torch.cat([moments, count]), self.ranks)
        mean, square = (total[:-1] / total[-1]).chunk(2)
        variance = (square - mean.square()).clamp_min(0)
        self._follow(mean.detach(), variance.detach(), total[-1].detach())
        scale = torch.rsqrt(variance + self.eps).float() * self.weight
        shift = self.bias - mean.float() * scale
        out: Tensor = input * scale[:, None, None] + shift[:, None, None]
        return out.to(input.dtype)

    def _follow(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        """Move the running statistics, the variance unbiased."""
        if self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        rate = self.momentum if self.momentum is not None else 1 / float(self.num_batches_tracked)
        unbiased = variance * count / (count - 1).clamp_min(1)
        self.running_mean.lerp_(mean.to(self.running_mean), rate)
        self.running_var.lerp_(unbiased.to(self.running_var), rate)


def over_ranks(net: nn.Module, ranks: Ranks) -> None:
    """Have all batch normalisation of a network see the batch of all ranks.

    Raises:
        UsageError: it is of a kind that this does not know.
    """
    for module in net.modules():
        if type(module) is nn.BatchNorm2d and module.affine:
            # Parameters, buffers and the names in checkpoints stay.
            module.__class__ = RankedBatchNorm2d
            module.ranks = ranks  # type: ignore[assignment]
        elif isinstance(module, nn.modules.batchnorm._BatchNorm):
            raise UsageError(
                f"--batch-norm all: {type(module).__name__} cannot be normalised over ranks",
                hint="add --batch-norm rank, or choose another --backbone",
            )


def average_statistics(net: nn.Module, ranks: Ranks) -> None:
    """Give all ranks the mean of their running statistics, where each normalises by itself."""
    moving = [
        values
        for module in net.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm)
        for values in (module.running_mean, module.running_var)
        if values is not None
    ]
    if moving:
        total = ranks.sum(torch.cat(moving)) / ranks.size
        for values, mean in zip(moving, torch.split(total, [len(v) for v in moving]), strict=True):
            values.copy_(mean)
