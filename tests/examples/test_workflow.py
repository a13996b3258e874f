"""The grid of runs makes its tables, takes up what was killed, and keeps what is finished."""

from __future__ import annotations

import hashlib
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import forked
import pytest
import yaml
from conftest import BACKBONE, NETWORK, PHOTOS, Cli

from c2l.options import ClusterOptions, ExtractOptions, FitOptions, preset, stored

WORKFLOW = Path(__file__).parents[2] / "examples" / "workflow"
PREDICTOR = "predictor.safetensors"

# Each command is a fork of what has torch loaded. A fit that finds the file of the second argument
# removes it, and is killed.
SERVER = """
import json, os, signal, socket, socketserver, sys
import c2l.stages.cluster, c2l.stages.evaluate, c2l.stages.extract, c2l.stages.fit
from c2l.training.loop import Trainer
from c2l_cli.main import run

step = Trainer.step
def step_or_die(self, *arguments):
    step(self, *arguments)
    if self.state.position.step == 4 and os.path.exists(sys.argv[2]):
        os.remove(sys.argv[2])
        os.kill(os.getpid(), signal.SIGKILL)
Trainer.step = step_or_die

class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        message, fds, _, _ = socket.recv_fds(self.request, 1 << 16, 2)
        folder, os.environ["SLURM_CPUS_PER_TASK"], *arguments = json.loads(message)
        os.chdir(folder)
        for number, fd in enumerate(fds, 1):
            os.dup2(fd, number)
        try:
            run(arguments)
        except SystemExit as left:
            sys.stdout.flush()
            self.request.sendall(b"%d" % (left.code or 0))

class Server(socketserver.ForkingMixIn, socketserver.UnixStreamServer):
    pass

Server(sys.argv[1], Handler).serve_forever()
"""
CLIENT = """#!{python} -SE
import json, os, socket, sys
talk = socket.socket(socket.AF_UNIX)
talk.connect({place!r})
words = [os.getcwd(), os.environ["SLURM_CPUS_PER_TASK"], *sys.argv[1:]]
socket.send_fds(talk, [json.dumps(words).encode()], [1, 2])
sys.exit(int(talk.recv(8) or 137))
"""
TINY: dict[str, Any] = {
    "weights": "none",
    "size": 64,
    "batch": 4,
    "seeds": [0, 1],
    "merges": ["upper-lower"],
    "fit": {"backbone": BACKBONE, "fpn-dim": 16, "pixel-dim": 8, "amp": "off", "device": "cpu"},
    "extract": {"backbone": BACKBONE, "fpn-dim": 16, "amp": "off", "device": "cpu"},
    "eval": {"device": "cpu", "bootstrap": 10},
}
KINDS: dict[str, Any] = {"fit": FitOptions, "extract": ExtractOptions, "cluster": ClusterOptions}
# What is chosen by the machine otherwise.
SIZES = {"image_size": 64, "batch_size": 4, "attention_stride": 1}


@dataclass(frozen=True)
class Grid:
    """A folder of runs.

    Attributes:
        folder: of everything that is written.
        snakemake: runs it with more arguments.
        kill: a file; where it is, the next fit is killed in its second epoch.
    """

    folder: Path
    snakemake: Callable[..., subprocess.CompletedProcess[str]]
    kill: Path

    def log(self, run: Path) -> str:
        """What the fit of a run folder said."""
        return (
            self.folder / "logs" / run.relative_to(self.folder / "runs") / "fit.log"
        ).read_text()


@pytest.fixture(scope="module")
def grid(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grid]:
    """Twelve drawn people and two seeds, nothing made yet."""
    place = tmp_path_factory.mktemp("grid")
    socket, command, kill = place / "socket", place / "bin" / "c2l", place / "kill"
    command.parent.mkdir()
    command.write_text(CLIENT.format(python=sys.executable, place=str(socket)))
    command.chmod(0o755)
    config = place / "tiny.yaml"
    config.write_text(yaml.safe_dump({**TINY, "data": str(people)}))
    environment = {**os.environ, "PATH": f"{command.parent}:{os.environ['PATH']}"}

    def snakemake(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-m", "snakemake", "-s", WORKFLOW / "Snakefile", "--cores", "1"]
        words += ["--directory", place / "out", "--configfile", config, "--scheduler", "greedy"]
        return subprocess.run(
            [*map(str, words), *map(str, arguments)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=240,
        )

    server = [sys.executable, "-c", SERVER, str(socket), str(kill)]
    process = forked.Popen(server)
    while not socket.exists():
        assert process.poll() is None
        time.sleep(0.02)
    yield Grid(place / "out", snakemake, kill)
    process.kill()


def jobs(said: str) -> dict[str, int]:
    """How many jobs of each rule a dry run lists."""
    table = said[said.rindex("Job stats:") :].split("total")[0]
    return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_killed_grid_is_taken_up_and_makes_its_table(
    grid: Grid, cli: Cli, people: Path, tmp_path: Path
) -> None:
    listed = jobs(grid.snakemake("-n", "table3.md").stdout)
    assert listed == {"fit": 4, "extract": 2, "cluster": 2, "eval": 6, "compare": 1, "page": 1}

    grid.kill.touch()
    table = ("--keep-going", "--config", "fit={epochs: 2}", "--", "table3.md")
    done = grid.snakemake(*table)
    assert done.returncode == 1
    assert "exit status 137" in done.stdout
    runs = [grid.folder / f"runs/{run}/seed-{s}" for run in ("picie", "c2l") for s in (0, 1)]
    (killed,) = [run for run in runs if not (run / PREDICTOR).exists()]
    assert (killed / "step-00000003" / "COMMITTED").is_file()
    assert len(list(grid.folder.glob("scores/upper-lower/*/seed-*.json"))) == 5

    done = grid.snakemake(*table)
    assert done.returncode == 0, done.stdout
    assert "resumed at step 3, epoch 1" in grid.log(killed)
    unbroken = tmp_path / "run"
    options = ["--preset", {"picie": "picie", "c2l": "paper"}[killed.parent.name], "--epochs", "2"]
    options += ["--seed", killed.name.removeprefix("seed-"), "--pixel-dim", "8"]
    cli.ok("fit", people, "-o", unbroken, *PHOTOS, *NETWORK, *options, "--split", "train")
    assert sha256(killed / PREDICTOR) == sha256(unbroken / PREDICTOR)
    assert sorted(path.name for path in grid.folder.glob("runs/dff/*/*")) == ["clusters.h5"] * 2

    values = json.loads((grid.folder / "tables/table3-upper-lower.json").read_text())
    assert [row["name"] for row in values["rows"]] == ["PiCIE", "DFF", "C2L"]
    for row, name in zip(values["rows"], ("picie", "dff", "c2l"), strict=True):
        files = [grid.folder / f"scores/upper-lower/{name}/seed-{s}.json" for s in (0, 1)]
        scores = [json.loads(file.read_text())["miou"] for file in files]
        assert row["miou"]["mean"] == pytest.approx(statistics.mean(scores))
        assert row["miou"]["std"] == pytest.approx(statistics.stdev(scores))
    page = (grid.folder / "table3.md").read_text()
    assert page.startswith("# Table 3: beside other methods\n\nThe paper")
    assert f"| {100 * values['rows'][2]['miou']['mean']:.1f} ± " in page

    kept = [p for name in ("runs", "scores", "tables") for p in (grid.folder / name).rglob("*.*")]
    times = [path.stat().st_mtime_ns for path in kept]
    assert "Nothing to be done" in grid.snakemake(*table).stdout
    assert times == [path.stat().st_mtime_ns for path in kept]

    done = grid.snakemake("--config", "fit={epochs: 3}", "--", "table3.md")
    assert done.returncode == 1
    assert any("options.epochs: the run has 2, now 3" in grid.log(run) for run in runs)
    assert all((run / PREDICTOR).is_file() for run in runs)
    assert sha256(killed / PREDICTOR) == sha256(unbroken / PREDICTOR)


def test_runs_of_several_tables_are_listed_once(grid: Grid, tmp_path: Path) -> None:
    tables = ("table1.md", "table2-alpha.md", "table2-beta.md", "table3.md", "modules.md")
    merges = ("--config", "merges=[upper-lower, fine]")
    said = jobs(grid.snakemake("-n", "--directory", tmp_path, *merges, "--", *tables).stdout)
    # Eleven networks in the paper's protocol, seven from the warm-up; DFF at two sizes, k-means.
    assert (said["fit"], said["extract"], said["cluster"]) == (2 * 18, 2 * 3, 2 * 3)
    # Another label merge costs no training.
    assert (said["eval"], said["rescore"], said["page"]) == (2 * 21, 2 * 21, 5)


@pytest.mark.parametrize(
    ("setting", "said"),
    [("wieghts=none", "wieghts"), ("runs={c2l: {layer: 1}}", "layer"), ("seeds=3", "seeds")],
)
def test_a_slip_in_the_configuration_is_named(grid: Grid, setting: str, said: str) -> None:
    done = grid.snakemake("-n", "--config", setting, "--", "table3.md")
    assert done.returncode == 1
    assert re.search(rf"WorkflowError[^{{]*{said}", done.stdout), done.stdout


def test_the_configuration_that_comes_along_is_whole() -> None:
    config = yaml.safe_load((WORKFLOW / "config.yaml").read_text())
    runs, tables = config["runs"], config["tables"]
    shown = {run for table in tables.values() for run in table["rows"].values()}
    assert shown | {run["from"] for run in runs.values() if "from" in run} == set(runs)
    assert set(config["wanted"]) <= set(tables)
    assert all(table.get("against") in (None, *table["rows"]) for table in tables.values())
    for name, run in runs.items():
        for command, kind in KINDS.items():
            options = {k.replace("-", "_"): v for k, v in run.get(command, {}).items()}
            found = stored(kind, {**SIZES, **options})
            assert {k: getattr(found, k) for k in options} == options, name
            # Whether they go together.
            protocol = options.pop("preset", None)
            preset(kind, protocol, **options) if protocol else found.check()
