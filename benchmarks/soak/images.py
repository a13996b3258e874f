"""python -m benchmarks.soak.images --count N --seed S: damaged photos and masks, read in a child.

Flips bits and bytes, cuts, zeroes and doubles ranges of files of every format that is read. Each
must be refused with ``BadInputError`` or give pixels; the child may not die, hang, or need more
than its limit of memory. Other pixels are no failure: most formats hold no checksum, and the
hash of the file, which every artifact stores, is another one.
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

BATCH = 100
MEMORY_BYTES = 1 << 30
SECONDS = 120.0
SIDE = (48, 64)


def samples() -> dict[str, bytes]:
    """A sound file of each format, by file name."""
    from scipy.io import savemat

    y, x = np.mgrid[0 : SIDE[0], 0 : SIDE[1]]
    noise = np.random.default_rng(0).integers(0, 64, (*SIDE, 3))
    picture = Image.fromarray((np.stack([y * 3, x * 2, y + x], 2) + noise).astype(np.uint8))
    ids = (y // 8).astype(np.uint8)
    found: dict[str, bytes] = {}
    for name, options in (
        ("a.jpg", {}),
        ("progressive.jpg", {"progressive": True}),
        ("a.png", {}),
        ("a.bmp", {}),
        ("a.gif", {}),
        ("a.webp", {"lossless": True}),
        ("a.tif", {}),
        ("packed.tif", {"compression": "tiff_adobe_deflate"}),
        ("lzw.tif", {"compression": "tiff_lzw"}),
    ):
        stream = io.BytesIO()
        form = {"jpg": "JPEG", "tif": "TIFF"}.get(name[-3:], name.rsplit(".")[-1].upper())
        picture.save(stream, form, **options)
        found[name] = stream.getvalue()
    stream = io.BytesIO()
    mask = Image.fromarray(ids)
    mask.save(stream, "PNG")
    found["mask.png"] = stream.getvalue()
    for name, packed in (("raw.mat", False), ("packed.mat", True)):
        stream = io.BytesIO()
        savemat(stream, {"groundtruth": ids, "other": np.ones((5, 5))}, do_compression=packed)
        found[name] = stream.getvalue()
    return found


def damage(content: bytes, random: np.random.Generator) -> tuple[str, bytes]:
    """One kind of damage, the front of the file more often than the rest."""
    data, length = bytearray(content), len(content)
    place = int(random.integers(min(length, 256) if random.random() < 0.5 else length))
    size = int(random.integers(1, 1 + min(64, length - place)))
    kind = str(random.choice(["bit", "bytes", "cut", "zeros", "doubled"]))
    if kind == "bit":
        data[place] ^= 1 << int(random.integers(8))
    elif kind == "bytes":
        data[place : place + size] = random.bytes(size)
    elif kind == "cut":
        del data[place:]
    elif kind == "zeros":
        data[place : place + size] = bytes(size)
    else:
        data[place:place] = data[place : place + size]
    return kind, bytes(data)


def child() -> None:
    """Read the files named on stdin; a JSON line each: refused, or the digest of the pixels."""
    import hashlib

    import scipy.io  # noqa: F401  its libraries are not what the limit is for

    from c2l.data.images import read_rgb
    from c2l.data.masks import read_mask
    from c2l.errors import BadInputError

    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for line in sys.stdin:
        path = Path(line.rstrip("\n"))
        try:
            pixels: NDArray[np.generic]
            is_mask = path.suffix == ".mat" or path.stem.endswith("mask")
            pixels = read_mask(path) if is_mask else read_rgb(path)
            said = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
        except BadInputError:
            said = "refused"
        except BaseException as error:  # whatever it is, it is a failure, and is counted as one
            said = f"!{type(error).__name__}"
        print(json.dumps([path.name, said]), flush=True)


def read_batch(paths: list[Path]) -> dict[str, str]:
    """What a child says of each file; a file it died or hung over is a failure."""
    found: dict[str, str] = {}
    waiting = list(paths)
    while waiting:
        command = [sys.executable, "-c", "from benchmarks.soak.images import child; child()"]
        try:
            done = subprocess.run(
                command,
                input="".join(f"{p}\n" for p in waiting),
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
            out, end = done.stdout, f"!died {done.returncode}"
        except subprocess.TimeoutExpired as late:
            out, end = (late.stdout or b"").decode(), "!hung"
        found |= dict(json.loads(line) for line in out.splitlines())
        left = [p for p in waiting if p.name not in found]
        if left:
            found[left[0].name] = end
        waiting = left[1:]
    return found


def main() -> None:
    """Damage, read, print the table; exit code 1 after any failure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak.images")
    parser.add_argument("--count", type=int, default=3000, help="damaged files")
    parser.add_argument("--seed", type=int, default=0, help="of the damage")
    arguments = parser.parse_args()
    random, sound, start = np.random.default_rng(arguments.seed), samples(), time.monotonic()
    names, table = sorted(sound), {name: Counter[str]() for name in sorted(sound)}
    with tempfile.TemporaryDirectory() as folder:
        for name, content in sound.items():
            (Path(folder) / name).write_bytes(content)
        truth = read_batch([Path(folder) / name for name in names])
        for first in range(0, arguments.count, BATCH):
            made: dict[str, tuple[str, str, bytes]] = {}
            for number in range(first, min(first + BATCH, arguments.count)):
                name = names[number % len(names)]
                kind, content = damage(sound[name], random)
                path = Path(folder) / f"{number}-{name}"
                path.write_bytes(content)
                made[path.name] = (name, kind, content)
            found = read_batch([Path(folder) / name for name in made])
            for file, (name, kind, _) in made.items():
                said = found[file]
                same = "same pixels" if said == truth[name] else "other pixels"
                outcome = said if said == "refused" or said[0] == "!" else same
                table[name][outcome] += 1
                if said[0] == "!":
                    print(f"{file}: {kind}: {said}", file=sys.stderr)
                (Path(folder) / file).unlink()
    failures = _report(table)
    print(f"{arguments.count} files, seed {arguments.seed}, {time.monotonic() - start:.0f} s")
    sys.exit(1 if failures else 0)


def _report(table: dict[str, Counter[str]]) -> int:
    columns = ["refused", "same pixels", "other pixels", "failed"]
    print(f"{'':<16}" + "".join(f"{c:>14}" for c in columns))
    failures = 0
    for name, counts in table.items():
        failed = sum(n for outcome, n in counts.items() if outcome[0] == "!")
        row = [*(counts[c] for c in columns[:3]), failed]
        print(f"{name:<16}" + "".join(f"{n:>14}" for n in row))
        failures += failed
    return failures


if __name__ == "__main__":
    main()
