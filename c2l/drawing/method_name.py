"""What tables and reports call a method."""

from __future__ import annotations


def method_name(method: str, made_with: object) -> str:
    """What tables call a predictor: a run in which its method trained nothing is not that method.

    Args:
        method: as artifacts have it.
        made_with: the options of the run, where it is one.
    """
    names = {"c2l": "C2L", "picie": "PiCIE", "kmeans": "k-means", "nmf": "DFF (NMF)"}
    names["drawings"] = "drawings only"
    if method in ("c2l", "picie") and isinstance(made_with, dict) and made_with.get("epochs") == 0:
        if made_with.get("warmup"):
            return "warm-up only"
        return "another run, clustered anew" if made_with.get("checkpoint") else "no training"
    return names.get(method, method)
