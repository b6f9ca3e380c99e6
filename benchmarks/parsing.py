"""What two cores of this machine are together, beside one of them: pages parsed by lexbor, nothing fetched, nothing kept.

`python -m benchmarks.parsing folder seconds` prints how many pages a second one process parses. Cores of a virtual machine may be two threads of one
real core, and share caches and memory in any case: no program scales better than this on them.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser

#: Pages of the folder that are parsed, in turns: more than caches hold.
_PAGES = 400


def pages_a_second(folder: Path, seconds: float) -> float:
    """How many pages of a folder this process parses in a second."""
    bodies = [file.read_bytes() for file in sorted(folder.glob("*.html"))[:_PAGES]]
    done, began = 0, time.monotonic()
    for body in cycle(bodies):
        LexborHTMLParser(body)
        done += 1
        if done % 16 == 0 and time.monotonic() - began >= seconds:
            break
    return done / (time.monotonic() - began)


def scaling(folder: Path, cores: Sequence[int], seconds: float = 3.0) -> float:
    """How many times as much a process on each of the cores parses at the same time as one on the first of them alone."""
    alone = _together(folder, cores[:1], seconds)
    return _together(folder, cores, seconds) / alone


def _together(folder: Path, cores: Sequence[int], seconds: float) -> float:
    """Pages a second of processes on these cores, all of them."""
    command = [sys.executable, "-m", "benchmarks.parsing", str(folder), str(seconds)]
    running = [
        subprocess.Popen(["taskset", "-c", str(core), *command], stdout=subprocess.PIPE, text=True)
        for core in cores
    ]
    return sum(float(process.communicate()[0]) for process in running)


if __name__ == "__main__":
    print(pages_a_second(Path(sys.argv[1]), float(sys.argv[2])))
