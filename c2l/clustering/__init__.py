"""Clustering of dense features: k-means, NMF, and label-free merging of clusters."""
