"""Part vectors and InfoNCE equal loops over parts and pixels."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from c2l.nn.part import PartContrastiveModule, part_contrastive_loss, pool_by_label


def unit(*shape: int, seed: int) -> Tensor:
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def info_nce_by_loops(
    queries: Tensor,
    keys: Tensor,
    tau: float,
    present: tuple[Tensor, Tensor],
) -> float:
    """Image by image, over all permutations: most matched parts first, then similarity."""
    losses = []
    for b in range(len(queries)):
        count = queries.shape[1]
        rows = [i for i in range(count) if present[0][b, i]]
        columns = [j for j in range(count) if present[1][b, j]]
        cosine = (queries[b].double() @ keys[b].double().T).tolist()

        def score(order: tuple[int, ...]) -> tuple[int, float]:
            pairs = [(i, order[i]) for i in rows if order[i] in columns]  # noqa: B023
            return len(pairs), sum(cosine[i][j] for i, j in pairs)  # noqa: B023

        best = max(permutations(range(count)), key=score)
        for i in rows:
            if best[i] in columns:
                total = sum(math.exp(cosine[i][j] / tau) for j in columns)
                losses.append(-math.log(math.exp(cosine[i][best[i]] / tau) / total))
    return sum(losses) / len(losses) if losses else 0.0


def all_present(vectors: Tensor) -> tuple[Tensor, Tensor]:
    everywhere = torch.ones(vectors.shape[:2], dtype=torch.bool)
    return everywhere, everywhere


@pytest.mark.parametrize("parts", [2, 3, 5, 6])
@pytest.mark.parametrize("tau", [0.07, 0.5])
def test_loss_is_info_nce_over_matched_parts(parts: int, tau: float) -> None:
    queries, keys = unit(4, parts, 8, seed=1), unit(4, parts, 8, seed=2)
    present = all_present(queries)
    loss = part_contrastive_loss(queries, keys, tau, present)
    assert float(loss) == pytest.approx(info_nce_by_loops(queries, keys, tau, present), rel=1e-4)


@pytest.mark.parametrize("parts", [3, 5, 6])
def test_absent_parts_are_neither_queries_nor_keys(parts: int) -> None:
    random = np.random.default_rng(parts)
    queries, keys = unit(12, parts, 6, seed=3), unit(12, parts, 6, seed=4)
    present = tuple(torch.from_numpy(random.random((12, parts)) < 0.6) for _ in range(2))
    pair = (present[0], present[1])
    loss = part_contrastive_loss(queries, keys, 0.2, pair)
    assert float(loss) == pytest.approx(info_nce_by_loops(queries, keys, 0.2, pair), rel=1e-4)


def test_the_order_of_the_parts_does_not_matter() -> None:
    queries, keys = unit(3, 5, 16, seed=7), unit(3, 5, 16, seed=8)
    shuffled = keys[:, torch.tensor([3, 0, 4, 1, 2])]
    present = all_present(queries)
    torch.testing.assert_close(
        part_contrastive_loss(queries, keys, 0.1, present),
        part_contrastive_loss(queries, shuffled, 0.1, present),
    )


def test_loss_vanishes_for_equal_orthogonal_parts_in_another_order() -> None:
    parts = torch.eye(4)[None]
    assert float(part_contrastive_loss(parts, parts.flip(1), 0.05, all_present(parts))) < 1e-6


def test_no_common_part_gives_zero_and_a_finite_gradient() -> None:
    queries = unit(2, 3, 4, seed=9).requires_grad_()
    keys = unit(2, 3, 4, seed=10).requires_grad_()
    nowhere = torch.zeros(2, 3, dtype=torch.bool)
    loss = part_contrastive_loss(queries, keys, 0.1, (nowhere, ~nowhere))
    loss.backward()
    assert float(loss.detach()) == 0
    assert queries.grad is not None
    assert torch.equal(queries.grad, torch.zeros_like(queries))


def test_absent_parts_get_no_gradient() -> None:
    queries = unit(2, 4, 5, seed=11).requires_grad_()
    keys = unit(2, 4, 5, seed=12).requires_grad_()
    first = torch.tensor([[True, True, False, True]] * 2)
    second = torch.tensor([[True, False, True, True]] * 2)
    part_contrastive_loss(queries, keys, 0.1, (first, second)).backward()
    assert queries.grad is not None
    assert keys.grad is not None
    assert torch.isfinite(queries.grad).all()
    assert torch.isfinite(keys.grad).all()
    assert not queries.grad[:, 2].any()
    assert not keys.grad[:, 1].any()
    assert queries.grad[:, [0, 1, 3]].abs().sum(-1).gt(0).all()


def test_pooling_is_the_mean_over_the_pixels_of_each_label() -> None:
    random = np.random.default_rng(0)
    features = random.normal(size=(3, 4, 5, 6)).astype(np.float32)
    labels = random.integers(0, 3, size=(3, 5, 6))
    labels[1][labels[1] == 2] = 0  # one label is missing in one image
    means, present = pool_by_label(torch.from_numpy(features), torch.from_numpy(labels), 4)
    for b in range(3):
        for label in range(4):
            pixels = [
                features[b, :, y, x] for y in range(5) for x in range(6) if labels[b, y, x] == label
            ]
            assert bool(present[b, label]) == bool(pixels)
            expected = np.mean(pixels, axis=0) if pixels else np.zeros(4)
            np.testing.assert_allclose(means[b, label], expected, atol=1e-5)


@pytest.mark.parametrize("readout", ["map", "pooled", "assigned", "global"])
def test_every_readout_gives_unit_vectors_and_a_gradient_to_its_input(readout: str) -> None:
    torch.manual_seed(0)
    module = PartContrastiveModule(12, 3, readout, reduced=4)
    features = torch.randn(2, 12, 6, 6, requires_grad=True)
    clustered = torch.randn(2, 12, 6, 6, requires_grad=True)
    labels = torch.arange(36).view(1, 6, 6).expand(2, 6, 6) % 3
    vectors, present = module(features, clustered, labels)
    assert vectors.dtype == torch.float32
    assert present.shape == (2, 3)
    assert present.all()
    torch.testing.assert_close(vectors.norm(dim=-1), torch.ones(2, 3))
    (vectors * torch.randn(vectors.shape)).sum().backward()
    used, unused = (clustered, features) if readout == "assigned" else (features, clustered)
    assert used.grad is not None
    assert float(used.grad.abs().max()) > 0
    assert unused.grad is None


def test_a_map_is_the_centred_response_of_its_group() -> None:
    torch.manual_seed(0)
    module = PartContrastiveModule(8, 3, "map", reduced=2)
    features = torch.randn(2, 8, 4, 5)
    with torch.no_grad():
        vectors, _ = module(features, features, None)
    weight, bias = module.reduce.weight[:, :, 0, 0], module.reduce.bias
    assert bias is not None
    assert module.group.bias is not None
    for b in range(2):
        reduced = torch.relu(weight @ features[b].reshape(8, 20) + bias[:, None]).detach()
        for part in range(3):
            own = module.group.weight[part, :, 0, 0].detach() @ reduced[2 * part : 2 * part + 2]
            own = own - own.mean()  # removes the bias of the map too
            torch.testing.assert_close(vectors[b, part], own / own.norm(), atol=1e-5, rtol=1e-4)


def test_pooled_vectors_are_mask_weighted_means_of_the_reduced_features() -> None:
    torch.manual_seed(0)
    module = PartContrastiveModule(6, 3, "pooled", reduced=2)
    features = torch.randn(1, 6, 4, 4)
    with torch.no_grad():
        vectors, _ = module(features, features, None)
        reduced = torch.relu(module.reduce(features))
        masks = torch.softmax(module.group(reduced), 1)[0]
    for part in range(3):
        total = sum(
            (masks[part, y, x] * reduced[0, :, y, x] for y in range(4) for x in range(4)),
            torch.zeros(6),
        )
        torch.testing.assert_close(vectors[0, part], total / total.norm(), atol=1e-5, rtol=1e-4)


def test_global_vectors_are_nearly_orthogonal_at_initialisation() -> None:
    torch.manual_seed(0)
    module = PartContrastiveModule(64, 3, "global", reduced=64)
    with torch.no_grad():
        first, _ = module(torch.rand(8, 64, 6, 6), torch.empty(0), None)
        second, _ = module(torch.rand(8, 64, 6, 6), torch.empty(0), None)
    cosine = first @ first.transpose(1, 2)
    assert float((cosine - torch.eye(3)).abs().max()) < 0.4
    # Different images already give matching vectors: nothing is left to learn.
    assert float(part_contrastive_loss(first, second, 0.1, all_present(first))) < 0.05


def test_assigned_needs_the_clusters_of_the_pixels() -> None:
    module = PartContrastiveModule(4, 3, "assigned")
    assert not list(module.parameters())
    with pytest.raises(ValueError, match="clusters"):
        module(torch.zeros(1, 4, 2, 2), torch.zeros(1, 4, 2, 2), None)


def test_assigned_marks_absent_clusters() -> None:
    module = PartContrastiveModule(4, 3, "assigned")
    labels = torch.tensor([[[0, 2], [2, 0]]])
    vectors, present = module(torch.zeros(1, 4, 2, 2), torch.rand(1, 4, 2, 2), labels)
    assert present.tolist() == [[True, False, True]]
    assert not vectors[0, 1].any()


def test_pooling_is_in_float32_under_autocast() -> None:
    features = torch.randn(2, 5, 6, 7, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(84).view(2, 6, 7) % 3
    plain = pool_by_label(features, labels, 3)[0]
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(pool_by_label(features, labels, 3)[0], plain)
