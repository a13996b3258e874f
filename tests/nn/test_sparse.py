"""The sparse code equals its formulas, and its fused passes equal autograd."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from c2l.nn.sparse import SparseCode


def sparse(code_input: str = "raw", *, ista_steps: int = 0, sparsity: float = 0.2) -> SparseCode:
    torch.manual_seed(1)
    return SparseCode(6, 4, sparsity=sparsity, ista_steps=ista_steps, code_input=code_input)


def objective(x: Tensor, alpha: Tensor, decoder: Tensor, sparsity: float) -> float:
    """Eq. 2 as a mean over positions, by a loop."""
    total, count = 0.0, 0
    for b in range(x.shape[0]):
        for t in range(x.shape[1]):
            residual = x[b, t].double() - decoder.double() @ alpha[b, t].double()
            total += 0.5 * float(residual @ residual) + sparsity * float(alpha[b, t].abs().sum())
            count += 1
    return total / count


def test_projection_scales_columns_outside_the_unit_ball_only() -> None:
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


@pytest.mark.parametrize("code_input", ["raw", "detach", "normalise"])
def test_loss_is_the_objective_at_the_code_of_the_encoder(code_input: str) -> None:
    code, tokens = sparse(code_input), torch.randn(2, 5, 6)
    x = tokens / tokens.norm(dim=-1, keepdim=True) if code_input != "raw" else tokens
    with torch.no_grad():
        decoded, loss = code(tokens)
        alpha = torch.relu(x @ code.encoder.weight.T + code.encoder.bias)
        expected = alpha @ code.dictionary.T
    if code_input != "raw":
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
    ("code_input", "reaches_input"), [("raw", True), ("normalise", True), ("detach", False)]
)
def test_gradient_of_the_loss_stops_at_a_detached_input(
    code_input: str, reaches_input: bool
) -> None:
    code, tokens = sparse(code_input), torch.randn(1, 4, 6, requires_grad=True)
    code(tokens)[1].backward()
    assert (tokens.grad is not None and bool(tokens.grad.any())) == reaches_input
    assert code.dictionary.grad is not None
    assert code.dictionary.grad.any()
    assert code.encoder.weight.grad is not None
    assert code.encoder.weight.grad.any()


@pytest.mark.parametrize("code_input", ["raw", "normalise", "detach"])
def test_gradient_of_the_output_always_reaches_the_input(code_input: str) -> None:
    code, tokens = sparse(code_input), torch.randn(1, 4, 6, requires_grad=True)
    code(tokens)[0].sum().backward()
    assert tokens.grad is not None
    assert tokens.grad.any()


def outputs_and_gradients(
    code: SparseCode, tokens: Tensor, given: str, autograd: bool
) -> list[Tensor | None]:
    """Both outputs, and the gradients of one or both with respect to input and parameters."""
    inputs = [tokens.clone().requires_grad_(), *code.parameters()]
    with torch.autocast("cpu", enabled=False):
        decoded, loss = code._forward_ista(inputs[0].float()) if autograd else code(inputs[0])
    weights = torch.linspace(-1, 1, decoded.numel()).view_as(decoded)
    terms = {"decoded": (decoded * weights).sum(), "loss": 0.7 * loss}
    total = sum(terms.values()) if given == "both" else terms[given]
    grads = torch.autograd.grad(total, inputs, allow_unused=True)  # type: ignore[arg-type]
    return [decoded, loss, *grads]


@pytest.mark.parametrize("code_input", ["raw", "normalise", "detach"])
@pytest.mark.parametrize("given", ["decoded", "loss", "both"])
def test_fused_passes_equal_autograd(
    code_input: str, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Five positions at a time: three full chunks and a part of one.
    monkeypatch.setattr("c2l.nn.sparse.CPU_CHUNK", 30)
    code, tokens = sparse(code_input), torch.randn(2, 9, 6)
    fused, plain = (outputs_and_gradients(code, tokens, given, a) for a in (False, True))
    for found, expected in zip(fused, plain, strict=True):
        # Without a path, autograd returns None instead of zero.
        if expected is None or found is None:
            assert not any(t is not None and bool(t.any()) for t in (found, expected))
        else:
            torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("code_input", ["raw", "normalise"])
def test_fused_gradients_equal_finite_differences(code_input: str) -> None:
    code = sparse(code_input).double()
    tokens = torch.randn(1, 3, 6, dtype=torch.float64, requires_grad=True)
    # Autograd treats the length that scales D alpha as a constant; finite differences do not.
    outputs = slice(None) if code_input == "raw" else slice(1, None)
    inputs = (tokens, *code.parameters())
    assert torch.autograd.gradcheck(lambda *given: code(given[0])[outputs], inputs)


@pytest.mark.parametrize("code_input", ["raw", "normalise", "detach"])
def test_autocast_changes_nothing(code_input: str) -> None:
    code, tokens = sparse(code_input), torch.randn(2, 9, 6)
    expected = outputs_and_gradients(code, tokens, "both", autograd=False)
    with torch.autocast("cpu", torch.bfloat16):
        decoded, loss = code(tokens)
        found = outputs_and_gradients(code, tokens, "both", autograd=False)
    assert torch.equal(decoded, expected[0])
    assert torch.equal(loss, expected[1])
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


def test_detaching_changes_no_output() -> None:
    tokens = torch.randn(2, 5, 6)
    with torch.no_grad():
        for steps in (0, 3):
            kept = sparse("normalise", ista_steps=steps)(tokens)
            torch.testing.assert_close(sparse("detach", ista_steps=steps)(tokens), kept)


@pytest.mark.parametrize("code_input", ["normalise", "detach"])
def test_normalised_loss_cannot_be_lowered_by_shrinking_the_input(code_input: str) -> None:
    code, tokens = sparse(code_input), torch.randn(1, 7, 6)
    with torch.no_grad():
        (decoded, loss), (shrunk, same) = code(tokens), code(tokens * 0.01)
    torch.testing.assert_close(loss, same)
    torch.testing.assert_close(shrunk, decoded * 0.01)
    if code_input == "detach":
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
