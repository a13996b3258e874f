"""What a measurement was made on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

import faiss
import torch

from c2l.runtime.pool import worker_count


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


def describe() -> dict[str, str]:
    """Processor, cores and versions."""
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.split(":", 1)[1].strip() for line in file if "model name" in line]
        model = names[0] if names else model
    except OSError:
        pass
    packages = ("torch", "torchvision", "h5py", "numpy", "scipy", "pillow", "scikit-learn")
    known = {name: _version(name) for name in (*packages, "torchmetrics")}
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return {
        "processor": model,
        "cores": str(len(os.sched_getaffinity(0))),
        "threads": str(worker_count()),
        "gpu": gpu,
        "python": platform.python_version(),
        **known,
        "faiss": faiss.__version__,
    }
