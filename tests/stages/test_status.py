"""status says what is done, partial or stale, with a command that works; verify finds damage."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
from pathlib import Path
from typing import Any
from unittest import mock

import h5py
import numpy as np
import pytest
from conftest import FIT, NETWORK, PHOTOS, Cli, stop_after
from PIL import Image
from safetensors.torch import save_file
from torchvision.models import resnet18

from c2l.artifacts.feature_writer import FeatureWriter
from c2l.artifacts.locks import exclusive
from c2l.data.images import read_rgb
from c2l.runtime.files import sha256_file
from c2l.runtime.json_files import write_json
from c2l.schema import JSON_SEAL

MERGE = """
label_space = "atr"
classes = ["rest", "legs"]
rest = "rest"
[assign]
legs = ["pants", 12, "right-leg"]
"""


@pytest.fixture(scope="module")
def made(cli: Cli, people: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Where a chain of artifacts was made, and a copy of it to be put there again."""
    folder = tmp_path_factory.mktemp("chain") / "work"
    shutil.copytree(people, folder / "people")
    before = Path.cwd()
    os.chdir(folder)
    cli.ok("extract", "people", "-o", "f.h5", *PHOTOS, *NETWORK, "--split", "train")
    cli.ok("cluster", "f.h5", "-o", "c.h5")
    cli.ok("fit", "people", "-o", "run", *FIT, "--epochs", "1", "--split", "train")
    cli.ok("eval", "run", "people", "-o", "e.json", "--split", "val", "--bootstrap", "0")
    cli.ok("render", "run", "people", "-o", "pics", "--scores", "e.json", "--split", "val")
    os.chdir(before)
    kept = folder.parent.parent / f"{folder.parent.name}-kept"
    shutil.copytree(folder, kept)
    return folder, kept


@pytest.fixture
def chain(made: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a data set of its own and every artifact made from it."""
    folder, kept = made
    shutil.rmtree(folder.parent)
    shutil.copytree(kept, folder)
    monkeypatch.chdir(folder)
    return folder


def status(cli: Cli, folder: Path) -> dict[str, dict[str, Any]]:
    """The entries by path."""
    entries = cli.ok("status", folder, "--json").values["artifacts"]
    return {entry["path"]: entry for entry in entries}


def states(cli: Cli, folder: Path) -> dict[str, str]:
    """The states by path."""
    return {path: entry["state"] for path, entry in status(cli, folder).items()}


def findings(cli: Cli, *artifacts: str) -> list[tuple[str, str]]:
    """Path and problem of all that verify finds wrong; the exit code agrees."""
    outcome = cli("verify", *artifacts, "--json")
    wrong = [f for f in outcome.values["findings"] if f["problem"]]
    assert outcome.code == (3 if wrong else 0), outcome.err
    assert outcome.values["sound"] == (not wrong)
    return [(os.path.relpath(f["path"]), f["problem"]) for f in wrong]


def repaint(path: Path) -> None:
    """Another picture of the same size, a moment later."""
    image = 255 - read_rgb(path)
    Image.fromarray(image).save(path)


def terminate(*_: Any) -> None:
    """A signal to this process."""
    os.kill(os.getpid(), signal.SIGTERM)


def test_what_is_done_needs_nothing_and_is_sound(cli: Cli, chain: Path) -> None:
    found = status(cli, chain)
    assert set(states(cli, chain).values()) == {"done"}
    assert list(found) == ["f.h5", "c.h5", "run", "e.json", "pics"]
    assert found["c.h5"]["next"] == "c2l eval c.h5 people -o eval.json"
    assert not any(found[name]["next"] for name in ("f.h5", "run", "e.json", "pics"))
    assert findings(cli, "c.h5", "run", "e.json", "pics") == []


def test_the_next_command_of_what_is_stale_mends_it(cli: Cli, chain: Path) -> None:
    """Another seed of the features leaves their clusters behind."""
    cli.ok("extract", "people", "-o", "f.h5", *PHOTOS, *NETWORK, "--seed", "7", "--overwrite")
    found = status(cli, chain)["c.h5"]
    assert found["state"] == "stale"
    assert "its features" in found["why"]
    assert findings(cli, "c.h5") == [("c.h5", found["why"])]
    words = shlex.split(found["next"])
    assert words[0] == "c2l"
    cli.ok(*words[1:])
    assert states(cli, chain)["c.h5"] == "done"
    assert findings(cli, "c.h5") == []


def test_a_changed_photo_makes_all_that_saw_it_stale(cli: Cli, chain: Path) -> None:
    names = (chain / "people/ImageSets/Segmentation/train.txt").read_text().split()
    repaint(chain / "people" / "JPEGImages" / f"{names[0]}.jpg")
    found = status(cli, chain)
    assert {path: e["state"] for path, e in found.items()} == {
        "f.h5": "stale",
        "c.h5": "stale",
        "run": "stale",
        "e.json": "stale",
        "pics": "stale",
    }
    assert "photos or masks" in found["f.h5"]["why"]
    assert "is stale itself" in found["c.h5"]["why"]
    assert "is stale itself" in found["e.json"]["why"]


def test_a_photo_touched_but_the_same_is_not_stale(cli: Cli, chain: Path) -> None:
    for photo in (chain / "people" / "JPEGImages").iterdir():
        os.utime(photo, (2e9, 2e9))
    assert set(states(cli, chain).values()) == {"done"}


def test_a_photo_replaced_by_an_older_file_is_found(cli: Cli, chain: Path) -> None:
    """Its time of change is set back; that of the file's entry is not."""
    names = (chain / "people/ImageSets/Segmentation/train.txt").read_text().split()
    photo = chain / "people" / "JPEGImages" / f"{names[0]}.jpg"
    repaint(photo)
    os.utime(photo, (1e9, 1e9))
    assert states(cli, chain)["f.h5"] == "stale"
    ((path, problem),) = findings(cli, "f.h5")
    assert path == "f.h5"
    assert "photos or masks" in problem


def test_what_is_made_from_photos_that_changed_is_not_clustered(cli: Cli, chain: Path) -> None:
    names = (chain / "people/ImageSets/Segmentation/train.txt").read_text().split()
    repaint(chain / "people" / "JPEGImages" / f"{names[0]}.jpg")
    refused = cli("cluster", "f.h5", "-o", "again.h5")
    assert refused.code == 3
    assert "f.h5: is stale: photos or masks" in refused.err
    assert "next: c2l extract people -o f.h5" in refused.err
    cli.ok(*shlex.split(refused.err.partition("next: c2l ")[2]))
    cli.ok("cluster", "f.h5", "-o", "again.h5")


def test_clusters_of_features_that_changed_are_not_scored(cli: Cli, chain: Path) -> None:
    cli.ok("extract", "people", "-o", "f.h5", *PHOTOS, *NETWORK, "--seed", "7", "--overwrite")
    for stage, output in (("eval", "c.json"), ("render", "c-pics")):
        refused = cli(stage, "c.h5", "people", "-o", output, "--split", "val")
        assert refused.code == 3
        assert "c.h5: is stale: its features" in refused.err
        assert "next: c2l cluster f.h5 -o c.h5 --overwrite" in refused.err
    # Where the features are gone, the clusters stand for themselves.
    (chain / "f.h5").unlink()
    cli.ok("eval", "c.h5", "people", "-o", "c.json", "--split", "val", "--bootstrap", "0")


def test_a_copy_of_a_folder_is_held_against_its_own_inputs(cli: Cli, chain: Path) -> None:
    """The original is made anew; the copy beside it still holds together."""
    copy = chain.parent / "copy"
    shutil.copytree(chain, copy)
    cli.ok("extract", "people", "-o", "f.h5", *PHOTOS, *NETWORK, "--seed", "7", "--overwrite")
    assert {Path(p).name: s for p, s in states(cli, copy).items()}["c.h5"] == "done"
    assert states(cli, chain)["c.h5"] == "stale"


def test_weights_named_from_another_folder_are_found_by_the_next_command(
    cli: Cli, chain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_file(resnet18().state_dict(), chain / "w.safetensors")
    words = (*PHOTOS, "--fpn-dim", "16", "--split", "train", "--weights", "w.safetensors")
    cli.ok("extract", "people", "-o", "g.h5", *words)
    names = (chain / "people/ImageSets/Segmentation/train.txt").read_text().split()
    repaint(chain / "people" / "JPEGImages" / f"{names[0]}.jpg")
    monkeypatch.chdir(chain.parent)
    entry = status(cli, chain)["work/g.h5"]
    assert entry["state"] == "stale"
    cli.ok(*shlex.split(entry["next"])[1:])
    assert status(cli, chain)["work/g.h5"]["state"] == "done"


def test_json_of_any_size_does_not_keep_status(cli: Cli, chain: Path) -> None:
    """6 GiB that take no room; one that names a format of c2l is refused by its size."""
    for name, begin in (("a.json", b"{"), ("b.json", b'{"format": "c2l-eval"')):
        with (chain / name).open("wb") as file:
            file.write(begin)
            file.truncate(6 << 30)
    assert set(states(cli, chain)) == {"f.h5", "c.h5", "run", "e.json", "pics"}
    assert cli("inspect", "b.json").code == 3


def test_a_folder_put_in_the_place_of_another_is_seen(cli: Cli, chain: Path) -> None:
    """As many photos, none of them newer than what was made from the first."""
    photos = chain / "people" / "JPEGImages"
    first, *others = sorted(photos.iterdir())
    first.rename(chain / "kept")
    for before, after in zip(others, [first, *others], strict=False):
        before.rename(after)
    (chain / "kept").rename(others[-1])
    assert states(cli, chain)["f.h5"] == "stale"


def test_a_copy_of_what_is_stale_is_as_stale(cli: Cli, chain: Path) -> None:
    names = (chain / "people/ImageSets/Segmentation/train.txt").read_text().split()
    repaint(chain / "people" / "JPEGImages" / f"{names[0]}.jpg")
    shutil.copyfile(chain / "f.h5", chain / "copy.h5")
    assert states(cli, chain)["copy.h5"] == "stale"
    assert cli("cluster", "copy.h5", "-o", "again.h5").code == 3


def test_a_missing_input_is_named(cli: Cli, chain: Path) -> None:
    (chain / "f.h5").unlink()
    found = status(cli, chain)["c.h5"]
    assert found["state"] == "stale"
    assert "f.h5 is not there: put it back" in found["why"]
    assert not found["next"], "a command that reads it would not mend it"


def test_the_next_output_has_a_name_that_is_free(cli: Cli, chain: Path) -> None:
    cli.ok("fit", "people", "-o", "second", *FIT, "--epochs", "0", "--split", "train")
    shutil.copyfile("e.json", "eval.json")
    entry = status(cli, chain)["second"]
    assert entry["next"] == "c2l eval second people -o second-eval.json"
    cli.ok(*shlex.split(entry["next"])[1:], "--split", "val", "--bootstrap", "0")


def test_photos_that_moved_are_to_be_put_back(cli: Cli, chain: Path) -> None:
    (chain / "people").rename(chain / "elsewhere")
    found = status(cli, chain)["f.h5"]
    assert (found["state"], found["next"]) == ("stale", "")
    assert "put it back" in found["why"]


def test_a_folder_moved_as_a_whole_holds_together(
    cli: Cli, chain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = chain.with_name("elsewhere")
    chain.rename(moved)
    monkeypatch.chdir(moved)
    assert set(states(cli, moved).values()) == {"done"}
    assert findings(cli, "c.h5", "run", "e.json", "pics") == []


def test_a_stopped_store_and_run_are_partial_and_go_on(
    cli: Cli, people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with mock.patch.object(FeatureWriter, "flush", terminate):
        assert cli("extract", people, "-o", "f.h5", *PHOTOS, *NETWORK).code == 75
    with stop_after(1):
        assert cli("fit", people, "-o", "run", *FIT, "-b", "2", "--epochs", "1").code == 75
    found = status(cli, tmp_path)
    assert {path: e["state"] for path, e in found.items()} == {"f.h5": "partial", "run": "partial"}
    assert "of 12 images" in found["f.h5"]["why"]
    assert found["run"]["why"] == "saved at step 1"
    said = cli("verify", "run")
    assert (said.code, "run: checkpoints" in said.out, "predictor" in said.out) == (3, True, False)
    for entry in found.values():
        cli.ok(*shlex.split(entry["next"])[1:], "--device", "cpu")
    assert set(states(cli, tmp_path).values()) == {"done"}


def test_a_leftover_that_was_being_copied_is_partial_and_goes_on(
    cli: Cli, people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with mock.patch.object(FeatureWriter, "flush", terminate):
        assert cli("extract", people, "-o", "f.h5", *PHOTOS, *NETWORK).code == 75
    Path(".f.h5.partial").rename(".f.h5.partial.old")
    Path(".f.h5.partial").write_bytes(b"begun")
    (entry,) = status(cli, tmp_path).values()
    assert (entry["path"], entry["state"]) == ("f.h5", "partial")
    assert "images are there already" in cli.ok(*shlex.split(entry["next"])[1:]).err


def test_half_a_folder_is_being_written_or_left_by_a_killed_command(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".pictures.partial" / "masks").mkdir(parents=True)
    with exclusive(tmp_path / "pictures"):
        assert states(cli, tmp_path) == {"pictures": "being written"}
    (entry,) = status(cli, tmp_path).values()
    assert (entry["path"], entry["state"]) == (".pictures.partial", "partial")
    assert "the same command replaces it" in entry["why"]


def test_names_of_any_kind_are_shown_in_one_line_and_quoted(
    cli: Cli, people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cli.ok("extract", people, "-o", "./-ok.h5", *PHOTOS, *NETWORK)
    for name in ("bro ken;x.h5", "two\nlines.h5"):
        Path(name).write_bytes(b"nothing")
    found = status(cli, tmp_path)
    assert found["bro ken;x.h5"]["next"] == "c2l inspect 'bro ken;x.h5'"
    assert found["./-ok.h5"]["next"].startswith("c2l cluster ./-ok.h5 -o ")
    said = cli.ok("status", tmp_path).out
    assert "two\\nlines.h5  " in said


def test_a_configuration_of_another_program_hides_nothing(
    cli: Cli, chain: Path, tmp_path: Path
) -> None:
    (chain / "config.json").write_text('{"a": 1}')
    assert set(states(cli, chain)) == {"f.h5", "c.h5", "run", "e.json", "pics"}
    # That of a run, damaged, is told.
    (chain / "run" / "config.json").write_text("{")
    assert states(cli, chain)["run"] == "broken"


def test_a_pipe_in_the_place_of_a_leftover_keeps_nobody_waiting(cli: Cli, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".z.h5.partial")
    (entry,) = status(cli, tmp_path).values()
    assert entry["state"] == "broken"
    assert "not a regular file" in entry["why"]


def test_what_is_being_written_names_its_writer(cli: Cli, chain: Path) -> None:
    with exclusive(chain / "c.h5"):
        found = status(cli, chain)["c.h5"]
    assert found["state"] == "being written"
    assert f"process {os.getpid()}" in found["why"]


def test_a_broken_artifact_is_named_and_the_rest_is_told(cli: Cli, chain: Path) -> None:
    with (chain / "c.h5").open("r+b") as file:
        file.truncate(700)
    found = status(cli, chain)
    assert found["c.h5"]["state"] == "broken"
    assert found["f.h5"]["state"] == "done"


def test_files_of_other_programs_are_passed_over(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text("{}")
    with h5py.File(tmp_path / "theirs.h5", "w") as file:
        file["x"] = [1, 2]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.json").write_text('{"format": "theirs"}')
    assert states(cli, tmp_path) == {}
    assert "no artifacts" in cli.ok("status", tmp_path).out
    outcome = cli("status", tmp_path / "missing")
    assert outcome.code == 3
    assert "missing" in outcome.err


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("step-00000003/model.safetensors", "step-00000003/model.safetensors"),
        ("predictor.safetensors", "predictor.safetensors"),
    ],
)
def test_verify_finds_a_changed_weight(cli: Cli, chain: Path, name: str, message: str) -> None:
    path = chain / "run" / name
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)
    assert any(p == "run" and message in problem for p, problem in findings(cli, "run"))


def test_verify_believes_no_marker_that_vouches_for_nothing(cli: Cli, chain: Path) -> None:
    (chain / "run/step-00000003/COMMITTED").write_text("{}")
    ((path, problem),) = findings(cli, "run")
    assert path == "run"
    assert "step-00000003/COMMITTED" in problem
    assert "step-00000003/model.safetensors" in problem


def test_verify_finds_metrics_that_were_edited(cli: Cli, chain: Path) -> None:
    path = chain / "run/metrics.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0].replace("}", ', "more": 1}'), *lines[1:]]))
    assert findings(cli, "run") == [("run", "metrics.jsonl was changed since the run ended")]
    # Without the line that vouches for them, the run has not ended.
    path.write_text("".join(lines[:-1]))
    ((_, problem),) = findings(cli, "run")
    assert "is not finished" in problem
    found = status(cli, chain)["run"]
    assert found["state"] == "partial"
    cli.ok(*shlex.split(found["next"])[1:])
    assert path.read_text() == "".join(lines)
    assert findings(cli, "run") == []


def test_verify_finds_scores_that_were_edited(cli: Cli, chain: Path) -> None:
    value = json.loads((chain / "e.json").read_text())
    value["miou"], value["fg_ari"] = 0.99, -0.5
    (chain / "e.json").write_text(json.dumps(value))
    ((path, problem),) = findings(cli, "e.json")
    assert path == "e.json"
    assert "edited by hand" in problem
    # Even sealed anew, they do not follow from their own matrix.
    value.pop(JSON_SEAL)
    write_json(chain / "e.json", value, sealed=True)
    assert findings(cli, "e.json") == [
        ("e.json", "does not follow from its confusion matrix: miou, fg_ari")
    ]
    # The pictures were drawn with other scores.
    assert [path for path, _ in findings(cli, "pics")] == ["pics", "e.json"]


def test_verify_finds_a_mask_that_was_painted_over(cli: Cli, chain: Path) -> None:
    mask = next((chain / "pics" / "masks").rglob("*.png"))
    painted = np.array(Image.open(mask))
    Image.fromarray(painted[::-1]).save(mask)  # of ids that the legend has
    ((path, problem),) = findings(cli, "pics")
    assert path == "pics"
    assert problem == f"masks/{mask.name} was changed since it was drawn"
    mask.unlink()
    assert findings(cli, "pics") == [("pics", f"masks/{mask.name} is not there")]
    # Where even the legend was edited, it is held against the ids.
    Image.fromarray(np.full((4, 4), 9, np.uint8)).save(mask)
    legend = chain / "pics" / "masks" / "legend.json"
    value = json.loads(legend.read_text())
    value["files"][f"masks/{mask.name}"] = sha256_file(mask)
    legend.write_text(json.dumps(value))
    ((_, problem),) = findings(cli, "pics")
    assert "[9]" in problem


def test_verify_finds_an_edited_report_and_photos_that_changed_since_they_were_drawn(
    cli: Cli, chain: Path
) -> None:
    report = chain / "pics" / "report.html"
    report.write_text(report.read_text().replace("Mean IoU", "Mean IoU of 99 %"))
    assert findings(cli, "pics") == [("pics", "report.html was changed since it was drawn")]
    names = (chain / "people/ImageSets/Segmentation/val.txt").read_text().split()
    cli.ok("render", "run", "people", "-o", "few", "--split", "val", "--limit", "2")
    assert findings(cli, "few") == []
    repaint(chain / "people" / "JPEGImages" / f"{names[0]}.jpg")
    assert any("photos or masks" in problem for _, problem in findings(cli, "few"))
    assert states(cli, chain)["few"] == "stale"


def test_a_label_merge_of_ones_own_is_an_input(
    cli: Cli, chain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    merge = chain / "m.toml"
    merge.write_text(MERGE)
    words = ("eval", "run", "people", "-o", "m.json", "--split", "val", "--bootstrap", "0")
    cli.ok(*words, "--merge", "m.toml")
    assert findings(cli, "m.json") == []
    merge.write_text(MERGE.replace("legs", "feet"))
    ((_, problem),) = findings(cli, "m.json")
    assert "its label merge" in problem
    monkeypatch.chdir(chain.parent)
    entry = status(cli, chain)["work/m.json"]
    assert entry["state"] == "stale"
    cli.ok(*shlex.split(entry["next"])[1:])
    assert status(cli, chain)["work/m.json"]["state"] == "done"


def test_checkpoints_of_another_run_are_not_resumed(
    cli: Cli, few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("fit", few, *FIT, "-b", "2", "--epochs", "1")
    with stop_after(1):
        assert cli(*words, "-o", "run").code == 75
    cli.ok(*words, "-o", "other", "--seed", "5")
    shutil.rmtree(next(Path("run").glob("step-*")))
    (theirs,) = Path("other").glob("step-*")
    shutil.copytree(theirs, Path("run") / theirs.name)
    assert (f"{theirs.name} is another run's") in [problem for _, problem in findings(cli, "run")]
    outcome = cli(*words, "-o", "run", "--resume")
    assert outcome.code == 3
    assert "another run's" in outcome.err


def test_what_is_gone_of_a_run_is_told_when_it_goes_on(
    cli: Cli, few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("fit", few, *FIT, "-b", "2", "--epochs", "1", "-o", "run")
    with stop_after(1):
        assert cli(*words).code == 75
    inputs = Path("run/inputs.json")
    inputs.rename("kept")
    outcome = cli(*words, "--resume")
    assert outcome.code == 3
    assert "which photos the run began with is unknown" in outcome.err
    Path("kept").rename(inputs)
    Path("run/metrics.jsonl").unlink()
    assert "bytes of earlier metrics are missing" in cli.ok(*words, "--resume").err
    lines = Path("run/metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["kind"] == "lost"


def test_photos_without_masks_are_drawn_next_and_not_scored(
    cli: Cli, few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cli.ok("fit", few, "-o", "run", *FIT, "--epochs", "0")
    words = shlex.split(status(cli, tmp_path)["run"]["next"])
    assert words[:3] == ["c2l", "render", "run"]
    cli.ok(*words[1:])


def test_verify_of_what_is_missing_or_foreign_is_bad_input(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("hello")
    for path in (tmp_path / "none.h5", tmp_path / "note.txt"):
        outcome = cli("verify", path)
        assert outcome.code == 3
        assert path.name in outcome.err


def test_verify_finds_a_changed_bit_in_what_was_sampled(
    cli: Cli, people: Path, tmp_path: Path
) -> None:
    store = tmp_path / "f.h5"
    cli.ok("extract", people, "-o", store, *PHOTOS, *NETWORK, "--pixels-per-image", "20")
    assert cli("verify", store).code == 0
    with h5py.File(store, "r") as file:
        row = file["pixel_index"][3].tobytes()
    raw = bytearray(store.read_bytes())
    raw[raw.find(row)] ^= 1
    store.write_bytes(raw)
    outcome = cli("verify", store)
    assert outcome.code != 0
    assert "checksum" in outcome.out


def test_a_predictor_of_another_run_is_refused(cli: Cli, chain: Path) -> None:
    cli.ok("fit", "people", "-o", "other", *FIT, "--epochs", "0", "--seed", "5")
    shutil.copyfile("other/predictor.safetensors", "run/predictor.safetensors")
    for command in (
        ("render", "run", "people", "-o", "p", "--split", "val"),
        ("fit", "people", "-o", "next", *FIT, "--epochs", "0", "--checkpoint", "run"),
    ):
        outcome = cli(*command)
        assert outcome.code == 3
        assert "not the one that its run ended with" in outcome.err


def test_the_next_command_is_ready_for_a_shell(
    cli: Cli, people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(people, "two words")
    cli.ok("extract", "two words", "-o", "my store.h5", *PHOTOS, *NETWORK)
    (words,) = [shlex.split(e["next"]) for e in status(cli, Path()).values() if e["next"]]
    assert words[:3] == ["c2l", "cluster", "my store.h5"]
    cli.ok(*words[1:])
