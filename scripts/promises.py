"""Print which of the numbered promises (faults and hostile input, H01 to H50) no test names."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
LAST = 50


def main() -> None:
    """Look through the names of all tests."""
    named: set[str] = set()
    for file in (ROOT / "tests").rglob("test_*.py"):
        named |= set(re.findall(r"def test_(H\d\d)_", file.read_text()))
    missing = [f"H{number:02d}" for number in range(1, LAST + 1) if f"H{number:02d}" not in named]
    print(f"{len(named)} of {LAST} promises have a test; without one: {', '.join(missing) or 'none'}")


if __name__ == "__main__":
    main()
