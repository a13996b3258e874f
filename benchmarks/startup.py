"""How long `c2l --help` takes beside `python -c "import click"`."""

from __future__ import annotations

import subprocess
import sys

from .compare import Row, seconds


def measure(rounds: int = 15) -> list[Row]:
    """The ratio of their medians, in turns."""
    programs = {
        "ours": "from c2l_cli.main import run; run(['--help'])",
        "click": "import click",
    }

    def start(program: str) -> None:
        subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)

    took = seconds({name: lambda p=program: start(p) for name, program in programs.items()}, rounds)
    note = f"{1e3 * took['ours']:.0f} ms against {1e3 * took['click']:.0f} ms"
    ratio = took["ours"] / took["click"]
    return [Row("c2l --help", 'python -c "import click"', ratio, 2.0, False, note)]
