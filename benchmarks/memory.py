"""Memory of another process, from /proc."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path


def rss(pid: int) -> float:
    """Resident memory now, in MB (10⁶ bytes)."""
    return _field(pid, "VmRSS")


def peak(pid: int) -> float:
    """The most resident memory since `forget_peak`, in MB."""
    return _field(pid, "VmHWM")


def forget_peak(pid: int) -> None:
    """Let the peak begin anew (proc_pid_clear_refs(5))."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def held(pid: int) -> int:
    """How many sockets and files without a name it has open; databases are left out, which each reader opens for good."""
    count = 0
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            target = str(link.readlink())
            count += target.startswith("socket:") or target.endswith("(deleted)")
    return count


def _field(pid: int, name: str) -> float:
    found = re.search(rf"^{name}:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    if found is None:
        raise RuntimeError(f"there is no {name} of process {pid}")
    return int(found[1]) * 1024 / 1e6
