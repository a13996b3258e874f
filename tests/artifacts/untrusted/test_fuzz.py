"""Damaged files of every kind through every reader: refused, or read as they were meant."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from benchmarks.soak import fuzz
from benchmarks.soak.damage import WAYS
from benchmarks.soak.readers import answer, digest
from benchmarks.soak.samples import make_samples
from c2l.artifacts.untrusted.guard import trust_files
from c2l.runtime.json_files import strict_json

# Kinds that are read in this process; HDF5 is left to the guarded test below, and to
# ``python -m benchmarks.soak.fuzz``, since a damaged file may stop the library for ever.
IN_PROCESS = (
    "config.json",
    "eval.json",
    "mask.png",
    "photo.jpg",
    "photo.png",
    "photo.webp",
    "predictor.safetensors",
    "turned.jpg",
)
# Each is read in a child process that imports torch.
PICKLED = ("old.pth", "weights.pth")
QUICK = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A sound file of each kind."""
    return {p.name: p for p in make_samples(tmp_path_factory.mktemp("samples"))}


@pytest.fixture(autouse=True)
def trusting() -> None:
    """Without a child process per file, except where a test asks for it."""
    trust_files(True)


def test_every_sample_is_read(samples: dict[str, Path]) -> None:
    assert len(samples) == 14
    for path in samples.values():
        assert len(digest(path)) == 64


@pytest.mark.parametrize("name", IN_PROCESS)
@given(way=st.sampled_from(sorted(WAYS)), seed=st.integers(0, 2**32))
@QUICK
def test_damage_is_refused_or_harmless(
    samples: dict[str, Path], tmp_path: Path, name: str, way: str, seed: int
) -> None:
    path = tmp_path / f"1-{name}"
    path.write_bytes(WAYS[way](samples[name].read_bytes(), np.random.default_rng(seed)))
    outcome = fuzz.judge(answer(path), digest(samples[name]), path, 1 << 62)
    assert outcome in fuzz.FINE


@pytest.mark.parametrize("name", PICKLED)
def test_a_damaged_pth_is_refused_or_harmless(
    samples: dict[str, Path], tmp_path: Path, name: str
) -> None:
    data, expected = samples[name].read_bytes(), digest(samples[name])
    path, random = tmp_path / f"1-{name}", np.random.default_rng(3)
    for way, damage in WAYS.items():
        path.write_bytes(damage(data, random))
        outcome = fuzz.judge(answer(path), expected, path, 1 << 62)
        assert outcome in fuzz.FINE, way


@pytest.mark.parametrize("name", ["features.h5", "kmeans.h5", "targets.h5"])
def test_damaged_hdf5_is_refused_or_harmless(
    samples: dict[str, Path], tmp_path: Path, name: str
) -> None:
    data = samples[name].read_bytes()
    expected = digest(samples[name])
    path, random = tmp_path / f"1-{name}", np.random.default_rng(5)
    trust_files(False)
    for way in ("flip_a_bit", "truncate", "zero"):
        path.write_bytes(WAYS[way](data, random))
        outcome = fuzz.judge(answer(path), expected, path, 1 << 62)
        assert outcome in fuzz.FINE, way


@given(text=st.text(max_size=200) | st.recursive(st.none(), st.lists, max_leaves=5).map(str))
@QUICK
def test_any_text_is_json_or_a_value_error(text: str) -> None:
    try:
        strict_json(text)
    except (ValueError, RecursionError):
        return


def test_the_fuzzer_tells_a_silent_change_from_a_refusal(
    samples: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def verdict(name: str, data: bytes, **answered: Any) -> str:
        path = tmp_path / f"1-{name}"
        path.write_bytes(data)
        found = {**answer(path), **answered}
        return fuzz.judge(found, expected, path, 0 if answered else 1 << 62)

    expected = digest(samples["kmeans.h5"])
    sound = samples["kmeans.h5"].read_bytes()
    assert verdict("kmeans.h5", sound) == "same"
    assert verdict("kmeans.h5", sound[:-50]) == "refused"
    assert verdict("kmeans.h5", samples["nmf.h5"].read_bytes()) == "SILENTLY WRONG"
    assert verdict("kmeans.h5", sound, crash=True) == "crash"
    assert verdict("kmeans.h5", sound, resident=1 << 40) == "memory growth"
    monkeypatch.setattr("c2l.artifacts.hdf5.check_structure", lambda *_: 1 / 0)
    assert verdict("kmeans.h5", sound) == "error"


def test_a_worker_that_dies_is_started_again(samples: dict[str, Path], tmp_path: Path) -> None:
    worker = fuzz.Worker()
    path = tmp_path / "1-photo.png"
    shutil.copyfile(samples["photo.png"], path)
    assert worker.ask(path)["digest"] == digest(path)
    assert worker._process is not None
    worker._process.kill()
    worker._process.wait()
    assert worker.ask(path) == {"crash": True}
    assert worker.ask(path)["digest"] == digest(path)
    worker.close()
