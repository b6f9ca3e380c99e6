"""What processes cost, from /proc: processor time and memory of a process and of all that it started."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
#: Seconds between two looks at the memory.
_EVERY = 0.1


def tree_of(pid: int) -> list[int]:
    """A process and all below it, as they are now."""
    found, at = [pid], 0
    while at < len(found):
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{found[at]}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
        at += 1
    return found


def cpu_seconds(pid: int) -> float:
    """Seconds of processor time that a process, all below it, and those of them that have ended took so far."""
    total = 0
    for one in tree_of(pid):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            total += sum(int(field) for field in fields[11:15])
    return total / _TICK


def resident(pid: int) -> float:
    """Resident memory of a process and all below it, in MB (10⁶ bytes); what they share is counted for each."""
    pages = 0
    for one in tree_of(pid):
        with contextlib.suppress(OSError, IndexError):
            pages += int(Path(f"/proc/{one}/statm").read_text().split()[1])
    return pages * _PAGE / 1e6


class Meter:
    """Measures a process and all below it while it is open. `cpu` in seconds, `peak` in MB of all of them together."""

    def __init__(self, pid: int) -> None:
        self.cpu = 0.0
        self.peak = resident(pid)
        self._pid = pid
        self._before = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while not self._over.wait(_EVERY):
            self.peak = max(self.peak, resident(self._pid))

    def __enter__(self) -> Self:
        self._before = cpu_seconds(self._pid)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self.cpu = cpu_seconds(self._pid) - self._before
