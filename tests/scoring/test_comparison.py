"""Mean, spread and paired differences equal NumPy's and SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from c2l.scoring.comparison import difference, spread

RNG = np.random.default_rng(3)


@pytest.mark.parametrize("seeds", [2, 3, 10])
def test_mean_and_spread_equal_those_of_numpy(seeds: int) -> None:
    values = dict(enumerate(RNG.random(seeds).tolist(), start=5))
    found = spread(values)
    assert found["mean"] == pytest.approx(np.mean(list(values.values())), abs=1e-15)
    assert found["std"] == pytest.approx(np.std(list(values.values()), ddof=1), abs=1e-15)
    assert found["seeds"] == seeds
    assert found["by_seed"] == {str(seed): value for seed, value in values.items()}


def test_differences_are_paired_by_seed_as_in_a_paired_t_test() -> None:
    own = dict(enumerate(RNG.random(9).tolist()))
    shuffled = [8, 2, 5, 0, 7, 1, 3, 6, 4]
    reference = {seed: own[seed] * 0.9 + 0.1 * float(RNG.random()) for seed in shuffled}
    found = difference(own, reference)
    paired = stats.ttest_rel(list(own.values()), [reference[seed] for seed in own])
    assert found["mean"] / (found["std"] / 3) == pytest.approx(paired.statistic)
    assert found["seeds"] == paired.df + 1


def test_only_seeds_that_both_have_are_paired() -> None:
    found = difference({0: 0.5, 1: 0.6, 2: 0.9}, {1: 0.5, 2: 0.7, 3: 0.1})
    assert found["by_seed"] == {"1": pytest.approx(0.1), "2": pytest.approx(0.2)}
    assert found["mean"] == pytest.approx(0.15)
    apart = difference({0: 0.5}, {1: 0.5})
    assert (apart["mean"], apart["std"], apart["seeds"], apart["agree"]) == (None, None, 0, None)


@pytest.mark.parametrize(
    ("differences", "agree"),
    [
        ((0.1, 0.2, 0.3), 3),
        ((0.3, -0.1, 0.1), 2),
        ((-0.3, -0.1, 0.1), 2),
        ((0.5, -0.1, -0.1), 1),
        ((0.0, 0.0), 2),
        ((0.1, 0.0), 1),
    ],
)
def test_seeds_that_agree_have_the_sign_of_the_mean(
    differences: tuple[float, ...], agree: int
) -> None:
    own = dict(enumerate(differences))
    assert difference(own, dict.fromkeys(own, 0.0))["agree"] == agree


def test_one_seed_has_no_spread() -> None:
    assert spread({4: 0.25}) == {"mean": 0.25, "std": None, "seeds": 1, "by_seed": {"4": 0.25}}


def test_a_score_that_is_unknown_leaves_no_mean_over_the_others() -> None:
    found = spread({0: 0.5, 1: None, 2: 0.6})
    assert (found["mean"], found["std"], found["seeds"]) == (None, None, 3)
    paired = difference({0: 0.5, 1: None}, {0: 0.4, 1: 0.4})
    assert (paired["mean"], paired["agree"]) == (None, None)
    assert paired["by_seed"] == {"0": pytest.approx(0.1), "1": None}
