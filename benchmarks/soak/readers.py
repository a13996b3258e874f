"""The worker of the fuzzer: reads files through c2l's public readers and tells what they gave.

Reads a path a line from stdin and answers a JSON object a line: ``digest`` of what was read, or
``refused``, or ``error`` for anything that is no refusal, with the memory this process takes.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

import numpy as np

from c2l.artifacts.clusters import read_clusters
from c2l.artifacts.features import read_features
from c2l.artifacts.registry import summarise
from c2l.artifacts.scores import read_scores
from c2l.artifacts.targets import read_targets
from c2l.artifacts.tensors import load_pickled_tensors, load_tensors
from c2l.artifacts.untrusted.guard import trust_files
from c2l.data.images import read_header, read_rgb
from c2l.data.masks import read_mask
from c2l.errors import C2LError
from c2l.runtime.json_files import read_json, unseal


def _features(path: Path) -> Any:
    views = ("features", "features_view1", "features_view2")
    with read_features(path) as reader:
        yield [reader.names, reader.grid, reader.shape, reader.config, reader.has_views]
        yield [reader.attribute("backbone"), reader.attribute("inputs_sha256")]
        for index in range(len(reader.names)):
            for name in views:
                yield reader.read(index, name)


def _clusters(path: Path) -> Any:
    found = read_clusters(path)
    yield from (found.centroids, found.counts, found.objective, found.config, found.attributes)
    yield from (*(found.views or ()), found.groups)


def _targets(path: Path) -> Any:
    with read_targets(path) as targets:
        yield from (*targets.centroids, *targets.counts)
        for view in (0, 1):
            yield targets.labels(view, np.arange(6))


def _named(tensors: dict[str, Any]) -> Any:
    for name in sorted(tensors):
        yield [name, str(tensors[name].dtype)]
        yield tensors[name].contiguous().numpy()


def _read(path: Path) -> Any:
    kind = path.name.rpartition("-")[2]
    if kind == "features.h5":
        yield from _features(path)
    elif kind in ("kmeans.h5", "nmf.h5"):
        yield from _clusters(path)
    elif kind == "targets.h5":
        yield from _targets(path)
    elif kind.endswith(".safetensors"):
        tensors, metadata = load_tensors(path, sealed=True)
        yield metadata
        yield from _named(tensors)
    elif kind.endswith(".pth"):
        yield from _named(load_pickled_tensors(path))
    elif kind == "eval.json":
        yield read_scores(path)
    elif kind == "config.json":
        value = read_json(path, what="a run's configuration")
        unseal(path, value)
        yield value
    elif kind == "mask.png":
        yield read_mask(path)
    else:
        yield repr(read_header(path))
        yield read_rgb(path)


def digest(path: Path) -> str:
    """SHA-256 of all that the readers give of a file.

    Raises:
        C2LError: the file is refused.
    """
    found = hashlib.sha256()
    for part in _read(path):
        if isinstance(part, np.ndarray):
            found.update(f"{part.dtype} {part.shape} ".encode() + part.tobytes())
        else:
            found.update(json.dumps(part, default=str, sort_keys=True).encode())
    if path.suffix in (".h5", ".safetensors"):
        summarise(path)
    return found.hexdigest()


def answer(path: Path) -> dict[str, Any]:
    """What became of a file, as the worker tells it."""
    try:
        result: dict[str, Any] = {"digest": digest(path)}
    except C2LError as error:
        result = {"refused": error.message, "code": int(error.exit_code)}
    except BaseException as error:
        result = {"error": f"{type(error).__name__}: {error}"}
    with open("/proc/self/statm", "rb") as file:
        pages = int(file.read().split()[1])
    result["resident"] = pages * os.sysconf("SC_PAGE_SIZE")
    result["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return result


def main() -> None:
    """Answer until stdin ends; ``sys.argv[1]`` is the cap of memory, in MiB above the start."""
    import torch  # noqa: F401  before the cap: its libraries are not what is capped

    with open("/proc/self/statm", "rb") as file:
        taken = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    cap = taken + (int(sys.argv[1]) << 20)
    resource.setrlimit(resource.RLIMIT_AS, (cap, cap))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    trust_files("--guarded" not in sys.argv)
    for line in sys.stdin:
        print(json.dumps(answer(Path(line.rstrip("\n")))), flush=True)


if __name__ == "__main__":
    main()
