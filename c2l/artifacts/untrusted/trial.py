"""The child process in which an HDF5 file is tried out: what crashes the library, crashes here.

Started by ``guard``; imports nothing but h5py, and limits itself before the first byte is read.
"""

from __future__ import annotations

import json
import os
import resource
import sys

# What a whole look at a file may take. A hundred thousand images take a few seconds.
MEMORY_BYTES = 2 << 30
CPU_SECONDS = 30
REFUSED = 3
# What the file is taken for: the first argument.
COMPLETE, UNFINISHED = "complete", "unfinished"


def limit() -> None:
    """Bound this process: memory, processor seconds, no core dump, no file written."""
    for kind, soft, hard in (
        (resource.RLIMIT_AS, MEMORY_BYTES, MEMORY_BYTES),
        # The signal that says why comes at the lower one, plain death at the higher.
        (resource.RLIMIT_CPU, CPU_SECONDS, CPU_SECONDS + 1),
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_FSIZE, 0, 0),
    ):
        _, most = resource.getrlimit(kind)
        if most != resource.RLIM_INFINITY:
            soft, hard = min(soft, most), min(hard, most)
        resource.setrlimit(kind, (soft, hard))


def look(name: str, *, unfinished: bool = False) -> str | None:
    """Walk all that a reader would; what is wrong with the file, or None.

    Args:
        name: path of the file.
        unfinished: whether its writer was stopped, so that rows may be missing.
    """
    from pathlib import Path

    import h5py

    from c2l.artifacts.seal import content_digest
    from c2l.artifacts.untrusted.structure import check_structure
    from c2l.errors import BadInputError

    try:
        with h5py.File(name, "r", swmr=unfinished) as file:
            if not str(file.attrs.get("format", "")).startswith("c2l-"):
                return None  # refused by its format, which has been read without a crash
            check_structure(Path(name), file, unfinished=unfinished)
            content_digest(file)
    except BadInputError as error:
        return error.message.removeprefix(f"{error.path}: ")
    except MemoryError:
        return f"reading it takes more than {MEMORY_BYTES >> 20} MiB"
    except Exception as error:  # whatever it is, it is the file's fault
        return f"damaged: {error}"
    return None


def main() -> None:
    """Look at the file in ``sys.argv[2]``; a problem goes to stdout as JSON."""
    limit()
    problem = look(sys.argv[2], unfinished=sys.argv[1] == UNFINISHED)
    if problem is not None:
        sys.stdout.write(json.dumps(problem))
        sys.stdout.flush()
    # Without the library's own tidying up, which a hostile file may have made unsafe.
    os._exit(REFUSED if problem is not None else 0)
