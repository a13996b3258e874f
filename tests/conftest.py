"""What several test files share."""

from __future__ import annotations

import io
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import forked
import numpy as np
import pytest

from c2l.artifacts.untrusted import child
from c2l.artifacts.untrusted.guard import trust_files
from c2l.nn.views import ViewParameters
from c2l.runtime.signals import STOPPING

if TYPE_CHECKING:
    from torch import Tensor, nn

    from c2l.nn.backbone import Backbone

# Before torch is imported: small tensors are slower on many threads.
os.environ.setdefault("OMP_NUM_THREADS", "2")

# Few tests that take long: with ``--dist loadfile`` one process would end with them alone.
BEGIN_WITH = ("stages/test_end_to_end.py", "examples/test_workflow.py", "stages/test_full_disk.py")


def pytest_configure(config: pytest.Config) -> None:
    """Have xdist keep the order of the files."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest."""
    items.sort(key=lambda item: not any(item.path.match(name) for name in BEGIN_WITH))


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hashes are not remembered in the user's own folder."""
    with mock.patch.dict(os.environ, XDG_CACHE_HOME=str(tmp_path_factory.mktemp("cache"))):
        yield


@pytest.fixture(scope="session", autouse=True)
def hearing() -> None:
    """No signal is ignored, as some are under nohup and in the background of a shell."""
    for number in STOPPING:
        if signal.getsignal(number) == signal.SIG_IGN:
            interrupt = number == signal.SIGINT
            signal.signal(number, signal.default_int_handler if interrupt else signal.SIG_DFL)


@pytest.fixture(scope="session")
def traced_once() -> Iterator[None]:
    """Networks of one architecture share their traced graphs; tracing one takes half a second."""
    from torchvision.models.feature_extraction import DualGraphModule, create_feature_extractor

    known: dict[str, DualGraphModule] = {}

    def extractor(net: nn.Module, **nodes: dict[str, str]) -> nn.Module:
        shapes = [(name, value.shape) for name, value in net.state_dict().items()]
        key = repr((type(net), shapes, nodes, net.training))
        if key in known:
            one = known[key]
            return DualGraphModule(net, one.train_graph, one.eval_graph).train(net.training)
        known[key] = create_feature_extractor(net, **nodes)
        return known[key]

    with mock.patch("c2l.nn.torchvision_maps.create_feature_extractor", extractor):
        yield


@pytest.fixture(scope="session", autouse=True)
def reading_in_forks() -> Iterator[None]:
    """Children that read a file begin as forks; the fixture ``fresh`` has them be interpreters."""
    with mock.patch.object(child, "subprocess", forked):
        yield


@pytest.fixture
def fresh() -> Iterator[None]:
    """Children that read a file begin as they do for users."""
    with mock.patch.object(child, "subprocess", subprocess):
        yield


@pytest.fixture(autouse=True)
def distrust() -> Iterator[None]:
    """No test's ``--trust`` reaches the next one."""
    yield
    trust_files(False)


MakeViews = Callable[..., ViewParameters]


@pytest.fixture
def make_views() -> MakeViews:
    """Transforms of some images that change nothing, but for those that are named."""

    def make(count: int, **changed: Any) -> ViewParameters:
        ones, zeros = np.ones((count, 2), np.float32), np.zeros((count, 2), np.float32)
        values: dict[str, Any] = {
            "brightness": ones,
            "contrast": ones,
            "saturation": ones,
            "hue": zeros,
            "grey": zeros > 0,
            "blur": zeros,
            "crop": np.tile(np.array([1, 0, 0], np.float32), (count, 1)),
            "flip": np.zeros(count, dtype=bool),
        }
        for name, value in changed.items():
            like = values[name]
            values[name] = np.broadcast_to(np.asarray(value, like.dtype), like.shape).copy()
        return ViewParameters(**values)

    return make


@dataclass(frozen=True)
class Outcome:
    """How a command ended.

    Attributes:
        code: its exit code.
        out, err: what it said.
    """

    code: int
    out: str
    err: str

    @property
    def values(self) -> dict[str, Any]:
        """The one JSON object on stdout."""
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value


class Cli:
    """The command line inside this process."""

    def __call__(self, *arguments: str | Path) -> Outcome:
        """Run a command; one core, so that its sums are those of every other run here."""
        from c2l.runtime.progress import console
        from c2l_cli.main import run

        out, err = io.StringIO(), io.StringIO()
        with (
            mock.patch.dict(os.environ, SLURM_CPUS_PER_TASK="1"),
            mock.patch.object(console, "level", 1),
            redirect_stdout(out),
            redirect_stderr(err),
            pytest.raises(SystemExit) as left,
        ):
            run([str(a) for a in arguments])
        return Outcome(int(left.value.code or 0), out.getvalue(), err.getvalue())

    def ok(self, *arguments: str | Path) -> Outcome:
        """Run a command that has to work."""
        outcome = self(*arguments)
        assert outcome.code == 0, outcome.err
        return outcome


def run_python(
    program: str, *arguments: str | Path, by: Any = subprocess
) -> subprocess.CompletedProcess[str]:
    """A program in an interpreter of its own; ``arguments`` are its ``sys.argv[1:]``."""
    done: subprocess.CompletedProcess[str] = by.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        env={**os.environ, "SLURM_CPUS_PER_TASK": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    return done


def fork_python(program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """A program in a process of its own that has imported c2l already, and torch."""
    return run_python(program, *arguments, by=forked)


@contextmanager
def file_size_limit(most: int) -> Iterator[None]:
    """No file may grow beyond so many bytes, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def mounted(place: Path, options: str) -> Iterator[Path]:
    """A new folder with a file system in memory; the test is skipped where none can be mounted."""
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    try:
        made = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        made = False
    if not made:
        pytest.skip("a file system can only be mounted by root")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


RUN_C2L = "from c2l_cli.start import run; run()"
# Prepended to RUN_C2L: ends extract by SIGKILL once two batches are written.
KILL_AFTER_TWO_BATCHES = """
import os, signal
from c2l.artifacts.feature_writer import FeatureWriter
flush, seen = FeatureWriter.flush, []
def flush_and_die(self):
    flush(self)
    seen.append(1)
    if len(seen) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
FeatureWriter.flush = flush_and_die
"""

# Small and exact: full precision, a narrow network of random weights. Its checkpoints are a tenth
# of ResNet-18's, the default, and its steps take a fifth of the time.
BACKBONE = "shufflenet_v2_x0_5"
PHOTOS = ("--image-size", "64", "--batch-size", "4", "--device", "cpu")
NETWORK = ("--weights", "none", "--backbone", BACKBONE, "--fpn-dim", "16", "--amp", "off")
# Three clusters of the whole map, nothing before and nothing after the epochs.
PLAIN = ("-k", "3", "--warmup", "0", "--merge-clusters", "none", "--no-sharpen")
HEADS = ("--pixel-dim", "8", "--attention-stride", "1", *PLAIN)
FIT = (*PHOTOS, *NETWORK, *HEADS)
# Six steps on drawings, of which two are new in each.
TEACH = (
    *(*PHOTOS, *NETWORK, "--draw-size", "48", "--pool", "8", "--reuse", "2"),
    *("--steps", "6", "--warmup-steps", "2"),
)


@pytest.fixture(scope="session")
def cli(traced_once: None) -> Cli:
    """Runs commands."""
    return Cli()


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of what is made once and only read."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="session")
def people(cli: Cli, shared: Path) -> Path:
    """Twelve synthetic people of 64 x 96 pixels, nine to train on and three to score."""
    path = shared / "people"
    cli.ok("data", "synth", path, "-n", "12", "--image-size", "64", "--workers", "1")
    return path


@pytest.fixture(scope="session")
def few(people: Path, shared: Path) -> Path:
    """Four photos without labels, one of them in a folder below."""
    path = shared / "few"
    (path / "below").mkdir(parents=True)
    photos = sorted((people / "JPEGImages").iterdir())[:4]
    for place, photo in zip(("a.jpg", "b.jpg", "c.jpg", "below/d.jpg"), photos, strict=True):
        shutil.copyfile(photo, path / place)
    return path


@pytest.fixture(scope="session")
def store(cli: Cli, people: Path, shared: Path) -> Path:
    """Features of all people, both views too."""
    path = shared / "features.h5"
    cli.ok("extract", people, "-o", path, *PHOTOS, *NETWORK, "--views")
    return path


@pytest.fixture(scope="session")
def layer4(cli: Cli, people: Path, shared: Path) -> Path:
    """Features of the backbone's last stage."""
    path = shared / "layer4.h5"
    cli.ok("extract", people, "-o", path, *PHOTOS, *NETWORK, "--layer", "layer4")
    return path


@pytest.fixture(scope="session")
def clusters(cli: Cli, store: Path, shared: Path) -> Path:
    """K-means on those features, K = 3."""
    path = shared / "clusters.h5"
    cli.ok("cluster", store, "-o", path, "-k", "3")
    return path


@pytest.fixture(scope="session")
def trained(cli: Cli, people: Path, shared: Path) -> Path:
    """A finished run of one epoch on the train split."""
    path = shared / "run"
    cli.ok("fit", people, "-o", path, *FIT, "--epochs", "1", "--split", "train")
    return path


@pytest.fixture(scope="session")
def taught(cli: Cli, shared: Path) -> Path:
    """A finished run of six steps on drawings, and its predictor in half precision beside it."""
    path = shared / "taught" / "run"
    cli.ok("teach", "-o", path, *TEACH)
    cli.ok("export", path, "-o", path.with_name("predictor.safetensors"))
    return path


@pytest.fixture(scope="session")
def scores(cli: Cli, people: Path, trained: Path, shared: Path) -> Path:
    """That run scored on the val split."""
    path = shared / "eval.json"
    cli.ok("eval", trained, people, "-o", path, "--split", "val")
    return path


def stop_after(steps: int) -> Any:
    """While active, a run gets SIGTERM from itself after that many optimiser steps."""
    from c2l.training.loop import Trainer

    step = Trainer.step

    def stopping(self: Trainer, *arguments: Any) -> None:
        step(self, *arguments)
        if self.state.position.step == steps:
            os.kill(os.getpid(), signal.SIGTERM)

    return mock.patch.object(Trainer, "step", stopping)


def seeded_backbone(name: str, **options: bool) -> Backbone:
    """A backbone of the same random weights in every call."""
    import torch

    from c2l.nn.architectures import build_backbone

    torch.manual_seed(0)
    return build_backbone(name, **options)


def assert_training_is_deterministic(
    network: Callable[[Tensor], dict[str, Tensor]], first: nn.Module
) -> None:
    """In training: equal outputs, torch's random state untouched, gradients in the first layer."""
    import torch

    images = torch.rand(2, 3, 64, 64)
    before = torch.random.get_rng_state()
    once, again = network(images), network(images)
    assert torch.equal(before, torch.random.get_rng_state())
    for stage in once:
        assert torch.equal(once[stage], again[stage])
    total = torch.stack([m.square().mean() for m in once.values()]).sum()
    total.backward()  # type: ignore[no-untyped-call]
    gradient = next(m for m in first.modules() if isinstance(m, torch.nn.Conv2d)).weight.grad
    assert gradient is not None
    assert torch.isfinite(gradient).all()
    assert gradient.abs().max() > 0
