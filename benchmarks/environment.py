"""The environment of the peers that cannot live in ours: `python -m benchmarks.environment` makes `.bench`.

Python's are installed into `.bench/venv`, Node's into `.bench/node`, in the versions that `peers/requirements.txt` and `peers/package.json` name. What cannot
be installed is told, and then missing in the report by its name.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / ".bench"
PYTHON = FOLDER / "venv" / "bin" / "python"
NODE_FOLDER = FOLDER / "node"
_PEERS = Path(__file__).parent / "peers"
#: Programs that the benchmarks need or use, and the Debian packages that bring them.
_PROGRAMS = {"nginx": "nginx-light", "wrk": "wrk", "node": "nodejs", "npm": "npm", "taskset": "util-linux"}
_FILES = {
    Path("/usr/share/doc/postgresql-doc-15/html"): "postgresql-doc-15",
    Path("/usr/share/doc/python3.11-doc/html"): "python3.11-doc",
}


def missing() -> dict[str, str]:
    """What is not on this machine, and the Debian package that brings it."""
    programs = {
        name: package
        for name, package in _PROGRAMS.items()
        if shutil.which(name) is None and not Path("/usr/sbin", name).exists()
    }
    return {**programs, **{str(path): package for path, package in _FILES.items() if not path.is_dir()}}


def _run(*command: str, cwd: Path | None = None) -> bool:
    print("+", *command, flush=True)
    return subprocess.run(command, cwd=cwd, check=False).returncode == 0


def _make_python() -> bool:
    if not PYTHON.exists() and not _run(sys.executable, "-m", "venv", str(FOLDER / "venv")):
        return False
    pip = (str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    lines = (_PEERS / "requirements.txt").read_text().splitlines()
    # One by one: what cannot be had must not keep the others away.
    made = [_run(*pip, line) for line in lines if line and not line.startswith("#")]
    return all(made)


def _make_node() -> bool:
    if shutil.which("npm") is None:
        return False
    NODE_FOLDER.mkdir(parents=True, exist_ok=True)
    shutil.copy(_PEERS / "package.json", NODE_FOLDER / "package.json")
    quiet = ("--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    return _run("npm", "install", *quiet, cwd=NODE_FOLDER)


def main() -> None:
    """Make the environment, and tell what is not there."""
    FOLDER.mkdir(exist_ok=True)
    for made, what in ((_make_python(), "a peer in Python"), (_make_node(), "the peer for Node")):
        if not made:
            print(f"{what} could not be installed; the report will name it as missing")
    if lacking := missing():
        print(
            f"not on this machine: {', '.join(lacking)}; apt-get install {' '.join(sorted(set(lacking.values())))}"
        )


if __name__ == "__main__":
    main()
