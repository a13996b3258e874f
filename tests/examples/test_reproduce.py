"""The grid of tables runs each cell once, goes on after a stop, and adds up what eval wrote."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
sys.path.insert(0, str(EXAMPLES))

import reproduce  # noqa: E402  (a script, not a package: its folder has to be named first)
from reproducing.grid import pick_tables, read_grid, read_setting  # noqa: E402
from reproducing.problems import ProblemError  # noqa: E402

# c2l with torch loaded once: each command is a fork of a process that has it, since starting
# Python anew for every command of every cell would take most of a minute.
SERVER = """
import gc, json, os, signal, socket, sys
import torch, c2l.stages.evaluate, c2l.stages.fit, c2l.stages.extract, c2l.stages.cluster
from c2l_cli.main import run
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen()
# Nothing of what is loaded is collected, in a fork or at its end.
gc.freeze()
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
while True:
    talk, _ = server.accept()
    if os.fork():
        talk.close()
        continue
    server.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    text, fds, _, _ = socket.recv_fds(talk, 1 << 16, 2)
    worker = os.fork()
    if not worker:
        for number, fd in enumerate(fds, 1):
            os.dup2(fd, number)
        code = 1
        try:
            run(json.loads(text))
        except SystemExit as left:
            code = int(left.code or 0)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    talk.sendall(b"%d\\n" % worker)
    status = os.waitpid(worker, 0)[1]
    talk.sendall(b"%d\\n" % (os.waitstatus_to_exitcode(status) % 256))
    os._exit(0)
"""
CLIENT = """
import json, os, signal, socket, sys
talk = socket.socket(socket.AF_UNIX)
talk.connect(sys.argv[1])
socket.send_fds(talk, [json.dumps(sys.argv[2:]).encode()], [1, 2])
answers = talk.makefile()
worker = int(answers.readline())
signal.signal(signal.SIGTERM, lambda number, frame: os.kill(worker, number))
sys.exit(int(answers.readline()))
"""
GRID = """
[fit]
method = "c2l"
part = "assigned"
pixel = "off"
part-weight = 0.5

[tables.table1]
title = "Two rows"
[[tables.table1.rows]]
name = "picie"
fit = { method = "picie" }
paper = { miou = 9.62 }
[[tables.table1.rows]]
name = "part"
fit = { part-weight = 0.5 }
paper = { miou = 12.33 }

[tables.table2-alpha]
[[tables.table2-alpha.rows]]
name = "alpha-0.5"
fit = {}

[tables.broken]
extra = true
[[tables.broken.rows]]
name = "too-many-atoms"
fit = { pixel = "sparse", pixel-dim = 64 }
[[tables.broken.rows]]
name = "picie"
fit = { method = "picie" }

[tables.long]
extra = true
[[tables.long.rows]]
name = "picie"
fit = { method = "picie", epochs = 4 }
[[tables.long.rows]]
name = "later"
fit = { method = "picie" }
"""
PHOTOS = ("--image-size", "64", "--batch-size", "4", "--device", "cpu")
NETWORK = ("--weights", "none", "--set", "fpn-dim=16", "--set", "amp=off")
QUICK = ("--epochs", "1", "--set", "eval.bootstrap=0")
EVERY = (*PHOTOS, *NETWORK, *QUICK)


@pytest.fixture(scope="module")
def c2l(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The command that reproduce.py calls."""
    place = tmp_path_factory.mktemp("c2l") / "socket"
    client = place.with_name("client.py")
    client.write_text(CLIENT)
    environment = {**os.environ, "SLURM_CPUS_PER_TASK": "1", "OMP_NUM_THREADS": "1"}
    with subprocess.Popen([sys.executable, "-c", SERVER, place], env=environment) as server:
        while not place.exists():
            assert server.poll() is None
            time.sleep(0.02)
        yield shlex.join([sys.executable, "-S", "-E", str(client), str(place)])
        server.terminate()


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A grid of the user's own."""
    path = tmp_path_factory.mktemp("grid") / "grid.toml"
    path.write_text(GRID)
    return path


@pytest.fixture(scope="module")
def done(
    people: Path, grid: Path, c2l: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[str]]:
    """Tables 1 and 2 over two seeds, and the arguments that made them."""
    output = tmp_path_factory.mktemp("done") / "out"
    arguments = [str(people), str(output), "--grid", str(grid), "--seeds", "0,1", *EVERY]
    arguments += ["--c2l", c2l]
    assert reproduce.main(arguments) == 0
    return output, arguments


def results(output: Path) -> dict[str, Any]:
    """results.json."""
    values: dict[str, Any] = json.loads((output / "results.json").read_text())
    return values


def commands(output: Path) -> list[str]:
    """Every command of every log."""
    lines = [line for log in sorted(output.rglob("*.log")) for line in log.read_text().split("\n")]
    return [line for line in lines if line.startswith("$ ")]


def test_the_table_adds_up_what_eval_wrote(done: tuple[Path, list[str]]) -> None:
    output = done[0]
    table = results(output)["tables"][0]
    for merge, name in (("upper-lower", "eval.json"), ("fine", "eval-fine.json")):
        for metric in ("miou", "pixel_accuracy"):
            by_hand = {
                row: [
                    json.loads((output / "table1" / row / f"seed-{s}" / name).read_text())[metric]
                    for s in (0, 1)
                ]
                for row in ("picie", "part")
            }
            assert by_hand["picie"] != by_hand["part"]
            for row in table["rows"]:
                found, expected = row["scores"][merge][metric], by_hand[row["name"]]
                assert found["mean"] == pytest.approx(statistics.mean(expected))
                assert found["std"] == pytest.approx(statistics.stdev(expected))
                assert (found["n"], list(found["values"].values())) == (2, expected)
            gains = [b - a for a, b in zip(by_hand["picie"], by_hand["part"], strict=True)]
            found = table["rows"][1]["difference"][merge][metric]
            assert found["mean"] == pytest.approx(statistics.mean(gains))
            assert found["std"] == pytest.approx(statistics.stdev(gains))
    assert table["rows"][0]["difference"] is None


def test_health_is_that_of_the_metrics(done: tuple[Path, list[str]]) -> None:
    output = done[0]
    lines = [
        json.loads(line)
        for seed in (0, 1)
        for line in (output / f"table1/part/seed-{seed}/metrics.jsonl").read_text().splitlines()
    ]
    health = results(output)["tables"][0]["rows"][1]["health"]
    for kind, name in (
        ("epoch", "cluster_entropy"),
        ("epoch", "view_agreement"),
        ("gradients", "gradient_part"),
        ("step", "loss_view"),
    ):
        logged = [line[name] for line in lines if line["kind"] == kind]
        assert health[name]["last"]["mean"] == pytest.approx(statistics.mean(logged)), name
    assert set(health["collapsed"]) == {"0", "1"}


def test_the_page_shows_scores_the_papers_figures_and_the_trivial_rows(
    done: tuple[Path, list[str]],
) -> None:
    output = done[0]
    page = (output / "results.md").read_text()
    row = results(output)["tables"][0]["rows"][1]["scores"]["upper-lower"]["miou"]
    line = next(line for line in page.splitlines() if line.startswith("| part |"))
    assert f"| {100 * row['mean']:.2f} ± {100 * row['std']:.2f} |" in line
    assert line.endswith("| 12.33 |")
    trivial = json.loads((output / "table1/picie/seed-0/eval.json").read_text())["baselines"]
    shown = f"| (everything-background) | {100 * trivial['everything-background']['miou']:.2f} ±"
    assert shown in page
    assert "the paper's mIoU, not comparable" in page


def test_equal_cells_are_run_once_and_found_in_every_row(done: tuple[Path, list[str]]) -> None:
    output = done[0]
    shared = output / "table2-alpha/alpha-0.5/seed-1"
    assert shared.is_symlink()
    assert shared.resolve() == (output / "table1/part/seed-1").resolve()
    first, second = results(output)["tables"]
    assert second["rows"][0]["scores"] == first["rows"][1]["scores"]
    assert sum(" fit " in line for line in commands(output)) == 4
    # The trivial predictors are the same for every cell of a seed.
    assert sum(" eval " in line and "--no-baselines" in line for line in commands(output)) == 2


def test_what_is_done_is_not_run_twice(
    done: tuple[Path, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    output, arguments = done
    files = sorted(p for p in output.glob("*/*/seed-*/*") if p.is_file())
    before = [(p, p.stat().st_ino, p.stat().st_mtime_ns) for p in files], commands(output)
    assert reproduce.main(arguments) == 0
    assert before == (
        [(p, p.stat().st_ino, p.stat().st_mtime_ns) for p in files],
        commands(output),
    )
    capsys.readouterr()
    assert reproduce.main([*arguments, "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["counts"] == {
        "done": 4, "partial": 0, "missing": 0, "stale": 0,
    }  # fmt: skip


def test_cells_of_other_options_are_kept_unless_replaced(
    done: tuple[Path, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    output, arguments = done
    before = (output / "table1/part/seed-0/predictor.safetensors").stat().st_ino
    assert reproduce.main([*arguments, "--set", "lr=0.01"]) == 3
    said = capsys.readouterr().err
    assert "options.lr was None, is 0.01" in said
    assert "--overwrite" in said
    assert (output / "table1/part/seed-0/predictor.safetensors").stat().st_ino == before


def test_other_merges_are_scored_without_training_again(
    done: tuple[Path, list[str]], tmp_path: Path
) -> None:
    output, arguments = done
    before = commands(output)
    merge = tmp_path / "person.toml"
    merge.write_text(
        'classes = ["background", "hair"]\nrest = "background"\n[assign]\nhair = ["hair"]\n'
    )
    merges = ["--merge", "upper-lower", "--merge", "fine", "--merge", str(merge)]
    assert reproduce.main([*arguments, *merges]) == 0
    more = [line for line in commands(output) if line not in before]
    assert len(more) == 4
    assert all(" eval " in line and "eval-person.json" in line for line in more)
    scores = results(output)["tables"][0]["rows"][0]["scores"]
    assert scores[str(merge)]["miou"]["n"] == 2


def test_a_failed_cell_is_reported_and_the_others_run(
    people: Path, grid: Path, c2l: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(people), str(tmp_path), "--grid", str(grid), "--seeds", "0", *EVERY]
    arguments += ["--table", "broken", "--c2l", c2l, "--merge", "upper-lower", "--slim"]
    assert reproduce.main(arguments) == 2
    assert "fewer than the 16 channels" in capsys.readouterr().err
    (failed,) = results(tmp_path)["unfinished"]
    assert (failed["folder"], failed["state"], failed["code"]) == (
        "broken/too-many-atoms/seed-0", "failed", 2,
    )  # fmt: skip
    assert "fewer than the 16 channels" in failed["tail"]
    assert "fewer than the 16 channels" in (tmp_path / "results.md").read_text()
    broken, picie = results(tmp_path)["tables"][0]["rows"]
    assert (broken["scores"]["upper-lower"]["miou"]["n"]) == 0
    assert (picie["scores"]["upper-lower"]["miou"]["n"]) == 1
    assert not list((tmp_path / "table1/picie/seed-0").glob("step-*"))


def test_a_stopped_cell_saves_and_goes_on(
    people: Path, grid: Path, c2l: str, tmp_path: Path
) -> None:
    words = [sys.executable, str(EXAMPLES / "reproduce.py"), str(people), str(tmp_path)]
    words += ["--grid", str(grid), "--seeds", "0", "--table", "long", *EVERY, "--c2l", c2l]
    words += ["--merge", "upper-lower"]
    run = tmp_path / "long/picie/seed-0"
    with subprocess.Popen(words, stdout=-3, stderr=subprocess.PIPE, text=True) as process:
        while not list(run.glob("step-*/COMMITTED")):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=120)[1]
    assert process.returncode == 75, said
    assert not (run / "predictor.safetensors").exists()
    (stopped,) = results(tmp_path)["unfinished"]
    assert (stopped["state"], stopped["code"]) == ("stopped", 75)
    # A cell that was never begun is left, not stopped.
    assert stopped["folder"] == "long/picie/seed-0"
    assert "2 of 2 cells are left" in said
    assert reproduce.main(words[2:]) == 0
    fits = [line for line in commands(tmp_path) if " fit " in line and "/long/" in line]
    assert [line.endswith("--resume") for line in fits] == [False, True]
    assert "resumed at step" in (tmp_path / "long/picie/seed-0.log").read_text()
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines if line["kind"] == "epoch"] == [0, 1, 2, 3]
    assert results(tmp_path)["tables"][0]["rows"][0]["scores"]["upper-lower"]["miou"]["n"] == 1


def test_one_process_works_in_a_folder(
    people: Path, grid: Path, c2l: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (tmp_path / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        arguments = [str(people), str(tmp_path), "--grid", str(grid), "--c2l", c2l]
        assert reproduce.main(arguments) == 5
    assert "another process" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--seeds", "a"), 2, "--seeds a"),
        (("--table", "7"), 2, "--table 7"),
        (("--set", "lr"), 2, "--set lr"),
        (("--set", "seed=3"), 2, "seed"),
        (("--set", "no-such=3"), 2, "c2l fit has no --no-such"),
        (("--jobs", "0"), 2, "--jobs 0"),
        (("--c2l", "no-such-command"), 3, "no-such-command"),
        (("--weights", "no-such.pth"), 3, "no-such.pth"),
        (("--merge", "no-such.toml"), 3, "no-such.toml"),
        (("--grid", "no-such.toml"), 3, "no-such.toml"),
        (("--val", "nowhere"), 3, "nowhere"),
    ],
)
def test_bad_arguments_are_named(
    arguments: tuple[str, ...],
    code: int,
    said: str,
    people: Path,
    grid: Path,
    c2l: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    usual = [str(people), str(tmp_path / "out"), "--grid", str(grid), "--c2l", c2l]
    assert reproduce.main([*usual, *arguments]) == code
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tables.a", "not a grid"),
        ("x = 1", "unknown key 'x'"),
        ("[fit]\nepochs = 1", "no tables"),
        ("[tables.a]\ntitle = 'a'", "at least one"),
        ("[tables.a]\n[[tables.a.rows]]\nname = '../b'\nfit = {}", "'../b'"),
        ("[tables.a]\n[[tables.a.rows]]\nname = 'b'", "both extract and cluster"),
        ("[tables.a]\n[[tables.a.rows]]\nname = 'b'\nfit = {seed = 1}", "seed is not"),
        ("[tables.a]\n[[tables.a.rows]]\nname = 'b'\nfit = {lr = [1]}", "one value"),
        ("[tables.a]\n[[tables.a.rows]]\nname = 'b'\nfit = {}\nagainst = 'c'", "'c'"),
        ("[tables.a]\n[[tables.a.rows]]\nname = 'b'\nfit = {}\npaper = {miou = 'x'}", "number"),
    ],
)
def test_mistakes_in_a_grid_are_named(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "grid.toml"
    path.write_text(text)
    with pytest.raises(ProblemError, match=said) as raised:
        read_grid(path)
    assert raised.value.code == 3
    assert str(path) in raised.value.message


def test_the_grid_that_comes_along_is_the_papers(
    people: Path, c2l: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grid = read_grid(EXAMPLES / "grid.toml")
    named = {table.name: table for table in grid.tables}
    assert [table.name for table in pick_tables(grid, [])] == [
        "table1", "table2-alpha", "table2-beta", "table3",
    ]  # fmt: skip
    assert [t.name for t in pick_tables(grid, ["2"])] == ["table2-alpha", "table2-beta"]
    assert pick_tables(grid, ["all"]) == grid.tables
    paper = [row.paper["miou"] for row in named["table1"].rows]
    assert paper == [9.62, 12.33, 14.61, 16.27]
    arguments = [str(people), str(tmp_path), "--seeds", "0", "--dry-run", "--json", "--c2l", c2l]
    assert reproduce.main(arguments) == 0
    listed = {c["cell"]: c["shared"] for c in json.loads(capsys.readouterr().out)["cells"]}
    assert listed["table1/picie/seed-0"] == ["table2-alpha/alpha-0/seed-0", "table3/picie/seed-0"]
    assert listed["table1/c2l/seed-0"] == ["table2-beta/beta-0.3/seed-0", "table3/c2l/seed-0"]
    assert len(listed) == 12


def test_settings_of_photos_and_backbone_reach_every_method() -> None:
    assert read_setting("lr=1e-3") == [("fit", "lr", 0.001)]
    assert read_setting("fpn_dim=16") == [("fit", "fpn-dim", 16), ("extract", "fpn-dim", 16)]
    assert read_setting("extract.layer=layer3") == [("extract", "layer", "layer3")]
    assert read_setting("cross-view=false") == [("fit", "cross-view", False)]
