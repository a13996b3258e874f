"""Scores of cluster maps against label masks, beside the trivial predictors they must beat."""
