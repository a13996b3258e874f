"""The names, dtypes and versions of everything the stages write; prose is in docs/artifacts.md."""

from __future__ import annotations

from typing import Final

FORMAT_VERSION: Final = 1

# The parts that label-free merges, the mixture and the border rule name, by their ids.
PARTS: Final = ("background", "upper", "lower")

# Root attributes of every HDF5 artifact.
ATTR_FORMAT: Final = "format"
ATTR_VERSION: Final = "format_version"
ATTR_COMPLETE: Final = "complete"
ATTR_CREATED_BY: Final = "created_by"
ATTR_CONFIG: Final = "config_json"
ATTR_INPUTS: Final = "inputs_sha256"
ATTR_BACKBONE: Final = "backbone"
ATTR_WEIGHTS: Final = "weights"
ATTR_WEIGHTS_SHA256: Final = "weights_sha256"
ATTR_PCA_SHA256: Final = "pca_sha256"
ATTR_PREPROCESSING: Final = "preprocessing_json"
ATTR_LINEAGE: Final = "lineage_json"
ATTR_CONTENT: Final = "content_sha256"  # of all attributes, shapes and values; written last
# What the name of a dataset ends in that holds the CRC-32 of each row of another one.
ROW_SUMS: Final = "_crc32"

FORMAT_FEATURES: Final = "c2l-features"
FORMAT_CLUSTERS: Final = "c2l-clusters"
FORMAT_RUN: Final = "c2l-run"
FORMAT_TARGETS: Final = "c2l-targets"
FORMAT_PREDICTOR: Final = "c2l-predictor"
FORMAT_EVAL: Final = "c2l-eval"
FORMAT_COMPARISON: Final = "c2l-comparison"
FORMAT_MASKS: Final = "c2l-masks"
FORMAT_NAMES: Final = "c2l-names"
FORMAT_NETWORK: Final = "c2l-network"
FORMAT_SYNTH: Final = "c2l-synth"

# Feature store (HDF5).
FEATURES: Final = "features"  # (N, h, w, C) float16, or (N, P, C) with --pixels-per-image
FEATURES_VIEW1: Final = "features_view1"
FEATURES_VIEW2: Final = "features_view2"
NAMES: Final = "names"  # (N,) UTF-8, variable length
ORIG_SIZE: Final = "orig_size"  # (N, 2) int32: height, width in pixels
IMAGE_SHA256: Final = "image_sha256"  # (N,) fixed 64 ASCII
PIXEL_INDEX: Final = "pixel_index"  # (N, P) int32 into the flattened h x w grid
PCA_COMPONENTS: Final = "pca_components"  # (D, C) float32
PCA_MEAN: Final = "pca_mean"  # (C,) float32
SKIPPED: Final = "skipped"  # (M,) UTF-8: "name<TAB>reason" of each image left out
DONE: Final = "done"  # (N,) uint8, only while incomplete: which images are written

# Clusters (HDF5).
CENTROIDS: Final = "centroids"  # (K, C) float32
CENTROIDS_VIEW1: Final = "centroids_view1"
CENTROIDS_VIEW2: Final = "centroids_view2"
COUNTS: Final = "counts"  # (K,) int64 pixels
OBJECTIVE: Final = "objective"  # (iterations,) float64
ASSIGNMENTS: Final = "assignments"  # (N, h, w) uint8 or uint16
ASSIGNMENTS_VIEW1: Final = "assignments_view1"
ASSIGNMENTS_VIEW2: Final = "assignments_view2"
COUNTS_VIEW1: Final = "counts_view1"
COUNTS_VIEW2: Final = "counts_view2"
GROUP_SHARES: Final = "group_shares"  # (K, 3) float32: background, upper, lower
GROUPS: Final = "groups"  # (K,) uint8: part of each cluster after the label-free merge

# The key of a JSON artifact (or of a safetensors file's own metadata) that holds the SHA-256 of
# all the rest.
JSON_SEAL: Final = "sha256"

# A run folder.
RUN_CONFIG: Final = "config.json"
RUN_METRICS: Final = "metrics.jsonl"
RUN_SCRATCH: Final = "scratch"
RUN_INPUTS: Final = "inputs.json"
STEP_PREFIX: Final = "step-"
STEP_MODEL: Final = "model.safetensors"
STEP_HEADS: Final = "heads.safetensors"  # where training has modules of its own
STEP_OPTIMIZER: Final = "optimizer.safetensors"
STEP_STATE: Final = "state.json"
STEP_COMMIT: Final = "COMMITTED"
EPOCH_PREFIX: Final = "epoch-"
EPOCH_TARGETS: Final = "clusters.h5"
PREDICTOR: Final = "predictor.safetensors"

# A synthetic data set: the file that says that we made it.
SYNTH_MARKER: Final = "c2l-synth.json"

# eval.json: the scores that no matching enters, and what tables call them.
AGREEMENT: Final = {"nmi": "NMI", "ari": "ARI", "fg_nmi": "FG-NMI", "fg_ari": "FG-ARI"}

# Masks.
IGNORE: Final = 255
LEGEND: Final = "legend.json"

# Names that a user gave clusters, in a run folder; beside a file, behind its name.
GIVEN_NAMES: Final = "names.json"
