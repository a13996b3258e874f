"""The network of C^2L and its losses: tensors in, tensors out, no files."""
