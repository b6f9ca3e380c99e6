"""Fail when a committed file names a package registry's host, or a lock file records download addresses."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
#: Their dots stand in brackets, so that this file does not name them itself.
HOSTS = re.compile(
    rb"pypi[.](?:org|python)|pythonhosted[.]org|registry[.](?:npmjs|yarnpkg)|npmmirror[.]com|deb[.]debian[.]org"
)
FORBIDDEN = {
    "uv.lock",
    "poetry.lock",
    "pdm.lock",
    "package-lock.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "Pipfile.lock",
}


def main() -> int:
    """Look through every file that git knows."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    problems = []
    for name in filter(None, listed.decode().split("\0")):
        path = ROOT / name
        if path.name in FORBIDDEN:
            problems.append(f"{name}: a lock file that records download addresses")
        elif path.is_file() and (found := HOSTS.search(path.read_bytes())):
            problems.append(f"{name}: names the package registry host {found[0].decode()}")
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
