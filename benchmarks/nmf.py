"""DFF's factorisation: the time to scikit-learn's error."""

from __future__ import annotations

import warnings
from functools import partial
from pathlib import Path

import torch
from sklearn.decomposition import NMF

from c2l.clustering.nmf import Factorisation, factorise
from c2l.options import ClusterOptions
from c2l.pipeline.device import limit_threads

from .compare import Row, seconds
from .samples import raw_points

OPTIONS = ClusterOptions()
# One part in a thousand: two local optima of the same quality.
EQUAL = 1.001


def measure(store: Path, rounds: int) -> list[Row]:
    """Speed at equal error, and with both sides' own stopping rules."""
    limit_threads()
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
            model = NMF(k, solver="mu", init=init, random_state=0, max_iter=200)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it says that it stopped at the given iterations
                model.fit(v)
                error = float(model.reconstruction_err_)
                stopped = run(OPTIONS.nmf_iterations)
                # The error is known after every ten iterations.
                enough = next(
                    (10 * n for n, e in enumerate(stopped.errors) if e <= error * EQUAL), 0
                )
                took = seconds(
                    {
                        "ours": partial(run, enough or OPTIONS.nmf_iterations),
                        "stopped": partial(run, OPTIONS.nmf_iterations),
                        "peer": partial(model.fit, v),
                    },
                    rounds,
                )
            rows.append(
                Row(
                    f"NMF, K = {k}, {v.shape[0]} x {v.shape[1]}",
                    f"scikit-learn mu, {init}",
                    took["peer"] / took["ours"] if enough else 0.0,
                    3.0,
                    True,
                    f"{took['ours']:.2f} s, {enough} iterations, against {took['peer']:.2f} s, "
                    f"{model.n_iter_}; by our stopping rule {took['stopped']:.2f} s, "
                    f"error {100 * (stopped.errors[-1] / error - 1):+.2f} %",
                )
            )
    return rows
