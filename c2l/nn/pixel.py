"""The pixel consistent module: self-attention over positions, then a sparse code (section 3.3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


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
            (B, T, C) D alpha in F's scale, and a scalar float32.
        """
        with torch.autocast(tokens_BTC.device.type, enabled=False):
            decoded, loss = self._code(tokens_BTC.float())
        return decoded.to(tokens_BTC.dtype), loss

    def _code(self, x: Tensor) -> tuple[Tensor, Tensor]:
        scale = torch.ones_like(x[..., :1])
        if self.loss_input != "raw":
            scale = x.detach().norm(dim=-1, keepdim=True).clamp_min(1e-6)
            x = F.normalize(x, dim=-1)
        decoder = self.dictionary.float()
        alpha = self._ista(x, F.relu(self.encoder(x)).float(), decoder)
        decoded = alpha @ decoder.T
        if self.loss_input == "detach":
            loss = self._loss(x.detach(), decoder)
        else:
            loss = self._objective(x, alpha, decoder)
        return decoded * scale, loss

    def _loss(self, x: Tensor, decoder: Tensor) -> Tensor:
        alpha = self._ista(x, F.relu(self.encoder(x)).float(), decoder)
        return self._objective(x, alpha, decoder)

    def _objective(self, x: Tensor, alpha: Tensor, decoder: Tensor) -> Tensor:
        """Eq. 4, a mean over positions."""
        error = 0.5 * (x - alpha @ decoder.T).square().sum(-1) + self.sparsity * alpha.sum(-1)
        return error.mean()

    def _ista(self, x: Tensor, alpha: Tensor, decoder: Tensor) -> Tensor:
        if not self.ista_steps:
            return alpha
        # The gradient of the quadratic is Lipschitz with the largest eigenvalue of D'D.
        step = 1 / torch.linalg.matrix_norm(decoder.detach(), ord=2).square().clamp_min(1e-6)
        for _ in range(self.ista_steps):
            gradient = (alpha @ decoder.T - x) @ decoder
            alpha = F.relu(alpha - step * (gradient + self.sparsity))
        return alpha


class FeedForward(nn.Module):
    """The ordinary feed-forward network of a transformer (Table 1, third row)."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, dim))

    def forward(self, tokens_BTC: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, C) and a loss of zero."""
        out: Tensor = self.net(tokens_BTC)
        return out, torch.zeros((), device=tokens_BTC.device)


class PixelConsistentModule(nn.Module):
    """Multi-head self-attention without positional embedding, a residual, then the code.

    Args:
        dim: channels C.
        heads: attention heads; few wide ones are as good and faster, since the exponentials
            grow with their number.
        code: a ``SparseCode`` or ``FeedForward``.
        attention_stride: attention on the map pooled by this factor, brought back bilinearly.
    """

    def __init__(
        self, dim: int, heads: int, code: SparseCode | FeedForward, *, attention_stride: int = 1
    ) -> None:
        super().__init__()
        self.heads, self.attention_stride = heads, attention_stride
        self.norm = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        # The module starts near the identity, so that what the backbone knows is kept.
        nn.init.normal_(self.out.weight, std=0.1 / dim**0.5)
        nn.init.zeros_(self.out.bias)
        self.code = code

    def attend(self, features_BCHW: Tensor) -> Tensor:
        """Self-attention alone, (B, C, H, W), without the residual."""
        height, width = features_BCHW.shape[-2:]
        pooled = features_BCHW
        if self.attention_stride > 1:
            pooled = F.avg_pool2d(features_BCHW, self.attention_stride, ceil_mode=True)
        batch, dim, rows, columns = pooled.shape
        tokens = self.norm(pooled.flatten(2).transpose(1, 2))
        qkv = self.qkv(tokens).view(batch, rows * columns, 3, self.heads, dim // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = F.scaled_dot_product_attention(query, key, value)
        mixed = self.out(mixed.transpose(1, 2).flatten(2))
        mixed = mixed.transpose(1, 2).reshape(batch, dim, rows, columns)
        if self.attention_stride > 1:
            mixed = F.interpolate(mixed, (height, width), mode="bilinear")
        return mixed

    def forward(self, features_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """The output y of the module and its loss L_c.

        Args:
            features_BCHW: (B, C, H, W) the features m.

        Returns:
            (B, C, H, W) y = F + D alpha, and a scalar float32.
        """
        attended = features_BCHW + self.attend(features_BCHW)
        tokens = attended.flatten(2).transpose(1, 2)
        decoded, loss = self.code(tokens)
        return attended + decoded.transpose(1, 2).reshape_as(attended), loss
