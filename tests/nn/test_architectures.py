"""Any torchvision backbone gives its last maps at strides 4 to 32, without randomness."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
import torchvision
from conftest import (
    FIT,
    NETWORK,
    PHOTOS,
    Cli,
    assert_training_is_deterministic,
    seeded_backbone,
    stop_after,
)
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from c2l.artifacts.features import read_features
from c2l.errors import BadInputError, UsageError
from c2l.model.build import load_backbone, read_layer
from c2l.nn import architectures, torchvision_maps
from c2l.nn.architectures import Family, build_backbone, timm_names, torchvision_names
from c2l.nn.backbone import MEAN, STAGES, STD, Backbone
from c2l.nn.network import ParsingNetwork
from c2l.nn.pyramid import FeaturePyramid, dense_side
from c2l.nn.torchvision_maps import find_stages, published_weights
from c2l.options import NetworkOptions

# The modules whose outputs are the stages, and their channels.
MODULES: dict[str, dict[str, int]] = {
    "alexnet": {"features.1": 64, "features.4": 192, "features.11": 256, "features.12": 256},
    "convnext_tiny": {"features.1": 96, "features.3": 192, "features.5": 384, "features.7": 768},
    "densenet121": {"features.denseblock1": 256, "features.denseblock2": 512}
    | {"features.denseblock3": 1024, "features": 1024},
    "efficientnet_b0": {"features.2": 24, "features.3": 40, "features.5": 112}
    | {"features.8": 1280},
    "googlenet": {"conv3": 192, "inception3b": 480, "inception4e": 832, "inception5b": 1024},
    "mobilenet_v3_small": {"features.1": 16, "features.3": 24, "features.8": 48}
    | {"features.12": 576},
    "regnet_y_400mf": {f"trunk_output.block{i + 1}": c for i, c in enumerate((48, 104, 208, 440))},
    "shufflenet_v2_x0_5": {"maxpool": 24, "stage2": 48, "stage3": 96, "conv5": 1024},
    "squeezenet1_1": {"features.4": 128, "features.7": 256, "features.12": 512},
    "swin_t": {"features.1": 96, "features.3": 192, "features.5": 384, "permute": 768},
}


def stages_by_hooks(name: str, images: Tensor) -> list[Tensor]:
    """The outputs of ``MODULES`` in torchvision's own network with the same weights."""
    torch.manual_seed(0)
    extra = {"init_weights": True, "transform_input": True} if name == "googlenet" else {}
    net = torchvision.models.get_model(name, weights=None, **extra).eval()
    seen: list[Tensor] = []
    for path in MODULES[name]:
        # Cloned, since an in-place operation may follow.
        net.get_submodule(path).register_forward_hook(lambda _, __, y: seen.append(y.clone()))
    net(images)
    return seen


@pytest.mark.parametrize("name", MODULES)
def test_stages_are_the_last_maps_at_their_strides(name: str) -> None:
    images = torch.rand(1, 3, 96, 160)
    backbone = seeded_backbone(name).eval()
    with torch.no_grad():
        expected = stages_by_hooks(name, (images - backbone.mean) / backbone.std)
        found = backbone(images)
    if name == "densenet121":
        expected[-1] = F.relu(expected[-1])
    if name == "swin_t":
        expected[:3] = [m.permute(0, 3, 1, 2) for m in expected[:3]]
    assert list(found) == list(backbone.channels) == list(backbone.strides)
    assert list(found) == list(STAGES[: len(MODULES[name])])
    assert list(backbone.channels.values()) == list(MODULES[name].values())
    for (stage, stride), reference in zip(backbone.strides.items(), expected, strict=True):
        torch.testing.assert_close(found[stage], reference, atol=1e-4, rtol=1e-4)
        if name not in ("alexnet", "squeezenet1_1"):  # do not pad their borders
            assert found[stage].shape[-2:] == (96 // stride, 160 // stride)


@pytest.mark.parametrize("name", ["convnext_tiny", "efficientnet_b0", "googlenet", "swin_t"])
def test_training_is_deterministic(name: str) -> None:
    backbone = seeded_backbone(name).train()
    assert_training_is_deterministic(backbone, backbone)


@pytest.mark.parametrize("name", ["squeezenet1_1", "inception_v3", "mobilenet_v3_small"])
def test_dense_features_have_stride_four_for_any_image_size(name: str) -> None:
    backbone = seeded_backbone(name).eval()
    net = ParsingNetwork(backbone, FeaturePyramid(backbone.channels, 8), None, None)
    with torch.no_grad():
        features = net(torch.rand(1, 3, 70, 81))
    assert features.shape == (1, 8, dense_side(70), dense_side(81)) == (1, 8, 18, 21)
    torch.testing.assert_close(features.norm(dim=1), torch.ones(1, 18, 21))


def test_a_missing_stage_is_refused() -> None:
    backbone = seeded_backbone("squeezenet1_1").eval()
    net = ParsingNetwork(backbone, FeaturePyramid(backbone.channels, 8), None, None)
    assert read_layer(net, torch.rand(1, 3, 64, 64), "layer3").shape[1] == 512
    with pytest.raises(UsageError, match=r"layer1 \(stride 4\).* layer3 \(stride 16\)$"):
        read_layer(net, torch.rand(1, 3, 64, 64), "layer4")


def test_any_network_can_take_gradients_as_two_more_channels() -> None:
    backbone = seeded_backbone("mobilenet_v3_small", gradients_input=True)
    assert next(m for m in backbone.modules() if isinstance(m, nn.Conv2d)).in_channels == 5
    backbone(torch.rand(2, 3, 64, 64))


def test_inputs_are_normalised_with_the_statistics_of_the_published_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert seeded_backbone("squeezenet1_1").statistics == (MEAN, STD)
    half = (0.5, 0.5, 0.5)
    other = published_weights("efficientnet_v2_l")
    monkeypatch.setattr(torchvision_maps, "published_weights", lambda name: other)
    assert seeded_backbone("squeezenet1_1").statistics == (half, half)


def test_networks_with_a_fixed_image_size_are_refused() -> None:
    with pytest.raises(UsageError, match="no feature maps can be read"):
        find_stages("vit_b_16")
    assert not {"vit_b_16", "maxvit_t"} & set(torchvision_names())


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "densenet121"])
def test_published_weights_are_loaded_without_the_classifier(name: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    published = torchvision.models.get_model(name, weights=None).state_dict()
    file = tmp_path / "weights.safetensors"
    # Published DenseNets have older parameter names.
    old = {
        k.replace("norm1.", "norm.1.").replace("conv2.", "conv.2.") if "denselayer" in k else k: v
        for k, v in published.items()
    }
    save_file(old, file)
    backbone, _ = load_backbone(NetworkOptions(backbone=name, weights=str(file)), seed=0)
    own = backbone.state_dict()
    assert {k.removeprefix("body.") for k in own} < set(published)
    for key, value in own.items():
        assert torch.equal(value, published[key.removeprefix("body.")])
    other = NetworkOptions(backbone="shufflenet_v2_x0_5", weights=str(file))
    with pytest.raises(BadInputError, match="not the weights of this backbone"):
        load_backbone(other, seed=0)


def test_unknown_names_are_refused_with_similar_names(cli: Cli, tmp_path: Path) -> None:
    for command in ("fit", "extract"):
        outcome = cli(command, tmp_path, "-o", tmp_path / "out", "--backbone", "mobilenetv3_small")
        assert outcome.code == 2
        assert "mobilenet_v3_small" in outcome.err
        assert "--backbone list" in outcome.err
    named = cli.ok("fit", "--backbone", "list").out.splitlines()
    assert {"resnet18", "convnext_tiny", "swin_t"} <= set(named)


def test_a_family_is_added_by_one_row(
    cli: Cli, few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = Family(lambda: ["small"], lambda name: name == "small", lambda _, **extra: own(**extra))

    def own(*, gradients_input: bool) -> Backbone:
        return build_backbone("resnet18", gradients_input=gradients_input)

    monkeypatch.setitem(architectures.FAMILIES, "mine:", mine)
    words = ("fit", few, "-o", tmp_path / "run", *FIT, "--epochs", "0", "--backbone")
    cli.ok(*words, "mine:small")
    assert "mine:small" in cli.ok("fit", "--backbone", "list").out.splitlines()
    assert "similar names: mine:small" in cli(*words, "mine:smal", "--overwrite").err
    # Nothing is published under a name with a prefix.
    assert cli(*words, "mine:small", "--overwrite", "--weights", "imagenet").code == 2
    assert cli(*words, "yours:small", "--overwrite").code == 2


def test_a_mobile_network_works_in_every_stage(cli: Cli, people: Path, tmp_path: Path) -> None:
    run, store, clusters = tmp_path / "run", tmp_path / "f.h5", tmp_path / "c.h5"
    backbone = ("--backbone", "mobilenet_v3_small")
    cli.ok("fit", people, "-o", run, *FIT, *backbone, "--epochs", "1", "--split", "train")
    cli.ok("eval", run, people, "-o", tmp_path / "e.json", "--split", "val")
    cli.ok("render", run, people, "-o", tmp_path / "pictures", "--limit", "2")
    cli.ok("extract", people, "-o", store, *PHOTOS, *NETWORK, *backbone, "--layer", "layer3")
    with read_features(store) as reader:
        assert (reader.grid, reader.channels) == ((4, 4), 48)
        assert reader.config["backbone"] == "mobilenet_v3_small"
    cli.ok("cluster", store, "-o", clusters)
    cli.ok("eval", clusters, people, "-o", tmp_path / "c.json", "--split", "val")


def test_a_resumed_run_with_stochastic_depth_equals_an_uninterrupted_one(
    cli: Cli, few: Path, tmp_path: Path
) -> None:
    options = (*FIT, "-b", "2", "--epochs", "1", "--backbone", "efficientnet_b0")
    cli.ok("fit", few, "-o", tmp_path / "whole", *options)
    torch.manual_seed(123)
    with stop_after(1):
        assert cli("fit", few, "-o", tmp_path / "broken", *options).code == 75
    torch.manual_seed(456)
    cli.ok("fit", few, "-o", tmp_path / "broken", *options, "--resume")
    whole, broken = (
        load_file(tmp_path / run / "predictor.safetensors") for run in ("whole", "broken")
    )
    assert whole.keys() == broken.keys()
    assert all(torch.equal(whole[k], broken[k]) for k in whole)


def test_the_error_without_timm_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    assert timm_names() == []
    with pytest.raises(UsageError) as error:
        build_backbone("timm:vit_tiny_patch16_224")
    assert error.value.hint == 'install it: pip install "c2l[timm]"'


def test_what_torch_prints_of_a_download_is_no_result(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Published:
        url = "https://example.invalid/weights.pth"

        def get_state_dict(self, **_: object) -> None:
            print("Downloading")
            raise OSError("no network")

    monkeypatch.setattr("c2l.model.build.published_weights", lambda _: Published())
    with pytest.raises(BadInputError, match="not cached and cannot be fetched: no network"):
        load_backbone(NetworkOptions(weights="imagenet"), seed=0)
    assert capsys.readouterr() == ("", "Downloading\n")


def test_weights_of_no_known_name_or_file_are_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="imagnet: no such file") as caught:
        load_backbone(NetworkOptions(weights=str(tmp_path / "imagnet")), seed=0)
    assert "imagenet, none, drawn" in str(caught.value.hint)
