"""Attention and sparse code equal their formulas, position by position."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from c2l.nn.architectures import build_backbone
from c2l.nn.backbone import FeaturePyramid
from c2l.nn.network import ParsingNetwork, build_pixel_module
from c2l.nn.pixel import FeedForward, PixelConsistentModule
from c2l.nn.sparse import SparseCode


def sparse(loss_input: str = "raw", *, ista_steps: int = 0, sparsity: float = 0.2) -> SparseCode:
    torch.manual_seed(1)
    return SparseCode(6, 4, sparsity=sparsity, ista_steps=ista_steps, loss_input=loss_input)


def objective(x: Tensor, alpha: Tensor, decoder: Tensor, sparsity: float) -> float:
    """Eq. 2 as a mean over positions, by a loop."""
    total, count = 0.0, 0
    for b in range(x.shape[0]):
        for t in range(x.shape[1]):
            residual = x[b, t].double() - decoder.double() @ alpha[b, t].double()
            total += 0.5 * float(residual @ residual) + sparsity * float(alpha[b, t].abs().sum())
            count += 1
    return total / count


def test_projection_brings_columns_into_the_unit_ball_and_leaves_inner_ones() -> None:
    code = sparse()
    inner, outer = torch.full((6,), 0.1), torch.full((6,), 3.0)
    with torch.no_grad():
        code.dictionary[:, 0], code.dictionary[:, 1], code.dictionary[:, 2] = inner, outer, 0
    code.project()
    columns = code.dictionary.detach().T
    assert float(columns.norm(dim=1).max()) <= 1 + 1e-6
    assert torch.equal(columns[0], inner)
    torch.testing.assert_close(columns[1], outer / outer.norm())
    assert not columns[2].any()


def test_dictionary_starts_inside_the_unit_ball() -> None:
    assert float(sparse().dictionary.detach().norm(dim=0).max()) <= 1 + 1e-6


@pytest.mark.parametrize("loss_input", ["raw", "detach", "normalise"])
def test_loss_is_the_objective_at_the_encoders_code(loss_input: str) -> None:
    code, tokens = sparse(loss_input), torch.randn(2, 5, 6)
    x = tokens / tokens.norm(dim=-1, keepdim=True) if loss_input != "raw" else tokens
    with torch.no_grad():
        decoded, loss = code(tokens)
        alpha = torch.relu(x @ code.encoder.weight.T + code.encoder.bias)
        expected = alpha @ code.dictionary.T
    if loss_input != "raw":
        expected = expected * tokens.norm(dim=-1, keepdim=True)
    torch.testing.assert_close(decoded, expected)
    assert float(loss) == pytest.approx(
        objective(x, alpha, code.dictionary.detach(), 0.2), rel=1e-5
    )


def test_ista_steps_never_raise_the_objective() -> None:
    tokens = torch.randn(2, 40, 6) * 2
    losses = []
    for steps in range(6):
        code = sparse(ista_steps=steps)
        with torch.no_grad():
            code.dictionary.mul_(3)
            code.project()
            losses.append(float(code(tokens)[1]))
    assert all(b <= a + 1e-6 for a, b in pairwise(losses))
    assert losses[-1] < losses[0]


def test_many_ista_steps_reach_the_lasso_optimum() -> None:
    code, tokens = sparse(ista_steps=2000), torch.randn(1, 8, 6)
    with torch.no_grad():
        start = torch.relu(code.encoder(tokens))
        alpha = code._ista(tokens, start, code.dictionary)
        correlation = (tokens - alpha @ code.dictionary.T) @ code.dictionary
    # Optimality: the residual's correlation is lambda on active atoms, at most lambda elsewhere.
    active = alpha > 1e-4
    torch.testing.assert_close(
        correlation[active], torch.full_like(correlation[active], 0.2), atol=1e-3, rtol=0
    )
    assert float(correlation.max()) <= 0.2 + 1e-3


@pytest.mark.parametrize(
    ("loss_input", "reaches"), [("raw", True), ("normalise", True), ("detach", False)]
)
def test_whether_the_loss_reaches_the_input(loss_input: str, reaches: bool) -> None:
    code, tokens = sparse(loss_input), torch.randn(1, 4, 6, requires_grad=True)
    code(tokens)[1].backward()
    assert (tokens.grad is not None and bool(tokens.grad.any())) == reaches
    assert code.dictionary.grad is not None
    assert code.dictionary.grad.any()
    assert code.encoder.weight.grad is not None
    assert code.encoder.weight.grad.any()


@pytest.mark.parametrize("loss_input", ["raw", "normalise", "detach"])
def test_the_decoded_features_always_pass_a_gradient_to_the_input(loss_input: str) -> None:
    code, tokens = sparse(loss_input), torch.randn(1, 4, 6, requires_grad=True)
    code(tokens)[0].sum().backward()
    assert tokens.grad is not None
    assert tokens.grad.any()


def _passes(code: SparseCode, tokens: Tensor, given: str, plain: bool) -> list[Tensor | None]:
    """Both outputs, and the gradients of one of them or of both, by input and parameters."""
    inputs = [tokens.clone().requires_grad_(), *code.parameters()]
    with torch.autocast("cpu", enabled=False):
        decoded, loss = code._refined(inputs[0].float()) if plain else code(inputs[0])
    weights = torch.linspace(-1, 1, decoded.numel()).view_as(decoded)
    terms = {"decoded": (decoded * weights).sum(), "loss": 0.7 * loss}
    total = sum(terms.values()) if given == "both" else terms[given]
    grads = torch.autograd.grad(total, inputs, allow_unused=True)  # type: ignore[arg-type]
    return [decoded, loss, *grads]


@pytest.mark.parametrize("loss_input", ["raw", "normalise", "detach"])
@pytest.mark.parametrize("given", ["decoded", "loss", "both"])
def test_the_passes_written_out_are_those_of_autograd(
    loss_input: str, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Five positions at a time: three full chunks and a part of one.
    monkeypatch.setattr("c2l.nn.sparse.CPU_CHUNK", 30)
    code, tokens = sparse(loss_input), torch.randn(2, 9, 6)
    ours, plain = (_passes(code, tokens, given, plain) for plain in (False, True))
    for found, expected in zip(ours, plain, strict=True):
        # Where nothing flows, autograd says None in place of zero.
        if expected is None or found is None:
            assert not any(t is not None and bool(t.any()) for t in (found, expected))
        else:
            torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("loss_input", ["raw", "normalise"])
def test_the_passes_written_out_have_the_gradient_of_differences(loss_input: str) -> None:
    code = sparse(loss_input).double()
    tokens = torch.randn(1, 3, 6, dtype=torch.float64, requires_grad=True)
    # The length that D alpha is scaled by is a constant to autograd, not to differences.
    outputs = slice(None) if loss_input == "raw" else slice(1, None)
    inputs = (tokens, *code.parameters())
    assert torch.autograd.gradcheck(lambda *given: code(given[0])[outputs], inputs)


def test_the_passes_written_out_may_run_under_autocast() -> None:
    code, tokens = sparse("normalise"), torch.randn(2, 9, 6)
    expected = _passes(code, tokens, "both", plain=False)
    with torch.autocast("cpu", torch.bfloat16):
        found = _passes(code, tokens, "both", plain=False)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


def test_features_in_half_precision_are_coded_in_float32() -> None:
    code, tokens = sparse("detach"), torch.randn(2, 9, 6).bfloat16()
    decoded, loss = code(tokens)
    exact, same = code(tokens.float())
    assert decoded.dtype == torch.bfloat16
    assert loss.dtype == torch.float32
    assert torch.equal(decoded, exact.bfloat16())
    assert torch.equal(loss, same)


def test_detaching_changes_no_value() -> None:
    tokens = torch.randn(2, 5, 6)
    with torch.no_grad():
        for steps in (0, 3):
            kept = sparse("normalise", ista_steps=steps)(tokens)
            torch.testing.assert_close(sparse("detach", ista_steps=steps)(tokens), kept)


@pytest.mark.parametrize("loss_input", ["normalise", "detach"])
def test_normalised_loss_cannot_be_lowered_by_shrinking_the_input(loss_input: str) -> None:
    code, tokens = sparse(loss_input), torch.randn(1, 7, 6)
    with torch.no_grad():
        (decoded, loss), (shrunk, same) = code(tokens), code(tokens * 0.01)
    torch.testing.assert_close(loss, same)
    torch.testing.assert_close(shrunk, decoded * 0.01)
    if loss_input == "detach":
        return
    grown = tokens.clone().requires_grad_()
    code(grown)[1].backward()
    assert grown.grad is not None
    along = (grown.grad * tokens).sum(-1)  # no gradient along the input itself
    torch.testing.assert_close(along, torch.zeros_like(along), atol=1e-6, rtol=0)


def test_raw_loss_is_lowered_by_shrinking_the_input() -> None:
    code, tokens = sparse("raw"), torch.randn(1, 7, 6)
    with torch.no_grad():
        code.encoder.bias.zero_()
        assert float(code(tokens * 0.1)[1]) < float(code(tokens)[1])


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
    module, features = module_of(sparse(), heads), torch.randn(2, 6, 3, 4)
    with torch.no_grad():
        expected = attention_by_loops(module, features)
        torch.testing.assert_close(module.attend(features), expected, atol=1e-4, rtol=1e-4)


def test_attention_at_a_stride_is_attention_of_the_pooled_map_brought_back() -> None:
    module, features = module_of(sparse(), 2, attention_stride=2), torch.randn(1, 6, 4, 6)
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
    module = module_of(sparse(), 2, attention_stride=2)
    assert module.attend(torch.randn(1, 6, 5, 7)).shape == (1, 6, 5, 7)


@pytest.mark.parametrize("kind", ["sparse", "ffn"])
def test_output_is_attended_features_plus_the_code(kind: str) -> None:
    code = sparse() if kind == "sparse" else FeedForward(6, 12)
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


def test_module_starts_near_the_identity_but_for_the_code() -> None:
    torch.manual_seed(0)
    module = PixelConsistentModule(32, 2, FeedForward(32, 8))
    features = torch.randn(1, 32, 8, 8)
    with torch.no_grad():
        assert float(module.attend(features).norm() / features.norm()) < 0.1


@pytest.mark.parametrize("kind", ["off", "ffn", "sparse"])
def test_builder_gives_the_module_that_is_asked_for(kind: str) -> None:
    module = build_pixel_module(
        8,
        kind=kind,
        heads=2,
        atoms=4,
        sparsity=0.3,
        ista_steps=1,
        attention_stride=2,
        code_input="detach",
    )
    if kind == "off":
        assert module is None
        return
    assert module is not None
    assert module.attention_stride == 2
    assert isinstance(module.code, SparseCode if kind == "sparse" else FeedForward)
    if isinstance(module.code, SparseCode):
        assert (module.code.sparsity, module.code.ista_steps) == (0.3, 1)
        assert module.code.loss_input == "detach"


def test_network_gives_unit_vectors_and_constrains_its_dictionary() -> None:
    torch.manual_seed(0)
    backbone = build_backbone("resnet18")
    pixel = PixelConsistentModule(8, 2, SparseCode(8, 4, sparsity=0.1))
    net = ParsingNetwork(backbone, FeaturePyramid(backbone.channels, 8), pixel, None).eval()
    with torch.no_grad():
        images = torch.rand(1, 3, 32, 32)
        y = net(images)
        expected = F.normalize(pixel(net.features(images))[0], dim=1)
        torch.testing.assert_close(y, expected)
        np.testing.assert_allclose(y.norm(dim=1), 1, atol=1e-5)
        assert isinstance(pixel.code, SparseCode)
        pixel.code.dictionary.mul_(50)
        net.constrain()
        assert float(pixel.code.dictionary.norm(dim=0).max()) <= 1 + 1e-6


def test_network_without_modules_is_the_normalised_pyramid() -> None:
    torch.manual_seed(0)
    backbone = build_backbone("resnet18")
    net = ParsingNetwork(backbone, FeaturePyramid(backbone.channels, 8), None, None).eval()
    with torch.no_grad():
        images = torch.rand(1, 3, 32, 32)
        y, loss = net.embed(net.features(images))
        torch.testing.assert_close(y, F.normalize(net.pyramid(backbone(images)), dim=1))
    assert float(loss) == 0
    net.constrain()


def test_head_on_a_frozen_layer_projects_its_normalised_features() -> None:
    torch.manual_seed(0)
    backbone = build_backbone("resnet18")
    projection = nn.Conv2d(128, 8, 1)
    net = ParsingNetwork(
        backbone,
        FeaturePyramid(backbone.channels, 8),
        None,
        None,
        layer="layer2",
        projection=projection,
    ).eval()
    with torch.no_grad():
        images = torch.rand(1, 3, 32, 32)
        dense = backbone(images)["layer2"]
        expected = projection(dense / dense.norm(dim=1, keepdim=True).clamp_min(1e-12))
        torch.testing.assert_close(net.features(images), expected)


@pytest.mark.parametrize("loss_input", ["raw", "normalise", "detach"])
def test_the_sparse_code_is_computed_in_float32_under_autocast(loss_input: str) -> None:
    code = sparse(loss_input)
    tokens = torch.randn(2, 5, 6, generator=torch.Generator().manual_seed(3))
    decoded, loss = code(tokens)
    with torch.autocast("cpu", torch.bfloat16):
        under, loss_under = code(tokens)
    assert torch.equal(decoded, under)
    assert torch.equal(loss, loss_under)
