"""The pixel consistent module: self-attention over positions and a sparse code (section 3.3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from c2l.nn.resize import resize
from c2l.nn.sparse import SparseCode


class FeedForward(nn.Module):
    """The feed-forward network of a transformer (Table 1, third row)."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, dim))

    def forward(self, tokens_BTC: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, C) outputs and a loss of zero."""
        out: Tensor = self.net(tokens_BTC)
        return out, torch.zeros((), device=tokens_BTC.device)


class PixelConsistentModule(nn.Module):
    """Multi-head self-attention without positional embedding, a residual, then the code.

    Args:
        dim: channels C.
        heads: attention heads; a few wide heads are as good as many and faster, since each head
            computes a softmax of its own.
        code: a ``SparseCode`` or ``FeedForward``.
        attention_stride: pool the map by this factor for attention, then upsample bilinearly.
    """

    def __init__(
        self, dim: int, heads: int, code: SparseCode | FeedForward, *, attention_stride: int = 1
    ) -> None:
        super().__init__()
        self.heads, self.attention_stride = heads, attention_stride
        self.norm = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        # Near the identity at the start, so that pretrained features are kept.
        nn.init.normal_(self.out.weight, std=0.1 / dim**0.5)
        nn.init.zeros_(self.out.bias)
        self.code = code

    def attend(self, features_BCHW: Tensor) -> Tensor:
        """Self-attention without the residual, (B, C, H, W)."""
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
            mixed = resize(mixed, (height, width))
        return mixed

    def forward(self, features_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """The output y and the loss L_c.

        Args:
            features_BCHW: (B, C, H, W) features m.

        Returns:
            (B, C, H, W) y = F + D alpha, and a float32 scalar.
        """
        attended = features_BCHW + self.attend(features_BCHW)
        tokens = attended.flatten(2).transpose(1, 2)
        decoded, loss = self.code(tokens)
        return attended + decoded.transpose(1, 2).reshape_as(attended), loss
