"""The training loop: Algorithm 1."""
