"""A checkpoint: a folder of named parts, with a commit marker that holds their hashes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from c2l import schema
from c2l.artifacts.tensors import load_tensors, save_tensors
from c2l.artifacts.untrusted.types import STATE_COUNTS, STATE_KINDS, require_kinds
from c2l.errors import BadInputError
from c2l.runtime.files import sha256_file
from c2l.runtime.json_files import read_json, write_json

if TYPE_CHECKING:
    from torch import Tensor

# The files of every checkpoint, whose hashes its commit marker holds; some have heads too.
STEP_FILES = (schema.STEP_MODEL, schema.STEP_OPTIMIZER, schema.STEP_STATE)
# Checkpoints before STEP_HEADS kept the figure head in STEP_MODEL, under a prefix.
OLD_HEAD, HEAD = "warmup_head.", "figure."


@dataclass
class Position:
    """How far a run is.

    Attributes:
        epoch: counted from 0, the warm-up's epochs first.
        batch: batches of the epoch that are done.
        step: optimiser steps since the start.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0


@dataclass(frozen=True)
class Checkpoint:
    """Everything that resuming a run needs.

    Attributes:
        position: how far the run is.
        network: parameters and buffers of the network, by name.
        heads: those of the modules that only training has, empty where there are none.
        optimizer: tensors of the optimiser's state, by name.
        targets_sha256: of the epoch's targets, empty between two epochs.
        metrics_bytes: size of the metrics so far.
        parameters_sha256: of the network and the heads.
    """

    position: Position
    network: dict[str, Tensor]
    heads: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    targets_sha256: str = ""
    metrics_bytes: int = 0
    parameters_sha256: str = ""


def write_checkpoint(folder: Path, checkpoint: Checkpoint, run_sha256: str) -> None:
    """Fill an empty folder, the commit marker last.

    Args:
        folder: of the checkpoint.
        checkpoint: its parts.
        run_sha256: of the configuration of its run.
    """
    position = checkpoint.position
    save_tensors(folder / schema.STEP_MODEL, checkpoint.network, {"kind": "model"})
    save_tensors(folder / schema.STEP_OPTIMIZER, checkpoint.optimizer, {"kind": "optimizer"})
    if checkpoint.heads:
        save_tensors(folder / schema.STEP_HEADS, checkpoint.heads, {"kind": "heads"})
    state = {
        "step": position.step,
        "run_sha256": run_sha256,
        "epoch": position.epoch,
        "batch": position.batch,
        "targets_sha256": checkpoint.targets_sha256,
        "metrics_bytes": checkpoint.metrics_bytes,
        "parameters_sha256": checkpoint.parameters_sha256,
    }
    write_json(folder / schema.STEP_STATE, state)
    written = (*STEP_FILES, *([schema.STEP_HEADS] if checkpoint.heads else []))
    sums = {name: sha256_file(folder / name) for name in written}
    write_json(folder / schema.STEP_COMMIT, sums)


def damaged_files(folder: Path) -> list[str]:
    """Names of the files that do not match the commit marker.

    Raises:
        BadInputError: the marker or a file cannot be read.
    """
    sums = _marker(folder)
    required, known = {*STEP_FILES}, {*STEP_FILES, schema.STEP_HEADS}
    damaged = [] if required <= sums.keys() <= known else [schema.STEP_COMMIT]
    names = (*STEP_FILES, *({schema.STEP_HEADS} & sums.keys()))
    return damaged + [name for name in names if sha256_file(folder / name) != sums.get(name)]


def _marker(folder: Path) -> dict[str, Any]:
    return read_json(folder / schema.STEP_COMMIT, what="a commit marker")


def read_state(folder: Path) -> dict[str, Any]:
    """The JSON values of a checkpoint, each of its type.

    Raises:
        BadInputError: damaged.
    """
    path = folder / schema.STEP_STATE
    state = read_json(path, what="a checkpoint's state")
    require_kinds(path, state, STATE_KINDS)
    if missing := sorted(STATE_KINDS.keys() - state.keys()):
        raise BadInputError(path, f"damaged: {', '.join(missing)} missing")
    for key in STATE_COUNTS:
        if state[key] < 0:
            raise BadInputError(path, f"damaged: {key!r} is {state[key]}")
    return state


def read_checkpoint(folder: Path) -> Checkpoint:
    """The parts of a checkpoint whose files match its commit marker.

    Raises:
        BadInputError: damaged.
    """
    state = read_state(folder)
    network = load_tensors(folder / schema.STEP_MODEL, sealed=True)[0]
    if schema.STEP_HEADS in _marker(folder):
        heads = load_tensors(folder / schema.STEP_HEADS, sealed=True)[0]
    else:
        old = [name for name in network if name.startswith(OLD_HEAD)]
        heads = {name.replace(OLD_HEAD, HEAD, 1): network.pop(name) for name in old}
    return Checkpoint(
        Position(state["epoch"], state["batch"], state["step"]),
        network,
        heads,
        load_tensors(folder / schema.STEP_OPTIMIZER, sealed=True)[0],
        state["targets_sha256"],
        state["metrics_bytes"],
        state["parameters_sha256"],
    )
