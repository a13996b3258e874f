"""The sparse code of the pixel consistent module (Eqs. 2 to 4), with a fused backward pass."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

# Values of F per chunk on a CPU, so that intermediates stay in the cache; a GPU takes all at once.
CPU_CHUNK = 1 << 18
EPSILON = 1e-12


class SparseCode(nn.Module):
    """alpha = ReLU(encoder(F)) in R^k at each position, decoded by D with columns in the unit ball.

    The encoder amortises the minimisation over alpha (Eq. 4); ``ista_steps`` refine its result.
    The paper writes D in R^{HW x k}, which cannot give HW x C; here D is C x k.

    Args:
        dim: channels C.
        atoms: k, fewer than C.
        sparsity: lambda of Eq. 2.
        ista_steps: proximal gradient steps after the encoder.
        code_input: ``raw`` codes F itself, as in the paper; shrinking F then lowers the loss.
            ``normalise`` codes F scaled to unit length; ``detach`` does the same and stops the
            gradient of the loss at F.
    """

    def __init__(
        self, dim: int, atoms: int, *, sparsity: float, ista_steps: int = 0, code_input: str = "raw"
    ) -> None:
        super().__init__()
        self.sparsity, self.ista_steps, self.code_input = sparsity, ista_steps, code_input
        self.encoder = nn.Linear(dim, atoms)
        self.dictionary = nn.Parameter(torch.randn(dim, atoms) / dim**0.5)
        self.project()

    @torch.no_grad()
    def project(self) -> None:
        """Project the columns of D onto the unit ball (Eq. 3)."""
        self.dictionary.div_(self.dictionary.norm(dim=0).clamp_min(1))

    def forward(self, tokens_BTC: Tensor) -> tuple[Tensor, Tensor]:
        """D alpha and the loss L_c, averaged over positions; both are computed in float32.

        Args:
            tokens_BTC: (B, T, C) F, the output of self-attention.

        Returns:
            (B, T, C) D alpha in the scale and dtype of F, and a float32 scalar.
        """
        with torch.autocast(tokens_BTC.device.type, enabled=False):
            if self.ista_steps:
                decoded, loss = self._forward_ista(tokens_BTC.float())
                return decoded.to(tokens_BTC.dtype), loss
            out = _AmortisedCode.apply(
                tokens_BTC.flatten(0, -2),
                self.encoder.weight,
                self.encoder.bias,
                self.dictionary,
                self.sparsity,
                self.code_input,
            )
        decoded, loss = out
        return decoded.view_as(tokens_BTC), loss

    def _forward_ista(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """D alpha and L_c by autograd, with ISTA steps after the encoder."""
        scale = torch.ones_like(x[..., :1])
        if self.code_input != "raw":
            scale = x.detach().norm(dim=-1, keepdim=True).clamp_min(EPSILON)
            x = F.normalize(x, dim=-1, eps=EPSILON)
        alpha = self._ista(x, F.relu(self.encoder(x)), self.dictionary)
        decoded = alpha @ self.dictionary.T
        if self.code_input == "detach":
            x = x.detach()
            alpha = self._ista(x, F.relu(self.encoder(x)), self.dictionary)
        error = 0.5 * (x - alpha @ self.dictionary.T).square().sum(-1)
        return decoded * scale, (error + self.sparsity * alpha.sum(-1)).mean()

    def _ista(self, x: Tensor, alpha: Tensor, decoder: Tensor) -> Tensor:
        # The Lipschitz constant of the quadratic's gradient is the largest eigenvalue of D'D.
        step = 1 / torch.linalg.matrix_norm(decoder.detach(), ord=2).square().clamp_min(1e-6)
        for _ in range(self.ista_steps):
            gradient = (alpha @ decoder.T - x) @ decoder
            alpha = F.relu(alpha - step * (gradient + self.sparsity))
        return alpha


class _AmortisedCode(torch.autograd.Function):
    """D alpha and L_c with alpha = ReLU(W x + b), with one pass over F forward and one backward.

    Autograd would take about twenty passes over tensors of the size of F, and for ``detach`` run
    encoder and decoder twice.
    """

    @staticmethod
    def forward(
        ctx: Any,
        tokens_PC: Tensor,
        weight_KC: Tensor,
        bias_K: Tensor,
        decoder_CK: Tensor,
        sparsity: float,
        code_input: str,
    ) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(tokens_PC, weight_KC, bias_K, decoder_CK)
        ctx.sparsity, ctx.code_input = sparsity, code_input
        ctx.set_materialize_grads(False)
        decoded = torch.empty_like(tokens_PC)
        total = torch.zeros((), dtype=weight_KC.dtype, device=tokens_PC.device)
        for rows in _chunks(tokens_PC):
            x, scale = _input_of_code(tokens_PC[rows], weight_KC.dtype, code_input)
            alpha = torch.addmm(bias_K, x, weight_KC.T).relu_()
            out = alpha @ decoder_CK.T
            total += 0.5 * torch.linalg.vector_norm(x - out).square() + sparsity * alpha.sum()
            decoded[rows] = out if scale is None else out.mul_(scale)
        return decoded, total / len(tokens_PC)

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, grad_decoded_PC: Tensor | None, grad_loss: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        with torch.autocast(ctx.saved_tensors[0].device.type, enabled=False):
            return _AmortisedCode._backward(ctx, grad_decoded_PC, grad_loss)

    @staticmethod
    def _backward(
        ctx: Any, grad_decoded_PC: Tensor | None, grad_loss: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        tokens_PC, weight_KC, bias_K, decoder_CK = ctx.saved_tensors
        per_position = bias_K.new_zeros(()) if grad_loss is None else grad_loss / len(tokens_PC)
        detach = ctx.code_input == "detach"
        no_grad_tokens = detach and grad_decoded_PC is None
        grad_tokens = None if no_grad_tokens else torch.empty_like(tokens_PC)
        grad_weight, grad_bias, grad_decoder = (
            torch.zeros_like(t) for t in (weight_KC, bias_K, decoder_CK)
        )
        for rows in _chunks(tokens_PC):
            x, scale = _input_of_code(tokens_PC[rows], weight_KC.dtype, ctx.code_input)
            alpha = torch.addmm(bias_K, x, weight_KC.T).relu_()
            grad_out = (
                torch.zeros_like(x)
                if grad_decoded_PC is None
                else grad_decoded_PC[rows].to(x.dtype)
            )
            if scale is not None:
                grad_out = grad_out * scale
            # The gradient of L_c with respect to D alpha.
            error = (alpha @ decoder_CK.T).sub_(x).mul_(per_position)
            inactive = alpha == 0
            alpha_from_out = (grad_out @ decoder_CK).masked_fill_(inactive, 0)
            grad_alpha = (error @ decoder_CK).add_(per_position * ctx.sparsity)
            grad_alpha = grad_alpha.masked_fill_(inactive, 0)
            grad_alpha += alpha_from_out
            grad_weight.addmm_(grad_alpha.T, x)
            grad_bias += grad_alpha.sum(0)
            grad_decoder.addmm_((grad_out + error).T, alpha)
            if grad_tokens is None:
                continue
            grad_x = alpha_from_out @ weight_KC if detach else (grad_alpha @ weight_KC).sub_(error)
            if scale is not None:
                # Through the normalisation passes only the part orthogonal to x.
                along = (grad_x * x).sum(1, keepdim=True)
                grad_x = grad_x.addcmul_(x, along, value=-1).div_(scale)
            grad_tokens[rows] = grad_x
        return grad_tokens, grad_weight, grad_bias, grad_decoder, None, None


def _chunks(tokens_PC: Tensor) -> list[slice]:
    """Slices of positions that are processed together."""
    count, channels = tokens_PC.shape
    rows = max(1, CPU_CHUNK // channels) if tokens_PC.device.type == "cpu" else max(1, count)
    return [slice(start, start + rows) for start in range(0, count, rows)]


def _input_of_code(
    tokens_PC: Tensor, dtype: torch.dtype, code_input: str
) -> tuple[Tensor, Tensor | None]:
    """The vectors to code, (P, C), and the lengths they were divided by, (P, 1), or None."""
    x = tokens_PC.to(dtype)
    if code_input == "raw":
        return x, None
    scale = torch.linalg.vector_norm(x, dim=1, keepdim=True).clamp_min_(EPSILON)
    return x / scale, scale
