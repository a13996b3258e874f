"""The examples of best, median and worst are taken from the right places, each once."""

from __future__ import annotations

import pytest

from c2l.scoring.ranking import best_median_worst


def test_a_long_ranking_gives_three_of_each() -> None:
    found = best_median_worst(list(range(151)))
    assert found == {"best": [0, 1, 2], "median": [74, 75, 76], "worst": [148, 149, 150]}


@pytest.mark.parametrize("count", range(3, 12))
def test_no_item_is_taken_twice(count: int) -> None:
    found = best_median_worst(list(range(count)))
    shown = [one for kind in found.values() for one in kind]
    assert len(shown) == len(set(shown)) == 3 * min(3, count // 3)
    assert (found["best"][0], found["worst"][-1]) == (0, count - 1)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_than_three_items_give_none(count: int) -> None:
    assert best_median_worst(list(range(count))) == {"best": [], "median": [], "worst": []}
