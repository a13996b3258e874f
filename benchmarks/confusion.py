"""Counting the classes of clusters, as eval does for every image."""

from __future__ import annotations

import numpy as np
import torch
from torchmetrics.classification import MulticlassConfusionMatrix

from c2l.runtime.threads import prepare_cpu
from c2l.scoring.confusion import confusion_matrix

from .compare import Row, seconds

# The size of CCP's photographs.
SHAPE = (825, 550)


def measure(rounds: int) -> list[Row]:
    """Images per second over torchmetrics', on the same arrays."""
    prepare_cpu()
    rng = np.random.default_rng(0)
    rows = []
    for classes in (3, 23):
        blocks = rng.integers(0, classes, (42, 28), dtype=np.uint8)
        mask = np.kron(blocks, np.ones((20, 20), np.uint8))[: SHAPE[0], : SHAPE[1]]
        wrong = rng.random(SHAPE) < 0.2
        found = np.where(wrong, rng.integers(0, classes, SHAPE, dtype=np.uint8), mask)
        mask = np.ascontiguousarray(mask)
        mask[:5] = 255
        labels, target = torch.from_numpy(found), torch.from_numpy(mask)
        peers = {
            # Ours checks its input, so its own checks are on; without them it is the second.
            "torchmetrics": MulticlassConfusionMatrix(classes, ignore_index=255),
            "torchmetrics, unchecked": MulticlassConfusionMatrix(
                classes, ignore_index=255, validate_args=False
            ),
        }
        mine = confusion_matrix(found, mask, classes, classes)
        for metric in peers.values():
            metric.update(labels, target)
            # Its rows are the true classes.
            if not np.array_equal(metric.compute().numpy().T, mine):
                raise SystemExit("torchmetrics counts other pixels")

        took = seconds(
            {
                "ours": lambda f=found, m=mask, n=classes: confusion_matrix(f, m, n, n),
                **{
                    name: lambda metric=metric, a=labels, b=target: metric.update(a, b)
                    for name, metric in peers.items()
                },
            },
            rounds,
        )
        rows += [
            Row(
                f"eval's counts, {classes} classes, {SHAPE[1]} x {SHAPE[0]}",
                name,
                took[name] / took["ours"],
                3.0,
                True,
                f"{1 / took['ours']:.0f} images/s against {1 / took[name]:.0f}",
            )
            for name in peers
        ]
    return rows
