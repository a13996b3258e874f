"""The parts of examples/reproduce.py; they know c2l by its commands and files alone."""
