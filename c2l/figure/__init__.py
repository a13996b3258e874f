"""A photo's own figure, guessed without labels."""
