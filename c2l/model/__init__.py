"""The network and the classifier on its features."""
