"""The stages: the only place where files meet tensors."""
