"""DFF's factorisation: the time to scikit-learn's error."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import NMF

from c2l.clustering.nmf import Factorisation, factorise
from c2l.options import ClusterOptions
from c2l.runtime.threads import prepare_cpu

from .compare import Row, seconds
from .samples import raw_points

OPTIONS = ClusterOptions()
# One part in a thousand: two local optima of the same quality.
EQUAL = 1.001
# Both sides look at their error every so many iterations.
LOOK = 10
MOST = 200


def _first_near(make: Callable[..., NMF], v: NDArray[np.float32], near: float, most: int) -> int:
    """The fewest iterations, a multiple of ten, after which the peer's error is near enough."""
    low, high = 1, -(-most // LOOK)
    while low < high:
        middle = (low + high) // 2
        if make(max_iter=middle * LOOK).fit(v).reconstruction_err_ <= near:
            high = middle
        else:
            low = middle + 1
    return high * LOOK


def measure(store: Path, rounds: int) -> list[Row]:
    """Speed at equal error, and with both sides' own stopping rules."""
    prepare_cpu()
    v = raw_points(store)
    whole = torch.from_numpy(v)
    rows = []
    for k in (3, 16):

        def run(iterations: int, k: int = k) -> Factorisation:
            return factorise(
                whole,
                k,
                iterations=iterations,
                tolerance=OPTIONS.nmf_tolerance,
                generator=torch.Generator().manual_seed(0),
            )

        for init in ("random", "nndsvda"):
            make = partial(NMF, k, solver="mu", init=init, random_state=0)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it says that it stopped at the given iterations
                whole_run = make(max_iter=MOST).fit(v)
                error = float(whole_run.reconstruction_err_)
                stopped = run(OPTIONS.nmf_iterations)
                # Both stop where they first come as near to the peer's last error as this.
                near = error * EQUAL
                enough = next((LOOK * n for n, e in enumerate(stopped.errors) if e <= near), 0)
                peers = _first_near(partial(make, tol=0), v, near, whole_run.n_iter_)
                took = seconds(
                    {
                        "ours": partial(run, enough or OPTIONS.nmf_iterations),
                        "stopped": partial(run, OPTIONS.nmf_iterations),
                        "peer": partial(make(max_iter=peers, tol=0).fit, v),
                        "peer stopped": partial(make(max_iter=MOST).fit, v),
                    },
                    rounds,
                    # The peer's threads go on spinning for a while after its last call.
                    before=lambda name: time.sleep(0.3),
                )
            rows.append(
                Row(
                    f"NMF, K = {k}, {v.shape[0]} x {v.shape[1]}",
                    f"scikit-learn mu, {init}",
                    took["peer"] / took["ours"] if enough else 0.0,
                    3.0,
                    True,
                    f"{took['ours']:.2f} s, {enough} iterations, against {took['peer']:.2f} s, "
                    f"{peers}; each by its own stopping rule {took['stopped']:.2f} against "
                    f"{took['peer stopped']:.2f} s, "
                    f"error {100 * (stopped.errors[-1] / error - 1):+.2f} %",
                )
            )
    return rows
