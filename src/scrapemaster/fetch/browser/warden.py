"""The warden: starts Playwright's driver, and sees to it that neither the driver nor any browser outlives the crawler. Spiders have one, too.

It is a process of its own, run by path and made of the standard library alone, so that it is small and starts at once. It is the
subreaper of all it started (prctl(2), `PR_SET_CHILD_SUBREAPER`): whatever a browser does, its processes stay below the warden in the
tree, where they can be found. When the crawler is gone, however it went, when the driver has ended, or on SIGTERM, everything below is
killed and the folder with the browsers' profiles is removed. When the warden itself is killed, the kernel kills the driver (`PR_SET_PDEATHSIG`), and
browsers end when their driver's pipe does.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import shutil
import signal
import sys
import time
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
#: Seconds for which processes are looked for that do not go away.
_PATIENCE = 10.0
#: Seconds between looks at children that ended, and at the parent where the kernel cannot tell.
_LOOK_EVERY = 1.0
#: What of the environment the driver may see; our settings, secrets among them, are not its business.
_PASSED = (
    "PATH", "PYTHONPATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "XDG_CACHE_HOME", "LD_LIBRARY_PATH", "FONTCONFIG_PATH", "FONTCONFIG_FILE",
)  # fmt: skip
_PASSED_PREFIXES = ("PLAYWRIGHT_", "PW_")


class _Stop(Exception):
    """SIGTERM came."""


def _stop(_number: int, _frame: object) -> None:
    raise _Stop


def _prctl(option: int, value: int) -> None:
    # Elsewhere than on Linux there is no such call, and the driver's own end at the end of its input must do.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _start(command: list[str], folder: str) -> int:
    """Start the driver in a session of its own, with our standard input and output; returns its process id."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if (name in _PASSED or name.startswith(_PASSED_PREFIXES)) and name != "PLAYWRIGHT_NODEJS_PATH"
    }
    environment["TMPDIR"] = folder
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        os.execve(command[0], command, environment)  # noqa: S606 -- no shell is wanted
    finally:
        os._exit(127)


def _parents() -> dict[int, int]:
    """The parent of each process there is."""
    parents = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 -- paths are not wanted
        if name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                # The name, in parentheses, may hold anything; the state and the parent follow the last one.
                stat = Path(f"/proc/{name}/stat").read_bytes()
                parents[int(name)] = int(stat.rpartition(b")")[2].split()[1])
    return parents


def _descendants(root: int) -> set[int]:
    parents = _parents()
    found: set[int] = set()
    fresh = {root}
    while fresh:
        fresh = {pid for pid, parent in parents.items() if parent in fresh} - found
        found |= fresh
    return found


def _reap() -> dict[int, int]:
    """Take note of children that ended, orphans that came to us among them: their codes, negative for signals."""
    ended = {}
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0] != 0:
            ended[found[0]] = os.waitstatus_to_exitcode(found[1])
    return ended


def _end_all(driver: int) -> None:
    """Kill everything below this process, until nothing is left."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        try:
            left = _descendants(os.getpid())
        except OSError:  # no /proc
            left = set()
            with contextlib.suppress(OSError):
                os.killpg(driver, signal.SIGKILL)
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        _reap()
        if not left:
            return
        time.sleep(0.01)


def _watch(parent: int, driver: int) -> int:
    """Return when the parent is gone or the driver has ended: its exit code, 128 and the signal's number if one killed it."""
    poll = select.poll()
    with contextlib.suppress(OSError, AttributeError):
        for pid in (parent, driver):
            poll.register(os.pidfd_open(pid), select.POLLIN)
    while os.getppid() == parent:
        poll.poll(_LOOK_EVERY * 1_000)
        if (code := _reap().get(driver)) is not None:
            return code if code >= 0 else 128 - code
    return 0


def main() -> int:
    """Entry point; the arguments are the driver's."""
    parent, folder = int(os.environ["WARDEN_PARENT"]), os.environ["WARDEN_FOLDER"]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _stop)
    driver = code = 0
    try:
        with contextlib.suppress(OSError):
            os.setsid()
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        driver = _start([os.environ["WARDEN_NODE"], *sys.argv[1:]], folder)
        # The driver's end must be seen by whoever talks to it, so its pipes are not to be held open here.
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(nothing, 1)
        Path(folder, "warden.pid").write_text(str(os.getpid()), encoding="ascii")
        code = _watch(parent, driver)
    except _Stop:
        pass
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if driver:
            _end_all(driver)
        shutil.rmtree(folder, ignore_errors=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
