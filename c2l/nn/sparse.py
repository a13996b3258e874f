"""The sparse code of the pixel consistent module (Eq. 2 to 4), and its passes written out."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

# Values of F that go through all steps of a pass together on a CPU, so that what lies between
# the steps stays in the cache; a GPU takes all at once.
CPU_CHUNK = 1 << 18
NO_LESS = 1e-12


class SparseCode(nn.Module):
    """alpha = ReLU(encoder(F)) in R^k at each position, decoded by D with columns in the unit ball.

    The minimum over alpha (Eq. 4) is amortised by the encoder; ``ista_steps`` refine it. The
    paper writes D in R^{HW x k}, which cannot give HW x C; D is C x k here.

    Args:
        dim: channels C.
        atoms: k, fewer than C.
        sparsity: lambda of Eq. 2.
        ista_steps: proximal gradient steps after the encoder.
        loss_input: ``raw`` codes F itself, as the paper has it, and the loss can be lowered by
            shrinking F; ``normalise`` codes F of unit length; ``detach`` does so without sending
            the loss's gradient on to F.
    """

    def __init__(
        self, dim: int, atoms: int, *, sparsity: float, ista_steps: int = 0, loss_input: str = "raw"
    ) -> None:
        super().__init__()
        self.sparsity, self.ista_steps, self.loss_input = sparsity, ista_steps, loss_input
        self.encoder = nn.Linear(dim, atoms)
        self.dictionary = nn.Parameter(torch.randn(dim, atoms) / dim**0.5)
        self.project()

    @torch.no_grad()
    def project(self) -> None:
        """Scale columns of D that left the unit ball back onto it (Eq. 3)."""
        self.dictionary.div_(self.dictionary.norm(dim=0).clamp_min(1))

    def forward(self, tokens_BTC: Tensor) -> tuple[Tensor, Tensor]:
        """D alpha, and the loss L_c as a mean over positions; both are computed in float32.

        Args:
            tokens_BTC: (B, T, C) F, the output of self-attention.

        Returns:
            (B, T, C) D alpha in F's scale and dtype, and a scalar float32.
        """
        with torch.autocast(tokens_BTC.device.type, enabled=False):
            if self.ista_steps:
                decoded, loss = self._refined(tokens_BTC.float())
                return decoded.to(tokens_BTC.dtype), loss
            out = _AmortisedCode.apply(
                tokens_BTC.flatten(0, -2),
                self.encoder.weight,
                self.encoder.bias,
                self.dictionary,
                self.sparsity,
                self.loss_input,
            )
        decoded, loss = out
        return decoded.view_as(tokens_BTC), loss

    def _refined(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The code after ISTA's steps, through which gradients pass."""
        scale = torch.ones_like(x[..., :1])
        if self.loss_input != "raw":
            scale = x.detach().norm(dim=-1, keepdim=True).clamp_min(NO_LESS)
            x = F.normalize(x, dim=-1, eps=NO_LESS)
        alpha = self._ista(x, F.relu(self.encoder(x)), self.dictionary)
        decoded = alpha @ self.dictionary.T
        if self.loss_input == "detach":
            x = x.detach()
            alpha = self._ista(x, F.relu(self.encoder(x)), self.dictionary)
        error = 0.5 * (x - alpha @ self.dictionary.T).square().sum(-1)
        return decoded * scale, (error + self.sparsity * alpha.sum(-1)).mean()

    def _ista(self, x: Tensor, alpha: Tensor, decoder: Tensor) -> Tensor:
        # The gradient of the quadratic is Lipschitz with the largest eigenvalue of D'D.
        step = 1 / torch.linalg.matrix_norm(decoder.detach(), ord=2).square().clamp_min(1e-6)
        for _ in range(self.ista_steps):
            gradient = (alpha @ decoder.T - x) @ decoder
            alpha = F.relu(alpha - step * (gradient + self.sparsity))
        return alpha


class _AmortisedCode(torch.autograd.Function):
    """D alpha and L_c with alpha = ReLU(W x + b), forward and backward in one pass over F each.

    Left to autograd, the code is some twenty passes over tensors as large as F, and, where the
    loss is kept from F, the encoder and the decoder twice.
    """

    @staticmethod
    def forward(
        ctx: Any,
        tokens_PC: Tensor,
        weight_KC: Tensor,
        bias_K: Tensor,
        decoder_CK: Tensor,
        sparsity: float,
        loss_input: str,
    ) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(tokens_PC, weight_KC, bias_K, decoder_CK)
        ctx.sparsity, ctx.loss_input = sparsity, loss_input
        ctx.set_materialize_grads(False)
        decoded = torch.empty_like(tokens_PC)
        total = torch.zeros((), dtype=weight_KC.dtype, device=tokens_PC.device)
        for rows in _chunks(tokens_PC):
            x, scale = _coded(tokens_PC[rows], weight_KC.dtype, loss_input)
            alpha = torch.addmm(bias_K, x, weight_KC.T).relu_()
            found = alpha @ decoder_CK.T
            total += 0.5 * torch.linalg.vector_norm(x - found).square() + sparsity * alpha.sum()
            decoded[rows] = found if scale is None else found.mul_(scale)
        return decoded, total / len(tokens_PC)

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, upper_PC: Tensor | None, upper_loss: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        with torch.autocast(ctx.saved_tensors[0].device.type, enabled=False):
            return _AmortisedCode._backward(ctx, upper_PC, upper_loss)

    @staticmethod
    def _backward(
        ctx: Any, upper_PC: Tensor | None, upper_loss: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        tokens_PC, weight_KC, bias_K, decoder_CK = ctx.saved_tensors
        each = bias_K.new_zeros(()) if upper_loss is None else upper_loss / len(tokens_PC)
        detached = ctx.loss_input == "detach"
        lower = None if detached and upper_PC is None else torch.empty_like(tokens_PC)
        weight, bias, decoder = (torch.zeros_like(t) for t in (weight_KC, bias_K, decoder_CK))
        for rows in _chunks(tokens_PC):
            x, scale = _coded(tokens_PC[rows], weight_KC.dtype, ctx.loss_input)
            alpha = torch.addmm(bias_K, x, weight_KC.T).relu_()
            upper = torch.zeros_like(x) if upper_PC is None else upper_PC[rows].to(x.dtype)
            if scale is not None:
                upper = upper * scale
            # L_c's gradient on D alpha, and what D alpha passes on to F.
            error = (alpha @ decoder_CK.T).sub_(x).mul_(each)
            off = alpha == 0
            onward = (upper @ decoder_CK).masked_fill_(off, 0)
            to_alpha = (error @ decoder_CK).add_(each * ctx.sparsity).masked_fill_(off, 0)
            to_alpha += onward
            weight.addmm_(to_alpha.T, x)
            bias += to_alpha.sum(0)
            decoder.addmm_((upper + error).T, alpha)
            if lower is None:
                continue
            below = onward @ weight_KC if detached else (to_alpha @ weight_KC).sub_(error)
            if scale is not None:
                # Only what is across a vector can turn it.
                below = below.addcmul_(x, (below * x).sum(1, keepdim=True), value=-1).div_(scale)
            lower[rows] = below
        return lower, weight, bias, decoder, None, None


def _chunks(tokens_PC: Tensor) -> list[slice]:
    """Slices of positions."""
    count, channels = tokens_PC.shape
    rows = max(1, CPU_CHUNK // channels) if tokens_PC.device.type == "cpu" else max(1, count)
    return [slice(start, start + rows) for start in range(0, count, rows)]


def _coded(tokens_PC: Tensor, dtype: torch.dtype, loss_input: str) -> tuple[Tensor, Tensor | None]:
    """What is coded, (P, C), and the lengths it was divided by, (P, 1), or None."""
    x = tokens_PC.to(dtype)
    if loss_input == "raw":
        return x, None
    scale = torch.linalg.vector_norm(x, dim=1, keepdim=True).clamp_min_(NO_LESS)
    return x / scale, scale
