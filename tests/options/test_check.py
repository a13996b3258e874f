"""Options that cannot work are refused, with the options to add or to leave out."""

from __future__ import annotations

import math
from typing import Any

import pytest

from c2l.errors import UsageError
from c2l.options import (
    AUTO,
    ClusterOptions,
    EvalOptions,
    ExtractOptions,
    FitOptions,
    Options,
    RenderOptions,
    SynthOptions,
    changed,
    preset,
)


@pytest.mark.parametrize(
    ("kind", "values", "said"),
    [
        (FitOptions, {"epochs": -1}, "--epochs: expected a whole number of 0 or more, found -1"),
        (FitOptions, {"epochs": 2.0}, "--epochs: expected a whole number of 0 or more, found 2.0"),
        (
            FitOptions,
            {"epochs": True},
            "expected a whole number of 0 or more, found true",
        ),
        (FitOptions, {"lr": math.nan}, "--lr: expected a number of 0.0 or more, found nan"),
        (FitOptions, {"lr": math.inf}, "--lr: expected a number of 0.0 or more, found inf"),
        (FitOptions, {"lr": 10**400}, "--lr: expected a number of 0.0 or more, found 1000"),
        (FitOptions, {"image_size": 31}, "from 32 to 4096, or auto, found 31"),
        (FitOptions, {"image_size": "auto"}, "from 32 to 4096, or auto, found 'auto'"),
        (FitOptions, {"sharpen": "yes"}, "--sharpen: expected true or false, found 'yes'"),
        (FitOptions, {"part": "whole"}, "--part: expected off or map or pooled or assigned"),
        (FitOptions, {"split": 3}, "--split: expected text, found 3"),
        (FitOptions, {"seed": 1 << 31}, "--seed: expected a whole number from 0 to 2147483647"),
        (ExtractOptions, {"image_size": AUTO}, "from 32 to 4096, found auto"),
        (ClusterOptions, {"nmf_tolerance": -1.0}, "--nmf-tolerance"),
        (EvalOptions, {"bootstrap": None}, "--bootstrap"),
        (
            RenderOptions,
            {"opacity": 1.5},
            "expected a number from 0.0 to 1.0, found 1.5",
        ),
        (SynthOptions, {"val_share": math.nan}, "--val-share"),
    ],
)
def test_a_value_that_cannot_be_is_named_with_what_was_expected(
    kind: type[Options], values: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError) as refused:
        kind(**values).check()
    assert said in refused.value.message


@pytest.mark.parametrize(
    "values",
    [
        *({"lr": 1}, {"split": None}, {"image_size": AUTO}, {"epochs": 0}),
        # No new run starts so, but one of before is read.
        {"init": "c.h5", "warmup": 2},
    ],
)
def test_values_that_can_be_pass(values: dict[str, Any]) -> None:
    FitOptions(**values).check()


# What does not go together, and the way out that is named.
APART: list[tuple[Options, str]] = [
    (FitOptions(clusters=2), "add -k 3, or --merge-clusters none --no-sharpen"),
    (FitOptions(merge_clusters="none"), "add one of them, or --no-sharpen"),
    (FitOptions(merge_clusters="border"), "add one of them, or --no-sharpen"),
    (FitOptions(final_clusters="mixture"), "add -k 3 --merge-clusters none"),
    (FitOptions(final_clusters="mixture", merge_clusters="none"), "add -k 3"),
    (FitOptions(final_clusters="mixture", clusters=3), "add --merge-clusters none"),
    (FitOptions(features="f.h5"), "add --warmup 0 --merge-clusters none --no-sharpen"),
    (
        FitOptions(features="f.h5", final_clusters="mixture", merge_clusters="none", warmup=0),
        "add --final-clusters kmeans --no-sharpen",
    ),
    (FitOptions(features="f.h5", checkpoint="run"), "leave out one of them"),
    (FitOptions(gradients_input=True), "add --weights none, or leave out --gradients-input"),
    (ExtractOptions(gradients_input=True, weights="w.pth"), "add --weights none"),
    (FitOptions(backbone="timm:vit_tiny_patch16_224"), "--weights FILE"),
    (ExtractOptions(backbone="timm:vit_tiny_patch16_224"), "--weights FILE"),
    (ExtractOptions(views=True, pixels_per_image=9), "leave out one of them"),
    (ClusterOptions(merge_clusters="border", clusters=2), "add -k 3"),
]


@pytest.mark.parametrize(("options", "out"), APART)
def test_options_that_do_not_go_together_are_refused_with_the_way_out(
    options: Options, out: str
) -> None:
    with pytest.raises(UsageError) as refused:
        options.check()
    assert refused.value.hint is not None
    assert out in refused.value.hint


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"pixel_dim": 128}, "--pixel-dim 128: expected fewer atoms than the 128 channels"),
        ({"fpn_dim": 100, "heads": 3}, "--heads 3: does not divide the 100 channels"),
    ],
)
def test_the_pixel_module_must_fit_the_channels(values: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as refused:
        FitOptions(**values).check()
    assert said in refused.value.message
    # Without the module nothing has to fit.
    FitOptions(**values, pixel="off").check()
    FitOptions(**values, method="picie").check()


def test_a_trained_start_needs_no_weights_that_fit() -> None:
    for kind in (FitOptions, ExtractOptions):
        kind(backbone="timm:vit_tiny_patch16_224", checkpoint="run").check()


def test_the_ways_out_work() -> None:
    FitOptions(clusters=2, merge_clusters="none", sharpen=False).check()
    FitOptions(final_clusters="mixture", clusters=3, merge_clusters="none").check()
    FitOptions(features="f.h5", warmup=0, merge_clusters="none", sharpen=False).check()
    FitOptions(features="f.h5", warmup=0, merge_clusters="border", sharpen=False).check()


def test_a_preset_is_recorded_but_its_options_are_repeated_one_by_one() -> None:
    repeated = changed(preset(FitOptions, "paper", clusters=16))
    assert "preset" not in repeated
    assert repeated["merge_clusters"] == "none"
    assert FitOptions(**repeated) == FitOptions(
        **{k: v for k, v in vars(preset(FitOptions, "paper", clusters=16)).items() if k != "preset"}
    )


def test_options_without_effect_are_told_with_the_reason() -> None:
    assert FitOptions().without_effect() == {}
    off = FitOptions(part="off", part_weight=3.0, mixture_iterations=5, merge_threshold=5.0)
    assert off.without_effect() == {
        "--part off": ["--part-weight"],
        "--final-clusters kmeans": ["--mixture-iterations"],
        "--merge-clusters figure": ["--merge-threshold"],
    }
    baseline = FitOptions(method="picie", part="map", pixel="off", heads=4)
    assert baseline.without_effect() == {"--method picie": ["--part", "--heads"]}
    both = FitOptions(final_clusters="mixture", merge_clusters="border", mixture_iterations=5)
    assert both.without_effect() == {}
