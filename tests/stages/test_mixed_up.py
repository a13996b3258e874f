"""What is read and what is hashed is one file, whatever happens between the two."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import NETWORK, PHOTOS, Cli

from c2l.errors import BadInputError
from c2l.runtime.files import sha256_file, unchanged


def test_what_is_replaced_while_it_is_read_is_refused(tmp_path: Path) -> None:
    """Also by a file of the same bytes: which of the two was read is not known."""
    path, other = tmp_path / "a", tmp_path / "b"
    path.write_text("one")
    other.write_text("one")
    with unchanged(path):
        pass
    with pytest.raises(BadInputError, match="changed while it was being read"), unchanged(path):
        other.rename(path)
    with pytest.raises(BadInputError, match="No such file"), unchanged(tmp_path / "none"):
        pass


@pytest.mark.parametrize("stage", ["extract", "cluster"])
def test_an_input_replaced_before_it_is_hashed_is_refused(
    stage: str, cli: Cli, few: Path, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos, features = tmp_path / "photos", tmp_path / "f.h5"
    shutil.copytree(few, photos)
    shutil.copy(store, features)
    victim = photos / "b.jpg" if stage == "extract" else features

    def put_another_there(path: Path) -> str:
        if path.name == victim.name:
            shutil.copy(path, path.with_name("other"))
            path.with_name("other").rename(path)
        return sha256_file(path)

    where: dict[str, Any] = {
        "extract": ("c2l.data.decoding.sha256_file", ("extract", photos, *PHOTOS, *NETWORK)),
        "cluster": ("c2l.stages.cluster.sha256_file", ("cluster", features)),
    }
    name, words = where[stage]
    monkeypatch.setattr(name, put_another_there)
    outcome = cli(*words, "-o", tmp_path / "out.h5")
    assert outcome.code == 3
    assert f"{victim}: changed while it was being read" in outcome.err
    assert not (tmp_path / "out.h5").exists()
