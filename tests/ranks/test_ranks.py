"""What ranks exchange, how their errors end them, and who speaks."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import time
from pathlib import Path

import pytest
import torch
from conftest import Cli, Outcome
from ranked import ok, start

from c2l.errors import BadInputError
from c2l.runtime.device import pick_device
from c2l.runtime.pool import worker_count
from c2l.runtime.ranks import ALONE, Agreed, Place, Ranks, open_ranks, place
from c2l.runtime.signals import StopRequest

CPU = torch.device("cpu")


def exchange() -> None:
    with open_ranks(CPU) as ranks:
        r = ranks.rank
        assert ranks.sum(torch.tensor([r, 1])).tolist() == [1, 2]
        assert ranks.gather(r * 10) == [0, 10]
        assert ranks.to_first(r * 10) == ([] if r else [0, 10])
        assert ranks.from_first(r + 5) == 5
        assert list(ranks.split(range(5))) == [[0, 1], [2, 3, 4]][r]
        assert ranks.first_does(lambda: r + 7) == 7
        assert ranks.in_turn(lambda: r) == r
        with StopRequest() as stop:
            assert ranks.agree(stop, due=r == 0) == Agreed(due=True, stop=False)
            assert ranks.agree(stop, due=r == 1) == Agreed(due=False, stop=False)
            if r == 1:
                stop.received = "SIGTERM"
            assert ranks.agree(stop).stop
            assert stop.received == "SIGTERM"
        print(f"done {r}")


def fail_on_one(folder: str) -> None:
    def work() -> None:
        if ranks.rank == 1:
            raise BadInputError("photo.jpg", "cannot be read")
        # Other work is ended in good order, not torn off.
        time.sleep(0.3)
        Path(folder, f"kept-{ranks.rank}").touch()

    with open_ranks(CPU) as ranks:
        ranks.together(work)


def differ() -> None:
    with open_ranks(CPU) as ranks:
        ranks.require_same("photos", {"a": 1, "seed": 3 + ranks.rank})


def lose_one() -> None:
    with open_ranks(CPU) as ranks:
        if ranks.rank == 1:
            signal.raise_signal(signal.SIGKILL)
        ranks.gather(1)


def in_command(work: str, *given: str) -> None:
    """A rank's work, its errors said as by a command."""
    from unittest import mock

    from c2l_cli import main, ranked

    def call(**_: object) -> None:
        ranked.hush()
        globals()[work](*given)

    with mock.patch.object(main.main, "main", call):
        main.run([])


def run(size: int, folder: Path, work: str, *given: object, **more: str) -> list[Outcome]:
    return start(size, folder, work, *map(str, given), work=in_command, **more).ended()


def test_what_is_exchanged(tmp_path: Path) -> None:
    ended = run(2, tmp_path, "exchange")
    assert [one.code for one in ended] == [0, 0], [one.err for one in ended]
    # Only the first rank speaks.
    assert [one.out for one in ended] == ["done 0\n", ""]


def test_an_error_of_one_rank_ends_all_and_names_it(tmp_path: Path) -> None:
    ended = run(2, tmp_path / "said", "fail_on_one", tmp_path)
    assert [one.code for one in ended] == [3, 3]
    assert ended[1].err == "c2l: error: rank 1: photo.jpg: cannot be read\n"
    assert ended[0].err == ""
    assert (tmp_path / "kept-0").exists()


def test_ranks_that_differ_are_refused_with_what_differs(tmp_path: Path) -> None:
    ended = run(2, tmp_path, "differ")
    assert [one.code for one in ended] == [3, 3]
    assert "seed: 3 on rank 0, 4 on rank 1" in ended[1].err
    assert "a:" not in ended[1].err


def test_a_rank_that_is_killed_ends_the_others(tmp_path: Path) -> None:
    ended = run(2, tmp_path, "lose_one")
    assert [one.code for one in ended] == [69, -signal.SIGKILL]
    assert ended[0].err.startswith("c2l: error: rank 0: the other ranks of 2 are lost: ")


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        (ended,) = run(1, tmp_path, "exchange", MASTER_PORT=port)
    assert ended.code == 69
    assert f"cannot meet at 127.0.0.1:{port}" in ended.err


def test_a_process_by_itself_exchanges_nothing() -> None:
    ranks = Ranks()
    total = torch.ones(2)
    assert ranks.sum(total) is total
    assert list(ranks.split([1, 2, 3])) == [1, 2, 3]
    with open_ranks(CPU) as found:
        assert found is ALONE


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "0"}, Place(1, 2, 0)),
        (
            {"RANK": "1", "WORLD_SIZE": "2", "TORCHELASTIC_RESTART_COUNT": "3"},
            Place(1, 2, 1, restarts=3),
        ),
        ({"SLURM_PROCID": "5", "SLURM_STEP_NUM_TASKS": "8", "SLURM_LOCALID": "1"}, Place(5, 8, 1)),
        # The script of a batch job is in no step, however many tasks the job has.
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "8"}, None),
        ({"RANK": "2", "WORLD_SIZE": "2"}, None),
        ({}, None),
    ],
)
def test_the_place_of_a_rank_is_read_from_its_surroundings(
    given: dict[str, str], found: Place | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setenv(name, "1")
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert place() == found
    # Without a place to meet, tasks are independent commands.
    monkeypatch.delenv("MASTER_ADDR")
    assert place() is None


def test_ranks_share_the_cores_and_the_gpus_of_a_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "8")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    assert (worker_count(), worker_count(5)) == (2, 5)
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MASTER_ADDR", "x")
    monkeypatch.setenv("MASTER_PORT", "1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert pick_device("auto") == torch.device("cuda:1")


def test_each_rank_has_a_log_on_request(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    run(2, tmp_path / "said", "speak", C2L_RANK_LOGS=str(logs))
    found = {path.name: path.read_text() for path in logs.iterdir()}
    assert found == {"rank-0.log": "I am 0\n", "rank-1.log": "I am 1\n"}


def speak() -> None:
    from c2l.runtime.progress import console

    here = place()
    assert here
    console.print(f"I am {here.rank}")


def test_a_command_that_shares_nothing_out_is_refused(tmp_path: Path) -> None:
    ended = start(2, tmp_path, "cluster", "x.h5", "-o", tmp_path / "y.h5").ended()
    assert [one.code for one in ended] == [2, 2]
    assert "these run on several ranks: fit, eval" in ended[0].err


def test_eval_is_the_same_bytes_for_any_number_of_ranks(
    cli: Cli, tmp_path: Path, people: Path, clusters: Path
) -> None:
    """Trivial predictors, a matching fitted elsewhere and a broken photo that is left out too."""
    data = tmp_path / "people"
    shutil.copytree(people, data)
    second = (data / "ImageSets" / "Segmentation" / "train.txt").read_text().split()[1]
    (data / "JPEGImages" / f"{second}.jpg").write_bytes(b"no photo")
    options = ("-b", "2", "--device", "cpu", "--bootstrap", "20", "--on-error", "skip")
    splits = ("--split", "train", "--match-split", "val")
    given = ("eval", clusters, data, *options, *splits, "-o")
    cli.ok(*given, tmp_path / "plain.json")
    plain = (tmp_path / "plain.json").read_bytes()
    assert len(json.loads(plain)["skipped"]) == 1
    for size in (1, 2, 4):
        path = tmp_path / f"{size}.json"
        ended = ok(size, tmp_path / "said", *given, path)
        assert path.read_bytes() == plain
        assert [bool(one.out or one.err) for one in ended] == [True] + [False] * (size - 1)
