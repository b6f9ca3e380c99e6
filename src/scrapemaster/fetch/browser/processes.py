"""The processes of a browser, as /proc shows them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(slots=True, frozen=True)
class Process:
    """One process: `private` and `shared` are bytes in memory that it has alone, and that it may share with others."""

    pid: int
    parent: int
    private: int
    shared: int
    renderer: bool


def tree_of(root: int) -> list[Process]:
    """A process and all below it; empty when it is gone."""
    found: list[Process] = []
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        try:
            found.append(_process(pid))
            for thread in Path(f"/proc/{pid}/task").iterdir():
                waiting += map(int, (thread / "children").read_text(encoding="ascii").split())
        except (OSError, ValueError, IndexError):
            continue  # it ended while we looked
    return found


def resident(tree: list[Process]) -> int:
    """Bytes of memory that a tree takes: what each has alone, and what is shared once.

    Shared pages are Chromium's own code and data, mapped by all; counting them for each process would count them ten times.
    """
    return sum(one.private for one in tree) + max((one.shared for one in tree), default=0)


def _process(pid: int) -> Process:
    stat = Path(f"/proc/{pid}/stat").read_bytes()
    parent = int(stat.rpartition(b")")[2].split()[1])
    _, whole, shared = map(int, Path(f"/proc/{pid}/statm").read_bytes().split()[:3])
    command = Path(f"/proc/{pid}/cmdline").read_bytes()
    return Process(
        pid, parent, (whole - shared) * _PAGE, shared * _PAGE, renderer=b"--type=renderer" in command
    )
