"""Each matrix of a batch gets its optimal assignment."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment

from c2l.nn.assignment import assign_batch


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_assignment_is_the_best_permutation(size: int) -> None:
    scores = torch.randn(20, size, size, generator=torch.Generator().manual_seed(size))
    for matrix, match in zip(scores, assign_batch(scores), strict=True):
        best = max(
            permutations(range(size)),
            key=lambda p: sum(float(matrix[i, p[i]]) for i in range(size)),
        )
        assert match.tolist() == list(best)


@pytest.mark.parametrize("size", [3, 5, 6, 7])
def test_assignment_equals_scipys(size: int) -> None:
    scores = torch.randn(12, size, size, generator=torch.Generator().manual_seed(size))
    expected = [linear_sum_assignment(m.numpy(), maximize=True)[1] for m in scores]
    match = assign_batch(scores)
    assert match.dtype == torch.int64
    np.testing.assert_array_equal(match.numpy(), expected)


@pytest.mark.parametrize("size", [3, 7])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_scores_that_are_not_finite_give_some_permutation(size: int, bad: float) -> None:
    scores = torch.eye(size)[None].repeat(3, 1, 1)
    scores[0, 1], scores[1] = bad, bad
    match = assign_batch(scores)
    assert match.sort(1).values.tolist() == [list(range(size))] * 3
    assert match[2].tolist() == list(range(size))


@pytest.mark.parametrize("size", [3, 7])
def test_assignment_finds_a_hidden_permutation(size: int) -> None:
    order = torch.randperm(size, generator=torch.Generator().manual_seed(4))
    scores = torch.eye(size)[order][None]
    assert assign_batch(scores)[0].tolist() == order.tolist()
