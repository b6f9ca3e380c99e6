"""Run the tests of faults again and again, and stop at the first failure.

`python scripts/faults.py [times] [--beside N] [--leave-out mongo,fleet] [options of pytest …]`: each file by itself, in a process of its own,
N of them at a time. All files run once before one runs again, and a file may run beside itself, so that no processor waits for the longest.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "tests" / "faults"
#: Files that have a network whose addresses are fixed, so that one such run is possible at a time.
_ALONE = {"test_cluster"}
#: What pytest says of a file of whose tests the options choose none.
_NONE_CHOSEN = 5


class Runs:
    """Files that are run `times` times each, `beside` of them at once, until one fails.

    `tell` gets a line for each run that has ended.
    """

    def __init__(self, times: int, beside: int, options: list[str], tell: Callable[[str], None]) -> None:
        self._times = times
        self._beside = beside
        self._options = options
        self._tell = tell
        self._changed = threading.Condition()
        self._under_way: list[Path] = []
        self._running: set[subprocess.Popen[str]] = set()
        self._began = time.monotonic()
        self._over = False

    @property
    def failed(self) -> bool:
        """Whether a run failed."""
        return self._over

    def of(self, files: list[Path]) -> None:
        """Run the files as often as it is wanted; returns when all of it is done or something failed."""
        waiting = [(number, file) for number in range(1, self._times + 1) for file in files]
        with ThreadPoolExecutor(self._beside) as threads, self._changed:
            while waiting and not self._over:
                if (chosen := self._next(waiting)) is None:
                    self._changed.wait()
                    continue
                waiting.remove(chosen)
                self._under_way.append(chosen[1])
                threads.submit(self._one, *chosen)

    def _next(self, waiting: list[tuple[int, Path]]) -> tuple[int, Path] | None:
        """The first that may begin now; None when all places are taken."""
        if len(self._under_way) >= self._beside:
            return None
        return next(
            (each for each in waiting if not (each[1].stem in _ALONE and each[1] in self._under_way)), None
        )

    def _one(self, number: int, file: Path) -> None:
        """Run a file once, and tell how it went."""
        began = time.monotonic()
        try:
            ended = self._run(file)
        finally:
            with self._changed:
                self._under_way.remove(file)
                self._changed.notify()
        if ended is None:
            return
        code, output = ended
        now = time.monotonic()
        last = output.strip().rpartition("\n")[2].strip("= ") or "no output"
        self._tell(
            f"faults: {file.stem} {number} of {self._times}: {last}; {now - began:.0f} s, {now - self._began:.0f} s in all"
        )
        if code:
            self._tell(output)

    def _run(self, file: Path) -> tuple[int, str] | None:
        """The exit code and what was printed; None when another run has failed."""
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", str(file)]
        with self._changed:
            if self._over:
                return None
            run = subprocess.Popen(
                [*command, *self._options],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            self._running.add(run)
        output, _ = run.communicate()
        with self._changed:
            self._running.discard(run)
            if self._over:
                return None
            code = 0 if run.returncode == _NONE_CHOSEN else run.returncode
            if code:
                self._over = True
                for other in self._running:
                    other.send_signal(signal.SIGINT)
        return code, output


def main() -> int:
    """Print a line for each run of a file; the exit code is 1 if one failed."""
    parser = argparse.ArgumentParser(description="Run the tests of faults again and again.")
    parser.add_argument("times", nargs="?", type=int, default=20)
    parser.add_argument(
        "--beside", type=int, default=os.cpu_count() or 1, help="how many files run at the same time"
    )
    parser.add_argument("--leave-out", default="", help="names of files without test_, with commas")
    chosen, options = parser.parse_known_args()
    left_out = {f"test_{name}" for name in chosen.leave_out.split(",") if name}
    files = [file for file in sorted(FOLDER.glob("test_*.py")) if file.stem not in left_out]
    if unknown := left_out - {file.stem for file in FOLDER.glob("test_*.py")}:
        parser.error(f"there is no {min(unknown)}.py in {FOLDER}")
    runs = Runs(chosen.times, chosen.beside, options, lambda line: print(line, flush=True))
    runs.of(files)
    print(f"faults: {'FAILED' if runs.failed else f'{len(files)} files passed {chosen.times} times each'}")
    return int(runs.failed)


if __name__ == "__main__":
    sys.exit(main())
