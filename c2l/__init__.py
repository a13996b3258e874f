"""Unsupervised human parsing by contrastive and consistent learning (C^2L)."""

__version__ = "0.1.0"
