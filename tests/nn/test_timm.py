"""timm's networks as backbones: vision transformers at any image size, weights from files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import (
    FIT,
    NETWORK,
    PHOTOS,
    Cli,
    assert_training_is_deterministic,
    seeded_backbone,
)
from safetensors.torch import save_file
from torch.nn import functional as F

from c2l.artifacts.features import read_features
from c2l.errors import BadInputError, UsageError
from c2l.model.build import load_backbone
from c2l.nn.backbone import remove_randomness
from c2l.nn.network import ParsingNetwork
from c2l.nn.pyramid import FeaturePyramid
from c2l.options import NetworkOptions


@pytest.fixture
def timm() -> Any:
    return pytest.importorskip("timm", reason="timm, an optional extra, is not installed")


# Plain; patch 14 with register tokens; rotary embedding; hierarchical.
@pytest.mark.parametrize(
    ("name", "stages"),
    [
        ("vit_tiny_patch16_224", {"layer4": (192, 16)}),
        ("vit_small_patch14_reg4_dinov2", {"layer4": (384, 14)}),
        ("vit_small_patch16_dinov3", {"layer4": (384, 16)}),
        ("hrnet_w18_small", {f"layer{i + 1}": (128 * 2**i, 4 * 2**i) for i in range(4)}),
        ("convnext_atto", {f"layer{i + 1}": (40 * 2**i, 4 * 2**i) for i in range(4)}),
        ("resnet10t", {f"layer{i + 1}": (64 * 2**i, 4 * 2**i) for i in range(4)}),
    ],
)
def test_stages_are_timms_feature_maps(
    timm: Any, name: str, stages: dict[str, tuple[int, int]]
) -> None:
    backbone = seeded_backbone(f"timm:{name}").eval()
    assert backbone.channels == {s: c for s, (c, _) in stages.items()}
    assert backbone.strides == {s: n for s, (_, n) in stages.items()}
    torch.manual_seed(0)
    images = torch.rand(1, 3, 66, 100)
    patch = backbone.strides["layer4"] if len(stages) == 1 else 1
    size = tuple(patch * round(s / patch) for s in (66, 100))
    with torch.no_grad():
        found = backbone(images)
        x = F.interpolate(images, size, mode="bilinear") if patch > 1 else images
        x = (x - backbone.mean) / backbone.std
        body = backbone.get_submodule("body")
        last = body.forward_features(x) if patch > 1 else None  # type: ignore[operator]
    if last is not None:
        prefix = int(body.num_prefix_tokens)  # type: ignore[arg-type]
        grid = (size[0] // patch, size[1] // patch)
        tokens = last[:, prefix:].transpose(1, 2).unflatten(2, grid)
        torch.testing.assert_close(found["layer4"], tokens)
    net = ParsingNetwork(backbone, FeaturePyramid(backbone.channels, 8), None, None)
    assert net(images).shape == (1, 8, 17, 25)
    assert_training_is_deterministic(backbone.train(), backbone)


def test_random_layers_of_transformers_are_disabled(timm: Any) -> None:
    random_layers = {"rope_rescale_coords": 2.0, "drop_path_rate": 0.5, "proj_drop_rate": 0.5}
    torch.manual_seed(0)
    net = timm.create_model(
        "vit_small_patch16_dinov3", dynamic_img_size=True, **random_layers
    ).train()
    images = torch.rand(1, 3, 64, 64)
    assert not torch.equal(net.forward_features(images), net.forward_features(images))
    remove_randomness(net)
    assert_training_is_deterministic(lambda x: {"layer4": net.forward_features(x)}, net)


def test_timm_weights_come_from_a_file(timm: Any, tmp_path: Path) -> None:
    name = "timm:vit_tiny_patch16_224"
    with pytest.raises(UsageError, match="--weights none or a file"):
        load_backbone(NetworkOptions(backbone=name), seed=0)
    torch.manual_seed(1)
    published = timm.create_model("vit_tiny_patch16_224").state_dict()
    file = tmp_path / "weights.safetensors"
    save_file(published, file)
    backbone, _ = load_backbone(NetworkOptions(backbone=name, weights=str(file)), seed=0)
    for key, value in backbone.state_dict().items():
        assert torch.equal(value, published[key.removeprefix("body.")])
    save_file({"other": torch.ones(1)}, file)
    with pytest.raises(BadInputError, match="not the weights of this backbone"):
        load_backbone(NetworkOptions(backbone=name, weights=str(file)), seed=0)


def test_a_vision_transformer_works_in_every_stage(
    timm: Any, cli: Cli, people: Path, tmp_path: Path
) -> None:
    run, store = tmp_path / "run", tmp_path / "f.h5"
    backbone = ("--backbone", "timm:vit_tiny_patch16_224")
    options = (*FIT, *backbone, "--split", "train", "--warmup", "1", "-e", "1")
    cli.ok("fit", people, "-o", run, *options, "--merge-clusters", "figure", "-k", "4")
    cli.ok("eval", run, people, "-o", tmp_path / "e.json", "--split", "val")
    cli.ok("render", run, people, "-o", tmp_path / "pictures", "--limit", "2")
    options = ("--layer", "layer4", "--views")
    cli.ok("extract", people, "-o", store, *PHOTOS, *NETWORK, *backbone, *options)
    with read_features(store) as reader:
        assert (reader.grid, reader.channels) == ((4, 4), 192)
    outcome = cli("extract", people, "-o", tmp_path / "g.h5", *PHOTOS, *NETWORK, *backbone)
    assert outcome.code == 0
    wrong = ("--layer", "layer1")
    outcome = cli("extract", people, "-o", tmp_path / "h.h5", *PHOTOS, *NETWORK, *backbone, *wrong)
    assert outcome.code == 2
    assert "layer4 (stride 16)" in outcome.err
