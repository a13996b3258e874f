"""A predictor's file says what it holds; those of format version 1 are read alike."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import FIT, Cli

from c2l.artifacts.predictor import (
    Groups,
    StoredPredictor,
    read_predictor,
    write_predictor,
)
from c2l.artifacts.tensors import load_tensors, save_tensors
from c2l.errors import BadInputError
from c2l.model.loading import load_predictor

STORED = StoredPredictor(
    network={"backbone.weight": torch.arange(3.0)},
    classifier="centroids",
    names=(),
    tensors={"centroids": torch.rand(2, 4), "counts": torch.tensor([5, 6])},
    groups=None,
    shares=None,
    config={"clusters": 2},
)


@pytest.mark.parametrize(
    "stored",
    [
        STORED,
        replace(STORED, groups=Groups(np.array([0, 2], np.uint8), parts=True)),
        replace(STORED, groups=Groups(np.array([0, 1], np.uint8), parts=False)),
        replace(STORED, shares=torch.rand(2, 3)),
        replace(STORED, classifier="head", names=("hat", "hair"), tensors={"w": torch.rand(2, 4)}),
    ],
    ids=["clusters", "parts", "ground", "sharpened", "named"],
)
def test_what_is_written_is_read(stored: StoredPredictor, tmp_path: Path) -> None:
    path = tmp_path / "predictor.safetensors"
    write_predictor(path, stored)
    found = read_predictor(path)
    for mine, theirs in ((found.network, stored.network), (found.tensors, stored.tensors)):
        assert mine.keys() == theirs.keys()
        assert all(torch.equal(mine[name], theirs[name]) for name in theirs)
    assert (found.classifier, found.names, found.config) == (
        stored.classifier,
        stored.names,
        stored.config,
    )
    assert (found.groups is None) == (stored.groups is None)
    if found.groups is not None and stored.groups is not None:
        np.testing.assert_array_equal(found.groups.of, stored.groups.of)
        assert found.groups.parts == stored.groups.parts
    assert (found.shares is None) == (stored.shares is None)
    if found.shares is not None and stored.shares is not None:
        assert torch.equal(found.shares, stored.shares)


def test_names_of_groups() -> None:
    of = np.array([0, 1, 0, 2], np.uint8)
    assert Groups(of, parts=True).names == ("background", "upper", "lower")
    assert Groups(of, parts=False).names == ("ground", "cluster 1", "cluster 2")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"format": "c2l-other"}, "not a predictor"),
        ({"format_version": "3"}, "format version 3; this c2l reads 1 and 2"),
        ({"groups": "parts"}, "metadata do not fit: 'groups'"),
        ({"sharpened": "true"}, "metadata do not fit: 'group_shares'"),
        ({"names": "{"}, "metadata do not fit"),
    ],
)
def test_metadata_that_do_not_fit_are_refused_with_the_reason(
    changed: dict[str, str], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "predictor.safetensors"
    write_predictor(path, STORED)
    tensors, about = load_tensors(path)
    save_tensors(path, tensors, about | changed)
    with pytest.raises(BadInputError, match=said) as caught:
        read_predictor(path)
    assert caught.value.hint


# Names of version 1, where only the network's tensors had a prefix.
VERSION_1 = {
    "classifier.centroids": "centroids",
    "classifier.counts": "counts",
    "classifier.weights": "mixture_weights",
    "classifier.bias": "mixture_bias",
}


def as_version_1(run: Path, copy: Path) -> None:
    """A copy of a run, its predictor in the layout of version 1: the options say what it holds."""
    shutil.copytree(run, copy)
    path = copy / "predictor.safetensors"
    tensors, about = load_tensors(path)
    old = {"format": about["format"], "config": about["config"]}
    save_tensors(path, {VERSION_1.get(k, k): v for k, v in tensors.items()}, old)
    # Without the digest of the file that was replaced.
    lines = (copy / "metrics.jsonl").read_text().splitlines(keepends=True)
    (copy / "metrics.jsonl").write_text("".join(s for s in lines if '"done"' not in s))


@pytest.mark.parametrize(
    ("options", "tensors"),
    [
        ((), {"centroids", "counts"}),
        (("-k", "6", "--merge-clusters", "border"), {"centroids", "counts", "groups"}),
        (("-k", "6", "--merge-clusters", "ground"), {"centroids", "counts", "groups"}),
        (
            ("-k", "6", "--merge-clusters", "figure", "--sharpen"),
            {"centroids", "counts", "groups", "group_shares"},
        ),
        (
            ("--final-clusters", "mixture", "--sharpen"),
            {
                *("centroids", "counts", "groups", "group_shares"),
                *("mixture_weights", "mixture_bias"),
            },
        ),
    ],
    ids=lambda value: "-".join(value).replace("--", "") if isinstance(value, tuple) else "",
)
def test_a_predictor_of_version_1_predicts_alike(
    cli: Cli,
    few: Path,
    trained: Path,
    tmp_path: Path,
    options: tuple[str, ...],
    tensors: set[str],
) -> None:
    run, old = tmp_path / "run", tmp_path / "old"
    cli.ok("fit", few, "-o", run, *FIT, "--epochs", "0", "--checkpoint", trained, *options)
    as_version_1(run, old)
    names = load_tensors(old / "predictor.safetensors")[0].keys()
    assert {name for name in names if not name.startswith("model.")} == tensors

    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    sizes = [(40, 60), (64, 64)]
    found: Any = [load_predictor(path, torch.device("cpu"), None) for path in (run, old)]
    assert found[0].names == found[1].names
    assert found[0].named == found[1].named
    assert torch.equal(found[0].scores(images), found[1].scores(images))
    for mine, theirs in zip(*(one.predict(images, sizes) for one in found), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    cli.ok("fit", few, "-o", tmp_path / "next", *FIT, "--epochs", "0", "--checkpoint", old)


def test_an_unknown_classifier_is_refused_with_the_way_out(trained: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    as_version_1(trained, run)
    path = run / "predictor.safetensors"
    write_predictor(path, replace(read_predictor(path), classifier="forest"))
    with pytest.raises(BadInputError, match="kind 'forest'; this c2l has centroids") as caught:
        load_predictor(run, torch.device("cpu"), None)
    assert "newer c2l" in str(caught.value.hint)


def test_the_metadata_say_which_classifier_and_what_its_classes_mean(
    cli: Cli, few: Path, trained: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    merged = ("-k", "6", "--merge-clusters", "figure", "--sharpen")
    cli.ok("fit", few, "-o", run, *FIT, "--epochs", "0", "--checkpoint", trained, *merged)
    said = json.loads(cli.ok("inspect", run / "predictor.safetensors", "--json").out)
    about = said["artifacts"][0]["lineage"] if "artifacts" in said else said["lineage"]
    expected = {"format_version": "2", "classifier": "centroids", "groups": "parts"}
    expected |= {"sharpened": "true", "names": "[]"}
    assert {name: about[name] for name in expected} == expected
