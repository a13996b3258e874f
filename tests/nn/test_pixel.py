"""The pixel consistent module: attention equals its formula, and the code is added to it."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from c2l.nn.pixel import FeedForward, PixelConsistentModule
from c2l.nn.sparse import SparseCode


def sparse_code() -> SparseCode:
    torch.manual_seed(1)
    return SparseCode(6, 4, sparsity=0.2)


def attention_by_loops(module: PixelConsistentModule, features: Tensor) -> Tensor:
    """Softmax attention head by head and query by query, in float64."""
    batch, dim, height, width = features.shape
    width_of_head = dim // module.heads
    out = torch.zeros(batch, height * width, dim, dtype=torch.float64)
    for b in range(batch):
        tokens = features[b].reshape(dim, -1).T
        centred = tokens - tokens.mean(1, keepdim=True)
        normed = centred / (tokens.var(1, unbiased=False, keepdim=True) + module.norm.eps).sqrt()
        normed = normed * module.norm.weight + module.norm.bias
        qkv = (normed @ module.qkv.weight.T + module.qkv.bias).double()
        q, k, v = qkv[:, :dim], qkv[:, dim : 2 * dim], qkv[:, 2 * dim :]
        for head in range(module.heads):
            own = slice(head * width_of_head, (head + 1) * width_of_head)
            for t in range(height * width):
                weights = torch.exp(k[:, own] @ q[t, own] / math.sqrt(width_of_head))
                out[b, t, own] = (weights / weights.sum()) @ v[:, own]
    mixed = out @ module.out.weight.T.double() + module.out.bias.double()
    return mixed.transpose(1, 2).reshape(batch, dim, height, width).float()


def module_of(
    code: SparseCode | FeedForward, heads: int = 2, attention_stride: int = 1
) -> PixelConsistentModule:
    torch.manual_seed(2)
    module = PixelConsistentModule(6, heads, code, attention_stride=attention_stride)
    nn.init.normal_(module.out.weight)
    nn.init.normal_(module.norm.weight)
    return module.eval()


@pytest.mark.parametrize("heads", [1, 2, 3])
def test_attention_is_softmax_attention(heads: int) -> None:
    module, features = module_of(sparse_code(), heads), torch.randn(2, 6, 3, 4)
    with torch.no_grad():
        expected = attention_by_loops(module, features)
        torch.testing.assert_close(module.attend(features), expected, atol=1e-4, rtol=1e-4)


def test_attention_at_a_stride_is_upsampled_attention_of_the_pooled_map() -> None:
    module, features = module_of(sparse_code(), 2, attention_stride=2), torch.randn(1, 6, 4, 6)
    pooled = torch.zeros(1, 6, 2, 3)
    for y in range(2):
        for x in range(3):
            block = features[0, :, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2]
            pooled[0, :, y, x] = block.reshape(6, -1).mean(1)
    with torch.no_grad():
        coarse = attention_by_loops(module, pooled)
        expected = F.interpolate(coarse, (4, 6), mode="bilinear")
        torch.testing.assert_close(module.attend(features), expected, atol=1e-4, rtol=1e-4)


def test_attention_at_a_stride_keeps_odd_sizes() -> None:
    module = module_of(sparse_code(), 2, attention_stride=2)
    assert module.attend(torch.randn(1, 6, 5, 7)).shape == (1, 6, 5, 7)


@pytest.mark.parametrize("kind", ["sparse", "ffn"])
def test_output_is_attended_features_plus_the_code(kind: str) -> None:
    code = sparse_code() if kind == "sparse" else FeedForward(6, 12)
    module, features = module_of(code), torch.randn(2, 6, 3, 4)
    with torch.no_grad():
        y, loss = module(features)
        attended = features + module.attend(features)
        tokens = attended.permute(0, 2, 3, 1)
        if isinstance(code, SparseCode):
            added = torch.relu(code.encoder(tokens)) @ code.dictionary.T
        else:
            added = code.net(tokens)
            assert float(loss) == 0
    torch.testing.assert_close(y, attended + added.permute(0, 3, 1, 2))


def test_attention_adds_little_at_initialisation() -> None:
    torch.manual_seed(0)
    module = PixelConsistentModule(32, 2, FeedForward(32, 8))
    features = torch.randn(1, 32, 8, 8)
    with torch.no_grad():
        assert float(module.attend(features).norm() / features.norm()) < 0.1
