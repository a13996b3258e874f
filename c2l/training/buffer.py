"""Where the features of a clustering pass wait, so that one forward pass serves fit and labels."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from c2l.runtime.device import free_bytes
from c2l.runtime.files import output_errors


class FeatureBuffer:
    """The features of one pass, float16: in GPU memory where they fit, else in a scratch file.

    The memory of the process does not grow with the number of images.

    Args:
        path: of the scratch file.
        device: of the features.
        needed: bytes of the features of all images.
    """

    def __init__(self, path: Path, device: torch.device, needed: int) -> None:
        self._batches: list[Tensor] = []
        self._shapes: list[tuple[int, ...]] = []
        self._needed, self._path, self._device = needed, path, device
        self._in_memory = device.type == "cuda" and needed < free_bytes(device) // 2
        self._file = None if self._in_memory else path.open("w+b")

    def append(self, features_PC: Tensor) -> None:
        """Keep a batch, (P, C)."""
        half = features_PC.to(torch.float16)
        if self._file is None:
            self._batches.append(half)
            return
        self._shapes.append(tuple(half.shape))
        with output_errors(self._path, needed=self._needed):
            self._file.write(half.cpu().contiguous().numpy().data)

    def __iter__(self) -> Iterator[Tensor]:
        if self._file is None:
            yield from self._batches
            return
        with output_errors(self._path, needed=self._needed):
            self._file.seek(0)
        for shape in self._shapes:
            data = np.fromfile(self._file, dtype=np.float16, count=int(np.prod(shape)))
            yield torch.from_numpy(data.reshape(shape)).to(self._device)

    def close(self) -> None:
        """Free the memory, or remove the file."""
        self._batches.clear()
        if self._file is not None:
            self._file.close()
            os.unlink(self._path)


@contextmanager
def feature_buffer(path: Path, device: torch.device, needed: int) -> Iterator[FeatureBuffer]:
    """A buffer that is removed after the block."""
    with output_errors(path, needed=needed):
        path.parent.mkdir(parents=True, exist_ok=True)
        buffer = FeatureBuffer(path, device, needed)
    try:
        yield buffer
    finally:
        buffer.close()
