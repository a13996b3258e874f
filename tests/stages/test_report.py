"""report: runs side by side on one page, with the numbers of compare and a line per run."""

from __future__ import annotations

import re
import shutil
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from conftest import Cli

from c2l.runtime.json_files import read_json, write_json


def changed(scores: Path, target: Path, seed: int, miou: float, **options: Any) -> Path:
    """The scores of another run, of the same photos."""
    values = read_json(scores, what="scores", sealed=True)
    values |= {"miou": miou, "intervals": {"miou": [miou - 0.1, miou + 0.1]}}
    made = values["lineage"]["made_from"]
    made["options"] |= {"seed": seed, **options}
    write_json(target, values, sealed=True)
    return target


@pytest.fixture
def run(trained: Path, scores: Path, tmp_path: Path) -> Path:
    """A run folder with its scores, and without its weights, which a report does not read."""
    folder = tmp_path / "my <b>run"
    folder.mkdir()
    for name in ("config.json", "metrics.jsonl"):
        shutil.copyfile(trained / name, folder / name)
    changed(scores, folder / "eval.json", 0, 0.25)
    return folder


def texts(page: str) -> str:
    """What a page shows as text."""
    body = re.sub(r"<style>.*?</style>|<script>.*?</script>", "", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", body)))


def test_scores_in_run_folders_and_files_are_rows_with_differences(
    cli: Cli, run: Path, scores: Path, tmp_path: Path
) -> None:
    other = changed(scores, tmp_path / "other.json", 0, 0.5, lr=0.5)
    again = changed(scores, tmp_path / "again.json", 1, 0.6, lr=0.5)
    page, against = tmp_path / "compare.html", ("--against", "base")
    said = cli.ok(
        "report", f"base={run}", f"new={other}", f"new={again}", "-o", page, *against, "--json",
    )  # fmt: skip
    assert said.values == {"report": str(page)}
    text = page.read_text(encoding="utf-8")
    shown = texts(text)
    assert "3 photos of split val, labels upper-lower." in shown
    assert "Differences are to base, seed by seed" in shown
    rows = re.findall(
        r'<tr class="(rival|trivial)"><th scope="row">(.*?)</th>(.*?)</tr>', text, re.S
    )
    cells = {name: re.findall(r'class="num">(.*?)<', rest) for _, name, rest in rows}
    assert cells["base"][0] == "25.0 [15.0, 35.0]"
    assert cells["base"][3:] == ["1", "-", "-", "-"]
    assert cells["new"][0] == "55.0 ± 7.1"
    # Of the common seed.
    assert cells["new"][3:5] == ["2", "+25.0"]
    assert [kind for kind, *_ in rows].count("trivial") > 3
    bars = re.findall(r'class="bar rival"[^>]*style="([^"]*)"', text)
    assert bars == [
        "--value:25.0%;--low:15.0%;--high:35.0%",
        "--value:55.0%;--low:47.9%;--high:62.1%",
    ]


def test_each_run_has_a_line_and_the_options_that_differ_are_listed(
    cli: Cli, run: Path, trained: Path, scores: Path, tmp_path: Path
) -> None:
    other = changed(scores, tmp_path / "other.json", 0, 0.5, lr=0.5)
    page = tmp_path / "compare.html"
    cli.ok("report", run, f"old={trained}", other, "-o", page)
    text = page.read_text(encoding="utf-8")
    shown = texts(text)
    assert "3 runs side by side" in shown
    # Names of folders are text.
    assert "my <b>run" in shown
    assert "<b>" not in text
    losses = re.findall(r'<svg class="chart" role="img" aria-label="Loss: total".*?</svg>', text)
    assert len(losses) == 1
    assert re.findall(r'class="line (s\d)"', losses[0]) == ["s0", "s1"]
    table = shown[shown.index("Options that differ") :]
    assert "my <b>run old other lr" in table
    assert re.search(r" lr \S+ \S+ 0\.5", table)
    assert "epochs" not in table


def test_a_run_without_scores_has_curves_only(cli: Cli, trained: Path, tmp_path: Path) -> None:
    cli.ok("report", trained, "-o", tmp_path / "one.html")
    shown = texts((tmp_path / "one.html").read_text(encoding="utf-8"))
    assert f"Run {trained.name}" in shown
    assert "Loss: total" in shown
    assert "mIoU" not in shown


def test_no_page_of_another_program_is_replaced(cli: Cli, run: Path, tmp_path: Path) -> None:
    page = tmp_path / "thesis.html"
    page.write_text("<!doctype html>\n<p>c2l- years of work")
    assert cli("report", run, "-o", page, "--overwrite").code == 2
    assert "years of work" in page.read_text()
    cli.ok("report", run, "-o", tmp_path / "own.html")
    assert cli("report", run, "-o", tmp_path / "own.html").code == 2
    cli.ok("report", run, "-o", tmp_path / "own.html", "--overwrite")


def test_a_folder_that_is_no_run_is_refused(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert cli("report", tmp_path / "empty", "-o", tmp_path / "x.html").code == 3
    assert not (tmp_path / "x.html").exists()
