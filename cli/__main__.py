"""``python -m c2l_cli``, as torchrun starts the ranks of a command."""

from .start import run

run()
