"""Data sets, label spaces and merges, images and masks as arrays."""
