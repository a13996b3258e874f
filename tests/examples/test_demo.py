"""The demo replaces what it made, and nothing else."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

DEMO = Path(__file__).parents[2] / "examples" / "demo.sh"


def demo(out: Path, data: Path) -> subprocess.CompletedProcess[str]:
    """The script, with a command that does nothing in place of c2l."""
    words = ["bash", str(DEMO), str(out), str(data)]
    path = {"C2L": "true", "PATH": "/usr/bin:/bin"}
    return subprocess.run(words, env=path, capture_output=True, text=True, check=False)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "mine" / "photos"
    folder.mkdir(parents=True)
    (folder / "a.jpg").write_bytes(b"a photo")
    return folder


def test_it_replaces_its_own_folder_and_makes_a_new_one(tmp_path: Path, photos: Path) -> None:
    out = tmp_path / "demo"
    assert demo(out, photos).returncode == 0
    (out / "old").touch()
    assert demo(out, photos).returncode == 0
    assert not (out / "old").exists()


@pytest.mark.parametrize("below", ["", "photos"])
def test_it_refuses_a_folder_that_it_did_not_make(photos: Path, below: str) -> None:
    found = demo(photos.parent / below, photos)
    assert found.returncode == 2
    assert "did not write" in found.stderr
    assert (photos / "a.jpg").read_bytes() == b"a photo"


def test_it_refuses_photos_that_lie_in_the_folder_it_would_replace(
    tmp_path: Path, photos: Path
) -> None:
    out = tmp_path / "demo"
    assert demo(out, photos).returncode == 0
    inside = photos.rename(out / "photos")
    found = demo(out, inside)
    assert found.returncode == 2
    assert "would replace" in found.stderr
    assert (inside / "a.jpg").is_file()
