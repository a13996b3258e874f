"""fit on several ranks: the same images, draws, labels and centroids; stops, kills, resumption."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from conftest import NETWORK, Cli
from ranked import command, ok, start
from torch import Tensor, nn
from torch.nn import functional as F

from c2l.artifacts.locks import exclusive
from c2l.artifacts.targets import read_targets
from c2l.artifacts.tensors import load_tensors
from c2l.artifacts.untrusted.guard import remember
from c2l.nn.batch_norm import over_ranks
from c2l.nn.clustering_loss import Target
from c2l.nn.part import PartContrastiveModule
from c2l.options import FitOptions
from c2l.runtime.ranks import Ranks, open_ranks
from c2l.training.loop import Trainer
from c2l.training.state import TrainingState, sum_over
from c2l.training.terms import Batch, loss_of

# Eleven photos in batches of eight: on four ranks, one has no image of the last batch.
SMALL = ("--image-size", "64", "--batch-size", "8", "--device", "cpu", *NETWORK)
HEADS = ("--pixel-dim", "8", "--attention-stride", "1", "-k", "4")
FIT = (*SMALL, *HEADS, "--warmup", "1", "--epochs", "1", "--save-steps", "1", "--keep", "9")


@pytest.fixture(scope="module")
def eleven(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eleven photos without labels."""
    path = tmp_path_factory.mktemp("eleven") / "photos"
    path.mkdir()
    for photo in sorted((people / "JPEGImages").iterdir())[:11]:
        shutil.copyfile(photo, path / photo.name)
    return path


@pytest.fixture(scope="module")
def warm(cli: Cli, eleven: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one process, up to the first clustering: the weights that ranks start from."""
    path = tmp_path_factory.mktemp("warm") / "run"
    cli.ok("fit", eleven, "-o", path, *FIT, "--epochs", "0")
    return path


def tensors(run: Path) -> dict[str, torch.Tensor]:
    return load_tensors(run / "predictor.safetensors")[0]


def records(run: Path, kind: str) -> list[dict[str, Any]]:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [record for record in map(json.loads, lines) if record["kind"] == kind]


def weights(run: Path) -> dict[int, str]:
    """The digest of all parameters after each step that was saved."""
    return {one["step"]: one["parameters_sha256"] for one in records(run, "checkpoint")}


@pytest.fixture(scope="module")
def whole(eleven: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two ranks that nothing disturbs."""
    folder = tmp_path_factory.mktemp("whole")
    ok(2, folder / "said", "fit", eleven, "-o", folder / "run", *FIT)
    return folder / "run"


# Work of a rank: a command of which something is kept, or that is disturbed.


def keep_targets(*arguments: str) -> None:
    """Keep the labels and centroids of the epoch."""
    train_epoch = Trainer.train_epoch

    def keeping(self: Trainer, epoch: int, path: Path) -> None:
        if self.ranks.first:
            shutil.copyfile(path, self.state.run.path.with_suffix(".targets"))
        train_epoch(self, epoch, path)

    Trainer.train_epoch = keeping  # type: ignore[method-assign]
    command(*arguments)


def stop_rank_1(*arguments: str) -> None:
    """SIGTERM to the second rank once three steps are done."""
    save_or_stop = TrainingState.save_or_stop

    def stopping(self: TrainingState, stop: Any) -> None:
        if self.position.step == 3 and self.ranks.rank == 1:
            signal.raise_signal(signal.SIGTERM)
        save_or_stop(self, stop)

    TrainingState.save_or_stop = stopping  # type: ignore[method-assign]
    command(*arguments)


def normalise(results: str) -> None:
    """Batch normalisation of five images, then of one, that two ranks share."""
    images = torch.randn(5, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    target = torch.randn(5, 3, 4, 4, generator=torch.Generator().manual_seed(2))
    with open_ranks(torch.device("cpu")) as ranks:
        net = nn.Sequential(nn.BatchNorm2d(3))
        over_ranks(net, ranks)
        found = []
        for batch in (images, images[:1]):
            ranks.begin(batch)
            x = ranks.part_of(batch).clone().requires_grad_()
            y = net(x)
            net.zero_grad()
            (y * ranks.part_of(target[: len(batch)]) * (ranks.share > 0)).sum().backward()
            sum_over(ranks, [p.grad for p in net.parameters() if p.grad is not None])
            parts = ranks.gather((y.detach(), x.grad) if ranks.share else None)
            both = zip(*[part for part in parts if part], strict=True)
            found += [*map(torch.cat, both), *[p.grad.clone() for p in net.parameters()]]
        if ranks.first:
            torch.save([*found, *net.buffers()], results)


def losses_of(count: int, ranks: Ranks) -> tuple[Tensor, list[Tensor]]:
    """Terms of the loss of some images in both views, and their gradients on the features."""
    seeded = torch.Generator().manual_seed(count)
    ranks.begin(range(count))
    m = [torch.randn(count, 5, 3, 4, generator=seeded) for _ in (0, 1)]
    m = [ranks.part_of(x).clone().requires_grad_() for x in m]
    targets = [
        Target(
            ranks.part_of(torch.randint(0, 4, (count, 3, 4), generator=seeded) ** 2 // 4),
            torch.randn(3, 5, generator=seeded),
            torch.rand(3, generator=seeded),
        )
        for _ in (0, 1)
    ]
    net: Any = SimpleNamespace(part=PartContrastiveModule(5, 3, "assigned"))
    y, code = [F.normalize(x, dim=1) for x in m], [x.square().mean() for x in m]
    loss = loss_of(Batch(net, FitOptions(amp="off"), m, y, code, targets, ranks))
    loss.total.backward()  # type: ignore[no-untyped-call]
    terms = torch.stack([term.detach() for term in loss.terms.values()])
    return terms, [x.grad for x in m if x.grad is not None]


def lose(results: str) -> None:
    """The same where two ranks share five images, and where one of them has the only one."""
    with open_ranks(torch.device("cpu")) as ranks:
        found = []
        for count in (5, 1):
            terms, grads = losses_of(count, ranks)
            parts = ranks.gather(grads if ranks.share else None)
            found += [ranks.sum(terms)]
            found += [torch.cat(both) for both in zip(*filter(None, parts), strict=True)]
            assert ranks.share or not any(grad.any() for grad in grads)
        if ranks.first:
            torch.save(found, results)


def test_the_parts_of_the_loss_add_up_to_that_of_the_whole_batch(tmp_path: Path) -> None:
    """Ranks have unequal numbers of images, of matched parts, and unequal class weights."""
    ok(2, tmp_path / "said", tmp_path / "found.pt", work=lose)
    expected: list[Tensor] = []
    for count in (5, 1):
        terms, grads = losses_of(count, Ranks())
        expected += [terms, *grads]
    for one, other in zip(torch.load(tmp_path / "found.pt"), expected, strict=True):
        torch.testing.assert_close(one, other)


def test_batch_norm_over_ranks_is_that_of_the_whole_batch(tmp_path: Path) -> None:
    ok(2, tmp_path / "said", tmp_path / "found.pt", work=normalise)
    found = torch.load(tmp_path / "found.pt")
    images = torch.randn(5, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    target = torch.randn(5, 3, 4, 4, generator=torch.Generator().manual_seed(2))
    net, expected = nn.BatchNorm2d(3), []
    for batch in (images, images[:1]):
        x = batch.clone().requires_grad_()
        net.zero_grad()
        y = net(x)
        (y * target[: len(batch)]).sum().backward()
        expected += [y.detach(), x.grad, *[p.grad.clone() for p in net.parameters()]]
    for one, other in zip(found, [*expected, *net.buffers()], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_labels_and_centroids_are_the_same_bits_for_any_number_of_ranks(
    eleven: Path, warm: Path, tmp_path: Path
) -> None:
    found = {}
    for size in (1, 2, 4):
        run = tmp_path / f"run-{size}"
        given = ("fit", eleven, "-o", run, *SMALL, *HEADS, "--warmup", "0", "--epochs", "1")
        ended = ok(size, tmp_path / "said", *given, "--checkpoint", warm, work=keep_targets)
        # Only the first rank speaks.
        assert [bool(one.out or one.err) for one in ended] == [True] + [False] * (size - 1)
        remember(run.with_suffix(".targets"))
        with read_targets(run.with_suffix(".targets")) as stored:
            labels = [stored.labels(view, np.arange(11)) for view in (0, 1)]
            found[size] = [*labels, *stored.centroids, *stored.counts]
    assert len(np.unique(found[1][0])) > 1
    for size in (2, 4):
        for one, other in zip(found[1], found[size], strict=True):
            np.testing.assert_array_equal(one, other)


def test_the_final_mixture_is_the_same_bits_for_any_number_of_ranks(
    eleven: Path, warm: Path, tmp_path: Path
) -> None:
    mixture = ("-k", "3", "--final-clusters", "mixture", "--merge-clusters", "none")
    given = ("fit", eleven, *SMALL, *HEADS, *mixture, "--warmup", "0", "--epochs", "0")
    for size in (1, 2):
        path = tmp_path / f"run-{size}"
        ok(size, tmp_path / "said", *given, "--checkpoint", warm, "-o", path)
    assert tensors(tmp_path / "run-1").keys() == tensors(tmp_path / "run-2").keys()
    for name, one in tensors(tmp_path / "run-1").items():
        assert torch.equal(one, tensors(tmp_path / "run-2")[name]), name


def test_ranks_learn_what_one_process_learns(
    cli: Cli, eleven: Path, whole: Path, tmp_path: Path
) -> None:
    """The same images, views and labels: what is left is rounding, which Adam enlarges.

    Its first steps move every parameter by the learning rate, whatever the gradient.
    """
    cli.ok("fit", eleven, "-o", tmp_path / "run", *FIT)
    for kind, bound in (("step", 2e-2), ("gradients", 0.1)):
        ours, theirs = records(whole, kind), records(tmp_path / "run", kind)
        assert len(ours) == len(theirs) > 0
        for one, other in zip(ours, theirs, strict=True):
            assert one.pop("kind") == other.pop("kind")
            assert one == pytest.approx(other, rel=bound, abs=1e-5)


def test_a_signal_to_any_rank_stops_all_at_one_step_and_the_run_resumes_to_the_same_bits(
    cli: Cli, eleven: Path, whole: Path, tmp_path: Path
) -> None:
    run, given = tmp_path / "run", ("fit", eleven, *FIT)
    ended = start(2, tmp_path / "said", *given, "-o", run, work=stop_rank_1).ended()
    assert [one.code for one in ended] == [75, 75]
    assert "SIGTERM: stopped at step 3, state saved" in ended[0].err
    assert ended[1].err == ""
    assert max(weights(run)) == 3
    for name in ("one", "four"):
        shutil.copytree(run, tmp_path / name)
    ok(2, tmp_path / "said", *given, "-o", run, "--resume")
    assert weights(run) == weights(whole)
    for name, one in tensors(run).items():
        assert torch.equal(one, tensors(whole)[name]), name
    # On other numbers of ranks, the batches that are left are the same.
    cli.ok(*given, "-o", tmp_path / "one", "--resume")
    ok(4, tmp_path / "said", *given, "-o", tmp_path / "four", "--resume")
    for name in ("one", "four"):
        assert weights(tmp_path / name)[3] == weights(whole)[3]
        losses = [record["loss"] for record in records(tmp_path / name, "step")]
        expected = [record["loss"] for record in records(whole, "step")]
        assert losses == pytest.approx(expected, rel=2e-2)


# Runs as torchrun runs it: the second rank of the first start is killed in its third step.
KILLED = """
import os, signal
from c2l.training.state import TrainingState
descend = TrainingState.descend
def dying(self, *given):
    first = os.environ["TORCHELASTIC_RESTART_COUNT"] == "0"
    if first and self.ranks.rank == 1 and self.position.step == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    descend(self, *given)
TrainingState.descend = dying
from c2l_cli.main import run
run()
"""


def test_a_rank_that_is_killed_brings_all_back_to_the_last_step(
    eleven: Path, whole: Path, tmp_path: Path
) -> None:
    program, run = tmp_path / "killed.py", tmp_path / "run"
    program.write_text(KILLED)
    launch = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--max-restarts", "1")
    ended = subprocess.run(
        [*launch, "--nproc-per-node", "2", program, "fit", eleven, "-o", run, *FIT],
        env={**os.environ, "SLURM_CPUS_PER_TASK": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert ended.returncode == 0, ended.stderr
    assert "resumed at step 2" in ended.stderr
    assert weights(run) == weights(whole)
    for name, one in tensors(run).items():
        assert torch.equal(one, tensors(whole)[name]), name


def test_ranks_of_other_options_are_refused_and_two_jobs_in_one_folder(
    eleven: Path, tmp_path: Path
) -> None:
    run, given = tmp_path / "run", ("fit", eleven, "-o", tmp_path / "run", *FIT)
    each = [("--seed", "0"), ("--seed", "1")]
    ended = start(2, tmp_path / "said", *given, each=each).ended()
    assert [one.code for one in ended] == [3, 3]
    assert "options.seed: 0 on rank 0, 1 on rank 1" in ended[1].err
    assert not run.exists()
    with exclusive(run):
        ended = start(2, tmp_path / "said", *given).ended()
    assert [one.code for one in ended] == [5, 5]
    assert "is being written by process" in ended[0].err


def test_overwrite_is_refused_where_torchrun_may_start_again(eleven: Path, tmp_path: Path) -> None:
    given = ("fit", eleven, "-o", tmp_path / "run", *FIT, "--overwrite")
    (ended,) = start(1, tmp_path / "said", *given, TORCHELASTIC_MAX_RESTARTS="3").ended()
    assert ended.code == 2
    assert "--overwrite would replace the run again" in ended.err
