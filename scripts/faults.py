"""Run the tests of faults again and again, and stop at the first failure.

`python scripts/faults.py [times] [--beside N] [--leave-out mongo,fleet] [options of pytest …]`: each file by itself, in a process of its own,
N of them at a time. A file does not wait for the others to run again, so that no processor waits for the longest of them.
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
#: What pytest says of a file of whose tests the options choose none.
_NONE_CHOSEN = 5


class Runs:
    """Files that are run `times` times each, `beside` of them at once, until one fails.

    `tell` gets a line for each run that has ended.
    """

    def __init__(self, times: int, beside: int, options: list[str], tell: Callable[[str], None]) -> None:
        self._times = times
        self._options = options
        self._tell = tell
        self._places = threading.Semaphore(beside)
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self._began = time.monotonic()
        self._over = threading.Event()

    @property
    def failed(self) -> bool:
        """Whether a run failed."""
        return self._over.is_set()

    def of(self, file: Path) -> None:
        """Run a file as often as it is wanted."""
        for number in range(1, self._times + 1):
            with self._places:
                began = time.monotonic()
                ended = self._run(file)
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
                return

    def _run(self, file: Path) -> tuple[int, str] | None:
        """The exit code and what was printed; None when another file has failed."""
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", str(file)]
        with self._lock:
            if self._over.is_set():
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
        with self._lock:
            self._running.discard(run)
            if self._over.is_set():
                return None
            code = 0 if run.returncode == _NONE_CHOSEN else run.returncode
            if code:
                self._over.set()
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
    with ThreadPoolExecutor(len(files)) as threads:
        for made in [threads.submit(runs.of, file) for file in files]:
            made.result()
    print(f"faults: {'FAILED' if runs.failed else f'{len(files)} files passed {chosen.times} times each'}")
    return int(runs.failed)


if __name__ == "__main__":
    sys.exit(main())
