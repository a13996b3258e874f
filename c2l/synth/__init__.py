"""Synthetic people: photo-like pictures of dressed figures with their pixel labels."""
