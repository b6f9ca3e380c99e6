"""Run the tests of faults again and again, and stop at the first failure: `python scripts/faults.py [times] [options of pytest …]`."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent


def main() -> int:
    """Print a line for each run; the exit code is that of the one that failed, or 0."""
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    options = sys.argv[2:]
    began = time.monotonic()
    for number in range(1, times + 1):
        run_began = time.monotonic()
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "tests/faults"]
        ended = subprocess.run([*command, *options], cwd=ROOT, check=False)
        now = time.monotonic()
        how = "passed" if ended.returncode == 0 else f"FAILED (code {ended.returncode})"
        print(
            f"faults: run {number} of {times} {how} after {now - run_began:.0f} s; {now - began:.0f} s in all",
            flush=True,
        )
        if ended.returncode:
            return ended.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
